//! What becomes of packets to routers and to services.

use crate::sketch::{Sketch, mac, port_id, v4, v6};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{NetworkKey, RouterKey, Topology};
use weir_sim::oracle::{self, Answer, Echo, PuntKind, SERVICE_MAC, Verdict};
use weir_sim::packet::{Frame, NeighbourAdvertisement, Packet};

/// VM 11 on network 1 behind router 1, whose interfaces are ports 101 and 102 on networks 1 and 2; VM 12 on network 2.
fn two_networks() -> Sketch {
    let mut sketch = Sketch::default();
    sketch.network(1);
    sketch.network(2);
    sketch.group(1);
    sketch.vm(11, 1, 1);
    sketch.vm(12, 2, 2);
    sketch.router(1, &[]);
    sketch.interface(101, 1, 1, 1);
    sketch.interface(102, 1, 2, 1);
    sketch
}

fn to_router(ttl: u8) -> Frame {
    Frame::new(mac(11), mac(101)).ttl(ttl)
}

fn to(ttl: u8, destination: IpAddr) -> Packet {
    let source = if destination.is_ipv4() { v4(1, 11) } else { v6(1, 11) };
    to_router(ttl).udp(source, destination, 5000, 53, b"question")
}

fn verdict(topology: &Topology, packet: &Packet) -> Verdict {
    oracle::verdict(topology, port_id(11), packet)
}

/// Why and in which network the controller is asked, and by which router.
fn punt(verdict: &Verdict) -> (PuntKind, u32, Option<(u32, u32)>) {
    let punt = verdict.punt.unwrap();
    assert!(verdict.deliveries.is_empty() && verdict.answer.is_none(), "{verdict:?}");
    let router = punt.router.map(|(RouterKey(router), NetworkKey(arrival))| (router, arrival));
    (punt.kind, punt.network.0, router)
}

#[test]
fn a_router_changes_addresses_and_ttl_and_nothing_else() {
    let topology = two_networks().topology();
    for address in [v4, v6] {
        let verdict = verdict(&topology, &to(64, address(2, 12)));
        let routed = Frame::new(mac(102), mac(12)).ttl(63);
        let routed = routed.udp(address(1, 11), address(2, 12), 5000, 53, b"question");
        assert_eq!(verdict.deliveries.into_iter().collect::<Vec<_>>(), [(port_id(12), routed)]);
    }
}

#[test]
fn a_router_tells_the_sender_what_is_wrong() {
    let mut sketch = two_networks();
    sketch.networks[1].mtu = 1280;
    let topology = sketch.topology();
    for address in [v4, v6] {
        let asked = |packet: &Packet| punt(&verdict(&topology, packet));
        assert_eq!(asked(&to(1, address(2, 12))), (PuntKind::TimeExceeded, 1, Some((1, 1))));
        assert_eq!(asked(&to(64, address(9, 9))), (PuntKind::NoRoute, 1, Some((1, 1))));
        assert_eq!(asked(&to(64, address(2, 99))), (PuntKind::HostUnreachable, 2, Some((1, 1))));
        let headers = if address(1, 1).is_ipv4() { 28 } else { 48 };
        let long =
            |length: usize| to_router(64).udp(address(1, 11), address(2, 12), 5000, 53, &vec![0; length - headers]);
        assert_eq!(asked(&long(1281)), (PuntKind::TooBig, 2, Some((1, 1))));
        assert_eq!(verdict(&topology, &long(1280)).deliveries.len(), 1, "as long as may be");
    }
}

#[test]
fn who_is_not_bound_is_unknown_and_who_is_not_plugged_gets_nothing() {
    let mut sketch = two_networks();
    sketch.unplugged.insert(port_id(12));
    let unplugged = verdict(&sketch.topology(), &to(64, v4(2, 12)));
    assert!(unplugged.deliveries.is_empty() && unplugged.punt.is_none());
    assert!(unplugged.toward.contains(&port_id(12)), "the sender's hypervisor does not know");
    sketch.ports[1].binding.host = None;
    let unbound = verdict(&sketch.topology(), &to(64, v4(2, 12)));
    assert_eq!(punt(&unbound).0, PuntKind::HostUnreachable);
}

