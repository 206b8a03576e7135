//! The controller: plain code without waiting.

use super::comparisons::Comparisons;
use super::host::Host;
use super::progress::{Progress, SwitchId};
use crate::api::{ApiRequest, DumpFailure, DumpRequest, ExplainedFlow, Failure};
use crate::link::ConnectionId;
use crate::link::hypervisor::HypervisorEvent;
use crate::link::openflow::ConnectionEvent;
use crate::link::ovsdb::DatabaseEvent;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use tokio::sync::{mpsc, oneshot};
use weir_compile::{Bridge, Delta, Engine, explain};
use weir_model::{
    Command, Commit, HostName, HypervisorFact, Liveness, Outcome, PortId, Request, Revision, Timestamp, Topology,
};
use weir_openflow::message::FlowEntries;
use weir_ovsdb::{Fact, HostFact};
use weir_reconcile::{Desired, Dump, Order, Step, SwitchEvent};

/// How long a switch that belongs to no known hypervisor may stay connected.
const STRANGER: Duration = Duration::from_secs(60);

/// Dumps that may be on their way at a time.
const DUMPS_MAX: usize = 64;

/// Everything the controller knows.
#[derive(Debug)]
pub struct Controller {
    pub(super) topology: Topology,
    pub(super) engine: Engine,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) progress: Progress,
    databases: BTreeMap<ConnectionId, HostName>,
    connections: BTreeMap<ConnectionId, Connection>,
    comparisons: Comparisons,
    /// Ports whose status may have to change.
    pub(super) unsettled: BTreeSet<PortId>,
    /// Ports that every switch concerned has acknowledged.
    pub(super) ready: BTreeSet<PortId>,
    dumps: BTreeMap<u64, PendingDump>,
    next_dump: u64,
    finished: Vec<FinishedDump>,
    grace: Duration,
}

/// A connection of a switch, known or not.
#[derive(Debug)]
struct Connection {
    orders: mpsc::Sender<Order>,
    datapath: Option<u64>,
    ports: Vec<weir_openflow::message::Port>,
    switch: Option<SwitchId>,
    since: Instant,
}

/// Flows of a switch, on their way to whoever asked.
#[derive(Debug)]
pub struct FinishedDump {
    /// The bridge.
    pub bridge: Bridge,
    /// Its flows with their counters.
    pub flows: Vec<FlowEntries>,
    /// Who asked.
    pub reply: oneshot::Sender<Result<Vec<ExplainedFlow>, DumpFailure>>,
}

#[derive(Debug)]
struct PendingDump {
    bridge: Bridge,
    reply: oneshot::Sender<Result<Vec<ExplainedFlow>, DumpFailure>>,
}

/// Commands carried out in memory and not durable yet.
#[derive(Debug)]
pub struct Batch {
    before: Topology,
    /// The topology after each of the commits.
    after: Vec<Topology>,
    commits: Vec<Commit>,
    replies: Vec<Reply>,
}

/// A client that waits, and its answer.
pub type Reply = (oneshot::Sender<Result<Outcome, Failure>>, Outcome);

impl Batch {
    /// What must be made durable, in order.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.commits)
    }

    /// Whether nothing changed and nobody waits.
    pub fn is_empty(&self) -> bool {
        self.after.is_empty() && self.replies.is_empty()
    }

    fn push(&mut self, topology: Topology, commit: Commit) {
        self.after.push(topology);
        self.commits.push(commit);
    }
}

impl Controller {
    /// A controller of what was stored; nobody is connected.
    pub fn new(topology: Topology, grace: Duration, now: Instant) -> Self {
        let engine = Engine::load(&topology);
        let hosts = topology.hypervisors().map(|host| (host.name.clone(), Host::new(host.name.clone(), now))).collect();
        Self {
            topology,
            engine,
            hosts,
            progress: Progress::default(),
            databases: BTreeMap::new(),
            connections: BTreeMap::new(),
            comparisons: Comparisons::default(),
            unsettled: BTreeSet::new(),
            ready: BTreeSet::new(),
            dumps: BTreeMap::new(),
            next_dump: 0,
            finished: Vec::new(),
            grace,
        }
    }

    /// Everything as it is now.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// A batch to carry commands out in.
    pub fn begin(&self) -> Batch {
        Batch { before: self.topology.clone(), after: Vec::new(), commits: Vec::new(), replies: Vec::new() }
    }

    /// Carries out what a client asks, or tells it why not.
    pub fn api(&mut self, batch: &mut Batch, request: ApiRequest, at: Timestamp) {
        match self.topology.transact(Request { command: request.command, at }) {
            Ok((topology, commit, outcome)) => {
                self.topology = topology.clone();
                batch.push(topology, commit);
                batch.replies.push((request.reply, outcome));
            }
            // A refusal leaves nothing behind; a client that has gone does not need to hear of it.
            Err(rejection) => drop(request.reply.send(Err(Failure::Rejected(rejection)))),
        }
    }

