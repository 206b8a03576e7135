//! Random flows that a real switch accepts.

use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_openflow::{
    Action, Controller, Cookie, Ct, CtFlags, Field, FieldFormat, Flow, FlowFlags, FlowKey, Instructions, Learn,
    LearnSource, LearnSpec, LearnTarget, Match, MeterId, Nat, NatFlags, NatRange, PortNo, Subfield, TableId,
    ZoneSource,
};

/// What a packet is, as far as a flow's match says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packet {
    Any,
    Ipv4(Transport),
    Ipv6(Transport),
    Arp,
    Mpls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Any,
    Tcp,
    Udp,
    Sctp,
    Icmp,
}

/// A field with some of its bits, the whole field half of the time.
fn bits(field: Field) -> BoxedStrategy<(Field, u128, u128)> {
    let ones = field.ones();
    let whole = any::<u128>().prop_map(move |value| (field, value & ones, ones));
    if !field.maskable() {
        return whole.boxed();
    }
    // ovs-ofctl cannot read every long mask of IPv6 addresses: theirs are prefixes.
    let prefix = (any::<u128>(), 1..128_u32).prop_map(move |(value, prefix)| {
        let mask = u128::MAX << (128 - prefix);
        (field, value & mask, mask)
    });
    if field.format() == FieldFormat::Ipv6 {
        return prop_oneof![whole, prefix].boxed();
    }
    let part = (any::<u128>(), any::<u128>()).prop_map(move |(value, mask)| (field, value & mask & ones, mask & ones));
    prop_oneof![whole, part].boxed()
}

/// Some of the fields, each with some of its bits.
fn some_of(fields: &'static [Field], most: usize) -> BoxedStrategy<Vec<(Field, u128, u128)>> {
    btree_set(0..fields.len(), 0..=most.min(fields.len()))
        .prop_flat_map(move |chosen| chosen.into_iter().map(|at| bits(fields[at])).collect::<Vec<_>>())
        .boxed()
}

const FREE: &[Field] = &[
    Field::ConjId,
    Field::EthSrc,
    Field::EthDst,
    Field::TunId,
    Field::TunFlags,
    Field::TunSrc,
    Field::TunDst,
    Field::TunIpv6Src,
    Field::TunIpv6Dst,
    Field::TunGbpId,
    Field::Reg0,
    Field::Reg1,
    Field::Reg2,
    Field::Reg7,
    Field::Reg14,
    Field::Reg15,
    Field::PktMark,
    Field::Metadata,
];

fn packet() -> impl Strategy<Value = Packet> {
    let transport = || {
        use Transport::{Any, Icmp, Sctp, Tcp, Udp};
        prop::sample::select(vec![Any, Tcp, Udp, Sctp, Icmp])
    };
    prop_oneof![
        2 => Just(Packet::Any),
        3 => transport().prop_map(Packet::Ipv4),
        3 => transport().prop_map(Packet::Ipv6),
        1 => Just(Packet::Arp),
        1 => Just(Packet::Mpls),
    ]
}

/// The fields that say what the packet is.
fn named(packet: Packet) -> Match {
    let (ethertype, transport) = match packet {
        Packet::Any => return Match::new(),
        Packet::Ipv4(transport) => (0x0800, transport),
        Packet::Ipv6(transport) => (0x86dd, transport),
        Packet::Arp => (0x0806, Transport::Any),
        Packet::Mpls => (0x8847, Transport::Any),
    };
    let matching = Match::new().eth_type(ethertype);
    match transport {
        Transport::Any => matching,
        Transport::Tcp => matching.ip_proto(6),
        Transport::Udp => matching.ip_proto(17),
        Transport::Sctp => matching.ip_proto(132),
        Transport::Icmp => matching.ip_proto(if ethertype == 0x0800 { 1 } else { 58 }),
    }
}

