//! Random flows and packets from a small world, so that the packets meet the flows.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::MacAddress;
use weir_openflow::{
    Action, Bucket, BucketId, Cookie, Ct, CtFlags, Field, Flow, FlowEdit, Group, GroupId, GroupKind, Match, Nat,
    NatFlags, NatRange, PortNo, Subfield, TableId, ZoneSource,
};
use weir_sim::packet::{Frame, NeighbourAdvertisement, Packet};
use weir_sim::seed::Seed;

/// How many tables the flows spread over.
const TABLES: usize = 6;
/// The priority of conjunctions, which no other flow has.
const CONJUNCTION: u16 = 5000 / 128 * 128 + 127;
/// How many groups each bridge has.
const GROUPS: usize = 3;

/// What the flows of one bridge may do. The second bridge sends nothing back to the first: a packet that goes back and
/// forth multiplies beyond all bounds.
pub(crate) struct World {
    /// The ports that they send to; with more than two also the one that a packet came in on.
    pub(crate) ports: &'static [u32],
    /// Whether flows track connections. Those that do write no action set: Open vSwitch 3.1 ends with a failed assertion
    /// when a packet with an action set goes through `ct(table=...)`.
    pub(crate) tracks: bool,
}

fn mac(seed: &mut Seed) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, 1 + seed.below(3) as u8])
}

fn ipv4(seed: &mut Seed) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, seed.below(2) as u8, 1 + seed.below(3) as u8)
}

fn ipv6(seed: &mut Seed) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, seed.below(2) as u16, 1 + seed.below(3) as u16)
}

fn port(seed: &mut Seed) -> u16 {
    [22, 53, 67, 80, 8080][seed.below(5)]
}

fn bits(seed: &mut Seed, field: Field) -> u128 {
    let raw = u128::from(seed.next_u64()) << 64 | u128::from(seed.next_u64());
    raw & field.ones()
}

/// What the flow's match says of the packet's kind.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Any,
    Arp,
    Ipv4,
    Ipv6,
    Tcp(bool),
    Udp(bool),
    Icmp,
    Icmpv6,
    Solicit,
}

fn kind(seed: &mut Seed) -> Kind {
    use Kind::{Any, Arp, Icmp, Icmpv6, Ipv4, Ipv6, Solicit, Tcp, Udp};
    let v6 = seed.chance(1, 2);
    [Any, Any, Any, Any, Arp, Ipv4, Ipv6, Tcp(v6), Udp(v6), Icmp, Icmpv6, Solicit][seed.below(12)]
}

fn base_match(kind: Kind) -> Match {
    let ip = |v6: bool| if v6 { Match::new().ipv6() } else { Match::new().ip() };
    match kind {
        Kind::Any => Match::new(),
        Kind::Arp => Match::new().arp(),
        Kind::Ipv4 => ip(false),
        Kind::Ipv6 => ip(true),
        Kind::Tcp(v6) => ip(v6).ip_proto(6),
        Kind::Udp(v6) => ip(v6).ip_proto(17),
        Kind::Icmp => ip(false).ip_proto(1),
        Kind::Icmpv6 => ip(true).ip_proto(58),
        Kind::Solicit => ip(true).ip_proto(58).with(Field::Icmpv6Type, 135).with(Field::Icmpv6Code, 0),
    }
}

fn is_v6(kind: Kind) -> bool {
    matches!(kind, Kind::Ipv6 | Kind::Tcp(true) | Kind::Udp(true) | Kind::Icmpv6 | Kind::Solicit)
}

fn is_v4(kind: Kind) -> bool {
    matches!(kind, Kind::Ipv4 | Kind::Tcp(false) | Kind::Udp(false) | Kind::Icmp)
}