    /// Carries out what the controller itself has found out.
    fn command(&mut self, batch: &mut Batch, command: Command, at: Timestamp) -> Result<(), String> {
        let (topology, commit, _) =
            self.topology.transact(Request { command, at }).map_err(|rejection| rejection.to_string())?;
        if !commit.changes.is_empty() {
            self.topology = topology.clone();
            batch.push(topology, commit);
        }
        Ok(())
    }

    /// The batch could not be made durable: as if it had never been.
    pub fn abandon(&mut self, batch: Batch, error: &str) {
        self.topology = batch.before;
        for (reply, _) in batch.replies {
            drop(reply.send(Err(Failure::Store(error.to_owned()))));
        }
        // What hypervisors have told is taken up again with the next tick.
        for host in self.hosts.values_mut() {
            host.stale = true;
        }
    }

    /// The batch with these commits is durable: the switches hear of it, and the clients are to.
    pub fn commit(&mut self, batch: Batch, commits: Vec<Commit>) -> Vec<Reply> {
        let mut steps: BTreeMap<SwitchId, Vec<Step>> = BTreeMap::new();
        let mut old = batch.before;
        for (new, commit) in batch.after.into_iter().zip(commits) {
            let mut edits: BTreeMap<SwitchId, Vec<_>> = BTreeMap::new();
            let applied = self.engine.apply(&commit, &old, &new);
            for unexpressed in applied.unexpressed {
                tracing::warn!("{unexpressed}");
            }
            for Delta { recipients, bridge, edits: shared, .. } in applied.deltas {
                for key in recipients.iter() {
                    // Who has just been forgotten still loses its flows.
                    let host = new.hypervisor_by_key(key).or_else(|| old.hypervisor_by_key(key));
                    let Some(host) = host.map(|host| host.name.clone()) else { continue };
                    edits.entry(SwitchId { host, bridge }).or_default().push(shared.clone());
                }
            }
            for (switch, edits) in edits {
                steps.entry(switch).or_default().push(Step { revision: commit.revision.0, edits });
            }
            self.unsettle(&commit);
            old = new;
        }
        for (switch, steps) in steps {
            self.give(&switch, steps);
        }
        batch.replies
    }

    /// Sends a switch the way to the newest revision.
    fn give(&mut self, switch: &SwitchId, steps: Vec<Step>) {
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        let link = host.switch_mut(switch.bridge);
        if let Some(step) = steps.last() {
            link.wanted = Revision(step.revision);
        }
        if link.following && !link.order(Order::Apply(steps)) {
            // It is too far behind to be told step by step: it is compared as a whole when it has caught up.
            link.following = false;
            self.comparisons.want(switch.clone());
        }
    }