/// The fields that only such a packet has.
const fn particular(packet: Packet) -> (&'static [Field], &'static [Field]) {
    use Field::{
        ArpSha, ArpSpa, ArpTha, ArpTpa, IcmpCode, IcmpType, Icmpv6Code, Icmpv6Type, IpDscp, IpEcn, IpTtl, Ipv4Dst,
        Ipv4Src, Ipv6Dst, Ipv6Label, Ipv6Src, MplsBos, MplsLabel, MplsTc, MplsTtl, SctpDst, SctpSrc, TcpDst, TcpFlags,
        TcpSrc, UdpDst, UdpSrc,
    };
    let (network, transport): (&[Field], _) = match packet {
        Packet::Any => return (&[], &[]),
        Packet::Arp => return (&[ArpSpa, ArpTpa, ArpSha, ArpTha], &[]),
        Packet::Mpls => return (&[MplsTc, MplsBos, MplsTtl, MplsLabel], &[]),
        Packet::Ipv4(transport) => (&[Ipv4Src, Ipv4Dst, IpDscp, IpEcn, IpTtl], transport),
        Packet::Ipv6(transport) => (&[Ipv6Src, Ipv6Dst, IpDscp, IpEcn, IpTtl, Ipv6Label], transport),
    };
    let ports: &[Field] = match (transport, packet) {
        (Transport::Any, _) => &[],
        (Transport::Tcp, _) => &[TcpSrc, TcpDst, TcpFlags],
        (Transport::Udp, _) => &[UdpSrc, UdpDst],
        (Transport::Sctp, _) => &[SctpSrc, SctpDst],
        (Transport::Icmp, Packet::Ipv4(_)) => &[IcmpType, IcmpCode],
        (Transport::Icmp, _) => &[Icmpv6Type, Icmpv6Code],
    };
    (network, ports)
}

fn vlan() -> impl Strategy<Value = Option<(u128, u128)>> {
    prop_oneof![
        3 => Just(None),
        1 => Just(Some((0, 0x1fff))),
        1 => Just(Some((0x1000, 0x1000))),
        1 => (0..4096_u128).prop_map(|vid| Some((0x1000 | vid, 0x1fff))),
        1 => (0..0x1_0000_u128).prop_map(|tci| Some((0x1000 | tci, 0xffff))),
        1 => (0..8_u128).prop_map(|pcp| Some((0x1000 | pcp << 13, 0xf000))),
    ]
}

/// What connection tracking knows; the state says that it is valid, so that the connection's addresses exist.
fn tracked(packet: Packet) -> BoxedStrategy<Match> {
    const ANY: &[Field] = &[Field::CtZone, Field::CtMark, Field::CtLabel];
    const IPV4: &[Field] = &[Field::CtNwSrc, Field::CtNwDst];
    const IPV6: &[Field] = &[Field::CtIpv6Src, Field::CtIpv6Dst];
    const PORTS: &[Field] = &[Field::CtTpSrc, Field::CtTpDst];
    let addresses = match packet {
        Packet::Ipv4(_) => IPV4,
        Packet::Ipv6(_) => IPV6,
        _ => return Just(Match::new()).boxed(),
    };
    let state = prop_oneof![Just((0x20, 0x30)), Just((0x22, 0x3f)), Just((0x21, 0xff))];
    let known = (state, some_of(ANY, 3), some_of(addresses, 2), prop::option::of(some_of(PORTS, 2)));
    let known = known.prop_map(|((state, mask), any, addresses, ports)| {
        let matching = Match::new().with_masked(Field::CtState, state, mask);
        let matching = match &ports {
            None => matching,
            Some(_) => matching.with(Field::CtNwProto, 6),
        };
        any.into_iter()
            .chain(addresses)
            .chain(ports.into_iter().flatten())
            .fold(matching, |matching, (field, value, mask)| matching.with_masked(field, value, mask))
    });
    prop_oneof![2 => Just(Match::new()), 1 => known].boxed()
}

