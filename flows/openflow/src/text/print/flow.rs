//! Printing flows and lines of a dump.

use super::action::put_instructions;
use super::matching::write_match;
use crate::message::FlowStats;
use crate::text::names::{Named, Names};
use crate::{Flow, FlowFlags, FlowKey, FlowTable};
use std::fmt::{self, Display, Formatter, Write};
use std::time::Duration;

impl Display for Flow {
    /// As `ovs-ofctl dump-flows --no-stats` prints it.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_flow(f, self, None, Names::NONE)
    }
}

impl Display for Named<'_, Flow> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_flow(f, self.value, None, self.names)
    }
}

impl Display for FlowStats {
    /// As a line of `ovs-ofctl dump-flows`.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_flow(f, &self.flow, Some(self), Names::NONE)
    }
}

impl Display for Named<'_, FlowStats> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_flow(f, &self.value.flow, Some(self.value), self.names)
    }
}

impl Display for FlowKey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_key(f, self, Names::NONE)
    }
}

impl Display for Named<'_, FlowKey> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        put_key(f, self.value, self.names)
    }
}

impl Display for FlowTable {
    /// Meters, groups and flows, one a line, each kind in ascending order.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        Named::new(self, Names::NONE).fmt(f)
    }
}

impl Display for Named<'_, FlowTable> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for meter in self.value.meters.values() {
            writeln!(f, "{meter}")?;
        }
        for group in self.value.groups.values() {
            writeln!(f, "{}", Named::new(group, self.names))?;
        }
        for flow in self.value.flows.values() {
            writeln!(f, "{}", Named::new(flow, self.names))?;
        }
        Ok(())
    }
}

fn put_key(f: &mut dyn Write, key: &FlowKey, names: &Names) -> fmt::Result {
    f.write_str("table=")?;
    names.put_table(f, key.table)?;
    f.write_str(", ")?;
    write_match(f, &key.matching, Some(key.priority), names).map(drop)
}

fn put_flow(f: &mut dyn Write, flow: &Flow, stats: Option<&FlowStats>, names: &Names) -> fmt::Result {
    if stats.is_some() || flow.cookie.0 != 0 {
        write!(f, "cookie={:#x}, ", flow.cookie.0)?;
    }
    if let Some(stats) = stats {
        f.write_str("duration=")?;
        put_duration(f, stats.duration)?;
        f.write_str(", ")?;
    }
    if stats.is_some() || flow.key.table.0 != 0 || names.names_table(flow.key.table) {
        f.write_str("table=")?;
        names.put_table(f, flow.key.table)?;
        f.write_str(", ")?;
    }
    if let Some(stats) = stats {
        write!(f, "n_packets={}, n_bytes={}, ", stats.packets, stats.bytes)?;
    }
    for (value, name) in [(flow.idle_timeout, "idle_timeout"), (flow.hard_timeout, "hard_timeout")] {
        if value != 0 {
            write!(f, "{name}={value}, ")?;
        }
    }
    put_flags(f, flow.flags)?;
    if flow.importance != 0 {
        write!(f, "importance={}, ", flow.importance)?;
    }
    if let Some(stats) = stats {
        write!(f, "idle_age={}, ", stats.idle.as_secs())?;
    }
    if write_match(f, &flow.key.matching, Some(flow.key.priority), names)? {
        f.write_char(' ')?;
    }
    f.write_str("actions=")?;
    put_instructions(f, &flow.instructions, names)
}

fn put_flags(f: &mut dyn Write, flags: FlowFlags) -> fmt::Result {
    for (set, word) in [
        (flags.send_flow_removed, "send_flow_rem "),
        (flags.check_overlap, "check_overlap "),
        (flags.reset_counts, "reset_counts "),
        (flags.no_packet_counts, "no_packet_counts "),
        (flags.no_byte_counts, "no_byte_counts "),
    ] {
        if set {
            f.write_str(word)?;
        }
    }
    Ok(())
}

/// Seconds with as many decimals as it takes.
fn put_duration(f: &mut dyn Write, duration: Duration) -> fmt::Result {
    write!(f, "{}", duration.as_secs())?;
    let nanos = format!("{:09}", duration.subsec_nanos());
    let decimals = nanos.trim_end_matches('0');
    if !decimals.is_empty() {
        write!(f, ".{decimals}")?;
    }
    f.write_char('s')
}
