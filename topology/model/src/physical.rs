//! Hypervisors and what is plugged into them.

use crate::{HostKey, HostName, NetworkKey, PortId, Zone};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// A physical network and the bridge that leads to it (`weir-bridge-mappings`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct BridgeMapping {
    /// The physical network.
    pub physical_network: String,
    /// The bridge on the hypervisor.
    pub bridge: String,
}

/// A hypervisor, kept over restarts so that the others keep their way to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hypervisor {
    /// The name that `binding:host_id` uses.
    pub name: HostName,
    /// Its number in flows.
    pub key: HostKey,
    /// `external_ids:system-id` of its database.
    pub system_id: String,
    /// Its tunnel endpoint (`external_ids:weir-encap-ip`).
    pub encap_ip: IpAddr,
    /// Its physical networks.
    pub bridge_mappings: Vec<BridgeMapping>,
    /// Datapath id of br-int, once known.
    pub integration_datapath: Option<u64>,
    /// Datapath id of br-tun, once known.
    pub tunnel_datapath: Option<u64>,
}

/// Whether a hypervisor's sessions are up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Liveness {
    /// Not heard of for longer than the grace.
    #[default]
    Gone,
    /// Connected.
    Alive,
}

/// An interface on br-int that names a port; a fact, not persisted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vif {
    /// The hypervisor.
    pub host: HostName,
    /// The port it names (`external_ids:iface-id`).
    pub port: PortId,
    /// The interface's name.
    pub interface: String,
    /// Its OpenFlow port number.
    pub ofport: u32,
}

/// The conntrack zones of a hypervisor, kept over restarts so that connections are found again.
///
/// A network has a zone where it has bound ports. Connections between two networks of one hypervisor are in the
/// zone of the network with the lowest number that routers connect them with, which has one for that purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Zones {
    /// The hypervisor.
    pub host: HostKey,
    /// The zone of each network.
    pub of: BTreeMap<NetworkKey, Zone>,
    /// Zones that were given back and may hold connections still. None of them is given again.
    pub unflushed: BTreeSet<Zone>,
    /// The zone given last; 0 if none was given.
    pub last: u32,
}

impl Zones {
    /// A hypervisor that has none yet.
    pub(crate) fn none(host: HostKey) -> Self {
        Self { host, of: BTreeMap::new(), unflushed: BTreeSet::new(), last: 0 }
    }

    /// Whether each zone is there and given once, so that no two networks share one.
    pub(crate) fn are_sound(&self) -> bool {
        let given: BTreeSet<&Zone> = self.of.values().chain(&self.unflushed).collect();
        given.len() == self.of.len() + self.unflushed.len() && given.iter().all(|it| (1..=Zone::MAX).contains(&it.0))
    }
}
