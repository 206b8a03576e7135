//! Packets of VMs.

use super::{any_port, router::distant};
use crate::packet::{Frame, NeighbourAdvertisement, Packet};
use crate::seed::Seed;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{MacAddress, Port, Topology};

/// Ports that rules are about, and others.
const PORTS: [u16; 6] = [22, 53, 80, 80, 443, 8080];

/// A packet that the VM behind a port might send: honest, forged, to the own network, to a router or to another's.
pub fn packet(seed: &mut Seed, topology: &Topology, from: &Port) -> Packet {
    if seed.chance(2, 5)
        && let Some(packet) = by_router(seed, topology, from)
    {
        return packet;
    }
    if seed.chance(1, 20) {
        return to_service(seed, from);
    }
    if seed.chance(1, 3)
        && let Some(packet) = honest(seed, topology, from)
    {
        return packet;
    }
    strange(seed, topology, from)
}

/// A packet to a router: for another network, for nobody, for the router itself, on its last hop, too long.
fn by_router(seed: &mut Seed, topology: &Topology, from: &Port) -> Option<Packet> {
    let interfaces: Vec<&Port> = topology.interfaces_on(from.network_id).map(AsRef::as_ref).collect();
    let interface = *seed.pick(&interfaces)?;
    let v4 = seed.chance(1, 2);
    let ttl = if seed.chance(1, 5) { 1 + seed.below(12) as u8 } else { 64 };
    let frame = Frame::new(from.mac_address, interface.mac_address).ttl(ttl);
    let source = own(seed, from, v4)?;
    let router = topology.router_of(interface)?;
    let own_addresses = topology.interfaces_of(router.id).flat_map(|port| &port.fixed_ips);
    let own_addresses: Vec<IpAddr> =
        own_addresses.map(|fixed| fixed.ip_address).filter(|address| address.is_ipv4() == v4).collect();
    let behind = topology.interfaces_of(router.id).filter(|port| port.network_id != from.network_id);
    let behind: Vec<&Port> = behind.flat_map(|port| topology.ports_of(port.network_id)).map(AsRef::as_ref).collect();
    let mut to = match seed.pick(&behind) {
        Some(port) if seed.chance(2, 3) => own(seed, port, v4),
        _ => distant(seed, topology, v4),
    };
    if seed.chance(1, 6) {
        to = seed.pick(&own_addresses).copied();
        if !v4 && seed.chance(1, 4) {
            to = Some(IpAddr::V6(crate::oracle::link_local(interface.mac_address.to_u64())));
        }
        return Some(frame.echo(source, to?, ephemeral(seed), false));
    }
    let to = to?;
    if seed.chance(1, 6) {
        let mtu = usize::from(topology.network(from.network_id)?.mtu);
        // As long as the own network takes, or as the smallest does, less the headers.
        let length = [1280, 1281, 1400, 1401, mtu][seed.below(5)].min(mtu) - if v4 { 28 } else { 48 };
        return Some(frame.udp(source, to, ephemeral(seed), 53, &vec![7; length]));
    }
    Some(talk(seed, &frame, source, to))
}

/// A question of a booting VM.
fn to_service(seed: &mut Seed, from: &Port) -> Packet {
    let link = IpAddr::V6(crate::oracle::link_local(from.mac_address.to_u64()));
    let group = |last: u16, scope: u16| IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, scope, last));
    let to = |last: u8| Frame::new(from.mac_address, MacAddress([0x33, 0x33, 0, 0, 0, last]));
    match seed.below(4) {
        0 => {
            let (source, all) = (Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::BROADCAST.into());
            Frame::broadcast(from.mac_address).udp(source, all, 68, 67, b"discover")
        }
        1 => to(2).udp(link, group(2, 1), 546, 547, b"solicit"),
        _ => to(2).ttl(255).icmp(link, group(2, 0), 133, 0, &[0; 4]),
    }
}

/// A packet to a neighbour, which is what it says it is.
fn honest(seed: &mut Seed, topology: &Topology, from: &Port) -> Option<Packet> {
    let neighbours: Vec<&Port> = topology
        .ports_of(from.network_id)
        .filter(|port| port.id != from.id && topology.bound_host(port).is_some())
        .map(AsRef::as_ref)
        .collect();
    let to = *seed.pick(&neighbours)?;
    let v4 = seed.chance(1, 2);
    let (source, destination) = (own(seed, from, v4)?, own(seed, to, v4)?);
    Some(talk(seed, &Frame::new(from.mac_address, to.mac_address), source, destination))
}

/// One of the port's own addresses.
fn own(seed: &mut Seed, port: &Port, v4: bool) -> Option<IpAddr> {
    let own: Vec<IpAddr> =
        port.fixed_ips.iter().map(|fixed| fixed.ip_address).filter(|address| address.is_ipv4() == v4).collect();
    seed.pick(&own).copied()
}

/// A port that nobody else uses at the moment.
fn ephemeral(seed: &mut Seed) -> u16 {
    32_768 + seed.below(32_768) as u16
}

