//! Which port of a network has an address. Whoever asks decides what becomes of the packet: these tables only look up.

use super::{exact, field};
use crate::pipeline::{FieldUse, Miss, Table, TableSpec};
use crate::{Bridge, Reason};
use weir_openflow::{Field, TableId};

/// The versions have a table each, because their addresses stand in the same registers and ARP packets are not of the
/// Ethernet type that the address is of.
pub(super) const RESOLVE_V4: TableSpec = lookup(
    Table::ResolveV4,
    TableId(20),
    "resolve_v4",
    "Knows the bound ports of networks by their IPv4 addresses, for ARP requests and routers.",
    &[exact(field::NETWORK), exact(field::NEXT_HOP_V4)],
);

pub(super) const RESOLVE_V6: TableSpec = lookup(
    Table::ResolveV6,
    TableId(21),
    "resolve_v6",
    "Knows the bound ports of networks by their IPv6 addresses, for neighbour solicitations and routers.",
    &[exact(field::NETWORK), exact(Field::Reg8), exact(Field::Reg9), exact(Field::Reg10), exact(Field::Reg11)],
);

/// A table that finds the port of an address, and says no more of it than where it is.
const fn lookup(
    table: Table,
    id: TableId,
    name: &'static str,
    purpose: &'static str,
    matches: &'static [FieldUse],
) -> TableSpec {
    TableSpec {
        table,
        bridge: Bridge::Integration,
        id,
        name,
        purpose,
        matches,
        sets: &[Field::EthDst, field::DESTINATION],
        reads: &[],
        verbs: &[],
        next: &[],
        visits: &[],
        returns: &[],
        miss: Miss::Drop(Reason::NoPort),
        drops: &[],
    }
}
