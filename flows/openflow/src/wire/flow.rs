//! Flow-mods, instructions and flow statistics (OpenFlow 1.5, sections 7.2.5, 7.3.4.2 and 7.3.5.2).

use super::action::{actions, put_actions};
use super::oxm::{matching, put_match};
use super::{
    DecodeErrorKind, Parsed, all, counted, fail, pad, padding, put_length, skip, take, u8, u16, u32, u64, within,
};
use crate::message::FlowStats;
use crate::{Cookie, Flow, FlowEdit, FlowFlags, FlowKey, GroupId, Instructions, Match, PortNo, TableId};
use bytes::{BufMut, BytesMut};
use std::time::Duration;

const ADD: u8 = 0;
const DELETE_STRICT: u8 = 4;
const NO_BUFFER: u32 = u32::MAX;

mod instruction {
    pub(super) const GOTO: u16 = 1;
    pub(super) const WRITE_METADATA: u16 = 2;
    pub(super) const WRITE_ACTIONS: u16 = 3;
    pub(super) const APPLY_ACTIONS: u16 = 4;
    pub(super) const CLEAR_ACTIONS: u16 = 5;
}

/// The flags in the order of [`FlowFlags`].
const SEND_FLOW_REMOVED: u16 = 1;
const CHECK_OVERLAP: u16 = 2;
const RESET_COUNTS: u16 = 4;
const NO_PACKET_COUNTS: u16 = 8;
const NO_BYTE_COUNTS: u16 = 16;

fn flags(input: &[u8]) -> Parsed<'_, FlowFlags> {
    let (rest, bits) = u16(input)?;
    if bits & !31 != 0 {
        return fail(input, DecodeErrorKind::Value);
    }
    let flags = FlowFlags {
        send_flow_removed: bits & SEND_FLOW_REMOVED != 0,
        check_overlap: bits & CHECK_OVERLAP != 0,
        reset_counts: bits & RESET_COUNTS != 0,
        no_packet_counts: bits & NO_PACKET_COUNTS != 0,
        no_byte_counts: bits & NO_BYTE_COUNTS != 0,
    };
    Ok((rest, flags))
}

fn flag_bits(flags: FlowFlags) -> u16 {
    [
        (flags.send_flow_removed, SEND_FLOW_REMOVED),
        (flags.check_overlap, CHECK_OVERLAP),
        (flags.reset_counts, RESET_COUNTS),
        (flags.no_packet_counts, NO_PACKET_COUNTS),
        (flags.no_byte_counts, NO_BYTE_COUNTS),
    ]
    .iter()
    .map(|&(set, bit)| u16::from(set) * bit)
    .sum()
}

/// Instructions up to the end of the input, each at most once.
pub(crate) fn instructions(mut input: &[u8]) -> Parsed<'_, Instructions> {
    let mut found = Instructions::default();
    let mut seen = 0_u16;
    while !input.is_empty() {
        let (rest, kind) = u16(input)?;
        let (_, length) = u16(rest)?;
        if !(instruction::GOTO..=instruction::CLEAR_ACTIONS).contains(&kind) {
            return fail(input, DecodeErrorKind::UnknownInstruction(kind));
        }
        if seen & 1 << kind != 0 {
            return fail(input, DecodeErrorKind::Value);
        }
        seen |= 1 << kind;
        (input, ()) = counted(input, usize::from(length), 4, |body| instruction(body, kind, &mut found))?;
    }
    Ok((input, found))
}

fn instruction<'a>(body: &'a [u8], kind: u16, found: &mut Instructions) -> Parsed<'a, ()> {
    let rest = match kind {
        instruction::GOTO => {
            let (rest, table) = u8(body)?;
            found.goto = Some(TableId(table));
            skip(rest, 3)?.0
        }
        instruction::WRITE_METADATA => {
            let (rest, ()) = skip(body, 4)?;
            let (rest, value) = u64(rest)?;
            let (rest, mask) = u64(rest)?;
            found.write_metadata = Some((value & mask, mask)).filter(|&(_, mask)| mask != 0);
            rest
        }
        instruction::CLEAR_ACTIONS => {
            found.clear = true;
            skip(body, 4)?.0
        }
        _ => {
            let (rest, ()) = skip(body, 4)?;
            let (rest, actions) = actions(rest)?;
            match kind {
                instruction::WRITE_ACTIONS => found.write = actions,
                _ => found.apply = actions,
            }
            rest
        }
    };
    Ok((rest, ()))
}

