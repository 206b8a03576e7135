//! The real controller over simulated hypervisors: real OpenFlow bytes both ways, facts of databases as values, time and
//! faults by hand.

use crate::seal;
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc, oneshot};
use weir::api::{ApiRequest, Failure, HostReport, LinkState, Progress, RequestId};
use weir::controller::{Batch, Board, Controller};
use weir::link::ConnectionId;
use weir::link::hypervisor::HypervisorEvent;
use weir::link::openflow::ConnectionEvent;
use weir::link::ovsdb::DatabaseEvent;
use weir_compile::{Bridge, Engine, desired, explain};
use weir_model::{Command, HostName, Limits, Outcome, PortId, PortStatus, Record, RecordKey, Timestamp, Topology};
use weir_openflow::session::{CloseReason, SessionConfig};
use weir_openflow::{FlowEdit, FlowTable};
use weir_ovsdb::{Fact, HostFact, InterfaceFact, LinkState as DeviceState};
use weir_reconcile::{Order, Switch, SwitchConfig, SwitchEvent};
use weir_sim::fabric::{Fabric, SimulatedHost};
use weir_sim::judge::Judge;
use weir_sim::switch::agent;

/// How long a hypervisor may be away before it counts as gone.
pub(crate) const GRACE: Duration = Duration::from_secs(15);
/// How often the controller looks at the clock.
const TICK: Duration = Duration::from_millis(250);
/// The longest time between two comparisons.
pub(crate) const AUDIT: Duration = Duration::from_secs(60);
/// Rounds after which a world that is not quiet never will be: minutes of its own time.
const ROUNDS_MAX: usize = 2_000;
/// Orders that may wait for a switch; few, so that slow switches are overrun.
const ORDERS_MAX: usize = 3;

/// A connection of one bridge.
struct Link {
    id: ConnectionId,
    connection: agent::ConnectionId,
    switch: Switch,
    orders: mpsc::Receiver<Order>,
    /// Nothing moves on it for this many rounds.
    stalled: usize,
}

/// What happened, for assertions on how little happened.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) repairs: usize,
    pub(crate) refusals: Vec<String>,
    /// Switches that were taken at the word of their seal, and such that were read back.
    pub(crate) trusted: usize,
    pub(crate) compared: usize,
}

pub(crate) struct World {
    pub(crate) controller: Controller,
    pub(crate) fabric: Fabric,
    pub(crate) judge: Judge,
    pub(crate) tally: Tally,
    /// The disk.
    records: BTreeMap<RecordKey, Record>,
    /// Commits that fail before one is written.
    pub(crate) disk_failures: usize,
    links: BTreeMap<(HostName, Bridge), Link>,
    databases: BTreeMap<HostName, ConnectionId>,
    hosts: BTreeMap<HostName, IpAddr>,
    now: Instant,
    clock: u64,
    next: u64,
    /// Somebody else changed tables since the world was quiet: the controller may not know yet what is missing.
    meddled: bool,
    /// Ports that were ACTIVE when last looked at.
    active: BTreeSet<PortId>,
}

impl World {
    pub(crate) fn new(hosts: &[HostName]) -> Self {
        let now = Instant::now();
        let mut world = Self {
            controller: Controller::new(Topology::new(Limits::default()), GRACE, now),
            fabric: Fabric::new(),
            judge: Judge::new(),
            tally: Tally::default(),
            records: BTreeMap::new(),
            disk_failures: 0,
            links: BTreeMap::new(),
            databases: BTreeMap::new(),
            hosts: BTreeMap::new(),
            now,
            clock: 0,
            next: 0,
            meddled: false,
            active: BTreeSet::new(),
        };
        for (number, host) in (1_u8..).zip(hosts) {
            let encap_ip = IpAddr::from([192, 0, 2, number]);
            world.fabric.add_host(host, encap_ip);
            world.hosts.insert(host.clone(), encap_ip);
        }
        world.connect();
        world
    }

    pub(crate) fn topology(&self) -> &Topology {
        self.controller.topology()
    }

    fn id(&mut self) -> ConnectionId {
        self.next += 1;
        ConnectionId(self.next)
    }

    fn at(&mut self) -> Timestamp {
        self.clock += 1;
        Timestamp(self.clock)
    }

    /// Whoever is not connected connects, in the order of names, switches before databases.
    pub(crate) fn connect(&mut self) {
        let hosts: Vec<_> = self.hosts.keys().cloned().collect();
        for host in &hosts {
            for bridge in Bridge::ALL {
                self.connect_switch(host, bridge);
            }
        }
        for host in &hosts {
            self.connect_database(host);
        }
    }

