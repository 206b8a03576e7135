//! Which port of a network has an address. Whoever asks decides what becomes of the packet: these tables only look up.

use super::{exact, field};
use crate::pipeline::{Miss, Table, TableSpec};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

/// The versions have a table each, because their addresses stand in the same registers and ARP packets are not of the
/// Ethernet type that the address is of.
pub(super) const RESOLVE_V4: TableSpec = TableSpec {
    table: Table::ResolveV4,
    bridge: Bridge::Integration,
    id: TableId(20),
    name: "resolve_v4",
    purpose: "Knows the bound ports of networks by their IPv4 addresses, for ARP requests and routers.",
    matches: &[exact(field::NETWORK), exact(field::NEXT_HOP_V4)],
    sets: &[Field::EthDst, field::DESTINATION],
    reads: &[],
    verbs: &[],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoPort),
    drops: &[],
};

pub(super) const RESOLVE_V6: TableSpec = TableSpec {
    table: Table::ResolveV6,
    bridge: Bridge::Integration,
    id: TableId(21),
    name: "resolve_v6",
    purpose: "Knows the bound ports of networks by their IPv6 addresses, for neighbour solicitations and routers.",
    matches: &[exact(field::NETWORK), exact(Field::Reg8), exact(Field::Reg9), exact(Field::Reg10), exact(Field::Reg11)],
    sets: &[Field::EthDst, field::DESTINATION],
    reads: &[],
    verbs: &[],
    next: &[],
    visits: &[],
    returns: &[],
    miss: Miss::Drop(Reason::NoPort),
    drops: &[],
};
