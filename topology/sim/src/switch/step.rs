//! What a translation leaves the datapath to do.

use super::outcome::Drop;
use super::program::Op;
use crate::packet::{Fields, Tunnel};
use weir_openflow::message::PacketInReason;
use weir_openflow::{Action, Cookie, MeterId, Nat, PortNo, TableId};

/// One thing that the datapath does with a packet.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// Changes the headers from the first to the second.
    Rewrite(Box<(Fields, Fields)>),
    /// Sends a copy out.
    Output { bridge: usize, port: PortNo, tunnel: Option<Tunnel> },
    /// Tells a controller.
    Punt(Box<Notice>),
    /// Passes the packet through the connection tracker.
    Track(Box<TrackStep>),
    /// Forgets the connection.
    ClearTracking,
    /// Looks a copy up anew.
    Recirculate(Box<Frozen>),
    /// Runs steps on a copy.
    Clone(Vec<Self>),
    /// Ends here if the meter says so.
    Meter { bridge: usize, meter: MeterId },
    /// Nothing was done with the packet at this place.
    Drop(Drop),
}

/// What a `ct` action asks of the tracker.
#[derive(Clone, Debug)]
pub(super) struct TrackStep {
    pub(super) zone: u16,
    /// How many VLAN tags the packet has, 1 at least.
    pub(super) tags: usize,
    pub(super) commit: bool,
    pub(super) force: bool,
    pub(super) mark: Option<(u32, u32)>,
    pub(super) label: Option<(u128, u128)>,
    pub(super) nat: Option<Nat>,
}

/// What a controller is told.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    pub(super) bridge: usize,
    pub(super) table: TableId,
    pub(super) cookie: Option<Cookie>,
    pub(super) reason: PacketInReason,
    pub(super) controller: u16,
    pub(super) max_len: u16,
    pub(super) userdata: Vec<u8>,
    pub(super) fields: Fields,
    pub(super) continuation: Option<Frozen>,
}

/// Where a packet goes on after connection tracking or a pause.
#[derive(Clone, Debug)]
pub(super) struct Frozen {
    pub(super) bridge: usize,
    pub(super) table: TableId,
    pub(super) metadata: u64,
    pub(super) regs: [u32; 16],
    pub(super) in_port: PortNo,
    pub(super) tunnel: Tunnel,
    pub(super) stack: Vec<u128>,
    pub(super) action_set: Vec<Action>,
    pub(super) conntracked: bool,
    /// What is left to do; none searches the table.
    pub(super) rest: Option<Vec<Op>>,
}
