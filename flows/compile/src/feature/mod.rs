//! What the pipeline can do, one file a feature.

mod admission;
mod base;
mod flood;
mod responder;
mod routing;
mod security;
mod services;
mod switching;
mod tunnel;
mod vif;
mod zone;

pub use switching::MAX_CLAIMS;
pub(crate) use vif::plugged;

use crate::{Circle, Scope, Sink, Table, Touched, Unit};
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_model::{Hypervisor, Network, NetworkKey, Port, PortKey, Topology};

/// A feature: which units it has, what makes them stale, and what they consist of. Everything is a pure function of
/// the topology.
pub trait Feature: Sync {
    /// The tables that its units have flows in.
    fn tables(&self) -> &'static [Table];

    /// Adds the units that may differ after a change. It may name too many, never too few.
    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>);

    /// Adds the units whose scope is a circle, or a circle without one of its members.
    fn of_circle(&self, _circle: Circle, _topology: &Topology, _units: &mut Vec<Unit>) {}

    /// Adds the units whose scope is [`Scope::Host`] of this hypervisor.
    fn of_host(&self, _host: &Hypervisor, _topology: &Topology, _units: &mut Vec<Unit>) {}

    /// Builds one of its units; nothing if the object is gone or has no flows.
    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink);

    /// Who holds one of its units.
    fn scope(&self, unit: Unit, topology: &Topology) -> Scope;
}

/// Every feature, in the order of the pipeline.
pub static FEATURES: [&dyn Feature; 11] = [
    &base::Base,
    &vif::Plug,
    &admission::Admission,
    &responder::Responder,
    &services::Services,
    &switching::Switching,
    &routing::Routing,
    &zone::Zones,
    &security::Security,
    &flood::Broadcast,
    &tunnel::Tunnel,
];

impl Unit {
    /// The feature that the unit is of.
    #[must_use]
    pub fn feature(self) -> &'static dyn Feature {
        match self {
            Self::Base => &base::Base,
            Self::Vif(_) => &vif::Plug,
            Self::Admission(_) => &admission::Admission,
            Self::Neighbour(_) => &responder::Responder,
            Self::Mac(..) => &switching::Switching,
            Self::Services(_) => &services::Services,
            Self::Interface(_) | Self::RouterAddress(_) | Self::Connected(_) | Self::Routes(_) | Self::Mtu(_) => {
                &routing::Routing
            }
            Self::Zone(..) => &zone::Zones,
            Self::Rules(_) | Self::Remote(..) | Self::Generation(_) => &security::Security,
            Self::Flood(_) | Self::FloodMember(..) => &flood::Broadcast,
            Self::Vtep(_) | Self::NetworkTunnel(_) | Self::PortTunnel(_) => &tunnel::Tunnel,
        }
    }

    /// Builds the unit.
    #[must_use]
    pub fn build(self, topology: &Topology) -> Sink {
        let mut sink = Sink::default();
        self.feature().build(self, topology, &mut sink);
        sink
    }

    /// Who holds the unit.
    #[must_use]
    pub fn scope(self, topology: &Topology) -> Scope {
        self.feature().scope(self, topology)
    }
}

/// A port that takes part in its network: bound to a known hypervisor.
struct Bound<'a> {
    port: &'a Arc<Port>,
    network: &'a Arc<Network>,
    host: &'a Arc<Hypervisor>,
}

impl<'a> Bound<'a> {
    fn by_key(key: PortKey, topology: &'a Topology) -> Option<Self> {
        Self::of(topology.port_by_key(key)?, topology)
    }

    fn of(port: &'a Arc<Port>, topology: &'a Topology) -> Option<Self> {
        let host = topology.bound_host(port)?;
        let network = topology.network(port.network_id)?;
        Some(Self { port, network, host })
    }
}

/// The ports of a network.
fn ports_of(key: NetworkKey, topology: &Topology) -> impl Iterator<Item = &Arc<Port>> {
    topology.network_by_key(key).into_iter().flat_map(|network| topology.ports_of(network.id))
}
