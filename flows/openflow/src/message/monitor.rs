//! Flow monitors: a switch tells what changes in its tables (OpenFlow 1.5, section 7.3.5.19).

use super::FlowRemovedReason;
use crate::wire::{self, Parsed};
use crate::{DecodeErrorKind, Flow, GroupId, Match, PortNo, TableId, Xid};
use bytes::{BufMut, Bytes, BytesMut};

/// What a flow-monitor request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MonitorCommand {
    /// Starts a monitor.
    Add,
    /// Changes a monitor.
    Modify,
    /// Ends a monitor.
    Delete,
}

/// What a monitor tells, and how much of it.
///
/// Open vSwitch 3.1 departs from the standard: it refuses `no_abbrev`, and takes `only_own` to mean that changes by
/// this connection are told in full beside all others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MonitorFlags {
    /// The flows that are there at the start.
    pub initial: bool,
    /// Flows added.
    pub added: bool,
    /// Flows removed.
    pub removed: bool,
    /// Flows changed.
    pub modified: bool,
    /// Instructions are told too.
    pub instructions: bool,
    /// Changes by this connection are told in full, not by their xid only.
    pub no_abbrev: bool,
    /// Only changes by this connection.
    pub only_own: bool,
}

/// A request about one monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MonitorRequest {
    /// The number of the monitor within the connection.
    pub id: u32,
    /// What is asked.
    pub command: MonitorCommand,
    /// What is told.
    pub flags: MonitorFlags,
    /// The table; [`TableId::ALL`] for all.
    pub table: TableId,
    /// Only flows that output here; [`PortNo::ANY`] for no such bound.
    pub out_port: PortNo,
    /// Only flows that output to this group; [`GroupId::ANY`] for no such bound.
    pub out_group: GroupId,
    /// Only flows that match this or more narrowly.
    pub matching: Match,
}

/// One notice of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowUpdate {
    /// The flow was there when the monitor started.
    Initial(Flow),
    /// The flow was added.
    Added(Flow),
    /// The flow was removed; no instructions are told.
    Removed {
        /// The flow as it was.
        flow: Flow,
        /// Why it went.
        reason: FlowRemovedReason,
    },
    /// The flow's instructions or cookie changed.
    Modified(Flow),
    /// Something happened to a flow that this crate cannot read.
    Unread {
        /// The flow's table.
        table: TableId,
        /// The notice as it came.
        entry: Bytes,
    },
    /// This connection's own message of this xid changed flows.
    Abbreviated(Xid),
    /// The switch has no room for notices: additions and changes are held back until it resumes.
    Paused,
    /// What was held back has been told; the view is complete again.
    Resumed,
}

impl MonitorFlags {
    const fn bits(self) -> u16 {
        self.initial as u16
            | (self.added as u16) << 1
            | (self.removed as u16) << 2
            | (self.modified as u16) << 3
            | (self.instructions as u16) << 4
            | (self.no_abbrev as u16) << 5
            | (self.only_own as u16) << 6
    }

    const fn from_bits(bits: u16) -> Self {
        Self {
            initial: bits & 1 != 0,
            added: bits & 1 << 1 != 0,
            removed: bits & 1 << 2 != 0,
            modified: bits & 1 << 3 != 0,
            instructions: bits & 1 << 4 != 0,
            no_abbrev: bits & 1 << 5 != 0,
            only_own: bits & 1 << 6 != 0,
        }
    }
}

impl MonitorRequest {
    /// A monitor of every change that others make, with the instructions of the flows.
    #[must_use]
    pub fn changes(id: u32) -> Self {
        Self {
            id,
            command: MonitorCommand::Add,
            flags: MonitorFlags {
                added: true,
                removed: true,
                modified: true,
                instructions: true,
                ..MonitorFlags::default()
            },
            table: TableId::ALL,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            matching: Match::default(),
        }
    }

    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, id) = wire::u32(input)?;
        let (input, out_port) = wire::u32(input)?;
        let (input, out_group) = wire::u32(input)?;
        let (input, flags) = wire::u16(input)?;
        let (input, table) = wire::u8(input)?;
        let (rest, command) = wire::u8(input)?;
        let command = match command {
            0 => MonitorCommand::Add,
            1 => MonitorCommand::Modify,
            2 => MonitorCommand::Delete,
            _ => return wire::fail(input, DecodeErrorKind::UnknownType(u16::from(command))),
        };
        let (rest, matching) = wire::matching(rest)?;
        let request = Self {
            id,
            command,
            flags: MonitorFlags::from_bits(flags),
            table: TableId(table),
            out_port: PortNo(out_port),
            out_group: GroupId(out_group),
            matching,
        };
        Ok((rest, request))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.id);
        out.put_u32(self.out_port.0);
        out.put_u32(self.out_group.0);
        out.put_u16(self.flags.bits());
        out.put_u8(self.table.0);
        out.put_u8(match self.command {
            MonitorCommand::Add => 0,
            MonitorCommand::Modify => 1,
            MonitorCommand::Delete => 2,
        });
        wire::put_metadata(out, &self.matching);
    }
}

