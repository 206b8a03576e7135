//! Messages of OpenFlow 1.5 and of the Nicira extensions, both directions.

mod asynchronous;
mod bundle;
mod codec;
mod conntrack;
mod entries;
mod error;
mod error_name;
mod flow_removed;
mod handshake;
mod monitor;
mod multipart;
mod packet;
mod port;
mod property;
mod role;

pub use asynchronous::{AsyncConfig, ReasonMask};
pub use bundle::{BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId};
pub use conntrack::{CtFlush, CtL4, CtTuple};
pub use entries::{FlowEntries, GroupEntries};
pub use error::{ErrorCode, ErrorMessage, NICIRA};
pub use flow_removed::{FlowRemoved, FlowRemovedReason};
pub use handshake::{Features, Hello, SwitchConfig};
pub use monitor::{FlowUpdate, MonitorCommand, MonitorFlags, MonitorRequest};
pub use multipart::{
    AggregateStats, FlowFilter, FlowStats, GroupStats, MeterStats, MultipartReply, MultipartRequest, SwitchDesc,
    TableDesc, TableStats,
};
pub use packet::{PacketIn, PacketInFormat, PacketInReason, PacketOut, Resume};
pub use port::{Ethernet, EthernetErrors, Port, PortReason, PortStats, PortStatus};
pub use role::{Role, RoleClaim, RoleReason, RoleStatus};

use crate::{FlowEdit, MessageKind};
use bytes::Bytes;

/// A message, decoded. The transaction id travels beside it.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// Which versions the sender speaks.
    Hello(Hello),
    /// Something went wrong.
    Error(ErrorMessage),
    /// Asks for the same bytes back.
    EchoRequest(Bytes),
    /// The bytes of the request.
    EchoReply(Bytes),
    /// Asks what the switch is.
    FeaturesRequest,
    /// What the switch is.
    FeaturesReply(Features),
    /// Asks for the configuration.
    GetConfigRequest,
    /// The configuration.
    GetConfigReply(SwitchConfig),
    /// Sets the configuration.
    SetConfig(SwitchConfig),
    /// Asks for a role.
    RoleRequest(RoleClaim),
    /// The role given.
    RoleReply(RoleClaim),
    /// The role was changed.
    RoleStatus(RoleStatus),
    /// A port came, went or changed.
    PortStatus(PortStatus),
    /// A packet for the controller, as `OFPT_PACKET_IN`.
    PacketIn(PacketIn),
    /// A packet for the controller, as `NXT_PACKET_IN2`.
    PacketIn2(PacketIn),
    /// A packet to send.
    PacketOut(PacketOut),
    /// Lets a paused packet go on.
    Resume(Resume),
    /// A flow went.
    FlowRemoved(FlowRemoved),
    /// A flow-mod, group-mod or meter-mod that is an edit.
    Edit(FlowEdit),
    /// Opens, closes, commits or discards a bundle, or answers that.
    BundleControl(BundleControl),
    /// Adds a message to a bundle.
    BundleAdd(BundleAdd),
    /// Asks that all before it be done before all after it.
    BarrierRequest,
    /// All before the request is done.
    BarrierReply,
    /// Asks which messages come unasked.
    GetAsyncRequest,
    /// Which messages come unasked.
    GetAsyncReply(AsyncConfig),
    /// Sets which messages come unasked.
    SetAsync(AsyncConfig),
    /// Sets the format of packet-ins (`NXT_SET_PACKET_IN_FORMAT`).
    SetPacketInFormat(PacketInFormat),
    /// Sets the number by which `controller` actions name this connection (`NXT_SET_CONTROLLER_ID`).
    SetControllerId(u16),
    /// Forgets connections of one zone (`NXT_CT_FLUSH_ZONE`).
    CtFlushZone(u16),
    /// Forgets connections that match (`NXT_CT_FLUSH`).
    CtFlush(CtFlush),
    /// A request in parts.
    MultipartRequest {
        /// This part.
        request: MultipartRequest,
        /// More parts follow.
        more: bool,
    },
    /// A reply in parts.
    MultipartReply {
        /// This part.
        reply: MultipartReply,
        /// More parts follow.
        more: bool,
    },
    /// An experimenter's message that is not decoded.
    Experimenter {
        /// Whose.
        experimenter: u32,
        /// Its type.
        kind: u32,
        /// What follows.
        body: Bytes,
    },
    /// A message that is not decoded: an unknown type, or a flow-mod, group-mod or meter-mod that is no [`FlowEdit`].
    Opaque {
        /// The type.
        kind: MessageKind,
        /// What follows the header.
        body: Bytes,
    },
}

impl From<MultipartRequest> for Message {
    fn from(request: MultipartRequest) -> Self {
        Self::MultipartRequest { request, more: false }
    }
}

impl From<FlowEdit> for Message {
    fn from(edit: FlowEdit) -> Self {
        Self::Edit(edit)
    }
}

impl From<PacketOut> for Message {
    fn from(packet: PacketOut) -> Self {
        Self::PacketOut(packet)
    }
}

impl From<Resume> for Message {
    fn from(resume: Resume) -> Self {
        Self::Resume(resume)
    }
}

impl From<CtFlush> for Message {
    fn from(flush: CtFlush) -> Self {
        Self::CtFlush(flush)
    }
}
