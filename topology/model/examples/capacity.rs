//! Fills a topology with ports and tells what each cost in time and memory (Linux, `VmRSS`).
//!
//! `cargo run --release --example capacity -p weir-model [PORTS]`

use std::time::{Duration, Instant};
use uuid::Uuid;
use weir_model::{
    Command, HypervisorFact, Limits, NetworkId, NewNetwork, NewPort, NewSubnet, Outcome, PortId, PortStatus, Rejection,
    Request, SubnetId, Timestamp, Topology, Vif,
};

const NETWORKS: u128 = 1_000;
const HOSTS: u128 = 1_000;

/// Bytes of resident memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// An id that is spread like a random one.
fn id(kind: u128, number: u128) -> Uuid {
    let spread = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    Uuid::from_u128(spread ^ kind << 120)
}

fn ask(topology: &mut Topology, command: Command) -> Result<Outcome, Rejection> {
    let request = Request { command, at: Timestamp(1) };
    let (after, _, outcome) = topology.transact(request)?;
    *topology = after;
    Ok(outcome)
}

fn port(number: u128) -> NewPort {
    let network = NetworkId(id(1, number % NETWORKS));
    let mut port = NewPort::new(PortId(id(3, number)), network, "a-project".into());
    port.binding_host = Some(format!("host-{:04}", number % HOSTS).as_str().into());
    port.device_owner = Some("compute:nova".into());
    port.device_id = Some(id(4, number).to_string());
    port
}

/// The middle and the 99th hundredth of many durations.
fn quantiles(mut durations: Vec<Duration>) -> (Duration, Duration) {
    durations.sort_unstable();
    let at = |share: usize| durations.get(durations.len() * share / 100).copied();
    (at(50).unwrap_or_default(), at(99).unwrap_or_default())
}

fn main() -> Result<(), Rejection> {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut topology = Topology::new(Limits::default());
    for number in 0..NETWORKS {
        let network = NetworkId(id(1, number));
        let new = NewNetwork::new(network, "a-project".into());
        ask(&mut topology, Command::CreateNetworks(vec![new]))?;
        let prefix = ipnet::Ipv4Net::new_assert([10, 0, 0, 0].into(), 8).into();
        let new = NewSubnet::new(SubnetId(id(2, number)), network, "a-project".into(), prefix);
        ask(&mut topology, Command::CreateSubnets(vec![new]))?;
    }
    for number in 0..HOSTS {
        let [.., a, b] = (number as u32).to_be_bytes();
        let fact = HypervisorFact {
            name: format!("host-{number:04}").as_str().into(),
            system_id: id(5, number).to_string(),
            encap_ip: [192, 0, a, b].into(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        };
        ask(&mut topology, Command::ObserveHypervisor(fact))?;
    }
    let before = resident();
    let mut creates = Vec::with_capacity(count as usize);
    for number in 0..count {
        let command = Command::CreatePorts(vec![port(number)]);
        let start = Instant::now();
        ask(&mut topology, command)?;
        creates.push(start.elapsed());
    }
    let per_port = (resident() - before) / u64::try_from(count).unwrap_or(1).max(1);
    let last = creates.split_off(creates.len() - creates.len().min(1_000));
    let (middle, high) = quantiles(last);
    println!("{count} ports: {per_port} bytes a port, the last 1000 creates {middle:?} (p99 {high:?})");

    let mut plugs = Vec::new();
    let mut statuses = Vec::new();
    for number in 0..1_000.min(count) {
        let vif = Vif {
            host: format!("host-{:04}", number % HOSTS).as_str().into(),
            port: PortId(id(3, number)),
            interface: format!("tap{number}"),
            ofport: 1,
        };
        let start = Instant::now();
        ask(&mut topology, Command::ObserveVif(vif))?;
        plugs.push(start.elapsed());
        let status = vec![(PortId(id(3, number)), PortStatus::Active)];
        let start = Instant::now();
        ask(&mut topology, Command::SetPortStatus(status))?;
        statuses.push(start.elapsed());
    }
    let (plug, _) = quantiles(plugs);
    let (status, _) = quantiles(statuses);
    let start = Instant::now();
    let bulk = (count..count + 1_000).map(port).collect();
    ask(&mut topology, Command::CreatePorts(bulk))?;
    let each = start.elapsed() / 1_000;
    println!("plug {plug:?}, status {status:?}, in a bulk of 1000 a port {each:?}");

    let records: Vec<_> = topology.records().collect();
    let start = Instant::now();
    let loaded = Topology::load(Limits::default(), records.into_iter(), topology.revision());
    println!("load {:?}, ok {}", start.elapsed(), loaded.is_ok());
    Ok(())
}