/// The fields that a flow of this kind may match or set, with a likely value.
fn field(seed: &mut Seed, kind: Kind) -> (Field, u128) {
    let reg = Field::reg(seed.below(3));
    let small = u128::from(seed.next_u64() % 4);
    let address = u128::from(mac(seed).to_u64());
    let mut fields = vec![
        (reg, small),
        (reg, small),
        (Field::Metadata, small),
        (Field::PktMark, small << 30),
        (Field::EthSrc, address),
        (Field::EthDst, address),
        (Field::xreg(seed.below(2)), small << 32 | small),
        (Field::TunId, small),
    ];
    if is_v4(kind) {
        fields.push((Field::Ipv4Src, u32::from(ipv4(seed)).into()));
        fields.push((Field::Ipv4Dst, u32::from(ipv4(seed)).into()));
    }
    if is_v6(kind) {
        fields.push((Field::Ipv6Src, ipv6(seed).into()));
        fields.push((Field::Ipv6Dst, ipv6(seed).into()));
    }
    if is_v4(kind) || is_v6(kind) {
        fields.push((Field::IpTtl, 1 + u128::from(seed.next_u64() % 64)));
        fields.push((Field::IpDscp, 10));
        fields.push((Field::IpEcn, small));
    }
    let port = u128::from(port(seed));
    match kind {
        Kind::Arp => fields.extend([
            (Field::ArpOp, 1 + small % 2),
            (Field::ArpSpa, u32::from(ipv4(seed)).into()),
            (Field::ArpTpa, u32::from(ipv4(seed)).into()),
            (Field::ArpSha, address),
            (Field::ArpTha, address),
        ]),
        Kind::Tcp(_) => fields.extend([(Field::TcpSrc, port), (Field::TcpDst, port), (Field::TcpDst, port)]),
        Kind::Udp(_) => fields.extend([(Field::UdpSrc, port), (Field::UdpDst, port), (Field::UdpDst, port)]),
        Kind::Icmp => fields.extend([(Field::IcmpType, 8 * (small % 2)), (Field::IcmpCode, 0)]),
        Kind::Icmpv6 => fields.extend([(Field::Icmpv6Type, 128 + small)]),
        Kind::Solicit => fields.extend([
            (Field::NdTarget, ipv6(seed).into()),
            (Field::NdSll, address),
            (Field::NdReserved, 0),
            (Field::NdOptionsType, small % 3),
        ]),
        _ => {}
    }
    fields[seed.below(fields.len())]
}

fn matching(seed: &mut Seed, kind: Kind, world: &World) -> Match {
    let mut matching = base_match(kind);
    if seed.chance(1, 3) {
        let port = world.ports[seed.below(world.ports.len())];
        matching = matching.in_port(PortNo(port));
    }
    if seed.chance(1, 6) {
        matching = match seed.below(3) {
            0 => matching.untagged(),
            1 => matching.tagged(),
            _ => matching.vlan(5),
        };
    }
    if seed.chance(1, 6) {
        let state = [0x20, 0x21, 0x22, 0x2a, 0x30, 0x60, 0xa0][seed.below(7)];
        let mask = [0x20, 0x21, 0x22, 0x2b, 0x30, 0x60, 0xa0][seed.below(7)];
        matching = matching.with_masked(Field::CtState, state & mask, mask);
    }
    for _ in 0..seed.below(3) {
        let (field, value) = field(seed, kind);
        if field.maskable() && seed.chance(1, 3) {
            let mask = bits(seed, field);
            matching.insert(field, value & mask, mask);
        } else {
            matching.insert(field, value, field.ones());
        }
    }
    matching
}

/// A run of bits of a register or another field that a flow of this kind may write.
fn part(seed: &mut Seed, kind: Kind, most: u16) -> Subfield {
    let (field, _) = field(seed, kind);
    let width = field.width().min(most);
    let bits = 1 + seed.below(width.into()) as u16;
    let offset = seed.below(usize::from(field.width() - bits) + 1) as u16;
    Subfield::bits(field, offset, bits)
}

fn set(seed: &mut Seed, kind: Kind) -> Action {
    match seed.below(5) {
        0 => {
            let dst = part(seed, kind, 64);
            Action::Load { value: seed.next_u64() & (dst.mask() >> dst.offset) as u64, dst }
        }
        1 => {
            let (src, dst) = (part(seed, kind, 128), part(seed, kind, 128));
            let bits = src.bits.min(dst.bits);
            Action::Move { src: Subfield { bits, ..src }, dst: Subfield { bits, ..dst } }
        }
        2 => {
            let (field, value) = field(seed, kind);
            let mask = bits(seed, field);
            if field.maskable() && mask != 0 {
                Action::SetField { field, value: value & mask, mask }
            } else {
                Action::set(field, value)
            }
        }
        _ => {
            let (field, value) = field(seed, kind);
            Action::set(field, value)
        }
    }
}

