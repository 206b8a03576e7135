//! What the tracker tells of a packet: its state, and the tuple of the connection's first packet.

use crate::daemon::RealSwitch;
use crate::{Case, compare, ports, program};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use weir_model::MacAddress;
use weir_openflow::{Action, Ct, CtFlags, Field, Flow, FlowEdit, Match, PortNo, Subfield, TableId, ZoneSource};
use weir_sim::packet::{Frame, Packet};

const A: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const B: MacAddress = MacAddress([2, 0, 0, 0, 0, 2]);

const NEW: u128 = 0x01;
const RELATED: u128 = 0x04;
const REPLY: u128 = 0x08;
const INVALID: u128 = 0x10;
const TRACKED: u128 = 0x20;

fn flow(table: u8, priority: u16, matching: Match, actions: impl IntoIterator<Item = Action>) -> FlowEdit {
    FlowEdit::AddFlow(Flow::new(TableId(table), priority, matching).apply(actions))
}

/// Zone and commit as the pipeline has them: the zone is in a register.
fn track(commit: bool, table: Option<u8>) -> Action {
    Action::Ct(Ct {
        flags: CtFlags { commit, force: false },
        zone: ZoneSource::Field(Subfield::bits(Field::Reg6, 0, 16)),
        table: table.map(TableId),
        alg: 0,
        nat: None,
        exec: Vec::new(),
    })
}

fn to(port: u32) -> Action {
    Action::output(PortNo(port))
}

fn part(field: Field, offset: u16, bits: u16) -> Subfield {
    Subfield::bits(field, offset, bits)
}

/// Writes what the tracker tells into the headers: addresses and ports into the Ethernet addresses, the protocol into
/// the TTL, the state into the type of service.
fn told(v6: bool) -> Vec<Action> {
    let (src, dst) = if v6 { (Field::CtIpv6Src, Field::CtIpv6Dst) } else { (Field::CtNwSrc, Field::CtNwDst) };
    let copy = |src, dst| Action::Move { src, dst };
    vec![
        copy(part(src, 0, 32), part(Field::EthSrc, 0, 32)),
        copy(part(dst, 0, 32), part(Field::EthDst, 0, 32)),
        copy(part(Field::CtTpSrc, 0, 16), part(Field::EthSrc, 32, 16)),
        copy(part(Field::CtTpDst, 0, 16), part(Field::EthDst, 32, 16)),
        copy(part(Field::CtNwProto, 0, 8), part(Field::IpTtl, 0, 8)),
        copy(part(Field::CtState, 0, 6), part(Field::IpDscp, 0, 6)),
    ]
}

/// Commits what is new from p1, and shows what the tracker tells of everything; what is invalid goes to p3.
fn told_of_everything(v6: bool) -> Vec<FlowEdit> {
    let ip = || if v6 { Match::new().ipv6() } else { Match::new().ip() };
    let state = |value, mask| ip().with_masked(Field::CtState, value, mask);
    let known = || state(TRACKED, TRACKED | INVALID);
    let shown = |last: &[Action]| told(v6).into_iter().chain(last.to_vec()).collect::<Vec<_>>();
    let marked = Action::Move { src: part(Field::CtState, 0, 6), dst: part(Field::IpDscp, 0, 6) };
    vec![
        flow(0, 10, ip(), [Action::set(Field::Reg6, 0x1_0007), track(false, Some(1))]),
        flow(1, 30, state(TRACKED | NEW, TRACKED | NEW).in_port(PortNo(1)), shown(&[track(true, None), to(2)])),
        flow(1, 20, known().in_port(PortNo(1)), shown(&[to(2)])),
        flow(1, 20, known().in_port(PortNo(2)), shown(&[to(1)])),
        flow(1, 40, state(TRACKED | INVALID, TRACKED | INVALID), [marked, to(3)]),
    ]
}

fn load(real: &mut RealSwitch, edits: Vec<FlowEdit>) -> Case {
    let case = program(real, &BTreeMap::from([("br0", edits), ("br1", Vec::new())]));
    assert_eq!(case.refused, 0, "the real switch takes every flow");
    case
}

/// An ICMP error about a packet.
fn error(frame: &Frame, src: IpAddr, dst: IpAddr, about: &Packet) -> Packet {
    let (kind, code) = if src.is_ipv4() { (3, 3) } else { (1, 4) };
    let quoted = [&[0; 4][..], &about.bytes()[14..]].concat();
    frame.icmp(src, dst, kind, code, &quoted)
}

fn ends(v6: bool) -> (IpAddr, IpAddr) {
    let address = |last: u16| IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
    if v6 { (address(1), address(2)) } else { ([10, 0, 0, 1].into(), [10, 0, 0, 2].into()) }
}

#[test]
fn every_packet_of_a_connection_tells_of_its_first() {
    let mut real = RealSwitch::start(&ports());
    for v6 in [false, true] {
        let (client, server) = ends(v6);
        let mut case = load(&mut real, told_of_everything(v6));
        let (out, back) = (Frame::new(A, B), Frame::new(B, A));
        let mut talk = |port: &str, packet: &Packet, what: &str| {
            assert_eq!(compare(&mut real, &mut case, port, packet, what), 1, "{what}");
        };
        let question = out.udp(client, server, 5000, 53, b"question");
        let answer = back.udp(server, client, 53, 5000, b"answer");
        talk("p1", &question, "a question");
        talk("p1", &question, "the question again");
        talk("p2", &error(&back, server, client, &question), "an error about the question");
        talk("p2", &answer, "the answer");
        talk("p1", &error(&out, client, server, &answer), "an error about the answer");
        talk("p1", &question, "a further question");
        for (port, flags) in [("p1", 2), ("p2", 0x12), ("p1", 0x10), ("p2", 0x10), ("p2", 0x11), ("p1", 4)] {
            let packet = if port == "p1" {
                out.tcp(client, server, 4000, 80, flags)
            } else {
                back.tcp(server, client, 80, 4000, flags)
            };
            talk(port, &packet, &format!("TCP with flags {flags:#x}"));
        }
        talk("p1", &out.tcp(client, server, 4001, 80, 0x10), "the middle of a connection");
        talk("p2", &back.tcp(server, client, 80, 4001, 0x10), "what answers it");
        talk("p1", &out.echo(client, server, 9, false), "an echo request");
        talk("p2", &back.echo(server, client, 9, true), "its reply");
        talk("p2", &error(&back, server, client, &out.echo(client, server, 9, false)), "an error about it");
    }
}