    /// Takes what a database tells.
    pub fn database(&mut self, batch: &mut Batch, event: DatabaseEvent, now: Instant, at: Timestamp) {
        let DatabaseEvent { connection, peer, event } = event;
        match event {
            HypervisorEvent::Synced { host: fact, interfaces } => {
                let Some(name) = fact.name().map(HostName::from) else {
                    return tracing::warn!(%peer, "a hypervisor has neither hostname nor system-id");
                };
                let host = self.hosts.entry(name.clone()).or_insert_with(|| Host::new(name.clone(), now));
                if let Some(former) = host.database.replace(connection) {
                    tracing::info!(host = %name, %peer, "database connected anew");
                    self.databases.remove(&former);
                } else {
                    tracing::info!(host = %name, %peer, "database connected");
                }
                host.interfaces = Some(interfaces.into_iter().map(|fact| (fact.name.clone(), fact)).collect());
                self.databases.insert(connection, name.clone());
                self.introduce(batch, &name, fact, at);
                self.plug(batch, &name, at);
                self.unsettle_host(&name);
            }
            HypervisorEvent::Facts(facts) => {
                let Some(name) = self.databases.get(&connection).cloned() else { return };
                for fact in facts {
                    match fact {
                        Fact::Host(fact) => self.introduce(batch, &name, fact, at),
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

    /// A hypervisor says who it is.
    fn introduce(&mut self, batch: &mut Batch, name: &HostName, fact: HostFact, at: Timestamp) {
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
        if let Err(error) = &observed {
            tracing::warn!(host = %name, error, "hypervisor not accepted");
        }
        host.refusal = observed.err();
        self.adopt_strangers(batch, at);
    }

    /// Brings the topology's VIFs of the hypervisor in line with what is plugged.
    fn plug(&mut self, batch: &mut Batch, name: &HostName, at: Timestamp) {
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
                tracing::info!(host = %switch.host, bridge = %switch.bridge, "brought in line: {repair}");
            }
            (SwitchEvent::Refused(refusal), Some(switch)) => {
                let owner = refusal.cookie.map(|cookie| explain(cookie, &self.topology).to_string());
                let text = match owner {
                    Some(owner) => format!("{}: {} ({owner})", refusal.error, refusal.edit),
                    None => format!("{}: {}", refusal.error, refusal.edit),
                };
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
        tracing::info!(host = %switch.host, bridge = %switch.bridge, "switch connected");
        self.comparisons.end(&switch);
        self.comparisons.want(switch.clone());
        if switch.bridge == Bridge::Integration {
            self.plug(batch, &switch.host, at);
        }
        self.unsettle_host(&switch.host);
    }

    /// Connections of switches that nobody knew until now.
    fn adopt_strangers(&mut self, batch: &mut Batch, at: Timestamp) {
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
        }
    }

    fn acknowledged(&mut self, switch: &SwitchId, revision: u64) {
        let revision = Revision(revision);
        let Some(host) = self.hosts.get_mut(&switch.host) else { return };
        host.switch_mut(switch.bridge).acknowledged = Some(revision);
        self.comparisons.finish(switch);
        self.ready.extend(self.progress.acknowledged(switch, revision));
    }

    /// Tells the switches whose turn it is what they should hold.
    fn compare(&mut self) {
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

    /// What follows from what happened: comparisons start, statuses change, hypervisors are gone or back.
    pub fn follow_up(&mut self, now: Instant, at: Timestamp) -> Batch {
        let mut batch = self.begin();
        self.compare();
        self.watch(&mut batch, now, at);
        let statuses = self.settle();
        if !statuses.is_empty()
            && let Err(error) = self.command(&mut batch, Command::SetPortStatus(statuses), at)
        {
            tracing::error!(error, "port statuses not accepted");
        }
        batch
    }

    /// Notices hypervisors that are gone or back, and takes up what could not be done before.
    fn watch(&mut self, batch: &mut Batch, now: Instant, at: Timestamp) {
        let mut turned = Vec::new();
        for host in self.hosts.values_mut() {
            if host.is_connected() {
                host.away_since = None;
                if host.gone || !host.announced {
                    (host.gone, host.announced, host.since) = (false, true, now);
                    turned.push((host.name.clone(), Liveness::Alive));
                }
            } else {
                let since = *host.away_since.get_or_insert(now);
                if !host.gone && now.duration_since(since) >= self.grace {
                    (host.gone, host.announced, host.since) = (true, true, now);
                    turned.push((host.name.clone(), Liveness::Gone));
                }
            }
        }
        for (name, liveness) in turned {
            tracing::info!(host = %name, ?liveness, "hypervisor");
            if liveness == Liveness::Gone {
                self.ready.extend(self.progress.release(&name));
            }
            self.unsettle_host(&name);
            if self.topology.hypervisor(&name).is_some()
                && let Err(error) = self.command(batch, Command::SetLiveness(name.clone(), liveness), at)
            {
                tracing::error!(host = %name, error, "liveness not accepted");
            }
        }
    }

    /// Does what only time brings about.
    pub fn tick(&mut self, batch: &mut Batch, now: Instant, at: Timestamp) {
        let stale: Vec<_> = self
            .hosts
            .values_mut()
            .filter_map(|host| std::mem::take(&mut host.stale).then(|| host.name.clone()))
            .collect();
        for name in stale {
            if let Some(fact) = self.hosts.get(&name).and_then(|host| host.fact.clone()) {
                self.introduce(batch, &name, fact, at);
            }
            self.plug(batch, &name, at);
        }
        for (id, connection) in &mut self.connections {
            if connection.switch.is_none() && now.duration_since(connection.since) > STRANGER {
                let datapath = connection.datapath.unwrap_or_default();
                tracing::warn!(
                    connection = id.0,
                    "switch {datapath:016x} belongs to no known hypervisor: disconnected"
                );
                connection.since = now;
                drop(connection.orders.try_send(Order::Close));
            }
        }
    }

    /// Asks a switch for its flows.
    pub fn dump(&mut self, request: DumpRequest) {
        let DumpRequest { host, bridge, reply } = request;
        let name = self
            .topology
            .hypervisor_by_name_or_system_id(&host)
            .map_or_else(|| HostName::from(host.as_str()), |hypervisor| hypervisor.name.clone());
        let link = Bridge::from_name(&bridge).and_then(|bridge| Some((self.hosts.get(&name)?, bridge)));
        let Some((link, bridge)) = link else {
            return drop(reply.send(Err(DumpFailure::Unknown { host, bridge })));
        };
        let ticket = self.next_dump;
        self.next_dump += 1;
        self.dumps.retain(|_, dump| !dump.reply.is_closed());
        if self.dumps.len() >= DUMPS_MAX || !link.switch(bridge).order(Order::Dump { ticket }) {
            return drop(reply.send(Err(DumpFailure::Disconnected)));
        }
        self.dumps.insert(ticket, PendingDump { bridge, reply });
    }

    fn dumped(&mut self, dump: Dump) {
        if let Some(PendingDump { bridge, reply }) = self.dumps.remove(&dump.ticket) {
            self.finished.push(FinishedDump { bridge, flows: dump.flows, reply });
        }
    }

    /// Dumps that arrived and have yet to be put into words.
    pub fn take_dumps(&mut self) -> Vec<FinishedDump> {
        std::mem::take(&mut self.finished)
    }
}
