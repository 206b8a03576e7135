//! The grain of recomputation, and who subscribes to it.

use crate::Bridge;
use std::fmt;
use weir_model::{HostKey, MacAddress, NetworkKey, PortKey};

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
    /// Answers to ARP requests and neighbour solicitations for a port's addresses.
    Neighbour(PortKey),
    /// What a port may send.
    Admission(PortKey),
    /// The plug itself: from the VIF, to the VIF, and its copy of broadcast and multicast.
    Vif(PortKey),
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
            Self::Mac(..) | Self::Neighbour(_) | Self::Admission(_) | Self::Vif(_) => {
                matches!(bridge, Bridge::Integration)
            }
        }
    }

    /// Whether only one hypervisor ever holds the unit.
    #[must_use]
    pub const fn is_local(self) -> bool {
        matches!(self, Self::Admission(_) | Self::Vif(_))
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
            Self::Neighbour(port) => write!(f, "neighbour answers for port {port}"),
            Self::Admission(port) => write!(f, "admission of port {port}"),
            Self::Vif(port) => write!(f, "vif of port {port}"),
        }
    }
}
