//! Who may reach whom, told from the topology alone.
//!
//! The oracle knows networks, ports, routers, addresses, bindings and what is plugged. It knows nothing of tables, and
//! nothing of security groups: [`Firewall`](crate::firewall::Firewall) judges what it lets through, and
//! [`Judge`](crate::judge::Judge) asks both.

mod admission;
mod answer;
mod punt;
mod route;

pub use admission::link_local;
pub use answer::{Answer, Echo, Neighbour, SERVICE_MAC};
pub use punt::{Punt, PuntKind};
pub use route::ROUTERS_MAX;
pub(crate) use route::ends;

use crate::packet::{ETH_IPV4, Fields, Packet, protocol};
use std::collections::{BTreeMap, BTreeSet};
use weir_model::{Port, PortId, Router, Topology, Vif};

/// What must become of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The ports that must get the packet, and no others, with the packet as they must get it.
    pub deliveries: BTreeMap<PortId, Packet>,
    /// The ports that a packet for somebody in particular is sent towards, whether they can take it or not: the sender's
    /// hypervisor does not know what is plugged into another.
    pub toward: BTreeSet<PortId>,
    /// Whether several ports, the sender perhaps among them, have the destination address.
    pub shared: bool,
    /// Whether the packet is for the whole network.
    pub flooded: bool,
    /// What the sender must get instead, for a question that the network answers itself.
    pub answer: Option<Answer>,
    /// What the controller must get instead.
    pub punt: Option<Punt>,
    /// Why, in words.
    pub reason: &'static str,
}

pub(crate) fn nowhere(reason: &'static str) -> Verdict {
    Verdict { reason, ..Verdict::default() }
}

/// Whether a VM is behind a port, and not a router.
fn is_vm(topology: &Topology, port: &Port) -> bool {
    topology.router_of(port).is_none()
}

/// The router that a port is an interface of, if both are up.
fn interface_router<'a>(topology: &'a Topology, port: &Port) -> Option<&'a Router> {
    let router = topology.router_of(port).map(AsRef::as_ref)?;
    (port.admin_state_up && router.admin_state_up).then_some(router)
}

/// The VIF of a port, if the port is up and plugged where it is bound.
pub fn usable<'a>(topology: &'a Topology, port: &Port) -> Option<&'a Vif> {
    let network = topology.network(port.network_id)?;
    let host = topology.bound_host(port)?;
    let up = port.admin_state_up && network.admin_state_up && is_vm(topology, port);
    topology.vif_on(&host.name, port.id).map(AsRef::as_ref).filter(|_| up)
}

/// What the tables see of a packet: the ports of a fragment are not looked at, whatever the first one shows.
pub(crate) fn seen(packet: &Packet) -> Fields {
    let mut fields = packet.fields();
    if fields.is_ip() && fields.nw_frag != 0 {
        (fields.tp_src, fields.tp_dst) = (0, 0);
    }
    fields
}

/// Whether a packet is about its link: neighbour discovery, a report of multicast groups, or what a DHCP server tells its
/// client.
pub(crate) fn is_about_link(fields: &Fields) -> bool {
    let served = match fields.eth_type {
        ETH_IPV4 => (67, 68),
        _ => (547, 546),
    };
    let from_server = fields.nw_proto == protocol::UDP && (fields.tp_src, fields.tp_dst) == served;
    let discovery = fields.is_icmpv6() && matches!(fields.tp_src, 130..=136 | 143);
    fields.is_ip() && fields.nw_frag == 0 && (from_server || discovery)
}

/// What must become of a packet that the VM behind a port sends, security groups aside.
pub fn verdict(topology: &Topology, from: PortId, packet: &Packet) -> Verdict {
    let Some(port) = topology.port(from) else {
        return nowhere("no such port");
    };
    let Some(network) = topology.network(port.network_id).filter(|_| usable(topology, port).is_some()) else {
        return nowhere("the port is down, not bound or not plugged");
    };
    let fields = seen(packet);
    if fields.is_tagged() || fields.eth_type == 0x8100 {
        return nowhere("a VM's own tag");
    }
    if fields.eth_src >> 40 & 1 == 1 {
        return nowhere("a group as source");
    }
    if port.port_security_enabled && !admission::admitted(port, &fields) {
        return nowhere("not a source of the port");
    }
    if let Some(answer) = answer::neighbour(topology, network, port, &fields) {
        let answer = Some(Answer::Neighbour(answer));
        return Verdict { answer, reason: "answered by the network", ..Verdict::default() };
    }
    if let Some(punt) = punt::service(topology, network, port, &fields) {
        return Verdict { punt: Some(punt), reason: "served by the network", ..Verdict::default() };
    }
    let mut interfaces = topology.ports_of(network.id).filter(|port| interface_router(topology, port).is_some());
    if let Some(interface) = interfaces.find(|port| port.mac_address.to_u64() == fields.eth_dst) {
        return route::route(topology, port, network, interface, (packet, &fields));
    }
    let others = || topology.ports_of(network.id).filter(|other| other.id != from);
    let flooded = fields.eth_dst >> 40 & 1 == 1;
    let deliveries = others()
        .filter(|other| usable(topology, other).is_some())
        .filter(|other| flooded || receives(topology, other, fields.eth_dst))
        .map(|other| (other.id, packet.clone()))
        .collect();
    let mut toward: BTreeSet<PortId> = topology
        .ports_of(network.id)
        .filter(|other| !flooded && is_vm(topology, other))
        .filter(|other| other.admin_state_up && topology.bound_host(other).is_some())
        .filter(|other| receives(topology, other, fields.eth_dst))
        .map(|other| other.id)
        .collect();
    let shared = toward.len() > 1;
    toward.remove(&from);
    let reason = if flooded { "to the whole network" } else { "to who has the address" };
    Verdict { deliveries, toward, shared, flooded, reason, ..Verdict::default() }
}

/// Whether a port gets what is sent to a link-layer address: its own, or one that it has by an address pair and that is
/// no other port's own.
fn receives(topology: &Topology, port: &Port, mac: u64) -> bool {
    let is_own = |other: &Port| {
        let there = other.admin_state_up && topology.bound_host(other).is_some() && is_vm(topology, other);
        other.mac_address.to_u64() == mac && there
    };
    claims(port, mac) && (is_own(port) || !topology.ports_of(port.network_id).any(|other| is_own(other)))
}

/// Whether a port has a link-layer address, its own or by an address pair.
fn claims(port: &Port, mac: u64) -> bool {
    port.mac_address.to_u64() == mac || port.allowed_address_pairs.iter().any(|pair| pair.mac_address.to_u64() == mac)
}
