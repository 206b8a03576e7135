//! When a port is ACTIVE and when it is DOWN.

use super::core::Controller;
use super::progress::SwitchId;
use std::collections::{BTreeMap, BTreeSet};
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

    /// The statuses that change now. Ports that have to wait for switches begin to.
    pub(super) fn settle(&mut self) -> Vec<(PortId, PortStatus)> {
        let mut statuses = Vec::new();
        // A port that changed again meanwhile waits again.
        for id in std::mem::take(&mut self.ready).difference(&self.unsettled) {
            let port = self.topology.port(*id);
            if port.is_some_and(|port| port.status != PortStatus::Active && self.is_plugged(port) == Some(true)) {
                statuses.push((*id, PortStatus::Active));
            }
        }
        let mut waiting: BTreeMap<NetworkId, BTreeSet<PortId>> = BTreeMap::new();
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
                Some(true) => {
                    waiting.entry(port.network_id).or_default().insert(id);
                }
            }
        }
        for (network, ports) in waiting {
            let lagging = self.lagging(network);
            let ready = self.progress.wait(ports, lagging);
            statuses.extend(ready.into_iter().map(|port| (port, PortStatus::Active)));
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

    /// The switches of the network's hypervisors that do not hold yet what they should. A hypervisor that is gone holds
    /// nobody up: it is brought in line when it comes back.
    fn lagging(&self, network: NetworkId) -> BTreeMap<SwitchId, Revision> {
        self.topology
            .hosts_of(network)
            .filter_map(|(name, _)| self.hosts.get(name))
            .flat_map(|host| {
                let unheard_of: BTreeSet<_> = host.unheard_of().collect();
                let switches = Bridge::ALL.map(|bridge| (host.id(bridge), host.switch(bridge)));
                switches.into_iter().filter(move |(id, link)| link.lags() && !unheard_of.contains(id))
            })
            .map(|(id, link)| (id, link.wanted))
            .collect()
    }
}
