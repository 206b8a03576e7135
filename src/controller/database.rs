//! What hypervisors' databases tell.

use super::batch::Batch;
use super::core::Controller;
use super::host::Host;
use crate::link::hypervisor::HypervisorEvent;
use crate::link::ovsdb::DatabaseEvent;
use std::collections::BTreeMap;
use std::time::Instant;
use weir_compile::Bridge;
use weir_model::{Command, HostName, HypervisorFact, PortId, Timestamp};
use weir_ovsdb::{Fact, HostFact};

impl Controller {
    /// Takes what a database tells.
    pub fn database(&mut self, batch: &mut Batch, event: DatabaseEvent, now: Instant, at: Timestamp) {
        let DatabaseEvent { connection, peer, event, hang_up } = event;
        match event {
            HypervisorEvent::Synced { host: fact, interfaces } => {
                let Some(name) = fact.name().map(HostName::from) else {
                    return tracing::warn!(%peer, "a hypervisor has neither hostname nor system-id");
                };
                if self.is_taken(&name, &fact) {
                    tracing::warn!(host = %name, %peer, "another hypervisor of this name is connected: disconnected");
                    return hang_up.notify_one();
                }
                let host = self.hosts.entry(name.clone()).or_insert_with(|| Host::new(name.clone(), now));
                if let Some(former) = host.database.replace(connection) {
                    tracing::debug!(host = %name, %peer, "database connected anew");
                    self.databases.remove(&former);
                } else {
                    tracing::debug!(host = %name, %peer, "database connected");
                }
                host.interfaces = Some(interfaces.into_iter().map(|fact| (fact.name.clone(), fact)).collect());
                self.databases.insert(connection, name.clone());
                self.introduce(batch, &name, fact, at);
                self.plug(batch, &name, at);
                self.unsettle_host(&name);
            }
            HypervisorEvent::Facts(facts) => {
                let Some(mut name) = self.databases.get(&connection).cloned() else { return };
                for fact in facts {
                    match fact {
                        Fact::Host(fact) => {
                            if let Some(now_called) = fact.name().map(HostName::from).filter(|other| *other != name) {
                                if self.hosts.contains_key(&now_called) {
                                    tracing::warn!(host = %name, %now_called, "another hypervisor has this name");
                                    return hang_up.notify_one();
                                }
                                self.rename(&name, &now_called);
                                name = now_called;
                            }
                            self.introduce(batch, &name, fact, at);
                        }
                        fact => {
                            if let Some(host) = self.hosts.get_mut(&name) {
                                host.observe(fact);
                            }
                        }
                    }
                }
                self.plug(batch, &name, at);
            }
            HypervisorEvent::Provisioned(lines) => {
                let host = self.databases.get(&connection).map(ToString::to_string).unwrap_or_default();
                for line in lines {
                    tracing::info!(host, %peer, "{line}");
                }
            }
            HypervisorEvent::Problems(problems) => {
                let host = self.databases.get(&connection).and_then(|name| self.hosts.get_mut(name));
                for problem in &problems {
                    tracing::warn!(%peer, host = host.as_ref().map(|host| host.name.as_str()), "{problem}");
                }
                if let Some(host) = host {
                    host.problems = problems;
                }
            }
            HypervisorEvent::Closed(reason) => {
                let Some(name) = self.databases.remove(&connection) else {
                    return tracing::warn!(%peer, reason, "database lost");
                };
                tracing::warn!(host = %name, %peer, reason, "database lost");
                if let Some(host) = self.hosts.get_mut(&name) {
                    host.database = host.database.filter(|current| *current != connection);
                }
            }
        }
    }

    /// Whether another hypervisor of the name is connected now.
    fn is_taken(&self, name: &HostName, fact: &HostFact) -> bool {
        self.hosts
            .get(name)
            .filter(|host| host.database.is_some())
            .is_some_and(|host| host.fact.as_ref().is_some_and(|known| known.system_id != fact.system_id))
    }

    /// A hypervisor is called otherwise from now on.
    pub(super) fn rename(&mut self, from: &HostName, to: &HostName) {
        let Some(mut host) = self.hosts.remove(from) else { return };
        tracing::info!(host = %from, renamed = %to, "hypervisor renamed");
        for name in self.databases.values_mut().filter(|name| *name == from) {
            name.clone_from(to);
        }
        for connection in self.connections.values_mut() {
            if let Some(switch) = connection.switch.as_mut().filter(|switch| switch.host == *from) {
                switch.host.clone_from(to);
            }
        }
        for bridge in Bridge::ALL {
            self.comparisons.end(&host.id(bridge), self.now);
        }
        self.withdrawals.rename(from, to);
        host.name.clone_from(to);
        for bridge in Bridge::ALL.into_iter().filter(|bridge| host.switch(*bridge).connection.is_some()) {
            self.comparisons.want(host.id(bridge), self.now);
        }
        self.hosts.insert(to.clone(), host);
    }

    /// A hypervisor says who it is.
    pub(super) fn introduce(&mut self, batch: &mut Batch, name: &HostName, fact: HostFact, at: Timestamp) {
        let observed = match fact.encap_ip {
            Some(encap_ip) => {
                let observation = HypervisorFact {
                    name: name.clone(),
                    system_id: fact.system_id.clone().unwrap_or_else(|| name.to_string()),
                    encap_ip,
                    bridge_mappings: fact
                        .bridge_mappings
                        .iter()
                        .map(|mapping| weir_model::BridgeMapping {
                            physical_network: mapping.physical_network.clone(),
                            bridge: mapping.bridge.clone(),
                        })
                        .collect(),
                    integration_datapath: fact.integration_datapath,
                    tunnel_datapath: fact.tunnel_datapath,
                };
                self.command(batch, Command::ObserveHypervisor(observation), at)
            }
            None => Err("no tunnel endpoint: ovs-vsctl set open_vswitch . external_ids:weir-encap-ip=IP".to_owned()),
        };
        let Some(host) = self.hosts.get_mut(name) else { return };
        host.fact = Some(fact);
        let refusal = observed.err();
        if let Some(error) = refusal.as_ref().filter(|error| host.refusal.as_ref() != Some(error)) {
            tracing::warn!(host = %name, error, "hypervisor not accepted");
        }
        host.refusal = refusal;
        self.adopt_strangers(batch, at);
    }

    /// Forgets who is neither connected nor known, for instance under a former name.
    pub(super) fn forget_strangers(&mut self) {
        self.hosts.retain(|name, host| host.is_heard_of() || self.topology.hypervisor(name).is_some());
        self.withdrawals.retain(|host| self.hosts.contains_key(host));
    }

    /// Brings the topology's VIFs of the hypervisor in line with what is plugged.
    pub(super) fn plug(&mut self, batch: &mut Batch, name: &HostName, at: Timestamp) {
        let Some(vifs) = self.hosts.get(name).filter(|host| host.refusal.is_none()).and_then(Host::vifs) else {
            return;
        };
        let known: BTreeMap<PortId, _> =
            self.topology.vifs_on(name).map(|vif| (vif.port, vif.as_ref().clone())).collect();
        let gone = known.keys().filter(|port| !vifs.contains_key(port));
        let mut commands: Vec<_> = gone.map(|port| Command::ForgetVif { host: name.clone(), port: *port }).collect();
        commands.extend(
            vifs.iter()
                .filter(|(port, vif)| known.get(port) != Some(vif))
                .map(|(_, vif)| Command::ObserveVif(vif.clone())),
        );
        for command in commands {
            if let Err(error) = self.command(batch, command, at) {
                tracing::warn!(host = %name, error, "VIF not accepted");
            }
        }
    }
}
