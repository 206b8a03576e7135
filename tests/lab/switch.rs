//! What a switch holds, and what happens to it.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;

use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Hypervisor, Interrupt, LabError, Tool};

use super::world::{Failure, LIMIT, World};

/// The bridges that Weir makes.
pub(crate) const BRIDGES: [&str; 2] = ["br-int", "br-tun"];

/// The flows and groups of a bridge without counters, in order.
pub(crate) fn tables(host: &Hypervisor, bridge: &str) -> Result<Vec<String>, LabError> {
    let flows = host.ofctl("dump-flows", bridge, &["--no-stats", "--no-names"])?;
    let groups = host.ofctl("dump-groups", bridge, &["--no-names"])?;
    let mut lines: Vec<_> = flows
        .lines()
        .chain(groups.lines())
        // The head of an answer tells its transaction id and version.
        .filter(|line| !line.starts_with("OFPST_"))
        .map(|line| line.trim().to_owned())
        .collect();
    lines.sort();
    Ok(lines)
}

/// The flows and groups of both bridges of every hypervisor.
pub(crate) fn all_tables(world: &World) -> Result<BTreeMap<String, Vec<String>>, LabError> {
    let mut all = BTreeMap::new();
    for host in &world.lab.state().hypervisors {
        for bridge in BRIDGES {
            all.insert(format!("{} {bridge}", host.name()), tables(host, bridge)?);
        }
    }
    Ok(all)
}

/// Waits until a bridge holds exactly `expected`.
pub(crate) fn wait_tables(world: &World, host: &Hypervisor, bridge: &str, expected: &[String]) -> Result<(), LabError> {
    world.wait(&format!("the tables of {bridge} on {}", host.name()), || {
        let seen = tables(host, bridge)?;
        Ok(Look::when(seen == expected, difference(expected, &seen)))
    })
}

/// What is missing and what is too much, a line each.
pub(crate) fn difference(expected: &[String], seen: &[String]) -> String {
    let missing = expected.iter().filter(|line| !seen.contains(line)).map(|line| format!("\n- {line}"));
    let extra = seen.iter().filter(|line| !expected.contains(line)).map(|line| format!("\n+ {line}"));
    missing.chain(extra).collect()
}

/// Seconds since each flow of a bridge was installed, by the flow.
pub(crate) fn durations(host: &Hypervisor, bridge: &str) -> Result<BTreeMap<String, f64>, Failure> {
    let mut durations = BTreeMap::new();
    let text = host.ofctl("dump-flows", bridge, &["--no-names"])?;
    for line in text.lines().filter(|line| line.contains("duration=")) {
        let mut flow = String::new();
        let mut duration = None;
        for part in line.trim().split(", ") {
            match part.split_once('=') {
                Some(("duration", seconds)) => duration = Some(seconds.trim_end_matches('s').parse()?),
                Some(("n_packets" | "n_bytes" | "idle_age" | "hard_age", _)) => {}
                _ => flow.push_str(part),
            }
        }
        durations.insert(flow, duration.ok_or("a flow without a duration")?);
    }
    Ok(durations)
}

/// Records every change of a bridge's flows, whoever makes it, by an OpenFlow flow monitor.
pub(crate) struct FlowWatch {
    child: Child,
    control: PathBuf,
    output: JoinHandle<io::Result<String>>,
}

impl FlowWatch {
    pub(crate) fn begin(host: &Hypervisor, bridge: &str) -> Result<Self, Failure> {
        let control = host.directory().join(format!("watch-{bridge}.ctl"));
        let mut child = host
            .namespace()
            .command("ovs-ofctl")
            .arg(format!("--unixctl={}", control.display()))
            .args(["monitor", &format!("unix:{}", host.bridge_socket(bridge).display()), "watch:"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut pipe = child.stderr.take().ok_or("no pipe")?;
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).map(|_| text)
        });
        let watch = Self { child, control, output };
        wait::until("the flow monitor", LIMIT, &Interrupt::never(), || {
            Ok(match watch.control("ofctl/barrier") {
                Ok(_) => Look::Holds(()),
                Err(error) => Look::not_yet(error),
            })
        })?;
        Ok(watch)
    }

    fn control(&self, command: &str) -> Result<String, LabError> {
        Tool::new("ovs-appctl").arg("-t").arg(&self.control).arg(command).run()
    }

    /// Ends it and tells the changes.
    pub(crate) fn end(mut self) -> Result<Vec<String>, Failure> {
        // What the switch told before it answers the barrier has been written.
        self.control("ofctl/barrier")?;
        self.control("exit")?;
        self.child.wait()?;
        let text = self.output.join().map_err(|_| "the reader failed")??;
        Ok(text.lines().map(str::trim).filter(|line| line.starts_with("event=")).map(str::to_owned).collect())
    }
}