#[test]
fn other_protocols_and_what_is_invalid_are_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    for v6 in [false, true] {
        let (client, server) = ends(v6);
        let mut case = load(&mut real, told_of_everything(v6));
        let (out, back) = (Frame::new(A, B), Frame::new(B, A));
        let mut talk = |port: &str, packet: &Packet, what: &str| {
            assert_eq!(compare(&mut real, &mut case, port, packet, what), 1, "{what}");
        };
        // Whatever has no ports that the tracker knows is a connection of two addresses.
        for protocol in [2, 4, 33, 41, 46, 47, 50, 51, 89, 103, 112, 132, 136, 253, 255] {
            let body = [59, 0, 0, 9, 0, 7, 0, 8, 1, 2, 3, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0];
            talk("p1", &out.ip(client, server, protocol, &body), &format!("protocol {protocol}"));
            talk("p2", &back.ip(server, client, protocol, &body), &format!("protocol {protocol} back"));
            talk("p1", &out.ip(client, server, protocol, &body), &format!("protocol {protocol} again"));
        }
        let question = out.udp(client, server, 5000, 53, b"question");
        talk("p2", &error(&back, server, client, &question), "an error about nothing");
        for kind in (0..=20).chain(127..=144) {
            let packet = out.icmp(client, server, kind, 0, &[0; 28]);
            talk("p1", &packet, &format!("ICMP type {kind}"));
        }
        talk("p1", &out.icmp(client, server, if v6 { 128 } else { 8 }, 1, &[0; 28]), "an echo request with a code");
        for flags in [0, 1, 3, 6, 8, 0x20] {
            talk("p1", &out.tcp(client, server, 4000, 80, flags), &format!("TCP with flags {flags:#x}"));
        }
        talk("p1", &out.udp(client, server, 0, 53, b"question"), "UDP from port 0");
        talk("p1", &out.udp(client, server, 53, 0, b"question"), "UDP to port 0");
        let mut bytes = question.bytes().to_vec();
        if let Some(last) = bytes.last_mut() {
            *last ^= 1;
        }
        talk("p1", &Packet::new(bytes), "a wrong checksum");
    }
}

#[test]
fn rules_match_the_original_tuple_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    for v6 in [false, true] {
        let (client, server) = ends(v6);
        let ip = || if v6 { Match::new().ipv6() } else { Match::new().ip() };
        let net = |matching: Match, field4, field6, address: IpAddr| match address {
            IpAddr::V4(address) => matching.ipv4_net(field4, address, 30),
            IpAddr::V6(address) => matching.ipv6_net(field6, address, 64),
        };
        let state = |value, mask| ip().with_masked(Field::CtState, TRACKED | value, TRACKED | mask);
        let subject = |matching: Match| matching.reg(5, 17);
        let member = |clause| [Action::Conjunction { id: 0xc0_ffee, clause, clauses: 2 }];
        let udp = || subject(state(0, INVALID)).with(Field::CtNwProto, 17);
        let sources = net(subject(state(0, INVALID)), Field::CtNwSrc, Field::CtIpv6Src, client);
        let verdict = [Action::set(Field::Reg2, 1), Action::resubmit(TableId(2))];
        let mut case = load(
            &mut real,
            vec![
                flow(0, 10, ip(), [Action::set(Field::Reg6, 7), Action::set(Field::Reg5, 17), track(false, Some(3))]),
                flow(3, 10, state(0, INVALID), [Action::resubmit(TableId(1))]),
                flow(1, 30, udp().with_masked(Field::CtTpDst, 48, 0xfff0), member(1)),
                flow(1, 30, sources, member(2)),
                flow(1, 30, ip().with(Field::ConjId, 0xc0_ffee), verdict),
                flow(1, 10, ip(), [to(3)]),
                flow(2, 20, state(NEW, NEW), [track(true, None), to(2)]),
                flow(2, 10, state(REPLY, REPLY), [to(1)]),
                flow(2, 10, state(0, NEW | REPLY), [to(2)]),
                flow(2, 15, state(RELATED, RELATED | REPLY), [to(2), to(3)]),
            ],
        );
        let (out, back) = (Frame::new(A, B), Frame::new(B, A));
        let mut talk = |port: &str, packet: &Packet, what: &str, copies: usize| {
            assert_eq!(compare(&mut real, &mut case, port, packet, what), copies, "{what}");
        };
        let question = out.udp(client, server, 5000, 53, b"question");
        let answer = back.udp(server, client, 53, 5000, b"answer");
        talk("p1", &question, "a question", 1);
        talk("p2", &answer, "its answer", 1);
        talk("p2", &error(&back, server, client, &question), "an error about the question", 1);
        talk("p1", &error(&out, client, server, &answer), "an error about the answer", 2);
        talk("p1", &out.udp(client, server, 5000, 64, b"question"), "a port that is not allowed", 1);
        talk("p2", &back.udp(server, client, 53, 5001, b"answer"), "an answer to nothing", 1);
    }
}
