//! From changed fields back to bytes: what was set is written, checksums follow.

use super::checksum;
use super::fields::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_RARP, Fields, LATER_FRAGMENT, protocol};
use super::parse;

/// Writes every field in which `after` differs from `before`, in the order in which Open vSwitch commits them.
pub(super) fn rewrite(bytes: &mut Vec<u8>, before: &Fields, after: &Fields) {
    if bytes.len() < 14 {
        return;
    }
    if before.eth_dst != after.eth_dst {
        bytes[0..6].copy_from_slice(&mac(after.eth_dst));
    }
    if before.eth_src != after.eth_src {
        bytes[6..12].copy_from_slice(&mac(after.eth_src));
    }
    if before.nw_proto != 0 {
        let layout = parse::parse(bytes, before.tags().max(1)).1;
        if let Some(l3) = layout.l3 {
            let l4 = layout.l4.map(|start| start..start + layout.l4_len);
            match before.eth_type {
                ETH_IPV4 => ipv4(bytes, l3, l4.clone(), before, after),
                ETH_IPV6 => ipv6(bytes, l3, l4.clone(), before, after),
                ETH_ARP | ETH_RARP => arp(bytes, l3, before, after),
                _ => {}
            }
            if let Some(l4) = l4 {
                transport(bytes, l4, before, after);
            }
        }
    }
    vlans(bytes, before, after);
}

fn mac(address: u64) -> [u8; 6] {
    let [_, _, rest @ ..] = address.to_be_bytes();
    rest
}

/// Replaces `new.len()` bytes at `at` and lets the checksum at `sum` follow.
fn replace(bytes: &mut [u8], at: usize, new: &[u8], sum: Option<usize>) {
    let Some(old) = bytes.get(at..at + new.len()) else {
        return;
    };
    if let Some(place) = sum
        && let Some(field) = bytes.get(place..place + 2)
    {
        let checksum = checksum::update(u16::from_be_bytes([field[0], field[1]]), old, new);
        bytes[place..place + 2].copy_from_slice(&checksum.to_be_bytes());
    }
    bytes[at..at + new.len()].copy_from_slice(new);
}

/// As [`replace`], for a UDP checksum, in which 0 means none.
fn replace_udp(bytes: &mut [u8], at: usize, new: &[u8], sum: usize) {
    if bytes[sum..sum + 2] == [0, 0] {
        replace(bytes, at, new, None);
    } else {
        replace(bytes, at, new, Some(sum));
        if bytes[sum..sum + 2] == [0, 0] {
            bytes[sum..sum + 2].copy_from_slice(&[0xff, 0xff]);
        }
    }
}

/// Lets the transport checksum follow a changed network address; the address itself stays.
fn follow_address(bytes: &mut [u8], l4: Option<&std::ops::Range<usize>>, proto: u8, old: &[u8], new: &[u8]) {
    let Some(l4) = l4 else {
        return;
    };
    let (offset, least) = match proto {
        protocol::TCP => (16, 20),
        protocol::UDP => (6, 8),
        protocol::ICMPV6 => (2, 4),
        _ => return,
    };
    if l4.len() < least {
        return;
    }
    let sum = l4.start + offset;
    let field = u16::from_be_bytes([bytes[sum], bytes[sum + 1]]);
    if proto == protocol::UDP && field == 0 {
        return;
    }
    let mut updated = checksum::update(field, old, new);
    if proto == protocol::UDP && updated == 0 {
        updated = 0xffff;
    }
    bytes[sum..sum + 2].copy_from_slice(&updated.to_be_bytes());
}

fn ipv4(bytes: &mut [u8], l3: usize, l4: Option<std::ops::Range<usize>>, before: &Fields, after: &Fields) {
    if bytes.len() < l3 + 20 {
        return;
    }
    let sum = Some(l3 + 10);
    for (at, old, new) in [(l3 + 12, before.nw_src, after.nw_src), (l3 + 16, before.nw_dst, after.nw_dst)] {
        if old != new {
            let was: [u8; 4] = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
            let proto = bytes[l3 + 9];
            // ICMP over IPv4 has no pseudo header.
            if proto != protocol::ICMPV6 {
                follow_address(bytes, l4.as_ref(), proto, &was, &new.to_be_bytes());
            }
            replace(bytes, at, &new.to_be_bytes(), sum);
        }
    }
    if before.nw_tos != after.nw_tos {
        let first = bytes[l3];
        replace(bytes, l3, &[first, after.nw_tos], sum);
    }
    if before.nw_ttl != after.nw_ttl {
        let proto = bytes[l3 + 9];
        replace(bytes, l3 + 8, &[after.nw_ttl, proto], sum);
    }
}

fn ipv6(bytes: &mut [u8], l3: usize, l4: Option<std::ops::Range<usize>>, before: &Fields, after: &Fields) {
    if bytes.len() < l3 + 40 {
        return;
    }
    let routed = routing_header(&bytes[l3..]);
    for (at, old, new, counts) in
        [(l3 + 8, before.ipv6_src, after.ipv6_src, true), (l3 + 24, before.ipv6_dst, after.ipv6_dst, !routed)]
    {
        if old != new {
            let was: Vec<u8> = bytes[at..at + 16].to_vec();
            if counts && before.nw_frag & LATER_FRAGMENT == 0 {
                follow_address(bytes, l4.as_ref(), before.nw_proto, &was, &new.to_be_bytes());
            }
            bytes[at..at + 16].copy_from_slice(&new.to_be_bytes());
        }
    }
    if before.nw_tos != after.nw_tos || before.ipv6_label != after.ipv6_label {
        let version = u32::from(bytes[l3] >> 4) << 28;
        let word = version | u32::from(after.nw_tos) << 20 | (after.ipv6_label & 0xf_ffff);
        bytes[l3..l3 + 4].copy_from_slice(&word.to_be_bytes());
    }
    bytes[l3 + 7] = if before.nw_ttl == after.nw_ttl { bytes[l3 + 7] } else { after.nw_ttl };
    if before.nw_proto == protocol::ICMPV6
        && let Some(l4) = l4
    {
        neighbour(bytes, l3, &l4, before, after);
    }
}

