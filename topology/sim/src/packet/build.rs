//! Packets made by hand, with right lengths and checksums.

use super::fields::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_VLAN, protocol};
use super::{Packet, checksum};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::MacAddress;

/// The outer part of a packet; its methods put something inside and give the packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    src: MacAddress,
    dst: MacAddress,
    vlan: Option<u16>,
    ttl: u8,
    tos: u8,
    fragment: Option<(u16, bool)>,
}

/// What a neighbour advertisement says (RFC 4861, section 4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourAdvertisement {
    /// IPv6 source.
    pub src: Ipv6Addr,
    /// IPv6 destination.
    pub dst: Ipv6Addr,
    /// The address that is advertised.
    pub target: Ipv6Addr,
    /// Where it is; none leaves the option out.
    pub address: Option<MacAddress>,
    /// The flags R, S and O in the three highest bits.
    pub flags: u32,
}

impl Frame {
    /// Bytes of an ICMP echo's payload.
    const ECHO: &[u8] = b"abcdefghijklmnopqrstuvwxyz012345";

    /// An untagged frame from `src` to `dst`.
    pub fn new(src: MacAddress, dst: MacAddress) -> Self {
        Self { src, dst, vlan: None, ttl: 64, tos: 0, fragment: None }
    }

    /// An untagged broadcast frame.
    pub fn broadcast(src: MacAddress) -> Self {
        Self::new(src, MacAddress([0xff; 6]))
    }

    /// Tags the frame with this TCI.
    #[must_use]
    pub fn tagged(mut self, tci: u16) -> Self {
        self.vlan = Some(tci);
        self
    }

    /// Sets the TTL or hop limit of what is inside.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// Sets the type of service or traffic class.
    #[must_use]
    pub fn tos(mut self, tos: u8) -> Self {
        self.tos = tos;
        self
    }

