//! Packets to and from the controller.

use crate::{Action, Cookie, Match, TableId};
use bytes::Bytes;

/// Why a packet came to the controller, `OFPR_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketInReason {
    /// A table-miss flow.
    TableMiss,
    /// An action of a flow.
    ApplyAction,
    /// The TTL reached zero.
    InvalidTtl,
    /// An action of an action set.
    ActionSet,
    /// An action of a group bucket.
    Group,
    /// An action of a packet-out.
    PacketOut,
    /// A number that OpenFlow 1.5 does not define.
    Other(u8),
}

/// A packet that a switch sent to the controller.
///
/// It covers `OFPT_PACKET_IN` and `NXT_PACKET_IN2` (`nicira-ext.h`); [`Message`](super::Message) tells which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketIn {
    /// The packet, perhaps cut off.
    pub packet: Bytes,
    /// Bytes of the whole packet.
    pub full_len: u32,
    /// Where the switch buffers it; Open vSwitch does not.
    pub buffer: Option<u32>,
    /// The table of the flow that sent it.
    pub table: TableId,
    /// The cookie of that flow; none for a packet-out or a table miss.
    pub cookie: Option<Cookie>,
    /// Why.
    pub reason: PacketInReason,
    /// Input port, registers, metadata, tunnel and connection fields.
    pub metadata: Match,
    /// The bytes that a `controller` action carried.
    pub userdata: Bytes,
    /// The state of a paused packet, known to the switch only: the bytes of its property. Hand back all of it with
    /// [`Resume`].
    pub continuation: Option<Bytes>,
}

/// Sends a packet through a switch (OpenFlow 1.5, section 7.3.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PacketOut {
    /// Input port, registers, metadata and tunnel fields; `in_port` is needed.
    pub metadata: Match,
    /// What is done with it.
    pub actions: Vec<Action>,
    /// The packet.
    pub packet: Bytes,
}

/// Lets a paused packet go on (`NXT_RESUME`): a packet-in, perhaps with another packet and other metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The packet to go on with.
    pub packet: Bytes,
    /// The metadata to go on with.
    pub metadata: Match,
    /// The continuation as the packet-in brought it.
    pub continuation: Bytes,
}

/// How a switch formats packet-ins (`NXT_SET_PACKET_IN_FORMAT`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PacketInFormat {
    /// As the OpenFlow version says.
    Standard,
    /// `NXT_PACKET_IN`.
    Nicira,
    /// `NXT_PACKET_IN2`: with user data and continuations.
    Nicira2,
}
