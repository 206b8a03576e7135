//! The reference firewall: security groups as a plain list of rules, and connections as hypervisors remember them.
//!
//! What the rules say of a connection is asked anew for each of its packets, always about its first packet. So who loses
//! a permission loses its connections, and gets them back with the permission.

mod rule;
mod zone;

pub use rule::View;

use crate::packet::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_RARP, Packet, Tracking, protocol};
use crate::switch::Conntrack;
use crate::switch::conntrack::{CT_INVALID, CT_NEW, CT_REPLY};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;
use weir_model::{Direction, HostName, NetworkKey, Port, PortId, Topology};
use weir_openflow::message::{CtFlush, CtTuple};

/// Whether a packet passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// It does.
    Passes,
    /// The sender may not send it.
    RefusedToSender,
    /// The receiver may not get it.
    RefusedToReceiver,
}

/// How a port is filtered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Filter {
    Off,
    Stateless,
    Stateful,
}

/// The connections of one hypervisor, and which networks it has zones for.
#[derive(Debug, Default)]
struct Memory {
    conntrack: Conntrack,
    zones: BTreeMap<NetworkKey, u16>,
}

/// The reference firewall. Each hypervisor remembers connections of its own: those that a hypervisor has not seen begin
/// are new to it. Both ends of a connection within one hypervisor share what it remembers.
#[derive(Debug, Default)]
pub struct Firewall {
    memories: BTreeMap<HostName, Memory>,
    now: Duration,
}

fn filter(topology: &Topology, port: &Port) -> Filter {
    if !port.port_security_enabled {
        return Filter::Off;
    }
    let mut groups = port.security_groups.iter().filter_map(|id| topology.security_group(*id)).peekable();
    if groups.peek().is_some() && groups.all(|group| !group.stateful) { Filter::Stateless } else { Filter::Stateful }
}

/// What passes whatever the rules say: ARP and RARP, neighbour discovery, reports of multicast groups, and what DHCP
/// servers tell their clients.
fn is_exempt(packet: &Packet) -> bool {
    let fields = crate::oracle::seen(packet);
    let served = match fields.eth_type {
        ETH_IPV4 => (67, 68),
        _ => (547, 546),
    };
    let from_server = fields.nw_proto == protocol::UDP && (fields.tp_src, fields.tp_dst) == served;
    matches!(fields.eth_type, ETH_ARP | ETH_RARP)
        || matches!(fields.eth_type, ETH_IPV4 | ETH_IPV6) && fields.nw_frag == 0 && from_server
        || fields.is_icmpv6() && fields.nw_frag == 0 && matches!(fields.tp_src, 130..=136 | 143)
}

fn other(direction: Direction) -> Direction {
    match direction {
        Direction::Ingress => Direction::Egress,
        Direction::Egress => Direction::Ingress,
    }
}

impl Firewall {
    /// A firewall that remembers nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the groups of a port have a rule for a packet that goes this way; connections aside.
    pub fn permits(topology: &Topology, port: &Port, direction: Direction, view: &View) -> bool {
        let mut rules = port.security_groups.iter().flat_map(|group| topology.rules_of(*group));
        rules.any(|rule| rule::allows(topology, rule, direction, view))
    }

