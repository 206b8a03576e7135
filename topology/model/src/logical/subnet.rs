//! Subnets.

use crate::{NetworkId, ProjectId, SubnetId, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// Addresses that ports may be given, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AllocationPool {
    /// First address.
    pub start: IpAddr,
    /// Last address.
    pub end: IpAddr,
}

/// A route told to the VMs of a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostRoute {
    /// Where to.
    pub destination: IpNet,
    /// By which address.
    pub nexthop: IpAddr,
}

/// How VMs get IPv6 addresses or router advertisements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ipv6Mode {
    /// Addresses by stateless autoconfiguration.
    Slaac,
    /// Addresses and options by DHCPv6.
    Dhcpv6Stateful,
    /// Addresses by stateless autoconfiguration, options by DHCPv6.
    Dhcpv6Stateless,
}

/// The address of the metadata service, and of the DHCP server where there is no gateway.
pub const METADATA_ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// A subnet: one prefix of a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its network.
    pub network_id: NetworkId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name, not unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Its prefix, host bits zero.
    pub cidr: IpNet,
    /// Address of the gateway.
    pub gateway_ip: Option<IpAddr>,
    /// Whether DHCP is served.
    pub enable_dhcp: bool,
    /// What ports may be given, ascending and disjoint.
    pub allocation_pools: Vec<AllocationPool>,
    /// DNS servers told to the VMs.
    pub dns_nameservers: Vec<IpAddr>,
    /// Routes told to the VMs.
    pub host_routes: Vec<HostRoute>,
    /// Who sends router advertisements and of which kind.
    pub ipv6_ra_mode: Option<Ipv6Mode>,
    /// How addresses are given.
    pub ipv6_address_mode: Option<Ipv6Mode>,
    /// Device owners that may use the subnet; empty for all.
    pub service_types: Vec<String>,
    /// Whether fixed addresses are published in DNS.
    pub dns_publish_fixed_ip: bool,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}

impl Subnet {
    /// The address that serves DHCPv4: the gateway's, or that of the metadata service.
    pub fn dhcp_server(&self) -> Ipv4Addr {
        match self.gateway_ip {
            Some(IpAddr::V4(gateway)) => gateway,
            _ => METADATA_ADDRESS,
        }
    }

    /// Whether it is of IPv6.
    pub fn is_ipv6(&self) -> bool {
        matches!(self.cidr, IpNet::V6(_))
    }

    /// Whether ports get addresses made from their link-layer addresses.
    pub fn is_auto_addressed(&self) -> bool {
        let auto = |mode| matches!(mode, Some(Ipv6Mode::Slaac | Ipv6Mode::Dhcpv6Stateless));
        auto(self.ipv6_address_mode) || auto(self.ipv6_ra_mode)
    }
}
