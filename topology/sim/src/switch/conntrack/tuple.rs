//! What names a connection in one direction.

use crate::packet::{ETH_IPV4, ETH_IPV6, Fields, Layout, checksum, protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Endpoint {
    /// Its address.
    pub address: IpAddr,
    /// Its port, or the identifier of an ICMP exchange.
    pub port: u16,
    /// ICMP type sent by this end and code; 0 for other protocols.
    pub icmp: (u8, u8),
}

/// What names a connection in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tuple {
    /// The zone.
    pub zone: u16,
    /// The IP protocol.
    pub protocol: u8,
    /// Who sends.
    pub src: Endpoint,
    /// Who receives.
    pub dst: Endpoint,
}

impl Tuple {
    /// The same connection seen from the other end.
    pub fn reversed(&self) -> Self {
        Self { src: self.dst, dst: self.src, ..*self }
    }

    pub(super) fn is_icmp(&self) -> bool {
        matches!(self.protocol, protocol::ICMP | protocol::ICMPV6)
    }

    /// The tuple of a packet, and whether the packet is an ICMP error about that connection, in which case it is the
    /// tuple of the packet that the error is about, seen from the sender of the error. None: the tracker has no use
    /// for the packet.
    pub(super) fn of_packet(bytes: &[u8], fields: &Fields, layout: &Layout, zone: u16) -> Option<(Self, bool)> {
        let (l3, l4) = (layout.l3?, layout.l4?);
        if fields.nw_frag != 0 {
            return None;
        }
        let segment = bytes.get(l4..l4 + layout.l4_len)?;
        let (src, dst) = match fields.eth_type {
            ETH_IPV4 => {
                let header = bytes.get(l3..l4)?;
                if checksum::finish(checksum::sum(0, header)) != 0 {
                    return None;
                }
                (IpAddr::V4(Ipv4Addr::from(fields.nw_src)), IpAddr::V4(Ipv4Addr::from(fields.nw_dst)))
            }
            ETH_IPV6 => (IpAddr::V6(Ipv6Addr::from(fields.ipv6_src)), IpAddr::V6(Ipv6Addr::from(fields.ipv6_dst))),
            _ => return None,
        };
        if !checksum_right(segment, src, dst, fields.nw_proto) {
            return None;
        }
        let end = |address| Endpoint { address, port: 0, icmp: (0, 0) };
        let tuple = Self { zone, protocol: fields.nw_proto, src: end(src), dst: end(dst) };
        tuple.with_segment(segment, true)
    }

    fn with_segment(mut self, segment: &[u8], outer: bool) -> Option<(Self, bool)> {
        let be16 = |at: usize| Some(u16::from_be_bytes([*segment.get(at)?, *segment.get(at + 1)?]));
        match (self.protocol, self.src.address) {
            (protocol::TCP | protocol::UDP, _) => {
                let least = if outer && self.protocol == protocol::TCP { 20 } else { 8 };
                (self.src.port, self.dst.port) = (be16(0)?, be16(2)?);
                let valid = segment.len() >= least && self.src.port != 0 && self.dst.port != 0;
                valid.then_some((self, false))
            }
            (protocol::ICMP, IpAddr::V4(_)) | (protocol::ICMPV6, IpAddr::V6(_)) => {
                if segment.len() < 8 {
                    return None;
                }
                let (kind, code) = (segment[0], segment[1]);
                if let Some(answer) = answer_type(self.protocol, kind) {
                    let id = be16(4)?;
                    (self.src.port, self.dst.port) = (id, id);
                    self.src.icmp = (kind, 0);
                    self.dst.icmp = (answer, 0);
                    return (code == 0).then_some((self, false));
                }
                let is_error = match self.protocol {
                    protocol::ICMP => matches!(kind, 3 | 4 | 5 | 11 | 12),
                    _ => matches!(kind, 1..=4),
                };
                if !is_error || !outer {
                    return None;
                }
                let inner = self.inside(&segment[8..])?;
                Some((inner.reversed(), true))
            }
            // Other protocols have no ports.
            _ => Some((self, false)),
        }
    }

    /// The tuple of the packet that an ICMP error quotes.
    fn inside(&self, quoted: &[u8]) -> Option<Self> {
        let (src, dst, proto, start) = match self.src.address {
            IpAddr::V4(_) => {
                let header = quoted.get(..20)?;
                let address = |at: usize| {
                    let bytes: [u8; 4] = *header.get(at..)?.first_chunk()?;
                    Some(IpAddr::V4(Ipv4Addr::from(bytes)))
                };
                (address(12)?, address(16)?, header[9], usize::from(header[0] & 15) * 4)
            }
            IpAddr::V6(_) => {
                let header = quoted.get(..40)?;
                let address = |at: usize| {
                    let bytes: [u8; 16] = *header.get(at..)?.first_chunk()?;
                    Some(IpAddr::V6(Ipv6Addr::from(bytes)))
                };
                (address(8)?, address(24)?, header[6], 40)
            }
        };
        if src != self.dst.address {
            return None;
        }
        let end = |address| Endpoint { address, port: 0, icmp: (0, 0) };
        let inner = Self { zone: self.zone, protocol: proto, src: end(src), dst: end(dst) };
        inner.with_segment(quoted.get(start..)?, false).map(|(tuple, _)| tuple)
    }
}

/// The type that answers an ICMP request, or that asks for an ICMP answer.
fn answer_type(proto: u8, kind: u8) -> Option<u8> {
    match (proto, kind) {
        (protocol::ICMP, 8) => Some(0),
        (protocol::ICMP, 0) => Some(8),
        (protocol::ICMP, 13) => Some(14),
        (protocol::ICMP, 14) => Some(13),
        (protocol::ICMP, 15) => Some(16),
        (protocol::ICMP, 16) => Some(15),
        (protocol::ICMPV6, 128) => Some(129),
        (protocol::ICMPV6, 129) => Some(128),
        _ => None,
    }
}

fn checksum_right(segment: &[u8], src: IpAddr, dst: IpAddr, proto: u8) -> bool {
    let optional = proto == protocol::UDP && segment.get(6..8) == Some(&[0, 0]);
    if optional && src.is_ipv4() {
        return true;
    }
    let pseudo = match (src, dst) {
        (IpAddr::V4(_), _) if proto == protocol::ICMP => 0,
        (IpAddr::V4(src), IpAddr::V4(dst)) => {
            checksum::pseudo_header(&src.octets(), &dst.octets(), proto, segment.len())
        }
        (IpAddr::V6(src), IpAddr::V6(dst)) => {
            checksum::pseudo_header(&src.octets(), &dst.octets(), proto, segment.len())
        }
        _ => return false,
    };
    match proto {
        protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6 => {
            checksum::finish(checksum::sum(pseudo, segment)) == 0
        }
        _ => true,
    }
}