    fn connect_switch(&mut self, host: &HostName, bridge: Bridge) {
        if self.links.contains_key(&(host.clone(), bridge)) {
            return;
        }
        let id = self.id();
        let connection = self.fabric.connect(host, bridge.name()).unwrap();
        let config = SwitchConfig { session: SessionConfig::default(), audit_interval: AUDIT, seal: seal::place() };
        let (sender, orders) = mpsc::channel(ORDERS_MAX);
        let switch = Switch::new(config, self.now);
        self.links.insert((host.clone(), bridge), Link { id, connection, switch, orders, stalled: 0 });
        let peer = ([127, 0, 0, 1], 1).into();
        self.tell_connection(id, ConnectionEvent::Opened { peer, orders: sender });
    }

    fn connect_database(&mut self, host: &HostName) {
        if self.databases.contains_key(host) {
            return;
        }
        let id = self.id();
        self.databases.insert(host.clone(), id);
        let interfaces = self.interfaces(host);
        let event = HypervisorEvent::Synced { host: self.fact(host), interfaces };
        self.tell_database(id, event);
    }

    fn fact(&self, host: &HostName) -> HostFact {
        let datapath = |bridge: Bridge| {
            let datapath = self.fabric.host(host).unwrap().datapath();
            Some(datapath.bridge(bridge.name()).unwrap().datapath().0)
        };
        HostFact {
            hostname: Some(host.to_string()),
            system_id: Some(format!("system-{host}")),
            encap_ip: Some(self.hosts[host]),
            integration_datapath: datapath(Bridge::Integration),
            tunnel_datapath: datapath(Bridge::Tunnel),
            ..HostFact::default()
        }
    }

    fn interfaces(&self, host: &HostName) -> Vec<InterfaceFact> {
        self.fabric.host(host).unwrap().vifs().values().map(|port| interface(*port)).collect()
    }

    /// A VIF is plugged; database and switch tell of it, in this order.
    pub(crate) fn plug(&mut self, host: &HostName, port: PortId) {
        self.fabric.host_mut(host).unwrap().plug(port);
        if let Some(id) = self.databases.get(host).copied() {
            self.tell_database(id, HypervisorEvent::Facts(vec![Fact::Appeared(interface(port))]));
        }
    }

    pub(crate) fn unplug(&mut self, host: &HostName, port: PortId) {
        self.fabric.host_mut(host).unwrap().unplug(port);
        if let Some(id) = self.databases.get(host).copied() {
            self.tell_database(id, HypervisorEvent::Facts(vec![Fact::Vanished(interface(port))]));
        }
    }

    /// The connection of a switch breaks.
    pub(crate) fn cut_switch(&mut self, host: &HostName, bridge: Bridge) {
        if let Some(mut link) = self.links.remove(&(host.clone(), bridge)) {
            if let Some(agent) = self.fabric.host_mut(host).unwrap().agent_mut(bridge.name()) {
                agent.disconnect(link.connection);
            }
            link.switch.close(CloseReason::Disconnected("cut".to_owned()));
            self.drain(&mut link);
        }
    }

    pub(crate) fn cut_database(&mut self, host: &HostName) {
        if let Some(id) = self.databases.remove(host) {
            self.tell_database(id, HypervisorEvent::Closed("cut".to_owned()));
        }
    }

    /// Nothing passes between a switch and the controller for a while.
    pub(crate) fn stall(&mut self, host: &HostName, bridge: Bridge, rounds: usize) {
        if let Some(link) = self.links.get_mut(&(host.clone(), bridge)) {
            link.stalled = rounds;
        }
    }

    /// ovs-vswitchd restarts: its tables are empty, its connections gone, its ports there again.
    pub(crate) fn restart_switches(&mut self, host: &HostName) {
        for bridge in Bridge::ALL {
            self.cut_switch(host, bridge);
        }
        self.fabric.host_mut(host).unwrap().restart();
        self.judge.forget(host);
    }

    /// The controller is killed and started again; what was not durable is lost.
    pub(crate) fn crash(&mut self) {
        for ((host, bridge), link) in std::mem::take(&mut self.links) {
            if let Some(agent) = self.fabric.host_mut(&host).unwrap().agent_mut(bridge.name()) {
                agent.disconnect(link.connection);
            }
        }
        self.databases.clear();
        let revision = self.topology().revision();
        let topology = Topology::load(Limits::default(), self.records.values().cloned(), revision).unwrap();
        self.controller = Controller::new(topology, GRACE, self.now);
        self.tally = Tally::default();
    }

