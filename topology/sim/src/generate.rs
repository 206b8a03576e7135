//! Random clouds: what operators and VMs might do next, drawn from a seed.

use crate::packet::{Frame, NeighbourAdvertisement, Packet};
use crate::seed::Seed;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use uuid::Uuid;
use weir_model::{
    Command, HostName, MacAddress, NetworkId, NetworkPatch, NewAddressPair, NewFixedIp, NewNetwork, NewPort, NewSubnet,
    Port, PortId, PortPatch, ProjectId, SubnetId, Topology,
};

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

/// How large a cloud may grow, and what it has.
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

/// The prefixes that every tenant uses.
const PREFIXES: [&str; 2] = ["10.0.0.0/24", "fd00:10::/64"];

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
        return new_network(seed, topology, bounds);
    }
    if let Some(bare) = topology.networks().map(|network| network.id).filter(|id| bare(topology, *id)).min()
        && seed.chance(3, 4)
    {
        return new_subnet(seed, topology, bare);
    }
    if topology.ports().len() * 2 < bounds.ports {
        return new_port(seed, topology, bounds);
    }
    let loose = loose_ports(topology);
    if let Some((host, port)) = seed.pick(&loose).filter(|_| loose.len() > 2) {
        return Some(Happening::Plug(host.clone(), *port));
    }
    match seed.below(100) {
        0..4 => new_network(seed, topology, bounds),
        4..10 => {
            let (network, _) = any_network(seed, topology)?;
            new_subnet(seed, topology, network)
        }
        10..30 => new_port(seed, topology, bounds),
        30..42 => plug(seed, topology, bounds),
        42..50 => unplug(seed, topology),
        50..62 => move_port(seed, topology, bounds),
        62..84 => change_port(seed, topology),
        84..92 => {
            let port = any_port(seed, topology)?;
            command(Command::DeletePort { id: port.id, if_revision: None })
        }
        92..99 => {
            let (id, up) = any_network(seed, topology)?;
            let up = !up || seed.chance(1, 2);
            let patch = NetworkPatch { admin_state_up: Some(up), ..NetworkPatch::default() };
            command(Command::UpdateNetwork { id, patch, if_revision: None })
        }
        _ => {
            let (id, _) = any_network(seed, topology)?;
            command(Command::DeleteNetwork { id, if_revision: None })
        }
    }
}

/// Whether a network has no subnet.
fn bare(topology: &Topology, network: NetworkId) -> bool {
    topology.subnets_of(network).next().is_none()
}