/// Writes the instructions in the order in which a switch runs and dumps them.
pub(crate) fn put_instructions(out: &mut BytesMut, instructions: &Instructions) {
    if !instructions.apply.is_empty() {
        put_instruction(out, instruction::APPLY_ACTIONS, |out| put_actions(out, &instructions.apply));
    }
    if instructions.clear {
        put_instruction(out, instruction::CLEAR_ACTIONS, |_| ());
    }
    if !instructions.write.is_empty() {
        put_instruction(out, instruction::WRITE_ACTIONS, |out| put_actions(out, &instructions.write));
    }
    if let Some((value, mask)) = instructions.write_metadata.filter(|&(_, mask)| mask != 0) {
        put_instruction(out, instruction::WRITE_METADATA, |out| {
            out.put_u64(value & mask);
            out.put_u64(mask);
        });
    }
    if let Some(table) = instructions.goto {
        out.put_u16(instruction::GOTO);
        out.put_u16(8);
        out.put_u8(table.0);
        out.put_bytes(0, 3);
    }
}

fn put_instruction(out: &mut BytesMut, kind: u16, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(kind);
    out.put_u16(0);
    out.put_u32(0);
    body(out);
    put_length(out, start, start + 2);
}

/// What stands before the match in a flow-mod, or in an entry of a reply to `OFPMP_FLOW_DESC` (whose command is 0).
pub(crate) struct FlowHead {
    pub(crate) table: TableId,
    pub(crate) command: u8,
    pub(crate) priority: u16,
    pub(crate) idle_timeout: u16,
    pub(crate) hard_timeout: u16,
    pub(crate) flags: FlowFlags,
    pub(crate) importance: u16,
    pub(crate) cookie: Cookie,
}

impl FlowHead {
    fn flow(self, matching: Match, instructions: Instructions) -> Flow {
        Flow {
            key: FlowKey { table: self.table, priority: self.priority, matching },
            cookie: self.cookie,
            flags: self.flags,
            idle_timeout: self.idle_timeout,
            hard_timeout: self.hard_timeout,
            importance: self.importance,
            instructions,
        }
    }
}

/// What stands before the match in the body of a flow-mod.
pub(crate) fn flow_mod_head(input: &[u8]) -> Parsed<'_, FlowHead> {
    let (rest, cookie) = u64(input)?;
    let (rest, ()) = skip(rest, 8)?;
    let (rest, table) = u8(rest)?;
    let (rest, command) = u8(rest)?;
    let (rest, idle_timeout) = u16(rest)?;
    let (rest, hard_timeout) = u16(rest)?;
    let (rest, priority) = u16(rest)?;
    let (rest, ()) = skip(rest, 12)?;
    let (rest, flags) = flags(rest)?;
    let (rest, importance) = u16(rest)?;
    let (table, cookie) = (TableId(table), Cookie(cookie));
    Ok((rest, FlowHead { table, command, priority, idle_timeout, hard_timeout, flags, importance, cookie }))
}

/// The body of a flow-mod: an add, or a strict delete.
pub(crate) fn flow_mod(input: &[u8]) -> Parsed<'_, FlowEdit> {
    let (rest, head) = flow_mod_head(input)?;
    if ![ADD, DELETE_STRICT].contains(&head.command) {
        return fail(&input[17..], DecodeErrorKind::UnknownType(u16::from(head.command)));
    }
    let (rest, matching) = matching(rest)?;
    let (rest, instructions) = instructions(rest)?;
    let add = head.command == ADD;
    let flow = head.flow(matching, instructions);
    Ok((rest, if add { FlowEdit::AddFlow(flow) } else { FlowEdit::DeleteFlow(flow.key) }))
}

