//! What is asked of a switch, and what it tells.

use crate::Repair;
use std::sync::Arc;
use weir_openflow::message::{Features, FlowEntries, Message, PacketIn, Port, PortStatus};
use weir_openflow::session::CloseReason;
use weir_openflow::{Cookie, Digest, EditRun, EncodedEdit};

/// Everything that a switch should hold at one revision.
#[derive(Clone, Debug, Default)]
pub struct Desired {
    /// The revision.
    pub revision: u64,
    /// Additions only (flows, groups, buckets, meters), shared with every switch that holds the same.
    pub additions: Vec<EditRun>,
    /// The digest of all of them.
    pub digest: Digest,
}

/// The way from one revision to the next.
#[derive(Clone, Debug)]
pub struct Step {
    /// The revision that is reached.
    pub revision: u64,
    /// The edits, shared with every switch that gets the same, in no particular order.
    pub edits: Vec<Arc<[EncodedEdit]>>,
    /// What they do to the digest of what the switch holds.
    pub change: Digest,
}

impl Step {
    /// A step without edits.
    pub const fn to(revision: u64) -> Self {
        Self { revision, edits: Vec::new(), change: Digest { sum: 0, flows: 0 } }
    }

    /// Adds edits, and what they do to the digest.
    pub fn push(&mut self, edits: Arc<[EncodedEdit]>, change: Digest) {
        self.edits.push(edits);
        self.change += change;
    }
}

/// Why a switch is to be compared with what it should hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// It connected.
    Connected {
        /// The digest of what it holds, by its seal and the number of its flows; none without a seal.
        held: Option<Digest>,
    },
    /// Somebody else changed it, or it refused something.
    Doubt,
    /// It was not compared for some time. That can wait.
    Routine,
}

/// What is asked of a switch.
#[derive(Clone, Debug)]
pub enum Order {
    /// Brings the switch from the revision before to the last of these, one after the other.
    Apply(Vec<Step>),
    /// Answers [`SwitchEvent::WantsDesired`]: compares the switch with this and makes it so.
    Desired(Desired),
    /// Answers [`SwitchEvent::WantsDesired`] where the digest that the switch holds is that of what it should hold: it is
    /// not read back now, but in its turn.
    Sealed {
        /// The revision that it holds.
        revision: u64,
        /// The digest.
        digest: Digest,
    },
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
    /// The switch is about to be compared and waits for [`Order::Desired`], or [`Order::Sealed`] if it has connected.
    WantsDesired(Occasion),
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
