//! Whether security groups let a packet pass.

use super::{bits, exact, field, prefix};
use crate::pipeline::{Miss, Table, TableSpec, Verb};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

pub(super) const DESTINATION: TableSpec = TableSpec {
    table: Table::Destination,
    bridge: Bridge::Integration,
    id: TableId(40),
    name: "destination",
    purpose: "Knows the ports that are plugged here, with their security groups.",
    matches: &[exact(field::DESTINATION)],
    sets: &[field::FLAGS, field::DESTINATION_SET],
    reads: &[],
    verbs: &[],
    next: &[Table::Zone, Table::Track],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Track),
    drops: &[],
};

pub(super) const ZONE: TableSpec = TableSpec {
    table: Table::Zone,
    bridge: Bridge::Integration,
    id: TableId(41),
    name: "zone",
    purpose: "Chooses the conntrack zone of packets from the tunnel, and of those routed from port to port within the \
          hypervisor.",
    matches: &[exact(field::NETWORK), bits(field::FLAGS), bits(field::ZONE)],
    sets: &[field::ZONE],
    reads: &[],
    verbs: &[],
    next: &[Table::Track],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Track),
    drops: &[],
};

pub(super) const TRACK: TableSpec = TableSpec {
    table: Table::Track,
    bridge: Bridge::Integration,
    id: TableId(42),
    name: "track",
    purpose: "Looks up the connection if the sender's or the receiver's security groups let replies pass; the only lookup \
          there is.",
    matches: &[
        bits(field::FLAGS),
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::UdpSrc),
        exact(Field::UdpDst),
        exact(Field::Icmpv6Type),
    ],
    sets: &[field::FLAGS, field::SOURCE_SET],
    reads: &[],
    verbs: &[Verb::Track],
    next: &[Table::Leave],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Leave),
    drops: &[],
};

pub(super) const LEAVE: TableSpec = TableSpec {
    table: Table::Leave,
    bridge: Bridge::Integration,
    id: TableId(43),
    name: "leave",
    purpose: "Asks the sender's egress rules, or its ingress rules about replies to connections that came to it.",
    matches: &[bits(field::FLAGS), exact(field::SOURCE_SET), bits(Field::CtState)],
    sets: &[field::SUBJECT],
    reads: &[field::SOURCE_SET],
    verbs: &[],
    next: &[Table::Left, Table::Enter, Table::Flood],
    visits: &[Table::Rules],
    returns: &[],
    miss: Miss::Drop(Reason::EgressRules),
    drops: &[Reason::Invalid],
};

pub(super) const LEFT: TableSpec = TableSpec {
    table: Table::Left,
    bridge: Bridge::Integration,
    id: TableId(44),
    name: "left",
    purpose: "Lets out what the sender's rules allow.",
    matches: &[bits(field::FLAGS)],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[Table::Enter, Table::Flood],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::EgressRules),
    drops: &[],
};

pub(super) const ENTER: TableSpec = TableSpec {
    table: Table::Enter,
    bridge: Bridge::Integration,
    id: TableId(45),
    name: "enter",
    purpose: "Asks the receiver's ingress rules, or its egress rules about replies to connections that it began.",
    matches: &[bits(field::FLAGS), exact(field::DESTINATION_SET), bits(Field::CtState)],
    sets: &[field::SUBJECT],
    reads: &[field::DESTINATION_SET],
    verbs: &[],
    next: &[Table::Entered, Table::Commit],
    visits: &[Table::Rules],
    returns: &[],
    miss: Miss::Drop(Reason::IngressRules),
    drops: &[],
};

pub(super) const ENTERED: TableSpec = TableSpec {
    table: Table::Entered,
    bridge: Bridge::Integration,
    id: TableId(46),
    name: "entered",
    purpose: "Lets in what the receiver's rules allow.",
    matches: &[bits(field::FLAGS)],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[Table::Commit],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::IngressRules),
    drops: &[],
};

pub(super) const COMMIT: TableSpec = TableSpec {
    table: Table::Commit,
    bridge: Bridge::Integration,
    id: TableId(47),
    name: "commit",
    purpose: "Remembers connections that begin.",
    matches: &[bits(field::FLAGS), bits(Field::CtState), exact(Field::EthType)],
    sets: &[],
    reads: &[],
    verbs: &[Verb::Commit],
    next: &[Table::Deliver],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Deliver),
    drops: &[],
};

pub(super) const RULES: TableSpec = TableSpec {
    table: Table::Rules,
    bridge: Bridge::Integration,
    id: TableId(50),
    name: "rules",
    purpose: "The rules of sets of security groups. About a tracked connection they are asked with the addresses and ports \
          of its first packet, whichever way the packet goes.",
    matches: &[
        exact(field::SUBJECT),
        exact(Field::ConjId),
        bits(Field::CtState),
        exact(Field::EthType),
        exact(Field::IpProto),
        prefix(Field::Ipv4Src),
        prefix(Field::Ipv4Dst),
        prefix(Field::Ipv6Src),
        prefix(Field::Ipv6Dst),
        bits(Field::TcpDst),
        bits(Field::UdpDst),
        bits(Field::SctpSrc),
        bits(Field::SctpDst),
        exact(Field::IcmpType),
        exact(Field::IcmpCode),
        exact(Field::Icmpv6Type),
        exact(Field::Icmpv6Code),
        exact(Field::CtNwProto),
        prefix(Field::CtNwSrc),
        prefix(Field::CtNwDst),
        prefix(Field::CtIpv6Src),
        prefix(Field::CtIpv6Dst),
        bits(Field::CtTpSrc),
        bits(Field::CtTpDst),
    ],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[Verb::Conjunction],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoRule),
    drops: &[],
};
