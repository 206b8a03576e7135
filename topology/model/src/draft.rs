//! A topology in the making.

use crate::allocate::next_key;
use crate::change::{Change, Commit, Diff, Subject};
use crate::logical::is_network_owner;
use crate::{
    AddressGroup, Counters, Generation, HostKey, Hypervisor, Network, NetworkId, Port, PortId, RecordKey, Rejection,
    Revision, Router, RouterId, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecuritySet, SetKey, Subnet,
    SubnetId, Timestamp, Topology, Vif, Zones,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The beginning of 2026, when no generation had been given, in seconds since the Unix epoch.
const NO_GENERATION: u64 = 1_767_225_600;

/// The copy that a command works on, and what it has changed so far. Dropped if it is refused.
pub(crate) struct Draft {
    topology: Topology,
    at: Timestamp,
    changes: Vec<Change>,
    /// Where the change of a subject is.
    places: BTreeMap<Subject, usize>,
    /// Why the command is refused after all, found while its changes were written.
    refusal: Option<Rejection>,
}

impl std::ops::Deref for Draft {
    type Target = Topology;

    fn deref(&self) -> &Topology {
        &self.topology
    }
}

impl Draft {
    pub(crate) fn new(topology: Topology, at: Timestamp) -> Self {
        Self { topology, at, changes: Vec::new(), places: BTreeMap::new(), refusal: None }
    }

    /// The time of the command.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// What has changed so far, in the order of the first change of each record.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The new topology, and what led to it.
    pub(crate) fn finish(mut self) -> Result<(Topology, Commit), Rejection> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        self.changes.retain(|change| !change.is_empty());
        self.changes.sort_by_key(Change::rank);
        if !self.changes.is_empty() {
            self.topology.revision = Revision(self.topology.revision.0 + 1);
        }
        let commit = Commit { revision: self.topology.revision, changes: self.changes };
        Ok((self.topology, commit))
    }

    /// Does one change.
    pub(crate) fn write(&mut self, change: Change) {
        self.topology.apply(&change);
        let Some(subject) = change.subject() else {
            return;
        };
        match self.places.get(&subject) {
            Some(place) => self.changes[*place].follow(change),
            None => {
                self.places.insert(subject, self.changes.len());
                self.changes.push(change);
            }
        }
    }

    pub(crate) fn write_counters(&mut self, after: Counters) {
        let before = self.topology.counters;
        self.write(Change::Counters { before, after });
    }

    pub(crate) fn create_network(&mut self, network: Network) {
        let after = Some(Arc::new(network));
        self.write(Change::Network(Diff { before: None, after }));
    }

    pub(crate) fn create_subnet(&mut self, subnet: Subnet) {
        let after = Some(Arc::new(subnet));
        self.write(Change::Subnet(Diff { before: None, after }));
    }

    pub(crate) fn create_port(&mut self, mut port: Port) {
        trust_the_networks_own(&mut port);
        self.topology.share_names(&mut port);
        self.write_port(None, Some(Arc::new(port)));
    }

    /// Writes a port with the set of its security groups: a set that the port needs is made before it, and one that
    /// no port has any more goes after it.
    fn write_port(&mut self, before: Option<Arc<Port>>, after: Option<Arc<Port>>) {
        let same = before.as_deref().map(Port::secured) == after.as_deref().map(Port::secured);
        let wanted = after.as_ref().filter(|port| !same && port.port_security_enabled);
        if let Some(port) = wanted {
            self.ensure_set(port.security_groups.iter().copied().collect());
        }
        let left = before.as_ref().filter(|_| !same).and_then(|port| self.topology.set_of(port)).cloned();
        self.write(Change::Port(Diff { before, after }));
        if let Some(set) = left.filter(|set| self.topology.index.ports_of_set.count(&set.key) == 0) {
            self.write(Change::SecuritySet(Diff { before: Some(set), after: None }));
        }
    }

    fn ensure_set(&mut self, groups: BTreeSet<SecurityGroupId>) {
        if self.topology.index.set_by_groups.contains_key(&groups) {
            return;
        }
        let mut counters = self.topology.counters;
        match next_key(&self.topology.security_sets, SetKey, |key| key.0, counters.set, SetKey::MAX) {
            Some(key) => {
                counters.set = key;
                self.write_counters(counters);
                let set = SecuritySet { key: SetKey(key), groups, generation: Some(self.next_generation()) };
                self.write(Change::SecuritySet(Diff { before: None, after: Some(Arc::new(set)) }));
            }
            None => self.refusal = Some(Rejection::NumbersExhausted("set of security groups")),
        }
    }

    /// Goes on to the next generation of a set's rules.
    pub(crate) fn renew_set(&mut self, key: SetKey) {
        let Some(before) = self.topology.security_sets.get(&key).cloned() else {
            return;
        };
        let set = SecuritySet { generation: Some(self.next_generation()), ..SecuritySet::clone(&before) };
        self.write(Change::SecuritySet(Diff { before: Some(before), after: Some(Arc::new(set)) }));
    }

    /// The next generation: no less than the time in seconds, so that a store that was restored or made anew does not
    /// give numbers that switches know already. No connection is as old as the numbers need to go round.
    fn next_generation(&mut self) -> Generation {
        let mut counters = self.topology.counters;
        let time = self.at.seconds().saturating_sub(NO_GENERATION) % u64::from(Generation::MAX);
        counters.generation = (counters.generation % Generation::MAX + 1).max(time as u32);
        self.write_counters(counters);
        Generation(counters.generation)
    }

    /// Puts a network in the place of the one with its id. A record counts one revision a command.
    pub(crate) fn update_network(&mut self, mut network: Network) {
        let Some(before) = self.topology.networks.get(&network.id).cloned() else {
            return;
        };
        if *before != network {
            self.revise(Subject::Record(RecordKey::Network(network.id)), &mut network.revision_number);
            network.updated_at = self.at;
            let after = Some(Arc::new(network));
            self.write(Change::Network(Diff { before: Some(before), after }));
        }
    }

    /// Counts a revision of a network for the sake of one of its subnets, as Neutron does.
    pub(crate) fn touch_network(&mut self, id: NetworkId) {
        let Some(before) = self.topology.networks.get(&id).cloned() else {
            return;
        };
        let mut network = Network::clone(&before);
        self.revise(Subject::Record(RecordKey::Network(id)), &mut network.revision_number);
        network.updated_at = self.at;
        let after = Some(Arc::new(network));
        self.write(Change::Network(Diff { before: Some(before), after }));
    }

    /// Puts a subnet in the place of the one with its id, which counts for its network too.
    pub(crate) fn update_subnet(&mut self, mut subnet: Subnet) {
        let Some(before) = self.topology.subnets.get(&subnet.id).cloned() else {
            return;
        };
        if *before != subnet {
            self.revise(Subject::Record(RecordKey::Subnet(subnet.id)), &mut subnet.revision_number);
            subnet.updated_at = self.at;
            let network = subnet.network_id;
            let after = Some(Arc::new(subnet));
            self.write(Change::Subnet(Diff { before: Some(before), after }));
            self.touch_network(network);
        }
    }

    /// Puts a port in the place of the one with its id.
    pub(crate) fn update_port(&mut self, mut port: Port) {
        let Some(before) = self.topology.ports.get(&port.id).cloned() else {
            return;
        };
        trust_the_networks_own(&mut port);
        if *before != port {
            self.topology.share_names(&mut port);
            self.revise(Subject::Record(RecordKey::Port(port.id)), &mut port.revision_number);
            port.updated_at = self.at;
            self.write_port(Some(before), Some(Arc::new(port)));
        }
    }

    /// Puts a security group in the place of the one with its id.
    pub(crate) fn update_security_group(&mut self, mut group: SecurityGroup) {
        let Some(before) = self.topology.security_groups.get(&group.id).cloned() else {
            return;
        };
        if *before != group {
            self.revise(Subject::Record(RecordKey::SecurityGroup(group.id)), &mut group.revision_number);
            group.updated_at = self.at;
            self.write_security_group(Some(before), Some(Arc::new(group)));
        }
    }

    /// Counts a revision of a security group for the sake of one of its rules, as Neutron does.
    pub(crate) fn touch_security_group(&mut self, id: SecurityGroupId) {
        let Some(before) = self.topology.security_groups.get(&id).cloned() else {
            return;
        };
        let mut group = SecurityGroup::clone(&before);
        self.revise(Subject::Record(RecordKey::SecurityGroup(id)), &mut group.revision_number);
        group.updated_at = self.at;
        self.write_security_group(Some(before), Some(Arc::new(group)));
    }

    /// Puts an address group in the place of the one with its id.
    pub(crate) fn update_address_group(&mut self, mut group: AddressGroup) {
        let Some(before) = self.topology.address_groups.get(&group.id).cloned() else {
            return;
        };
        if *before != group {
            self.revise(Subject::Record(RecordKey::AddressGroup(group.id)), &mut group.revision_number);
            group.updated_at = self.at;
            self.write_address_group(Some(before), Some(Arc::new(group)));
        }
    }

    pub(crate) fn create_router(&mut self, router: Router) {
        let after = Some(Arc::new(router));
        self.write(Change::Router(Diff { before: None, after }));
    }

    /// Puts a router in the place of the one with its id.
    pub(crate) fn update_router(&mut self, router: Router) {
        if self.topology.routers.get(&router.id).is_some_and(|before| **before != router) {
            self.revise_router(router);
        }
    }

    /// Counts a revision of a router for the sake of one of its interfaces, as Neutron does.
    pub(crate) fn touch_router(&mut self, id: RouterId) {
        if let Some(before) = self.topology.routers.get(&id) {
            self.revise_router(Router::clone(before));
        }
    }

    fn revise_router(&mut self, mut router: Router) {
        let before = self.topology.routers.get(&router.id).cloned();
        self.revise(Subject::Record(RecordKey::Router(router.id)), &mut router.revision_number);
        router.updated_at = self.at;
        let after = Some(Arc::new(router));
        self.write(Change::Router(Diff { before, after }));
    }

    pub(crate) fn delete_router(&mut self, id: RouterId) {
        let before = self.topology.routers.get(&id).cloned();
        self.write(Change::Router(Diff { before, after: None }));
    }

    fn revise(&self, subject: Subject, revision: &mut u64) {
        if !self.places.contains_key(&subject) {
            *revision += 1;
        }
    }

    pub(crate) fn delete_network(&mut self, id: NetworkId) {
        let before = self.topology.networks.get(&id).cloned();
        self.write(Change::Network(Diff { before, after: None }));
    }

    pub(crate) fn delete_subnet(&mut self, id: SubnetId) {
        let before = self.topology.subnets.get(&id).cloned();
        self.write(Change::Subnet(Diff { before, after: None }));
    }

    pub(crate) fn delete_port(&mut self, id: PortId) {
        let before = self.topology.ports.get(&id).cloned();
        self.write_port(before, None);
    }

    pub(crate) fn write_security_group(
        &mut self,
        before: Option<Arc<SecurityGroup>>,
        after: Option<Arc<SecurityGroup>>,
    ) {
        self.write(Change::SecurityGroup(Diff { before, after }));
    }

    pub(crate) fn write_security_group_rule(
        &mut self,
        before: Option<Arc<SecurityGroupRule>>,
        after: Option<Arc<SecurityGroupRule>>,
    ) {
        self.write(Change::SecurityGroupRule(Diff { before, after }));
    }

    pub(crate) fn write_address_group(&mut self, before: Option<Arc<AddressGroup>>, after: Option<Arc<AddressGroup>>) {
        self.write(Change::AddressGroup(Diff { before, after }));
    }

    /// Puts a hypervisor's zones in the place of those that it has.
    pub(crate) fn write_zones(&mut self, host: HostKey, after: Option<Zones>) {
        let before = self.topology.zones.get(&host).cloned();
        self.write(Change::Zones(Diff { before, after: after.map(Arc::new) }));
    }

    pub(crate) fn write_hypervisor(&mut self, before: Option<Arc<Hypervisor>>, after: Option<Arc<Hypervisor>>) {
        self.write(Change::Hypervisor(Diff { before, after }));
    }

    pub(crate) fn write_vif(&mut self, before: Option<Arc<Vif>>, after: Option<Arc<Vif>>) {
        self.write(Change::Vif(Diff { before, after }));
    }

    pub(crate) fn port_or_gone(&self, id: PortId) -> Option<Arc<Port>> {
        self.topology.ports.get(&id).cloned()
    }
}

/// Nobody filters what the network itself sends and gets.
fn trust_the_networks_own(port: &mut Port) {
    if is_network_owner(&port.device_owner) {
        port.port_security_enabled = false;
        port.security_groups.clear();
    }
}
