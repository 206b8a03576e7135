//! One hypervisor's links and what they told.

use super::progress::SwitchId;
use crate::link::ConnectionId;
use std::collections::BTreeMap;
use std::time::Instant;
use tokio::sync::mpsc;
use weir_compile::Bridge;
use weir_model::{HostName, PortId, Revision, Timestamp, Vif};
use weir_openflow::PortNo;
use weir_openflow::message::{Port, PortReason, PortStatus};
use weir_ovsdb::{Fact, HostFact, InterfaceFact};
use weir_reconcile::Order;

/// One hypervisor: its database, its two switches, and how long it has been away.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) name: HostName,
    /// The connection of its database.
    pub(super) database: Option<ConnectionId>,
    /// What its database said last; kept while the database is away.
    pub(super) fact: Option<HostFact>,
    /// The interfaces that name ports, by their own name; kept while the database is away.
    pub(super) interfaces: Option<BTreeMap<String, InterfaceFact>>,
    pub(super) integration: SwitchLink,
    pub(super) tunnel: SwitchLink,
    /// Since when some session is missing; none while all are up.
    pub(super) away_since: Option<Instant>,
    /// It was away for longer than the grace.
    pub(super) gone: bool,
    /// The topology was told whether it is alive or gone.
    pub(super) announced: bool,
    /// Since when it is alive or gone.
    pub(super) since: Instant,
    /// What it told could not be stored and has to be taken up again.
    pub(super) stale: bool,
    pub(super) problems: Vec<String>,
    /// Why the model does not take it.
    pub(super) refusal: Option<String>,
}

/// One switch's connection and how far it is.
#[derive(Debug, Default)]
pub(super) struct SwitchLink {
    pub(super) connection: Option<(ConnectionId, mpsc::Sender<Order>)>,
    /// OpenFlow ports by name; kept while the switch is away.
    pub(super) ports: Option<BTreeMap<String, u32>>,
    /// The revision that it should reach.
    pub(super) wanted: Revision,
    /// Since when it has not acknowledged all that was wanted.
    pub(super) behind_since: Option<Instant>,
    /// The last revision that it was ever known to hold everything of.
    confirmed: Revision,
    /// The revision that it has acknowledged in this connection.
    pub(super) acknowledged: Option<Revision>,
    /// It was told to compare itself with a revision and edits since then are sent.
    pub(super) following: bool,
    /// The revision that it is being compared with.
    pub(super) comparing: Option<Revision>,
    /// When a comparison came to its end last, whether the connection is the same or not.
    pub(super) compared_at: Option<Timestamp>,
    pub(super) flows: u64,
    pub(super) last_error: Option<String>,
}

impl Host {
    pub(super) fn new(name: HostName, now: Instant) -> Self {
        Self {
            name,
            database: None,
            fact: None,
            interfaces: None,
            integration: SwitchLink::default(),
            tunnel: SwitchLink::default(),
            away_since: Some(now),
            gone: false,
            announced: false,
            since: now,
            stale: false,
            problems: Vec::new(),
            refusal: None,
        }
    }

    pub(super) const fn switch(&self, bridge: Bridge) -> &SwitchLink {
        match bridge {
            Bridge::Integration => &self.integration,
            Bridge::Tunnel => &self.tunnel,
        }
    }

    pub(super) const fn switch_mut(&mut self, bridge: Bridge) -> &mut SwitchLink {
        match bridge {
            Bridge::Integration => &mut self.integration,
            Bridge::Tunnel => &mut self.tunnel,
        }
    }

    pub(super) fn id(&self, bridge: Bridge) -> SwitchId {
        SwitchId { host: self.name.clone(), bridge }
    }

    /// The switches that are waited for: none of a hypervisor that is gone, except one that is still programmed.
    pub(super) fn concerned(&self) -> impl Iterator<Item = &SwitchLink> {
        let is_concerned = |bridge: &Bridge| !self.gone || self.is_comparable(*bridge);
        Bridge::ALL.into_iter().filter(is_concerned).map(|bridge| self.switch(bridge))
    }

    /// Whether any session is up.
    pub(super) const fn is_heard_of(&self) -> bool {
        self.database.is_some() || self.integration.connection.is_some() || self.tunnel.connection.is_some()
    }

    /// Whether every session is up.
    pub(super) const fn is_connected(&self) -> bool {
        self.database.is_some() && self.integration.connection.is_some() && self.tunnel.connection.is_some()
    }

    /// Whether enough is known to compare the bridge with what it should hold: br-int needs to know its VIFs.
    pub(super) fn is_comparable(&self, bridge: Bridge) -> bool {
        self.switch(bridge).connection.is_some()
            && self.refusal.is_none()
            && (bridge == Bridge::Tunnel || (self.interfaces.is_some() && self.integration.ports.is_some()))
    }

