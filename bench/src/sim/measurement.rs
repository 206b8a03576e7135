//! What something took: time, the controller's processor time and memory, what was sent to switches.

use super::counts::Tally;
use super::hypervisor::Kind;
use super::monitor::{Range, Seen};
use super::usage::Usage;
use super::world::World;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::report::{Report, count_cell, number_cell, size_cell, time_cell};

/// A measurement that has begun.
#[derive(Debug)]
pub(crate) struct Measurement {
    start: Instant,
    usage: Usage,
    hypervisors: Duration,
    tally: Tally,
}

impl Measurement {
    /// Begins.
    pub(crate) fn begin(world: &World) -> Result<Self, Failure> {
        world.controller.forget_peak()?;
        let (usage, hypervisors) = (world.controller.usage()?, world.hypervisors_cpu()?);
        Ok(Self { usage, hypervisors, tally: world.counts.now(), start: Instant::now() })
    }

    /// The process was started anew: what it has used counts from its start.
    pub(crate) fn process_is_new(&mut self) {
        self.usage = Usage::default();
    }

    /// When it began.
    pub(crate) const fn start(&self) -> Instant {
        self.start
    }

    /// What had been counted when it began.
    pub(crate) const fn before(&self) -> Tally {
        self.tally
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
    /// What everything took in each cloud with the first kind of hypervisors it was measured with.
    first: BTreeMap<(usize, String), (Kind, Duration)>,
    /// What `/metrics` told meanwhile.
    told: Report,
}

impl Measurements {
    /// An empty table.
    pub(crate) fn new() -> Self {
        let columns = [
            "hosts",
            "ports",
            "switches",
            "what",
            "time",
            "ratio",
            "99 %",
            "cpu",
            "switch cpu",
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
        let told = Report::new("sim: what was told meanwhile", ["hosts", "what", "series", "first", "last", "most"]);
        let report = Report::new("sim: a controller process and its hypervisors", columns);
        Self { report, first: BTreeMap::new(), told }
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
        let hypervisors = world.hypervisors_cpu()?.saturating_sub(measurement.hypervisors);
        let ratio = self.ratio(world, what, time);
        let nothing = || (String::from("-"), Value::Null);
        let count = |count: u64| (count.to_string(), Value::from(count));
        self.report.row([
            count_cell(world.cloud.hosts),
            count_cell(world.cloud.ports()),
            (world.kind().to_string(), world.kind().to_string().into()),
            (what.to_owned(), what.into()),
            time_cell(time),
            ratio.map_or_else(nothing, |ratio| number_cell(ratio, 2)),
            worst.map_or_else(nothing, time_cell),
            time_cell(usage.cpu.saturating_sub(measurement.usage.cpu)),
            time_cell(hypervisors),
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
            let (hosts, kind) = (world.cloud.hosts, world.kind());
            eprintln!("{hosts} {kind} hosts: {what}: {time:?} {worst:?} {usage:?} {hypervisors:?} {tally:?}");
        }
        Ok(())
    }

    /// How much longer it took than with the first kind of hypervisors; nothing for these themselves.
    fn ratio(&mut self, world: &World, what: &str, time: Duration) -> Option<f64> {
        let key = (world.cloud.hosts, what.to_owned());
        let (kind, first) = *self.first.entry(key).or_insert((world.kind(), time));
        (kind != world.kind()).then(|| time.as_secs_f64() / first.as_secs_f64())
    }

    /// Adds what `/metrics` told while something was measured. What was nothing all the time is left out.
    pub(crate) fn tell(&mut self, world: &World, what: &str, seen: &Seen) {
        for (series, range) in seen.iter().filter(|(_, range)| range.most > 0.0) {
            let mut row = vec![
                count_cell(world.cloud.hosts),
                (what.into(), what.into()),
                (series.clone(), series.as_str().into()),
            ];
            row.extend([range.first, range.last, range.most].map(|value| number_cell(value, 0)));
            self.told.row(row);
        }
    }

    /// Adds what was counted on this side meanwhile.
    pub(crate) fn tell_counts(&mut self, world: &World, what: &str, counts: &[(&str, u64)]) {
        let seen = counts.iter().map(|(series, count)| {
            let count = *count as f64;
            ((*series).to_owned(), Range { first: 0.0, last: count, most: count })
        });
        self.tell(world, what, &seen.collect());
    }

    /// Prints it.
    pub(crate) fn print(&self, json: bool) {
        self.report.print(json);
        if !self.told.is_empty() {
            self.told.print(json);
        }
    }
}
