//! What security groups let pass, and what hypervisors remember.

use crate::sketch::{Sketch, group_id, mac, port_id, v4, v6};
use std::net::IpAddr;
use std::time::Duration;
use weir_model::Direction::{Egress, Ingress};
use weir_model::{Direction, Ethertype, HostName, Remote};
use weir_sim::firewall::{Firewall, Ruling, View};
use weir_sim::judge::Judge;
use weir_sim::packet::{Frame, Packet};

const TCP: u8 = 6;
const UDP: u8 = 17;

/// VMs 11 on hypervisor 1 with group 1, and 12 on hypervisor `host` with group 2. Group 1 lets everything out, group 2
/// lets DNS in.
fn client_and_server(host: u32) -> Sketch {
    let mut sketch = Sketch::default();
    sketch.network(1);
    sketch.group(1);
    sketch.group(2);
    sketch.vm(11, 1, 1);
    sketch.vm(12, 1, host).security_groups = vec![group_id(2)];
    sketch.rule(1, Egress);
    sketch.about(2, Ingress, UDP, (53, 53));
    sketch
}

fn frame(from: u32, to: u32) -> Frame {
    Frame::new(mac(from), mac(to))
}

fn question() -> Packet {
    frame(11, 12).udp(v4(1, 11), v4(1, 12), 5000, 53, b"question")
}

fn answer() -> Packet {
    frame(12, 11).udp(v4(1, 12), v4(1, 11), 53, 5000, b"answer")
}

/// An ICMP error about a packet, from who got it.
fn error(from: u32, to: u32, about: &Packet) -> Packet {
    let quoted = [&[0; 4][..], &about.bytes()[14..]].concat();
    frame(from, to).icmp(v4(1, from), v4(1, to), 3, 3, &quoted)
}

fn passes(judge: &mut Judge, sketch: &Sketch, packet: &Packet) -> bool {
    let from = port_id(packet.eth_src() as u32 & 0xff);
    !judge.verdict(&sketch.topology(), Duration::ZERO, from, packet).deliveries.is_empty()
}

#[test]
fn answers_pass_only_after_questions() {
    for host in [1, 2] {
        let sketch = client_and_server(host);
        let mut judge = Judge::new();
        assert!(!passes(&mut judge, &sketch, &answer()), "an answer to nothing");
        assert!(!passes(&mut judge, &sketch, &error(12, 11, &question())), "an error about nothing");
        assert!(passes(&mut judge, &sketch, &question()));
        assert!(passes(&mut judge, &sketch, &answer()));
        assert!(passes(&mut judge, &sketch, &error(12, 11, &question())), "an error about the question");
        assert!(passes(&mut judge, &sketch, &error(11, 12, &answer())), "an error about the answer");
        let other = frame(12, 11).udp(v4(1, 12), v4(1, 11), 53, 5001, b"answer");
        assert!(!passes(&mut judge, &sketch, &other), "an answer to another question");
        let refused = frame(11, 12).udp(v4(1, 11), v4(1, 12), 5000, 54, b"question");
        assert!(!passes(&mut judge, &sketch, &refused));
    }
}

#[test]
fn who_loses_a_permission_loses_its_connections_until_it_has_it_again() {
    for (host, lost) in [(1, 0), (1, 1), (2, 0), (2, 1)] {
        let whole = client_and_server(host);
        let mut less = whole.clone();
        less.rules.remove(lost);
        let mut judge = Judge::new();
        assert!(passes(&mut judge, &whole, &question()));
        for packet in [question(), answer(), error(12, 11, &question())] {
            assert!(!passes(&mut judge, &less, &packet), "rule {lost} is gone: {packet}");
            assert!(passes(&mut judge, &whole, &packet), "rule {lost} is back: {packet}");
        }
    }
}

