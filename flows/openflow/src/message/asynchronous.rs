//! Which messages a switch sends unasked (OpenFlow 1.5, section 7.3.11).

use super::property::{property, put_property};
use crate::wire::{self, Parsed};
use bytes::{BufMut, BytesMut};

/// Bit masks of reasons: bit n set sends the message whose reason has number n. None leaves the mask as it is.
///
/// `master` is for the master or an equal, `slave` for a slave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonMask {
    /// For a master or equal.
    pub master: Option<u32>,
    /// For a slave.
    pub slave: Option<u32>,
}

/// The asynchronous configuration of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsyncConfig {
    /// Packet-ins, by [`PacketInReason`](super::PacketInReason).
    pub packet_in: ReasonMask,
    /// Port status, by [`PortReason`](super::PortReason).
    pub port_status: ReasonMask,
    /// Flow removed, by [`FlowRemovedReason`](super::FlowRemovedReason).
    pub flow_removed: ReasonMask,
    /// Role status, by [`RoleReason`](super::RoleReason).
    pub role_status: ReasonMask,
    /// Table status.
    pub table_status: ReasonMask,
    /// Forwarded requests of other controllers.
    pub request_forward: ReasonMask,
}

impl AsyncConfig {
    /// Every message that OpenFlow 1.5 and Open vSwitch know for a master, none but port and role changes for a slave.
    #[must_use]
    pub const fn all() -> Self {
        const fn mask(master: u32, slave: u32) -> ReasonMask {
            ReasonMask { master: Some(master), slave: Some(slave) }
        }
        Self {
            packet_in: mask(0x3f, 0),
            port_status: mask(0x7, 0x7),
            flow_removed: mask(0x3f, 0),
            role_status: mask(0x3, 0x3),
            table_status: ReasonMask { master: None, slave: None },
            request_forward: ReasonMask { master: None, slave: None },
        }
    }

    /// In the order of `OFPACPT_*`: each takes two types, slave first.
    fn masks(&mut self) -> [&mut ReasonMask; 6] {
        [
            &mut self.packet_in,
            &mut self.port_status,
            &mut self.flow_removed,
            &mut self.role_status,
            &mut self.table_status,
            &mut self.request_forward,
        ]
    }

    pub(super) fn parse(mut input: &[u8]) -> Parsed<'_, Self> {
        let mut config = Self::default();
        while !input.is_empty() {
            let (rest, (kind, value)) = property(input)?;
            let (_, mask) = wire::within(value, rest, wire::u32)?;
            let mut masks = config.masks();
            if let Some(pair) = masks.get_mut(usize::from(kind / 2)) {
                let side = if kind % 2 == 0 { &mut pair.slave } else { &mut pair.master };
                *side = Some(mask);
            }
            input = rest;
        }
        Ok((input, config))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let mut config = *self;
        for (pair, kind) in config.masks().into_iter().zip((0..).step_by(2)) {
            for (kind, mask) in [(kind, pair.slave), (kind + 1, pair.master)] {
                if let Some(mask) = mask {
                    put_property(out, kind, |out| out.put_u32(mask));
                }
            }
        }
    }
}
