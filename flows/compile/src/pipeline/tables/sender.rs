//! Where a packet comes from and what a port may send; what is answered at once.

use super::{bits, exact, field, prefix};
use crate::pipeline::{Miss, Table, TableSpec, Verb};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

pub(super) const CLASSIFY: TableSpec = TableSpec {
    table: Table::Classify,
    bridge: Bridge::Integration,
    id: TableId(0),
    name: "classify",
    purpose: "Says where a packet comes from: the port and network of its VIF, or the network that br-tun names.",
    matches: &[exact(Field::InPortOxm), bits(Field::VlanVid)],
    sets: &[field::NETWORK, field::SOURCE, field::FLAGS, field::SOURCE_SET, field::ZONE, Field::PktMark],
    reads: &[Field::PktMark],
    verbs: &[],
    next: &[Table::Admission, Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::UnknownVif),
    drops: &[Reason::Tagged, Reason::PortDown],
};

pub(super) const ADMISSION: TableSpec = TableSpec {
    table: Table::Admission,
    bridge: Bridge::Integration,
    id: TableId(5),
    name: "admission",
    purpose: "Lets a port send only from its own addresses and allowed address pairs, unless port security is off.",
    matches: &[
        exact(field::SOURCE),
        exact(field::NETWORK),
        bits(Field::EthSrc),
        exact(Field::EthType),
        prefix(Field::Ipv4Src),
        prefix(Field::Ipv6Src),
        exact(Field::IpProto),
        exact(Field::UdpSrc),
        exact(Field::UdpDst),
        exact(Field::Icmpv6Type),
        exact(Field::ArpOp),
        prefix(Field::ArpSpa),
        exact(Field::ArpSha),
    ],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[
        Table::Guard,
        Table::Unspecified,
        Table::NdAdmission,
        Table::Arp,
        Table::Nd,
        Table::Services,
        Table::Forward,
    ],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::Spoofed),
    drops: &[Reason::MulticastSource, Reason::NetworkDown],
};

pub(super) const GUARD: TableSpec = TableSpec {
    table: Table::Guard,
    bridge: Bridge::Integration,
    id: TableId(6),
    name: "guard",
    purpose: "Refuses what only a DHCP server or a router may say; sends neighbour discovery on to its own checks \
              and questions for such servers to where they are answered.",
    matches: &[
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::UdpSrc),
        exact(Field::UdpDst),
        exact(Field::Icmpv6Type),
    ],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[Table::NdAdmission, Table::Services, Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Forward),
    drops: &[Reason::DhcpServer, Reason::RouterAdvertisement],
};

pub(super) const UNSPECIFIED: TableSpec = TableSpec {
    table: Table::Unspecified,
    bridge: Bridge::Integration,
    id: TableId(7),
    name: "unspecified",
    purpose: "Lets packets from the unspecified IPv6 address do only what a host without address must do: detect \
              duplicates, find routers, join multicast groups.",
    matches: &[exact(Field::EthType), exact(Field::IpProto), exact(Field::Icmpv6Type)],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[Table::Nd, Table::Services, Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::Unspecified),
    drops: &[],
};

pub(super) const ND_ADMISSION: TableSpec = TableSpec {
    table: Table::NdAdmission,
    bridge: Bridge::Integration,
    id: TableId(8),
    name: "nd_admission",
    purpose: "Lets neighbour discovery speak only of the sender's own addresses.",
    matches: &[
        exact(field::SOURCE),
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::Icmpv6Type),
        prefix(Field::NdTarget),
        exact(Field::NdSll),
        exact(Field::NdTll),
    ],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[Table::Nd, Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::SpoofedNeighbour),
    drops: &[],
};

pub(super) const ARP: TableSpec = TableSpec {
    table: Table::Arp,
    bridge: Bridge::Integration,
    id: TableId(10),
    name: "arp",
    purpose: "Answers ARP requests for the addresses of the network's bound ports and routers, and for the gateway where DHCP is \
          served.",
    matches: &[
        exact(field::SOURCE),
        exact(field::NETWORK),
        exact(Field::EthType),
        exact(Field::ArpOp),
        exact(Field::ArpTpa),
    ],
    sets: &[Field::EthDst, Field::EthSrc, Field::ArpOp, Field::ArpTha, Field::ArpSha, Field::ArpTpa, Field::ArpSpa],
    reads: &[Field::EthSrc, Field::ArpSha, Field::ArpSpa],
    verbs: &[Verb::Answer],
    next: &[Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Forward),
    drops: &[],
};

pub(super) const ND: TableSpec = TableSpec {
    table: Table::Nd,
    bridge: Bridge::Integration,
    id: TableId(11),
    name: "nd",
    purpose: "Turns neighbour solicitations for the addresses of the network's bound ports and routers into advertisements.",
    matches: &[
        exact(field::SOURCE),
        exact(field::NETWORK),
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::Icmpv6Type),
        exact(Field::Ipv6Src),
        exact(Field::NdTarget),
    ],
    sets: &[field::FLAGS, Field::EthDst, Field::EthSrc, Field::Ipv6Dst, Field::Ipv6Src, Field::Icmpv6Type],
    reads: &[Field::EthSrc, Field::Ipv6Src, Field::NdTarget],
    verbs: &[],
    next: &[Table::NdAnswer, Table::Forward],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Forward),
    drops: &[],
};

pub(super) const ND_ANSWER: TableSpec = TableSpec {
    table: Table::NdAnswer,
    bridge: Bridge::Integration,
    id: TableId(12),
    name: "nd_answer",
    purpose: "Completes a neighbour advertisement and sends it back; a switch sets these fields only on what is \
              matched as an advertisement already.",
    matches: &[
        bits(field::FLAGS),
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::Icmpv6Type),
        exact(Field::Ipv6Dst),
    ],
    sets: &[Field::NdOptionsType, Field::NdReserved, Field::NdTll],
    reads: &[Field::EthSrc],
    verbs: &[Verb::Answer],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoAnswer),
    drops: &[],
};

pub(super) const SERVICES: TableSpec = TableSpec {
    table: Table::Services,
    bridge: Bridge::Integration,
    id: TableId(13),
    name: "services",
    purpose: "Hands to the controller what Weir answers for the network: DHCP and router solicitations.",
    matches: &[
        exact(field::NETWORK),
        exact(Field::EthType),
        exact(Field::IpProto),
        exact(Field::UdpSrc),
        exact(Field::UdpDst),
        exact(Field::Icmpv6Type),
    ],
    sets: &[field::FLAGS],
    reads: &[],
    verbs: &[],
    next: &[Table::Forward, Table::Punt],
    visits: &[],
    returns: &[],
    miss: Miss::Goto(Table::Forward),
    drops: &[],
};
