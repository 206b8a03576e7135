//! The pipeline as data: every table with what it may match, do, set and lead to.
//!
//! Every flow is checked against its table's declaration as it is built, so a table never does what its line here, in
//! the pipeline page or in OVSDB does not say.

mod check;
mod page;
mod seal;
mod tables;

pub use page::{names, page};
pub use seal::{SEAL_TABLE, seal_cookie};
pub use tables::SPECS;

use crate::{Bridge, Reason};
use std::collections::BTreeMap;
use weir_openflow::{Field, TableId};

/// A flow table of one of the two bridges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// br-int: where a packet comes from.
    Classify,
    /// br-int: whether the sender may use its source addresses.
    Admission,
    /// br-int: what no checked sender may say.
    Guard,
    /// br-int: IPv6 packets without a source address.
    Unspecified,
    /// br-int: whether neighbour discovery speaks of the sender's own addresses.
    NdAdmission,
    /// br-int: ARP requests.
    Arp,
    /// br-int: neighbour solicitations.
    Nd,
    /// br-int: answers what was asked about a port's address.
    Reply,
    /// br-int: completes a neighbour advertisement and sends it.
    NdAnswer,
    /// br-int: what Weir answers for the network.
    Services,
    /// br-int: which port has an IPv4 address.
    ResolveV4,
    /// br-int: which port has an IPv6 address.
    ResolveV6,
    /// br-int: which port or router has the destination address.
    Forward,
    /// br-int: whether a router gets the packet itself or may pass it on.
    Router,
    /// br-int: the longest prefix.
    Route,
    /// br-int: how large a packet may be.
    Mtu,
    /// br-int: packets that are too large.
    Oversize,
    /// br-int: who is next on the way.
    Neighbour,
    /// br-int: on to another router.
    Hop,
    /// br-int: on to the port that is next on the way.
    Resolved,
    /// br-int: whether the destination port is plugged here.
    Destination,
    /// br-int: where connections with other networks and hypervisors are tracked.
    Zone,
    /// br-int: whether the connection matters.
    Track,
    /// br-int: asks the sender's rules.
    Leave,
    /// br-int: whether the sender's rules allow the packet.
    Left,
    /// br-int: asks the receiver's rules.
    Enter,
    /// br-int: whether the receiver's rules allow the packet.
    Entered,
    /// br-int: remembers connections.
    Commit,
    /// br-int: rules of security groups.
    Rules,
    /// br-int: what rules of security groups allow.
    Permit,
    /// br-int: hands a packet to the controller.
    Punt,
    /// br-int: the way to a port.
    Deliver,
    /// br-int: broadcast and multicast.
    Flood,
    /// br-int: what a router answers itself.
    Answer,
    /// br-tun: where a packet comes from.
    TunnelClassify,
    /// br-tun: whether the tunnel packet's sender is known.
    TunnelSource,
    /// br-tun: which network a tunnel packet is in.
    TunnelNetwork,
    /// br-tun: which way a packet leaves.
    TunnelOutput,
}

/// How a table may match a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// All bits of the field.
    Exact,
    /// The first bits of the field.
    Prefix,
    /// Any bits of the field.
    Bits,
}

/// A field that a table may match.
#[derive(Clone, Copy, Debug)]
pub struct FieldUse {
    /// The field.
    pub field: Field,
    /// How.
    pub precision: Precision,
}

/// What a table may do with a packet besides setting fields and going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// Sends it out of a port.
    Output,
    /// Sends it back where it came from.
    Answer,
    /// Copies it to every bucket of a group.
    Group,
    /// Looks up its connection.
    Track,
    /// Remembers its connection.
    Commit,
    /// Takes one from its TTL or hop limit.
    DecrementTtl,
    /// Compares its length.
    Measure,
    /// Swaps fields.
    Swap,
    /// Hands it to the controller, at a bounded rate.
    Punt,
    /// Meets one half of a conjunction.
    Conjunction,
}

/// What happens to a packet that no object's flow claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Miss {
    /// It is dropped, and counted for this reason.
    Drop(Reason),
    /// It goes on in this table.
    Goto(Table),
}

/// The declaration of one table.
#[derive(Clone, Copy, Debug)]
pub struct TableSpec {
    /// Which table.
    pub table: Table,
    /// The bridge that it is in.
    pub bridge: Bridge,
    /// Its number.
    pub id: TableId,
    /// Its name in OVSDB and flow dumps.
    pub name: &'static str,
    /// What it is for, as a sentence.
    pub purpose: &'static str,
    /// What it may match.
    pub matches: &'static [FieldUse],
    /// What it may set.
    pub sets: &'static [Field],
    /// What it may copy from.
    pub reads: &'static [Field],
    /// What else it may do.
    pub verbs: &'static [Verb],
    /// Where it may go on; later tables only.
    pub next: &'static [Table],
    /// Which tables it may visit and come back from; what they lead to never leads back here.
    pub visits: &'static [Table],
    /// Which earlier tables it may begin again from, as often as [`HOPS`](crate::register::HOPS) can count.
    pub returns: &'static [Table],
    /// What happens to the rest.
    pub miss: Miss,
    /// Why it drops packets, in addition to the miss.
    pub drops: &'static [Reason],
}

impl Table {
    /// The declaration.
    #[must_use]
    pub const fn spec(self) -> &'static TableSpec {
        &SPECS[self as usize]
    }

    /// The number.
    #[must_use]
    pub const fn id(self) -> TableId {
        self.spec().id
    }

    /// The bridge.
    #[must_use]
    pub const fn bridge(self) -> Bridge {
        self.spec().bridge
    }

    /// The table of a bridge with this number.
    #[must_use]
    pub fn from_id(bridge: Bridge, id: TableId) -> Option<Self> {
        SPECS.iter().find(|spec| spec.bridge == bridge && spec.id == id).map(|spec| spec.table)
    }
}

/// The names of a bridge's tables, as they go into OVSDB (`Bridge.flow_tables`).
#[must_use]
pub fn table_names(bridge: Bridge) -> BTreeMap<u8, String> {
    let specs = SPECS.iter().filter(|spec| spec.bridge == bridge).map(|spec| (spec.id, spec.name));
    specs.chain([(SEAL_TABLE, seal::SEAL_NAME)]).map(|(id, name)| (id.0, name.to_owned())).collect()
}
