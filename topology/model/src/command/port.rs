//! Ports as asked for.

use crate::{
    ExtraDhcpOption, FixedIp, HostName, MacAddress, NetworkId, PortId, ProjectId, SecurityGroupId, SubnetId, VnicType,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// An address asked for: from a subnet, by name, or both.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NewFixedIp {
    /// The subnet; if absent, the one of the network that holds the address.
    pub subnet_id: Option<SubnetId>,
    /// The address; if absent, the lowest free one of the subnet.
    pub ip_address: Option<IpAddr>,
}

impl From<FixedIp> for NewFixedIp {
    fn from(fixed: FixedIp) -> Self {
        Self { subnet_id: Some(fixed.subnet_id), ip_address: Some(fixed.ip_address) }
    }
}

/// An allowed address pair asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAddressPair {
    /// Address or prefix.
    pub ip_address: IpNet,
    /// The port's own address if absent.
    pub mac_address: Option<MacAddress>,
}

/// A port to make. Fields left `None` take Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPort {
    /// Its id.
    pub id: PortId,
    /// Its network.
    pub network_id: NetworkId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Whether it carries traffic; it does by default.
    pub admin_state_up: Option<bool>,
    /// Its link-layer address; made from its id by default.
    pub mac_address: Option<MacAddress>,
    /// Its addresses; by default one IPv4 and one IPv6 address where the network has such subnets.
    /// Subnets with stateless autoconfiguration add theirs in any case.
    pub fixed_ips: Option<Vec<NewFixedIp>>,
    /// Further sources that it may use.
    pub allowed_address_pairs: Option<Vec<NewAddressPair>>,
    /// Whether sources are checked; as the network says by default.
    pub port_security_enabled: Option<bool>,
    /// Its security groups; the project's group `default` if absent and sources are checked.
    pub security_groups: Option<Vec<SecurityGroupId>>,
    /// What uses it.
    pub device_id: Option<String>,
    /// The kind of what uses it.
    pub device_owner: Option<String>,
    /// The host to bind it to; an empty name is none.
    pub binding_host: Option<HostName>,
    /// What kind of device.
    pub binding_vnic_type: Option<VnicType>,
    /// What Nova says of the device, JSON text; `{}` by default.
    pub binding_profile: Option<String>,
    /// DHCP options of its own.
    pub extra_dhcp_opts: Option<Vec<ExtraDhcpOption>>,
    /// Its name in DNS.
    pub dns_name: Option<String>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewPort {
    /// A port of nothing but defaults.
    pub fn new(id: PortId, network_id: NetworkId, project_id: ProjectId) -> Self {
        Self {
            id,
            network_id,
            project_id,
            name: None,
            description: None,
            admin_state_up: None,
            mac_address: None,
            fixed_ips: None,
            allowed_address_pairs: None,
            port_security_enabled: None,
            security_groups: None,
            device_id: None,
            device_owner: None,
            binding_host: None,
            binding_vnic_type: None,
            binding_profile: None,
            extra_dhcp_opts: None,
            dns_name: None,
            tags: None,
        }
    }
}

/// What to change of a port; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether it carries traffic.
    pub admin_state_up: Option<bool>,
    /// Its link-layer address; only while it is not bound.
    pub mac_address: Option<MacAddress>,
    /// Its addresses, all of them; an entry that names just a subnet keeps the address it has there.
    pub fixed_ips: Option<Vec<NewFixedIp>>,
    /// Further sources that it may use, all of them.
    pub allowed_address_pairs: Option<Vec<NewAddressPair>>,
    /// Whether sources are checked.
    pub port_security_enabled: Option<bool>,
    /// Its security groups, all of them.
    pub security_groups: Option<Vec<SecurityGroupId>>,
    /// What uses it.
    pub device_id: Option<String>,
    /// The kind of what uses it.
    pub device_owner: Option<String>,
    /// The host to bind it to; `Some(None)` or an empty name to unbind it.
    pub binding_host: Option<Option<HostName>>,
    /// What kind of device; only while it is not bound.
    pub binding_vnic_type: Option<VnicType>,
    /// What Nova says of the device, JSON text.
    pub binding_profile: Option<String>,
    /// DHCP options of its own, all of them.
    pub extra_dhcp_opts: Option<Vec<ExtraDhcpOption>>,
    /// Its name in DNS.
    pub dns_name: Option<String>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}
