//! What switches tell, and what they are told.

use super::batch::Batch;
use super::core::Controller;
use super::progress::SwitchId;
use crate::link::ConnectionId;
use crate::link::openflow::ConnectionEvent;
use std::time::Instant;
use tokio::sync::mpsc;
use weir_compile::{Bridge, explain};
use weir_model::{Revision, Timestamp};
use weir_reconcile::{Desired, Order, Step, SwitchEvent};

/// A connection of a switch, known or not.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) datapath: Option<u64>,
    ports: Vec<weir_openflow::message::Port>,
    pub(super) switch: Option<SwitchId>,
    pub(super) since: Instant,
}

impl Controller {
    /// Takes what a switch's connection tells.
    pub fn connection(
        &mut self,
        batch: &mut Batch,
        id: ConnectionId,
        event: ConnectionEvent,
        now: Instant,
        at: Timestamp,
    ) {
        match event {
            ConnectionEvent::Opened { peer, orders } => {
                tracing::debug!(%peer, connection = id.0, "switch connecting");
                let connection = Connection { orders, datapath: None, ports: Vec::new(), switch: None, since: now };
                self.connections.insert(id, connection);
            }
            ConnectionEvent::Switch(event) => self.switch_event(batch, id, event, at),
        }
    }

    fn switch_event(&mut self, batch: &mut Batch, id: ConnectionId, event: SwitchEvent, at: Timestamp) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let switch = connection.switch.clone();
        match (event, switch) {
            (SwitchEvent::Ready { features, ports }, _) => {
                connection.datapath = Some(features.datapath.0);
                connection.ports = ports;
                self.adopt(batch, id, at);
            }
            (SwitchEvent::Closed(reason), switch) => {
                self.connections.remove(&id);
                match switch {
                    Some(switch) => self.lose(&switch, id, &reason.to_string()),
                    None => tracing::warn!(connection = id.0, %reason, "switch lost before it was known"),
                }
            }
            (SwitchEvent::WantsDesired, Some(switch)) => self.comparisons.want(switch),
            // A switch that is not known yet is compared when it is.
            (_, None) => {}
            (SwitchEvent::Port(status), Some(switch)) => {
                if let Some(host) = self.hosts.get_mut(&switch.host) {
                    host.switch_mut(switch.bridge).observe(&status);
                }
                if switch.bridge == Bridge::Integration {
                    self.plug(batch, &switch.host, at);
                }
            }
            (SwitchEvent::Acknowledged { revision }, Some(switch)) => self.acknowledged(&switch, revision),
            (SwitchEvent::Repaired(repair), Some(switch)) => {
                self.counts.repaired();
                tracing::info!(host = %switch.host, bridge = %switch.bridge, "brought in line: {repair}");
            }
            (SwitchEvent::Refused(refusal), Some(switch)) => {
                let owner = refusal.cookie.map(|cookie| explain(cookie, &self.topology).to_string());
                let text = match owner {
                    Some(owner) => format!("{}: {} ({owner})", refusal.error, refusal.edit),
                    None => format!("{}: {}", refusal.error, refusal.edit),
                };
                self.counts.refused();
                tracing::error!(host = %switch.host, bridge = %switch.bridge, "refused: {text}");
                if let Some(host) = self.hosts.get_mut(&switch.host) {
                    host.switch_mut(switch.bridge).last_error = Some(text);
                }
            }
            (SwitchEvent::Flows(flows), Some(switch)) => {
                if let Some(host) = self.hosts.get_mut(&switch.host) {
                    host.switch_mut(switch.bridge).flows = flows;
                }
            }
            (SwitchEvent::Dumped(dump), Some(_)) => self.dumped(dump),
            (SwitchEvent::Flushed { ticket, done }, Some(switch)) => self.flushed(batch, &switch, ticket, done, at),
            // Packets are answered on the connection's own task.
            (SwitchEvent::PacketIn(_), Some(_)) => {}
        }
    }

    /// The switch of a connection said who it is, or a hypervisor said which switches are its own.
    fn adopt(&mut self, batch: &mut Batch, id: ConnectionId, at: Timestamp) {
        let Some(datapath) = self.connections.get(&id).and_then(|connection| connection.datapath) else { return };
        let Some(switch) = self.owner(datapath) else {
            return tracing::debug!(connection = id.0, "switch {datapath:016x} belongs to no known hypervisor yet");
        };
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        if let Some((former, orders)) = link.connection.take()
            && former != id
        {
            // The former connection is a dead one: a switch has only one to us.
            drop(orders.try_send(Order::Close));
            if let Some(former) = self.connections.get_mut(&former) {
                former.switch = None;
            }
        }
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.switch = Some(switch.clone());
        link.connect(id, connection.orders.clone(), &connection.ports);
        tracing::debug!(host = %switch.host, bridge = %switch.bridge, "switch connected");
        self.comparisons.end(&switch);
        self.comparisons.want(switch.clone());
        if switch.bridge == Bridge::Integration {
            self.plug(batch, &switch.host, at);
        }
        self.unsettle_host(&switch.host);
    }

    /// Connections of switches that nobody knew until now.
    pub(super) fn adopt_strangers(&mut self, batch: &mut Batch, at: Timestamp) {
        let strangers: Vec<_> =
            self.connections.iter().filter(|(_, connection)| connection.switch.is_none()).map(|(id, _)| *id).collect();
        for id in strangers {
            self.adopt(batch, id, at);
        }
    }

    /// Whose switch has this datapath id: what databases say now counts before what they said in an earlier run.
    fn owner(&self, datapath: u64) -> Option<SwitchId> {
        let said = self.hosts.values().filter_map(|host| {
            let fact = host.fact.as_ref()?;
            Some((&host.name, fact.integration_datapath, fact.tunnel_datapath))
        });
        let stored = self
            .topology
            .hypervisors()
            .filter(|host| self.hosts.get(&host.name).is_none_or(|host| host.fact.is_none()))
            .map(|host| (&host.name, host.integration_datapath, host.tunnel_datapath));
        said.chain(stored).find_map(|(name, integration, tunnel)| {
            let bridge = match Some(datapath) {
                id if id == integration => Bridge::Integration,
                id if id == tunnel => Bridge::Tunnel,
                _ => return None,
            };
            Some(SwitchId { host: name.clone(), bridge })
        })
    }

    fn lose(&mut self, switch: &SwitchId, id: ConnectionId, reason: &str) {
        tracing::warn!(host = %switch.host, bridge = %switch.bridge, reason, "switch lost");
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        if link.connection.as_ref().is_some_and(|(current, _)| *current == id) {
            link.disconnect(Some(reason.to_owned()));
            self.comparisons.end(switch);
            for switch in host.unheard_of() {
                self.ready.extend(self.progress.release(&switch));
            }
        }
    }

    fn acknowledged(&mut self, switch: &SwitchId, revision: u64) {
        let revision = Revision(revision);
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        link.acknowledged = Some(revision);
        self.counts.acknowledged();
        if let Some(since) = link.behind_since.take_if(|_| revision >= link.wanted) {
            self.counts.caught_up(self.now.duration_since(since));
        }
        self.comparisons.finish(switch);
        self.ready.extend(self.progress.acknowledged(switch, revision));
        self.flush(switch);
    }

    /// Sends a switch the way to the newest revision.
    pub(super) fn give(&mut self, switch: &SwitchId, steps: Vec<Step>) {
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        if let Some(step) = steps.last() {
            link.wanted = Revision(step.revision);
            link.behind_since.get_or_insert(self.now);
        }
        if !link.following {
            return;
        }
        self.counts.gave(steps.iter().flat_map(|step| &step.edits).map(|edits| edits.len()).sum());
        if !link.order(Order::Apply(steps)) {
            // It is too far behind to be told step by step: it is compared as a whole when it has caught up.
            link.following = false;
            self.comparisons.want(switch.clone());
        }
    }

    /// Tells the switches whose turn it is what they should hold.
    pub(super) fn compare(&mut self) {
        let mut late = Vec::new();
        while let Some(switch) = self.comparisons.next(|switch| {
            self.hosts.get(&switch.host).is_some_and(|host| host.is_comparable(switch.bridge))
                && self.topology.hypervisor(&switch.host).is_some()
        }) {
            let Some(key) = self.topology.hypervisor(&switch.host).map(|host| host.key) else { continue };
            let units = self.engine.encoded(key, switch.bridge, &self.topology).map(|(_, edits)| edits).collect();
            let revision = self.topology.revision();
            let Some(host) = self.hosts.get_mut(&switch.host) else { continue };
            let link = host.switch_mut(switch.bridge);
            link.wanted = revision;
            link.behind_since.get_or_insert(self.now);
            self.counts.compared();
            link.following = link.order(Order::Desired(Desired { revision: revision.0, units }));
            if !link.following {
                self.comparisons.finish(&switch);
                late.push(switch);
            }
        }
        for switch in late {
            self.comparisons.want(switch);
        }
    }
}