/// `OFPFME_*`: what an update tells.
mod event {
    pub(super) const INITIAL: u16 = 0;
    pub(super) const ADDED: u16 = 1;
    pub(super) const REMOVED: u16 = 2;
    pub(super) const MODIFIED: u16 = 3;
    pub(super) const ABBREV: u16 = 4;
    pub(super) const PAUSED: u16 = 5;
    pub(super) const RESUMED: u16 = 6;
}

impl FlowUpdate {
    /// Reads one whole entry of `body`.
    pub(super) fn parse<'a>(body: &Bytes, entry: &'a [u8]) -> Parsed<'a, Self> {
        let (input, ()) = wire::skip(entry, 2)?;
        let (rest, event) = wire::u16(input)?;
        Ok(match event {
            event::INITIAL..=event::MODIFIED => {
                let (rest, mut full) = Full::parse(rest)?;
                match full.parse_flow(rest) {
                    Ok((rest, ())) => (rest, full.update(event)),
                    Err(nom::Err::Error(fault)) if fault.kind().is_unknown() => (
                        &entry[entry.len()..],
                        Self::Unread { table: full.flow.key.table, entry: body.slice_ref(entry) },
                    ),
                    Err(error) => return Err(error),
                }
            }
            event::ABBREV => {
                let (rest, xid) = wire::u32(rest)?;
                (rest, Self::Abbreviated(Xid(xid)))
            }
            event::PAUSED => (wire::skip(rest, 4)?.0, Self::Paused),
            event::RESUMED => (wire::skip(rest, 4)?.0, Self::Resumed),
            _ => return wire::fail(input, DecodeErrorKind::UnknownType(event)),
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        if let Self::Unread { entry, .. } = self {
            return out.put_slice(entry);
        }
        out.put_u16(0);
        match self {
            Self::Unread { .. } => {}
            Self::Initial(flow) => put_full(out, event::INITIAL, 0, flow),
            Self::Added(flow) => put_full(out, event::ADDED, 0, flow),
            Self::Removed { flow, reason } => put_full(out, event::REMOVED, reason.number(), flow),
            Self::Modified(flow) => put_full(out, event::MODIFIED, 0, flow),
            Self::Abbreviated(xid) => {
                out.put_u16(event::ABBREV);
                out.put_u32(xid.0);
            }
            Self::Paused => {
                out.put_u16(event::PAUSED);
                out.put_u32(0);
            }
            Self::Resumed => {
                out.put_u16(event::RESUMED);
                out.put_u32(0);
            }
        }
        wire::put_length(out, start, start);
    }
}

/// A notice that tells a flow in full.
struct Full {
    flow: Flow,
    reason: u8,
}

impl Full {
    /// Reads what stands before the match.
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, table) = wire::u8(input)?;
        let (input, reason) = wire::u8(input)?;
        let (input, idle_timeout) = wire::u16(input)?;
        let (input, hard_timeout) = wire::u16(input)?;
        let (input, priority) = wire::u16(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let (input, cookie) = wire::u64(input)?;
        let mut flow = Flow::new(TableId(table), priority, Match::default()).cookie(cookie);
        flow.idle_timeout = idle_timeout;
        flow.hard_timeout = hard_timeout;
        Ok((input, Self { flow, reason }))
    }

    /// Reads the match and the instructions.
    fn parse_flow<'a>(&mut self, input: &'a [u8]) -> Parsed<'a, ()> {
        let (input, matching) = wire::matching(input)?;
        let (input, instructions) = wire::instructions(input)?;
        self.flow.key.matching = matching;
        self.flow.instructions = instructions;
        Ok((input, ()))
    }

    fn update(self, event: u16) -> FlowUpdate {
        let Self { flow, reason } = self;
        match event {
            event::INITIAL => FlowUpdate::Initial(flow),
            event::ADDED => FlowUpdate::Added(flow),
            event::REMOVED => FlowUpdate::Removed { flow, reason: FlowRemovedReason::from_number(reason) },
            _ => FlowUpdate::Modified(flow),
        }
    }
}

fn put_full(out: &mut BytesMut, event: u16, reason: u8, flow: &Flow) {
    out.put_u16(event);
    out.put_u8(flow.key.table.0);
    out.put_u8(reason);
    out.put_u16(flow.idle_timeout);
    out.put_u16(flow.hard_timeout);
    out.put_u16(flow.key.priority);
    out.put_bytes(0, 4);
    out.put_u64(flow.cookie.0);
    wire::put_metadata(out, &flow.key.matching);
    wire::put_instructions(out, &flow.instructions);
}
