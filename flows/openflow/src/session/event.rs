//! What a session tells its user.

use crate::message::{
    BundleId, ErrorMessage, Features, FlowRemoved, FlowUpdate, Message, MultipartReply, PacketIn, Port, PortStatus,
    RoleStatus,
};
use crate::{DecodeError, FrameError, MessageKind, TooLong, Xid};
use std::fmt;

/// What a session tells its user.
#[derive(Clone, Debug, PartialEq)]
pub enum SessionEvent {
    /// The handshake is done: the controller is master, and the switch takes requests.
    Ready {
        /// What the switch is.
        features: Features,
        /// Its ports, by number.
        ports: Vec<Port>,
    },
    /// A port came, went or changed.
    PortStatus(PortStatus),
    /// A packet for the controller.
    PacketIn(PacketIn),
    /// A flow went.
    FlowRemoved(FlowRemoved),
    /// Flow monitors tell of changes. The first ones of a monitor, which answer its request, come as parts.
    FlowUpdates(Vec<FlowUpdate>),
    /// The role was changed by the switch.
    RoleStatus(RoleStatus),
    /// One part of the reply to [`Session::request`](super::Session::request).
    Part {
        /// The request.
        xid: Xid,
        /// The part.
        reply: MultipartReply,
        /// More parts follow; the last part has this false.
        more: bool,
    },
    /// All parts of the reply to [`Session::collect`](super::Session::collect).
    Collected {
        /// The request.
        xid: Xid,
        /// The parts, in order.
        parts: Vec<MultipartReply>,
    },
    /// The reply to a request that has one in one piece.
    Reply {
        /// The request.
        xid: Xid,
        /// The reply.
        message: Message,
    },
    /// A bundle is in force, and a barrier after it was answered.
    BundleCommitted {
        /// The bundle.
        bundle: BundleId,
        /// The xid of its commit.
        xid: Xid,
    },
    /// A bundle was refused; nothing of it is in force except meters, which no bundle can hold.
    BundleRejected {
        /// The bundle.
        bundle: BundleId,
        /// Why, and by which edit.
        rejection: Rejection,
    },
    /// A message of this xid failed.
    Failed {
        /// The message.
        xid: Xid,
        /// Its type, if it awaited an answer or the error quotes it.
        kind: Option<MessageKind>,
        /// Why.
        error: ErrorMessage,
    },
    /// Any other message that came unasked.
    Unsolicited {
        /// Its xid.
        xid: Xid,
        /// The message.
        message: Message,
    },
    /// After a message was refused for want of room there is room again.
    Writable,
    /// The session is over. Nothing comes after this.
    Closed(CloseReason),
}

/// Why a bundle was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which edit caused it, counted from 0 in the order given; none if it was the bundle itself.
    pub edit: Option<usize>,
    /// The error that names the cause.
    pub error: ErrorMessage,
    /// The bundle is in force nonetheless: what failed is the deletion of a meter after it.
    pub in_force: bool,
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.edit {
            Some(edit) => write!(f, "edit {edit}: {}", self.error.code),
            None => write!(f, "{}", self.error.code),
        }
    }
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The switch does not speak OpenFlow 1.5.
    #[error("the switch does not speak OpenFlow 1.5 (0x06), but {}", versions(offered))]
    Version {
        /// The versions that it offered.
        offered: Vec<u8>,
    },
    /// The switch refused our versions.
    #[error("the switch refused OpenFlow 1.5: {text}")]
    Refused {
        /// What it said.
        text: String,
    },
    /// A message of another version after the versions were agreed.
    #[error("{kind} of version {version:#04x} after OpenFlow 1.5 was agreed")]
    WrongVersion {
        /// Its type.
        kind: MessageKind,
        /// Its version.
        version: u8,
    },
    /// A length that no message has.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A message that cannot be read.
    #[error("{kind}, xid {:#x}: {error}", .xid.0)]
    Decode {
        /// Its type.
        kind: MessageKind,
        /// Its xid.
        xid: Xid,
        /// What is wrong, and where.
        error: DecodeError,
    },
    /// A message that has no place at this point.
    #[error("{kind} while waiting for {awaited}")]
    Unexpected {
        /// Its type.
        kind: MessageKind,
        /// What was awaited.
        awaited: &'static str,
    },
    /// The switch refused a message of the handshake.
    #[error("the switch refused the {step}: {}", .error.code)]
    Handshake {
        /// The step.
        step: &'static str,
        /// Why.
        error: ErrorMessage,
    },
    /// The handshake took too long.
    #[error("no {awaited} from the switch in time")]
    HandshakeTimeout {
        /// What was awaited.
        awaited: &'static str,
    },
    /// A probed peer stayed silent.
    #[error("the switch is silent and does not answer an echo request")]
    Silent,
    /// A request got no answer in time.
    #[error("no answer to the {kind}, xid {:#x}", .xid.0)]
    RequestTimeout {
        /// Its type.
        kind: MessageKind,
        /// Its xid.
        xid: Xid,
    },
    /// A reply in parts is larger than its bound.
    #[error("the reply to xid {:#x} is larger than {limit} bytes", .xid.0)]
    TooLarge {
        /// The request.
        xid: Xid,
        /// The bound.
        limit: usize,
    },
    /// The peer closed the connection, or it broke.
    #[error("the connection ended: {0}")]
    Disconnected(String),
    /// The user of the session closed it.
    #[error("closed by the controller")]
    Local,
}

fn versions(offered: &[u8]) -> String {
    let mut names: Vec<String> = offered
        .iter()
        .map(|version| match version {
            1..=6 => format!("1.{} ({version:#04x})", version - 1),
            _ => format!("{version:#04x}"),
        })
        .collect();
    if names.is_empty() {
        names.push("nothing".to_owned());
    }
    names.join(", ")
}

/// Why a message cannot be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The session is not ready or is over.
    #[error("the session is not ready")]
    NotReady,
    /// Too much waits to be sent. [`SessionEvent::Writable`] tells when there is room again.
    #[error("too many bytes wait to be sent")]
    Backlogged,
    /// Too many requests without an answer.
    #[error("too many requests without an answer")]
    TooManyRequests,
    /// The message is longer than a message can be, or an edit is longer than a bundle can take.
    #[error("a message of {length} bytes is too long")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// A request that nothing answers.
    #[error("nothing answers such a message")]
    Unanswered,
}

impl From<TooLong> for SendError {
    fn from(TooLong { length }: TooLong) -> Self {
        Self::TooLong { length }
    }
}
