//! How far the largest packet of a topology stays from the limits of Open vSwitch.
//!
//! Open vSwitch drops a packet whose translation searches tables more than 4,096 times or nests deeper than 64
//! (`MAX_RESUBMITS` and `MAX_DEPTH` of its `ofproto-dpif-xlate.c`), and handles one whose datapath actions take more than
//! 64 KiB (the length of a Netlink attribute) in the slow path.

use crate::feature::MAX_CLAIMS;
use crate::pipeline::Table;
use crate::register;
use std::collections::BTreeSet;
use weir_model::{NetworkId, Topology};

/// How much of a limit is used in the worst case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The most that one packet needs.
    pub worst: usize,
    /// What the switch allows.
    pub limit: usize,
}

impl Share {
    /// Whether the limit holds.
    #[must_use]
    pub const fn fits(self) -> bool {
        self.worst <= self.limit
    }
}

/// The worst case over all packets and hypervisors of a topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Headroom {
    /// Searches of a table.
    pub resubmits: Share,
    /// Translations within translations.
    pub depth: Share,
    /// Bytes of datapath actions.
    pub action_bytes: Share,
    /// Copies of one packet.
    pub outputs: usize,
    /// The network where the most copies are made; none without bound ports.
    pub network: Option<NetworkId>,
}

/// Searches of one packet.
const MAX_RESUBMITS: usize = 4096;
/// Translations within translations.
const MAX_DEPTH: usize = 64;
/// The length of a Netlink attribute.
const MAX_ACTION_BYTES: usize = 65_535;
/// Bytes of an output to a VIF (a Netlink attribute with a port number).
const VIF_BYTES: usize = 8;
/// Bytes of a copy into the tunnel: a clone with a prepared outer header (VXLAN over IPv6 is the longest, 70 bytes)
/// and an output.
const TUNNEL_BYTES: usize = 4 + 20 + 72 + 8;
/// The search in the underlay's bridge for each copy, where the datapath is in userspace.
const UNDERLAY: usize = 1;
/// The packet enters the patch, a bucket and the underlay's bridge; or a bucket, the receiver's rules and the patch.
const DEPTH: usize = 4;
/// How many routers beyond the first a packet comes through at the most, each one translation deeper.
const HOPS: usize = ones(register::HOPS.bits().bits) as usize;

const fn ones(bits: u16) -> u32 {
    (1 << bits) - 1
}

/// The tables that a packet searches in this one's visits. Copies of a packet are counted for themselves.
fn visits(table: Table) -> usize {
    match table {
        Table::Forward | Table::Flood => 0,
        _ => table.spec().visits.iter().map(|visited| longest(*visited)).sum(),
    }
}

/// The most tables that a packet searches from this one on.
fn longest(from: Table) -> usize {
    1 + visits(from) + from.spec().next.iter().map(|next| longest(*next)).max().unwrap_or(0)
}

/// The most tables that a packet searches on its way, both ends included.
fn way(from: Table, to: Table) -> Option<usize> {
    if from == to {
        return Some(1 + visits(to));
    }
    let rest = from.spec().next.iter().filter_map(|next| way(*next, to)).max()?;
    Some(rest + 1 + visits(from))
}

impl Headroom {
    /// The worst case of a topology.
    #[must_use]
    pub fn of(topology: &Topology) -> Self {
        let (mut local, mut remote, mut copies, mut network) = (0, 0, 0, None);
        for one in topology.networks() {
            let (mut members, mut most) = (0, 0);
            for (_, ports) in topology.hosts_of(one.id) {
                members += 1;
                most = most.max(ports as usize);
            }
            let others = usize::saturating_sub(members, 1);
            if most + others > copies {
                (copies, network) = (most + others, Some(one.id));
            }
            local = local.max(most);
            remote = remote.max(others);
        }
        Self::with(local, remote, largest_claim(topology), network)
    }

    /// The worst case of a hypervisor with `local` ports of one network, `remote` other hypervisors of one, and `claims`
    /// ports with one link-layer address.
    fn with(local: usize, remote: usize, claims: usize, network: Option<NetworkId>) -> Self {
        let steps = |from, to| way(from, to).expect("the pipeline leads there");
        let tunnel = steps(Table::TunnelClassify, Table::TunnelOutput);
        let flood = steps(Table::Classify, Table::Flood) + local * longest(Table::Enter) + tunnel + remote * UNDERLAY;
        let routers = HOPS * steps(Table::Router, Table::Hop);
        let unicast = steps(Table::Classify, Table::Answer) + routers + tunnel + UNDERLAY;
        let copies = claims * (longest(Table::Destination) + tunnel + UNDERLAY);
        let copied = steps(Table::Classify, Table::Forward) + copies;
        let bytes = (local * VIF_BYTES + remote * TUNNEL_BYTES).max(claims * TUNNEL_BYTES);
        Self {
            resubmits: Share { worst: flood.max(unicast).max(copied), limit: MAX_RESUBMITS },
            depth: Share { worst: DEPTH + HOPS, limit: MAX_DEPTH },
            action_bytes: Share { worst: bytes, limit: MAX_ACTION_BYTES },
            outputs: (local + remote).max(claims),
            network,
        }
    }

    /// Whether no packet meets a limit.
    #[must_use]
    pub const fn fits(&self) -> bool {
        self.resubmits.fits() && self.depth.fits() && self.action_bytes.fits()
    }
}

/// The most ports that claim one link-layer address of one network.
fn largest_claim(topology: &Topology) -> usize {
    let mut shared = BTreeSet::new();
    for port in topology.ports() {
        let pairs = port.allowed_address_pairs.iter().map(|pair| pair.mac_address);
        shared.extend(pairs.filter(|mac| *mac != port.mac_address).map(|mac| (port.network_id, mac)));
    }
    let counts = shared.into_iter().map(|(network, mac)| topology.mac_claims(network, mac).take(MAX_CLAIMS).count());
    counts.max().unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::Limits;

    #[test]
    fn an_empty_topology_is_far_from_every_limit() {
        let headroom = Headroom::of(&Topology::new(Limits::default()));
        assert!(headroom.fits());
        assert_eq!(headroom.network, None);
        // To the forwarding table by way of a look-up, through all of routing with its look-ups and through security
        // groups, seven further routers on the way, two tables of br-tun and the underlay.
        let routers = 7 * way(Table::Router, Table::Hop).expect("routers lead on");
        assert_eq!(headroom.resubmits.worst, 30 + routers + 2 + 1);
        assert!(headroom.resubmits.worst < 256);
    }

    #[test]
    fn the_largest_claim_fits() {
        assert!(Headroom::with(100, 500, MAX_CLAIMS, None).fits());
    }

    #[test]
    fn each_limit_is_met_by_its_own_cause() {
        let many_ports = Headroom::with(MAX_RESUBMITS, 0, 1, None);
        assert!(!many_ports.resubmits.fits() && many_ports.action_bytes.fits());
        let many_hosts = Headroom::with(1, 1000, 1, None);
        assert!(many_hosts.resubmits.fits() && !many_hosts.action_bytes.fits());
    }
}