fn ct(seed: &mut Seed, kind: Kind, table: usize) -> Action {
    let commit = seed.chance(1, 2);
    let address = if is_v6(kind) { IpAddr::V6(ipv6(seed)) } else { IpAddr::V4(ipv4(seed)) };
    let src = seed.chance(1, 2);
    let nat = seed.chance(1, 2).then(|| Nat {
        flags: NatFlags { src: src && commit, dst: !src && commit, ..NatFlags::default() },
        range: commit.then(|| NatRange {
            addresses: Some((address, address)),
            ports: (seed.chance(1, 3) && matches!(kind, Kind::Tcp(_) | Kind::Udp(_))).then_some((4000, 4000)),
        }),
    });
    let mark = u128::from(seed.next_u64() % 8);
    Action::Ct(Ct {
        flags: CtFlags { commit, force: commit && seed.chance(1, 6) },
        zone: if seed.chance(1, 4) {
            ZoneSource::Field(Subfield::bits(Field::Reg0, 0, 16))
        } else {
            ZoneSource::Constant(seed.below(2) as u16)
        },
        table: seed.chance(2, 3).then(|| TableId((table + 1 + seed.below(2)).min(TABLES) as u8)),
        alg: 0,
        nat,
        exec: if commit && seed.chance(1, 3) { vec![Action::set(Field::CtMark, mark)] } else { Vec::new() },
    })
}

/// An action for a flow of this kind in this table; `nested` leaves out what may not stand inside another action.
fn action(seed: &mut Seed, kind: Kind, table: usize, world: &World, nested: bool) -> Action {
    let output = Action::output(PortNo(world.ports[seed.below(world.ports.len())]));
    match seed.below(if nested { 12 } else { 22 }) {
        0..=2 => output,
        3 if world.ports.len() > 2 => Action::output(PortNo::IN_PORT),
        4..=6 => set(seed, kind),
        7 if is_v4(kind) || is_v6(kind) => Action::dec_ttl(),
        8 => Action::resubmit(TableId((table + 1 + seed.below(2)).min(TABLES) as u8)),
        9 if world.tracks && (is_v4(kind) || is_v6(kind)) => ct(seed, kind, table),
        10 => Action::Group(GroupId(1 + seed.below(GROUPS) as u32)),
        11 => Action::PopVlan,
        12 => Action::PushVlan { ethertype: 0x8100 },
        13 => Action::set(Field::VlanVid, 0x1005),
        14 => Action::Push(part(seed, kind, 32)),
        15 => Action::Pop(Subfield::bits(Field::Reg1, 0, 16)),
        16 => {
            let count = 1 + seed.below(3);
            Action::Clone((0..count).map(|_| action(seed, kind, table, world, true)).collect())
        }
        17 => Action::CheckPktLarger { length: 60, dst: Subfield::bits(Field::Reg2, 0, 1) },
        18 => Action::OutputReg { src: Subfield::bits(Field::Reg0, 0, 16), max_len: 0 },
        19 => Action::CtClear,
        20 if seed.chance(1, 4) => Action::Exit,
        21 => Action::Resubmit {
            port: Some(PortNo(world.ports[seed.below(world.ports.len())])),
            table: Some(TableId((table + 1).min(TABLES) as u8)),
            ct: false,
        },
        _ => output,
    }
}

fn bucket(seed: &mut Seed, id: u32, kind: GroupKind, world: &World) -> Bucket {
    let mut actions = vec![set(seed, Kind::Any)];
    if seed.chance(1, 4) {
        actions.push(Action::PushVlan { ethertype: 0x8100 });
    }
    actions.push(if seed.chance(1, 2) {
        Action::output(PortNo(world.ports[seed.below(world.ports.len())]))
    } else {
        Action::resubmit(TableId(TABLES as u8 - 1 + seed.below(2) as u8))
    });
    let watch_port = if kind == GroupKind::FastFailover { PortNo(world.ports[0]) } else { PortNo::ANY };
    Bucket { watch_port, ..Bucket::new(BucketId(id), actions) }
}

