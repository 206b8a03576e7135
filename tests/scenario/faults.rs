//! The whole controller under random commands and faults: whatever happened, in the end every switch holds what it
//! should, packets go where the model says, and statuses tell the truth.

use crate::world::{AUDIT, GRACE, World};
use crate::{HAPPENINGS, PACKETS, bounds, hosts, seeds};
use crate::{judge, seal};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_compile::{Bridge, SEAL_TABLE};
use weir_model::{Command, HostName, PortId, PortStatus};
use weir_openflow::session::SessionConfig;
use weir_openflow::{
    Action, Cookie, Digest, EncodedEdit, Field, Flow, FlowEdit, FlowKey, FlowTable, GroupId, Match, PortNo, TableId,
};
use weir_reconcile::{Desired, Order, Step, Switch, SwitchConfig, SwitchEvent};
use weir_sim::generate::{self, Happening};
use weir_sim::seed::Seed;
use weir_sim::switch::agent::ConnectionId;

/// Happenings between two quiet points.
const QUIET_EVERY: usize = 10;

fn happen(world: &mut World, happening: Happening) {
    let before = world.topology().clone();
    match happening {
        // What the model refuses and what the disk refuses changes nothing.
        Happening::Command(command) => drop(world.call(*command)),
        Happening::Plug(host, port) => world.plug(&host, port),
        Happening::Unplug(host, port) => world.unplug(&host, port),
    }
    let after = world.topology().clone();
    world.judge.forget_handed_over(&before, &after);
    world.judge.follow(&after);
}

fn foreign_flow(seed: &mut Seed) -> Flow {
    let matching = Match::new().with(Field::InPort, seed.below(4) as u128);
    let port = PortNo(seed.below(5) as u32);
    Flow::new(TableId(0), 60_000, matching).cookie(Cookie(seed.next_u64())).apply(vec![Action::output(port)])
}

fn meddle(world: &mut World, seed: &mut Seed, host: &HostName, bridge: Bridge) {
    let (installed, _) = world.tables(host, bridge);
    let flows: Vec<_> = installed.flows.into_values().collect();
    let groups: Vec<GroupId> = installed.groups.into_keys().collect();
    let victim = seed.pick(&flows).cloned();
    let edit = match (seed.below(4), victim, seed.pick(&groups)) {
        (0, Some(flow), _) => FlowEdit::DeleteFlow(flow.key),
        (1, Some(mut flow), _) => {
            flow.instructions.apply = vec![Action::output(PortNo::IN_PORT)];
            FlowEdit::AddFlow(flow)
        }
        (2, _, Some(group)) => FlowEdit::DeleteGroup(*group),
        _ => FlowEdit::AddFlow(foreign_flow(seed)),
    };
    world.meddle(host, bridge, edit);
}

/// Whether somebody changed a switch's tables.
fn fault(world: &mut World, seed: &mut Seed) -> bool {
    let hosts: Vec<_> = hosts(3);
    let host = seed.pick(&hosts).unwrap().clone();
    let bridge = Bridge::ALL[seed.below(2)];
    match seed.below(10) {
        0 => world.cut_switch(&host, bridge),
        1 => world.cut_database(&host),
        2 => world.restart_switches(&host),
        3 => world.crash(),
        4 => world.disk_failures = seed.below(3),
        5 | 6 => world.stall(&host, bridge, 1 + seed.below(40)),
        7 => world.pass(Duration::from_millis(100 + seed.below(20_000) as u64)),
        _ => {
            meddle(world, seed, &host, bridge);
            return true;
        }
    }
    false
}

/// At rest a VM's port is ACTIVE if and only if it is switched on, bound, and plugged where it is bound.
fn assert_statuses(world: &World, what: &str) {
    for port in world.topology().ports().filter(|port| world.topology().router_of(port).is_none()) {
        let bound = world.topology().bound_host(port);
        let plugged = bound.is_some_and(|host| world.topology().vif_on(&host.name, port.id).is_some());
        let really = bound
            .is_some_and(|host| world.fabric.host(&host.name).is_some_and(|host| host.ofport_of(port.id).is_some()));
        assert_eq!(plugged, really, "{what}: what is plugged is not what is known for {port:#?}");
        let expected = if plugged && port.admin_state_up { PortStatus::Active } else { PortStatus::Down };
        assert_eq!(port.status, expected, "{what}: {port:#?}");
    }
}

fn assert_tables(world: &World, what: &str) {
    for (host, bridge) in world.places() {
        let (installed, wanted) = world.tables(&host, bridge);
        let difference = FlowTable::diff(&installed, &wanted);
        assert!(difference.is_empty(), "{what}: {host} {bridge} differs from a recomputation: {difference:#?}");
    }
}

