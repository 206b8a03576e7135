//! The simulated switch judged by a real one: the same flows, the same packets, the same bytes out of the same ports.
//!
//! It needs `ovsdb-server` and `ovs-vswitchd` of Open vSwitch 3.1 or later, but no kernel module and no privileges.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod corpus;
mod daemon;
mod hand_made;
mod routed;
mod tracked;

use corpus::World;
use daemon::{RealPort, RealSwitch};
use std::collections::BTreeMap;
use std::time::Duration;
use weir_model::MacAddress;
use weir_openflow::{Action, DatapathId, Flow, FlowEdit, Match, PortNo, TableId};
use weir_sim::intern::Interner;
use weir_sim::packet::{Frame, Packet, Tunnel};
use weir_sim::seed::Seed;
use weir_sim::switch::{Bridge, Datapath, Outcome, PortKind, SwitchPort};

const SENTINEL: u32 = 99;
const SENTINEL_TYPE: u16 = 0x88b6;

fn device(bridge: &'static str, name: &'static str, number: u32) -> RealPort {
    RealPort { bridge, name, number: PortNo(number), peer: None }
}

fn patch(bridge: &'static str, name: &'static str, number: u32, peer: &'static str) -> RealPort {
    RealPort { bridge, name, number: PortNo(number), peer: Some(peer) }
}

fn ports() -> Vec<RealPort> {
    vec![
        device("br0", "p1", 1),
        device("br0", "p2", 2),
        device("br0", "p3", 3),
        patch("br0", "pa", 10, "pb"),
        device("br0", "s0", SENTINEL),
        device("br1", "q1", 1),
        device("br1", "q2", 2),
        patch("br1", "pb", 10, "pa"),
    ]
}

fn simulated() -> Datapath {
    let mut datapath = Datapath::new();
    for (place, name) in ["br0", "br1"].into_iter().enumerate() {
        let mut bridge = Bridge::new(name, DatapathId(place as u64 + 1));
        for port in ports().iter().filter(|port| port.bridge == name) {
            let kind = port.peer.map_or(PortKind::Device, |peer| PortKind::Patch { peer: peer.to_owned() });
            bridge.set_port(SwitchPort::new(port.number, port.name, kind));
        }
        datapath.add_bridge(bridge);
    }
    datapath
}

fn sentinel() -> Packet {
    Frame::broadcast(MacAddress([2, 0, 0, 0, 0, 0x99])).raw(SENTINEL_TYPE, &[0; 50])
}

fn sentinel_flow() -> FlowEdit {
    let matching = Match::new().eth_type(SENTINEL_TYPE);
    FlowEdit::AddFlow(Flow::new(TableId(0), u16::MAX, matching).apply([Action::output(PortNo(SENTINEL))]))
}

/// One set of tables in both switches.
struct Case {
    datapath: Datapath,
    refused: usize,
    flows: usize,
}

fn program(real: &mut RealSwitch, tables: &BTreeMap<&'static str, Vec<FlowEdit>>) -> Case {
    let mut datapath = simulated();
    let mut interner = Interner::default();
    let (mut refused, mut flows) = (0, 0);
    for (name, edits) in tables {
        let mut edits = edits.clone();
        if *name == "br0" {
            edits.push(sentinel_flow());
        }
        let errors: BTreeMap<usize, (u16, u16)> = real.program(name, &edits).into_iter().collect();
        refused += errors.len();
        let bridge = datapath.bridge_mut(name).unwrap();
        for (place, edit) in edits.iter().enumerate() {
            if !errors.contains_key(&place) {
                bridge.apply(edit, Duration::ZERO, &mut interner).unwrap();
                flows += 1;
            }
        }
    }
    real.forget_cached_flows();
    real.forget_connections();
    Case { datapath, refused, flows }
}

fn number_of(case: &Case, port: &str) -> PortNo {
    case.datapath.bridge("br0").unwrap().port_named(port).unwrap().number
}

/// What the simulated switch does with a packet.
fn outcome_of(case: &mut Case, port: &str, packet: &Packet) -> Outcome {
    let number = number_of(case, port);
    case.datapath.receive(Duration::ZERO, "br0", number, packet.clone(), Tunnel::default())
}

/// Gives one packet to both and compares what comes out; how many packets did.
fn compare(real: &mut RealSwitch, case: &mut Case, port: &str, packet: &Packet, what: &str) -> usize {
    let number = number_of(case, port);
    let outcome = outcome_of(case, port, packet);
    let name = |bridge: &str, number: PortNo| {
        let port = ports().into_iter().find(|port| port.bridge == bridge && port.number == number);
        port.map(|port| port.name.to_owned())
    };
    let mut expected: Vec<(String, Vec<u8>)> = outcome
        .outputs
        .iter()
        .filter_map(|output| Some((name(&output.bridge, output.port)?, output.packet.bytes().to_vec())))
        .collect();
    let mut seen = real.receive(port, packet.bytes(), sentinel().bytes(), "s0");
    expected.sort();
    seen.sort();
    if expected != seen {
        let show = |list: &[(String, Vec<u8>)]| {
            list.iter().map(|(port, bytes)| format!("  {port}: {:?}\n", Packet::new(bytes.clone()))).collect::<String>()
        };
        let hex: String = packet.bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let real_trace = real.ask("ofproto/trace", &["br0", &format!("in_port={}", number.0), &hex]);
        panic!(
            "{what}: {packet:?} into {port}\nreal switch:\n{}simulated:\n{}--- simulated trace\n{}--- real trace\n{real_trace}",
            show(&seen),
            show(&expected),
            outcome.trace
        );
    }
    seen.len()
}

/// How many random sets of tables are tried, and how many packets through each.
const CASES: u64 = 300;
const PACKETS: usize = 12;

#[test]
fn random_tables_do_the_same_as_in_a_real_switch() {
    let mut real = RealSwitch::start(&ports());
    let first = std::env::var("WEIR_SEED").ok().and_then(|text| text.parse::<u64>().ok());
    let seeds: Vec<u64> = first.map_or_else(|| (1..=CASES).collect(), |seed| vec![seed]);
    let (mut flows, mut refused, mut packets, mut outputs) = (0, 0, 0, 0);
    for number in seeds {
        let mut seed = Seed::new(number);
        let tracks = number % 2 == 0;
        let tables = BTreeMap::from([
            ("br0", corpus::edits(&mut seed.branch(), &World { ports: &[1, 2, 3, 10], tracks }, 60)),
            ("br1", corpus::edits(&mut seed.branch(), &World { ports: &[1, 2], tracks }, 20)),
        ]);
        let mut case = program(&mut real, &tables);
        (flows, refused) = (flows + case.flows, refused + case.refused);
        for turn in 0..PACKETS {
            let packet = corpus::packet(&mut seed);
            let port = ["p1", "p2", "p3"][seed.below(3)];
            outputs += compare(&mut real, &mut case, port, &packet, &format!("WEIR_SEED={number} packet {turn}"));
            packets += 1;
        }
    }
    println!("{packets} packets, {outputs} outputs, {flows} flows and groups, {refused} refused by the real switch");
    assert!(first.is_some() || outputs * 2 > packets, "the corpus says too little: {outputs} outputs");
}