fn matching(packet: Packet) -> BoxedStrategy<Match> {
    let (network, transport) = particular(packet);
    let port = prop::option::of(prop_oneof![1..0xff00_u32, Just(PortNo::LOCAL.0), Just(PortNo::CONTROLLER.0)]);
    // The words "no" and "later" mean two masks each, of which ovs-ofctl reads the first.
    let fragments = prop::option::of(prop::sample::select(vec![(0, 3), (1, 3), (3, 3), (1, 1), (0, 2)]));
    (some_of(FREE, 5), some_of(network, 4), some_of(transport, 3), vlan(), port, tracked(packet), fragments)
        .prop_map(move |(free, network, transport, vlan, port, tracked, fragments)| {
            let mut matching = named(packet);
            for (field, value, mask) in free.into_iter().chain(network).chain(transport) {
                matching.insert(field, value, mask);
            }
            if let Some((value, mask)) = vlan {
                matching.insert(Field::VlanTci, value, mask);
            }
            if let (Some((value, mask)), Packet::Ipv4(Transport::Any) | Packet::Ipv6(Transport::Any)) =
                (fragments, packet)
            {
                matching.insert(Field::IpFrag, value, mask);
            }
            for part in &tracked {
                matching.insert(part.field, part.value, part.mask);
            }
            port.map_or(matching.clone(), |port| matching.in_port(PortNo(port)))
        })
        .boxed()
}

const SETTABLE: &[Field] = &[
    Field::TunId,
    Field::TunSrc,
    Field::TunDst,
    Field::TunIpv6Dst,
    Field::TunGbpId,
    Field::Metadata,
    Field::PktMark,
    Field::Reg0,
    Field::Reg3,
    Field::Reg15,
    Field::Xreg2,
    Field::Xxreg1,
    Field::EthSrc,
    Field::EthDst,
];
const WIDE: &[Field] = &[Field::Reg1, Field::Xreg3, Field::Xxreg0, Field::Metadata, Field::TunId, Field::EthSrc];

fn subfield(most: u16) -> impl Strategy<Value = Subfield> {
    (prop::sample::select(WIDE), any::<u16>(), any::<u16>()).prop_map(move |(field, offset, bits)| {
        let offset = offset % field.width();
        Subfield::bits(field, offset, 1 + bits % most)
    })
}

fn port() -> impl Strategy<Value = PortNo> {
    prop_oneof![
        (1..0xff00_u32).prop_map(PortNo),
        prop::sample::select(vec![PortNo::IN_PORT, PortNo::NORMAL, PortNo::FLOOD, PortNo::ALL, PortNo::LOCAL]),
    ]
}

fn set(packet: Packet) -> BoxedStrategy<Action> {
    let own: &'static [Field] = match packet {
        Packet::Ipv4(_) => &[Field::Ipv4Src, Field::Ipv4Dst],
        Packet::Ipv6(_) => &[Field::Ipv6Src, Field::Ipv6Dst],
        Packet::Arp => &[Field::ArpSpa, Field::ArpTpa, Field::ArpSha, Field::ArpTha],
        _ => &[Field::Reg9],
    };
    prop_oneof![prop::sample::select(SETTABLE), prop::sample::select(own)]
        .prop_flat_map(bits)
        .prop_filter("a set-field sets something", |&(_, _, mask)| mask != 0)
        .prop_map(|(field, value, mask)| Action::SetField { field, value, mask })
        .boxed()
}

fn copy() -> impl Strategy<Value = Action> {
    (subfield(128), subfield(128)).prop_map(|(src, dst)| {
        let bits = src.bits.min(dst.bits);
        Action::Move { src: Subfield { bits, ..src }, dst: Subfield { bits, ..dst } }
    })
}

fn load() -> impl Strategy<Value = Action> {
    (subfield(64), any::<u64>())
        .prop_map(|(dst, value)| Action::Load { value: value & (dst.mask() >> dst.offset) as u64, dst })
}

fn controller() -> impl Strategy<Value = Action> {
    (any::<u16>(), any::<u16>(), 0..6_u8, vec(any::<u8>(), 0..20), any::<bool>(), prop::option::of(1..100_u32))
        .prop_map(|(max_len, controller, reason, userdata, pause, meter)| {
            Action::Controller(Controller { max_len, controller, reason, userdata, pause, meter: meter.map(MeterId) })
        })
}

