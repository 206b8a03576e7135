//! How packets go from hypervisor to hypervisor.

use super::exact;
use crate::pipeline::{Miss, Table, TableSpec, Verb};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

pub(super) const TUNNEL_CLASSIFY: TableSpec = TableSpec {
    table: Table::TunnelClassify,
    bridge: Bridge::Tunnel,
    id: TableId(0),
    name: "classify",
    purpose: "Tells packets from br-int and from the tunnel apart.",
    matches: &[exact(Field::InPortOxm)],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[Table::TunnelSource, Table::TunnelOutput],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::ForeignPort),
    drops: &[],
};

pub(super) const TUNNEL_SOURCE: TableSpec = TableSpec {
    table: Table::TunnelSource,
    bridge: Bridge::Tunnel,
    id: TableId(5),
    name: "tunnel_source",
    purpose: "Accepts tunnel packets from the endpoints of known hypervisors only.",
    matches: &[exact(Field::TunSrc), exact(Field::TunIpv6Src)],
    sets: &[],
    reads: &[],
    verbs: &[],
    next: &[Table::TunnelNetwork],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::UnknownTunnelSource),
    drops: &[],
};

pub(super) const TUNNEL_NETWORK: TableSpec = TableSpec {
    table: Table::TunnelNetwork,
    bridge: Bridge::Tunnel,
    id: TableId(10),
    name: "tunnel_network",
    purpose: "Hands tunnel packets to br-int with the key of their network in the packet mark.",
    matches: &[exact(Field::TunId)],
    sets: &[Field::PktMark],
    reads: &[],
    verbs: &[Verb::Output],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::UnknownVni),
    drops: &[Reason::NetworkDown],
};

pub(super) const TUNNEL_OUTPUT: TableSpec = TableSpec {
    table: Table::TunnelOutput,
    bridge: Bridge::Tunnel,
    id: TableId(20),
    name: "tunnel_output",
    purpose: "Sends a packet to the hypervisor of its destination port, or a copy to every other hypervisor of its \
              network.",
    matches: &[exact(Field::PktMark)],
    sets: &[Field::TunId, Field::TunDst, Field::TunIpv6Dst, Field::PktMark],
    reads: &[],
    verbs: &[Verb::Output, Verb::Group],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoTunnel),
    drops: &[],
};
