//! Subnets as asked for.

use crate::{AllocationPool, HostRoute, Ipv6Mode, NetworkId, ProjectId, SubnetId};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A subnet to make. Fields left `None` take Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSubnet {
    /// Its id.
    pub id: SubnetId,
    /// Its network.
    pub network_id: NetworkId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Its prefix; host bits are dropped.
    pub cidr: IpNet,
    /// 4 or 6 if the caller said so; it must agree with the prefix.
    pub ip_version: Option<u8>,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Address of the gateway, `Some(None)` for none.
    /// By default the first host address of IPv4 and, as Neutron has it, the prefix itself
    /// (the subnet-router anycast address) of IPv6.
    pub gateway_ip: Option<Option<IpAddr>>,
    /// Whether DHCP is served; it is by default.
    pub enable_dhcp: Option<bool>,
    /// What ports may be given; all host addresses but the gateway by default.
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// DNS servers told to the VMs.
    pub dns_nameservers: Option<Vec<IpAddr>>,
    /// Routes told to the VMs.
    pub host_routes: Option<Vec<HostRoute>>,
    /// Who sends router advertisements and of which kind.
    pub ipv6_ra_mode: Option<Ipv6Mode>,
    /// How addresses are given.
    pub ipv6_address_mode: Option<Ipv6Mode>,
    /// Device owners that may use the subnet; all by default.
    pub service_types: Option<Vec<String>>,
    /// Whether fixed addresses are published in DNS.
    pub dns_publish_fixed_ip: Option<bool>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewSubnet {
    /// A subnet of nothing but defaults.
    pub fn new(id: SubnetId, network_id: NetworkId, project_id: ProjectId, cidr: IpNet) -> Self {
        Self {
            id,
            network_id,
            project_id,
            cidr,
            ip_version: None,
            name: None,
            description: None,
            gateway_ip: None,
            enable_dhcp: None,
            allocation_pools: None,
            dns_nameservers: None,
            host_routes: None,
            ipv6_ra_mode: None,
            ipv6_address_mode: None,
            service_types: None,
            dns_publish_fixed_ip: None,
            tags: None,
        }
    }
}

/// What to change of a subnet; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubnetPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Address of the gateway, `Some(None)` to have none.
    pub gateway_ip: Option<Option<IpAddr>>,
    /// Whether DHCP is served.
    pub enable_dhcp: Option<bool>,
    /// What ports may be given from now on.
    pub allocation_pools: Option<Vec<AllocationPool>>,
    /// DNS servers told to the VMs.
    pub dns_nameservers: Option<Vec<IpAddr>>,
    /// Routes told to the VMs.
    pub host_routes: Option<Vec<HostRoute>>,
    /// Device owners that may use the subnet.
    pub service_types: Option<Vec<String>>,
    /// Whether fixed addresses are published in DNS.
    pub dns_publish_fixed_ip: Option<bool>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}
