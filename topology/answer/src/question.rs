//! What a switch says that a packet asks.

use weir_model::{NetworkKey, RouterKey};

/// What a switch says that a packet asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// A message of a DHCP client.
    Dhcpv4,
    /// A message of a DHCPv6 client.
    Dhcpv6,
    /// Which routers there are.
    RouterSolicitation,
    /// The packet has gone over too many routers.
    TimeExceeded {
        /// The one that gave it up.
        router: RouterKey,
        /// The network by which it came there.
        arrival: NetworkKey,
    },
    /// The router knows no way.
    NoRoute {
        /// The router.
        router: RouterKey,
        /// The network by which the packet came there.
        arrival: NetworkKey,
    },
    /// The router knows the network, but nobody there has the address.
    HostUnreachable {
        /// The router.
        router: RouterKey,
        /// The network by which the packet came there.
        arrival: NetworkKey,
    },
    /// The network that the packet goes to does not take packets of its size.
    TooBig {
        /// The router before that network.
        router: RouterKey,
        /// The network by which the packet came to the router.
        arrival: NetworkKey,
        /// The network that it goes to.
        network: NetworkKey,
    },
}

impl Question {
    /// How many kinds of questions there are.
    pub const KINDS: usize = 7;

    /// The number of its kind, less than [`Self::KINDS`].
    pub const fn kind(self) -> usize {
        match self {
            Self::Dhcpv4 => 0,
            Self::Dhcpv6 => 1,
            Self::RouterSolicitation => 2,
            Self::TimeExceeded { .. } => 3,
            Self::NoRoute { .. } => 4,
            Self::HostUnreachable { .. } => 5,
            Self::TooBig { .. } => 6,
        }
    }

    /// The name of a kind.
    pub const fn kind_name(kind: usize) -> &'static str {
        ["dhcpv4", "dhcpv6", "router_solicitation", "time_exceeded", "no_route", "host_unreachable", "too_big"][kind]
    }

    /// Whether the answer is an ICMP error.
    pub const fn is_error(self) -> bool {
        !matches!(self, Self::Dhcpv4 | Self::Dhcpv6 | Self::RouterSolicitation)
    }
}
