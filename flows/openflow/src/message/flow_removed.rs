//! The notice that a flow went.

use crate::wire::{self, Parsed};
use crate::{Cookie, FlowKey, TableId};
use bytes::{BufMut, BytesMut};
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

impl FlowRemovedReason {
    pub(super) const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::IdleTimeout,
            1 => Self::HardTimeout,
            2 => Self::Delete,
            3 => Self::GroupDelete,
            4 => Self::MeterDelete,
            5 => Self::Eviction,
            other => Self::Other(other),
        }
    }

    pub(super) const fn number(self) -> u8 {
        match self {
            Self::IdleTimeout => 0,
            Self::HardTimeout => 1,
            Self::Delete => 2,
            Self::GroupDelete => 3,
            Self::MeterDelete => 4,
            Self::Eviction => 5,
            Self::Other(other) => other,
        }
    }
}

impl FlowRemoved {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, table) = wire::u8(input)?;
        let (input, reason) = wire::u8(input)?;
        let (input, priority) = wire::u16(input)?;
        let (input, idle_timeout) = wire::u16(input)?;
        let (input, hard_timeout) = wire::u16(input)?;
        let (input, cookie) = wire::u64(input)?;
        let (input, matching) = wire::matching(input)?;
        let (input, stats) = wire::stats(input)?;
        let removed = Self {
            key: FlowKey::new(TableId(table), priority, matching),
            cookie: Cookie(cookie),
            reason: FlowRemovedReason::from_number(reason),
            idle_timeout,
            hard_timeout,
            duration: stats.duration,
            packets: stats.packets,
            bytes: stats.bytes,
        };
        Ok((input, removed))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.key.table.0);
        out.put_u8(self.reason.number());
        out.put_u16(self.key.priority);
        out.put_u16(self.idle_timeout);
        out.put_u16(self.hard_timeout);
        out.put_u64(self.cookie.0);
        wire::put_match(out, &self.key.matching);
        wire::put_last_stats(out, self.duration, self.packets, self.bytes);
    }
}
