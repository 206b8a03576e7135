//! Everything that is known, as a snapshot that is cheap to copy.

use crate::allocate::AddressSpace;
use crate::change::{Change, Diff};
use crate::index::Index;
use crate::tree::Tree;
use crate::{
    AddressGroup, AddressGroupId, Counters, HostKey, HostName, Hypervisor, Limits, Liveness, MacAddress, Network,
    NetworkId, NetworkKey, Port, PortId, PortKey, ProjectId, Record, Revision, Router, RouterId, SecurityGroup,
    SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, SecuritySet, SetKey, Subnet, SubnetId, Vif, VifType, Vni,
    Zones,
};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

/// The records of the API and of the hypervisors with their indexes, at one revision.
///
/// Clone is O(1): copies share everything that they have in common. Two topologies are equal if
/// records, facts, counters and revision are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    pub(crate) limits: Arc<Limits>,
    pub(crate) revision: Revision,
    pub(crate) counters: Counters,
    pub(crate) networks: Tree<NetworkId, Arc<Network>>,
    pub(crate) subnets: Tree<SubnetId, Arc<Subnet>>,
    pub(crate) ports: Tree<PortId, Arc<Port>>,
    pub(crate) address_groups: Tree<AddressGroupId, Arc<AddressGroup>>,
    pub(crate) security_groups: Tree<SecurityGroupId, Arc<SecurityGroup>>,
    pub(crate) security_group_rules: Tree<SecurityGroupRuleId, Arc<SecurityGroupRule>>,
    pub(crate) security_sets: Tree<SetKey, Arc<SecuritySet>>,
    pub(crate) routers: Tree<RouterId, Arc<Router>>,
    pub(crate) hypervisors: Tree<HostName, Arc<Hypervisor>>,
    pub(crate) zones: Tree<HostKey, Arc<Zones>>,
    /// Hypervisors that are alive.
    pub(crate) alive: Tree<HostName, ()>,
    pub(crate) index: Index,
}

/// Puts what is after in the place of what was before.
fn replace<K: Ord + Clone, V: Clone>(map: &mut Tree<K, V>, before: Option<K>, after: Option<(K, V)>) {
    match (before, after) {
        (Some(old), Some((key, value))) => {
            if old != key {
                map.remove(&old);
            }
            map.insert(key, value);
        }
        (None, Some((key, value))) => map.insert(key, value),
        (Some(old), None) => {
            map.remove(&old);
        }
        (None, None) => {}
    }
}

