//! What is looked up about the records otherwise than by id, kept in step with every change.

use crate::allocate::AddressSpace;
use crate::logical::is_router_interface;
use crate::relation::Relation;
use crate::tree::Tree;
use crate::{
    AddressGroup, AddressGroupId, AddressGroupKey, AddressPair, Binding, FixedIp, GroupKey, HostKey, HostName,
    Hypervisor, MacAddress, Network, NetworkId, NetworkKey, Port, PortId, PortKey, ProjectId, Remote, Router, RouterId,
    RouterKey, RuleKey, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, SecuritySet, Segment,
    SetKey, Subnet, SubnetId, Vif, Vni, VnicType,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// All indexes. Clone is O(1); every change is O(log n) in the size of the cloud.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Index {
    pub(crate) networks_of_project: Relation<ProjectId, NetworkId>,
    pub(crate) subnets_of_project: Relation<ProjectId, SubnetId>,
    pub(crate) ports_of_project: Relation<ProjectId, PortId>,
    pub(crate) subnets_of_network: Relation<NetworkId, SubnetId>,
    pub(crate) ports_of_network: Relation<NetworkId, PortId>,
    pub(crate) ports_of_device: Relation<Box<str>, PortId>,
    /// Ports by the host that they name, known or not.
    pub(crate) ports_of_binding: Relation<HostName, PortId>,
    pub(crate) network_by_key: Tree<NetworkKey, NetworkId>,
    pub(crate) network_by_vni: Tree<Vni, NetworkId>,
    pub(crate) port_by_key: Tree<PortKey, PortId>,
    pub(crate) host_by_key: Tree<HostKey, HostName>,
    pub(crate) host_by_encap: Tree<IpAddr, HostName>,
    /// Names and system ids of hypervisors, both leading to the name.
    pub(crate) host_by_alias: Tree<HostName, HostName>,
    /// Ports that use a link-layer address as their own or in an address pair.
    pub(crate) claims: Relation<(NetworkId, MacAddress), PortId>,
    pub(crate) addresses: Tree<SubnetId, AddressSpace>,
    /// How many ports of a network are bound to a hypervisor.
    pub(crate) hosts_of_network: Tree<NetworkId, Tree<HostName, u32>>,
    /// The same the other way around.
    pub(crate) networks_of_host: Tree<HostName, Tree<NetworkId, u32>>,
    pub(crate) routers_of_project: Relation<ProjectId, RouterId>,
    pub(crate) router_by_key: Tree<RouterKey, RouterId>,
    /// Interfaces of routers, by router and by network.
    pub(crate) ports_naming_router: Relation<RouterId, PortId>,
    pub(crate) interfaces_of_network: Relation<NetworkId, PortId>,
    /// Routers by the addresses that their routes lead by.
    pub(crate) routers_by_nexthop: Relation<IpAddr, RouterId>,
    /// What [`Topology::domain`](crate::Topology::domain) says of networks that have interfaces of routers.
    pub(crate) domains: Tree<NetworkId, NetworkKey>,
    pub(crate) security_groups_of_project: Relation<ProjectId, SecurityGroupId>,
    pub(crate) rules_of_group: Relation<SecurityGroupId, SecurityGroupRuleId>,
    /// Rules by the group that they name as remote.
    pub(crate) rules_by_remote: Relation<SecurityGroupId, SecurityGroupRuleId>,
    /// Rules by the address group that they name.
    pub(crate) rules_by_addresses: Relation<AddressGroupId, SecurityGroupRuleId>,
    pub(crate) address_groups_of_project: Relation<ProjectId, AddressGroupId>,
    pub(crate) group_by_key: Tree<GroupKey, SecurityGroupId>,
    pub(crate) rule_by_key: Tree<RuleKey, SecurityGroupRuleId>,
    pub(crate) address_group_by_key: Tree<AddressGroupKey, AddressGroupId>,
    pub(crate) set_by_groups: Tree<BTreeSet<SecurityGroupId>, SetKey>,
    pub(crate) sets_of_group: Relation<SecurityGroupId, SetKey>,
    /// Ports with port security by the set of their groups; by number, which takes a quarter of an id's memory.
    pub(crate) ports_of_set: Relation<SetKey, PortKey>,
    /// How many addresses and address pairs of a group's ports are the same.
    pub(crate) addresses_of_group: Tree<SecurityGroupId, Tree<IpNet, u32>>,
    /// How many ports of a set are bound to a hypervisor.
    pub(crate) hosts_of_set: Tree<SetKey, Tree<HostName, u32>>,
    /// The same the other way around.
    pub(crate) sets_of_host: Tree<HostName, Tree<SetKey, u32>>,
    pub(crate) vifs_of_host: Tree<HostName, Tree<PortId, Arc<Vif>>>,
    pub(crate) hosts_of_vif: Relation<PortId, HostName>,
}

