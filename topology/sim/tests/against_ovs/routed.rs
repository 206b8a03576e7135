//! What a router is made of: hops, lengths, echoes, and packets for the controller.

use crate::daemon::RealSwitch;
use crate::{Case, compare, outcome_of, ports, program};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use weir_model::MacAddress;
use weir_openflow::{
    Action, Band, Controller, Field, Flow, FlowEdit, Match, Meter, MeterFlags, MeterId, PortNo, Subfield, TableId,
};
use weir_sim::packet::{Frame, Packet};

const VM: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);
const ROUTER: MacAddress = MacAddress([2, 0, 0, 0, 0, 0xfe]);
const METER: MeterId = MeterId(5);
/// The longest frame that the second network takes.
const LONGEST: u16 = 214;

fn flow(table: u8, priority: u16, matching: Match, actions: impl IntoIterator<Item = Action>) -> FlowEdit {
    FlowEdit::AddFlow(Flow::new(TableId(table), priority, matching).apply(actions))
}

fn on(table: u8) -> Action {
    Action::resubmit(TableId(table))
}

/// Exchanges two fields.
fn swap(one: Field, other: Field) -> [Action; 4] {
    let [one, other] = [one, other].map(Subfield::whole);
    [Action::Push(one), Action::Push(other), Action::Pop(one), Action::Pop(other)]
}

/// The address `host` of network `net`.
fn address(v6: bool, net: u8, host: u8) -> IpAddr {
    if v6 {
        Ipv6Addr::new(0x2001, 0xdb8, 0, net.into(), 0, 0, 0, host.into()).into()
    } else {
        [10, 0, net, host].into()
    }
}

fn is(matching: Match, address: IpAddr) -> Match {
    match address {
        IpAddr::V4(address) => matching.ipv4_dst(address),
        IpAddr::V6(address) => matching.ipv6_dst(address),
    }
}

