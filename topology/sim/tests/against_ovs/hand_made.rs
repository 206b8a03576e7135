//! Tables made by hand: what random ones rarely reach.

use crate::daemon::RealSwitch;
use crate::{Case, compare, ports, program};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::MacAddress;
use weir_openflow::{
    Action, Ct, CtFlags, Field, Flow, FlowEdit, Match, Nat, NatFlags, NatRange, PortNo, TableId, ZoneSource,
};
use weir_sim::packet::{Frame, Packet};

const A: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const B: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

fn flow(table: u8, priority: u16, matching: Match, actions: impl IntoIterator<Item = Action>) -> FlowEdit {
    FlowEdit::AddFlow(Flow::new(TableId(table), priority, matching).apply(actions))
}

fn load(real: &mut RealSwitch, edits: Vec<FlowEdit>) -> Case {
    let case = program(real, &BTreeMap::from([("br0", edits), ("br1", Vec::new())]));
    assert_eq!(case.refused, 0, "the real switch takes every flow");
    case
}

fn track(commit: bool, table: Option<u8>, nat: Option<Nat>) -> Action {
    Action::Ct(Ct {
        flags: CtFlags { commit, force: false },
        zone: ZoneSource::Constant(5),
        table: table.map(TableId),
        alg: 0,
        nat,
        exec: Vec::new(),
    })
}

fn state(value: u128, mask: u128) -> Match {
    Match::new().ip().with_masked(Field::CtState, value, mask)
}

/// From p1 to p2 whatever is new, back only what answers or is about it; with the source translated or not.
fn firewall(source: Option<IpAddr>, kind: fn(Match) -> Match) -> Vec<FlowEdit> {
    let translated = source.map(|address| Nat {
        flags: NatFlags { src: true, ..NatFlags::default() },
        range: Some(NatRange { addresses: Some((address, address)), ports: None }),
    });
    let back = source.map(|_| Nat::default());
    let to = |port| Action::output(PortNo(port));
    let from = |matching: Match, port: u32| kind(matching).in_port(PortNo(port));
    vec![
        flow(0, 10, kind(Match::new()), [track(false, Some(1), back)]),
        flow(1, 30, from(state(0x21, 0x21), 1), [track(true, Some(2), translated)]),
        flow(1, 20, from(state(0x22, 0x22), 1), [to(2)]),
        flow(1, 20, from(state(0x22, 0x22), 2), [to(1)]),
        flow(1, 25, from(state(0x24, 0x24), 2), [to(1)]),
        flow(1, 40, kind(state(0x30, 0x30)), [to(3)]),
        flow(2, 10, Match::new(), [to(2)]),
    ]
}

