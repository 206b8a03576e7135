//! The notice that a flow went.

use crate::{Cookie, FlowKey};
use std::time::Duration;

/// Why a flow went, `OFPRR_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowRemovedReason {
    /// No traffic for its idle timeout.
    IdleTimeout,
    /// Its hard timeout passed.
    HardTimeout,
    /// Deleted by a flow-mod.
    Delete,
    /// Its group was deleted.
    GroupDelete,
    /// Its meter was deleted.
    MeterDelete,
    /// Evicted to make room.
    Eviction,
    /// A number that OpenFlow 1.5 does not define.
    Other(u8),
}

/// Tells that a flow which asked for it went (OpenFlow 1.5, section 7.4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowRemoved {
    /// Table, priority and match.
    pub key: FlowKey,
    /// Its cookie.
    pub cookie: Cookie,
    /// Why it went.
    pub reason: FlowRemovedReason,
    /// Seconds without traffic until it would have ended; 0 never.
    pub idle_timeout: u16,
    /// Seconds until it would have ended; 0 never.
    pub hard_timeout: u16,
    /// How long it lived.
    pub duration: Duration,
    /// Packets that it matched.
    pub packets: u64,
    /// Bytes that it matched.
    pub bytes: u64,
}
