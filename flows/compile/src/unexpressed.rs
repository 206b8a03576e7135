//! What the topology asks for and no flow can give.

use crate::Touched;
use crate::feature::{MAX_CLAIMS, plugged};
use crate::packet::protocol;
use std::fmt;
use weir_model::{Change, HostName, MacAddress, Port, PortId, SecurityGroupRule, SecurityGroupRuleId, Topology};

/// A wish that has no flows, and why. Everything else is compiled all the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unexpressed {
    /// What it concerns.
    pub subject: Wish,
    /// Why.
    pub obstacle: Obstacle,
}

/// What may have no flows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// A port.
    Port(PortId),
    /// A rule of a security group.
    Rule(SecurityGroupRuleId),
}

/// Why something cannot be expressed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// The port names a host that is not known, or a kind of device that Open vSwitch does not carry.
    HostUnknown(HostName),
    /// The port is plugged on another hypervisor than the one that it is bound to.
    PluggedElsewhere(HostName),
    /// The number of its VIF is not one that a VIF can have.
    OfportUnusable(u32),
    /// A link-layer address that is a group address cannot be anyone's source.
    MulticastMac(MacAddress),
    /// More ports than [`MAX_CLAIMS`] claim a link-layer address; the last ones get nothing that is sent there.
    TooManyClaims(MacAddress),
    /// A switch finds no ports in packets of this protocol: the rule allows nothing.
    PortsOfProtocol(u8),
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, "port {port}"),
            Self::Rule(rule) => write!(f, "security group rule {rule}"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostUnknown(host) => write!(f, "bound to '{host}', which cannot take it or is not known"),
            Self::PluggedElsewhere(host) => write!(f, "plugged on '{host}', where it is not bound"),
            Self::OfportUnusable(ofport) => write!(f, "plugged as OpenFlow port {ofport}, which is no VIF's number"),
            Self::MulticastMac(mac) => write!(f, "{mac} is a group address and no source"),
            Self::TooManyClaims(mac) => write!(f, "more than {MAX_CLAIMS} ports claim {mac}"),
            Self::PortsOfProtocol(number) => {
                write!(f, "no switch finds ports in packets of protocol {number}: the rule allows nothing")
            }
        }
    }
}

impl fmt::Display for Unexpressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subject, self.obstacle)
    }
}

impl Unexpressed {
    /// What of a port cannot be expressed.
    #[must_use]
    pub fn of(port: &Port, topology: &Topology) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |obstacle| all.push(Self { subject: Wish::Port(port.id), obstacle });
        let bound = topology.bound_host(port);
        match (&port.binding.host, bound) {
            (Some(host), None) => add(Obstacle::HostUnknown(host.clone())),
            (None, _) => return all,
            (Some(_), Some(bound)) => {
                for vif in topology.vifs_of(port.id).filter(|vif| vif.host != bound.name) {
                    add(Obstacle::PluggedElsewhere(vif.host.clone()));
                }
                if let Some(vif) = topology.vif(port.id).filter(|_| plugged(port, topology).is_none()) {
                    add(Obstacle::OfportUnusable(vif.ofport));
                }
            }
        }
        let pairs = port.allowed_address_pairs.iter().map(|pair| pair.mac_address);
        let macs: std::collections::BTreeSet<_> = std::iter::once(port.mac_address).chain(pairs).collect();
        for mac in macs {
            if mac.is_multicast() {
                add(Obstacle::MulticastMac(mac));
            } else if topology.mac_claims(port.network_id, mac).take(MAX_CLAIMS + 1).count() > MAX_CLAIMS {
                add(Obstacle::TooManyClaims(mac));
            }
        }
        all
    }

    /// What of a rule cannot be expressed.
    fn of_rule(rule: &SecurityGroupRule) -> Option<Self> {
        let number = rule.protocol.as_ref()?.number;
        let ports = rule.port_range_min.is_some() || rule.port_range_max.is_some();
        let unknown = ports && !protocol::HAVE_NUMBERS.contains(&number);
        unknown.then_some(Self { subject: Wish::Rule(rule.id), obstacle: Obstacle::PortsOfProtocol(number) })
    }

    /// What of the whole topology cannot be expressed, by port and by rule.
    pub fn all(topology: &Topology) -> impl Iterator<Item = Self> {
        let rules = topology.security_group_rules().filter_map(|rule| Self::of_rule(rule));
        topology.ports().flat_map(|port| Self::of(port, topology)).chain(rules)
    }

    /// What cannot be expressed of the ports that a commit touched.
    pub(crate) fn of_touched(touched: &[Touched<'_>], topology: &Topology) -> Vec<Self> {
        let mut all: Vec<_> =
            touched.iter().flat_map(|one| &one.after).flat_map(|port| Self::of(port, topology)).collect();
        for one in touched {
            match one.change {
                Change::Vif(diff) => {
                    let port = diff.last().and_then(|vif| topology.port(vif.port));
                    all.extend(port.into_iter().flat_map(|port| Self::of(port, topology)));
                }
                Change::SecurityGroupRule(diff) => all.extend(diff.after.as_deref().and_then(Self::of_rule)),
                _ => {}
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
