//! Flows installed on a real switch: by Weir's session, by `ovs-ofctl --bundle add-flows` with the same flows, and as
//! bytes prepared beforehand and written raw, which is what the switch itself can do.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use bytes::{BufMut as _, BytesMut};
use clap::Parser;
use weir_bench::connection::Connection;
use weir_bench::report::{Report, count_cell, median, number_cell, time_cell, timed};
use weir_bench::switch::DummySwitch;
use weir_bench::{Failure, flows};
use weir_openflow::EncodedEdit;

/// Installs flows on a real switch in three ways.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many flows
    #[arg(long, value_delimiter = ',', default_values_t = [1_000, 10_000, 100_000])]
    flows: Vec<usize>,
    /// How often each way is measured; the ways take turns
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    weir_bench::ended("install", measure(&Arguments::parse()))
}

fn measure(arguments: &Arguments) -> Result<(), Failure> {
    let mut report = Report::new(
        "install: median seconds from the first byte until the switch has acknowledged all flows",
        ["flows", "raw", "weir", "ovs-ofctl", "weir/raw", "weir/ovs-ofctl", "weir flows/s"],
    );
    for &count in &arguments.flows {
        let switch = DummySwitch::start()?;
        let edits = flows::encoded(count)?;
        let raw = raw_bundle(&edits);
        // The switch's own dump of these flows is what ovs-ofctl gets to install. This first round also lets the
        // switch grow to the memory it needs.
        Connection::open(&switch.socket())?.install(&edits)?;
        let dump = switch.file("flows");
        let text = switch.ofctl(&["--no-stats", "--no-names"], "dump-flows", &[])?;
        let lines: Vec<_> = text.lines().filter(|line| line.contains("actions=")).collect();
        assert_eq!(lines.len(), count, "the switch holds all flows");
        fs::write(&dump, lines.join("\n"))?;

        let [mut by_raw, mut by_weir, mut by_ofctl] = [const { Vec::<Duration>::new() }; 3];
        for _ in 0..arguments.runs.max(1) {
            switch.clear()?;
            let mut stream = greet(&switch.socket())?;
            let (done, time) = timed(|| write_raw(&mut stream, &raw));
            done?;
            by_raw.push(time);

            switch.clear()?;
            let mut connection = Connection::open(&switch.socket())?;
            let (done, time) = timed(|| connection.install(&edits));
            done?;
            by_weir.push(time);

            switch.clear()?;
            let (done, time) = timed(|| switch.ofctl(&["--bundle"], "add-flows", &[&dump.to_string_lossy()]));
            done?;
            by_ofctl.push(time);
        }
        let [raw, weir, ofctl] = [&mut by_raw, &mut by_weir, &mut by_ofctl].map(|times| median(times));
        report.row([
            count_cell(count),
            time_cell(raw),
            time_cell(weir),
            time_cell(ofctl),
            number_cell(weir.as_secs_f64() / raw.as_secs_f64(), 2),
            number_cell(weir.as_secs_f64() / ofctl.as_secs_f64(), 2),
            number_cell(count as f64 / weir.as_secs_f64(), 0),
        ]);
    }
    report.print(arguments.json);
    Ok(())
}

/// The xid of the message that ends a raw bundle.
const LAST: u32 = 0x7fff_ffff;

/// The bundle's control messages, OpenFlow 1.5 section 7.3.9.
const BUNDLE_CONTROL: u8 = 33;
const BUNDLE_ADD: u8 = 34;
const OPEN: u16 = 0;
const COMMIT: u16 = 4;
const COMMITTED: u16 = 5;
const ATOMIC_ORDERED: u16 = 3;

/// An atomic, ordered bundle as bytes.
fn raw_bundle(edits: &[EncodedEdit]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let control = |out: &mut BytesMut, xid: u32, kind: u16| {
        out.put_slice(&[6, BUNDLE_CONTROL, 0, 16]);
        out.put_u32(xid);
        out.put_u32(1);
        out.put_u16(kind);
        out.put_u16(ATOMIC_ORDERED);
    };
    control(&mut out, 1, OPEN);
    for edit in edits {
        let message = edit.message();
        out.put_slice(&[6, BUNDLE_ADD]);
        out.put_u16(u16::try_from(16 + message.len()).unwrap_or(u16::MAX));
        out.put_u32(0);
        out.put_u32(1);
        out.put_u16(0);
        out.put_u16(ATOMIC_ORDERED);
        out.put_slice(message);
    }
    control(&mut out, LAST, COMMIT);
    out.to_vec()
}

/// Connects and exchanges hellos.
fn greet(socket: &Path) -> Result<UnixStream, Failure> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(120)))?;
    stream.write_all(&[6, 0, 0, 8, 0, 0, 0, 1])?;
    read_message(&mut stream)?;
    Ok(stream)
}

/// Writes the bundle and waits for the reply to its commit.
fn write_raw(stream: &mut UnixStream, bytes: &[u8]) -> Result<(), Failure> {
    stream.write_all(bytes)?;
    loop {
        let message = read_message(stream)?;
        match (message[1], &message[4..8]) {
            (BUNDLE_CONTROL, xid) if xid == LAST.to_be_bytes() => {
                let kind = message.get(12..14).ok_or("a short reply")?;
                return if kind == COMMITTED.to_be_bytes() { Ok(()) } else { Err("not committed".into()) };
            }
            (1, _) => return Err(format!("the switch refused the raw bundle: {message:x?}").into()),
            _ => {}
        }
    }
}

fn read_message(stream: &mut UnixStream) -> Result<Vec<u8>, Failure> {
    let mut message = vec![0; 8];
    stream.read_exact(&mut message)?;
    let length = usize::from(u16::from_be_bytes([message[2], message[3]]));
    message.resize(length.max(8), 0);
    stream.read_exact(&mut message[8..])?;
    Ok(message)
}