#[test]
fn each_hypervisor_remembers_what_it_saw() {
    let mut sketch = client_and_server(2);
    let mut judge = Judge::new();
    assert!(passes(&mut judge, &sketch, &question()));
    judge.forget(&HostName::from("host2"));
    assert!(!passes(&mut judge, &sketch, &answer()), "the server's side may not begin");
    sketch.about(2, Egress, UDP, (5000, 5000));
    assert!(passes(&mut judge, &sketch, &answer()), "the client's side remembers the question");
    judge.forget(&HostName::from("host1"));
    assert!(!passes(&mut judge, &sketch, &answer()), "the client's side would have to let it in");
}

#[test]
fn what_a_refused_question_left_at_its_sender_lets_the_answer_in() {
    let mut sketch = client_and_server(2);
    let mut judge = Judge::new();
    let question = frame(11, 12).udp(v4(1, 11), v4(1, 12), 5000, 99, b"question");
    let answer = frame(12, 11).udp(v4(1, 12), v4(1, 11), 99, 5000, b"answer");
    assert!(!passes(&mut judge, &sketch, &question), "the server refuses it");
    sketch.rule(2, Egress);
    assert!(passes(&mut judge, &sketch, &answer), "the client's hypervisor does not know");
    sketch.ports[1].binding.host = Some(HostName::from("host1"));
    let mut judge = Judge::new();
    assert!(!passes(&mut judge, &sketch, &question));
    assert!(!passes(&mut judge, &sketch, &answer), "one hypervisor knows of both");
}

#[test]
fn a_zone_that_is_not_needed_is_forgotten() {
    let sketch = client_and_server(2);
    let mut judge = Judge::new();
    assert!(passes(&mut judge, &sketch, &question()));
    let mut moved = sketch.clone();
    moved.ports[1].binding.host = Some(HostName::from("host3"));
    judge.follow(&moved.topology());
    assert!(!passes(&mut judge, &sketch, &answer()), "the second hypervisor had no port of the network for a while");
}

#[test]
fn stateless_groups_judge_each_packet() {
    let mut sketch = client_and_server(2);
    sketch.groups.iter_mut().for_each(|group| group.stateful = false);
    let mut judge = Judge::new();
    assert!(passes(&mut judge, &sketch, &question()));
    assert!(!passes(&mut judge, &sketch, &answer()), "nothing is remembered");
    sketch.about(2, Egress, UDP, (5000, 5000));
    assert!(!passes(&mut judge, &sketch, &answer()), "the client has to let it in too");
    sketch.about(1, Ingress, UDP, (5000, 5000));
    assert!(passes(&mut judge, &sketch, &answer()));
}

#[test]
fn without_port_security_a_side_filters_nothing() {
    let mut sketch = client_and_server(2);
    let server = &mut sketch.ports[1];
    (server.port_security_enabled, server.security_groups) = (false, Vec::new());
    let mut judge = Judge::new();
    let unknown = frame(12, 11).raw(0x88b5, &[0; 46]);
    assert!(!passes(&mut judge, &sketch, &unknown), "the other side takes IP only");
    assert!(passes(&mut judge, &sketch, &frame(11, 12).tcp(v4(1, 11), v4(1, 12), 5000, 80, 2)));
    assert!(!passes(&mut judge, &sketch, &frame(12, 11).tcp(v4(1, 12), v4(1, 11), 5000, 80, 2)));
    let client = &mut sketch.ports[0];
    (client.port_security_enabled, client.security_groups) = (false, Vec::new());
    assert!(passes(&mut judge, &sketch, &unknown));
}

#[test]
fn tcp_goes_on_from_the_middle_and_begins_anew() {
    let mut sketch = client_and_server(2);
    sketch.about(2, Ingress, TCP, (80, 80));
    let mut judge = Judge::new();
    let out = |flags| frame(11, 12).tcp(v4(1, 11), v4(1, 12), 5000, 80, flags);
    let back = |flags| frame(12, 11).tcp(v4(1, 12), v4(1, 11), 80, 5000, flags);
    assert!(!passes(&mut judge, &sketch, &out(0x12)), "the second packet of a connection does not begin one");
    assert!(passes(&mut judge, &sketch, &out(0x10)), "one that was there before is picked up");
    assert!(passes(&mut judge, &sketch, &back(0x10)));
    assert!(!passes(&mut judge, &sketch, &out(3)), "no TCP stack sends that");
    assert!(passes(&mut judge, &sketch, &out(4)));
    assert!(!passes(&mut judge, &sketch, &back(2)), "the server may not begin one");
    assert!(passes(&mut judge, &sketch, &out(2)));
    assert!(passes(&mut judge, &sketch, &back(0x12)));
}

