//! Switches and their reconcilers over links that break, are slow and lose answers, while others change the tables.
//!
//! Time passes as the deadlines of both sides say; the controller above is not part of it.

use crate::{bounds, hosts, seal, seeds};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_compile::{Bridge, Engine, desired};
use weir_model::{Command, HostName, HypervisorFact, Limits, Request, Timestamp, Topology, Vif};
use weir_openflow::FlowTable;
use weir_openflow::session::SessionConfig;
use weir_reconcile::{Desired, Occasion, Order, Step, Switch, SwitchConfig, SwitchEvent};
use weir_sim::clock::Clock;
use weir_sim::fabric::{Fabric, SimulatedHost};
use weir_sim::fault::{self, Fault, Line};
use weir_sim::generate::{self, Happening};
use weir_sim::seed::Seed;
use weir_sim::switch::agent::ConnectionId;

/// The longest time between two comparisons of a switch with what it should hold.
const AUDIT: Duration = Duration::from_secs(60);
/// After this long a broken connection is made anew.
const RECONNECT: Duration = Duration::from_secs(1);
/// How long everything has to come to rest after the last fault.
const REST: Duration = Duration::from_secs(200);
/// Happenings and faults of one seed.
const TURNS: usize = 60;

/// The controller's side of one bridge.
struct Link {
    switch: Switch,
    connection: ConnectionId,
    to_switch: Line,
    to_controller: Line,
    acknowledged: u64,
    /// When the connection broke.
    broken: Option<Duration>,
    /// The revision of the last order of everything; what comes later is applied.
    following: bool,
}

struct Troubled {
    topology: Topology,
    engine: Engine,
    fabric: Fabric,
    clock: Clock,
    start: Instant,
    links: BTreeMap<(HostName, Bridge), Link>,
    asked: u64,
    /// Switches that were not read back when they connected.
    trusted: usize,
}

impl Troubled {
    fn new(hosts: &[HostName]) -> Self {
        let topology = Topology::new(Limits::default());
        let mut cloud = Self {
            engine: Engine::load(&topology),
            topology,
            fabric: Fabric::new(),
            clock: Clock::default(),
            start: Instant::now(),
            links: BTreeMap::new(),
            asked: 0,
            trusted: 0,
        };
        for (number, host) in (1_u8..).zip(hosts) {
            let encap_ip = IpAddr::from([192, 0, 2, number]);
            cloud.fabric.add_host(host, encap_ip);
            cloud.command(Command::ObserveHypervisor(HypervisorFact {
                name: host.clone(),
                system_id: format!("system-{host}"),
                encap_ip,
                bridge_mappings: Vec::new(),
                integration_datapath: None,
                tunnel_datapath: None,
            }));
            for bridge in Bridge::ALL {
                cloud.connect(host, bridge);
            }
        }
        cloud
    }

    fn instant(&self) -> Instant {
        self.start + self.clock.now()
    }

    fn connect(&mut self, host: &HostName, bridge: Bridge) {
        let connection = self.fabric.connect(host, bridge.name()).unwrap();
        let config = SwitchConfig { session: SessionConfig::default(), audit_interval: AUDIT, seal: seal::place() };
        let link = Link {
            switch: Switch::new(config, self.instant()),
            connection,
            to_switch: Line::default(),
            to_controller: Line::default(),
            acknowledged: 0,
            broken: None,
            following: false,
        };
        self.links.insert((host.clone(), bridge), link);
    }

    /// Both sides lose the connection.
    fn disconnect(&mut self, host: &HostName, bridge: Bridge) {
        let now = self.clock.now();
        let link = self.links.get_mut(&(host.clone(), bridge)).unwrap();
        link.broken.get_or_insert(now);
        let connection = link.connection;
        if let Some(agent) = self.fabric.host_mut(host).and_then(|host| host.agent_mut(bridge.name())) {
            agent.disconnect(connection);
        }
    }

