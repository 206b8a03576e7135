//! Fills a topology with ports and tells what each cost in processor time and memory (Linux: read
//! from `/proc`, so that other programs on the machine do not count).
//!
//! `cargo run --release --example capacity -p weir-model [PORTS]`

use uuid::Uuid;
use weir_model::{
    Command, HypervisorFact, Limits, NetworkId, NewNetwork, NewPort, NewSubnet, Outcome, PortId, PortStatus, Rejection,
    Request, SubnetId, Timestamp, Topology, Vif,
};

const NETWORKS: u128 = 1_000;
const HOSTS: u128 = 1_000;
/// How many commands of a kind are timed.
const TIMED: u128 = 2_000;

/// Bytes of resident memory.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kilobytes.and_then(|number| number.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

/// Nanoseconds that this thread has run.
fn processor_time() -> u128 {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    schedule.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(0)
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

/// Asks many commands and tells the nanoseconds that each took.
fn timed(topology: &mut Topology, what: &str, commands: impl Iterator<Item = Command>) -> Result<(), Rejection> {
    let commands: Vec<Command> = commands.collect();
    let count = commands.len().max(1) as u128;
    let start = processor_time();
    for command in commands {
        ask(topology, command)?;
    }
    println!("{what}: {} ns", (processor_time() - start) / count);
    Ok(())
}

fn port(number: u128) -> NewPort {
    let network = NetworkId(id(1, number % NETWORKS));
    let mut port = NewPort::new(PortId(id(3, number)), network, "a-project".into());
    port.binding_host = Some(format!("host-{:04}", number % HOSTS).as_str().into());
    port.device_owner = Some("compute:nova".into());
    port.device_id = Some(id(4, number).to_string());
    port
}

fn vif(number: u128) -> Vif {
    Vif {
        host: format!("host-{:04}", number % HOSTS).as_str().into(),
        port: PortId(id(3, number)),
        interface: format!("tap{number}"),
        ofport: 1,
    }
}

fn cloud() -> Result<Topology, Rejection> {
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
    Ok(topology)
}

fn main() -> Result<(), Rejection> {
    let count = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(100_000);
    let mut topology = cloud()?;
    let before = resident();
    for number in 0..count {
        ask(&mut topology, Command::CreatePorts(vec![port(number)]))?;
    }
    println!("{count} ports: {} bytes a port", u128::from(resident() - before) / count.max(1));

    let create = |numbers: std::ops::Range<u128>| Command::CreatePorts(numbers.map(port).collect());
    let singly = (count..count + TIMED).map(|number| create(number..number + 1));
    timed(&mut topology, "create", singly)?;
    let start = processor_time();
    ask(&mut topology, create(count + TIMED..count + 2 * TIMED))?;
    println!("create, each of a bulk: {} ns", (processor_time() - start) / TIMED);
    timed(&mut topology, "plug", (0..TIMED).map(|number| Command::ObserveVif(vif(number))))?;
    let status = |number| vec![(PortId(id(3, number)), PortStatus::Active)];
    timed(&mut topology, "status", (0..TIMED).map(|number| Command::SetPortStatus(status(number))))?;
    let delete = |number| Command::DeletePort { id: PortId(id(3, number)), if_revision: None };
    timed(&mut topology, "delete", (0..TIMED).map(delete))?;

    let records: Vec<_> = topology.records().collect();
    let start = processor_time();
    let loaded = Topology::load(Limits::default(), records.into_iter(), topology.revision());
    let milliseconds = (processor_time() - start) / 1_000_000;
    println!("load: {milliseconds} ms, the same again: {}", loaded.is_ok());
    Ok(())
}