    /// Makes an IP packet a fragment at `offset` (units of 8 bytes), with more to follow or not.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self
    }

    /// Any payload of any type.
    pub fn raw(&self, eth_type: u16, payload: &[u8]) -> Packet {
        let mut bytes = Vec::with_capacity(18 + payload.len());
        bytes.extend_from_slice(&self.dst.0);
        bytes.extend_from_slice(&self.src.0);
        if let Some(tci) = self.vlan {
            bytes.extend_from_slice(&ETH_VLAN.to_be_bytes());
            bytes.extend_from_slice(&tci.to_be_bytes());
        }
        bytes.extend_from_slice(&eth_type.to_be_bytes());
        bytes.extend_from_slice(payload);
        Packet::new(bytes)
    }

    /// An ARP packet with every field told.
    pub fn arp(&self, op: u16, sha: MacAddress, spa: Ipv4Addr, tha: MacAddress, tpa: Ipv4Addr) -> Packet {
        let mut body = vec![0, 1, 8, 0, 6, 4];
        body.extend_from_slice(&op.to_be_bytes());
        body.extend_from_slice(&sha.0);
        body.extend_from_slice(&spa.octets());
        body.extend_from_slice(&tha.0);
        body.extend_from_slice(&tpa.octets());
        self.raw(ETH_ARP, &body)
    }

    /// An ARP request by the frame's source.
    pub fn arp_request(&self, spa: Ipv4Addr, tpa: Ipv4Addr) -> Packet {
        self.arp(1, self.src, spa, MacAddress([0; 6]), tpa)
    }

    /// An ARP reply from the frame's source to its destination.
    pub fn arp_reply(&self, spa: Ipv4Addr, tpa: Ipv4Addr) -> Packet {
        self.arp(2, self.src, spa, self.dst, tpa)
    }

    /// An IP packet; an address of the other family than `src` gives an IPv6 packet with mapped addresses.
    pub fn ip(&self, src: IpAddr, dst: IpAddr, proto: u8, body: &[u8]) -> Packet {
        match (src, dst) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => self.ipv4(src, dst, proto, body),
            _ => self.ipv6(mapped(src), mapped(dst), proto, body),
        }
    }

    fn ipv4(&self, src: Ipv4Addr, dst: Ipv4Addr, proto: u8, body: &[u8]) -> Packet {
        let (offset, more) = self.fragment.unwrap_or((0, false));
        let mut header = vec![0x45, self.tos];
        header.extend_from_slice(&(20 + body.len() as u16).to_be_bytes());
        header.extend_from_slice(&[0x12, 0x34]);
        header.extend_from_slice(&(offset | u16::from(more) << 13).to_be_bytes());
        header.extend_from_slice(&[self.ttl, proto, 0, 0]);
        header.extend_from_slice(&src.octets());
        header.extend_from_slice(&dst.octets());
        let sum = checksum::finish(checksum::sum(0, &header));
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        header.extend_from_slice(body);
        self.raw(ETH_IPV4, &header)
    }

    fn ipv6(&self, src: Ipv6Addr, dst: Ipv6Addr, proto: u8, body: &[u8]) -> Packet {
        let extension = match self.fragment {
            None => Vec::new(),
            Some((offset, more)) => {
                let mut header = vec![proto, 0];
                header.extend_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
                header.extend_from_slice(&[0, 0, 0, 7]);
                header
            }
        };
        let next = if extension.is_empty() { proto } else { 44 };
        let mut header = (6 << 28 | u32::from(self.tos) << 20).to_be_bytes().to_vec();
        header.extend_from_slice(&((extension.len() + body.len()) as u16).to_be_bytes());
        header.extend_from_slice(&[next, self.ttl]);
        header.extend_from_slice(&src.octets());
        header.extend_from_slice(&dst.octets());
        header.extend_from_slice(&extension);
        header.extend_from_slice(body);
        self.raw(ETH_IPV6, &header)
    }

    /// A transport segment whose checksum is at `sum`.
    fn segment(&self, (src, dst): (IpAddr, IpAddr), proto: u8, mut body: Vec<u8>, sum: usize) -> Packet {
        let pseudo = match (src, dst) {
            (IpAddr::V4(_), IpAddr::V4(_)) if proto == protocol::ICMP => 0,
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                checksum::pseudo_header(&src.octets(), &dst.octets(), proto, body.len())
            }
            _ => checksum::pseudo_header(&mapped(src).octets(), &mapped(dst).octets(), proto, body.len()),
        };
        let mut value = checksum::finish(checksum::sum(pseudo, &body));
        if proto == protocol::UDP && value == 0 {
            value = 0xffff;
        }
        body[sum..sum + 2].copy_from_slice(&value.to_be_bytes());
        self.ip(src, dst, proto, &body)
    }

    /// A UDP datagram.
    pub fn udp(&self, src: IpAddr, dst: IpAddr, sport: u16, dport: u16, data: &[u8]) -> Packet {
        let mut body = Vec::with_capacity(8 + data.len());
        body.extend_from_slice(&sport.to_be_bytes());
        body.extend_from_slice(&dport.to_be_bytes());
        body.extend_from_slice(&(8 + data.len() as u16).to_be_bytes());
        body.extend_from_slice(&[0, 0]);
        body.extend_from_slice(data);
        self.segment((src, dst), protocol::UDP, body, 6)
    }

    /// A TCP segment with these flags (2 is SYN, 0x10 is ACK, 1 is FIN, 4 is RST).
    pub fn tcp(&self, src: IpAddr, dst: IpAddr, sport: u16, dport: u16, flags: u8) -> Packet {
        let mut body = Vec::with_capacity(20);
        body.extend_from_slice(&sport.to_be_bytes());
        body.extend_from_slice(&dport.to_be_bytes());
        body.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
        body.extend_from_slice(&[0x50, flags, 0xff, 0xff, 0, 0, 0, 0]);
        self.segment((src, dst), protocol::TCP, body, 16)
    }

    /// An SCTP packet with one chunk of data.
    pub fn sctp(&self, src: IpAddr, dst: IpAddr, sport: u16, dport: u16) -> Packet {
        let mut body = Vec::with_capacity(16);
        body.extend_from_slice(&sport.to_be_bytes());
        body.extend_from_slice(&dport.to_be_bytes());
        body.extend_from_slice(&[0; 8]);
        body.extend_from_slice(&[0, 0, 0, 4]);
        let sum = checksum::crc32c(&body);
        body[8..12].copy_from_slice(&sum.to_be_bytes());
        self.ip(src, dst, protocol::SCTP, &body)
    }

    /// An echo request or reply, of ICMP or ICMPv6 as the addresses say.
    pub fn echo(&self, src: IpAddr, dst: IpAddr, id: u16, reply: bool) -> Packet {
        let (proto, kind) = match src {
            IpAddr::V4(_) => (protocol::ICMP, if reply { 0 } else { 8 }),
            IpAddr::V6(_) => (protocol::ICMPV6, 128 + u8::from(reply)),
        };
        let mut body = vec![kind, 0, 0, 0];
        body.extend_from_slice(&id.to_be_bytes());
        body.extend_from_slice(&[0, 1]);
        body.extend_from_slice(Self::ECHO);
        self.segment((src, dst), proto, body, 2)
    }

    /// An ICMP or ICMPv6 message of any type, with what follows the checksum.
    pub fn icmp(&self, src: IpAddr, dst: IpAddr, kind: u8, code: u8, rest: &[u8]) -> Packet {
        let proto = match src {
            IpAddr::V4(_) => protocol::ICMP,
            IpAddr::V6(_) => protocol::ICMPV6,
        };
        let mut body = vec![kind, code, 0, 0];
        body.extend_from_slice(rest);
        self.segment((src, dst), proto, body, 2)
    }

    /// A neighbour solicitation to the solicited-node group of `target` (RFC 4861, section 4.3), with hop limit 255.
    pub fn solicitation(&self, src: Ipv6Addr, target: Ipv6Addr, address: Option<MacAddress>) -> Packet {
        let mut body = vec![135, 0, 0, 0, 0, 0, 0, 0];
        body.extend_from_slice(&target.octets());
        if let Some(address) = address {
            body.extend_from_slice(&[1, 1]);
            body.extend_from_slice(&address.0);
        }
        let dst = solicited_node(target);
        let frame = self.clone().ttl(255);
        frame.segment((src.into(), dst.into()), protocol::ICMPV6, body, 2)
    }

    /// A neighbour advertisement, with hop limit 255.
    pub fn advertisement(&self, said: &NeighbourAdvertisement) -> Packet {
        let mut body = vec![136, 0, 0, 0];
        body.extend_from_slice(&said.flags.to_be_bytes());
        body.extend_from_slice(&said.target.octets());
        if let Some(address) = said.address {
            body.extend_from_slice(&[2, 1]);
            body.extend_from_slice(&address.0);
        }
        let frame = self.clone().ttl(255);
        frame.segment((said.src.into(), said.dst.into()), protocol::ICMPV6, body, 2)
    }
}