    /// Lets time pass; connections end by themselves.
    pub fn advance_to(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Follows the topology: what a hypervisor needs no zone for any more, it forgets. To be called after each change.
    pub fn follow(&mut self, topology: &Topology) {
        let needed = zone::needed(topology);
        self.memories.retain(|host, _| needed.contains_key(host));
        let nothing = BTreeSet::new();
        for (host, memory) in &mut self.memories {
            let kept = needed.get(host).unwrap_or(&nothing);
            for (network, zone) in &memory.zones {
                if !kept.contains(network) {
                    memory.conntrack.flush_zone(*zone);
                }
            }
        }
    }

    /// Forgets the connections of fixed addresses that changed hands, as the controller tells switches to: whoever has an
    /// address next must not inherit any, neither where it was nor where it comes to. A port that moves brings its own.
    pub fn forget_handed_over(&mut self, old: &Topology, new: &Topology) {
        for before in old.ports() {
            let after = new.port(before.id).filter(|after| {
                old.bound_host(before).map(|host| host.key) == new.bound_host(after).map(|host| host.key)
            });
            self.forget_port(old, before, after.map(AsRef::as_ref));
        }
        for after in new.ports() {
            let before = old.port(after.id).filter(|before| old.bound_host(before).is_some());
            self.forget_port(new, after, before.map(AsRef::as_ref));
        }
    }

    /// Forgets the connections of a port where it is bound, but for addresses that it also has otherwise.
    fn forget_port(&mut self, topology: &Topology, port: &Port, otherwise: Option<&Port>) {
        let (Some(host), Some(network)) = (topology.bound_host(port), topology.network(port.network_id)) else {
            return;
        };
        let has = |address| otherwise.is_some_and(|port| port.fixed_ips.iter().any(|it| it.ip_address == address));
        for address in port.fixed_ips.iter().map(|fixed| fixed.ip_address).filter(|address| !has(*address)) {
            for key in [network.key, zone::domain(topology, network)] {
                self.forget_address(&host.name, key, address);
            }
        }
    }

    /// Forgets the connections of an address in the zone of a network, whoever began them.
    fn forget_address(&mut self, host: &HostName, network: NetworkKey, address: IpAddr) {
        let Some(memory) = self.memories.get_mut(host) else {
            return;
        };
        let Some(zone) = memory.zones.get(&network).copied() else {
            return;
        };
        for (src, dst) in [(Some(address), None), (None, Some(address))] {
            let original = CtTuple { src, dst, ..CtTuple::default() };
            memory.conntrack.flush(&CtFlush { zone: Some(zone), original, ..CtFlush::default() });
        }
    }

    /// Forgets what a hypervisor remembers, as when its switch restarts.
    pub fn forget(&mut self, host: &HostName) {
        self.memories.remove(host);
    }

    /// Whether a packet passes from one port to another. It remembers the connection if the packet begins one.
    ///
    /// The packet is as the receiver would get it: rules do not see what routers change.
    pub fn judge(&mut self, topology: &Topology, from: PortId, to: PortId, packet: &Packet) -> Ruling {
        let (Some(sender), Some(receiver)) = (topology.port(from), topology.port(to)) else {
            return Ruling::RefusedToSender;
        };
        if is_exempt(packet) {
            return Ruling::Passes;
        }
        let (filters, view) = ((filter(topology, sender), filter(topology, receiver)), View::of(packet));
        let Some(view) = view else {
            return match filters {
                (Filter::Off, Filter::Off) => Ruling::Passes,
                (Filter::Off, _) => Ruling::RefusedToReceiver,
                _ => Ruling::RefusedToSender,
            };
        };
        let hosts = (topology.bound_host(sender), topology.bound_host(receiver));
        let networks = (topology.network(sender.network_id), topology.network(receiver.network_id));
        let ((Some(here), Some(there)), (Some(source), Some(destination))) = (hosts, networks) else {
            return Ruling::RefusedToSender;
        };
        let leaves = |tracking: Option<&Tracking>| passes(topology, sender, Direction::Egress, &view, tracking);
        let enters = |tracking: Option<&Tracking>| passes(topology, receiver, Direction::Ingress, &view, tracking);
        if here.name != there.name {
            if !self.pass(&here.name, source.key, filters.0 == Filter::Stateful, packet, leaves) {
                return Ruling::RefusedToSender;
            }
            let passes = self.pass(&there.name, destination.key, filters.1 == Filter::Stateful, packet, enters);
            return if passes { Ruling::Passes } else { Ruling::RefusedToReceiver };
        }
        let zone = if source.id == destination.id { source.key } else { zone::domain(topology, source) };
        let is_tracked = filters.0 == Filter::Stateful || filters.1 == Filter::Stateful;
        let mut ruling = Ruling::RefusedToSender;
        self.pass(&here.name, zone, is_tracked, packet, |tracking| {
            if leaves(tracking) {
                ruling = if enters(tracking) { Ruling::Passes } else { Ruling::RefusedToReceiver };
            }
            ruling == Ruling::Passes
        });
        ruling
    }

    /// Whether a packet leaves its sender for another hypervisor, whatever becomes of it there.
    pub fn departs(&mut self, topology: &Topology, from: PortId, packet: &Packet) -> bool {
        self.leaves(topology, from, packet, true)
    }

    /// Whether a packet leaves its sender for a router of the network, which answers it on the spot.
    pub fn asks(&mut self, topology: &Topology, from: PortId, packet: &Packet) -> bool {
        self.leaves(topology, from, packet, false)
    }

    fn leaves(&mut self, topology: &Topology, from: PortId, packet: &Packet, begins: bool) -> bool {
        let Some(sender) = topology.port(from) else {
            return false;
        };
        let filter = filter(topology, sender);
        if is_exempt(packet) || filter == Filter::Off {
            return true;
        }
        let (Some(host), Some(network)) = (topology.bound_host(sender), topology.network(sender.network_id)) else {
            return false;
        };
        let Some(view) = View::of(packet) else {
            return false;
        };
        let mut leaves = false;
        self.pass(&host.name, network.key, filter == Filter::Stateful, packet, |tracking| {
            leaves = passes(topology, sender, Direction::Egress, &view, tracking);
            leaves && begins
        });
        leaves
    }

    /// Whether a port may send or get a packet for the whole network, which is judged by itself.
    pub fn floods(topology: &Topology, port: &Port, direction: Direction, packet: &Packet) -> bool {
        filter(topology, port) == Filter::Off
            || is_exempt(packet)
            || View::of(packet).is_some_and(|view| Self::permits(topology, port, direction, &view))
    }

    /// Asks whether a packet passes, given what a hypervisor knows of it, and remembers the connection if so.
    fn pass(
        &mut self,
        host: &HostName,
        network: NetworkKey,
        is_tracked: bool,
        packet: &Packet,
        passes: impl FnOnce(Option<&Tracking>) -> bool,
    ) -> bool {
        if !is_tracked {
            return passes(None);
        }
        let now = self.now;
        let memory = self.memories.entry(host.clone()).or_default();
        let next = memory.zones.len() as u16 + 1;
        let zone = *memory.zones.entry(network).or_insert(next);
        let tracking = memory.conntrack.look_up(packet, zone, false, now);
        let passed = passes(Some(&tracking));
        if passed && tracking.state & CT_NEW != 0 {
            memory.conntrack.look_up(packet, zone, true, now);
        }
        passed
    }
}

/// Whether a packet passes a port's filter. Answers are judged as what they answer, which went the other way.
fn passes(topology: &Topology, port: &Port, direction: Direction, view: &View, tracking: Option<&Tracking>) -> bool {
    match (filter(topology, port), tracking) {
        (Filter::Off, _) => true,
        (Filter::Stateful, Some(tracking)) if tracking.state & CT_INVALID == 0 => {
            let reply = tracking.state & CT_REPLY != 0;
            let asked = if reply { other(direction) } else { direction };
            Firewall::permits(topology, port, asked, &view.original(tracking, reply))
        }
        (Filter::Stateful, _) => {
            let can_be_tracked =
                matches!(view.protocol, protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6);
            !can_be_tracked && Firewall::permits(topology, port, direction, view)
        }
        (Filter::Stateless, _) => Firewall::permits(topology, port, direction, view),
    }
}
