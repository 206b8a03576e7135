//! What something took: time, the controller's processor time and memory, what was sent to switches.

use super::controller::Usage;
use super::counts::Tally;
use super::world::World;
use serde_json::Value;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::report::{Report, count_cell, size_cell, time_cell};

/// A measurement that has begun.
#[derive(Debug)]
pub(crate) struct Measurement {
    start: Instant,
    usage: Usage,
    tally: Tally,
}

impl Measurement {
    /// Begins.
    pub(crate) fn begin(world: &World) -> Result<Self, Failure> {
        world.controller.forget_peak()?;
        Ok(Self { start: Instant::now(), usage: world.controller.usage()?, tally: world.counts.now() })
    }

    /// The process was started anew: what it has used counts from its start.
    pub(crate) fn process_is_new(&mut self) {
        self.usage = Usage::default();
    }

    /// When it began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// The time since then.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

/// A table of measurements.
#[derive(Debug)]
pub(crate) struct Measurements {
    report: Report,
}

impl Measurements {
    /// An empty table.
    pub(crate) fn new() -> Self {
        let columns = [
            "hosts",
            "ports",
            "what",
            "time",
            "99 %",
            "cpu",
            "memory",
            "peak",
            "flow-mods",
            "group-mods",
            "meter-mods",
            "bundles",
            "messages",
            "sent",
            "read back",
            "received",
            "refused",
        ];
        Self { report: Report::new("sim: a controller process and simulated hypervisors", columns) }
    }

    /// Ends a measurement that took `time`; of several runs that is the median, and `worst` one of the worst.
    pub(crate) fn end(
        &mut self,
        world: &World,
        what: &str,
        measurement: &Measurement,
        time: Duration,
        worst: Option<Duration>,
    ) -> Result<(), Failure> {
        let usage = world.controller.usage()?;
        let tally = world.counts.now().since(measurement.tally);
        let nothing = || (String::from("-"), Value::Null);
        let count = |count: u64| (count.to_string(), Value::from(count));
        self.report.row([
            count_cell(world.cloud.hosts),
            count_cell(world.cloud.ports()),
            (what.to_owned(), what.into()),
            time_cell(time),
            worst.map_or_else(nothing, time_cell),
            time_cell(usage.cpu.saturating_sub(measurement.usage.cpu)),
            size_cell(usage.resident),
            size_cell(usage.peak),
            count(tally.flow_mods),
            count(tally.group_mods),
            count(tally.meter_mods),
            count(tally.commits),
            count(tally.messages),
            size_cell(tally.bytes),
            count(tally.reads),
            size_cell(tally.told_bytes),
            count(tally.refusals),
        ]);
        if std::env::var_os("SIM_VERBOSE").is_some() {
            eprintln!("{} hosts: {what}: {time:?} {worst:?} {usage:?} {tally:?}", world.cloud.hosts);
        }
        Ok(())
    }

    /// Prints it.
    pub(crate) fn print(&self, json: bool) {
        self.report.print(json);
    }
}