/// Adds to or takes from a count of a map of maps; a count of nothing is not kept.
fn count<K: Ord + Clone, L: Ord + Clone>(map: &mut Tree<K, Tree<L, u32>>, key: &K, of: &L, up: bool) {
    if !map.contains_key(key) {
        map.insert(key.clone(), Tree::new());
    }
    let Some(counts) = map.get_mut(key) else {
        return;
    };
    let now = counts.get(of).copied().unwrap_or(0);
    let then = if up { now + 1 } else { now.saturating_sub(1) };
    if then == 0 {
        counts.remove(of);
    } else {
        counts.insert(of.clone(), then);
    }
    if counts.is_empty() {
        map.remove(key);
    }
}

/// Moves a number from the id it led to to the id it leads to.
fn rekey<K: Ord + Clone, V: Clone + PartialEq>(map: &mut Tree<K, V>, before: Option<(K, V)>, after: Option<(K, V)>) {
    if before == after {
        return;
    }
    if let Some((key, _)) = before {
        map.remove(&key);
    }
    if let Some((key, value)) = after {
        map.insert(key, value);
    }
}

/// The link-layer addresses that a port uses, each once.
fn macs(port: &Port) -> impl Iterator<Item = MacAddress> {
    let pairs = &port.allowed_address_pairs;
    let further = pairs.iter().enumerate().filter_map(|(at, pair)| {
        let mac = pair.mac_address;
        let seen = mac == port.mac_address || pairs[..at].iter().any(|earlier| earlier.mac_address == mac);
        (!seen).then_some(mac)
    });
    std::iter::once(port.mac_address).chain(further)
}

/// The groups of a port, and its addresses and address pairs by which their members are known.
fn members(port: &Port) -> (&[SecurityGroupId], &[FixedIp], &[AddressPair]) {
    let (enabled, groups) = port.secured();
    (if enabled { groups } else { &[] }, &port.fixed_ips, &port.allowed_address_pairs)
}

/// What decides where a port counts as bound, and for which network and set.
fn placed(port: &Port) -> (&Binding, NetworkId, (bool, &[SecurityGroupId])) {
    (&port.binding, port.network_id, port.secured())
}

/// The router that a port names as an interface of it would. See [`Topology::interface_of`] for whether it is one.
///
/// [`Topology::interface_of`]: crate::Topology::interface_of
pub(crate) fn router_of(port: &Port) -> Option<RouterId> {
    router_named(&port.device_owner, &port.device_id)
}

/// The router that a port with this device names as an interface of it would.
pub(crate) fn router_named(owner: &str, device_id: &str) -> Option<RouterId> {
    is_router_interface(owner).then(|| device_id.parse().ok()).flatten()
}

impl Index {
    /// The hypervisor that takes the port, by name.
    pub(crate) fn bound_host(&self, port: &Port) -> Option<&HostName> {
        if port.binding.vnic_type != VnicType::Normal {
            return None;
        }
        self.host_by_alias.get(port.binding.host.as_ref()?)
    }

