//! Why a command is refused.

mod class;
mod wording;

pub use class::RejectionClass;

use crate::{
    AddressGroupId, AllocationPool, Ethertype, HostName, MacAddress, NetworkId, PortId, RecordKey, Route, RouterId,
    SecurityGroupId, SecurityGroupRuleId, SubnetId, VifType, Vni,
};
use ipnet::IpNet;
use std::net::IpAddr;
use wording::{Joined, Listed, Named, Pool, Prefix, Prefixes, Range, Routes};

/// Why a command is refused: Neutron's faults with Neutron's wording, as neutron-lib's and
/// Neutron's exceptions have them, and a few of Weir's own about hypervisors.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// No such network.
    #[error("Network {0} could not be found.")]
    NetworkNotFound(NetworkId),
    /// No such subnet.
    #[error("Subnet {0} could not be found.")]
    SubnetNotFound(SubnetId),
    /// No such port.
    #[error("Port {0} could not be found.")]
    PortNotFound(PortId),
    /// No such hypervisor.
    #[error("Hypervisor {0} could not be found.")]
    HypervisorNotFound(HostName),
    /// No such router.
    #[error("Router {0} could not be found")]
    RouterNotFound(RouterId),
    /// The port is no interface of the router.
    #[error("Router {router} does not have an interface with id {port}")]
    RouterInterfaceNotFound {
        /// The router.
        router: RouterId,
        /// The port.
        port: PortId,
    },
    /// The router has no interface in the subnet.
    #[error("Router {router} has no interface on subnet {subnet}")]
    RouterInterfaceNotFoundForSubnet {
        /// The router.
        router: RouterId,
        /// The subnet.
        subnet: SubnetId,
    },
    /// Interfaces are in the way of a router's end.
    #[error("Router {router} has ports still attached: {}", Listed(.ports))]
    RouterInUse {
        /// The router.
        router: RouterId,
        /// Its interfaces.
        ports: Vec<PortId>,
    },
    /// A route leads by the subnet.
    #[error(
        "Router interface for subnet {subnet} on router {router} cannot be deleted, as it is required by one or more \
         routes."
    )]
    RouterInterfaceInUseByRoute {
        /// The router.
        router: RouterId,
        /// The subnet.
        subnet: SubnetId,
    },
    /// A route that leads nowhere.
    #[error("Invalid format for routes: {}, {reason}", Routes(.routes))]
    InvalidRoutes {
        /// All routes asked for.
        routes: Vec<Route>,
        /// What is wrong with one of them.
        reason: &'static str,
    },
    /// Too many routes.
    #[error("Unable to complete operation for {router}. The number of routes exceeds the maximum {quota}.")]
    RoutesExhausted {
        /// The router.
        router: RouterId,
        /// The limit.
        quota: usize,
    },
    /// The interface has no address of the subnet.
    #[error("Subnet on port {port} does not match the requested subnet {subnet}.")]
    SubnetMismatchForPort {
        /// The port.
        port: PortId,
        /// The subnet.
        subnet: SubnetId,
    },
    /// A router's interface goes by way of the router.
    #[error("Port {port} cannot be deleted directly via the port API: has device owner {owner}.")]
    ServicePortInUse {
        /// The port.
        port: PortId,
        /// Its device owner.
        owner: String,
    },
    /// A request that a router cannot do.
    #[error("Bad router request: {0}.")]
    BadRouterRequest(String),
    /// Ports are in the way of a network's end.
    #[error(
        "Unable to complete operation on network {network}. There are one or more ports still in \
         use on the network, id for these ports is: {}.", Joined(.ports)
    )]
    NetworkInUse {
        /// The network.
        network: NetworkId,
        /// The ports in the way.
        ports: Vec<PortId>,
    },
    /// Ports are in the way of a subnet's end.
    #[error(
        "Unable to complete operation on subnet {0}: One or more ports have an IP allocation \
         from this subnet."
    )]
    SubnetInUse(SubnetId),
    /// The port is bound, so its kind of device stays.
    #[error(
        "Unable to complete operation on port {port} for network {network}. Port already has an \
         attached device {device_id}."
    )]
    PortInUse {
        /// The port.
        port: PortId,
        /// Its network.
        network: NetworkId,
        /// What uses it.
        device_id: String,
    },
    /// The port is bound, so its link-layer address stays.
    #[error(
        "Unable to complete operation on port {port}, port is already bound, port type: \
         {vif_type}, old_mac {old}, new_mac {new}."
    )]
    PortBound {
        /// The port.
        port: PortId,
        /// How it is bound.
        vif_type: VifType,
        /// The address that it has.
        old: MacAddress,
        /// The address asked for.
        new: MacAddress,
    },
    /// Another port of the network has the link-layer address.
    #[error("Unable to complete operation for network {network}. The mac address {mac} is in use.")]
    MacAddressInUse {
        /// The network.
        network: NetworkId,
        /// The address.
        mac: MacAddress,
    },
    /// Another port has the address.
    #[error("IP address {ip} already allocated in subnet {subnet}")]
    IpAddressAlreadyAllocated {
        /// The address.
        ip: IpAddr,
        /// Its subnet.
        subnet: SubnetId,
    },
    /// No subnet of the network holds the address.
    #[error("IP address {0} is not a valid IP for any of the subnets on the specified network.")]
    InvalidIpForNetwork(IpAddr),
    /// The subnet does not hold the address.
    #[error("IP address {0} is not a valid IP for the specified subnet.")]
    InvalidIpForSubnet(IpAddr),
    /// The subnet gives addresses by stateless autoconfiguration only.
    #[error(
        "IPv6 address {ip} cannot be directly assigned to a port on subnet {subnet} as the subnet \
         is configured for automatic addresses"
    )]
    AllocationOnAutoAddressSubnet {
        /// The address.
        ip: IpAddr,
        /// The subnet.
        subnet: SubnetId,
    },
    /// All addresses are given.
    #[error("No more IP addresses available on network {0}.")]
    IpAddressGenerationFailure(NetworkId),
    /// No subnet of the network takes this device owner.
    #[error(
        "No valid service subnet for the given device owner, network {network}, service type \
         {service_type}."
    )]
    IpAddressGenerationFailureNoMatchingSubnet {
        /// The network.
        network: NetworkId,
        /// The device owner.
        service_type: String,
    },
    /// Another network has the VXLAN identifier.
    #[error("Unable to create the network. The tunnel ID {0} is in use.")]
    TunnelIdInUse(Vni),
    /// All VXLAN identifiers of the ranges are given.
    #[error("Unable to create the network. No project network is available for allocation.")]
    NoNetworkAvailable,
    /// All link-layer addresses that may be made are given.
    #[error("Unable to generate unique mac on network {0}.")]
    NetworkMacAddressGenerationFailure(NetworkId),
    /// A value that can never be right.
    #[error("Invalid input for operation: {0}.")]
    InvalidInput(String),
    /// The gateway's address is in a pool.
    #[error("Gateway ip {ip} conflicts with allocation pool {}.", Range(.pool))]
    GatewayConflictWithAllocationPools {
        /// The gateway.
        ip: IpAddr,
        /// The pool.
        pool: AllocationPool,
    },
    /// A router port has the gateway's address.
    #[error("Current gateway ip {ip} already in use by port {port}. Unable to update.")]
    GatewayIpInUse {
        /// The gateway.
        ip: IpAddr,
        /// The router's port.
        port: PortId,
    },
    /// Two pools share addresses.
    #[error(
        "Found overlapping allocation pools: {} {} for subnet {cidr}.", Range(.first), Range(.second)
    )]
    OverlappingAllocationPools {
        /// One pool.
        first: AllocationPool,
        /// The other.
        second: AllocationPool,
        /// The subnet's prefix.
        cidr: IpNet,
    },
    /// A pool leaves the prefix.
    #[error("The allocation pool {} spans beyond the subnet cidr {cidr}.", Range(.pool))]
    OutOfBoundsAllocationPool {
        /// The pool.
        pool: AllocationPool,
        /// The subnet's prefix.
        cidr: IpNet,
    },
    /// A pool that ends before it starts or mixes address families.
    #[error("The allocation pool {} is not valid.", Pool(.0))]
    InvalidAllocationPool(AllocationPool),
    /// The device owner forbids it.
    #[error("Operation {operation} is not supported for device_owner {owner} on port {port}.")]
    UnsupportedPortDeviceOwner {
        /// What was asked.
        operation: &'static str,
        /// The device owner.
        owner: String,
        /// The port.
        port: PortId,
    },
    /// Too many host routes.
    #[error(
        "Unable to complete operation for {subnet}. The number of host routes exceeds the limit \
         {quota}."
    )]
    HostRoutesExhausted {
        /// The subnet, or `new subnet`.
        subnet: String,
        /// The limit.
        quota: usize,
    },
    /// Too many DNS servers.
    #[error(
        "Unable to complete operation for {subnet}. The number of DNS nameservers exceeds the \
         limit {quota}."
    )]
    DNSNameServersExhausted {
        /// The subnet, or `new subnet`.
        subnet: String,
        /// The limit.
        quota: usize,
    },
    /// A device owner that no service has.
    #[error("Subnet service type {0} does not correspond to a valid device owner.")]
    InvalidSubnetServiceType(String),
    /// Other projects use the network.
    #[error("Unable to reconfigure sharing settings for network {0}. Multiple projects are using it.")]
    InvalidSharedSetting(String),
    /// The MTU is too small for the subnet's address family.
    #[error("MTU of {network} is not valid, subnet requires a minimum of {mtu}")]
    NetworkMTUSubnetConflict {
        /// The network.
        network: NetworkId,
        /// The least that will do.
        mtu: u16,
    },
    /// Address pairs need port security.
    #[error("Port Security must be enabled in order to have allowed address pairs on a port.")]
    AddressPairAndPortSecurityRequired,
    /// The same pair twice.
    #[error(
        "Request contains duplicate address pair: mac_address {mac} ip_address {}.", Prefix(.ip)
    )]
    DuplicateAddressPairInRequest {
        /// The pair's link-layer address.
        mac: MacAddress,
        /// The pair's address or prefix.
        ip: IpNet,
    },
    /// Too many address pairs.
    #[error("The number of allowed address pair exceeds the maximum {0}.")]
    AllowedAddressPairExhausted(usize),
    /// No such security group.
    #[error("Security group {0} does not exist")]
    SecurityGroupNotFound(SecurityGroupId),
    /// No such rule of a security group.
    #[error("Security group rule {0} does not exist")]
    SecurityGroupRuleNotFound(SecurityGroupRuleId),
    /// Ports have the group.
    #[error("Security Group {0} in use.")]
    SecurityGroupInUse(SecurityGroupId),
    /// Only an admin may delete a group `default`; the model lets everybody, since it knows no callers.
    #[error("Insufficient rights for removing default security group.")]
    SecurityGroupCannotRemoveDefault,
    /// The group `default` keeps its name.
    #[error("Updating default security group not allowed.")]
    SecurityGroupCannotUpdateDefault,
    /// No other group may be called `default`.
    #[error("Default security group already exists.")]
    SecurityGroupDefaultAlreadyExists,
    /// Groups with and without state do not go together.
    #[error("Error {0} while attempting the operation.")]
    SecurityGroupConflict(&'static str),
    /// Ports without a protocol that has them.
    #[error("Must also specify protocol if port range is given.")]
    SecurityGroupProtocolRequiredWithPorts,
    /// A range that lacks an end, or ends before it starts.
    #[error("For TCP/UDP protocols, port_range_min must be <= port_range_max")]
    SecurityGroupInvalidPortRange,
    /// A port that there is not.
    #[error("Invalid value for port {0}")]
    SecurityGroupInvalidPortValue(u16),
    /// A type or code of ICMP that there is not.
    #[error("Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255.")]
    SecurityGroupInvalidIcmpValue {
        /// `type` or `code`.
        field: &'static str,
        /// The attribute that it comes in.
        attr: &'static str,
        /// The value.
        value: u16,
    },
    /// A code of ICMP without a type.
    #[error("ICMP code (port-range-max) {0} is provided but ICMP type (port-range-min) is missing.")]
    SecurityGroupMissingIcmpType(u16),
    /// The protocol has no ports.
    #[error(
        "Ports cannot be specified for protocol {0}. Ports are only supported for DCCP, SCTP, TCP, \
         UDP, UDPLITE."
    )]
    SecurityGroupInvalidProtocolForPort(u8),
    /// A protocol of IPv6 in a rule about IPv4.
    #[error("Invalid ethertype {ethertype} for protocol {protocol}.")]
    SecurityGroupEthertypeConflictWithProtocol {
        /// The version of IP.
        ethertype: Ethertype,
        /// The protocol, as it was asked for.
        protocol: String,
    },
    /// A prefix of another version of IP than the rule is about.
    #[error("Conflicting value ethertype {ethertype} for CIDR {cidr}")]
    SecurityGroupRuleParameterConflict {
        /// The version of IP.
        ethertype: Ethertype,
        /// The prefix.
        cidr: IpNet,
    },
    /// The group has such a rule.
    #[error("Security group rule already exists. Rule id is {0}.")]
    SecurityGroupRuleExists(SecurityGroupRuleId),
    /// The same rule twice.
    #[error("Duplicate Security Group Rule in POST.")]
    DuplicateSecurityGroupRuleInPost,
    /// Rules of several groups at once.
    #[error("Only allowed to update rules for one security profile at a time")]
    SecurityGroupNotSingleGroupRules,
    /// Rules of several projects at once.
    #[error("Multiple project_ids in bulk security group rule create not allowed")]
    SecurityGroupRulesNotSingleProject,
    /// Groups need port security.
    #[error(
        "Port security must be enabled and port must have an IP address in order to use security \
         groups."
    )]
    PortSecurityAndIPRequiredForSecurityGroups,
    /// Port security stays while the port has groups.
    #[error(
        "Port has security group associated. Cannot disable port security or IP address until \
         security group is removed."
    )]
    PortSecurityPortHasSecurityGroup,
    /// No such address group.
    #[error("Address group {0} could not be found.")]
    AddressGroupNotFound(AddressGroupId),
    /// Rules name the address group.
    #[error("Address group {0} is in use on one or more security group rules.")]
    AddressGroupInUse(AddressGroupId),
    /// The address group lacks these.
    #[error("Addresses {} not found in the address group {group}.", Prefixes(.addresses))]
    AddressesNotFound {
        /// The addresses.
        addresses: Vec<IpNet>,
        /// The address group.
        group: AddressGroupId,
    },
    /// The address group has these already.
    #[error("Addresses {} already exist in the address group {group}.", Prefixes(.addresses))]
    AddressesAlreadyExist {
        /// The addresses.
        addresses: Vec<IpNet>,
        /// The address group.
        group: AddressGroupId,
    },
    /// The record has another revision than expected.
    #[error("Constrained to {expected}, but current revision is {current}")]
    RevisionNumberConstraintFailed {
        /// As expected.
        expected: u64,
        /// As it is.
        current: u64,
    },
    /// The id is taken.
    #[error("{} already exists.", Named(.0))]
    AlreadyExists(RecordKey),
    /// Every number of a kind is given.
    #[error("No number is left for another {0}.")]
    NumbersExhausted(&'static str),
    /// Another hypervisor has the name, or the system id as its name.
    #[error(
        "Hypervisor {name} with system-id {system_id} is refused: {other} already goes by that \
         name or system-id. Give it another, or remove {other} first."
    )]
    HypervisorNameInUse {
        /// The name claimed.
        name: HostName,
        /// The system id claimed.
        system_id: String,
        /// Who has it.
        other: HostName,
    },
    /// Another hypervisor has the tunnel endpoint.
    #[error(
        "Hypervisor {name} is refused: its weir-encap-ip {encap_ip} is already that of {other}. \
         Give it another, or remove {other} first."
    )]
    EncapIpInUse {
        /// The hypervisor.
        name: HostName,
        /// The endpoint claimed.
        encap_ip: IpAddr,
        /// Who has it.
        other: HostName,
    },
}
