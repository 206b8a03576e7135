//! Random clouds: what operators and VMs might do next, drawn from a seed.

mod network;
mod packet;
mod port;
mod router;
mod security;
mod traffic;

pub use packet::packet;
pub use traffic::Traffic;

use crate::seed::Seed;
use uuid::Uuid;
use weir_model::{Command, HostName, NetworkId, Port, PortId, ProjectId, Topology};

/// What happens next in a cloud.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// Somebody asks for something.
    Command(Box<Command>),
    /// A VIF that names the port is plugged into the hypervisor.
    Plug(HostName, PortId),
    /// It is unplugged.
    Unplug(HostName, PortId),
}

/// How large a cloud may grow, and what it has. There are at most as many routers as networks, and of security groups
/// and address groups as many as ports.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Hypervisors that ports are bound to.
    pub hosts: Vec<HostName>,
    /// Tenants, which all use the same prefixes.
    pub tenants: usize,
    /// Networks.
    pub networks: usize,
    /// Ports.
    pub ports: usize,
}

fn uuid(seed: &mut Seed) -> Uuid {
    Uuid::from_u64_pair(seed.next_u64(), seed.next_u64())
}

fn tenant(seed: &mut Seed, bounds: &Bounds) -> ProjectId {
    ProjectId::from(format!("tenant-{}", seed.below(bounds.tenants.max(1))).as_str())
}

/// A host name, `host` followed by a number from 1.
pub fn host_name(number: usize) -> HostName {
    HostName::from(format!("host{number}").as_str())
}

fn command(command: Command) -> Option<Happening> {
    Some(Happening::Command(Box::new(command)))
}

/// What happens next; none when the draw fits nothing that is there. A cloud grows first and changes then.
pub fn next(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.networks().len() < 2 {
        return network::new(seed, topology, bounds);
    }
    if let Some(bare) = topology.networks().map(|network| network.id).filter(|id| network::is_bare(topology, *id)).min()
        && seed.chance(3, 4)
    {
        return network::new_subnet(seed, topology, bare);
    }
    if topology.ports().len() * 2 < bounds.ports {
        return match seed.below(4) {
            0 => router::next(seed, topology, bounds),
            1 => security::next(seed, topology, bounds),
            _ => port::new(seed, topology, bounds),
        };
    }
    let loose = port::loose(topology);
    if let Some((host, port)) = seed.pick(&loose).filter(|_| loose.len() > 2) {
        return Some(Happening::Plug(host.clone(), *port));
    }
    match seed.below(100) {
        0..25 => security::next(seed, topology, bounds),
        25..42 => router::next(seed, topology, bounds),
        42..92 => port::next(seed, topology, bounds),
        _ => network::next(seed, topology, bounds),
    }
}

fn any_network(seed: &mut Seed, topology: &Topology) -> Option<(NetworkId, bool)> {
    let mut all: Vec<_> = topology.networks().map(|network| (network.id, network.admin_state_up)).collect();
    all.sort_unstable();
    seed.pick(&all).copied()
}

fn any_port<'a>(seed: &mut Seed, topology: &'a Topology) -> Option<&'a Port> {
    let mut all: Vec<PortId> = topology.ports().map(|port| port.id).collect();
    all.sort_unstable();
    let id = *seed.pick(&all)?;
    topology.port(id).map(AsRef::as_ref)
}
