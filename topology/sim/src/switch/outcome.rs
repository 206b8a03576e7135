//! What became of a packet.

use super::bridge::FlowChange;
use super::trace::Trace;
use crate::packet::{Packet, Tunnel};
use weir_openflow::message::PacketIn;
use weir_openflow::{Cookie, PortNo, TableId};

/// A packet that left a bridge through a port with something behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The bridge.
    pub bridge: String,
    /// The port.
    pub port: PortNo,
    /// The packet as it left.
    pub packet: Packet,
    /// Its outer header, for a tunnel port.
    pub tunnel: Option<Tunnel>,
    /// Its mark.
    pub mark: u32,
    /// Its queue.
    pub queue: u32,
}

/// A flow that dropped a packet, or a table where no flow matched.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drop {
    /// The bridge.
    pub bridge: String,
    /// The table.
    pub table: TableId,
    /// The cookie of the flow; none if no flow matched.
    pub cookie: Option<Cookie>,
}

/// A packet for the controllers of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Punt {
    /// The bridge.
    pub bridge: String,
    /// The number of the controller it is for.
    pub controller: u16,
    /// The message.
    pub packet_in: PacketIn,
}

/// Why a translation was given up; the packet went nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Abort {
    /// More than 64 tables deep.
    #[error("over max translation depth 64")]
    TooDeep,
    /// More than 4096 resubmits.
    #[error("over 4096 resubmit actions")]
    TooManyResubmits,
    /// More than 64 kB on the stack.
    #[error("over 64 kB of stack")]
    StackTooDeep,
}

/// What became of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Where it went, in order.
    pub outputs: Vec<Output>,
    /// Where it was dropped by a flow without actions or for want of one.
    pub drops: Vec<Drop>,
    /// What the controllers got.
    pub punts: Vec<Punt>,
    /// Flows that were learned, by bridge.
    pub learned: Vec<(String, FlowChange)>,
    /// Why a translation was given up.
    pub aborts: Vec<Abort>,
    /// The most resubmits that one translation took.
    pub resubmits: usize,
    /// How many times the packet was looked up anew after connection tracking.
    pub recirculations: usize,
    /// How it came to that.
    pub trace: Trace,
}
