//! What switches tell, and what they are told.

use super::batch::Batch;
use super::comparisons::Turn;
use super::core::Controller;
use super::progress::SwitchId;
use crate::link::ConnectionId;
use crate::link::openflow::ConnectionEvent;
use std::time::Instant;
use tokio::sync::mpsc;
use weir_compile::{Bridge, explain};
use weir_model::{HostKey, Revision, Timestamp};
use weir_openflow::Digest;
use weir_reconcile::{Desired, Occasion, Order, Step, SwitchEvent};

/// A connection of a switch, known or not.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) orders: mpsc::Sender<Order>,
    pub(super) datapath: Option<u64>,
    ports: Vec<weir_openflow::message::Port>,
    /// It waits to be compared after it connected.
    connected: Option<Connected>,
    pub(super) switch: Option<SwitchId>,
    pub(super) since: Instant,
}

/// A switch that has just connected.
#[derive(Clone, Copy, Debug)]
struct Connected {
    /// What it holds, if it has a seal.
    held: Option<Digest>,
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
                let connection =
                    Connection { orders, datapath: None, ports: Vec::new(), connected: None, switch: None, since: now };
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
            (SwitchEvent::WantsDesired(Occasion::Connected { held }), switch) => {
                connection.connected = Some(Connected { held });
                if let Some(switch) = switch {
                    self.comparisons.want(switch, self.now);
                }
            }
            (SwitchEvent::WantsDesired(Occasion::Doubt), Some(switch)) => self.comparisons.want(switch, self.now),
            (SwitchEvent::WantsDesired(Occasion::Routine), Some(switch)) => {
                self.comparisons.want_in_routine(switch, self.now);
            }
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
            (SwitchEvent::Acknowledged { revision }, Some(switch)) => self.acknowledged(&switch, revision, at),
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
        let is_inspected = connection.connected.is_some();
        link.connect(self.told, id, connection.orders.clone(), &connection.ports);
        tracing::debug!(host = %switch.host, bridge = %switch.bridge, "switch connected");
        self.comparisons.end(&switch, self.now);
        if is_inspected {
            self.comparisons.want(switch.clone(), self.now);
        }
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
            link.disconnect(self.told, Some(reason.to_owned()));
            self.comparisons.end(switch, self.now);
            self.stir(&switch.host);
        }
    }

    fn acknowledged(&mut self, switch: &SwitchId, revision: u64, at: Timestamp) {
        let revision = Revision(revision);
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        link.acknowledge(revision, at);
        self.counts.acknowledged();
        if let Some(since) = link.behind_since.take_if(|_| revision >= link.wanted) {
            self.counts.caught_up(self.now.duration_since(since));
        }
        self.comparisons.finish(switch, self.now);
        self.stir(&switch.host);
        self.flush(switch);
    }

    /// Sends a switch the way to the newest revision.
    pub(super) fn give(&mut self, switch: &SwitchId, steps: Vec<Step>) {
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        if let (Some(first), Some(last)) = (steps.first(), steps.last()) {
            link.want(Revision(first.revision), Revision(last.revision));
            link.behind_since.get_or_insert(self.now);
        }
        if !link.following {
            return;
        }
        self.counts.gave(steps.iter().flat_map(|step| &step.edits).map(|edits| edits.len()).sum());
        if !link.order(Order::Apply(steps)) {
            // It is too far behind to be told step by step: it is compared as a whole when it has caught up.
            link.following = false;
            self.comparisons.want(switch.clone(), self.now);
        }
    }

    /// Tells the switches whose turn it is what they should hold.
    pub(super) fn compare(&mut self) {
        let mut late = Vec::new();
        while let Some(Turn { switch, is_routine }) = self.comparisons.next(self.now, |switch| {
            self.hosts.get(&switch.host).is_some_and(|host| host.is_comparable(switch.bridge))
                && self.topology.hypervisor(&switch.host).is_some()
        }) {
            let Some(key) = self.topology.hypervisor(&switch.host).map(|host| host.key) else { continue };
            let Some(order) = self.order_to_compare(&switch, key) else { continue };
            self.withdrawals.forget(&switch);
            let Some(host) = self.hosts.get_mut(&switch.host) else { continue };
            let link = host.switch_mut(switch.bridge);
            // One in routine holds what it should as far as is known: nothing waits for it.
            if !is_routine {
                let revision = self.topology.revision();
                link.want(revision, revision);
                link.behind_since.get_or_insert(self.now);
            }
            link.comparing = match &order {
                Order::Desired(desired) => Some(Revision(desired.revision)),
                _ => None,
            };
            link.following = link.order(order);
            if !link.following {
                self.comparisons.finish(&switch, self.now);
                late.push(switch);
            }
        }
        for switch in late {
            self.comparisons.want(switch, self.now);
        }
    }

    /// What a switch has to be told to hold what it should. One that says by its seal that it does is taken at its word.
    fn order_to_compare(&mut self, switch: &SwitchId, key: HostKey) -> Option<Order> {
        let (id, _) = self.hosts.get(&switch.host)?.switch(switch.bridge).connection.as_ref()?;
        let connected = self.connections.get_mut(id).and_then(|connection| connection.connected.take());
        let held = connected.and_then(|connected| connected.held);
        let revision = self.topology.revision().0;
        let holding = self.engine.holding(key, switch.bridge, &self.topology);
        let digest = holding.digest();
        if held == Some(digest) {
            self.counts.trusted();
            return Some(Order::Sealed { revision, digest });
        }
        self.counts.compared();
        Some(Order::Desired(Desired { revision, additions: holding.additions(), digest }))
    }
}
