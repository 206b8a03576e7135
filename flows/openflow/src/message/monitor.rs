//! Flow monitors: a switch tells what changes in its tables (OpenFlow 1.5, section 7.3.5.19).

use super::FlowRemovedReason;
use crate::{Flow, GroupId, Match, PortNo, TableId, Xid};

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
    /// This connection's own message of this xid changed flows.
    Abbreviated(Xid),
    /// The switch has no room for notices: additions and changes are held back until it resumes.
    Paused,
    /// What was held back has been told; the view is complete again.
    Resumed,
}