    pub(crate) fn network(&mut self, before: Option<&Network>, after: Option<&Network>) {
        let project = |network: &Network| (network.project_id.clone(), network.id);
        self.networks_of_project.shift(before.map(project), after.map(project));
        let key = |network: &Network| (network.key, network.id);
        rekey(&mut self.network_by_key, before.map(key), after.map(key));
        let vni = |network: &Network| match network.segment {
            Segment::Vxlan { vni } => (vni, network.id),
        };
        rekey(&mut self.network_by_vni, before.map(vni), after.map(vni));
    }

    pub(crate) fn subnet(&mut self, before: Option<&Subnet>, after: Option<&Subnet>) {
        let project = |subnet: &Subnet| (subnet.project_id.clone(), subnet.id);
        self.subnets_of_project.shift(before.map(project), after.map(project));
        let network = |subnet: &Subnet| (subnet.network_id, subnet.id);
        self.subnets_of_network.shift(before.map(network), after.map(network));
        match (before, after) {
            (None, Some(after)) => {
                let space = AddressSpace::new(after.cidr, &after.allocation_pools);
                self.addresses.insert(after.id, space);
            }
            (Some(before), None) => {
                self.addresses.remove(&before.id);
            }
            (Some(before), Some(after)) if before.allocation_pools != after.allocation_pools => {
                if let Some(space) = self.addresses.get_mut(&after.id) {
                    space.set_pools(&after.allocation_pools);
                }
            }
            _ => {}
        }
    }

    /// Follows a port; `is_router` tells which routers exist.
    pub(crate) fn port(&mut self, before: Option<&Port>, after: Option<&Port>, is_router: impl Fn(RouterId) -> bool) {
        let project = |port: &Port| (port.project_id.clone(), port.id);
        self.ports_of_project.shift(before.map(project), after.map(project));
        let network = |port: &Port| (port.network_id, port.id);
        self.ports_of_network.shift(before.map(network), after.map(network));
        let key = |port: &Port| (port.key, port.id);
        rekey(&mut self.port_by_key, before.map(key), after.map(key));
        if before.map(|port| &port.device_id) != after.map(|port| &port.device_id) {
            let device = |port: &Port| {
                let named = !port.device_id.is_empty();
                named.then(|| (port.device_id.as_str().into(), port.id))
            };
            self.ports_of_device.shift(before.and_then(device), after.and_then(device));
        }
        let of_router = |port: &Port| Some((router_of(port)?, port.id));
        self.ports_naming_router.shift(before.and_then(of_router), after.and_then(of_router));
        let of_network = |port: &Port| router_of(port).filter(|id| is_router(*id)).map(|_| (port.network_id, port.id));
        self.interfaces_of_network.shift(before.and_then(of_network), after.and_then(of_network));
        self.claims(before, after);
        self.fixed_ips(before, after);
        self.security(before, after);
        self.binding(before, after);
    }

    /// The set of a port's security groups.
    pub(crate) fn set_of(&self, port: &Port) -> Option<SetKey> {
        if !port.port_security_enabled {
            return None;
        }
        let groups: BTreeSet<_> = port.security_groups.iter().copied().collect();
        self.set_by_groups.get(&groups).copied()
    }

    fn security(&mut self, before: Option<&Port>, after: Option<&Port>) {
        if before.map(Port::secured) != after.map(Port::secured) {
            let of_set = |port: &Port| Some((self.set_of(port)?, port.key));
            let (was, is) = (before.and_then(of_set), after.and_then(of_set));
            self.ports_of_set.shift(was, is);
        }
        if before.map(members) == after.map(members) {
            return;
        }
        for (port, up) in before.map(|port| (port, false)).into_iter().chain(after.map(|port| (port, true))) {
            let (groups, fixed_ips, pairs) = members(port);
            let own = fixed_ips.iter().map(|fixed| IpNet::from(fixed.ip_address));
            for address in own.chain(pairs.iter().map(|pair| pair.ip_address)) {
                for group in groups {
                    count(&mut self.addresses_of_group, group, &address, up);
                }
            }
        }
    }

