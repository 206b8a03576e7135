//! Ethernet frames with IP inside, read and written.

use crate::Silence;
use bytes::Bytes;
use smoltcp::wire::{
    ArpOperation, ArpPacket, ArpRepr, ETHERNET_HEADER_LEN, EthernetAddress, EthernetFrame, EthernetProtocol,
    IPV4_HEADER_LEN, IPV6_HEADER_LEN, IpAddress, IpProtocol, Ipv4Packet, Ipv6Packet, UDP_HEADER_LEN, UdpPacket,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::MacAddress;

/// The hop limit of what is not bound to one link.
pub(crate) const HOP_LIMIT: u8 = 64;

/// The hop limit of what must come from the link itself.
pub(crate) const ON_LINK: u8 = 255;

/// All nodes of a link.
pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
pub(crate) const ALL_NODES_MAC: MacAddress = MacAddress([0x33, 0x33, 0, 0, 0, 1]);

/// Every station of a link.
const EVERYBODY: MacAddress = MacAddress([0xff; 6]);

/// A frame with what it carries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) source: MacAddress,
    pub(crate) destination: MacAddress,
    pub(crate) ethertype: EthernetProtocol,
    pub(crate) payload: &'a [u8],
}

/// A UDP datagram with where it came from and went to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Datagram<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) payload: &'a [u8],
}

/// Who sends a frame to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    pub(crate) source: MacAddress,
    pub(crate) destination: MacAddress,
}

fn bad<E>(_: E) -> Silence {
    Silence::Malformed
}

impl<'a> Frame<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Silence> {
        let frame = EthernetFrame::new_checked(bytes).map_err(bad)?;
        Ok(Self {
            source: MacAddress(frame.src_addr().0),
            destination: MacAddress(frame.dst_addr().0),
            ethertype: frame.ethertype(),
            payload: frame.payload(),
        })
    }

    /// The whole IPv4 packet.
    pub(crate) fn ipv4(&self) -> Result<Ipv4Packet<&'a [u8]>, Silence> {
        let packet = Ipv4Packet::new_checked(self.payload).map_err(bad)?;
        let sound = self.ethertype == EthernetProtocol::Ipv4 && packet.version() == 4;
        if sound && usize::from(packet.header_len()) >= IPV4_HEADER_LEN { Ok(packet) } else { Err(Silence::Malformed) }
    }

    /// The whole IPv6 packet.
    pub(crate) fn ipv6(&self) -> Result<Ipv6Packet<&'a [u8]>, Silence> {
        let packet = Ipv6Packet::new_checked(self.payload).map_err(bad)?;
        let sound = self.ethertype == EthernetProtocol::Ipv6 && packet.version() == 6;
        if sound { Ok(packet) } else { Err(Silence::Malformed) }
    }

    /// The datagram to `port` over IPv4.
    pub(crate) fn udp_over_ipv4(&self, port: u16) -> Result<Datagram<'a>, Silence> {
        let packet = self.ipv4()?;
        if packet.next_header() != IpProtocol::Udp || packet.more_frags() || packet.frag_offset() != 0 {
            return Err(Silence::Malformed);
        }
        let payload = udp(packet.payload(), port)?;
        Ok(Datagram { source: packet.src_addr().into(), destination: packet.dst_addr().into(), payload })
    }

    /// The datagram to `port` over IPv6.
    pub(crate) fn udp_over_ipv6(&self, port: u16) -> Result<Datagram<'a>, Silence> {
        let packet = self.ipv6()?;
        if packet.next_header() != IpProtocol::Udp {
            return Err(Silence::Malformed);
        }
        let payload = udp(packet.payload(), port)?;
        Ok(Datagram { source: packet.src_addr().into(), destination: packet.dst_addr().into(), payload })
    }
}

fn udp(segment: &[u8], port: u16) -> Result<&[u8], Silence> {
    let segment = UdpPacket::new_checked(segment).map_err(bad)?;
    if segment.dst_port() == port { Ok(segment.payload()) } else { Err(Silence::Malformed) }
}

fn ethernet(link: Link, ethertype: EthernetProtocol, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; ETHERNET_HEADER_LEN + length];
    let mut frame = EthernetFrame::new_unchecked(&mut bytes);
    frame.set_src_addr(EthernetAddress(link.source.0));
    frame.set_dst_addr(EthernetAddress(link.destination.0));
    frame.set_ethertype(ethertype);
    bytes
}

/// Writes a frame with an IPv4 packet. It says that it is not to be fragmented, so it needs no identification
/// (RFC 6864).
pub(crate) fn ipv4(
    link: Link,
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: IpProtocol,
    dscp: u8,
    payload: &[u8],
) -> Bytes {
    let length = IPV4_HEADER_LEN + payload.len();
    let mut bytes = ethernet(link, EthernetProtocol::Ipv4, length);
    let mut packet = Ipv4Packet::new_unchecked(&mut bytes[ETHERNET_HEADER_LEN..]);
    packet.set_version(4);
    packet.set_header_len(IPV4_HEADER_LEN as u8);
    packet.set_dscp(dscp);
    packet.set_total_len(length as u16);
    packet.set_dont_frag(true);
    packet.set_hop_limit(HOP_LIMIT);
    packet.set_next_header(protocol);
    packet.set_src_addr(source);
    packet.set_dst_addr(destination);
    packet.payload_mut().copy_from_slice(payload);
    packet.fill_checksum();
    bytes.into()
}

/// Writes a frame with an IPv6 packet.
pub(crate) fn ipv6(
    link: Link,
    source: Ipv6Addr,
    destination: Ipv6Addr,
    protocol: IpProtocol,
    hop_limit: u8,
    payload: &[u8],
) -> Bytes {
    let mut bytes = ethernet(link, EthernetProtocol::Ipv6, IPV6_HEADER_LEN + payload.len());
    let mut packet = Ipv6Packet::new_unchecked(&mut bytes[ETHERNET_HEADER_LEN..]);
    packet.set_version(6);
    packet.set_payload_len(payload.len() as u16);
    packet.set_next_header(protocol);
    packet.set_hop_limit(hop_limit);
    packet.set_src_addr(source);
    packet.set_dst_addr(destination);
    packet.payload_mut().copy_from_slice(payload);
    bytes.into()
}

/// Writes a frame by which a station says to all that an address is its own.
pub(crate) fn arp_announcement(mac: MacAddress, address: Ipv4Addr) -> Bytes {
    let announcement = ArpRepr::EthernetIpv4 {
        operation: ArpOperation::Request,
        source_hardware_addr: EthernetAddress(mac.0),
        source_protocol_addr: address,
        target_hardware_addr: EthernetAddress([0; 6]),
        target_protocol_addr: address,
    };
    let link = Link { source: mac, destination: EVERYBODY };
    let mut bytes = ethernet(link, EthernetProtocol::Arp, announcement.buffer_len());
    announcement.emit(&mut ArpPacket::new_unchecked(&mut bytes[ETHERNET_HEADER_LEN..]));
    bytes.into()
}

/// Writes a UDP datagram, its checksum included.
pub(crate) fn udp_datagram(source: (IpAddr, u16), destination: (IpAddr, u16), payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; UDP_HEADER_LEN + payload.len()];
    let mut segment = UdpPacket::new_unchecked(&mut bytes);
    segment.set_src_port(source.1);
    segment.set_dst_port(destination.1);
    segment.set_len((UDP_HEADER_LEN + payload.len()) as u16);
    segment.payload_mut().copy_from_slice(payload);
    segment.fill_checksum(&IpAddress::from(source.0), &IpAddress::from(destination.0));
    bytes
}
