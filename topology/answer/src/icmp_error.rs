//! ICMP errors of routers (RFC 792, RFC 1812, RFC 4443).

use crate::asker::Asker;
use crate::frame::{self, Frame, HOP_LIMIT, Link};
use crate::{Answer, Question, Silence};
use bytes::Bytes;
use smoltcp::wire::{
    EthernetProtocol, IPV4_HEADER_LEN, IPV6_HEADER_LEN, Icmpv4Packet, Icmpv6Packet, IpProtocol, Ipv4Packet, Ipv6Packet,
};
use std::net::{IpAddr, Ipv4Addr};
use weir_model::{MacAddress, NetworkKey, Port, RouterKey, Topology};

/// Bytes of the longest error over IPv4 (RFC 1812 section 4.3.2.3).
const IPV4_MAX: usize = 576;

/// Bytes of the longest error over IPv6 (RFC 4443 section 2.4).
const IPV6_MAX: usize = 1280;

/// Bytes of the header of an error.
const ERROR_LEN: usize = 8;

/// The precedence of what routers say (RFC 1812 section 4.3.2.5), as a code point.
const INTERNETWORK_CONTROL: u8 = 48;

/// Smallest packet that a link must carry for IPv6.
const IPV6_MTU_MIN: u32 = 1280;

/// An error without the packet that it is about: type, code and the second word of its header.
type Error = (u8, u8, u32);

pub(crate) fn answer(
    asker: &Asker<'_>,
    question: Question,
    router: RouterKey,
    arrival: NetworkKey,
    bytes: &[u8],
) -> Result<Answer, Silence> {
    let frame = Frame::read(bytes)?;
    if frame.destination.is_multicast() {
        return Err(Silence::ToMany);
    }
    let ways = Ways::find(asker, router, arrival)?;
    let frame = match frame.ethertype {
        EthernetProtocol::Ipv4 => about_ipv4(asker, question, &frame, &ways),
        EthernetProtocol::Ipv6 => about_ipv6(asker, question, &frame, &ways),
        _ => Err(Silence::Malformed),
    };
    frame.map(Answer::of)
}

/// The interfaces by which a router speaks to the asker.
struct Ways<'a> {
    /// Of the router, where the packet came to it.
    arrival: Vec<&'a Port>,
    /// Of the router itself, then of the others, on the asker's network.
    near: Vec<(bool, &'a Port)>,
}

impl<'a> Ways<'a> {
    fn find(asker: &Asker<'a>, router: RouterKey, arrival: NetworkKey) -> Result<Self, Silence> {
        let topology: &'a Topology = asker.topology;
        let router = topology.router_by_key(router).ok_or(Silence::NoRouter)?;
        let network = topology.network_by_key(arrival).ok_or(Silence::UnknownNetwork)?;
        let of_router = |port: &&Port| topology.router_of(port).is_some_and(|of| of.id == router.id);
        let arrival = topology.interfaces_on(network.id).map(AsRef::as_ref).filter(of_router).collect();
        let near = topology.interfaces_on(asker.network.id).map(|port| (of_router(&port.as_ref()), port.as_ref()));
        let mut near: Vec<_> = near.collect();
        near.sort_by_key(|(own, port)| (!own, port.id));
        Ok(Self { arrival, near })
    }

    /// From which interface the asker gets the error: the one that has the address which the error comes from, another
    /// one of the router, the one that the packet was sent to, or any.
    fn mac(&self, address: IpAddr, sent_to: MacAddress) -> Result<MacAddress, Silence> {
        let holds = |port: &Port| port.fixed_ips.iter().any(|fixed| fixed.ip_address == address);
        let way = self.near.iter().min_by_key(|(own, port)| (!holds(port), !own, port.mac_address != sent_to));
        way.map(|(_, port)| port.mac_address).ok_or(Silence::NoRouterAddress)
    }

    /// The addresses of the router where the packet came to it, those of the source's subnet first.
    fn addresses(&self, topology: &Topology, source: IpAddr) -> Vec<IpAddr> {
        let fixed = self.arrival.iter().flat_map(|port| &port.fixed_ips);
        let mut addresses: Vec<_> = fixed
            .map(|fixed| {
                let near = topology.subnet(fixed.subnet_id).is_some_and(|subnet| subnet.cidr.contains(&source));
                (!near, fixed.ip_address)
            })
            .collect();
        addresses.sort_by_key(|(far, _)| *far);
        addresses.into_iter().map(|(_, address)| address).collect()
    }
}

fn about_ipv4(asker: &Asker<'_>, question: Question, frame: &Frame<'_>, ways: &Ways<'_>) -> Result<Bytes, Silence> {
    let header = frame.payload.get(..IPV4_HEADER_LEN).ok_or(Silence::Malformed)?;
    let packet = Ipv4Packet::new_unchecked(header);
    let (header_len, total_len) = (usize::from(packet.header_len()), usize::from(packet.total_len()));
    // The switch may have cut the packet off, which does not matter here.
    let whole = &frame.payload[..total_len.min(frame.payload.len())];
    if packet.version() != 4 || header_len < IPV4_HEADER_LEN || header_len > whole.len() {
        return Err(Silence::Malformed);
    }
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    if destination.is_multicast() || destination.is_broadcast() {
        return Err(Silence::ToMany);
    }
    if packet.frag_offset() != 0 {
        return Err(Silence::Fragment);
    }
    if !is_somebody(asker, source) {
        return Err(Silence::NobodysSource);
    }
    if packet.next_header() == IpProtocol::Icmp {
        let kind = whole.get(header_len).ok_or(Silence::Malformed)?;
        // Unreachable, source quench, redirect, time exceeded, parameter problem.
        if matches!(kind, 3 | 4 | 5 | 11 | 12) {
            return Err(Silence::AboutError);
        }
    }
    let error: Error = match question {
        Question::TimeExceeded { .. } => (11, 0, 0),
        Question::NoRoute { .. } => (3, 0, 0),
        Question::HostUnreachable { .. } => (3, 1, 0),
        // A switch cannot take packets apart, whether they allow it or not.
        Question::TooBig { network, .. } => (3, 4, mtu(asker.topology, network)?),
        _ => return Err(Silence::Malformed),
    };
    let addresses = ways.addresses(asker.topology, source.into());
    let address = addresses.into_iter().find_map(|address| match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    });
    let address = address.ok_or(Silence::NoRouterAddress)?;
    let mut message = message(error, whole, IPV4_MAX - IPV4_HEADER_LEN);
    Icmpv4Packet::new_unchecked(&mut message).fill_checksum();
    let link = Link { source: ways.mac(address.into(), frame.destination)?, destination: asker.mac(frame.source) };
    frame::ipv4(link, address, source, IpProtocol::Icmp, INTERNETWORK_CONTROL, &message)
}

