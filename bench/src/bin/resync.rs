//! A switch that holds what it should: connected to, read back, compared, and left alone.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use clap::Parser;
use weir_bench::report::{Report, count_cell, median, number_cell, time_cell, timed};
use weir_bench::switch::DummySwitch;
use weir_bench::{Failure, flows};
use weir_openflow::session::SessionConfig;
use weir_openflow::{Cookie, Digest, EditRun, TableId};
use weir_reconcile::{Desired, Order, SealPlace, Switch, SwitchConfig, SwitchEvent};

/// Reads a real switch back and finds it right.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many flows
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    flows: Vec<usize>,
    /// How often it is measured
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    weir_bench::ended("resync", measure(&Arguments::parse()))
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = Report::new(
        "resync: from the connection until the switch is known to be right; and the same for an empty switch",
        ["flows", "unchanged", "flow-mods", "from empty", "unchanged/from empty"],
    );
    for &count in &arguments.flows {
        let real = DummySwitch::start()?;
        let units: Vec<EditRun> = vec![flows::encoded(count)?.into()];
        let mut changes = 0;
        let [mut from_empty, mut unchanged] = [const { Vec::<Duration>::new() }; 2];
        for _ in 0..arguments.runs.max(1) {
            real.clear()?;
            let (sent, time) = timed(|| reconcile(&real.socket(), &units));
            from_empty.push(time);
            assert!(sent? >= count, "an empty switch needs every flow");
            let (sent, time) = timed(|| reconcile(&real.socket(), &units));
            unchanged.push(time);
            changes += sent?;
        }
        assert_eq!(changes, 0, "an unchanged switch needs no flow-mod");
        let [from_empty, unchanged] = [&mut from_empty, &mut unchanged].map(|times| median(times));
        report.row([
            count_cell(count),
            time_cell(unchanged),
            count_cell(changes),
            time_cell(from_empty),
            number_cell(unchanged.as_secs_f64() / from_empty.as_secs_f64(), 2),
        ]);
    }
    report.print(arguments.json);
    Ok(())
}

/// Where the switch's seal is.
const SEAL: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(1) };

/// Connects, lets the reconciler do what it does, and returns how many changes of tables were sent.
fn reconcile(socket: &Path, units: &[EditRun]) -> Result<usize, Failure> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    let config =
        SwitchConfig { session: SessionConfig::default(), audit_interval: Duration::from_secs(3600), seal: SEAL };
    let mut switch = Switch::new(config, Instant::now());
    let digest = units.iter().map(|unit| Digest::of(&**unit)).sum();
    let mut changes = Changes::default();
    let (mut input, mut output) = (vec![0; 256 << 10], BytesMut::new());
    loop {
        while let Some(event) = switch.poll_event(Instant::now()) {
            match event {
                SwitchEvent::WantsDesired(_) => {
                    let desired = Desired { revision: 1, additions: units.to_vec(), digest };
                    switch.order(Instant::now(), Order::Desired(desired));
                }
                SwitchEvent::Acknowledged { revision: 1 } => return Ok(changes.count),
                SwitchEvent::Refused(refusal) => return Err(format!("{refusal:?}").into()),
                SwitchEvent::Closed(reason) => return Err(reason.to_string().into()),
                _ => {}
            }
        }
        switch.poll_transmit(Instant::now(), &mut output);
        if !output.is_empty() {
            changes.see(&output);
            stream.write_all(&output)?;
            output.clear();
            continue;
        }
        let length = stream.read(&mut input)?;
        if length == 0 {
            return Err("the switch hung up".into());
        }
        switch.handle_bytes(Instant::now(), &input[..length]);
    }
}

/// Counts messages that change tables in a stream of OpenFlow messages.
#[derive(Default)]
struct Changes {
    count: usize,
    /// What of the message at the end of the last piece is still to come, and its head if that was cut.
    rest: usize,
    head: Vec<u8>,
}

impl Changes {
    /// `OFPT_FLOW_MOD`, `OFPT_GROUP_MOD`, `OFPT_METER_MOD` and `OFPT_BUNDLE_ADD_MESSAGE`.
    const KINDS: [u8; 4] = [14, 15, 29, 34];

    fn see(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let skipped = self.rest.min(bytes.len());
            self.rest -= skipped;
            bytes = &bytes[skipped..];
            let wanted = (8 - self.head.len()).min(bytes.len());
            if self.rest > 0 || wanted == 0 {
                continue;
            }
            self.head.extend_from_slice(&bytes[..wanted]);
            bytes = &bytes[wanted..];
            if let [_, kind, high, low, ..] = self.head[..]
                && self.head.len() == 8
            {
                self.count += usize::from(Self::KINDS.contains(&kind));
                self.rest = usize::from(u16::from_be_bytes([high, low])).saturating_sub(8);
                self.head.clear();
            }
        }
    }
}
