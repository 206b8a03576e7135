//! What is asked of a topology about routers.

use crate::index::router_of;
use crate::{Network, NetworkId, NetworkKey, Port, Router, RouterId, RouterKey, Subnet, Topology};
use std::collections::BTreeSet;
use std::net::IpAddr;
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
        let known = self.routers.get(&router);
        known.into_iter().flat_map(|it| self.index.ports_naming_router.of(&it.id)).filter_map(|id| self.ports.get(id))
    }

    /// The ports of a network that are interfaces of routers, by id.
    pub fn interfaces_on(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Port>> {
        self.index.interfaces_of_network.of(&network).filter_map(|id| self.ports.get(id))
    }

    /// The router that a port is an interface of.
    pub fn router_of(&self, port: &Port) -> Option<&Arc<Router>> {
        self.routers.get(&router_of(port)?)
    }

    /// The router that a port is an interface of, by id. A port that names no router, as stores from before there were
    /// routers may hold, is none's.
    pub(crate) fn interface_of(&self, port: &Port) -> Option<RouterId> {
        self.router_of(port).map(|router| router.id)
    }

    /// The routers that have interfaces on a network.
    pub fn routers_on(&self, network: NetworkId) -> BTreeSet<RouterId> {
        self.interfaces_on(network).filter_map(|port| router_of(port)).collect()
    }

    /// Every address of every interface of a router, with the interface's port and the subnet that the router is
    /// connected to by it.
    pub fn connected(&self, router: RouterId) -> impl Iterator<Item = (&Arc<Port>, &Arc<Subnet>, IpAddr)> {
        self.interfaces_of(router).flat_map(move |port| {
            let addresses = port.fixed_ips.iter();
            addresses.filter_map(move |fixed| Some((port, self.subnets.get(&fixed.subnet_id)?, fixed.ip_address)))
        })
    }

    /// The port of a network that has an address, by the subnet that holds it.
    pub fn port_at(&self, network: NetworkId, address: IpAddr) -> Option<&Arc<Port>> {
        let subnet = self.subnets_of(network).find(|subnet| subnet.cidr.contains(&address))?;
        self.ports.get(&self.address_holder(subnet.id, address)?)
    }

    /// The interface of a router on a network that has an address.
    pub fn interface_at(&self, network: NetworkId, address: IpAddr) -> Option<&Arc<Port>> {
        self.port_at(network, address).filter(|port| self.router_of(port).is_some())
    }

    /// The networks whose packets may come to this one or the other way around, by routers that have interfaces in
    /// both or by chains of routers, each with a route by an interface of the next; the network itself included. A
    /// hypervisor with bound ports in one of them has to know the ports of all the others. Routers that are
    /// administratively down count as well.
    pub fn near(&self, network: NetworkId) -> BTreeSet<NetworkId> {
        let onwards = self.routers_from(network);
        let back = closure(self.routers_on(network), |router| self.leading_to(router));
        let networks = onwards.union(&back).flat_map(|router| self.networks_of(*router));
        networks.chain([network]).collect()
    }

    /// The routers that packets from a network may come through: its own, and those that their routes lead to.
    pub fn routers_from(&self, network: NetworkId) -> BTreeSet<RouterId> {
        closure(self.routers_on(network), |router| self.led_to(router))
    }

    /// A router and those that its routes lead to, over any number of routers.
    pub fn onwards(&self, router: RouterId) -> BTreeSet<RouterId> {
        closure(BTreeSet::from([router]), |router| self.led_to(router))
    }

    /// A router and those whose routes lead to it, over any number of routers.
    pub fn back(&self, router: RouterId) -> BTreeSet<RouterId> {
        closure(BTreeSet::from([router]), |router| self.leading_to(router))
    }

    /// The lowest number of the networks that are connected by interfaces of routers, over any number of routers, to
    /// this one; its own if it has no router.
    pub fn domain(&self, network: &Network) -> NetworkKey {
        self.index.domains.get(&network.id).copied().unwrap_or(network.key)
    }

    /// The networks that a router has interfaces on, some perhaps twice.
    pub fn networks_of(&self, router: RouterId) -> impl Iterator<Item = NetworkId> {
        self.interfaces_of(router).map(|port| port.network_id)
    }

    /// The other routers that a router has routes by.
    fn led_to(&self, router: RouterId) -> BTreeSet<RouterId> {
        let nexthops = self.routers.get(&router).into_iter().flat_map(|it| it.routes.iter().map(|route| route.nexthop));
        let interfaces = nexthops.flat_map(|nexthop| {
            self.networks_of(router).filter_map(move |network| self.interface_at(network, nexthop))
        });
        interfaces.filter_map(|port| router_of(port)).filter(|other| *other != router).collect()
    }

    /// The other routers that have routes by a router.
    fn leading_to(&self, router: RouterId) -> BTreeSet<RouterId> {
        let mut leading = BTreeSet::new();
        for port in self.interfaces_of(router) {
            for address in port.fixed_ips.iter().map(|fixed| fixed.ip_address) {
                let by_it = self.index.routers_by_nexthop.of(&address).copied();
                // Tenants like the same addresses, and many share a network of services: the fewer are looked through.
                if self.index.routers_by_nexthop.count(&address)
                    <= self.index.interfaces_of_network.count(&port.network_id)
                {
                    leading.extend(by_it.filter(|other| self.networks_of(*other).any(|it| it == port.network_id)));
                } else {
                    leading.extend(self.interfaces_on(port.network_id).filter_map(|it| router_of(it)).filter(
                        |other| {
                            self.routers.get(other).is_some_and(|it| it.routes.iter().any(|it| it.nexthop == address))
                        },
                    ));
                }
            }
        }
        leading.remove(&router);
        leading
    }

    /// Keeps the domains of networks in step with an interface that comes or goes.
    pub(crate) fn follow_interface(&mut self, before: Option<&Port>, after: Option<&Port>) {
        let ends = |port: &Port| Some((self.interface_of(port)?, port.network_id));
        let (was, is) = (before.and_then(ends), after.and_then(ends));
        if was == is {
            return;
        }
        if let Some((router, network)) = was {
            self.part(router, network);
        }
        if let Some((router, network)) = is {
            self.join(router, network);
        }
    }

    /// A router got an interface on a network: of what it joins, all but what has the lowest number gets that.
    fn join(&mut self, router: RouterId, network: NetworkId) {
        let domain = |topology: &Self, id| topology.networks.get(&id).map(|it| topology.domain(it));
        let Some(lowest) = self.networks_of(router).filter_map(|id| domain(self, id)).min() else {
            return;
        };
        let mut left: Vec<NetworkId> = self.networks_of(router).chain([network]).collect();
        while let Some(id) = left.pop() {
            if self.index.domains.get(&id) != Some(&lowest) {
                self.index.domains.insert(id, lowest);
                left.extend(self.routers_on(id).into_iter().flat_map(|router| self.networks_of(router)));
            }
        }
    }

    /// A router lost an interface on a network: what the two are still connected to is numbered anew.
    fn part(&mut self, router: RouterId, network: NetworkId) {
        let beyond = self.networks_of(router).next();
        let here = self.component(network);
        if beyond.is_some_and(|beyond| here.contains(&beyond)) {
            return;
        }
        self.number(&here);
        if let Some(beyond) = beyond {
            let there = self.component(beyond);
            self.number(&there);
        }
        if self.index.interfaces_of_network.count(&network) == 0 {
            self.index.domains.remove(&network);
        }
    }

    /// The networks that are connected to one by interfaces of routers, itself included.
    pub fn component(&self, network: NetworkId) -> BTreeSet<NetworkId> {
        closure(BTreeSet::from([network]), |id| {
            self.routers_on(id).into_iter().flat_map(|router| self.networks_of(router))
        })
    }

    /// Gives all networks of a component the lowest of their numbers.
    fn number(&mut self, component: &BTreeSet<NetworkId>) {
        let keys = component.iter().filter_map(|id| self.networks.get(id)).map(|network| network.key);
        let Some(lowest) = keys.min() else {
            return;
        };
        for id in component {
            if self.index.domains.get(id) != Some(&lowest) {
                self.index.domains.insert(*id, lowest);
            }
        }
    }
}

/// The least set that holds `start` and, with each element, what it leads to.
fn closure<T: Ord + Copy, I: IntoIterator<Item = T>>(start: BTreeSet<T>, leads: impl Fn(T) -> I) -> BTreeSet<T> {
    let mut left: Vec<T> = start.iter().copied().collect();
    let mut all = start;
    while let Some(from) = left.pop() {
        left.extend(leads(from).into_iter().filter(|to| all.insert(*to)));
    }
    all
}