fn assert_packets(world: &mut World, seed: &mut Seed, what: &str) -> usize {
    let plugged: Vec<PortId> =
        world.fabric.hosts().flat_map(|host| host.vifs().values().copied().collect::<Vec<_>>()).collect();
    let mut sent = 0;
    for _ in 0..PACKETS {
        let Some(port) = seed.pick(&plugged).and_then(|port| world.topology().port(*port).cloned()) else { continue };
        let packet = generate::packet(seed, world.topology(), &port);
        let topology = world.topology().clone();
        if let Err(wrong) = judge::send(&topology, &mut world.fabric, &mut world.judge, port.id, &packet) {
            panic!("{what}: {packet:?}\nfrom {port:#?}\nexpected {:#?}\n{}", wrong.expected, wrong.journey.trace);
        }
        sent += 1;
    }
    sent
}

#[test]
fn faults_leave_no_trace() {
    let mut sent = 0;
    for number in seeds().into_iter().take(12) {
        let mut seed = Seed::new(number ^ 0xfa17);
        let hosts = hosts(3);
        let mut world = World::new(&hosts);
        let mut draws = seed.branch();
        // A switch in another state than it should be in may refuse the next step.
        let mut meddled = false;
        for turn in 0..HAPPENINGS {
            if let Some(happening) = generate::next(&mut draws, world.topology(), &bounds(&hosts)) {
                happen(&mut world, happening);
            }
            if seed.chance(1, 3) {
                meddled |= fault(&mut world, &mut seed);
            }
            if turn % QUIET_EVERY == 0 || turn + 1 == HAPPENINGS {
                let what = format!("WEIR_SEED={number} happening {turn}");
                world.disk_failures = 0;
                world.quieten();
                assert_tables(&world, &what);
                assert_statuses(&world, &what);
                sent += assert_packets(&mut world, &mut seed, &what);
                let refusals = std::mem::take(&mut world.tally.refusals);
                assert!(refusals.is_empty() || std::mem::take(&mut meddled), "{what}: {refusals:#?}");
            }
        }
    }
    assert!(sent > 60, "{sent} packets say too little");
}

/// A cloud at rest with something in it.
fn grown(number: u64) -> (World, Seed) {
    let hosts = hosts(3);
    let mut seed = Seed::new(number);
    let mut world = World::new(&hosts);
    for _ in 0..HAPPENINGS / 2 {
        if let Some(happening) = generate::next(&mut seed, world.topology(), &bounds(&hosts)) {
            happen(&mut world, happening);
        }
    }
    world.quieten();
    (world, seed)
}

/// Since when each flow is there.
fn ages(world: &World) -> BTreeMap<(HostName, Bridge, FlowKey), Duration> {
    let mut ages = BTreeMap::new();
    for (host, bridge) in world.places() {
        let datapath = world.fabric.host(&host).unwrap().datapath();
        let switch = datapath.bridge(bridge.name()).unwrap();
        for flow in switch.flows() {
            let (_, since, _) = switch.flow(&flow.key).unwrap();
            ages.insert((host.clone(), bridge, flow.key.clone()), since);
        }
    }
    ages
}

#[test]
fn a_restarted_controller_sends_nothing() {
    for number in seeds().into_iter().take(6) {
        let (mut world, mut seed) = grown(number);
        let before = ages(&world);
        let statuses: Vec<_> = world.topology().ports().map(|port| (port.id, port.status)).collect();
        world.crash();
        world.pass(Duration::from_secs(1));
        world.quieten();
        assert_eq!(world.tally.repairs, 0, "WEIR_SEED={number}");
        assert!(ages(&world) == before, "WEIR_SEED={number}: flows were touched");
        let after: Vec<_> = world.topology().ports().map(|port| (port.id, port.status)).collect();
        assert_eq!(after, statuses, "WEIR_SEED={number}: a restart is no reason for a status to change");
        assert_packets(&mut world, &mut seed, &format!("WEIR_SEED={number} after the restart"));
    }
}

#[test]
fn a_switch_with_the_right_seal_is_read_back_in_its_turn() {
    let (mut world, _) = grown(3);
    let switches = world.places().count();
    world.crash();
    world.quieten();
    assert_eq!((world.tally.trusted, world.tally.compared), (switches, 0));
    world.pass(AUDIT + Duration::from_secs(10));
    assert_eq!((world.tally.trusted, world.tally.compared), (switches, switches));
    assert_eq!(world.tally.repairs, 0);
}