/// Writes the body of a flow-mod that adds a flow.
pub(crate) fn put_flow_mod(out: &mut BytesMut, flow: &Flow) {
    out.put_u64(flow.cookie.0);
    out.put_u64(0);
    out.put_u8(flow.key.table.0);
    out.put_u8(ADD);
    out.put_u16(flow.idle_timeout);
    out.put_u16(flow.hard_timeout);
    out.put_u16(flow.key.priority);
    out.put_u32(NO_BUFFER);
    out.put_u32(PortNo::ANY.0);
    out.put_u32(GroupId::ANY.0);
    out.put_u16(flag_bits(flow.flags));
    out.put_u16(flow.importance);
    put_match(out, &flow.key.matching);
    put_instructions(out, &flow.instructions);
}

/// Writes the body of a flow-mod that deletes exactly one flow.
pub(crate) fn put_flow_delete(out: &mut BytesMut, key: &FlowKey) {
    put_delete_head(out, key.table, key.priority);
    put_match(out, &key.matching);
}

/// Writes what stands before the match in a flow-mod that deletes exactly one flow.
pub(crate) fn put_delete_head(out: &mut BytesMut, table: TableId, priority: u16) {
    out.put_u64(0);
    out.put_u64(0);
    out.put_u8(table.0);
    out.put_u8(DELETE_STRICT);
    out.put_u32(0);
    out.put_u16(priority);
    out.put_u32(NO_BUFFER);
    out.put_u32(PortNo::ANY.0);
    out.put_u32(GroupId::ANY.0);
    out.put_u32(0);
}

/// What stands before the match, after the length.
pub(crate) fn stats_head(input: &[u8]) -> Parsed<'_, FlowHead> {
    let (rest, ()) = skip(input, 2)?;
    let (rest, table) = u8(rest)?;
    let (rest, ()) = skip(rest, 1)?;
    let (rest, priority) = u16(rest)?;
    let (rest, idle_timeout) = u16(rest)?;
    let (rest, hard_timeout) = u16(rest)?;
    let (rest, flags) = flags(rest)?;
    let (rest, importance) = u16(rest)?;
    let (rest, cookie) = u64(rest)?;
    let (table, cookie) = (TableId(table), Cookie(cookie));
    Ok((rest, FlowHead { table, command: ADD, priority, idle_timeout, hard_timeout, flags, importance, cookie }))
}

/// One entry of a reply to `OFPMP_FLOW_DESC`, which tells the counters too.
pub(crate) fn flow_stats(input: &[u8]) -> Parsed<'_, FlowStats> {
    let (_, length) = u16(input)?;
    counted(input, usize::from(length), 2, |body| {
        let (rest, head) = stats_head(body)?;
        let (rest, matching) = matching(rest)?;
        let (rest, counters) = stats(rest)?;
        let (rest, instructions) = instructions(rest)?;
        let flow = head.flow(matching, instructions);
        let Counters { duration, idle, packets, bytes, .. } = counters;
        Ok((rest, FlowStats { flow, duration, idle, packets, bytes }))
    })
}

/// Writes one entry of a reply to `OFPMP_FLOW_DESC`.
pub(crate) fn put_flow_stats(out: &mut BytesMut, stats: &FlowStats) {
    let start = out.len();
    let flow = &stats.flow;
    out.put_u32(0);
    out.put_u8(flow.key.table.0);
    out.put_u8(0);
    out.put_u16(flow.key.priority);
    out.put_u16(flow.idle_timeout);
    out.put_u16(flow.hard_timeout);
    out.put_u16(flag_bits(flow.flags));
    out.put_u16(flow.importance);
    out.put_u64(flow.cookie.0);
    put_match(out, &flow.key.matching);
    let FlowStats { duration, idle, packets, bytes, .. } = *stats;
    put_stats(out, &Counters { duration, idle, packets, bytes, flows: None });
    put_instructions(out, &flow.instructions);
    put_length(out, start, start);
}

/// What an `ofp_stats` tells.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) duration: Duration,
    pub(crate) idle: Duration,
    pub(crate) packets: u64,
    pub(crate) bytes: u64,
    /// How many flows are counted together; none if it is a flow's own count.
    pub(crate) flows: Option<u32>,
}