/// What begins a conversation, or might be the middle of one.
fn talk(seed: &mut Seed, frame: &Frame, source: IpAddr, destination: IpAddr) -> Packet {
    let (own, other) = (ephemeral(seed), seed.pick(&PORTS).copied().unwrap_or(80));
    match seed.below(16) {
        0..5 => frame.tcp(source, destination, own, other, 2),
        5 => frame.tcp(source, destination, own, other, [0x10, 0x12, 0x11, 4, 3][seed.below(5)]),
        6..10 => frame.udp(source, destination, own, other, b"question"),
        10..13 => frame.echo(source, destination, own, seed.chance(1, 8)),
        13 => frame.sctp(source, destination, own, other),
        14 => frame.ip(source, destination, [47, 112][seed.below(2)], &[0; 24]),
        _ => {
            let kind = if source.is_ipv4() { [3, 5, 9, 13][seed.below(4)] } else { [1, 3, 100, 137][seed.below(4)] };
            frame.icmp(source, destination, kind, 0, &[0; 28])
        }
    }
}

/// A packet of any kind, perhaps forged.
fn strange(seed: &mut Seed, topology: &Topology, from: &Port) -> Packet {
    let to = any_port(seed, topology).filter(|_| seed.chance(1, 3));
    let neighbours: Vec<_> = topology.ports_of(from.network_id).map(AsRef::as_ref).collect();
    let to = to.or_else(|| seed.pick(&neighbours).copied()).unwrap_or(from);
    let pairs: Vec<_> = from.allowed_address_pairs.iter().map(|pair| pair.mac_address).collect();
    let src = match seed.below(20) {
        0 => MacAddress([2, 0, 0, 0, 0, 9]),
        1 => to.mac_address,
        2 => MacAddress([1, 0, 0, 0, 0, 9]),
        3 => seed.pick(&pairs).copied().unwrap_or(from.mac_address),
        _ => from.mac_address,
    };
    let pairs: Vec<_> = to.allowed_address_pairs.iter().map(|pair| pair.mac_address).collect();
    let dst = match seed.below(8) {
        0 => MacAddress([0xff; 6]),
        1 => MacAddress([0x33, 0x33, 0, 0, 0, 1]),
        2 => seed.pick(&pairs).copied().unwrap_or(to.mac_address),
        3 => MacAddress([2, 0, 0, 0, 0, 9]),
        _ => to.mac_address,
    };
    let mut frame = Frame::new(src, dst);
    if seed.chance(1, 20) {
        frame = frame.tagged(7);
    }
    let four = |seed: &mut Seed, port: &Port| address(seed, port, true);
    let six = |seed: &mut Seed, port: &Port| address(seed, port, false);
    let (from4, to4) = (four(seed, from), four(seed, to));
    let (from6, to6) = (six(seed, from), six(seed, to));
    let (v4, v6) = ((as_v4(from4), as_v4(to4)), (as_v6(from6), as_v6(to6)));
    match seed.below(20) {
        0..3 => Frame::broadcast(src).arp_request(v4.0, v4.1),
        3 => Frame::broadcast(src).arp_request(Ipv4Addr::UNSPECIFIED, v4.1),
        4 => frame.arp_request(v4.0, v4.1),
        5 => frame.arp_reply(v4.0, v4.1),
        6 => frame.arp(1, to.mac_address, v4.0, MacAddress([0; 6]), v4.1),
        7..9 => frame.solicitation(v6.0, v6.1, seed.chance(3, 4).then_some(src)),
        9 => frame.solicitation(Ipv6Addr::UNSPECIFIED, v6.1, None),
        10 => frame.advertisement(&NeighbourAdvertisement {
            src: v6.0,
            dst: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
            target: if seed.chance(1, 2) { v6.0 } else { v6.1 },
            address: seed.chance(2, 3).then_some(src),
            flags: 0x2000_0000,
        }),
        11 => {
            let (sport, dport) = [(68, 67), (67, 68), (547, 546), (546, 547)][seed.below(4)];
            let source = if seed.chance(1, 2) { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { from4 };
            if sport < 100 {
                let frame = if seed.chance(1, 2) { Frame::broadcast(src) } else { frame };
                frame.udp(source, IpAddr::V4(Ipv4Addr::BROADCAST), sport, dport, b"dhcp")
            } else {
                frame.udp(from6, to6, sport, dport, b"dhcp")
            }
        }
        12 => {
            let kind = [128, 131, 133, 134, 143][seed.below(5)];
            let source = if seed.chance(1, 2) { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { from6 };
            frame.icmp(source, IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2)), kind, 0, &[0; 4])
        }
        13 => frame.raw(0x88b5, &[0; 46]),
        14 | 15 => frame.echo(from6, to6, 1, false),
        16 => frame.tcp(from6, to6, 1000, 80, 2),
        17 => frame.udp(from4, to4, 1000, 53, b"?"),
        18 => frame.tcp(from4, to4, 1000, 80, 2),
        _ => frame.echo(from4, to4, 1, false),
    }
}

/// An address of the port, rarely one that is not its own.
fn address(seed: &mut Seed, port: &Port, v4: bool) -> IpAddr {
    let link_local = IpAddr::V6(crate::oracle::link_local(port.mac_address.to_u64()));
    let mut own: Vec<IpAddr> = port.fixed_ips.iter().map(|fixed| fixed.ip_address).collect();
    own.extend(port.allowed_address_pairs.iter().map(|pair| pair.ip_address.addr()));
    own.push(link_local);
    own.retain(|address| address.is_ipv4() == v4);
    let forged: IpAddr =
        if v4 { [10, 0, 0, 77].into() } else { IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x77)) };
    if seed.chance(1, 16) { forged } else { seed.pick(&own).copied().unwrap_or(forged) }
}

fn as_v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
