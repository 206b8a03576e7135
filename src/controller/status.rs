//! When a port is ACTIVE and when it is DOWN.

use super::core::Controller;
use super::host::Host;
use weir_compile::Bridge;
use weir_model::{Change, Commit, HostName, NetworkId, Port, PortId, PortStatus, Revision};

impl Controller {
    /// Ports whose status the commit may change.
    pub(super) fn unsettle(&mut self, commit: &Commit) {
        for change in &commit.changes {
            match change {
                Change::Port(diff) => {
                    self.unsettled.extend(diff.before.iter().chain(&diff.after).map(|port| port.id));
                }
                Change::Vif(diff) => {
                    self.unsettled.extend(diff.before.iter().chain(&diff.after).map(|vif| vif.port));
                }
                // A hypervisor that appears or is renamed binds ports without a change of theirs.
                Change::Hypervisor(diff) => {
                    for host in diff.before.iter().chain(&diff.after) {
                        self.unsettle_host(&host.name);
                    }
                    self.forget_strangers();
                }
                Change::Network(_)
                | Change::Subnet(_)
                | Change::AddressGroup(_)
                | Change::SecurityGroup(_)
                | Change::SecurityGroupRule(_)
                | Change::SecuritySet(_)
                | Change::Router(_)
                | Change::Zones(_)
                | Change::Liveness { .. }
                | Change::Counters { .. } => {}
            }
        }
    }

    /// Every port bound to the hypervisor may change its status.
    pub(super) fn unsettle_host(&mut self, host: &HostName) {
        self.unsettled.extend(self.topology.ports_on(host).map(|port| port.id));
    }

    /// Ports of the hypervisor's networks may have nothing more to wait for.
    pub(super) fn stir(&mut self, host: &HostName) {
        self.progress.stir(self.topology.networks_on(host).map(|(network, _)| network));
    }

    /// The statuses that change now. Ports that have to wait for switches begin to.
    pub(super) fn settle(&mut self) -> Vec<(PortId, PortStatus)> {
        let mut statuses = Vec::new();
        for id in std::mem::take(&mut self.unsettled) {
            let Some(port) = self.topology.port(id) else {
                self.progress.cancel(id);
                continue;
            };
            match self.is_plugged(port) {
                // The hypervisor has not told yet what is plugged into it.
                None => {}
                Some(false) => {
                    self.progress.cancel(id);
                    if port.status != PortStatus::Down {
                        statuses.push((id, PortStatus::Down));
                    }
                }
                Some(true) if port.status == PortStatus::Active => {}
                Some(true) => self.progress.wait(id, port.network_id, self.told),
            }
        }
        for (network, first) in self.progress.take_stirred() {
            let Some(confirmed) = self.confirmed(network, first) else { continue };
            for id in self.progress.confirmed(network, confirmed) {
                let port = self.topology.port(id);
                if port.is_some_and(|port| port.status != PortStatus::Active && self.is_plugged(port) == Some(true)) {
                    statuses.push((id, PortStatus::Active));
                }
            }
        }
        statuses
    }

    /// Whether the port is plugged where it is bound; none if that is not known yet.
    fn is_plugged(&self, port: &Port) -> Option<bool> {
        let Some(hypervisor) = self.topology.bound_host(port).filter(|_| port.admin_state_up) else {
            return Some(false);
        };
        let Some(host) = self.hosts.get(&hypervisor.name).filter(|host| !host.gone) else { return Some(false) };
        host.is_comparable(Bridge::Integration).then(|| self.topology.vif_on(&hypervisor.name, port.id).is_some())
    }

    /// The last revision that every switch of the network's hypervisors has confirmed; none if that is before `first`.
    fn confirmed(&self, network: NetworkId, first: Revision) -> Option<Revision> {
        let mut confirmed = self.told;
        for host in self.hosts_of(network) {
            for switch in host.concerned() {
                confirmed = confirmed.min(switch.confirmed(self.told));
                if confirmed < first {
                    return None;
                }
            }
        }
        Some(confirmed)
    }

    /// The hypervisors that ports of a network wait for, from a revision on.
    pub(super) fn waited_for(&self, network: NetworkId, since: Revision) -> impl Iterator<Item = HostName> {
        let lacks = move |host: &&Host| host.concerned().any(|switch| switch.confirmed(self.told) < since);
        self.hosts_of(network).filter(lacks).map(|host| host.name.clone())
    }

    fn hosts_of(&self, network: NetworkId) -> impl Iterator<Item = &Host> {
        self.topology.hosts_of(network).filter_map(|(name, _)| self.hosts.get(name))
    }
}
