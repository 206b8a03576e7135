//! A topology in the making.

use crate::change::{Change, Commit, Diff, Subject};
use crate::{
    Counters, Hypervisor, Network, NetworkId, Port, PortId, RecordKey, Revision, Router, RouterId, Subnet, SubnetId,
    Timestamp, Topology, Vif,
};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The copy that a command works on, and what it has changed so far. Dropped if it is refused.
pub(crate) struct Draft {
    topology: Topology,
    at: Timestamp,
    changes: Vec<Change>,
    /// Where the change of a subject is.
    places: BTreeMap<Subject, usize>,
}

impl std::ops::Deref for Draft {
    type Target = Topology;

    fn deref(&self) -> &Topology {
        &self.topology
    }
}

impl Draft {
    pub(crate) fn new(topology: Topology, at: Timestamp) -> Self {
        Self { topology, at, changes: Vec::new(), places: BTreeMap::new() }
    }

    /// The time of the command.
    pub(crate) fn at(&self) -> Timestamp {
        self.at
    }

    /// The new topology, and what led to it.
    pub(crate) fn finish(mut self) -> (Topology, Commit) {
        self.changes.retain(|change| !change.is_empty());
        self.changes.sort_by_key(Change::rank);
        if !self.changes.is_empty() {
            self.topology.revision = Revision(self.topology.revision.0 + 1);
        }
        let commit = Commit { revision: self.topology.revision, changes: self.changes };
        (self.topology, commit)
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
        self.topology.share_names(&mut port);
        let after = Some(Arc::new(port));
        self.write(Change::Port(Diff { before: None, after }));
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
        if *before != port {
            self.topology.share_names(&mut port);
            self.revise(Subject::Record(RecordKey::Port(port.id)), &mut port.revision_number);
            port.updated_at = self.at;
            let after = Some(Arc::new(port));
            self.write(Change::Port(Diff { before: Some(before), after }));
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
        self.write(Change::Port(Diff { before, after: None }));
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