    fn claims(&mut self, before: Option<&Port>, after: Option<&Port>) {
        let used = |port: &Port| {
            let pairs = port.allowed_address_pairs.iter();
            let further: Vec<MacAddress> = pairs.map(|pair| pair.mac_address).collect();
            (port.network_id, port.mac_address, further)
        };
        if before.map(used) == after.map(used) {
            return;
        }
        if let Some(port) = before {
            for mac in macs(port) {
                self.claims.remove(&(port.network_id, mac), &port.id);
            }
        }
        if let Some(port) = after {
            for mac in macs(port) {
                self.claims.insert((port.network_id, mac), port.id);
            }
        }
    }

    fn fixed_ips(&mut self, before: Option<&Port>, after: Option<&Port>) {
        if before.map(|port| &port.fixed_ips) == after.map(|port| &port.fixed_ips) {
            return;
        }
        if let Some(port) = before {
            for fixed in &port.fixed_ips {
                if let Some(space) = self.addresses.get_mut(&fixed.subnet_id) {
                    space.give_back(fixed.ip_address, port.id);
                }
            }
        }
        if let Some(port) = after {
            for fixed in &port.fixed_ips {
                if let Some(space) = self.addresses.get_mut(&fixed.subnet_id) {
                    space.take(fixed.ip_address, port.id);
                }
            }
        }
    }

    fn binding(&mut self, before: Option<&Port>, after: Option<&Port>) {
        if before.map(placed) == after.map(placed) {
            return;
        }
        let named = |port: &Port| Some((port.binding.host.clone()?, port.id));
        self.ports_of_binding.shift(before.and_then(named), after.and_then(named));
        let bound = |port: &Port| Some((self.bound_host(port)?.clone(), port.network_id, self.set_of(port)));
        let (was, is) = (before.and_then(bound), after.and_then(bound));
        if was != is {
            if let Some((host, network, set)) = was {
                self.count(&host, network, set, false);
            }
            if let Some((host, network, set)) = is {
                self.count(&host, network, set, true);
            }
        }
    }

    fn count(&mut self, host: &HostName, network: NetworkId, set: Option<SetKey>, up: bool) {
        count(&mut self.hosts_of_network, &network, host, up);
        count(&mut self.networks_of_host, host, &network, up);
        if let Some(set) = set {
            count(&mut self.hosts_of_set, &set, host, up);
            count(&mut self.sets_of_host, host, &set, up);
        }
    }