#[test]
fn other_protocols_have_connections_too() {
    let mut sketch = client_and_server(2);
    sketch.rule(2, Ingress).protocol = Some(weir_model::Protocol { number: 47, word: "gre".to_owned() });
    sketch.about(2, Ingress, 132, (80, 80));
    let mut judge = Judge::new();
    let gre = |from: u32, to: u32| frame(from, to).ip(v4(1, from), v4(1, to), 47, &[0; 24]);
    assert!(!passes(&mut judge, &sketch, &gre(12, 11)));
    assert!(passes(&mut judge, &sketch, &gre(11, 12)));
    assert!(passes(&mut judge, &sketch, &gre(12, 11)));
    assert!(!passes(&mut judge, &sketch, &frame(11, 12).sctp(v4(1, 11), v4(1, 12), 5000, 81)));
    assert!(passes(&mut judge, &sketch, &frame(11, 12).sctp(v4(1, 11), v4(1, 12), 5000, 80)));
    assert!(passes(&mut judge, &sketch, &frame(12, 11).sctp(v4(1, 12), v4(1, 11), 80, 5000)));
}

#[test]
fn what_links_are_made_of_passes_anyway() {
    let mut sketch = client_and_server(2);
    sketch.rules.clear();
    let topology = sketch.topology();
    let mut firewall = Firewall::new();
    let (src, dst) = (v6(1, 11), v6(1, 12));
    for kind in [130, 131, 132, 133, 134, 135, 136, 143] {
        let packet = frame(11, 12).icmp(src, dst, kind, 0, &[0; 20]);
        assert_eq!(firewall.judge(&topology, port_id(11), port_id(12), false, &packet), Ruling::Passes, "type {kind}");
    }
    let arp = frame(11, 12).arp_reply([10, 0, 1, 11].into(), [10, 0, 1, 12].into());
    assert_eq!(firewall.judge(&topology, port_id(11), port_id(12), false, &arp), Ruling::Passes);
    for packet in [frame(11, 12).icmp(src, dst, 137, 0, &[0; 20]), frame(11, 12).raw(0x88b5, &[0; 46])] {
        assert_eq!(firewall.judge(&topology, port_id(11), port_id(12), false, &packet), Ruling::RefusedToSender);
    }
}

#[test]
fn broadcasts_are_judged_by_themselves_for_each_receiver() {
    let mut sketch = client_and_server(2);
    sketch.vm(13, 1, 2);
    let all = Frame::broadcast(mac(11)).udp(v4(1, 11), IpAddr::from([255; 4]), 5000, 53, b"");
    let mut judge = Judge::new();
    let receivers = |judge: &mut Judge, sketch: &Sketch| {
        judge.verdict(&sketch.topology(), Duration::ZERO, port_id(11), &all).deliveries.into_keys().collect::<Vec<_>>()
    };
    assert_eq!(receivers(&mut judge, &sketch), [port_id(12)], "the third lets nothing in");
    assert!(!passes(&mut judge, &sketch, &answer()), "no connection is made");
    sketch.rules.remove(0);
    assert_eq!(receivers(&mut judge, &sketch), []);
}