#[test]
fn connections_are_followed_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    let (client, server): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
    let outside: IpAddr = [10, 0, 9, 9].into();
    for source in [None, Some(outside)] {
        let seen = source.unwrap_or(client);
        let mut case = load(&mut real, firewall(source, Match::ip));
        let (out, back) = (Frame::new(A, B), Frame::new(B, A));
        let mut talk = |port: &str, packet: &Packet, what: &str| {
            compare(&mut real, &mut case, port, packet, &format!("{what}, translated {source:?}"))
        };
        assert_eq!(talk("p2", &back.tcp(server, seen, 80, 4000, 2), "a SYN from outside"), 0);
        assert_eq!(talk("p1", &out.tcp(client, server, 4000, 80, 0x12), "a SYN and ACK of nothing"), 1);
        for (port, flags, what) in [
            ("p1", 2, "SYN"),
            ("p2", 0x12, "SYN and ACK"),
            ("p1", 0x10, "ACK"),
            ("p2", 0x10, "ACK back"),
            ("p1", 0x11, "FIN"),
            ("p2", 0x11, "FIN back"),
            ("p1", 0x10, "last ACK"),
            ("p1", 2, "SYN anew"),
            ("p2", 0x14, "RST"),
        ] {
            // A real switch gives a connection that starts anew the next port while it still remembers the old one,
            // which it forgets at a time of its own.
            if source.is_some() && matches!(what, "SYN anew" | "RST") {
                continue;
            }
            let packet = if port == "p1" {
                out.tcp(client, server, 4000, 80, flags)
            } else {
                back.tcp(server, seen, 80, 4000, flags)
            };
            assert_eq!(talk(port, &packet, what), 1, "{what}");
        }
        let question = out.udp(client, server, 5000, 53, b"question");
        assert_eq!(talk("p1", &question, "a question"), 1);
        let refused = out.udp(seen, server, 5000, 53, b"question");
        let quoted = [&[0; 4][..], &refused.bytes()[14..]].concat();
        assert_eq!(talk("p2", &back.icmp(server, seen, 3, 3, &quoted), "an error about it"), 1);
        let other = out.udp(seen, server, 5001, 53, b"question");
        let quoted = [&[0; 4][..], &other.bytes()[14..]].concat();
        assert_eq!(talk("p2", &back.icmp(server, seen, 3, 3, &quoted), "an error about nothing"), 1);
        assert_eq!(talk("p2", &back.udp(server, seen, 53, 5000, b"answer"), "an answer"), 1);
        assert_eq!(talk("p1", &question, "the question again"), 1);
        assert_eq!(talk("p1", &out.echo(client, server, 9, false), "an echo request"), 1);
        assert_eq!(talk("p2", &back.echo(server, seen, 9, true), "its reply"), 1);
        assert_eq!(talk("p2", &back.echo(server, seen, 8, true), "a reply to nothing"), 1);
        assert_eq!(talk("p1", &out.sctp(client, server, 7, 8), "another protocol"), 1);
    }
}

#[test]
fn ipv6_is_translated_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    let address = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    let (client, server, outside) = (address(1), address(2), address(9));
    let source = Nat {
        flags: NatFlags { src: true, ..NatFlags::default() },
        range: Some(NatRange { addresses: Some((outside, outside)), ports: Some((4000, 4000)) }),
    };
    let tracked = |value| Match::new().ipv6().with_masked(Field::CtState, value, value);
    let to = |port| Action::output(PortNo(port));
    let mut case = load(
        &mut real,
        vec![
            flow(0, 10, Match::new().ipv6(), [track(false, Some(1), Some(Nat::default()))]),
            flow(1, 30, tracked(0x21).in_port(PortNo(1)), [track(true, Some(2), Some(source))]),
            flow(1, 20, tracked(0x2a).in_port(PortNo(2)), [to(1)]),
            flow(1, 25, tracked(0x24).in_port(PortNo(2)), [to(1)]),
            flow(2, 10, Match::new(), [to(2)]),
        ],
    );
    let (out, back) = (Frame::new(A, B), Frame::new(B, A));
    let mut talk = |port: &str, packet: &Packet| compare(&mut real, &mut case, port, packet, "IPv6");
    assert_eq!(talk("p1", &out.udp(client, server, 7, 53, b"question")), 1);
    assert_eq!(talk("p2", &back.udp(server, outside, 53, 4000, b"answer")), 1);
    let refused = out.udp(outside, server, 4000, 53, b"question");
    let quoted = [&[0; 4][..], &refused.bytes()[14..]].concat();
    assert_eq!(talk("p2", &back.icmp(server, outside, 1, 4, &quoted)), 1);
    assert_eq!(talk("p1", &out.tcp(client, server, 7, 80, 2)), 1);
    assert_eq!(talk("p2", &back.tcp(server, outside, 80, 4000, 0x12)), 1);
}