fn within(matching: Match, net: IpAddr) -> Match {
    match net {
        IpAddr::V4(address) => matching.ipv4_net(Field::Ipv4Dst, address, 24),
        IpAddr::V6(address) => matching.ipv6_net(Field::Ipv6Dst, address, 64),
    }
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// Two routers in a chain: networks 0 and 1 are the first one's, 2 is the second one's.
fn routers(v6: bool) -> Vec<FlowEdit> {
    let ip = || if v6 { Match::new().ipv6() } else { Match::new().ip() };
    let hop = if v6 { Field::Xxreg2 } else { Field::Reg8 };
    let (src, dst) = if v6 { (Field::Ipv6Src, Field::Ipv6Dst) } else { (Field::Ipv4Src, Field::Ipv4Dst) };
    let (kind, request, reply) = if v6 { (Field::Icmpv6Type, 128, 129) } else { (Field::IcmpType, 8, 0) };
    let punt = |number| [Action::set(Field::Reg12, number), on(55)];
    let router = |matching: Match, number| matching.reg(7, number);
    let proto = if v6 { 58 } else { 1 };
    let echo = ip().ip_proto(proto).with(kind, request);
    let answer = swap(src, dst).into_iter().chain(swap(Field::EthSrc, Field::EthDst)).chain([
        Action::set(kind, reply),
        Action::set(Field::IpTtl, 64),
        Action::output(PortNo::IN_PORT),
    ]);
    let larger = Action::CheckPktLarger { length: LONGEST, dst: Subfield::bits(Field::Reg2, 4, 1) };
    let leave =
        |network: u128| [Action::set(Field::Metadata, network), Action::set(Field::EthSrc, ROUTER.to_u64().into())];
    let enter = [Action::set(Field::Metadata, 1), Action::set(Field::Reg0, 11), Action::set(Field::Reg7, 1), on(31)];
    let neighbour = |network, address| ip().metadata(network).with(hop, bits(address));
    let met = |last: u64| [Action::dec_ttl(), Action::set(Field::EthDst, u128::from(last)), Action::output(PortNo(2))];
    let controller =
        Controller { max_len: 0xffff, controller: 0, reason: 1, userdata: vec![7, 7], pause: false, meter: None };
    let second = [Action::dec_ttl(), Action::set(Field::Reg7, 2), on(36)];
    vec![
        FlowEdit::AddMeter(Meter {
            id: METER,
            flags: MeterFlags { pktps: true, burst: true, ..MeterFlags::default() },
            bands: vec![Band { rate: 1_000_000, burst: 1_000_000 }],
        }),
        flow(0, 10, ip().in_port(PortNo(1)), enter),
        flow(31, 30, is(router(echo, 1), address(v6, 0, 254)), answer),
        flow(31, 20, ip().with(Field::IpTtl, 0), punt(4)),
        flow(31, 20, ip().with(Field::IpTtl, 1), punt(4)),
        flow(31, 10, ip(), [Action::Move { src: Subfield::whole(dst), dst: Subfield::whole(hop) }, on(32)]),
        flow(32, 24, within(router(ip(), 1), address(v6, 1, 0)), leave(2).into_iter().chain([larger, on(34)])),
        flow(
            32,
            24,
            within(router(ip(), 1), address(v6, 2, 0)),
            leave(2).into_iter().chain([Action::set(hop, bits(address(v6, 1, 253))), on(35)]),
        ),
        flow(32, 24, within(router(ip(), 2), address(v6, 2, 0)), leave(3).into_iter().chain([on(35)])),
        flow(32, 1, ip(), punt(5)),
        flow(34, 20, Match::new().with_masked(Field::Reg2, 16, 16), punt(7)),
        flow(34, 10, Match::new(), [on(35)]),
        flow(35, 20, neighbour(2, address(v6, 1, 5)), met(0x0200_0000_0005)),
        flow(35, 20, neighbour(2, address(v6, 1, 253)), second),
        flow(35, 20, neighbour(3, address(v6, 2, 5)), met(0x0200_0000_0205)),
        flow(35, 1, ip(), punt(6)),
        flow(36, 10, Match::new().reg(7, 2), [on(31)]),
        flow(55, 10, Match::new(), [Action::Meter(METER), Action::Controller(controller)]),
    ]
}

#[test]
fn packets_are_routed_answered_and_punted_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    real.ask_for_punts("br0");
    for v6 in [false, true] {
        let edits = routers(v6);
        let mut case: Case = program(&mut real, &BTreeMap::from([("br0", edits), ("br1", Vec::new())]));
        assert_eq!(case.refused, 0, "the real switch takes every flow");
        let from = address(v6, 0, 1);
        let frame = |ttl: u8| Frame::new(VM, ROUTER).ttl(ttl);
        let packet = |ttl: u8, net: u8, host: u8, length: usize| {
            frame(ttl).udp(from, address(v6, net, host), 5000, 53, &vec![1; length])
        };
        let headers = if v6 { 62 } else { 42 };
        let longest = usize::from(LONGEST) - headers;
        let cases: [(&str, Packet, usize, Option<u128>); 13] = [
            ("an echo to the router", frame(64).echo(from, address(v6, 0, 254), 7, false), 1, None),
            ("a neighbour of the second network", packet(64, 1, 5, 9), 1, None),
            ("the last hop", packet(2, 1, 5, 9), 1, None),
            ("time exceeded", packet(1, 1, 5, 9), 0, Some(4)),
            ("no time at all", packet(0, 1, 5, 9), 0, Some(4)),
            ("no route", packet(64, 7, 5, 9), 0, Some(5)),
            ("no neighbour", packet(64, 1, 6, 9), 0, Some(6)),
            ("as long as may be", packet(64, 1, 5, longest), 1, None),
            ("too long", packet(64, 1, 5, longest + 1), 0, Some(7)),
            ("by both routers", packet(64, 2, 5, 9), 1, None),
            ("time exceeded at the second router", packet(2, 2, 5, 9), 0, Some(4)),
            ("just enough for both", packet(3, 2, 5, 9), 1, None),
            ("no neighbour of the third network", packet(64, 2, 6, 9), 0, Some(6)),
        ];
        for (what, packet, copies, punted) in cases {
            assert_eq!(compare(&mut real, &mut case, "p1", &packet, what), copies, "{what}");
            let expected: Vec<_> =
                outcome_of(&mut case, "p1", &packet).punts.into_iter().map(|punt| punt.packet_in).collect();
            let told = real.take_punts("br0", expected.len());
            assert_eq!(told, expected, "{what}, IPv6 {v6}");
            assert_eq!(told.first().and_then(|told| told.metadata.exact(Field::Reg12)), punted, "{what}");
        }
    }
}