impl Topology {
    /// An empty topology at revision 0.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: Arc::new(limits.normalised()),
            revision: Revision::default(),
            counters: Counters::default(),
            networks: Tree::new(),
            subnets: Tree::new(),
            ports: Tree::new(),
            address_groups: Tree::new(),
            security_groups: Tree::new(),
            security_group_rules: Tree::new(),
            security_sets: Tree::new(),
            routers: Tree::new(),
            hypervisors: Tree::new(),
            zones: Tree::new(),
            alive: Tree::new(),
            index: Index::default(),
        }
    }

    /// Lets a port's owner and host share the memory of those of other records.
    pub(crate) fn share_names(&self, port: &mut Port) {
        if let Some(known) = self.index.ports_of_project.key(&port.project_id) {
            port.project_id = known.clone();
        }
        if let Some(host) = &mut port.binding.host
            && let Some(known) = self.index.ports_of_binding.key(host)
        {
            *host = known.clone();
        }
    }

    /// Follows one change in maps and indexes.
    pub(crate) fn apply(&mut self, change: &Change) {
        match change {
            Change::Network(Diff { before, after }) => {
                self.index.network(before.as_deref(), after.as_deref());
                replace(
                    &mut self.networks,
                    before.as_ref().map(|it| it.id),
                    after.as_ref().map(|it| (it.id, it.clone())),
                );
            }
            Change::Subnet(Diff { before, after }) => {
                self.index.subnet(before.as_deref(), after.as_deref());
                replace(
                    &mut self.subnets,
                    before.as_ref().map(|it| it.id),
                    after.as_ref().map(|it| (it.id, it.clone())),
                );
            }
            Change::Port(Diff { before, after }) => {
                self.index.port(before.as_deref(), after.as_deref(), |id| self.routers.get(&id).is_some());
                replace(&mut self.ports, before.as_ref().map(|it| it.id), after.as_ref().map(|it| (it.id, it.clone())));
                self.follow_interface(before.as_deref(), after.as_deref());
            }
            Change::AddressGroup(Diff { before, after }) => {
                self.index.address_group(before.as_deref(), after.as_deref());
                replace(&mut self.address_groups, before.as_ref().map(|it| it.id), after.clone().map(|it| (it.id, it)));
            }
            Change::SecurityGroup(Diff { before, after }) => {
                self.index.security_group(before.as_deref(), after.as_deref());
                replace(
                    &mut self.security_groups,
                    before.as_ref().map(|it| it.id),
                    after.clone().map(|it| (it.id, it)),
                );
            }
            Change::SecurityGroupRule(Diff { before, after }) => {
                self.index.security_group_rule(before.as_deref(), after.as_deref());
                replace(
                    &mut self.security_group_rules,
                    before.as_ref().map(|it| it.id),
                    after.clone().map(|it| (it.id, it)),
                );
            }
            Change::SecuritySet(Diff { before, after }) => {
                self.index.security_set(before.as_deref(), after.as_deref());
                replace(
                    &mut self.security_sets,
                    before.as_ref().map(|it| it.key),
                    after.clone().map(|it| (it.key, it)),
                );
            }
            Change::Router(Diff { before, after }) => {
                self.index.router(before.as_deref(), after.as_deref());
                replace(&mut self.routers, before.as_ref().map(|it| it.id), after.clone().map(|it| (it.id, it)));
            }
            Change::Zones(Diff { before, after }) => {
                replace(&mut self.zones, before.as_ref().map(|it| it.host), after.clone().map(|it| (it.host, it)));
            }
            Change::Hypervisor(Diff { before, after }) => {
                let bound = self.ports_naming(before.as_deref(), after.as_deref());
                self.index.hypervisor(before.as_deref(), after.as_deref(), bound.iter().map(Arc::as_ref));
                replace(
                    &mut self.hypervisors,
                    before.as_ref().map(|it| it.name.clone()),
                    after.as_ref().map(|it| (it.name.clone(), it.clone())),
                );
            }
            Change::Vif(Diff { before, after }) => {
                self.index.vif(before.as_deref(), after.as_ref());
            }
            Change::Liveness { host, after, .. } => match after {
                Liveness::Alive => self.alive.insert(host.clone(), ()),
                Liveness::Gone => {
                    self.alive.remove(host);
                }
            },
            Change::Counters { after, .. } => self.counters = *after,
        }
    }

    /// Ports that name a hypervisor as it was or as it is.
    pub(crate) fn ports_naming(&self, before: Option<&Hypervisor>, after: Option<&Hypervisor>) -> Vec<Arc<Port>> {
        let names: BTreeSet<&str> =
            before.into_iter().chain(after).flat_map(|it| [it.name.as_str(), it.system_id.as_str()]).collect();
        names
            .into_iter()
            .flat_map(|name| self.index.ports_of_binding.of(name))
            .filter_map(|id| self.ports.get(id).cloned())
            .collect()
    }

    /// The revision; the number of commits that changed something.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// What the operator has configured.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The numbers given last.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Every record that outlives the process; [`Topology::load`] makes the same topology of them.
    pub fn records(&self) -> impl Iterator<Item = Record> {
        let networks = self.networks.values().cloned().map(Record::Network);
        let subnets = self.subnets.values().cloned().map(Record::Subnet);
        let ports = self.ports.values().cloned().map(Record::Port);
        let hypervisors = self.hypervisors.values().cloned().map(Record::Hypervisor);
        let groups = self.address_groups.values().cloned().map(Record::AddressGroup);
        let security_groups = self.security_groups.values().cloned().map(Record::SecurityGroup);
        let rules = self.security_group_rules.values().cloned().map(Record::SecurityGroupRule);
        let sets = self.security_sets.values().cloned().map(Record::SecuritySet);
        let routers = self.routers.values().cloned().map(Record::Router);
        let zones = self.zones.values().cloned().map(Record::Zones);
        let security = groups.chain(security_groups).chain(rules).chain(sets);
        networks
            .chain(subnets)
            .chain(security)
            .chain(routers)
            .chain(ports)
            .chain(hypervisors)
            .chain(zones)
            .chain(std::iter::once(Record::Counters(self.counters)))
    }

    /// A network.
    pub fn network(&self, id: NetworkId) -> Option<&Arc<Network>> {
        self.networks.get(&id)
    }

    /// All networks by id.
    pub fn networks(&self) -> impl ExactSizeIterator<Item = &Arc<Network>> {
        self.networks.values()
    }

    /// The networks of a project by id.
    pub fn networks_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<Network>> + use<'_> {
        let ids = self.index.networks_of_project.of(project);
        ids.filter_map(|id| self.networks.get(id))
    }

    /// The network with this number in flows.
    pub fn network_by_key(&self, key: NetworkKey) -> Option<&Arc<Network>> {
        self.networks.get(self.index.network_by_key.get(&key)?)
    }

    /// The network with this VXLAN identifier.
    pub fn network_by_vni(&self, vni: Vni) -> Option<&Arc<Network>> {
        self.networks.get(self.index.network_by_vni.get(&vni)?)
    }

    /// A subnet.
    pub fn subnet(&self, id: SubnetId) -> Option<&Arc<Subnet>> {
        self.subnets.get(&id)
    }

    /// All subnets by id.
    pub fn subnets(&self) -> impl ExactSizeIterator<Item = &Arc<Subnet>> {
        self.subnets.values()
    }

    /// The subnets of a network by id.
    pub fn subnets_of(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Subnet>> {
        let ids = self.index.subnets_of_network.of(&network);
        ids.filter_map(|id| self.subnets.get(id))
    }

    /// The subnets of a project by id.
    pub fn subnets_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<Subnet>> + use<'_> {
        let ids = self.index.subnets_of_project.of(project);
        ids.filter_map(|id| self.subnets.get(id))
    }

    /// A port.
    pub fn port(&self, id: PortId) -> Option<&Arc<Port>> {
        self.ports.get(&id)
    }

    /// All ports by id.
    pub fn ports(&self) -> impl ExactSizeIterator<Item = &Arc<Port>> {
        self.ports.values()
    }

    /// The ports of a network by id.
    pub fn ports_of(&self, network: NetworkId) -> impl Iterator<Item = &Arc<Port>> {
        let ids = self.index.ports_of_network.of(&network);
        ids.filter_map(|id| self.ports.get(id))
    }

    /// How many ports a network has.
    pub fn port_count(&self, network: NetworkId) -> usize {
        self.index.ports_of_network.count(&network)
    }

    /// The ports of a project by id.
    pub fn ports_of_project(&self, project: &str) -> impl Iterator<Item = &Arc<Port>> + use<'_> {
        let ids = self.index.ports_of_project.of(project);
        ids.filter_map(|id| self.ports.get(id))
    }

    /// The ports that have an address of a subnet, by id.
    pub fn ports_of_subnet(&self, subnet: SubnetId) -> impl Iterator<Item = &Arc<Port>> {
        let holders = self.addresses_of(subnet).map(|(_, port)| port);
        let ids: BTreeSet<PortId> = holders.collect();
        ids.into_iter().filter_map(|id| self.ports.get(&id))
    }

    /// The given addresses of a subnet and who has them, by address.
    pub fn addresses_of(&self, subnet: SubnetId) -> impl Iterator<Item = (IpAddr, PortId)> {
        let space = self.index.addresses.get(&subnet);
        space.into_iter().flat_map(AddressSpace::holders)
    }

    /// Who has an address of a subnet.
    pub fn address_holder(&self, subnet: SubnetId, address: IpAddr) -> Option<PortId> {
        self.index.addresses.get(&subnet)?.holder(address)
    }

    /// The ports that a device uses, by id.
    pub fn ports_of_device(&self, device: &str) -> impl Iterator<Item = &Arc<Port>> + use<'_> {
        let ids = self.index.ports_of_device.of(device);
        ids.filter_map(|id| self.ports.get(id))
    }

    /// The ports bound to a hypervisor: those that name it or its system id, first by name then by
    /// system id, and need no more than Open vSwitch.
    pub fn ports_on(&self, host: &HostName) -> impl Iterator<Item = &Arc<Port>> + use<'_> {
        let hypervisor = self.hypervisors.get(host);
        let names = hypervisor.into_iter().flat_map(|it| {
            let system_id = Some(it.system_id.as_str()).filter(|id| *id != it.name.as_str());
            std::iter::once(it.name.as_str()).chain(system_id)
        });
        names
            .flat_map(|name| self.index.ports_of_binding.of(name))
            .filter_map(|id| self.ports.get(id))
            .filter(|port| self.index.bound_host(port).is_some())
    }

    /// Ports whose `binding:host_id` is this text, whether or not it means a hypervisor that is known.
    pub fn ports_with_host_id(&self, text: &HostName) -> impl Iterator<Item = &Arc<Port>> + use<'_> {
        self.index.ports_of_binding.of(text.as_str()).filter_map(|id| self.ports.get(id))
    }

    /// The port with this number in flows.
    pub fn port_by_key(&self, key: PortKey) -> Option<&Arc<Port>> {
        self.ports.get(self.index.port_by_key.get(&key)?)
    }

    /// A hypervisor by the name it has now.
    pub fn hypervisor(&self, name: &HostName) -> Option<&Arc<Hypervisor>> {
        self.hypervisors.get(name)
    }

    /// All hypervisors by name.
    pub fn hypervisors(&self) -> impl ExactSizeIterator<Item = &Arc<Hypervisor>> {
        self.hypervisors.values()
    }

    /// The hypervisor with this number in flows.
    pub fn hypervisor_by_key(&self, key: HostKey) -> Option<&Arc<Hypervisor>> {
        self.hypervisors.get(self.index.host_by_key.get(&key)?)
    }

    /// The hypervisor that `binding:host_id` means by this text.
    pub fn hypervisor_by_name_or_system_id(&self, text: &str) -> Option<&Arc<Hypervisor>> {
        self.hypervisors.get(self.index.host_by_alias.get(text)?)
    }

    /// The hypervisor with this tunnel endpoint.
    pub fn hypervisor_by_encap_ip(&self, encap_ip: IpAddr) -> Option<&Arc<Hypervisor>> {
        self.hypervisors.get(self.index.host_by_encap.get(&encap_ip)?)
    }

    /// The hypervisor that a port is bound to: the one it names, if that is known and Open vSwitch
    /// can carry the port's kind of device.
    pub fn bound_host(&self, port: &Port) -> Option<&Arc<Hypervisor>> {
        self.hypervisors.get(self.index.bound_host(port)?)
    }

    /// `binding:vif_type` of a port.
    pub fn vif_type(&self, port: &Port) -> VifType {
        match (&port.binding.host, self.index.bound_host(port)) {
            (None, _) => VifType::Unbound,
            (Some(_), Some(_)) => VifType::Ovs,
            (Some(_), None) => VifType::BindingFailed,
        }
    }

    /// The hypervisors that ports of a network are bound to, with how many, by name.
    pub fn hosts_of(&self, network: NetworkId) -> impl Iterator<Item = (&HostName, u32)> {
        let hosts = self.index.hosts_of_network.get(&network);
        hosts.into_iter().flatten().map(|(host, count)| (host, *count))
    }

    /// How many ports of a network are bound to a hypervisor.
    pub fn bound_count(&self, network: NetworkId, host: &HostName) -> u32 {
        let hosts = self.index.hosts_of_network.get(&network);
        hosts.and_then(|hosts| hosts.get(host)).copied().unwrap_or(0)
    }

    /// The networks that have ports bound to a hypervisor, with how many, by id.
    pub fn networks_on(&self, host: &HostName) -> impl Iterator<Item = (NetworkId, u32)> + use<'_> {
        let networks = self.index.networks_of_host.get(host);
        networks.into_iter().flatten().map(|(network, count)| (*network, *count))
    }

    /// The bound ports that use a link-layer address, as their own or in an address pair, by id.
    pub fn mac_claims(&self, network: NetworkId, mac: MacAddress) -> impl Iterator<Item = PortId> {
        self.index
            .claims
            .of(&(network, mac))
            .filter(|id| {
                let port = self.ports.get(*id);
                port.is_some_and(|port| self.index.bound_host(port).is_some())
            })
            .copied()
    }

    /// The port whose own link-layer address it is.
    pub fn mac_holder(&self, network: NetworkId, mac: MacAddress) -> Option<PortId> {
        let key = (network, mac);
        let mut claims = self.index.claims.of(&key);
        claims
            .find(|id| {
                let port = self.ports.get(*id);
                port.is_some_and(|port| port.mac_address == mac)
            })
            .copied()
    }

    /// The interface of a port on the hypervisor that the port is bound to.
    pub fn vif(&self, port: PortId) -> Option<&Arc<Vif>> {
        let host = self.index.bound_host(self.ports.get(&port)?)?;
        self.vif_on(host, port)
    }

    /// The interface that names a port on a hypervisor, bound there or not.
    pub fn vif_on(&self, host: &HostName, port: PortId) -> Option<&Arc<Vif>> {
        self.index.vifs_of_host.get(host)?.get(&port)
    }

    /// All interfaces that name a port, by hypervisor.
    pub fn vifs_of(&self, port: PortId) -> impl Iterator<Item = &Arc<Vif>> {
        let hosts = self.index.hosts_of_vif.of(&port);
        hosts.filter_map(move |host| self.vif_on(host, port))
    }

    /// The interfaces of a hypervisor that name ports, by port.
    pub fn vifs_on(&self, host: &HostName) -> impl Iterator<Item = &Arc<Vif>> + use<'_> {
        let vifs = self.index.vifs_of_host.get(host);
        vifs.into_iter().flat_map(Tree::values)
    }

    /// Whether a hypervisor's sessions are up.
    pub fn liveness(&self, host: &HostName) -> Liveness {
        if self.alive.contains_key(host) { Liveness::Alive } else { Liveness::Gone }
    }

    /// The project as it is kept, for sharing its memory.
    pub(crate) fn shared_project(&self, project: ProjectId) -> ProjectId {
        let known = self.index.networks_of_project.key(&project).cloned();
        known.unwrap_or(project)
    }
}