#[test]
fn a_router_answers_pings_to_any_of_its_addresses() {
    let topology = two_networks().topology();
    let own = IpAddr::V6(oracle::link_local(mac(101).to_u64()));
    for (source, destination) in [(v4(1, 11), v4(1, 1)), (v4(1, 11), v4(2, 1)), (v6(1, 11), v6(2, 1)), (v6(1, 11), own)]
    {
        let request = to_router(1).echo(source, destination, 7, false);
        let verdict = verdict(&topology, &request);
        assert_eq!(verdict.answer, Some(Answer::Echo(Echo { request, mac: Some(mac(101)) })), "{destination}");
        let reply = Frame::new(mac(101), mac(11)).echo(destination, source, 7, true);
        assert!(verdict.answer.is_some_and(|answer| answer.is(&reply)));
    }
    let other = verdict(&topology, &to(64, v4(1, 1)));
    assert_eq!((other.answer, other.punt), (None, None), "a router only answers pings");
}

#[test]
fn a_router_is_found_by_its_addresses_while_it_is_up() {
    let mut sketch = two_networks();
    let question = Frame::broadcast(mac(11)).arp_request(Ipv4Addr::new(10, 0, 1, 11), Ipv4Addr::new(10, 0, 1, 1));
    let reply = Frame::new(mac(101), mac(11)).arp_reply([10, 0, 1, 1].into(), [10, 0, 1, 11].into());
    let own = oracle::link_local(mac(101).to_u64());
    let asker = oracle::link_local(mac(11).to_u64());
    let solicitation = Frame::broadcast(mac(11)).solicitation(asker, own, Some(mac(11)));
    let said =
        NeighbourAdvertisement { src: own, dst: asker, target: own, address: Some(mac(101)), flags: 0xe000_0000 };
    let advertisement = Frame::new(mac(101), mac(11)).advertisement(&said);
    let host = NeighbourAdvertisement { flags: 0x6000_0000, ..said };
    let topology = sketch.topology();
    assert!(verdict(&topology, &question).answer.is_some_and(|answer| answer.is(&reply)));
    let answer = verdict(&topology, &solicitation).answer.unwrap();
    assert!(answer.is(&advertisement));
    assert!(!answer.is(&Frame::new(mac(101), mac(11)).advertisement(&host)), "a router says that it is one");
    sketch.routers[0].admin_state_up = false;
    let topology = sketch.topology();
    assert_eq!(verdict(&topology, &question).answer, None);
    assert_eq!(
        verdict(&topology, &to(64, v4(2, 12))),
        Verdict { reason: "to who has the address", ..Verdict::default() }
    );
}

#[test]
fn the_longest_prefix_wins_and_then_the_connected_one() {
    let mut sketch = two_networks();
    sketch.vm(13, 2, 1);
    sketch.routers.clear();
    let router = sketch.router(
        1,
        &[("0.0.0.0/0", v4(2, 12)), ("10.0.2.0/24", v4(2, 13)), ("10.0.2.128/25", v4(2, 13)), ("0.0.0.0/0", v4(2, 13))],
    );
    assert!(router.admin_state_up);
    let topology = sketch.topology();
    let receiver = |destination| verdict(&topology, &to(64, destination)).deliveries.into_keys().next();
    assert_eq!(receiver(v4(9, 9)), Some(port_id(12)), "the first of two routes to one prefix");
    assert_eq!(receiver(v4(2, 12)), Some(port_id(12)), "the connected network before a route to it");
    assert_eq!(receiver(v4(2, 200)), Some(port_id(13)), "a longer prefix before the connected network");
}