/// Groups and flows of one bridge.
pub(crate) fn edits(seed: &mut Seed, world: &World, flows: usize) -> Vec<FlowEdit> {
    let mut edits = Vec::new();
    for id in 1..=GROUPS as u32 {
        let kind = [GroupKind::All, GroupKind::Indirect, GroupKind::FastFailover][seed.below(3)];
        let count = if kind == GroupKind::Indirect { 1 } else { 1 + seed.below(3) };
        let mut group = Group::new(GroupId(id), kind);
        for bucket_id in 0..count as u32 {
            group.insert(bucket(seed, bucket_id, kind, world));
        }
        edits.push(FlowEdit::AddGroup(group));
    }
    for cookie in 0..flows {
        let table = if seed.chance(1, 4) { 0 } else { seed.below(TABLES + 1) };
        let kind = kind(seed);
        // Which of two flows of one priority a packet meets is not defined, so no two have the same.
        let priority = (seed.below(64) * 128 + cookie) as u16;
        let mut flow = Flow::new(TableId(table as u8), priority, matching(seed, kind, world)).cookie(cookie as u64);
        let count = seed.below(5);
        flow = flow.apply((0..count).map(|_| action(seed, kind, table, world, false)).collect::<Vec<_>>());
        if !world.tracks && seed.chance(1, 8) {
            flow.instructions.write = vec![set(seed, Kind::Any), Action::output(PortNo(world.ports[0]))];
        }
        if seed.chance(1, 16) {
            flow.instructions.clear = true;
        }
        if seed.chance(1, 8) {
            flow = flow.write_metadata(seed.next_u64() % 4, 3);
        }
        if table < TABLES && seed.chance(1, 2) {
            flow = flow.goto(TableId((table + 1 + seed.below(2)).min(TABLES) as u8));
        }
        edits.push(FlowEdit::AddFlow(flow));
    }
    edits.extend(conjunctions(seed, world));
    edits
}

/// A conjunction over addresses and ports, and what it does.
fn conjunctions(seed: &mut Seed, world: &World) -> Vec<FlowEdit> {
    let table = TableId(seed.below(TABLES) as u8);
    let tcp = Match::new().ip().ip_proto(6);
    let clause = |clause| Action::Conjunction { id: 9, clause, clauses: 2 };
    let sources = (0..2).map(|_| (tcp.clone().ipv4_src(ipv4(seed)), clause(1))).collect::<Vec<_>>();
    let ports = (0..2).map(|_| (tcp.clone().with(Field::TcpDst, port(seed).into()), clause(2))).collect::<Vec<_>>();
    let mut edits: Vec<FlowEdit> = sources
        .into_iter()
        .chain(ports)
        .map(|(matching, action)| FlowEdit::AddFlow(Flow::new(table, CONJUNCTION, matching).apply([action])))
        .collect();
    let met = Match::new().with(Field::ConjId, 9).ip();
    let output = Action::output(PortNo(world.ports[0]));
    edits.push(FlowEdit::AddFlow(Flow::new(table, CONJUNCTION, met).cookie(Cookie(0xc0)).apply([output])));
    edits
}

/// A packet.
pub(crate) fn packet(seed: &mut Seed) -> Packet {
    let (src, dst) = (mac(seed), mac(seed));
    let mut frame = Frame::new(src, dst).ttl([64, 64, 64, 2, 1, 0][seed.below(6)]).tos(seed.below(256) as u8);
    if seed.chance(1, 5) {
        frame = frame.tagged(0x2005);
    }
    let ends = if seed.chance(1, 2) {
        (IpAddr::V4(ipv4(seed)), IpAddr::V4(ipv4(seed)))
    } else {
        (IpAddr::V6(ipv6(seed)), IpAddr::V6(ipv6(seed)))
    };
    let (sport, dport) = (port(seed), port(seed));
    match seed.below(14) {
        0 => frame.arp_request(ipv4(seed), ipv4(seed)),
        1 => frame.arp_reply(ipv4(seed), ipv4(seed)),
        2 => frame.solicitation(ipv6(seed), ipv6(seed), seed.chance(3, 4).then_some(src)),
        3 => frame.advertisement(&NeighbourAdvertisement {
            src: ipv6(seed),
            dst: ipv6(seed),
            target: ipv6(seed),
            address: Some(src),
            flags: 0x6000_0000,
        }),
        4 => frame.echo(ends.0, ends.1, 7, false),
        5 => frame.echo(ends.0, ends.1, 7, true),
        6 => frame.sctp(ends.0, ends.1, sport, dport),
        7 => frame.raw(0x88b5, &[7; 60]),
        8 => frame.tcp(ends.0, ends.1, sport, dport, [2, 0x12, 0x10, 0x11, 4][seed.below(5)]),
        9 | 10 => frame.tcp(ends.0, ends.1, sport, dport, 2),
        _ => frame.udp(ends.0, ends.1, sport, dport, &[1; 20][..seed.below(20)]),
    }
}