fn about_ipv6(asker: &Asker<'_>, question: Question, frame: &Frame<'_>, ways: &Ways<'_>) -> Result<Bytes, Silence> {
    let header = frame.payload.get(..IPV6_HEADER_LEN).ok_or(Silence::Malformed)?;
    let packet = Ipv6Packet::new_unchecked(header);
    let whole = &frame.payload[..packet.total_len().min(frame.payload.len())];
    if packet.version() != 6 {
        return Err(Silence::Malformed);
    }
    let (source, destination) = (packet.src_addr(), packet.dst_addr());
    if destination.is_multicast() {
        return Err(Silence::ToMany);
    }
    if source.is_unspecified() || source.is_multicast() || source.is_loopback() {
        return Err(Silence::NobodysSource);
    }
    check_upper_layer(packet.next_header(), &whole[IPV6_HEADER_LEN..])?;
    let error: Error = match question {
        Question::TimeExceeded { .. } => (3, 0, 0),
        Question::NoRoute { .. } => (1, 0, 0),
        Question::HostUnreachable { .. } => (1, 3, 0),
        Question::TooBig { network, .. } => (2, 0, mtu(asker.topology, network)?.max(IPV6_MTU_MIN)),
        _ => return Err(Silence::Malformed),
    };
    let own = ways.arrival.first().map(|port| port.mac_address.link_local());
    let addresses = ways.addresses(asker.topology, source.into());
    let global = addresses.into_iter().find_map(|address| match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    });
    let address = global.or(own).ok_or(Silence::NoRouterAddress)?;
    let mut message = message(error, whole, IPV6_MAX - IPV6_HEADER_LEN);
    Icmpv6Packet::new_unchecked(&mut message).fill_checksum(&address, &source);
    let link = Link { source: ways.mac(address.into(), frame.destination)?, destination: asker.mac(frame.source) };
    frame::ipv6(link, address, source, IpProtocol::Icmpv6, HOP_LIMIT, &message)
}

fn mtu(topology: &Topology, network: NetworkKey) -> Result<u32, Silence> {
    topology.network_by_key(network).map(|network| u32::from(network.mtu)).ok_or(Silence::UnknownNetwork)
}

/// The error with as much of the packet as fits, checksum left out.
fn message((kind, code, word): Error, packet: &[u8], max: usize) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend_from_slice(&word.to_be_bytes());
    message.extend_from_slice(&packet[..packet.len().min(max - ERROR_LEN)]);
    message
}

/// Whether a source is a host that could be told (RFC 1122 section 3.2.2).
fn is_somebody(asker: &Asker<'_>, source: Ipv4Addr) -> bool {
    // From 224.0.0.0 on there are groups, reserved addresses and the broadcast.
    let unicast =
        !source.is_unspecified() && !source.is_loopback() && source.octets()[0] != 0 && source.octets()[0] < 224;
    let of_subnet = |address: IpAddr| {
        asker.topology.subnets_of(asker.network.id).any(|subnet| {
            let whole = matches!(subnet.cidr, ipnet::IpNet::V4(cidr) if cidr.prefix_len() < 31);
            whole && (address == subnet.cidr.broadcast() || address == subnet.cidr.network())
        })
    };
    unicast && !of_subnet(source.into())
}

/// Goes over the extension headers: no error is sent about errors, redirects, and fragments but the first (RFC 4443
/// section 2.4).
fn check_upper_layer(mut next: IpProtocol, mut rest: &[u8]) -> Result<(), Silence> {
    loop {
        let length = match next {
            IpProtocol::HopByHop | IpProtocol::Ipv6Route | IpProtocol::Ipv6Opts => {
                (usize::from(*rest.get(1).ok_or(Silence::Malformed)?) + 1) * 8
            }
            IpProtocol::Ipv6Frag => {
                let [_, _, high, low, ..] = rest else { return Err(Silence::Malformed) };
                if u16::from_be_bytes([*high, *low]) >> 3 != 0 {
                    return Err(Silence::Fragment);
                }
                8
            }
            IpProtocol::IpSecAh => (usize::from(*rest.get(1).ok_or(Silence::Malformed)?) + 2) * 4,
            IpProtocol::Icmpv6 => {
                const REDIRECT: u8 = 137;
                let kind = *rest.first().ok_or(Silence::Malformed)?;
                return if kind < 128 || kind == REDIRECT { Err(Silence::AboutError) } else { Ok(()) };
            }
            _ => return Ok(()),
        };
        next = IpProtocol::from(*rest.first().ok_or(Silence::Malformed)?);
        rest = rest.get(length..).ok_or(Silence::Malformed)?;
    }
}

#[cfg(test)]
mod tests;