/// What a meddler does to one flow while no controller is there, and how many switches are still trusted then.
#[test]
fn what_others_change_while_nobody_looks_is_mended() {
    type Meddling = fn(Flow) -> FlowEdit;
    let alter: Meddling = |mut flow| {
        flow.instructions.apply = vec![Action::output(PortNo::IN_PORT)];
        FlowEdit::AddFlow(flow)
    };
    let remove: Meddling = |flow| FlowEdit::DeleteFlow(flow.key);
    let add: Meddling = |mut flow| {
        flow.key.priority += 1;
        FlowEdit::AddFlow(flow)
    };
    let (host, bridge) = (hosts(3)[0].clone(), Bridge::Integration);
    let is_seal = |flow: &&Flow| flow.key.table == SEAL_TABLE;
    let is_other = |flow: &&Flow| flow.key.table != SEAL_TABLE;
    // The number of flows tells of what came and went; the rest is found in routine.
    let meddlings =
        [(alter, false, 0), (remove, false, 1), (add, false, 1), (remove, true, 1), (alter, true, 1), (add, true, 1)];
    for (meddling, with_seal, doubted) in meddlings {
        let (mut world, _) = grown(3);
        let switches = world.places().count();
        let content = world.fabric.host(&host).unwrap().datapath().bridge(bridge.name()).unwrap().content();
        let mut flows = content.flows.into_values();
        let victim = if with_seal { flows.find(|it| is_seal(&it)) } else { flows.find(|it| is_other(&it)) };
        world.crash();
        world.meddle(&host, bridge, meddling(victim.unwrap()));
        world.quieten();
        assert_eq!(world.tally.trusted, switches - doubted, "with the seal: {with_seal}");
        let repairs = usize::from(!with_seal);
        assert!(world.tally.repairs >= repairs, "{} repairs", world.tally.repairs);
        assert_tables(&world, "after meddling");
    }
}

#[test]
fn ports_of_a_hypervisor_that_is_gone_are_down_until_it_is_back() {
    let (mut world, _) = grown(3);
    let host = hosts(3)[0].clone();
    let on_host = |world: &World, status: PortStatus| {
        world.topology().ports_on(&host).filter(|port| port.status == status).count()
    };
    let active = on_host(&world, PortStatus::Active);
    assert!(active > 0, "the seed plugs something there");
    for bridge in Bridge::ALL {
        world.cut_switch(&host, bridge);
    }
    world.cut_database(&host);
    world.pass(GRACE - Duration::from_secs(1));
    assert_eq!(on_host(&world, PortStatus::Active), active, "a short absence is no reason");
    world.pass(Duration::from_secs(2));
    assert_eq!(on_host(&world, PortStatus::Active), 0);
    world.quieten();
    assert_eq!(on_host(&world, PortStatus::Active), active);
}

#[test]
fn a_hypervisor_that_is_gone_holds_nobody_up() {
    let (mut world, _) = grown(3);
    let [gone, here] = [0, 1].map(|number| hosts(3)[number].clone());
    let network = world.topology().networks_on(&gone).next().expect("the seed binds something there").0;
    for bridge in Bridge::ALL {
        world.cut_switch(&gone, bridge);
    }
    let id = PortId(uuid::Uuid::from_u128(1));
    let project = world.topology().network(network).unwrap().project_id.clone();
    let mut port = weir_model::NewPort::new(id, network, project);
    port.binding_host = Some(here.clone());
    world.call(Command::CreatePorts(vec![port])).unwrap();
    world.plug(&here, id);
    world.pass(Duration::from_secs(2));
    let status = |world: &World| world.topology().port(id).unwrap().status;
    assert_eq!(status(&world), PortStatus::Down, "{gone} is away, and might still carry traffic");
    world.pass(GRACE);
    assert_eq!(status(&world), PortStatus::Active);
}

#[test]
fn a_write_that_fails_is_refused_and_forgotten() {
    let (mut world, _) = grown(5);
    let before = world.topology().clone();
    let network = before.networks().next().unwrap();
    world.disk_failures = 1;
    let patch = weir_model::NetworkPatch { name: Some("other".to_owned()), ..Default::default() };
    let command = Command::UpdateNetwork { id: network.id, patch, if_revision: None };
    let refused = world.call(command.clone()).unwrap_err();
    assert_eq!(refused.to_string(), "the store cannot be written: no space left on device");
    assert_eq!(*world.topology(), before);
    world.call(command).unwrap();
    assert_eq!(world.topology().network(network.id).unwrap().name, "other");
    world.quieten();
}

/// A bridge that nobody but the test speaks to.
struct Lone {
    world: World,
    host: HostName,
    switch: Switch,
    connection: ConnectionId,
    start: Instant,
}

impl Lone {
    const BRIDGE: Bridge = Bridge::Tunnel;

    fn new() -> Self {
        let hosts = hosts(1);
        let mut world = World::new(&hosts);
        let host = hosts[0].clone();
        world.cut_switch(&host, Self::BRIDGE);
        let start = Instant::now();
        let config = SwitchConfig {
            session: SessionConfig::default(),
            audit_interval: Duration::from_secs(60),
            seal: seal::place(),
        };
        let connection = world.fabric.connect(&host, Self::BRIDGE.name()).unwrap();
        Self { world, host, switch: Switch::new(config, start), connection, start }
    }