/// The class of the standard statistics.
const OXS_CLASS: u16 = 0x8002;
const DURATION: u8 = 0;
const IDLE_TIME: u8 = 1;
const FLOW_COUNT: u8 = 3;
const PACKET_COUNT: u8 = 4;
const BYTE_COUNT: u8 = 5;

/// An `ofp_stats` with its padding (OpenFlow 1.5, section 7.2.4); unknown statistics are passed over.
pub(crate) fn stats(input: &[u8]) -> Parsed<'_, Counters> {
    let (rest, ()) = skip(input, 2)?;
    let (_, length) = u16(rest)?;
    let length = usize::from(length);
    let (rest, entries) = counted(input, length, 4, |body| all(body, stat))?;
    let (rest, ()) = skip(rest, padding(length))?;
    let mut counters = Counters::default();
    for (number, value) in entries {
        match number {
            DURATION => counters.duration = time(value),
            IDLE_TIME => counters.idle = time(value),
            FLOW_COUNT => counters.flows = Some(value as u32),
            PACKET_COUNT => counters.packets = value,
            BYTE_COUNT => counters.bytes = value,
            _ => (),
        }
    }
    Ok((rest, counters))
}

/// Seconds and nanoseconds, each in half of a number.
fn time(value: u64) -> Duration {
    Duration::new(value >> 32, (value as u32).min(999_999_999))
}

/// Number and value of a statistic; those that are not of the standard class have number 127.
fn stat(input: &[u8]) -> Parsed<'_, (u8, u64)> {
    let (rest, class) = u16(input)?;
    let (rest, number) = u8(rest)?;
    let (rest, length) = u8(rest)?;
    let at_value = rest;
    let (rest, value) = take(rest, usize::from(length))?;
    let number = number >> 1;
    if class != OXS_CLASS {
        return Ok((rest, (127, 0)));
    }
    let value = match (number, length) {
        (FLOW_COUNT, 4) => within(value, rest, u32)?.1.into(),
        (DURATION | IDLE_TIME | PACKET_COUNT | BYTE_COUNT, 8) => within(value, rest, u64)?.1,
        (DURATION..=BYTE_COUNT, _) => return fail(at_value, DecodeErrorKind::Length),
        _ => 0,
    };
    Ok((rest, (number, value)))
}

/// Writes an `ofp_stats` with its padding.
fn put_oxs(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u32(0);
    write(out);
    put_length(out, start, start + 2);
    pad(out, start);
}

/// Writes the statistics of a flow.
fn put_stats(out: &mut BytesMut, counters: &Counters) {
    put_oxs(out, |out| {
        put_stat(out, DURATION, time_bits(counters.duration));
        put_stat(out, IDLE_TIME, time_bits(counters.idle));
        put_stat(out, PACKET_COUNT, counters.packets);
        put_stat(out, BYTE_COUNT, counters.bytes);
    });
}

/// Writes the statistics of a flow that went, as Open vSwitch does: without the time since its last packet.
pub(crate) fn put_last_stats(out: &mut BytesMut, duration: Duration, packets: u64, bytes: u64) {
    put_oxs(out, |out| {
        put_stat(out, DURATION, time_bits(duration));
        put_stat(out, PACKET_COUNT, packets);
        put_stat(out, BYTE_COUNT, bytes);
    });
}

/// Writes the sums of several flows in the order of Open vSwitch.
pub(crate) fn put_sums(out: &mut BytesMut, packets: u64, bytes: u64, flows: u32) {
    put_oxs(out, |out| {
        put_stat(out, PACKET_COUNT, packets);
        put_stat(out, BYTE_COUNT, bytes);
        out.put_u16(OXS_CLASS);
        out.put_u8(FLOW_COUNT << 1);
        out.put_u8(4);
        out.put_u32(flows);
    });
}

fn put_stat(out: &mut BytesMut, number: u8, value: u64) {
    out.put_u16(OXS_CLASS);
    out.put_u8(number << 1);
    out.put_u8(8);
    out.put_u64(value);
}

fn time_bits(time: Duration) -> u64 {
    time.as_secs() << 32 | u64::from(time.subsec_nanos())
}
