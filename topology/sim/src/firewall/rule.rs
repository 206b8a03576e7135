//! Whether a rule is about a packet.

use crate::oracle::{ends, seen};
use crate::packet::{Packet, Tracking, protocol};
use ipnet::IpNet;
use std::net::IpAddr;
use weir_model::{Direction, Ethertype, Port, Remote, SecurityGroupId, SecurityGroupRule, Topology};

/// What rules see of a packet, or of the first packet of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Who sends.
    pub source: IpAddr,
    /// Who receives.
    pub destination: IpAddr,
    /// The IP protocol.
    pub protocol: u8,
    /// Source and destination port, or type and code of ICMP; none if the packet has or shows none.
    pub ports: Option<(u16, u16)>,
}

/// Whether a switch sees ports, or type and code, in packets of a protocol.
fn shows_ports(number: u8) -> bool {
    matches!(number, protocol::TCP | protocol::UDP | protocol::SCTP | protocol::ICMP | protocol::ICMPV6)
}

impl View {
    /// The packet itself; none if it is not IP.
    pub fn of(packet: &Packet) -> Option<Self> {
        let fields = seen(packet);
        if !fields.is_ip() {
            return None;
        }
        let (source, destination) = ends(&fields);
        let shown = fields.nw_frag == 0 && shows_ports(fields.nw_proto);
        let ports = shown.then_some((fields.tp_src, fields.tp_dst));
        Some(Self { source, destination, protocol: fields.nw_proto, ports })
    }

    /// The first packet of the connection that a packet belongs to. The tracker knows no ports of protocols other than
    /// TCP, UDP and ICMP; those of SCTP are the packet's own, turned around in answers.
    pub(super) fn original(self, tracking: &Tracking, reply: bool) -> Self {
        let (source, destination) = match self.source {
            IpAddr::V4(_) => (IpAddr::V4(tracking.nw_src.into()), IpAddr::V4(tracking.nw_dst.into())),
            IpAddr::V6(_) => (IpAddr::V6(tracking.ipv6_src.into()), IpAddr::V6(tracking.ipv6_dst.into())),
        };
        let ports = match tracking.nw_proto {
            protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6 => {
                Some((tracking.tp_src, tracking.tp_dst))
            }
            number if number == self.protocol => {
                self.ports.map(|(one, other)| if reply { (other, one) } else { (one, other) })
            }
            _ => None,
        };
        Self { source, destination, protocol: tracking.nw_proto, ports }
    }
}

/// Whether a rule allows a packet that goes this way.
pub(super) fn allows(topology: &Topology, rule: &SecurityGroupRule, direction: Direction, view: &View) -> bool {
    let peer = match direction {
        Direction::Ingress => view.source,
        Direction::Egress => view.destination,
    };
    let version = if peer.is_ipv4() { Ethertype::V4 } else { Ethertype::V6 };
    rule.direction == direction
        && rule.ethertype == version
        && is_about(rule, view)
        && match rule.remote {
            Remote::Anybody => true,
            Remote::Prefix(prefix) => prefix.contains(&peer),
            Remote::Group(group) => is_address_of(topology, group, peer),
            Remote::Addresses(id) => {
                let group = topology.address_group(id);
                group.is_some_and(|group| group.addresses.iter().any(|prefix| prefix.contains(&peer)))
            }
        }
}

/// Whether protocol and ports of a rule are those of a packet.
fn is_about(rule: &SecurityGroupRule, view: &View) -> bool {
    let Some(asked) = rule.protocol.as_ref().map(|protocol| protocol.number) else {
        return true;
    };
    // A rule of IPv6 that says ICMP means that of IPv6.
    let number = match (rule.ethertype, asked) {
        (Ethertype::V6, protocol::ICMP) => protocol::ICMPV6,
        _ => asked,
    };
    let (low, high) = (rule.port_range_min, rule.port_range_max);
    if number != view.protocol {
        return false;
    }
    if low.is_none() && high.is_none() {
        return true;
    }
    let Some((first, second)) = view.ports else {
        return false;
    };
    if matches!(number, protocol::ICMP | protocol::ICMPV6) {
        low.is_none_or(|kind| kind == first) && high.is_none_or(|code| code == second)
    } else {
        (low.unwrap_or(0)..=high.unwrap_or(u16::MAX)).contains(&second)
    }
}

/// Whether an address is of a port of the group, in whatever network.
fn is_address_of(topology: &Topology, group: SecurityGroupId, address: IpAddr) -> bool {
    let is_member = |port: &Port| port.port_security_enabled && port.security_groups.contains(&group);
    let has = |port: &Port| {
        let fixed = port.fixed_ips.iter().map(|fixed| IpNet::from(fixed.ip_address));
        let pairs = port.allowed_address_pairs.iter().map(|pair| pair.ip_address);
        fixed.chain(pairs).any(|net| net.contains(&address))
    };
    topology.ports().any(|port| is_member(port) && has(port))
}