    /// Lets time come to `now` and bytes go to and fro; how many the switch was sent.
    fn run(&mut self, now: Instant, mut take: impl FnMut(&mut Switch, SwitchEvent)) -> usize {
        let Self { world, host, switch, connection, .. } = self;
        let mut sent = 0;
        switch.handle_timeout(now);
        for _ in 0..20 {
            let mut output = bytes::BytesMut::new();
            switch.poll_transmit(now, &mut output);
            sent += output.len();
            world.fabric.handle(host, Self::BRIDGE.name(), *connection, &output).unwrap();
            switch.handle_bytes(now, &world.fabric.poll_transmit(host, Self::BRIDGE.name(), *connection));
            while let Some(event) = switch.poll_event(now) {
                take(switch, event);
            }
        }
        sent
    }

    /// What the bridge holds.
    fn content(&self) -> FlowTable {
        self.world.fabric.host(&self.host).unwrap().datapath().bridge(Self::BRIDGE.name()).unwrap().content()
    }
}

#[test]
fn a_refused_flow_is_named_and_everything_else_goes_on() {
    let mut lone = Lone::new();
    let flow = |reg: u128, cookie: u64, action: Action| {
        let matching = Match::new().with(Field::Reg0, reg);
        FlowEdit::AddFlow(Flow::new(TableId(9), 5, matching).cookie(Cookie(cookie)).apply(vec![action]))
    };
    let good = [flow(1, 11, Action::output(PortNo(1))), flow(3, 13, Action::output(PortNo(1)))];
    let bad = flow(2, 0xbad, Action::Group(GroupId(77)));
    let unit = [&good[0], &bad, &good[1]].map(|edit| EncodedEdit::encode(edit).unwrap());

    let (mut refusals, mut acknowledged, mut sent) = (Vec::new(), Vec::new(), 0);
    for tick in 0..40 {
        let now = lone.start + Duration::from_millis(250) * tick;
        sent += lone.run(now, |switch, event| match event {
            SwitchEvent::WantsDesired(_) => {
                let (additions, digest) = (vec![unit.to_vec().into()], Digest::of(&unit));
                switch.order(now, Order::Desired(Desired { revision: 7, additions, digest }));
            }
            SwitchEvent::Refused(refusal) => refusals.push(refusal),
            SwitchEvent::Acknowledged { revision } => acknowledged.push(revision),
            _ => {}
        });
    }
    let content = lone.content();
    let cookies: Vec<_> = content.flows.values().map(|flow| flow.cookie.0).collect();
    assert_eq!(cookies, [11, 13], "and no seal on what is not all");
    assert_eq!(acknowledged, [7]);
    assert_eq!(refusals.len(), 1, "once in ten seconds: {refusals:#?}");
    assert_eq!(refusals[0].cookie, Some(Cookie(0xbad)));
    assert!(refusals[0].edit.contains("77"), "the flow is told in words: {}", refusals[0].edit);
    assert!(sent < 4_000, "{sent} bytes for three flows are a hot loop");
}

#[test]
fn a_switch_is_asked_how_many_flows_it_holds_every_five_seconds_at_most() {
    let mut lone = Lone::new();
    let edit = |number: u64| {
        let matching = Match::new().with(Field::Reg0, number.into());
        EncodedEdit::encode(&FlowEdit::AddFlow(Flow::new(TableId(9), 5, matching))).unwrap()
    };
    let mut counts = Vec::new();
    // A flow more every quarter of a second for twelve seconds, and then nothing.
    for tick in 0..80 {
        let now = lone.start + Duration::from_millis(250) * tick as u32;
        if (4..52).contains(&tick) {
            let mut step = Step::to(tick);
            step.push(vec![edit(tick)].into(), Digest::of(&[edit(tick)]));
            lone.switch.order(now, Order::Apply(vec![step]));
        }
        let since = now - lone.start;
        lone.run(now, |switch, event| match event {
            SwitchEvent::WantsDesired(_) => {
                let (additions, digest) = (vec![vec![edit(0)].into()], Digest::of(&[edit(0)]));
                switch.order(now, Order::Desired(Desired { revision: 1, additions, digest }));
            }
            SwitchEvent::Flows(flows) => counts.push((since, flows)),
            _ => {}
        });
    }
    let apart = counts.windows(2).all(|two| two[1].0 - two[0].0 >= Duration::from_secs(5));
    assert!(apart && (3..=5).contains(&counts.len()), "{counts:?}");
    let held = lone.content().flows.len();
    assert_eq!(counts.last().map(|(_, flows)| *flows), Some(held as u64), "{counts:?}");
    assert!(held >= 49, "the flow at first, the 48 since, and the seal: {held}");
}
