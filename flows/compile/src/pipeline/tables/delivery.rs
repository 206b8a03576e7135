//! How a packet leaves br-int.

use super::{bits, exact, field};
use crate::pipeline::{Miss, Table, TableSpec, Verb};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

pub(super) const PUNT: TableSpec = TableSpec {
    table: Table::Punt,
    bridge: Bridge::Integration,
    id: TableId(55),
    name: "punt",
    purpose: "Hands a packet to the controller, each port at a rate of its own.",
    matches: &[exact(field::SOURCE)],
    sets: &[],
    reads: &[],
    verbs: &[Verb::Punt],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoAnswerer),
    drops: &[],
};

pub(super) const DELIVER: TableSpec = TableSpec {
    table: Table::Deliver,
    bridge: Bridge::Integration,
    id: TableId(60),
    name: "deliver",
    purpose: "Sends a packet to the destination port's VIF if it is here, else to br-tun unless it came from there.",
    matches: &[exact(field::DESTINATION), bits(field::FLAGS)],
    sets: &[Field::PktMark],
    reads: &[field::DESTINATION],
    verbs: &[Verb::Output],
    next: &[Table::Answer],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NotHere),
    drops: &[Reason::PortDown],
};

pub(super) const FLOOD: TableSpec = TableSpec {
    table: Table::Flood,
    bridge: Bridge::Integration,
    id: TableId(61),
    name: "flood",
    purpose: "Copies broadcast and multicast to the network's ports here, and to br-tun unless it came from there.",
    matches: &[exact(field::NETWORK), bits(field::FLAGS)],
    sets: &[field::DESTINATION, field::DESTINATION_SET, field::FLAGS, Field::PktMark],
    reads: &[],
    verbs: &[Verb::Group, Verb::Output],
    next: &[],
    visits: &[Table::Enter],
    returns: &[],
    miss: Miss::Drop(Reason::NoFlood),
    drops: &[],
};

pub(super) const ANSWER: TableSpec = TableSpec {
    table: Table::Answer,
    bridge: Bridge::Integration,
    id: TableId(62),
    name: "answer",
    purpose: "Answers pings to a router.",
    matches: &[
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::IcmpType),
        exact(Field::IcmpCode),
        exact(Field::Icmpv6Type),
        exact(Field::Icmpv6Code),
    ],
    sets: &[
        Field::EthSrc,
        Field::EthDst,
        Field::Ipv4Src,
        Field::Ipv4Dst,
        Field::Ipv6Src,
        Field::Ipv6Dst,
        Field::IpTtl,
        Field::IcmpType,
        Field::Icmpv6Type,
    ],
    reads: &[],
    verbs: &[Verb::Swap, Verb::Answer],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::RouterOnlyPings),
    drops: &[],
};
