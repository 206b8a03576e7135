//! Parsing flows and lines of a dump.

use super::action::{Around, instructions};
use super::matching::Builder;
use crate::message::FlowStats;
use crate::text::error::{Fault, ParseError, ParseErrorKind, fail, located};
use crate::text::names::Names;
use crate::text::scan::{Pair, Pairs, integer};
use crate::text::value;
use crate::{Cookie, Field, Flow, FlowKey, Match, TableId};
use std::str::FromStr;
use std::time::Duration;

impl FromStr for Flow {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, Names::NONE)
    }
}

impl FromStr for FlowStats {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, Names::NONE)
    }
}

impl FromStr for FlowKey {
    type Err = ParseError;

    /// Parses table, priority and match, as in `ovs-ofctl --strict del-flows`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut line = Line::default();
        located(text, line.head(text, Names::NONE))?;
        Ok(line.finish().0.flow.key)
    }
}

impl Flow {
    /// Parses a flow such as `table=1,priority=5,ip actions=output:2`. Counters are passed over.
    ///
    /// # Errors
    /// When the text is no flow.
    pub fn parse(text: &str, names: &Names) -> Result<Self, ParseError> {
        FlowStats::parse(text, names).map(|stats| stats.flow)
    }
}

impl FlowStats {
    /// Parses a line of `ovs-ofctl dump-flows`.
    ///
    /// # Errors
    /// When the text is no flow.
    pub fn parse(text: &str, names: &Names) -> Result<Self, ParseError> {
        located(text, whole(text, names))
    }
}

fn whole<'a>(text: &'a str, names: &Names) -> Result<FlowStats, Fault<'a>> {
    let Some(at) = text.find("action") else {
        return fail(&text[text.len()..], ParseErrorKind::MissingActions);
    };
    let (head, tail) = text.split_at(at);
    let Some((_, actions)) = tail.split_once('=') else {
        return fail(tail, ParseErrorKind::MissingActions);
    };
    let mut line = Line::default();
    line.head(head, names)?;
    let (mut stats, mut around) = line.finish();
    stats.flow.instructions = instructions(actions, names, &mut around)?;
    Ok(stats)
}

struct Line {
    stats: FlowStats,
    builder: Builder,
}

impl Default for Line {
    fn default() -> Self {
        let stats = FlowStats {
            flow: Flow::new(TableId(0), 0x8000, Match::new()),
            duration: Duration::ZERO,
            idle: Duration::ZERO,
            packets: 0,
            bytes: 0,
        };
        Self { stats, builder: Builder::default() }
    }
}

impl Line {
    fn head<'a>(&mut self, text: &'a str, names: &Names) -> Result<(), Fault<'a>> {
        for pair in Pairs::new(text) {
            let pair = pair?;
            if !self.word(&pair, names)? && !self.builder.add(&pair, names)? {
                return fail(pair.key, ParseErrorKind::UnknownKeyword);
            }
        }
        Ok(())
    }

    /// Takes a pair if it is not of the match.
    fn word<'a>(&mut self, pair: &Pair<'a>, names: &Names) -> Result<bool, Fault<'a>> {
        let Pair { key, value: text, .. } = *pair;
        let FlowStats { flow, duration, idle, packets, bytes } = &mut self.stats;
        match key {
            "send_flow_rem" => flow.flags.send_flow_removed = true,
            "check_overlap" => flow.flags.check_overlap = true,
            "reset_counts" => flow.flags.reset_counts = true,
            "no_packet_counts" => flow.flags.no_packet_counts = true,
            "no_byte_counts" => flow.flags.no_byte_counts = true,
            "no_readonly_table" | "allow_hidden_fields" => (),
            "table" => flow.key.table = value::table(text, names)?,
            "priority" => flow.key.priority = integer(text)?,
            "idle_timeout" => flow.idle_timeout = integer(text)?,
            "hard_timeout" => flow.hard_timeout = integer(text)?,
            "importance" => flow.importance = integer(text)?,
            "cookie" => flow.cookie = Cookie(integer(text)?),
            "duration" => *duration = seconds(text)?,
            "idle_age" => *idle = Duration::from_secs(integer(text)?),
            "n_packets" => *packets = integer(text)?,
            "n_bytes" => *bytes = integer(text)?,
            "hard_age" => (),
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn finish(self) -> (FlowStats, Around) {
        let mut stats = self.stats;
        stats.flow.key.matching = self.builder.finish();
        let matching = &stats.flow.key.matching;
        let around = Around {
            protocol: matching.exact(Field::IpProto).map(|protocol| protocol as u8),
            tagged: matching.get(Field::VlanVid).is_some_and(|(value, _)| value & 0x1000 != 0),
        };
        (stats, around)
    }
}

/// Seconds with decimals and an `s` at the end.
fn seconds(text: &str) -> Result<Duration, Fault<'_>> {
    let number = text.strip_suffix('s').unwrap_or(text);
    let (whole, decimals) = number.split_once('.').unwrap_or((number, ""));
    let whole: Result<u64, _> = whole.parse();
    let nanos: Result<u32, _> = format!("{decimals:0<9}").parse();
    match (whole, nanos) {
        (Ok(whole), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(whole, nanos)),
        _ => fail(text, ParseErrorKind::Number),
    }
}