#[test]
fn connections_through_routers_are_followed_on_both_sides() {
    for host in [1, 2] {
        let mut sketch = client_and_server(1);
        sketch.network(2);
        sketch.vm(14, 2, host).security_groups = vec![group_id(2)];
        sketch.router(1, &[]);
        sketch.interface(101, 1, 1, 1);
        sketch.interface(102, 1, 2, 1);
        let question = frame(11, 101).udp(v4(1, 11), v4(2, 14), 5000, 53, b"question");
        let answer = frame(14, 102).udp(v4(2, 14), v4(1, 11), 53, 5000, b"answer");
        let mut judge = Judge::new();
        assert!(!passes(&mut judge, &sketch, &answer));
        assert!(passes(&mut judge, &sketch, &question));
        assert!(passes(&mut judge, &sketch, &answer));
        let ping = frame(11, 101).echo(v4(1, 11), v4(1, 1), 7, false);
        let verdict = judge.verdict(&sketch.topology(), Duration::ZERO, port_id(11), &ping);
        assert!(verdict.answer.is_some(), "the gateway answers who may ask");
        sketch.rules.remove(0);
        let verdict = judge.verdict(&sketch.topology(), Duration::ZERO, port_id(11), &ping);
        assert_eq!(verdict.answer, None, "nothing may leave");
        assert!(!passes(&mut judge, &sketch, &answer));
    }
}

/// Whether a rule lets VM 12 have a packet from VM 11.
fn permits(sketch: &Sketch, direction: Direction, packet: &Packet) -> bool {
    let topology = sketch.topology();
    let port = topology.port(port_id(12)).unwrap();
    Firewall::permits(&topology, port, direction, &View::of(packet).unwrap())
}

#[test]
fn remotes_are_prefixes_members_and_address_groups() {
    let base = {
        let mut sketch = client_and_server(2);
        sketch.rules.clear();
        sketch
    };
    let with = |remote| {
        let mut sketch = base.clone();
        sketch.rule(2, Ingress).remote = remote;
        sketch
    };
    let from = |host| frame(11, 12).udp(v4(1, host), v4(1, 12), 5000, 53, b"");
    let prefix = with(Remote::Prefix("10.0.1.9/29".parse().unwrap()));
    assert!(permits(&prefix, Ingress, &from(11)) && !permits(&prefix, Ingress, &from(16)), "host bits do not count");
    assert!(!permits(&prefix, Egress, &from(11)));
    let group = with(Remote::Group(group_id(1)));
    assert!(permits(&group, Ingress, &from(11)) && !permits(&group, Ingress, &from(12)));
    let mut pair = with(Remote::Group(group_id(2)));
    pair.pair("10.0.1.64/26", mac(12));
    assert!(permits(&pair, Ingress, &from(100)) && permits(&pair, Ingress, &from(12)));
    let mut addresses = base.clone();
    let id = addresses.address_group(1, &["10.0.1.11/32", "fd00:1::/64"]);
    addresses.rule(2, Ingress).remote = Remote::Addresses(id);
    assert!(permits(&addresses, Ingress, &from(11)) && !permits(&addresses, Ingress, &from(12)));
    let v6_packet = frame(11, 12).udp(v6(1, 11), v6(1, 12), 5000, 53, b"");
    assert!(!permits(&addresses, Ingress, &v6_packet), "the rule is of IPv4");
}

#[test]
fn icmp_is_told_apart_by_type_and_code_and_version() {
    let mut sketch = client_and_server(2);
    sketch.rules.clear();
    sketch.about(2, Ingress, 1, (8, 0));
    sketch.about(2, Ingress, 1, (128, 0));
    sketch.rules[1].ethertype = Ethertype::V6;
    let ping = frame(11, 12).echo(v4(1, 11), v4(1, 12), 7, false);
    let ping6 = frame(11, 12).echo(v6(1, 11), v6(1, 12), 7, false);
    assert!(permits(&sketch, Ingress, &ping) && permits(&sketch, Ingress, &ping6), "ICMP of IPv6 is meant there");
    assert!(!permits(&sketch, Ingress, &frame(11, 12).icmp(v4(1, 11), v4(1, 12), 8, 1, &[0; 4])));
    assert!(!permits(&sketch, Ingress, &frame(11, 12).icmp(v4(1, 11), v4(1, 12), 13, 0, &[0; 16])));
    sketch.rules[0].port_range_max = None;
    assert!(permits(&sketch, Ingress, &frame(11, 12).icmp(v4(1, 11), v4(1, 12), 8, 1, &[0; 4])), "any code");
}