    /// Takes a change of what the database says.
    pub(super) fn observe(&mut self, fact: Fact) {
        let interfaces = self.interfaces.get_or_insert_default();
        match fact {
            Fact::Host(host) => self.fact = Some(host),
            Fact::Appeared(interface) | Fact::Changed { after: interface, .. } => {
                interfaces.insert(interface.name.clone(), interface);
            }
            Fact::Vanished(interface) => {
                interfaces.remove(&interface.name);
            }
        }
    }

    /// What is plugged into br-int, database and switch taken together; none before both were heard of.
    ///
    /// The database tells which port an interface is for; the switch tells the number, earlier than the database does.
    pub(super) fn vifs(&self) -> Option<BTreeMap<PortId, Vif>> {
        let (interfaces, ports) = (self.interfaces.as_ref()?, self.integration.ports.as_ref()?);
        let mut vifs = BTreeMap::new();
        for interface in interfaces.values().filter(|interface| interface.on_integration) {
            let (Some(id), Some(ofport)) = (interface.iface_id, ports.get(&interface.name)) else { continue };
            let vif =
                Vif { host: self.name.clone(), port: PortId(id), interface: interface.name.clone(), ofport: *ofport };
            // Of two interfaces that claim one port the first by name counts, so that they do not take turns.
            vifs.entry(vif.port).or_insert(vif);
        }
        Some(vifs)
    }
}

impl SwitchLink {
    /// The switch connected and told its ports; a connection that it had is over.
    pub(super) fn connect(
        &mut self,
        told: Revision,
        connection: ConnectionId,
        orders: mpsc::Sender<Order>,
        ports: &[Port],
    ) {
        self.disconnect(told, None);
        *self = Self {
            connection: Some((connection, orders)),
            ports: Some(
                ports.iter().filter(|port| is_plug(port)).map(|port| (port.name.clone(), port.number.0)).collect(),
            ),
            wanted: self.wanted,
            confirmed: self.confirmed,
            compared_at: self.compared_at,
            flows: self.flows,
            ..Self::default()
        };
    }

    /// The connection is over; switches were told everything up to `told`. Who begins to wait for that now, without a
    /// change since, waits for this switch, too.
    pub(super) fn disconnect(&mut self, told: Revision, error: Option<String>) {
        self.confirm(Revision(self.confirmed(told).0.min(told.0.saturating_sub(1))));
        self.connection = None;
        self.acknowledged = None;
        self.following = false;
        if error.is_some() {
            self.last_error = error;
        }
    }

    pub(super) fn observe(&mut self, status: &PortStatus) {
        let ports = self.ports.get_or_insert_default();
        match status.reason {
            PortReason::Added | PortReason::Modified if is_plug(&status.port) => {
                ports.insert(status.port.name.clone(), status.port.number.0);
            }
            PortReason::Added | PortReason::Modified => {}
            PortReason::Deleted => {
                ports.remove(&status.port.name);
            }
        }
    }

    /// From now on it should reach a revision; it was told everything before `first` until now.
    pub(super) fn want(&mut self, first: Revision, wanted: Revision) {
        if !self.lags() {
            self.confirm(Revision(first.0.saturating_sub(1)));
        }
        self.wanted = wanted;
    }

    /// It holds everything of a revision; after a comparison in routine that may be a later one than it had to reach.
    pub(super) fn acknowledge(&mut self, revision: Revision, at: Timestamp) {
        if self.comparing.take_if(|compared| *compared <= revision).is_some() {
            self.compared_at = Some(at);
        }
        self.acknowledged = Some(revision);
        self.wanted = self.wanted.max(revision);
        self.confirm(revision);
    }

    /// It has been known to hold everything of a revision.
    fn confirm(&mut self, revision: Revision) {
        self.confirmed = self.confirmed.max(revision);
    }

    /// The last revision that it has ever confirmed, if switches were told everything up to `told`.
    pub(super) fn confirmed(&self, told: Revision) -> Revision {
        if self.lags() { self.confirmed } else { told }
    }

    /// Whether the switch holds less than it should, or is not known to hold it. One that is not told what changes has to
    /// be compared first.
    pub(super) fn lags(&self) -> bool {
        !self.following || self.acknowledged.is_none_or(|acknowledged| acknowledged < self.wanted)
    }

    /// Gives an order; false if the connection is gone or too far behind to take it.
    pub(super) fn order(&self, order: Order) -> bool {
        self.connection.as_ref().is_some_and(|(_, orders)| orders.try_send(order).is_ok())
    }
}

fn is_plug(port: &Port) -> bool {
    port.number <= PortNo::MAX
}
