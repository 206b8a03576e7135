//! Ports.

use crate::{HostName, MacAddress, NetworkId, PortId, PortKey, ProjectId, SecurityGroupId, SubnetId, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

/// An address of a port within a subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FixedIp {
    /// The subnet.
    pub subnet_id: SubnetId,
    /// The address.
    pub ip_address: IpAddr,
}

/// A further source that a port may use (`allowed_address_pairs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AddressPair {
    /// Address or prefix.
    pub ip_address: IpNet,
    /// With this link-layer address.
    pub mac_address: MacAddress,
}

/// Whether a port carries traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PortStatus {
    /// Plugged, and every switch concerned has acknowledged its flows.
    Active,
    /// Not plugged, its host is gone, or administratively down.
    Down,
    /// Bound and plugged; some switch has yet to acknowledge.
    Build,
}

/// What kind of device the hypervisor plugs (`binding:vnic_type`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VnicType {
    /// A paravirtual interface on Open vSwitch.
    #[default]
    Normal,
    /// Pass-through of a virtual function.
    Direct,
    /// Pass-through of a physical function.
    DirectPhysical,
    /// A macvtap interface.
    Macvtap,
    /// A bare-metal server.
    Baremetal,
    /// A virtio forwarder.
    VirtioForwarder,
    /// A vDPA device.
    Vdpa,
    /// A smart NIC.
    SmartNic,
    /// Managed by an accelerator driver.
    AcceleratorDirect,
}

/// How the port is bound (`binding:vif_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VifType {
    /// No host is named.
    Unbound,
    /// An Open vSwitch port on the host's br-int.
    Ovs,
    /// The named host cannot take it.
    BindingFailed,
}

impl fmt::Display for VifType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unbound => "unbound",
            Self::Ovs => "ovs",
            Self::BindingFailed => "binding_failed",
        })
    }
}

/// Where a port is bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// The host (`binding:host_id`).
    pub host: Option<HostName>,
    /// What kind of device.
    pub vnic_type: VnicType,
    /// What Nova says of the device, JSON text kept as it came.
    pub profile: String,
}

/// A DHCP option of one port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraDhcpOption {
    /// Name or number.
    pub name: String,
    /// Value.
    pub value: String,
    /// 4 or 6.
    pub ip_version: u8,
}

/// A port: one attachment to a network.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// Its id.
    pub id: PortId,
    /// Its number in flows.
    pub key: PortKey,
    /// Its network.
    pub network_id: NetworkId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name, not unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether it carries traffic.
    pub admin_state_up: bool,
    /// Its link-layer address.
    pub mac_address: MacAddress,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIp>,
    /// Further sources that it may use.
    pub allowed_address_pairs: Vec<AddressPair>,
    /// Whether sources are checked.
    pub port_security_enabled: bool,
    /// Its security groups, in the order asked for.
    #[serde(default)]
    pub security_groups: Vec<SecurityGroupId>,
    /// What uses it.
    pub device_id: String,
    /// The kind of what uses it.
    pub device_owner: String,
    /// Where it is bound.
    pub binding: Binding,
    /// DHCP options of its own.
    pub extra_dhcp_opts: Vec<ExtraDhcpOption>,
    /// Its name in DNS.
    pub dns_name: String,
    /// Whether it carries traffic now.
    pub status: PortStatus,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}

impl Port {
    /// What decides which set of security groups the port has.
    pub(crate) fn secured(&self) -> (bool, &[SecurityGroupId]) {
        (self.port_security_enabled, &self.security_groups)
    }
}