fn mapped(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}

/// The solicited-node multicast address of `target` (RFC 4291, section 2.7.1).
fn solicited_node(target: Ipv6Addr) -> Ipv6Addr {
    let group = u128::from(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0));
    Ipv6Addr::from(group | (u128::from(target) & 0xff_ffff))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
    const B: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

    #[test]
    fn built_packets_parse_to_what_was_put_in() {
        let src: IpAddr = "10.0.0.1".parse().unwrap();
        let dst: IpAddr = "10.0.0.2".parse().unwrap();
        let fields = Frame::new(A, B).tagged(5).udp(src, dst, 1000, 53, b"x").fields();
        assert_eq!(fields.eth_src, A.to_u64());
        assert_eq!(fields.vlans[0].tci, 0x1005);
        assert_eq!(fields.nw_dst, 0x0a00_0002);
        assert_eq!((fields.tp_src, fields.tp_dst), (1000, 53));

        let target = "fe80::2".parse().unwrap();
        let fields = Frame::new(A, B).solicitation("fe80::1".parse().unwrap(), target, Some(A)).fields();
        assert_eq!(fields.nd_target, u128::from(target));
        assert_eq!((fields.arp_sha, fields.tcp_flags), (A.to_u64(), 1));
        assert!(fields.is_nd());
    }

    #[test]
    fn a_later_fragment_has_no_ports() {
        let src: IpAddr = "2001:db8::1".parse().unwrap();
        let dst: IpAddr = "2001:db8::2".parse().unwrap();
        let first = Frame::new(A, B).fragment(0, true);
        assert_eq!(first.udp(src, dst, 9, 10, b"").fields().tp_src, 9);
        let later = Frame::new(A, B).fragment(4, false);
        let fields = later.udp(src, dst, 9, 10, b"").fields();
        assert_eq!((fields.tp_src, fields.nw_frag), (0, 3));
    }

    #[test]
    fn rewriting_keeps_the_checksums_right() {
        let src: IpAddr = "10.0.0.1".parse().unwrap();
        let dst: IpAddr = "10.0.0.2".parse().unwrap();
        let wanted: IpAddr = "192.0.2.9".parse().unwrap();
        let mut packet = Frame::new(A, B).tcp(src, dst, 1000, 80, 2);
        let before = packet.fields();
        let mut after = before.clone();
        after.nw_src = 0xc000_0209;
        after.tp_dst = 8080;
        packet.rewrite(&before, &after);
        assert_eq!(packet, Frame::new(A, B).tcp(wanted, dst, 1000, 8080, 2));
    }

    #[test]
    fn a_solicitation_turns_into_the_advertisement() {
        let asker: Ipv6Addr = "fe80::1".parse().unwrap();
        let target: Ipv6Addr = "fe80::2".parse().unwrap();
        let mut packet = Frame::new(A, B).solicitation(asker, target, Some(A));
        let before = packet.fields();
        let mut after = before.clone();
        (after.eth_src, after.eth_dst) = (B.to_u64(), A.to_u64());
        (after.ipv6_src, after.ipv6_dst) = (target.into(), asker.into());
        (after.tp_src, after.tcp_flags, after.nd_reserved) = (136, 2, 0x6000_0000);
        after.arp_tha = B.to_u64();
        packet.rewrite(&before, &after);
        assert_eq!(
            packet,
            Frame::new(B, A).advertisement(&NeighbourAdvertisement {
                src: target,
                dst: asker,
                target,
                address: Some(B),
                flags: 0x6000_0000,
            })
        );
    }
}
