//! Packets to and from the controller.

use super::property::{property, put_property};
use crate::wire::{self, Parsed};
use crate::{Action, Cookie, DecodeError, DecodeErrorKind, Match, TableId};
use bytes::{BufMut, Bytes, BytesMut};

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

impl PacketInReason {
    const fn from_number(number: u8) -> Self {
        match number {
            0 => Self::TableMiss,
            1 => Self::ApplyAction,
            2 => Self::InvalidTtl,
            3 => Self::ActionSet,
            4 => Self::Group,
            5 => Self::PacketOut,
            other => Self::Other(other),
        }
    }

    const fn number(self) -> u8 {
        match self {
            Self::TableMiss => 0,
            Self::ApplyAction => 1,
            Self::InvalidTtl => 2,
            Self::ActionSet => 3,
            Self::Group => 4,
            Self::PacketOut => 5,
            Self::Other(other) => other,
        }
    }
}

impl PacketInFormat {
    pub(super) const fn number(self) -> u32 {
        match self {
            Self::Standard => 0,
            Self::Nicira => 1,
            Self::Nicira2 => 2,
        }
    }

    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, number) = wire::u32(input)?;
        let format = match number {
            0 => Self::Standard,
            1 => Self::Nicira,
            2 => Self::Nicira2,
            _ => return wire::fail(input, DecodeErrorKind::Value),
        };
        Ok((rest, format))
    }
}

/// No packet is buffered.
const NO_BUFFER: u32 = u32::MAX;

/// No flow sent the packet.
const NO_COOKIE: u64 = u64::MAX;

/// `NXPINT_*`: the properties of a `NXT_PACKET_IN2` and of a `NXT_RESUME`.
mod property_type {
    pub(super) const PACKET: u16 = 0;
    pub(super) const FULL_LEN: u16 = 1;
    pub(super) const BUFFER_ID: u16 = 2;
    pub(super) const TABLE_ID: u16 = 3;
    pub(super) const COOKIE: u16 = 4;
    pub(super) const REASON: u16 = 5;
    pub(super) const METADATA: u16 = 6;
    pub(super) const USERDATA: u16 = 7;
    pub(super) const CONTINUATION: u16 = 8;
}

impl PacketIn {
    /// What lets the packet go on unchanged, if it was paused.
    #[must_use]
    pub fn resume(&self) -> Option<Resume> {
        Some(Resume {
            packet: self.packet.clone(),
            metadata: self.metadata.clone(),
            continuation: self.continuation.clone()?,
        })
    }

    pub(super) fn parse_standard(body: &Bytes) -> Result<Self, DecodeError> {
        wire::decode(body, |input| {
            let (input, buffer) = wire::u32(input)?;
            let (input, full_len) = wire::u16(input)?;
            let (input, reason) = wire::u8(input)?;
            let (input, table) = wire::u8(input)?;
            let (input, cookie) = wire::u64(input)?;
            let (input, metadata) = wire::metadata_match(input)?;
            let (input, ()) = wire::skip(input, 2)?;
            let (input, packet) = wire::take(input, input.len())?;
            let packet_in = Self {
                packet: body.slice_ref(packet),
                full_len: u32::from(full_len),
                buffer: (buffer != NO_BUFFER).then_some(buffer),
                table: TableId(table),
                cookie: (cookie != NO_COOKIE).then_some(Cookie(cookie)),
                reason: PacketInReason::from_number(reason),
                metadata,
                userdata: Bytes::new(),
                continuation: None,
            };
            Ok((input, packet_in))
        })
    }

    pub(super) fn put_standard(&self, out: &mut BytesMut) {
        out.put_u32(self.buffer.unwrap_or(NO_BUFFER));
        out.put_u16(u16::try_from(self.full_len).unwrap_or(u16::MAX));
        out.put_u8(self.reason.number());
        out.put_u8(self.table.0);
        out.put_u64(self.cookie.map_or(NO_COOKIE, |cookie| cookie.0));
        wire::put_metadata(out, &self.metadata);
        out.put_bytes(0, 2);
        out.put_slice(&self.packet);
    }

    pub(super) fn parse_nicira(body: &Bytes) -> Result<Self, DecodeError> {
        wire::decode(body, |input| Self::parse_properties(body, input))
    }