fn nat(packet: Packet) -> BoxedStrategy<Nat> {
    let address = move |value: u128| match packet {
        Packet::Ipv4(_) => IpAddr::V4(Ipv4Addr::from(value as u32 | 1)),
        _ => IpAddr::V6(Ipv6Addr::from(value | 1)),
    };
    let ends = (any::<u128>(), any::<u128>()).prop_map(move |(one, other)| {
        let (one, other) = (address(one), address(other));
        (one.min(other), one.max(other))
    });
    let ports =
        prop::option::of((1..=u16::MAX, 1..=u16::MAX).prop_map(|(one, other)| (one.min(other), one.max(other))));
    let range = (ends, ports).prop_map(|(addresses, ports)| NatRange { addresses: Some(addresses), ports });
    let directed = (any::<bool>(), any::<bool>(), 0..3_u8, range).prop_map(|(src, persistent, choice, range)| Nat {
        flags: NatFlags { src, dst: !src, persistent, hash: choice == 1, random: choice == 2 },
        range: Some(range),
    });
    prop_oneof![Just(Nat::default()), directed].boxed()
}

fn ct(packet: Packet) -> BoxedStrategy<Action> {
    let zone = prop_oneof![
        any::<u16>().prop_map(ZoneSource::Constant),
        Just(ZoneSource::Field(Subfield::bits(Field::Reg6, 0, 16))),
        Just(ZoneSource::Field(Subfield::bits(Field::Xreg1, 16, 16))),
    ];
    let exec = prop_oneof![bits(Field::CtMark), bits(Field::CtLabel)]
        .prop_filter("a set-field sets something", |&(_, _, mask)| mask != 0)
        .prop_map(|(field, value, mask)| Action::SetField { field, value, mask });
    let alg = match packet {
        Packet::Ipv4(Transport::Tcp) => 21,
        Packet::Ipv4(Transport::Udp) => 69,
        _ => 0,
    };
    let committed = (any::<bool>(), prop::option::of(nat(packet)), vec(exec, 0..3), any::<bool>());
    (zone, prop::option::of(0..254_u8), prop::option::of(committed))
        .prop_map(move |(zone, table, committed)| {
            let commit = committed.is_some();
            let (force, nat, exec, helped) = committed.unwrap_or_default();
            let table = table.map(TableId);
            let alg = if helped { alg } else { 0 };
            Action::Ct(Ct { flags: CtFlags { commit, force }, zone, table, alg, nat, exec })
        })
        .boxed()
}

fn learn() -> impl Strategy<Value = Action> {
    let spec = prop_oneof![
        subfield(32).prop_map(|to| LearnSpec {
            source: LearnSource::Field { field: to.field, offset: to.offset },
            target: LearnTarget::Match { field: to.field, offset: to.offset },
            bits: to.bits,
        }),
        (subfield(48), any::<u128>()).prop_map(|(to, value)| LearnSpec {
            source: LearnSource::Constant(value & to.mask() >> to.offset),
            target: LearnTarget::Load { field: to.field, offset: to.offset },
            bits: to.bits,
        }),
        (subfield(48), any::<u128>()).prop_map(|(to, value)| LearnSpec {
            source: LearnSource::Constant(value & to.mask() >> to.offset),
            target: LearnTarget::Match { field: to.field, offset: to.offset },
            bits: to.bits,
        }),
        Just(LearnSpec {
            source: LearnSource::Field { field: Field::InPort, offset: 0 },
            target: LearnTarget::Output,
            bits: 16,
        }),
    ];
    let timeouts = (any::<u16>(), any::<u16>(), any::<u16>(), any::<u16>());
    let result = prop::option::of((0..32_u16).prop_map(|bit| Subfield::bits(Field::Reg4, bit, 1)));
    (timeouts, any::<u16>(), any::<u64>(), 0..4_u16, prop_oneof![Just(0), any::<u32>()], result, vec(spec, 0..4))
        .prop_map(|(timeouts, priority, cookie, flags, limit, result, specs)| {
            let (idle_timeout, hard_timeout, fin_idle_timeout, fin_hard_timeout) = timeouts;
            let table = TableId(7);
            let learn = Learn {
                idle_timeout,
                hard_timeout,
                priority,
                cookie,
                table,
                flags,
                fin_idle_timeout,
                fin_hard_timeout,
                // ovs-ofctl reads the limit as a signed number.
                limit: limit >> 1,
                result,
                specs,
            };
            Action::Learn(learn).canonical()
        })
}

