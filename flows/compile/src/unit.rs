//! The grain of recomputation, and who subscribes to it.

use crate::Bridge;
use ipnet::IpNet;
use std::fmt;
use weir_model::{HostKey, MacAddress, NetworkKey, PortKey, RouterKey, SetKey};

/// One piece of flows, built as a whole from the topology and shared by every hypervisor of its [`Scope`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    /// What every hypervisor holds: table misses, refusals, the crossing between the bridges.
    Base,
    /// Packets from this hypervisor's tunnel endpoint are accepted.
    Vtep(HostKey),
    /// The network's way through the tunnel, and its administrative state.
    NetworkTunnel(NetworkKey),
    /// Broadcast and multicast of the network: its groups, without their buckets.
    Flood(NetworkKey),
    /// The copy of broadcast and multicast that goes to one hypervisor.
    FloodMember(NetworkKey, HostKey),
    /// The way to a port on another hypervisor.
    PortTunnel(PortKey),
    /// A link-layer address of a network and every port that claims it.
    Mac(NetworkKey, MacAddress),
    /// A port by its addresses, as ARP requests, neighbour solicitations and routers ask for it.
    Neighbour(PortKey),
    /// What a port may send.
    Admission(PortKey),
    /// The plug itself: from the VIF, to the VIF, and its copy of broadcast and multicast.
    Vif(PortKey),
    /// The conntrack zones of a network on a hypervisor.
    Zone(HostKey, NetworkKey),
    /// What Weir answers in a network itself: DHCP and router solicitations.
    Services(NetworkKey),
    /// A router's interface as its network sees it: its link-layer address and its neighbour answers.
    Interface(PortKey),
    /// A router's interface as other networks see it: its addresses as destinations.
    RouterAddress(PortKey),
    /// A router's interface as the router sees it: its own addresses and the subnets that it leads to.
    Connected(PortKey),
    /// The routes of a router beyond its interfaces.
    Routes(RouterKey),
    /// The largest packet that routers may send into a network.
    Mtu(NetworkKey),
    /// The rules of a set of security groups.
    Rules(SetKey),
    /// An address that rules of a set know by a remote group or an address group.
    Remote(SetKey, IpNet),
    /// What the rules of a set of security groups allow, and the connections that they allowed before.
    Generation(SetKey),
}

/// Who holds a unit, as a rule over the topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// No hypervisor.
    Nobody,
    /// Every hypervisor.
    All,
    /// Every hypervisor but one.
    AllExcept(HostKey),
    /// Every hypervisor with a bound port in the network.
    Network(NetworkKey),
    /// Every hypervisor with a bound port in the network, but one.
    NetworkExcept(NetworkKey, HostKey),
    /// Every hypervisor from which packets may come into the network by routers or directly.
    Near(NetworkKey),
    /// Every hypervisor from which packets may come into the network, but one.
    NearExcept(NetworkKey, HostKey),
    /// Every hypervisor whose packets may come through the router.
    Router(RouterKey),
    /// Every hypervisor with a bound port that has the set of security groups.
    Set(SetKey),
    /// One hypervisor.
    Host(HostKey),
}

impl Unit {
    /// Whether the unit can have flows in the bridge.
    #[must_use]
    pub const fn concerns(self, bridge: Bridge) -> bool {
        match self {
            Self::Base | Self::Flood(_) | Self::NetworkTunnel(_) => true,
            Self::Vtep(_) | Self::FloodMember(..) | Self::PortTunnel(_) => matches!(bridge, Bridge::Tunnel),
            Self::Mac(..)
            | Self::Neighbour(_)
            | Self::Admission(_)
            | Self::Vif(_)
            | Self::Zone(..)
            | Self::Services(_)
            | Self::Interface(_)
            | Self::RouterAddress(_)
            | Self::Connected(_)
            | Self::Routes(_)
            | Self::Mtu(_)
            | Self::Rules(_)
            | Self::Remote(..)
            | Self::Generation(_) => matches!(bridge, Bridge::Integration),
        }
    }

    /// The set of security groups that the unit is of.
    #[must_use]
    pub const fn set(self) -> Option<SetKey> {
        match self {
            Self::Rules(set) | Self::Remote(set, _) | Self::Generation(set) => Some(set),
            _ => None,
        }
    }

    /// Whether only one hypervisor ever holds the unit.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Admission(_) | Self::Vif(_) | Self::Zone(..))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Base => f.write_str("base"),
            Self::Vtep(host) => write!(f, "vtep of host {host}"),
            Self::NetworkTunnel(network) => write!(f, "tunnel of network {network}"),
            Self::Flood(network) => write!(f, "flood of network {network}"),
            Self::FloodMember(network, host) => write!(f, "flood of network {network} to host {host}"),
            Self::PortTunnel(port) => write!(f, "tunnel to port {port}"),
            Self::Mac(network, mac) => write!(f, "{mac} of network {network}"),
            Self::Neighbour(port) => write!(f, "addresses of port {port}"),
            Self::Admission(port) => write!(f, "admission of port {port}"),
            Self::Vif(port) => write!(f, "vif of port {port}"),
            Self::Zone(host, network) => write!(f, "zone of network {network} on host {host}"),
            Self::Services(network) => write!(f, "services of network {network}"),
            Self::Interface(port) => write!(f, "router interface {port}"),
            Self::RouterAddress(port) => write!(f, "addresses of router interface {port}"),
            Self::Connected(port) => write!(f, "subnets of router interface {port}"),
            Self::Routes(router) => write!(f, "routes of router {router}"),
            Self::Mtu(network) => write!(f, "mtu of network {network}"),
            Self::Rules(set) => write!(f, "rules of set {set}"),
            Self::Remote(set, address) => write!(f, "{address} as remote of set {set}"),
            Self::Generation(set) => write!(f, "generation of the rules of set {set}"),
        }
    }
}
