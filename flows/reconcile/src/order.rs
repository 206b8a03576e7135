//! What is asked of a switch, and what it tells.

use crate::Repair;
use std::sync::Arc;
use weir_openflow::message::{Features, FlowEntries, Message, PacketIn, Port, PortStatus};
use weir_openflow::session::CloseReason;
use weir_openflow::{Cookie, EncodedEdit};

/// Everything that a switch should hold at one revision.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The revision.
    pub revision: u64,
    /// Additions only (flows, groups, buckets, meters), shared with every switch that holds the same.
    pub units: Vec<Arc<[EncodedEdit]>>,
}

/// The way from one revision to the next.
#[derive(Clone, Debug)]
pub struct Step {
    /// The revision that is reached.
    pub revision: u64,
    /// The edits, shared with every switch that gets the same, in no particular order.
    pub edits: Vec<Arc<[EncodedEdit]>>,
}

/// What is asked of a switch.
#[derive(Clone, Debug)]
pub enum Order {
    /// Brings the switch from the revision before to the last of these, one after the other.
    Apply(Vec<Step>),
    /// Answers [`SwitchEvent::WantsDesired`]: compares the switch with this and makes it so.
    Desired(Desired),
    /// Compares the switch with what it should hold as soon as it is free.
    Audit,
    /// Reads all flows with their counters; answered by [`SwitchEvent::Dumped`].
    Dump {
        /// Given back with the answer.
        ticket: u64,
    },
    /// Sends a message that changes no table (a packet-out).
    Send(Box<Message>),
    /// Makes the switch forget connections; answered by [`SwitchEvent::Flushed`], unless the session ends before.
    Flush {
        /// Given back with the answer.
        ticket: u64,
        /// Which connections: [`Message::CtFlush`] and [`Message::CtFlushZone`].
        messages: Vec<Message>,
    },
    /// Ends the session.
    Close,
}

/// The flows of a switch.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump {
    /// The ticket of the order.
    pub ticket: u64,
    /// The flows with their counters, part by part.
    pub flows: Vec<FlowEntries>,
}

/// An edit that the switch does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The owner of the flow; none for groups and meters.
    pub cookie: Option<Cookie>,
    /// The edit, or the bundle, in words.
    pub edit: String,
    /// What the switch said.
    pub error: String,
}

/// What a switch tells.
#[derive(Clone, Debug, PartialEq)]
pub enum SwitchEvent {
    /// The handshake is done.
    Ready {
        /// What the switch is.
        features: Features,
        /// Its ports.
        ports: Vec<Port>,
    },
    /// A port came, went or changed.
    Port(PortStatus),
    /// The switch is about to be compared and waits for [`Order::Desired`].
    WantsDesired,
    /// The switch holds everything up to this revision.
    Acknowledged {
        /// The revision.
        revision: u64,
    },
    /// The switch held something else than it should, and was mended.
    Repaired(Repair),
    /// The switch does not take an edit; everything else goes on.
    Refused(Refusal),
    /// How many flows the switch holds.
    Flows(u64),
    /// The answer to [`Order::Dump`].
    Dumped(Dump),
    /// The answer to [`Order::Flush`].
    Flushed {
        /// The ticket of the order.
        ticket: u64,
        /// Whether the switch has done it; it may be asked again.
        done: bool,
    },
    /// A packet for the controller.
    PacketIn(Box<PacketIn>),
    /// The session is over. Nothing comes after this.
    Closed(CloseReason),
}
