//! What is drawn from a seed: always the same, and enough of everything.

use std::collections::BTreeMap;
use std::time::Duration;
use weir_model::{Command, HostName, HypervisorFact, Limits, PortId, Request, Timestamp, Topology, Vif};
use weir_sim::generate::{self, Bounds, Happening, Traffic};
use weir_sim::judge::Judge;
use weir_sim::oracle::Answer;
use weir_sim::packet::Packet;
use weir_sim::seed::Seed;

/// What became of the packets, by reason.
type Tally = BTreeMap<String, usize>;

fn apply(topology: &mut Topology, command: Command, turn: u64) {
    if let Ok((next, ..)) = topology.transact(Request { command, at: Timestamp(turn) }) {
        *topology = next;
    }
}

/// A cloud that lives for a while; its last state, its packets, and what became of them.
fn live(number: u64, tally: &mut Tally) -> (Topology, Vec<Packet>) {
    let hosts: Vec<HostName> = (1..=3).map(generate::host_name).collect();
    let bounds = Bounds { hosts: hosts.clone(), tenants: 2, networks: 4, ports: 16 };
    let mut topology = Topology::new(Limits::default());
    for (last, name) in (1_u8..).zip(hosts) {
        let fact = HypervisorFact {
            system_id: format!("system-{name}"),
            name,
            encap_ip: [192, 0, 2, last].into(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        };
        apply(&mut topology, Command::ObserveHypervisor(fact), 0);
    }
    let (mut seed, mut judge, mut traffic) = (Seed::new(number), Judge::new(), Traffic::new());
    let mut packets = Vec::new();
    for turn in 0..200 {
        match generate::next(&mut seed, &topology, &bounds) {
            Some(Happening::Command(command)) => apply(&mut topology, *command, turn),
            Some(Happening::Plug(host, port)) => {
                let vif = Vif { host, port, interface: format!("tap{turn}"), ofport: turn as u32 + 1 };
                apply(&mut topology, Command::ObserveVif(vif), turn);
            }
            Some(Happening::Unplug(host, port)) => apply(&mut topology, Command::ForgetVif { host, port }, turn),
            None => {}
        }
        judge.follow(&topology);
        let plugged: Vec<PortId> =
            topology.ports().filter(|port| topology.vif(port.id).is_some()).map(|port| port.id).collect();
        for _ in 0..4 {
            let Some((from, packet)) = traffic.next(&mut seed, &topology, &plugged) else { continue };
            let verdict = judge.verdict(&topology, Duration::ZERO, from, &packet);
            if !verdict.flooded {
                traffic.note(from, &packet, &verdict.deliveries);
            }
            let what = match (&verdict.answer, &verdict.punt) {
                (Some(Answer::Echo(_)), _) => "echo".to_owned(),
                (_, Some(punt)) => format!("{:?}", punt.kind),
                _ => verdict.reason.to_owned(),
            };
            *tally.entry(what).or_default() += 1;
            packets.push(packet);
        }
    }
    (topology, packets)
}

#[test]
fn a_seed_gives_the_same_cloud_and_the_same_packets() {
    for number in 1..=5 {
        assert_eq!(live(number, &mut Tally::new()), live(number, &mut Tally::new()), "seed {number}");
    }
}

#[test]
fn everything_happens() {
    let mut tally = Tally::new();
    for number in 1..=40 {
        live(number, &mut tally);
    }
    for what in [
        "routed",
        "echo",
        "refused to the sender",
        "refused to the receiver",
        "answered by the network",
        "Dhcpv4",
        "Dhcpv6",
        "RouterSolicitation",
        "TimeExceeded",
        "NoRoute",
        "HostUnreachable",
        "TooBig",
    ] {
        assert!(tally.get(what).is_some_and(|count| *count >= 5), "{what} is rare: {tally:#?}");
    }
}