#[test]
fn questions_are_answered_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    let mac = u128::from(B.to_u64());
    let v4 = Ipv4Addr::new(10, 0, 0, 2);
    let v6: Ipv6Addr = "2001:db8::2".parse().unwrap();
    let request = Match::new().arp().with(Field::ArpOp, 1).with(Field::ArpTpa, u32::from(v4).into());
    let solicitation = Match::new().ipv6().ip_proto(58).with(Field::Icmpv6Type, 135).with(Field::Icmpv6Code, 0);
    let solicitation = solicitation.with(Field::NdTarget, v6.into());
    let advertisement = Match::new().ipv6().ip_proto(58).with(Field::Icmpv6Type, 136).with(Field::Icmpv6Code, 0);
    let mut case = load(
        &mut real,
        vec![
            flow(
                0,
                10,
                request,
                [
                    Action::copy(Field::EthSrc, Field::EthDst),
                    Action::set(Field::EthSrc, mac),
                    Action::set(Field::ArpOp, 2),
                    Action::copy(Field::ArpSha, Field::ArpTha),
                    Action::set(Field::ArpSha, mac),
                    Action::copy(Field::ArpSpa, Field::ArpTpa),
                    Action::set(Field::ArpSpa, u32::from(v4).into()),
                    Action::output(PortNo::IN_PORT),
                ],
            ),
            flow(
                0,
                10,
                solicitation,
                [
                    Action::copy(Field::EthSrc, Field::EthDst),
                    Action::set(Field::EthSrc, mac),
                    Action::copy(Field::Ipv6Src, Field::Ipv6Dst),
                    Action::copy(Field::NdTarget, Field::Ipv6Src),
                    Action::set(Field::Icmpv6Type, 136),
                    Action::resubmit(TableId(1)),
                ],
            ),
            flow(
                1,
                10,
                advertisement,
                [
                    Action::set(Field::NdReserved, 0x6000_0000),
                    Action::set(Field::NdOptionsType, 2),
                    Action::copy(Field::EthSrc, Field::NdTll),
                    Action::output(PortNo::IN_PORT),
                ],
            ),
        ],
    );
    let asker: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let mut ask = |packet: &Packet| compare(&mut real, &mut case, "p1", packet, "a question");
    assert_eq!(ask(&Frame::broadcast(A).arp_request([10, 0, 0, 1].into(), v4)), 1);
    assert_eq!(ask(&Frame::broadcast(A).arp_request([10, 0, 0, 1].into(), [10, 0, 0, 3].into())), 0);
    assert_eq!(ask(&Frame::broadcast(A).solicitation(asker, v6, Some(A))), 1);
    assert_eq!(ask(&Frame::broadcast(A).solicitation(asker, v6, None)), 1);
    assert_eq!(ask(&Frame::broadcast(A).solicitation(asker, asker, Some(A))), 0);
}

#[test]
fn the_limits_of_translation_are_those_of_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    let packet = Frame::new(A, B).raw(0x88b5, &[0; 46]);
    let out = Action::output(PortNo(2));
    // A chain of resubmits to the same table, counted down in a register: the end sends the packet out.
    for (depth, arrives) in [(63, true), (64, true), (65, false), (66, false)] {
        let mut edits =
            vec![flow(0, 50, Match::new(), [Action::set(Field::Reg0, depth), Action::resubmit(TableId(1))])];
        edits.extend((1..=depth).map(|left| {
            let matching = Match::new().with(Field::Reg0, left);
            flow(1, 10, matching, [Action::set(Field::Reg0, left - 1), Action::resubmit(TableId(1))])
        }));
        edits.push(flow(1, 10, Match::new().with(Field::Reg0, 0), [out.clone()]));
        let mut case = load(&mut real, edits);
        let count = compare(&mut real, &mut case, "p1", &packet, &format!("{depth} resubmits deep"));
        assert_eq!(count == 1, arrives, "{depth} resubmits deep");
    }
    // Doubling in each of twelve tables makes 4096 lookups in the last one, and more on the way.
    for (tables, arrives) in [(10, true), (12, false)] {
        let mut edits: Vec<FlowEdit> = (0..tables)
            .map(|table| {
                let twice = [Action::resubmit(TableId(table + 1)), Action::resubmit(TableId(table + 1))];
                flow(table, 10, Match::new(), twice)
            })
            .collect();
        edits.push(flow(
            0,
            20,
            Match::new().in_port(PortNo(1)),
            [out.clone(), Action::resubmit(TableId(1)), Action::resubmit(TableId(1))],
        ));
        let mut case = load(&mut real, edits);
        let count = compare(&mut real, &mut case, "p1", &packet, &format!("{tables} tables that double"));
        assert_eq!(count == 1, arrives, "{tables} tables that double");
    }
}