#[test]
fn routers_form_chains_of_limited_length() {
    // Router n leads from network n to network n + 1, and sends everything else to the next one.
    let mut sketch = Sketch::default();
    sketch.group(1);
    for number in 1..=10 {
        sketch.network(number);
    }
    sketch.vm(11, 1, 1);
    for number in 1..=9 {
        sketch.router(number, &[("0.0.0.0/0", v4(number + 1, 1))]);
        sketch.interface(100 + 2 * number, number, number, 1);
        sketch.interface(101 + 2 * number, number, number + 1, 2);
    }
    sketch.vm(29, 9, 1);
    sketch.vm(30, 10, 1);
    let topology = sketch.topology();
    let packet = |ttl, destination| Frame::new(mac(11), mac(102)).ttl(ttl).udp(v4(1, 11), destination, 5000, 53, b"?");
    let eight = verdict(&topology, &packet(9, v4(9, 29)));
    assert_eq!(
        eight.deliveries[&port_id(29)],
        Frame::new(mac(117), mac(29)).ttl(1).udp(v4(1, 11), v4(9, 29), 5000, 53, b"?")
    );
    let nine = verdict(&topology, &packet(64, v4(10, 30)));
    assert!(nine.deliveries.is_empty() && nine.punt.is_none(), "{nine:?}");
    let exceeded = verdict(&topology, &packet(3, v4(9, 29)));
    assert_eq!(punt(&exceeded), (PuntKind::TimeExceeded, 3, Some((3, 3))));
}

#[test]
fn networks_that_are_down_and_links_are_not_left() {
    let mut sketch = two_networks();
    let multicast: IpAddr = Ipv4Addr::new(224, 0, 0, 5).into();
    let neighbour = IpAddr::V6(oracle::link_local(mac(12).to_u64()));
    let topology = sketch.topology();
    for destination in [multicast, neighbour, Ipv6Addr::new(0xff05, 0, 0, 0, 0, 0, 0, 5).into()] {
        let verdict = verdict(&topology, &to(64, destination));
        assert!(verdict.punt.is_none() && verdict.deliveries.is_empty(), "{destination}");
    }
    sketch.networks[1].admin_state_up = false;
    let topology = sketch.topology();
    let down = verdict(&topology, &to(64, v4(2, 12)));
    assert!(down.punt.is_none() && down.deliveries.is_empty() && down.toward.is_empty());
    let ping = verdict(&topology, &to_router(64).echo(v4(1, 11), v4(2, 1), 7, false));
    assert!(ping.answer.is_some(), "the router itself is up");
}

#[test]
fn services_get_what_is_asked_of_them() {
    let mut sketch = two_networks();
    let any4 = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    let link = IpAddr::V6(oracle::link_local(mac(11).to_u64()));
    let discover = Frame::broadcast(mac(11)).udp(any4, IpAddr::V4(Ipv4Addr::BROADCAST), 68, 67, b"");
    let solicit = Frame::broadcast(mac(11)).udp(link, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2).into(), 546, 547, b"");
    let routers =
        Frame::broadcast(mac(11)).icmp(link, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2).into(), 133, 0, &[0; 4]);
    for packet in [&discover, &solicit, &routers] {
        assert!(verdict(&sketch.topology(), packet).flooded, "nobody serves");
    }
    sketch.serve(1);
    let topology = sketch.topology();
    assert_eq!(punt(&verdict(&topology, &discover)), (PuntKind::Dhcpv4, 1, None));
    assert_eq!(punt(&verdict(&topology, &solicit)), (PuntKind::Dhcpv6, 1, None));
    assert_eq!(punt(&verdict(&topology, &routers)), (PuntKind::RouterSolicitation, 1, None));
    sketch.routers[0].admin_state_up = false;
    assert!(verdict(&sketch.topology(), &routers).flooded, "the router is down");
    // Without the router the gateway is nobody's, and the DHCP server is found there.
    sketch.ports.retain(|port| port.device_id.is_empty());
    let question = Frame::broadcast(mac(11)).arp_request(Ipv4Addr::new(10, 0, 1, 11), Ipv4Addr::new(10, 0, 1, 1));
    let reply = Frame::new(SERVICE_MAC, mac(11)).arp_reply([10, 0, 1, 1].into(), [10, 0, 1, 11].into());
    assert!(verdict(&sketch.topology(), &question).answer.is_some_and(|answer| answer.is(&reply)));
}