    /// Somebody else changes a switch's tables.
    pub(crate) fn meddle(&mut self, host: &HostName, bridge: Bridge, edit: FlowEdit) {
        self.meddled = true;
        let found = self.fabric.apply(host, bridge.name(), &edit).unwrap();
        if let (Ok(changes), Some(agent)) = (found, self.fabric.host_mut(host).unwrap().agent_mut(bridge.name())) {
            agent.tell_flows(&changes, None);
        }
    }

    /// A client asks for something and gets its answer.
    pub(crate) fn call(&mut self, command: Command) -> Result<Outcome, Failure> {
        let (reply, mut answer) = oneshot::channel();
        let at = self.at();
        let mut batch = self.controller.begin(self.now);
        self.controller.api(&mut batch, ApiRequest { id: RequestId::random(), command, reply }, at);
        self.carry_out(batch);
        answer.try_recv().expect("every request is answered")
    }

    fn tell_connection(&mut self, id: ConnectionId, event: ConnectionEvent) {
        let at = self.at();
        let mut batch = self.controller.begin(self.now);
        self.controller.connection(&mut batch, id, event, self.now, at);
        self.carry_out(batch);
    }

    fn tell_database(&mut self, connection: ConnectionId, event: HypervisorEvent) {
        let at = self.at();
        let mut batch = self.controller.begin(self.now);
        let peer = ([127, 0, 0, 1], 1).into();
        let event = DatabaseEvent { connection, peer, event, hang_up: Arc::new(Notify::new()) };
        self.controller.database(&mut batch, event, self.now, at);
        self.carry_out(batch);
    }

    /// What the loop of the controller does with a batch.
    fn carry_out(&mut self, batch: Batch) {
        let mut next = Some(batch);
        while let Some(mut batch) = next.take() {
            if !batch.is_empty() {
                let commits = batch.take_commits();
                let records: Vec<_> =
                    commits.iter().flat_map(|commit| &commit.changes).filter_map(weir_model::Change::record).collect();
                if self.disk_failures > 0 && !records.is_empty() {
                    self.disk_failures -= 1;
                    self.controller.abandon(batch, "no space left on device");
                    return;
                }
                for (key, record) in records {
                    match record {
                        Some(record) => self.records.insert(key, record),
                        None => self.records.remove(&key),
                    };
                }
                for (reply, outcome) in self.controller.commit(batch, commits) {
                    drop(reply.send(Ok(outcome)));
                }
                self.assert_active_is_installed();
            }
            let at = self.at();
            next = Some(self.controller.follow_up(self.now, at)).filter(|batch| !batch.is_empty());
        }
    }

    /// Moves bytes, orders and events once everywhere; whether anything moved.
    fn round(&mut self) -> bool {
        let mut moved = false;
        let places: Vec<_> = self.links.keys().cloned().collect();
        for place in places {
            let Some(mut link) = self.links.remove(&place) else { continue };
            if link.stalled > 0 {
                link.stalled -= 1;
                moved = true;
                self.links.insert(place, link);
                continue;
            }
            while let Ok(order) = link.orders.try_recv() {
                moved = true;
                match &order {
                    Order::Sealed { .. } => self.tally.trusted += 1,
                    Order::Desired(_) => self.tally.compared += 1,
                    _ => {}
                }
                link.switch.order(self.now, order);
            }
            if link.switch.poll_timeout().is_some_and(|due| due <= self.now) {
                link.switch.handle_timeout(self.now);
            }
            let mut output = BytesMut::new();
            link.switch.poll_transmit(self.now, &mut output);
            moved |= !output.is_empty();
            self.fabric.handle(&place.0, place.1.name(), link.connection, &output).unwrap();
            let input = self.fabric.poll_transmit(&place.0, place.1.name(), link.connection);
            moved |= !input.is_empty();
            link.switch.handle_bytes(self.now, &input);
            let (events, alive) = self.drain(&mut link);
            moved |= events > 0;
            if alive {
                self.links.insert(place, link);
            } else if let Some(agent) = self.fabric.host_mut(&place.0).unwrap().agent_mut(place.1.name()) {
                agent.disconnect(link.connection);
            }
        }
        moved
    }

    /// Tells the controller what a switch tells; how much, and whether the switch is still connected.
    fn drain(&mut self, link: &mut Link) -> (usize, bool) {
        let mut events = 0;
        while let Some(event) = link.switch.poll_event(self.now) {
            events += 1;
            match &event {
                SwitchEvent::Repaired(_) => self.tally.repairs += 1,
                SwitchEvent::Refused(refusal) => self.tally.refusals.push(format!("{refusal:?}")),
                _ => {}
            }
            let closed = matches!(event, SwitchEvent::Closed(_));
            self.tell_connection(link.id, ConnectionEvent::Switch(event));
            if closed {
                return (events, false);
            }
        }
        (events, true)
    }