/// Ports that are bound and not plugged, and where they are bound.
fn loose_ports(topology: &Topology) -> Vec<(HostName, PortId)> {
    let mut loose: Vec<_> = topology
        .ports()
        .filter_map(|port| Some((topology.bound_host(port)?.name.clone(), port.id)))
        .filter(|(host, port)| topology.vif_on(host, *port).is_none())
        .collect();
    loose.sort_unstable();
    loose
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

fn new_network(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.networks().len() >= bounds.networks {
        return None;
    }
    let owner = tenant(seed, bounds);
    let mut network = NewNetwork::new(NetworkId(uuid(seed)), owner);
    network.port_security_enabled = seed.chance(1, 8).then_some(false);
    command(Command::CreateNetworks(vec![network]))
}

fn new_subnet(seed: &mut Seed, topology: &Topology, network: NetworkId) -> Option<Happening> {
    let owner = topology.network(network)?.project_id.clone();
    let cidr: IpNet = seed.pick(&PREFIXES)?.parse().ok()?;
    command(Command::CreateSubnets(vec![NewSubnet::new(SubnetId(uuid(seed)), network, owner, cidr)]))
}

fn new_port(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    if topology.ports().len() >= bounds.ports {
        return None;
    }
    let (network_id, _) = any_network(seed, topology)?;
    let owner = topology.network(network_id)?.project_id.clone();
    let mut port = NewPort::new(PortId(uuid(seed)), network_id, owner);
    port.binding_host = seed.pick(&bounds.hosts).cloned().filter(|_| seed.chance(4, 5));
    if seed.chance(1, 6) {
        port.allowed_address_pairs = Some(address_pairs(seed));
    }
    if seed.chance(1, 10) {
        port.port_security_enabled = Some(false);
        port.allowed_address_pairs = None;
    }
    command(Command::CreatePorts(vec![port]))
}

/// A virtual address that several ports share, some with a link-layer address that they share too.
fn address_pairs(seed: &mut Seed) -> Vec<NewAddressPair> {
    let shared = MacAddress([0, 0, 0x5e, 0, 1, 1 + seed.below(2) as u8]);
    let choices = ["10.0.0.200/32", "10.0.0.128/25", "fd00:10::c8/128", "192.0.2.0/24"];
    let address = seed.pick(&choices).and_then(|text| text.parse().ok());
    address
        .into_iter()
        .map(|ip_address| NewAddressPair { ip_address, mac_address: seed.chance(1, 2).then_some(shared) })
        .collect()
}

fn plug(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let bound = topology.bound_host(port).map(|host| host.name.clone());
    // Now and then a VIF comes up where its port is not bound.
    let host = match bound {
        Some(host) if !seed.chance(1, 10) => host,
        _ => seed.pick(&bounds.hosts)?.clone(),
    };
    if topology.vif_on(&host, port.id).is_some() {
        return None;
    }
    Some(Happening::Plug(host, port.id))
}

fn unplug(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let vif = topology.vifs_of(port.id).next()?;
    Some(Happening::Unplug(vif.host.clone(), port.id))
}

fn update(port: &Port, patch: PortPatch) -> Option<Happening> {
    command(Command::UpdatePort { id: port.id, patch: Box::new(patch), if_revision: None })
}

fn move_port(seed: &mut Seed, topology: &Topology, bounds: &Bounds) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let host = seed.pick(&bounds.hosts)?.clone();
    let binding_host = Some((!seed.chance(1, 6)).then_some(host));
    update(port, PortPatch { binding_host, ..PortPatch::default() })
}

fn change_port(seed: &mut Seed, topology: &Topology) -> Option<Happening> {
    let port = any_port(seed, topology)?;
    let none = PortPatch::default();
    let patch = match seed.below(5) {
        0 => PortPatch { admin_state_up: Some(!port.admin_state_up || seed.chance(2, 3)), ..none },
        1 => PortPatch { allowed_address_pairs: Some(address_pairs(seed)), ..none },
        2 => PortPatch { allowed_address_pairs: Some(Vec::new()), ..none },
        3 => PortPatch { port_security_enabled: Some(seed.chance(2, 3)), ..none },
        _ => {
            let subnets: Vec<_> = topology.subnets_of(port.network_id).map(|subnet| subnet.id).collect();
            let chosen = seed.pick(&subnets).map(|id| NewFixedIp { subnet_id: Some(*id), ip_address: None });
            PortPatch { fixed_ips: Some(chosen.into_iter().collect()), ..none }
        }
    };
    update(port, patch)
}

