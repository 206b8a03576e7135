//! From bytes to fields. What does not parse leaves its fields empty, as in the extraction of Open vSwitch.

use super::fields::{
    ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_QINQ, ETH_RARP, ETH_VLAN, FRAGMENT, Fields, LATER_FRAGMENT, VLAN_PRESENT, Vlan,
    protocol,
};
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// Where the headers of a packet are, as offsets from its start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Layout {
    /// The network header.
    pub(crate) l3: Option<usize>,
    /// The transport header.
    pub(crate) l4: Option<usize>,
    /// Bytes from the transport header to the end of the IP packet, padding not counted.
    pub(crate) l4_len: usize,
}

/// How many tags are looked behind: `other_config:vlan-limit` of Open vSwitch, 1 unless configured otherwise.
pub(super) const TAGS_MAX: usize = 1;

/// The most extension headers that are followed.
const EXTENSIONS_MAX: usize = 64;

/// The Ethernet type given to an 802.2 frame without SNAP.
const ETH_LLC: u16 = 0x05ff;

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn be128(bytes: &[u8], at: usize) -> Option<u128> {
    Some(u128::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn mac(bytes: &[u8], at: usize) -> Option<u64> {
    let address: &[u8; 6] = bytes.get(at..)?.first_chunk()?;
    Some(address.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
}

/// Fields and offsets of a packet, looking behind up to `tags` VLAN tags.
pub(super) fn parse(bytes: &[u8], tags: usize) -> (Fields, Layout) {
    let mut fields = Fields::default();
    let mut layout = Layout::default();
    if let Some(l3) = ethernet(bytes, tags, &mut fields) {
        layout.l3 = Some(l3);
        let end = match fields.eth_type {
            ETH_IPV4 => ipv4(bytes, l3, &mut fields),
            ETH_IPV6 => ipv6(bytes, l3, &mut fields),
            ETH_ARP | ETH_RARP => arp(bytes, l3, &mut fields),
            _ => None,
        };
        if let Some((l4, end)) = end {
            layout.l4 = Some(l4);
            layout.l4_len = end - l4;
            if fields.nw_frag & LATER_FRAGMENT == 0 {
                let _ = transport(&bytes[l4..end], &mut fields);
            }
        }
    }
    (fields, layout)
}

fn ethernet(bytes: &[u8], tags: usize, fields: &mut Fields) -> Option<usize> {
    if bytes.len() < 14 {
        return None;
    }
    fields.eth_dst = mac(bytes, 0)?;
    fields.eth_src = mac(bytes, 6)?;
    let mut at = 12;
    for place in 0..tags.min(fields.vlans.len()) {
        let tpid = be16(bytes, at)?;
        if !matches!(tpid, ETH_VLAN | ETH_QINQ) || bytes.len() < at + 6 {
            break;
        }
        fields.vlans[place] = Vlan { tpid, tci: be16(bytes, at + 2)? | VLAN_PRESENT };
        at += 4;
    }
    let eth_type = be16(bytes, at)?;
    at += 2;
    if eth_type >= 0x0600 {
        fields.eth_type = eth_type;
        return Some(at);
    }
    fields.eth_type = ETH_LLC;
    if bytes.get(at..at + 6) == Some(&[0xaa, 0xaa, 3, 0, 0, 0]) {
        if let Some(inner) = be16(bytes, at + 6).filter(|inner| *inner >= 0x0600) {
            fields.eth_type = inner;
        }
        at += 8;
    }
    Some(at)
}

/// Fills in the IPv4 fields; the start and the end of what it carries.
fn ipv4(bytes: &[u8], at: usize, fields: &mut Fields) -> Option<(usize, usize)> {
    let header = bytes.get(at..at + 20)?;
    let length = usize::from(header[0] & 15) * 4;
    let total = usize::from(be16(header, 2)?);
    if length < 20 || total < length || bytes.len() - at < total {
        return None;
    }
    fields.nw_src = be32(header, 12)?;
    fields.nw_dst = be32(header, 16)?;
    fields.nw_tos = header[1];
    fields.nw_ttl = header[8];
    fields.nw_proto = header[9];
    let fragment = be16(header, 6)?;
    if fragment & 0x3fff != 0 {
        fields.nw_frag = FRAGMENT;
        if fragment & 0x1fff != 0 {
            fields.nw_frag |= LATER_FRAGMENT;
        }
    }
    Some((at + length, at + total))
}

/// Fills in the IPv6 fields; the start and the end of what is behind the extension headers.
fn ipv6(bytes: &[u8], at: usize, fields: &mut Fields) -> Option<(usize, usize)> {
    let header = bytes.get(at..at + 40)?;
    let end = at + 40 + usize::from(be16(header, 4)?);
    if bytes.len() < end {
        return None;
    }
    fields.ipv6_src = be128(header, 8)?;
    fields.ipv6_dst = be128(header, 24)?;
    let first = be32(header, 0)?;
    let (tos, ttl, label) = ((first >> 20) as u8, header[7], first & 0xf_ffff);
    let mut next = header[6];
    let mut place = at + 40;
    let mut fragment = 0;
    for _ in 0..EXTENSIONS_MAX {
        let length = match next {
            0 | 43 | 60 => |bytes: &[u8]| (usize::from(bytes[1]) + 1) * 8,
            51 => |bytes: &[u8]| (usize::from(bytes[1]) + 2) * 4,
            44 => |_: &[u8]| 8,
            _ => break,
        };
        let extension = bytes.get(place..end).filter(|rest| rest.len() >= 8)?;
        if place + length(extension) > end {
            return None;
        }
        if next == 44 {
            let offset = be16(extension, 2)?;
            if offset != 0 {
                fragment = FRAGMENT;
                if offset & 0xfff8 != 0 {
                    fragment |= LATER_FRAGMENT;
                }
            }
        }
        place += length(extension);
        if fragment & LATER_FRAGMENT != 0 {
            next = 44;
            break;
        }
        next = extension[0];
    }
    fields.nw_tos = tos;
    fields.nw_ttl = ttl;
    fields.ipv6_label = label;
    fields.nw_proto = next;
    fields.nw_frag = fragment;
    Some((place, end))
}

fn arp(bytes: &[u8], at: usize, fields: &mut Fields) -> Option<(usize, usize)> {
    let header = bytes.get(at..at + 28)?;
    if header[..6] != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    fields.nw_src = be32(header, 14)?;
    fields.nw_dst = be32(header, 24)?;
    // Only the low byte of the operation is matched.
    fields.nw_proto = u8::try_from(be16(header, 6)?).unwrap_or(0);
    fields.arp_sha = mac(header, 8)?;
    fields.arp_tha = mac(header, 18)?;
    None
}

fn transport(bytes: &[u8], fields: &mut Fields) -> Option<()> {
    match (fields.eth_type, fields.nw_proto) {
        (_, protocol::TCP) => {
            let offset = usize::from(*bytes.get(12)? >> 4) * 4;
            if bytes.len() < 20 || offset < 20 || bytes.len() < offset {
                return None;
            }
            fields.tcp_flags = be16(bytes, 12)? & 0x0fff;
            ports(bytes, fields)
        }
        (_, protocol::UDP) if bytes.len() >= 8 => ports(bytes, fields),
        (_, protocol::SCTP) if bytes.len() >= 12 => ports(bytes, fields),
        (_, protocol::ICMP | protocol::IGMP) if bytes.len() >= 8 => {
            fields.tp_src = bytes[0].into();
            fields.tp_dst = bytes[1].into();
            if fields.nw_proto == protocol::IGMP {
                fields.nd_reserved = be32(bytes, 4)?;
            }
            Some(())
        }
        (_, protocol::ICMPV6) if bytes.len() >= 8 => {
            fields.tp_src = bytes[0].into();
            fields.tp_dst = bytes[1].into();
            if matches!(bytes[0], 135 | 136) && bytes[1] == 0 {
                fields.nd_reserved = be32(bytes, 4)?;
                neighbour(bytes, fields);
            }
            Some(())
        }
        _ => None,
    }
}

fn ports(bytes: &[u8], fields: &mut Fields) -> Option<()> {
    fields.tp_src = be16(bytes, 0)?;
    fields.tp_dst = be16(bytes, 2)?;
    Some(())
}

/// Target and link-layer options of a neighbour message; one that names an option twice is not taken as such.
fn neighbour(bytes: &[u8], fields: &mut Fields) {
    let Some(target) = be128(bytes, 8) else {
        return;
    };
    let mut addresses = [0; 2];
    let mut first = 0;
    let mut rest = &bytes[24..];
    while rest.len() >= 8 {
        let length = usize::from(rest[1]) * 8;
        if length == 0 || length > rest.len() {
            break;
        }
        if matches!(rest[0], 1 | 2) && length == 8 {
            let place = usize::from(rest[0]) - 1;
            if addresses[place] != 0 {
                return;
            }
            addresses[place] = mac(rest, 2).unwrap_or(0);
            if first == 0 {
                first = u16::from(rest[0]);
            }
        }
        rest = &rest[length..];
    }
    fields.nd_target = target;
    [fields.arp_sha, fields.arp_tha] = addresses;
    fields.tcp_flags = first;
}

/// Colons between the bytes of a link-layer address.
struct Mac(u64);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [_, _, a, b, c, d, e, g] = self.0.to_be_bytes();
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}>{}", Mac(self.eth_src), Mac(self.eth_dst))?;
        if self.is_tagged() {
            write!(f, " vlan {}", self.vlans[0].tci & 0xfff)?;
        }
        match self.eth_type {
            ETH_ARP | ETH_RARP => write!(
                f,
                " arp op {} {}({}) > {}({})",
                self.nw_proto,
                Ipv4Addr::from(self.nw_src),
                Mac(self.arp_sha),
                Ipv4Addr::from(self.nw_dst),
                Mac(self.arp_tha)
            )?,
            ETH_IPV4 => write!(f, " {} > {}", Ipv4Addr::from(self.nw_src), Ipv4Addr::from(self.nw_dst))?,
            ETH_IPV6 => write!(f, " {} > {}", Ipv6Addr::from(self.ipv6_src), Ipv6Addr::from(self.ipv6_dst))?,
            other => write!(f, " type {other:#06x}")?,
        }
        if self.is_nd() {
            write!(
                f,
                " nd {} target {} sll {} tll {}",
                self.tp_src,
                Ipv6Addr::from(self.nd_target),
                Mac(self.arp_sha),
                Mac(self.arp_tha)
            )?;
        } else if self.is_ip() {
            write!(f, " proto {} {} > {} ttl {}", self.nw_proto, self.tp_src, self.tp_dst, self.nw_ttl)?;
        }
        Ok(())
    }
}