    fn parse_properties<'a>(body: &Bytes, start: &'a [u8]) -> Parsed<'a, Self> {
        use property_type as ty;
        let mut packet = None;
        let mut full_len = None;
        let mut packet_in = Self {
            packet: Bytes::new(),
            full_len: 0,
            buffer: None,
            table: TableId(0),
            cookie: None,
            reason: PacketInReason::TableMiss,
            metadata: Match::default(),
            userdata: Bytes::new(),
            continuation: None,
        };
        let mut input = start;
        while !input.is_empty() {
            let (rest, (kind, value)) = property(input)?;
            match kind {
                ty::PACKET => packet = Some(body.slice_ref(value)),
                ty::FULL_LEN => full_len = Some(wire::within(value, rest, wire::u32)?.1),
                ty::BUFFER_ID => packet_in.buffer = Some(wire::within(value, rest, wire::u32)?.1),
                ty::TABLE_ID => packet_in.table = TableId(wire::within(value, rest, wire::u8)?.1),
                ty::COOKIE => packet_in.cookie = Some(Cookie(wire::within(value, rest, padded_u64)?.1)),
                ty::REASON => {
                    packet_in.reason = PacketInReason::from_number(wire::within(value, rest, wire::u8)?.1);
                }
                ty::METADATA => packet_in.metadata = wire::within(value, rest, wire::metadata)?.1,
                ty::USERDATA => packet_in.userdata = body.slice_ref(value),
                ty::CONTINUATION => packet_in.continuation = Some(body.slice_ref(value)),
                // A newer switch may tell more.
                _ => {}
            }
            input = rest;
        }
        let Some(packet) = packet else {
            return wire::fail(start, DecodeErrorKind::Truncated);
        };
        packet_in.full_len = full_len.unwrap_or(packet.len() as u32);
        packet_in.packet = packet;
        Ok((input, packet_in))
    }

    pub(super) fn put_nicira(&self, out: &mut BytesMut) {
        use property_type as ty;
        put_property(out, ty::PACKET, |out| out.put_slice(&self.packet));
        if self.full_len != self.packet.len() as u32 {
            put_property(out, ty::FULL_LEN, |out| out.put_u32(self.full_len));
        }
        if let Some(buffer) = self.buffer {
            put_property(out, ty::BUFFER_ID, |out| out.put_u32(buffer));
        }
        put_property(out, ty::TABLE_ID, |out| out.put_u8(self.table.0));
        if let Some(cookie) = self.cookie {
            put_property(out, ty::COOKIE, |out| {
                out.put_bytes(0, 4);
                out.put_u64(cookie.0);
            });
        }
        put_property(out, ty::REASON, |out| out.put_u8(self.reason.number()));
        put_property(out, ty::METADATA, |out| wire::put_fields(out, &self.metadata));
        if let Some(continuation) = &self.continuation {
            put_property(out, ty::CONTINUATION, |out| out.put_slice(continuation));
        }
        if !self.userdata.is_empty() {
            put_property(out, ty::USERDATA, |out| out.put_slice(&self.userdata));
        }
    }
}

/// A property of 64 bits: four bytes of padding come first.
fn padded_u64(input: &[u8]) -> Parsed<'_, u64> {
    let (input, ()) = wire::skip(input, 4)?;
    wire::u64(input)
}

impl PacketOut {
    pub(super) fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        wire::decode(body, |input| {
            let (after, buffer) = wire::u32(input)?;
            if buffer != NO_BUFFER {
                return wire::fail(input, DecodeErrorKind::Value);
            }
            let (input, actions_len) = wire::u16(after)?;
            let (input, ()) = wire::skip(input, 2)?;
            let (input, metadata) = wire::metadata_match(input)?;
            let (input, actions) = wire::take(input, usize::from(actions_len))?;
            let (input, actions) = wire::within(actions, input, wire::actions)?;
            let (input, packet) = wire::take(input, input.len())?;
            Ok((input, Self { metadata, actions, packet: body.slice_ref(packet) }))
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(NO_BUFFER);
        let at = out.len();
        out.put_bytes(0, 4);
        wire::put_metadata(out, &self.metadata);
        let actions = out.len();
        wire::put_actions(out, &self.actions);
        wire::put_length(out, actions, at);
        out.put_slice(&self.packet);
    }
}

impl Resume {
    pub(super) fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        let packet_in = PacketIn::parse_nicira(body)?;
        packet_in.resume().ok_or(DecodeError { offset: body.len(), kind: DecodeErrorKind::Truncated })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        use property_type as ty;
        put_property(out, ty::PACKET, |out| out.put_slice(&self.packet));
        put_property(out, ty::METADATA, |out| wire::put_fields(out, &self.metadata));
        put_property(out, ty::CONTINUATION, |out| out.put_slice(&self.continuation));
    }
}