/// A packet that the VM behind a port might send: honest, forged, to the own network or to another's.
pub fn packet(seed: &mut Seed, topology: &Topology, from: &Port) -> Packet {
    let to = any_port(seed, topology).filter(|_| seed.chance(1, 3));
    let neighbours: Vec<_> = topology.ports_of(from.network_id).map(AsRef::as_ref).collect();
    let to = to.or_else(|| seed.pick(&neighbours).copied()).unwrap_or(from);
    let pairs: Vec<_> = from.allowed_address_pairs.iter().map(|pair| pair.mac_address).collect();
    let src = match seed.below(20) {
        0 => MacAddress([2, 0, 0, 0, 0, 9]),
        1 => to.mac_address,
        2 => MacAddress([1, 0, 0, 0, 0, 9]),
        3 => seed.pick(&pairs).copied().unwrap_or(from.mac_address),
        _ => from.mac_address,
    };
    let pairs: Vec<_> = to.allowed_address_pairs.iter().map(|pair| pair.mac_address).collect();
    let dst = match seed.below(8) {
        0 => MacAddress([0xff; 6]),
        1 => MacAddress([0x33, 0x33, 0, 0, 0, 1]),
        2 => seed.pick(&pairs).copied().unwrap_or(to.mac_address),
        3 => MacAddress([2, 0, 0, 0, 0, 9]),
        _ => to.mac_address,
    };
    let mut frame = Frame::new(src, dst);
    if seed.chance(1, 20) {
        frame = frame.tagged(7);
    }
    let four = |seed: &mut Seed, port: &Port| address(seed, port, true);
    let six = |seed: &mut Seed, port: &Port| address(seed, port, false);
    let (from4, to4) = (four(seed, from), four(seed, to));
    let (from6, to6) = (six(seed, from), six(seed, to));
    let (v4, v6) = ((as_v4(from4), as_v4(to4)), (as_v6(from6), as_v6(to6)));
    match seed.below(20) {
        0..3 => Frame::broadcast(src).arp_request(v4.0, v4.1),
        3 => Frame::broadcast(src).arp_request(Ipv4Addr::UNSPECIFIED, v4.1),
        4 => frame.arp_request(v4.0, v4.1),
        5 => frame.arp_reply(v4.0, v4.1),
        6 => frame.arp(1, to.mac_address, v4.0, MacAddress([0; 6]), v4.1),
        7..9 => frame.solicitation(v6.0, v6.1, seed.chance(3, 4).then_some(src)),
        9 => frame.solicitation(Ipv6Addr::UNSPECIFIED, v6.1, None),
        10 => frame.advertisement(&NeighbourAdvertisement {
            src: v6.0,
            dst: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1),
            target: if seed.chance(1, 2) { v6.0 } else { v6.1 },
            address: seed.chance(2, 3).then_some(src),
            flags: 0x2000_0000,
        }),
        11 => {
            let (sport, dport) = [(68, 67), (67, 68), (547, 546), (546, 547)][seed.below(4)];
            let source = if seed.chance(1, 2) { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { from4 };
            if sport < 100 {
                frame.udp(source, IpAddr::V4(Ipv4Addr::BROADCAST), sport, dport, b"dhcp")
            } else {
                frame.udp(from6, to6, sport, dport, b"dhcp")
            }
        }
        12 => {
            let kind = [128, 131, 133, 134, 143][seed.below(5)];
            let source = if seed.chance(1, 2) { IpAddr::V6(Ipv6Addr::UNSPECIFIED) } else { from6 };
            frame.icmp(source, IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2)), kind, 0, &[0; 4])
        }
        13 => frame.raw(0x88b5, &[0; 46]),
        14 | 15 => frame.echo(from6, to6, 1, false),
        16 => frame.tcp(from6, to6, 1000, 80, 2),
        17 => frame.udp(from4, to4, 1000, 53, b"?"),
        18 => frame.tcp(from4, to4, 1000, 80, 2),
        _ => frame.echo(from4, to4, 1, false),
    }
}

/// An address of the port, rarely one that is not its own.
fn address(seed: &mut Seed, port: &Port, v4: bool) -> IpAddr {
    let link_local = IpAddr::V6(crate::oracle::link_local(port.mac_address.to_u64()));
    let mut own: Vec<IpAddr> = port.fixed_ips.iter().map(|fixed| fixed.ip_address).collect();
    own.extend(port.allowed_address_pairs.iter().map(|pair| pair.ip_address.addr()));
    own.push(link_local);
    own.retain(|address| address.is_ipv4() == v4);
    let forged: IpAddr =
        if v4 { [10, 0, 0, 77].into() } else { IpAddr::V6(Ipv6Addr::new(0xfd00, 0x10, 0, 0, 0, 0, 0, 0x77)) };
    if seed.chance(1, 16) { forged } else { seed.pick(&own).copied().unwrap_or(forged) }
}

fn as_v4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
    }
}

fn as_v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
