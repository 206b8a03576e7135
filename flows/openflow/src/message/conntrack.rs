//! Forgetting connections (`NXT_CT_FLUSH_ZONE`, `NXT_CT_FLUSH`).

use super::property::{property, put_property};
use crate::DecodeErrorKind;
use crate::wire::{self, Parsed};
use bytes::{BufMut, BytesMut};
use std::net::{IpAddr, Ipv6Addr};

/// Which connections a switch forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtFlush {
    /// The zone; none for every zone.
    pub zone: Option<u16>,
    /// The IP protocol of the tuples; 0 for any.
    pub protocol: u8,
    /// The tuple in the direction of the first packet.
    pub original: CtTuple,
    /// The tuple of the answers.
    pub reply: CtTuple,
}

/// Addresses and ports of one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtTuple {
    /// The source.
    pub src: Option<IpAddr>,
    /// The destination.
    pub dst: Option<IpAddr>,
    /// Ports, or the identity of an ICMP exchange.
    pub l4: CtL4,
}

/// The transport part of a tuple; zero stands for any, as in Open vSwitch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CtL4 {
    /// Not looked at.
    #[default]
    Any,
    /// Ports of TCP, UDP or SCTP.
    Ports {
        /// Source port; 0 for any.
        src: u16,
        /// Destination port; 0 for any.
        dst: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Identifier; 0 for any.
        id: u16,
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
}

/// `NXT_CT_*`: the properties of a flush.
const ORIGINAL: u16 = 0;
const REPLY: u16 = 1;
const ZONE: u16 = 2;

/// `NXT_CT_TUPLE_*`: the properties of a tuple.
const SRC: u16 = 0;
const DST: u16 = 1;
const SRC_PORT: u16 = 2;
const DST_PORT: u16 = 3;
const ICMP_ID: u16 = 4;
const ICMP_TYPE: u16 = 5;
const ICMP_CODE: u16 = 6;

impl CtFlush {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, protocol) = wire::u8(input)?;
        let (mut input, ()) = wire::skip(input, 7)?;
        let mut flush = Self { protocol, ..Self::default() };
        while !input.is_empty() {
            let (rest, (kind, value)) = property(input)?;
            match kind {
                ORIGINAL => flush.original = wire::within(value, rest, CtTuple::parse)?.1,
                REPLY => flush.reply = wire::within(value, rest, CtTuple::parse)?.1,
                ZONE => flush.zone = Some(wire::within(value, rest, padded_u16)?.1),
                _ => return wire::fail(input, DecodeErrorKind::UnknownType(kind)),
            }
            input = rest;
        }
        Ok((input, flush))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.protocol);
        out.put_bytes(0, 7);
        for (kind, tuple) in [(ORIGINAL, &self.original), (REPLY, &self.reply)] {
            if *tuple != CtTuple::default() {
                put_property(out, kind, |out| tuple.put(out));
            }
        }
        if let Some(zone) = self.zone {
            put_u16(out, ZONE, zone);
        }
    }
}

impl CtTuple {
    /// A nested property: four bytes of padding come first.
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (mut input, ()) = wire::skip(input, 4)?;
        let mut tuple = Self::default();
        let (mut ports, mut icmp) = (None, None);
        while !input.is_empty() {
            let (rest, (kind, value)) = property(input)?;
            match kind {
                SRC => tuple.src = Some(wire::within(value, rest, parse_address)?.1),
                DST => tuple.dst = Some(wire::within(value, rest, parse_address)?.1),
                SRC_PORT => ports.get_or_insert((0, 0)).0 = wire::within(value, rest, padded_u16)?.1,
                DST_PORT => ports.get_or_insert((0, 0)).1 = wire::within(value, rest, padded_u16)?.1,
                ICMP_ID => icmp.get_or_insert((0, 0, 0)).0 = wire::within(value, rest, padded_u16)?.1,
                ICMP_TYPE => icmp.get_or_insert((0, 0, 0)).1 = wire::within(value, rest, wire::u8)?.1,
                ICMP_CODE => icmp.get_or_insert((0, 0, 0)).2 = wire::within(value, rest, wire::u8)?.1,
                _ => return wire::fail(input, DecodeErrorKind::UnknownType(kind)),
            }
            input = rest;
        }
        tuple.l4 = match (ports, icmp) {
            (None, None) => CtL4::Any,
            (Some((src, dst)), None) => CtL4::Ports { src, dst },
            (None, Some((id, kind, code))) => CtL4::Icmp { id, kind, code },
            (Some(_), Some(_)) => return wire::fail(input, DecodeErrorKind::Value),
        };
        Ok((input, tuple))
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_bytes(0, 4);
        for (kind, address) in [(SRC, self.src), (DST, self.dst)] {
            if let Some(address) = address {
                put_property(out, kind, |out| put_address(out, address));
            }
        }
        match self.l4 {
            CtL4::Any => {}
            CtL4::Ports { src, dst } => {
                put_u16(out, SRC_PORT, src);
                put_u16(out, DST_PORT, dst);
            }
            CtL4::Icmp { id, kind, code } => {
                put_u16(out, ICMP_ID, id);
                put_property(out, ICMP_TYPE, |out| out.put_u8(kind));
                put_property(out, ICMP_CODE, |out| out.put_u8(code));
            }
        }
    }
}

/// 16 bits and, as the standard has it, as many of padding; a switch takes them without padding too.
fn padded_u16(input: &[u8]) -> Parsed<'_, u16> {
    let (rest, value) = wire::u16(input)?;
    let (rest, ()) = wire::skip(rest, rest.len().min(2))?;
    Ok((rest, value))
}

fn put_u16(out: &mut BytesMut, kind: u16, value: u16) {
    put_property(out, kind, |out| {
        out.put_u16(value);
        out.put_u16(0);
    });
}

/// IPv6, or IPv4 mapped into it.
fn parse_address(input: &[u8]) -> Parsed<'_, IpAddr> {
    let (rest, bits) = wire::uint(input, 16)?;
    Ok((rest, IpAddr::V6(Ipv6Addr::from(bits)).to_canonical()))
}

fn put_address(out: &mut BytesMut, address: IpAddr) {
    let address = match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    };
    out.put_slice(&address.octets());
}
