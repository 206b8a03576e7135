//! Where a packet goes, through any number of routers.

use super::{bits, exact, field, prefix};
use crate::pipeline::{Miss, Table, TableSpec, Verb};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

pub(super) const FORWARD: TableSpec = TableSpec {
    table: Table::Forward,
    bridge: Bridge::Integration,
    id: TableId(30),
    name: "forward",
    purpose: "Finds the port or the router that has the destination address; what nobody has is dropped, never flooded.",
    matches: &[exact(field::NETWORK), bits(Field::EthDst), bits(field::FLAGS)],
    sets: &[field::DESTINATION, field::FLAGS, field::ROUTER, field::ARRIVAL],
    reads: &[field::NETWORK],
    verbs: &[],
    next: &[Table::Router, Table::Destination, Table::Zone],
    visits: &[Table::Destination],
    returns: &[],
    miss: Miss::Drop(Reason::UnknownDestination),
    drops: &[],
};

pub(super) const ROUTER: TableSpec = TableSpec {
    table: Table::Router,
    bridge: Bridge::Integration,
    id: TableId(31),
    name: "router",
    purpose: "Keeps what is for the router itself; refuses to pass on what may not pass another router.",
    matches: &[
        exact(field::ROUTER),
        exact(field::ARRIVAL),
        exact(Field::EthType),
        prefix(Field::Ipv4Dst),
        exact(Field::Ipv4Src),
        prefix(Field::Ipv6Dst),
        prefix(Field::Ipv6Src),
        exact(Field::IpTtl),
        exact(Field::IpProto),
        exact(Field::UdpSrc),
        exact(Field::UdpDst),
        exact(Field::Icmpv6Type),
    ],
    sets: &[field::DESTINATION, field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[Table::Route, Table::Track, Table::Punt],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Route),
    drops: &[Reason::Unroutable, Reason::LinkOnly],
};

pub(super) const ROUTE: TableSpec = TableSpec {
    table: Table::Route,
    bridge: Bridge::Integration,
    id: TableId(32),
    name: "route",
    purpose: "Finds the network and the next address on the way by the longest prefix.",
    matches: &[exact(field::ROUTER), exact(Field::EthType), prefix(Field::Ipv4Dst), prefix(Field::Ipv6Dst)],
    sets: &[field::NETWORK, field::OUTGOING_MAC, field::NEXT_HOP_V4, field::NEXT_HOP_V6, field::FLAGS],
    reads: &[Field::Ipv4Dst, Field::Ipv6Dst],
    verbs: &[],
    next: &[Table::Mtu, Table::Punt],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NotIp),
    drops: &[Reason::NetworkDown],
};

pub(super) const MTU: TableSpec = TableSpec {
    table: Table::Mtu,
    bridge: Bridge::Integration,
    id: TableId(33),
    name: "mtu",
    purpose: "Measures packets that are routed into a network with a smaller MTU than another network of its routers.",
    matches: &[exact(field::NETWORK)],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[Verb::Measure],
    next: &[Table::Oversize, Table::Neighbour],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Neighbour),
    drops: &[],
};

pub(super) const OVERSIZE: TableSpec = TableSpec {
    table: Table::Oversize,
    bridge: Bridge::Integration,
    id: TableId(34),
    name: "oversize",
    purpose: "Lets the controller tell the sender of packets that are too large.",
    matches: &[bits(field::FLAGS)],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[Table::Neighbour, Table::Punt],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Neighbour),
    drops: &[],
};

pub(super) const NEIGHBOUR: TableSpec = TableSpec {
    table: Table::Neighbour,
    bridge: Bridge::Integration,
    id: TableId(35),
    name: "neighbour",
    purpose: "Knows the routers that have the next address on the way; looks up which port has any other.",
    matches: &[
        exact(field::NETWORK),
        exact(Field::EthType),
        exact(Field::Ipv4Dst),
        exact(Field::Ipv6Dst),
        exact(field::NEXT_HOP_V4),
        exact(Field::Reg9),
        exact(Field::Reg10),
        exact(Field::Reg11),
    ],
    sets: &[field::DESTINATION, field::ROUTER, field::ARRIVAL],
    reads: &[field::NETWORK],
    verbs: &[Verb::DecrementTtl],
    next: &[Table::Hop, Table::Resolved, Table::Track],
    visits: &[Table::ResolveV4, Table::ResolveV6],
    returns: &[],
    miss: Miss::Drop(Reason::NotIp),
    drops: &[],
};

pub(super) const HOP: TableSpec = TableSpec {
    table: Table::Hop,
    bridge: Bridge::Integration,
    id: TableId(36),
    name: "hop",
    purpose: "Goes on with the next router, a bounded number of times.",
    matches: &[bits(field::FLAGS)],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[],
    visits: &[],
    returns: &[Table::Router],
    miss: Miss::Drop(Reason::TooManyRouters),
    drops: &[],
};

pub(super) const RESOLVED: TableSpec = TableSpec {
    table: Table::Resolved,
    bridge: Bridge::Integration,
    id: TableId(37),
    name: "resolved",
    purpose: "Sends packets on to the port that has the next address on the way, if there is one.",
    matches: &[exact(field::DESTINATION), exact(Field::EthType)],
    sets: &[Field::EthSrc, field::FLAGS],
    reads: &[field::OUTGOING_MAC],
    verbs: &[Verb::DecrementTtl],
    next: &[Table::Destination, Table::Punt],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NotIp),
    drops: &[],
};