    fn command(&mut self, command: Command) {
        self.asked += 1;
        let request = Request { command, at: Timestamp(self.asked) };
        let Ok((topology, commit, _)) = self.topology.transact(request) else {
            return;
        };
        let applied = self.engine.apply(&commit, &self.topology, &topology, |_| true);
        let mut steps: BTreeMap<(HostName, Bridge), Step> = BTreeMap::new();
        for delta in &applied.deltas {
            for key in delta.recipients.iter() {
                let host = topology.hypervisor_by_key(key).unwrap();
                let step = steps.entry((host.name.clone(), delta.bridge));
                let step = step.or_insert_with(|| Step::to(commit.revision.0));
                step.push(Arc::clone(&delta.edits), delta.change);
            }
        }
        self.topology = topology;
        let now = self.instant();
        for ((host, bridge), link) in &mut self.links {
            let step = steps.remove(&(host.clone(), *bridge)).unwrap_or_else(|| Step::to(commit.revision.0));
            if link.following {
                link.switch.order(now, Order::Apply(vec![step]));
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Command(command) => self.command(*command),
            Happening::Plug(host, port) => {
                let ofport = self.fabric.host_mut(&host).unwrap().plug(port).0;
                let interface = SimulatedHost::interface_of(port);
                self.command(Command::ObserveVif(Vif { host, port, interface, ofport }));
            }
            Happening::Unplug(host, port) => {
                self.fabric.host_mut(&host).unwrap().unplug(port);
                self.command(Command::ForgetVif { host, port });
            }
        }
    }

    /// Lets everybody do what can be done at this moment; whether anything was.
    fn act(&mut self) -> bool {
        let (now, instant) = (self.clock.now(), self.instant());
        let mut acted = false;
        let places: Vec<(HostName, Bridge)> = self.links.keys().cloned().collect();
        for place in places {
            let (host, bridge) = &place;
            let link = self.links.get_mut(&place).unwrap();
            let attached = self.fabric.host_mut(host).and_then(|found| found.agent_mut(bridge.name()));
            if attached.is_none_or(|agent| agent.connections().all(|each| each != link.connection)) {
                link.broken.get_or_insert(now);
            }
            if let Some(since) = link.broken {
                if now >= since + RECONNECT {
                    self.connect(host, *bridge);
                    acted = true;
                }
                continue;
            }
            let mut out = BytesMut::new();
            link.switch.poll_transmit(instant, &mut out);
            link.to_switch.push(now, out.freeze());
            let arrived = link.to_switch.pop(now);
            acted |= !arrived.is_empty();
            if self.fabric.handle(host, bridge.name(), link.connection, &arrived).is_err() {
                link.broken = Some(now);
            }
            let said = self.fabric.poll_transmit(host, bridge.name(), link.connection);
            link.to_controller.push(now, said);
            let heard = link.to_controller.pop(now);
            if !heard.is_empty() {
                link.switch.handle_bytes(instant, &heard);
                acted = true;
            }
            if link.switch.poll_timeout().is_some_and(|at| at <= instant) {
                link.switch.handle_timeout(instant);
            }
            while let Some(event) = link.switch.poll_event(instant) {
                acted = true;
                match event {
                    SwitchEvent::WantsDesired(occasion) => {
                        let key = self.topology.hypervisor(host).unwrap().key;
                        let revision = self.topology.revision().0;
                        let holding = self.engine.holding(key, *bridge, &self.topology);
                        let digest = holding.digest();
                        link.following = true;
                        if occasion == (Occasion::Connected { held: Some(digest) }) {
                            self.trusted += 1;
                            link.switch.order(instant, Order::Sealed { revision, digest });
                            continue;
                        }
                        let additions = holding.additions();
                        link.switch.order(instant, Order::Desired(Desired { revision, additions, digest }));
                    }
                    SwitchEvent::Acknowledged { revision } => link.acknowledged = revision,
                    SwitchEvent::Closed(_) => {
                        link.broken.get_or_insert(now);
                    }
                    // What others changed can make an edit impossible; that it is mended is seen in the end.
                    _ => {}
                }
            }
        }
        acted
    }

    fn run_until(&mut self, end: Duration) {
        loop {
            while self.act() {}
            let mut deadlines = Vec::new();
            for link in self.links.values() {
                deadlines.extend(link.broken.map(|since| since + RECONNECT));
                if link.broken.is_none() {
                    deadlines.extend(link.switch.poll_timeout().map(|at| at.saturating_duration_since(self.start)));
                    deadlines.extend(link.to_switch.next_arrival());
                    deadlines.extend(link.to_controller.next_arrival());
                }
            }
            let passed = self.clock.jump(deadlines, end);
            self.fabric.advance(passed);
            if self.clock.now() >= end {
                while self.act() {}
                return;
            }
        }
    }

    fn inflict(&mut self, seed: &mut Seed) -> Option<Fault> {
        let trouble = fault::draw(seed, &self.fabric)?;
        let bridge = Bridge::from_name(trouble.bridge).unwrap();
        if !fault::inflict(&mut self.fabric, &trouble, seed) {
            let link = self.links.get_mut(&(trouble.host.clone(), bridge)).unwrap();
            match trouble.fault {
                Fault::Slow(delay) => link.to_controller.slow_down(delay),
                // The controller will notice by itself.
                Fault::LoseAnswers => link.to_controller.lose_all(),
                _ => self.disconnect(&trouble.host, bridge),
            }
        }
        Some(trouble.fault)
    }

    fn differences(&mut self) -> Vec<String> {
        let mut all = Vec::new();
        for ((host, bridge), link) in &self.links {
            let installed = self.fabric.host(host).unwrap().datapath().bridge(bridge.name()).unwrap().content();
            let key = self.topology.hypervisor(host).unwrap().key;
            let (installed, sealed) = seal::open(installed);
            let difference = FlowTable::diff(&installed, &desired(key, *bridge, &self.topology));
            if sealed != Some(self.engine.holding(key, *bridge, &self.topology).digest().sum) {
                all.push(format!("{host} {bridge} is sealed with {sealed:?}"));
            }
            if !difference.is_empty() {
                all.push(format!("{host} {bridge}: {difference:#?}"));
            }
            if link.acknowledged != self.topology.revision().0 {
                let wanted = self.topology.revision().0;
                all.push(format!("{host} {bridge} acknowledged {} of {wanted}", link.acknowledged));
            }
        }
        all
    }
}

#[test]
fn whatever_goes_wrong_the_switches_end_up_right() {
    let (mut faults, mut trusted) = (0, 0);
    for number in seeds().into_iter().take(10) {
        let mut seed = Seed::new(number);
        let (mut draws, mut troubles) = (seed.branch(), seed.branch());
        let hosts = hosts(2);
        let mut cloud = Troubled::new(&hosts);
        let mut log = Vec::new();
        for _ in 0..TURNS {
            if let Some(happening) = generate::next(&mut draws, &cloud.topology, &bounds(&hosts)) {
                cloud.happen(happening);
            }
            if seed.chance(1, 4) {
                log.extend(cloud.inflict(&mut troubles).map(|fault| (cloud.clock.now(), fault)));
            }
            let pause = Duration::from_millis(seed.below(400) as u64);
            cloud.run_until(cloud.clock.now() + pause);
        }
        cloud.run_until(cloud.clock.now() + REST);
        let differences = cloud.differences();
        assert!(differences.is_empty(), "WEIR_SEED={number} after {log:#?}: {differences:#?}");
        faults += log.len();
        trusted += cloud.trusted;
    }
    assert!(trusted > 0, "no switch came back with the right seal");
    assert!(faults > 10, "too little went wrong: {faults}");
}