    /// Follows a hypervisor; `bound` are the ports that name its old or new name or system id.
    pub(crate) fn hypervisor<'a>(
        &mut self,
        before: Option<&Hypervisor>,
        after: Option<&Hypervisor>,
        bound: impl Iterator<Item = &'a Port> + Clone,
    ) {
        let key = |it: &Hypervisor| (it.key, it.name.clone());
        rekey(&mut self.host_by_key, before.map(key), after.map(key));
        let encap = |it: &Hypervisor| (it.encap_ip, it.name.clone());
        rekey(&mut self.host_by_encap, before.map(encap), after.map(encap));
        let aliases = |it: Option<&Hypervisor>| it.map(|it| (it.name.clone(), it.system_id.clone()));
        if aliases(before) == aliases(after) {
            return;
        }
        for port in bound.clone() {
            if let Some(host) = self.bound_host(port).cloned() {
                self.count(&host, port.network_id, self.set_of(port), false);
            }
        }
        if let Some(it) = before {
            self.host_by_alias.remove(&it.name);
            self.host_by_alias.remove(it.system_id.as_str());
        }
        if let Some(it) = after {
            let system_id = HostName::from(it.system_id.as_str());
            self.host_by_alias.insert(it.name.clone(), it.name.clone());
            self.host_by_alias.insert(system_id, it.name.clone());
        }
        for port in bound {
            if let Some(host) = self.bound_host(port).cloned() {
                self.count(&host, port.network_id, self.set_of(port), true);
            }
        }
    }

    pub(crate) fn address_group(&mut self, before: Option<&AddressGroup>, after: Option<&AddressGroup>) {
        let project = |it: &AddressGroup| (it.project_id.clone(), it.id);
        self.address_groups_of_project.shift(before.map(project), after.map(project));
        let key = |it: &AddressGroup| (it.key, it.id);
        rekey(&mut self.address_group_by_key, before.map(key), after.map(key));
    }

    pub(crate) fn security_group(&mut self, before: Option<&SecurityGroup>, after: Option<&SecurityGroup>) {
        let project = |it: &SecurityGroup| (it.project_id.clone(), it.id);
        self.security_groups_of_project.shift(before.map(project), after.map(project));
        let key = |it: &SecurityGroup| (it.key, it.id);
        rekey(&mut self.group_by_key, before.map(key), after.map(key));
    }

    pub(crate) fn security_group_rule(
        &mut self,
        before: Option<&SecurityGroupRule>,
        after: Option<&SecurityGroupRule>,
    ) {
        let group = |it: &SecurityGroupRule| (it.security_group_id, it.id);
        self.rules_of_group.shift(before.map(group), after.map(group));
        let key = |it: &SecurityGroupRule| (it.key, it.id);
        rekey(&mut self.rule_by_key, before.map(key), after.map(key));
        let remote = |it: &SecurityGroupRule| match it.remote {
            Remote::Group(group) => Some((group, it.id)),
            _ => None,
        };
        self.rules_by_remote.shift(before.and_then(remote), after.and_then(remote));
        let addresses = |it: &SecurityGroupRule| match it.remote {
            Remote::Addresses(group) => Some((group, it.id)),
            _ => None,
        };
        self.rules_by_addresses.shift(before.and_then(addresses), after.and_then(addresses));
    }

    pub(crate) fn security_set(&mut self, before: Option<&SecuritySet>, after: Option<&SecuritySet>) {
        let groups = |it: &SecuritySet| (it.groups.clone(), it.key);
        rekey(&mut self.set_by_groups, before.map(groups), after.map(groups));
        if let Some(set) = before {
            for group in &set.groups {
                self.sets_of_group.remove(group, &set.key);
            }
        }
        if let Some(set) = after {
            for group in &set.groups {
                self.sets_of_group.insert(*group, set.key);
            }
        }
    }

    pub(crate) fn router(&mut self, before: Option<&Router>, after: Option<&Router>) {
        let project = |it: &Router| (it.project_id.clone(), it.id);
        self.routers_of_project.shift(before.map(project), after.map(project));
        let key = |it: &Router| (it.key, it.id);
        rekey(&mut self.router_by_key, before.map(key), after.map(key));
        if before.map(|it| &it.routes) != after.map(|it| &it.routes) {
            for (router, route) in before.into_iter().flat_map(|it| it.routes.iter().map(|route| (it.id, route))) {
                self.routers_by_nexthop.remove(&route.nexthop, &router);
            }
            for (router, route) in after.into_iter().flat_map(|it| it.routes.iter().map(|route| (it.id, route))) {
                self.routers_by_nexthop.insert(route.nexthop, router);
            }
        }
    }

    pub(crate) fn vif(&mut self, before: Option<&Vif>, after: Option<&Arc<Vif>>) {
        if let Some(vif) = before {
            self.hosts_of_vif.remove(&vif.port, &vif.host);
            if let Some(vifs) = self.vifs_of_host.get_mut(&vif.host) {
                vifs.remove(&vif.port);
                if vifs.is_empty() {
                    self.vifs_of_host.remove(&vif.host);
                }
            }
        }
        if let Some(vif) = after {
            self.hosts_of_vif.insert(vif.port, vif.host.clone());
            if !self.vifs_of_host.contains_key(&vif.host) {
                self.vifs_of_host.insert(vif.host.clone(), Tree::new());
            }
            if let Some(vifs) = self.vifs_of_host.get_mut(&vif.host) {
                vifs.insert(vif.port, vif.clone());
            }
        }
    }
}