    /// Lets time pass, and what it brings about.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += TICK;
            self.fabric.advance(TICK);
            let at = self.at();
            let mut batch = self.controller.begin(self.now);
            self.controller.tick(&mut batch, self.now, at);
            self.carry_out(batch);
            for _ in 0..ROUNDS_MAX {
                if !self.round() {
                    break;
                }
            }
        }
    }

    /// Whoever was cut off connects again, and everything settles.
    pub(crate) fn quieten(&mut self) {
        for _ in 0..ROUNDS_MAX {
            self.connect();
            self.pass(TICK);
            if self.reports().iter().all(is_in_step) {
                // Changes by others gather before they are looked at.
                self.pass(Duration::from_secs(2));
                if self.reports().iter().all(is_in_step) && self.is_installed() {
                    self.meddled = false;
                    return;
                }
            }
        }
        panic!("the world never comes to rest: {:#?}", self.reports());
    }

    pub(crate) fn reports(&self) -> Vec<HostReport> {
        let board = Board::default();
        board.post(self.controller.report(self.now));
        board.hosts()
    }

    /// What a bridge holds, and what it should hold if everything were computed anew.
    pub(crate) fn tables(&self, host: &HostName, bridge: Bridge) -> (FlowTable, FlowTable) {
        let installed = self.fabric.host(host).unwrap().datapath().bridge(bridge.name()).unwrap().content();
        let key = self.topology().hypervisor(host).unwrap().key;
        (seal::open(installed).0, desired(key, bridge, self.topology()))
    }

    /// Whether every bridge holds what it should, and says so.
    fn is_installed(&self) -> bool {
        let mut engine = Engine::load(self.topology());
        self.places().all(|(host, bridge)| {
            let installed = self.fabric.host(&host).unwrap().datapath().bridge(bridge.name()).unwrap().content();
            let (installed, sealed) = seal::open(installed);
            let key = self.topology().hypervisor(&host).unwrap().key;
            let digest = engine.holding(key, bridge, self.topology()).digest();
            installed == desired(key, bridge, self.topology()) && sealed == Some(digest.sum)
        })
    }

    pub(crate) fn places(&self) -> impl Iterator<Item = (HostName, Bridge)> + '_ {
        self.hosts.keys().flat_map(|host| Bridge::ALL.map(|bridge| (host.clone(), bridge)))
    }

    /// When a port becomes ACTIVE, every connected switch with an ACTIVE port of its network holds all its flows: any
    /// two ACTIVE ports reach each other. A hypervisor that only just joins the network has no ACTIVE port there.
    fn assert_active_is_installed(&mut self) {
        let active: BTreeSet<_> =
            self.topology().ports().filter(|port| port.status == PortStatus::Active).map(|port| port.id).collect();
        let fresh: Vec<_> = active.difference(&self.active).copied().collect();
        // Interfaces of routers are ACTIVE whatever the switches hold.
        let is_plugged = |port: &PortId| self.topology().vif(*port).is_some();
        for port in fresh.into_iter().filter(|port| !self.meddled && is_plugged(port)) {
            let network = self.topology().port(port).unwrap().network_id;
            let peers = self.topology().ports_of(network).filter(|peer| peer.status == PortStatus::Active);
            let hosts: BTreeSet<_> =
                peers.filter_map(|peer| Some(self.topology().bound_host(peer)?.name.clone())).collect();
            for host in hosts {
                for bridge in Bridge::ALL {
                    if !self.links.contains_key(&(host.clone(), bridge)) {
                        continue;
                    }
                    let (installed, wanted) = self.tables(&host, bridge);
                    for (key, flow) in &wanted.flows {
                        if explain(flow.cookie, self.topology()).port == Some(port) {
                            assert_eq!(installed.flows.get(key), Some(flow), "{port} is ACTIVE before {host} {bridge}");
                        }
                    }
                }
            }
        }
        self.active = active;
    }
}

fn is_in_step(host: &HostReport) -> bool {
    host.ovsdb == LinkState::Up
        && host
            .switches
            .iter()
            .all(|switch| switch.openflow == LinkState::Up && switch.acknowledged_revision >= switch.wanted_revision)
}

/// What the database says of a VIF.
fn interface(port: PortId) -> InterfaceFact {
    InterfaceFact {
        name: SimulatedHost::interface_of(port),
        uuid: port.0,
        bridge: Some(Bridge::Integration.name().to_owned()),
        on_integration: true,
        iface_id: Some(port.0),
        attached_mac: None,
        iface_status: Some("active".to_owned()),
        vm_uuid: None,
        ofport: None,
        state: DeviceState::default(),
        problems: Vec::new(),
    }
}
