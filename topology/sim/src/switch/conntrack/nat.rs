//! Address translation of packets and of the packets that ICMP errors quote.

use super::tuple::Tuple;
use super::{CT_DNAT, CT_SNAT, Connection, Conntrack};
use crate::packet::{Packet, checksum, protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;
use weir_openflow::Nat;

/// Which side of the first direction is translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Src,
    Dst,
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Src => Self::Dst,
            Self::Dst => Self::Src,
        }
    }
}

pub(super) fn side(nat: &Nat) -> Option<Side> {
    if nat.flags.src {
        Some(Side::Src)
    } else if nat.flags.dst {
        Some(Side::Dst)
    } else {
        None
    }
}

/// How many ports are tried for one that is free.
const ATTEMPTS_MAX: usize = 128;

/// The tuple of the answers after translation, such that no other connection has it.
///
/// Where Open vSwitch chooses by a random hash, the first of the range is taken.
pub(super) fn unique_reply(tracker: &Conntrack, tuple: &Tuple, nat: &Nat, now: Duration) -> Option<Tuple> {
    let mut reply = tuple.reversed();
    let Some(side) = side(nat) else {
        return Some(reply);
    };
    let range = nat.range;
    if let Some((first, _)) = range.and_then(|range| range.addresses) {
        match side {
            Side::Src => reply.dst.address = first,
            Side::Dst => reply.src.address = first,
        }
    }
    let free = |reply: &Tuple| tracker.find(reply, now).is_none();
    if !matches!(tuple.protocol, protocol::TCP | protocol::UDP) {
        return free(&reply).then_some(reply);
    }
    let told = range.and_then(|range| range.ports);
    if let (Side::Dst, Some((first, last))) = (side, told) {
        for port in (first..=last).take(ATTEMPTS_MAX) {
            reply.src.port = port;
            if free(&reply) {
                return Some(reply);
            }
        }
        reply.src.port = first;
    }
    let (start, low, high) = match (side, told) {
        (Side::Src, Some((first, last))) => (first, first, last),
        _ => {
            let port = tuple.src.port;
            let (low, high) = match port {
                0..512 => (1, 511),
                512..1024 => (600, 1023),
                _ => (1024, u16::MAX),
            };
            (port, low, high)
        }
    };
    for port in std::iter::once(start).chain(start.saturating_add(1)..=high).chain(low..start).take(ATTEMPTS_MAX) {
        reply.dst.port = port;
        if free(&reply) {
            return Some(reply);
        }
    }
    None
}

/// Translates a packet of the connection; the state bits that tell so.
pub(super) fn translate(packet: &mut Packet, tags: usize, connection: &Connection, reply: bool, related: bool) -> u8 {
    let Some(side) = connection.nat else {
        return 0;
    };
    // The tuple of what will answer the packet tells what the packet must become.
    let answer = if reply { connection.original } else { connection.reply };
    let side = if reply { side.other() } else { side };
    let before = packet.headers(tags).0;
    let mut after = before.clone();
    let address = if side == Side::Src { answer.dst.address } else { answer.src.address };
    match (side, address) {
        (Side::Src, IpAddr::V4(address)) => after.nw_src = address.into(),
        (Side::Dst, IpAddr::V4(address)) => after.nw_dst = address.into(),
        (Side::Src, IpAddr::V6(address)) => after.ipv6_src = address.into(),
        (Side::Dst, IpAddr::V6(address)) => after.ipv6_dst = address.into(),
    }
    if !related && !answer.is_icmp() && matches!(answer.protocol, protocol::TCP | protocol::UDP) {
        (after.tp_src, after.tp_dst) = (answer.dst.port, answer.src.port);
    }
    packet.rewrite(&before, &after);
    if related {
        translate_quoted(packet, tags, &answer.reversed(), side.other());
    }
    if side == Side::Src { CT_SNAT } else { CT_DNAT }
}

/// Translates the packet that an ICMP error quotes, and makes the checksum of the error anew.
fn translate_quoted(packet: &mut Packet, tags: usize, tuple: &Tuple, side: Side) {
    let layout = packet.headers(tags).1;
    let (Some(l3), Some(l4)) = (layout.l3, layout.l4) else {
        return;
    };
    let mut bytes = packet.bytes().to_vec();
    let (inner, end) = (l4 + 8, l4 + layout.l4_len);
    let v4 = tuple.src.address.is_ipv4();
    let inner_l4 = if v4 { inner + usize::from(bytes.get(inner).copied().unwrap_or(5) & 15) * 4 } else { inner + 40 };
    if end < inner_l4 + 8 || end > bytes.len() {
        return;
    }
    let sum_at = match tuple.protocol {
        protocol::TCP => Some(inner_l4 + 16).filter(|at| at + 2 <= end),
        protocol::UDP => Some(inner_l4 + 6).filter(|at| bytes[*at..at + 2] != [0, 0]),
        _ => None,
    };
    if matches!(tuple.protocol, protocol::TCP | protocol::UDP) {
        replace(&mut bytes, inner_l4, &tuple.dst.port.to_be_bytes(), &[sum_at]);
        replace(&mut bytes, inner_l4 + 2, &tuple.src.port.to_be_bytes(), &[sum_at]);
    }
    let ip_sum = v4.then_some(inner + 10);
    let (address, at) = match side {
        Side::Src => (tuple.dst.address, inner + if v4 { 12 } else { 8 }),
        Side::Dst => (tuple.src.address, inner + if v4 { 16 } else { 24 }),
    };
    // The checksum of the quoted segment follows only if the whole header is there.
    let header = if tuple.protocol == protocol::TCP { 20 } else { 8 };
    let follows = sum_at.filter(|_| end >= inner_l4 + header);
    match address {
        IpAddr::V4(address) => replace(&mut bytes, at, &Ipv4Addr::octets(&address), &[follows, ip_sum]),
        IpAddr::V6(address) => replace(&mut bytes, at, &Ipv6Addr::octets(&address), &[follows]),
    }
    bytes[l4 + 2..l4 + 4].fill(0);
    let pseudo = if v4 {
        0
    } else {
        checksum::pseudo_header(&bytes[l3 + 8..l3 + 24], &bytes[l3 + 24..l3 + 40], protocol::ICMPV6, end - l4)
    };
    let sum = checksum::finish(checksum::sum(pseudo, &bytes[l4..end]));
    bytes[l4 + 2..l4 + 4].copy_from_slice(&sum.to_be_bytes());
    *packet = Packet::new(bytes);
}

fn replace(bytes: &mut [u8], at: usize, new: &[u8], sums: &[Option<usize>]) {
    for place in sums.iter().flatten() {
        let field = u16::from_be_bytes([bytes[*place], bytes[place + 1]]);
        let value = checksum::update(field, &bytes[at..at + new.len()], new);
        bytes[*place..place + 2].copy_from_slice(&value.to_be_bytes());
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}