fn simple(packet: Packet) -> BoxedStrategy<Action> {
    let anywhere = prop_oneof![
        4 => port().prop_map(Action::output),
        1 => any::<u16>().prop_map(|max_len| Action::Output { port: PortNo::CONTROLLER, max_len }),
        4 => set(packet),
        2 => copy(),
        2 => load(),
        1 => subfield(32).prop_map(|src| Action::OutputReg { src, max_len: 0xffff }),
        1 => any::<u32>().prop_map(Action::SetQueue),
        1 => (prop::option::of(port()), 0..254_u8).prop_map(|(port, table)| {
            Action::Resubmit { port, table: Some(TableId(table)), ct: false }.canonical()
        }),
        1 => (any::<u16>(), subfield(1)).prop_map(|(length, dst)| Action::CheckPktLarger { length, dst }),
        1 => controller(),
        1 => vec(any::<u8>(), 0..20).prop_map(Action::Note),
        1 => subfield(64).prop_map(Action::Push),
        1 => subfield(64).prop_map(Action::Pop),
        1 => learn(),
        1 => Just(Action::Exit),
        1 => Just(Action::CtClear),
    ];
    match packet {
        Packet::Ipv4(_) | Packet::Ipv6(_) => prop_oneof![
            4 => anywhere,
            1 => ct(packet),
            1 => Just(Action::dec_ttl()),
            1 => vec(1..9_u16, 1..6).prop_map(|controllers| Action::DecTtl { controllers }),
        ]
        .boxed(),
        _ => anywhere.boxed(),
    }
}

fn actions(packet: Packet) -> impl Strategy<Value = Vec<Action>> {
    let nested = prop_oneof![
        8 => simple(packet),
        1 => vec(simple(packet), 1..3).prop_map(Action::Clone),
    ];
    vec(nested, 0..6)
}

fn instructions(packet: Packet) -> impl Strategy<Value = Instructions> {
    let written = vec(prop_oneof![port().prop_map(Action::output), set(Packet::Any)], 0..2);
    let metadata = prop::option::of((any::<u64>(), 1..=u64::MAX).prop_map(|(value, mask)| (value & mask, mask)));
    (actions(packet), any::<bool>(), written, metadata, prop::option::of(101..254_u8)).prop_map(
        |(apply, clear, write, write_metadata, goto)| Instructions {
            apply,
            clear,
            write,
            write_metadata,
            goto: goto.map(TableId),
        },
    )
}

/// A flow that a switch accepts, in its canonical form.
pub(crate) fn flow() -> impl Strategy<Value = Flow> {
    let rest = (0..=100_u8, any::<u16>(), any::<u64>(), any::<[bool; 3]>(), any::<[u16; 3]>());
    (packet().prop_flat_map(|packet| (matching(packet), instructions(packet))), rest).prop_map(
        |((matching, instructions), (table, priority, cookie, [removed, packets, bytes], times))| {
            let [idle_timeout, hard_timeout, importance] = times;
            let flags = FlowFlags {
                send_flow_removed: removed,
                no_packet_counts: packets,
                no_byte_counts: bytes,
                ..FlowFlags::default()
            };
            let key = FlowKey::new(TableId(table), priority, matching);
            let cookie = Cookie(cookie & u64::MAX >> 1);
            Flow { key, cookie, flags, idle_timeout, hard_timeout, importance, instructions }.canonical()
        },
    )
}