/// Whether a routing header with segments left is the first extension: the checksum then covers another destination.
fn routing_header(packet: &[u8]) -> bool {
    packet[6] == 43 && packet.get(43).is_some_and(|left| *left > 0)
}

/// The parts of a neighbour message: first the flags and the type of the first option, then target and addresses.
fn neighbour(bytes: &mut [u8], l3: usize, l4: &std::ops::Range<usize>, before: &Fields, after: &Fields) {
    if l4.len() < 24 {
        return;
    }
    if (before.nd_reserved, before.tcp_flags) != (after.nd_reserved, after.tcp_flags) {
        bytes[l4.start + 4..l4.start + 8].copy_from_slice(&after.nd_reserved.to_be_bytes());
        if let Some(kind) = bytes.get_mut(l4.start + 24) {
            *kind = after.tcp_flags as u8;
        }
        bytes[l4.start + 2..l4.start + 4].fill(0);
        let pseudo =
            checksum::pseudo_header(&bytes[l3 + 8..l3 + 24], &bytes[l3 + 24..l3 + 40], protocol::ICMPV6, l4.len());
        let sum = checksum::finish(checksum::sum(pseudo, &bytes[l4.clone()]));
        bytes[l4.start + 2..l4.start + 4].copy_from_slice(&sum.to_be_bytes());
    }
    if (before.nd_target, before.arp_sha, before.arp_tha) == (after.nd_target, after.arp_sha, after.arp_tha) {
        return;
    }
    let sum = Some(l4.start + 2);
    replace(bytes, l4.start + 8, &after.nd_target.to_be_bytes(), sum);
    let mut at = l4.start + 24;
    while at + 8 <= l4.end && bytes[at + 1] != 0 {
        // A packet carries one link-layer address.
        match bytes[at..at + 2] {
            [1, 1] => return replace(bytes, at + 2, &mac(after.arp_sha), sum),
            [2, 1] => return replace(bytes, at + 2, &mac(after.arp_tha), sum),
            _ => at += usize::from(bytes[at + 1]) * 8,
        }
    }
}

fn arp(bytes: &mut [u8], l3: usize, before: &Fields, after: &Fields) {
    if bytes.len() < l3 + 28 {
        return;
    }
    if before.nw_proto != after.nw_proto {
        bytes[l3 + 6..l3 + 8].copy_from_slice(&u16::from(after.nw_proto).to_be_bytes());
    }
    if before.arp_sha != after.arp_sha {
        bytes[l3 + 8..l3 + 14].copy_from_slice(&mac(after.arp_sha));
    }
    if before.nw_src != after.nw_src {
        bytes[l3 + 14..l3 + 18].copy_from_slice(&after.nw_src.to_be_bytes());
    }
    if before.arp_tha != after.arp_tha {
        bytes[l3 + 18..l3 + 24].copy_from_slice(&mac(after.arp_tha));
    }
    if before.nw_dst != after.nw_dst {
        bytes[l3 + 24..l3 + 28].copy_from_slice(&after.nw_dst.to_be_bytes());
    }
}

fn transport(bytes: &mut [u8], l4: std::ops::Range<usize>, before: &Fields, after: &Fields) {
    let (old, new) = ((before.tp_src, before.tp_dst), (after.tp_src, after.tp_dst));
    if old == new || !before.is_ip() {
        return;
    }
    let start = l4.start;
    match before.nw_proto {
        protocol::TCP if l4.len() >= 20 => {
            replace(bytes, start, &new.0.to_be_bytes(), Some(start + 16));
            replace(bytes, start + 2, &new.1.to_be_bytes(), Some(start + 16));
        }
        protocol::UDP if l4.len() >= 8 => {
            replace_udp(bytes, start, &new.0.to_be_bytes(), start + 6);
            replace_udp(bytes, start + 2, &new.1.to_be_bytes(), start + 6);
        }
        protocol::SCTP if l4.len() >= 12 => {
            // What was wrong with the checksum stays wrong.
            let was = u32::from_be_bytes([bytes[start + 8], bytes[start + 9], bytes[start + 10], bytes[start + 11]]);
            bytes[start + 8..start + 12].fill(0);
            let right = checksum::crc32c(&bytes[l4.clone()]);
            bytes[start..start + 2].copy_from_slice(&new.0.to_be_bytes());
            bytes[start + 2..start + 4].copy_from_slice(&new.1.to_be_bytes());
            let sum = was ^ right ^ checksum::crc32c(&bytes[l4]);
            bytes[start + 8..start + 12].copy_from_slice(&sum.to_be_bytes());
        }
        protocol::ICMP | protocol::ICMPV6 if l4.len() >= 8 => {
            let kind = [new.0 as u8, new.1 as u8];
            replace(bytes, start, &kind, Some(start + 2));
        }
        _ => {}
    }
}

fn vlans(bytes: &mut Vec<u8>, before: &Fields, after: &Fields) {
    if before.vlans == after.vlans {
        return;
    }
    let mut header = Vec::with_capacity(8);
    for tag in &after.vlans[..after.tags()] {
        header.extend_from_slice(&tag.tpid.to_be_bytes());
        header.extend_from_slice(&(tag.tci & !super::VLAN_PRESENT).to_be_bytes());
    }
    let end = 12 + 4 * before.tags();
    if end <= bytes.len() {
        bytes.splice(12..end, header);
    }
}
