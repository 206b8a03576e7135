//! The same networks and VMs for every network that is measured.

use std::net::{IpAddr, Ipv4Addr};

use clap::ValueEnum;
use weir::cli::lab::{Address, Guest};

/// What filters the traffic of a project's ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Policy {
    /// Nothing: the ports have no port security.
    Open,
    /// The default group: everything out, and in from the group's own members.
    DefaultGroup,
    /// A group with [twenty rules](super::rule::RULES) with ports and prefixes.
    Rules,
}

impl Policy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::DefaultGroup, Self::Rules];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "no groups",
            Self::DefaultGroup => "default group",
            Self::Rules => "20 rules",
        }
    }

    /// Its place in [`ALL`](Self::ALL), which numbers projects and addresses.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Where the server is, as seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Course {
    /// On the same hypervisor, in the same network.
    SameHost,
    /// On another hypervisor, in the same network.
    TwoHosts,
    /// On the same hypervisor, in another network of the router.
    RoutedSameHost,
    /// On another hypervisor, in another network of the router.
    RoutedTwoHosts,
}

impl Course {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SameHost, Self::TwoHosts, Self::RoutedSameHost, Self::RoutedTwoHosts];

    /// What the report calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::SameHost => "same host",
            Self::TwoHosts => "two hosts",
            Self::RoutedSameHost => "routed, same host",
            Self::RoutedTwoHosts => "routed, two hosts",
        }
    }

    /// Whether a router is between.
    pub fn is_routed(self) -> bool {
        matches!(self, Self::RoutedSameHost | Self::RoutedTwoHosts)
    }

    /// The seat of the server.
    pub fn server(self) -> Seat {
        let host = if matches!(self, Self::TwoHosts | Self::RoutedTwoHosts) { "h2" } else { "h1" };
        Seat { network: u8::from(self.is_routed()), host, last: if host == "h1" { 12 } else { 13 } }
    }
}

/// The place of a VM within a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The project's first or second network, 0 or 1.
    pub network: u8,
    /// Its hypervisor.
    pub host: &'static str,
    /// The last byte of its address.
    pub last: u8,
}

impl Seat {
    /// The seat of every client.
    pub const CLIENT: Self = Self { network: 0, host: "h1", last: 11 };

    /// The seats of a project: the client's and one server's for each course.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::CLIENT).chain(Course::ALL.map(Course::server))
    }

    /// The name of the VM that sits there.
    pub fn vm_name(self, policy: Policy) -> String {
        format!("p{}n{}-{}", policy.number(), self.network, self.last)
    }

    /// The VM's address.
    pub fn address(self, policy: Policy) -> IpAddr {
        address(policy, self.network, self.last)
    }

    /// What a VM there has from a port that no API of Weir knows.
    pub fn guest(self, policy: Policy, mtu: u16) -> Guest {
        let [project, network, last] = [policy.number(), self.network, self.last];
        Guest {
            port: format!("{project:02x}{network:02x}{last:04x}-0000-4000-8000-000000000000"),
            mac: format!("02:00:00:{project:02x}:{network:02x}:{last:02x}"),
            mtu,
            addresses: vec![Address {
                ip: self.address(policy),
                prefix: 24,
                gateway: Some(address(policy, self.network, 1)),
            }],
        }
    }
}

/// How many further members the default group has, with ports that are plugged in nowhere.
pub const ABSENT_MEMBERS: u8 = 45;

/// The last byte of the first such member's address; the others follow.
pub const FIRST_ABSENT: u8 = 100;

/// An address in a project's network.
pub fn address(policy: Policy, network: u8, last: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 10 * (policy.number() + 1) + network, 0, last))
}

/// The prefix of a project's network.
pub fn cidr(policy: Policy, network: u8) -> String {
    format!("{}/24", address(policy, network, 0))
}
