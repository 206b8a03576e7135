//! A real Open vSwitch with a dummy datapath, in a directory of its own.

use std::process::{Command, Output};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// `ovsdb-server` and `ovs-vswitchd` of one test; they end with it.
pub(crate) struct OpenVSwitch {
    directory: TempDir,
}

impl OpenVSwitch {
    /// Starts both daemons.
    pub(crate) fn start() -> Self {
        let directory = tempfile::Builder::new().prefix("weir-ovs-").tempdir().expect("a directory for the daemons");
        let ovs = Self { directory };
        ovs.run("ovsdb-tool", &["create", "conf.db", "/usr/share/openvswitch/vswitch.ovsschema"]);
        ovs.run(
            "ovsdb-server",
            &["conf.db", "--remote=punix:db.sock", "--unixctl=db.ctl", "--pidfile=db.pid", "--detach", "--no-chdir"],
        );
        ovs.vsctl(&["--no-wait", "init"]);
        ovs.run(
            "ovs-vswitchd",
            &[
                &format!("unix:{}", ovs.path("db.sock")),
                "--enable-dummy=override",
                "--disable-system",
                "--unixctl=vswitchd.ctl",
                "--pidfile=vswitchd.pid",
                "--log-file=vswitchd.log",
                "--detach",
                "--no-chdir",
            ],
        );
        ovs
    }

    /// Where a file of the daemons is.
    pub(crate) fn path(&self, name: &str) -> String {
        self.directory.path().join(name).display().to_string()
    }

    /// Runs a program in the directory; it must succeed.
    pub(crate) fn run(&self, program: &str, arguments: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.try_run(program, arguments);
        assert!(status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&stderr));
        String::from_utf8_lossy(&stdout).into_owned()
    }

    /// Runs a program in the directory.
    pub(crate) fn try_run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program)
            .args(arguments)
            .current_dir(self.directory.path())
            .env("OVS_RUNDIR", self.directory.path())
            .env("OVS_LOGDIR", self.directory.path())
            .env("OVS_DBDIR", self.directory.path())
            .output()
            .unwrap_or_else(|error| panic!("{program} cannot be run ({error}): these tests need Open vSwitch"))
    }

    /// Runs `ovs-vsctl`.
    pub(crate) fn vsctl(&self, arguments: &[&str]) -> String {
        let database = format!("--db=unix:{}", self.path("db.sock"));
        let arguments: Vec<&str> =
            [&database[..], "--timeout=10"].into_iter().chain(arguments.iter().copied()).collect();
        self.run("ovs-vsctl", &arguments)
    }

    /// Runs `ovs-ofctl` with OpenFlow 1.5; `{bridge}` in an argument becomes the bridge's socket.
    pub(crate) fn ofctl(&self, bridge: &str, arguments: &[&str]) -> String {
        let socket = format!("unix:{}", self.path(&format!("{bridge}.mgmt")));
        let arguments: Vec<String> = ["-O", "OpenFlow15"]
            .iter()
            .chain(arguments)
            .map(|argument| argument.replace("{bridge}", &socket))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        self.run("ovs-ofctl", &arguments)
    }

    /// Makes a bridge with dummy ports, numbered from 1.
    pub(crate) fn bridge(&self, bridge: &str, ports: &[&str], protocols: &str) {
        let kind = format!("datapath_type=dummy fail_mode=secure protocols={protocols}");
        let mut arguments = vec!["add-br", bridge, "--", "set", "bridge", bridge];
        arguments.extend(kind.split(' '));
        let numbers: Vec<String> = (1..=ports.len()).map(|number| format!("ofport_request={number}")).collect();
        for (port, number) in ports.iter().zip(&numbers) {
            arguments.extend(["--", "add-port", bridge, port, "--", "set", "interface", port, "type=dummy", number]);
        }
        self.vsctl(&arguments);
    }
}

impl Drop for OpenVSwitch {
    fn drop(&mut self) {
        for control in ["vswitchd", "db"] {
            let pid = std::fs::read_to_string(self.path(&format!("{control}.pid"))).unwrap_or_default();
            let _ =
                self.try_run("ovs-appctl", &[&format!("--target={}", self.path(&format!("{control}.ctl"))), "exit"]);
            let Ok(pid) = pid.trim().parse::<u32>() else { continue };
            let deadline = Instant::now() + Duration::from_secs(5);
            while alive(pid) && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Whether a process runs, that is, is there and no zombie.
fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit(')').next().unwrap_or_default().trim_start().starts_with('Z'))
}
