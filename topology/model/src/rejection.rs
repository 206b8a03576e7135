//! Why a command is refused.

use crate::{
    AllocationPool, HostName, MacAddress, NetworkId, PortId, RecordKey, Route, RouterId, SubnetId, VifType, Vni,
};
use ipnet::IpNet;
use std::fmt;
use std::net::IpAddr;

/// The class of a refusal; each is one HTTP status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RejectionClass {
    /// 400: it can never be done.
    BadRequest,
    /// 404: something it names is not there.
    NotFound,
    /// 409: something else is in its way.
    Conflict,
    /// 412: the record has another revision than expected.
    PreconditionFailed,
    /// 503: numbers or addresses have run out.
    ServiceUnavailable,
}

impl RejectionClass {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::PreconditionFailed => 412,
            Self::ServiceUnavailable => 503,
        }
    }
}

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

impl Rejection {
    /// The name of the fault, as Neutron's error bodies carry it in `type`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NetworkNotFound(_) => "NetworkNotFound",
            Self::SubnetNotFound(_) => "SubnetNotFound",
            Self::PortNotFound(_) => "PortNotFound",
            Self::HypervisorNotFound(_) => "HypervisorNotFound",
            Self::RouterNotFound(_) => "RouterNotFound",
            Self::RouterInterfaceNotFound { .. } => "RouterInterfaceNotFound",
            Self::RouterInterfaceNotFoundForSubnet { .. } => "RouterInterfaceNotFoundForSubnet",
            Self::RouterInUse { .. } => "RouterInUse",
            Self::RouterInterfaceInUseByRoute { .. } => "RouterInterfaceInUseByRoute",
            Self::InvalidRoutes { .. } => "InvalidRoutes",
            Self::RoutesExhausted { .. } => "RoutesExhausted",
            Self::SubnetMismatchForPort { .. } => "SubnetMismatchForPort",
            Self::ServicePortInUse { .. } => "ServicePortInUse",
            Self::BadRouterRequest(_) => "BadRequest",
            Self::NetworkInUse { .. } => "NetworkInUse",
            Self::SubnetInUse(_) => "SubnetInUse",
            Self::PortInUse { .. } => "PortInUse",
            Self::PortBound { .. } => "PortBound",
            Self::MacAddressInUse { .. } => "MacAddressInUse",
            Self::IpAddressAlreadyAllocated { .. } => "IpAddressAlreadyAllocated",
            Self::InvalidIpForNetwork(_) => "InvalidIpForNetwork",
            Self::InvalidIpForSubnet(_) => "InvalidIpForSubnet",
            Self::AllocationOnAutoAddressSubnet { .. } => "AllocationOnAutoAddressSubnet",
            Self::IpAddressGenerationFailure(_) => "IpAddressGenerationFailure",
            Self::IpAddressGenerationFailureNoMatchingSubnet { .. } => "IpAddressGenerationFailureNoMatchingSubnet",
            Self::TunnelIdInUse(_) => "TunnelIdInUse",
            Self::NoNetworkAvailable => "NoNetworkAvailable",
            Self::NetworkMacAddressGenerationFailure(_) => "NetworkMacAddressGenerationFailure",
            Self::InvalidInput(_) => "InvalidInput",
            Self::GatewayConflictWithAllocationPools { .. } => "GatewayConflictWithAllocationPools",
            Self::GatewayIpInUse { .. } => "GatewayIpInUse",
            Self::OverlappingAllocationPools { .. } => "OverlappingAllocationPools",
            Self::OutOfBoundsAllocationPool { .. } => "OutOfBoundsAllocationPool",
            Self::InvalidAllocationPool(_) => "InvalidAllocationPool",
            Self::UnsupportedPortDeviceOwner { .. } => "UnsupportedPortDeviceOwner",
            Self::HostRoutesExhausted { .. } => "HostRoutesExhausted",
            Self::DNSNameServersExhausted { .. } => "DNSNameServersExhausted",
            Self::InvalidSubnetServiceType(_) => "InvalidSubnetServiceType",
            Self::InvalidSharedSetting(_) => "InvalidSharedSetting",
            Self::NetworkMTUSubnetConflict { .. } => "NetworkMTUSubnetConflict",
            Self::AddressPairAndPortSecurityRequired => "AddressPairAndPortSecurityRequired",
            Self::DuplicateAddressPairInRequest { .. } => "DuplicateAddressPairInRequest",
            Self::AllowedAddressPairExhausted(_) => "AllowedAddressPairExhausted",
            Self::RevisionNumberConstraintFailed { .. } => "RevisionNumberConstraintFailed",
            Self::AlreadyExists(_) => "Conflict",
            Self::NumbersExhausted(_) => "ResourceExhausted",
            Self::HypervisorNameInUse { .. } => "HypervisorNameInUse",
            Self::EncapIpInUse { .. } => "EncapIpInUse",
        }
    }

    /// The class, which is the HTTP status.
    pub const fn class(&self) -> RejectionClass {
        match self {
            Self::NetworkNotFound(_)
            | Self::SubnetNotFound(_)
            | Self::PortNotFound(_)
            | Self::RouterNotFound(_)
            | Self::RouterInterfaceNotFound { .. }
            | Self::RouterInterfaceNotFoundForSubnet { .. }
            | Self::HypervisorNotFound(_) => RejectionClass::NotFound,
            Self::RouterInUse { .. }
            | Self::RouterInterfaceInUseByRoute { .. }
            | Self::ServicePortInUse { .. }
            | Self::NetworkInUse { .. }
            | Self::SubnetInUse(_)
            | Self::PortInUse { .. }
            | Self::PortBound { .. }
            | Self::MacAddressInUse { .. }
            | Self::IpAddressAlreadyAllocated { .. }
            | Self::IpAddressGenerationFailure(_)
            | Self::IpAddressGenerationFailureNoMatchingSubnet { .. }
            | Self::TunnelIdInUse(_)
            | Self::GatewayConflictWithAllocationPools { .. }
            | Self::GatewayIpInUse { .. }
            | Self::OverlappingAllocationPools { .. }
            | Self::UnsupportedPortDeviceOwner { .. }
            | Self::InvalidSharedSetting(_)
            | Self::NetworkMTUSubnetConflict { .. }
            | Self::AddressPairAndPortSecurityRequired
            | Self::AlreadyExists(_)
            | Self::HypervisorNameInUse { .. }
            | Self::EncapIpInUse { .. } => RejectionClass::Conflict,
            Self::InvalidRoutes { .. }
            | Self::RoutesExhausted { .. }
            | Self::SubnetMismatchForPort { .. }
            | Self::BadRouterRequest(_)
            | Self::InvalidIpForNetwork(_)
            | Self::InvalidIpForSubnet(_)
            | Self::AllocationOnAutoAddressSubnet { .. }
            | Self::InvalidInput(_)
            | Self::OutOfBoundsAllocationPool { .. }
            | Self::InvalidAllocationPool(_)
            | Self::HostRoutesExhausted { .. }
            | Self::DNSNameServersExhausted { .. }
            | Self::InvalidSubnetServiceType(_)
            | Self::DuplicateAddressPairInRequest { .. }
            | Self::AllowedAddressPairExhausted(_) => RejectionClass::BadRequest,
            Self::RevisionNumberConstraintFailed { .. } => RejectionClass::PreconditionFailed,
            Self::NoNetworkAvailable | Self::NetworkMacAddressGenerationFailure(_) | Self::NumbersExhausted(_) => {
                RejectionClass::ServiceUnavailable
            }
        }
    }

    /// The message, as Neutron's error bodies carry it in `message`.
    pub fn message(&self) -> String {
        self.to_string()
    }

    /// The detail of Neutron's error bodies, which is empty for all of these faults.
    pub const fn detail(&self) -> &'static str {
        ""
    }
}

/// Ids as Neutron lists them: commas without spaces.
struct Joined<'a>(&'a [PortId]);

impl fmt::Display for Joined<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, id) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(",")?;
            }
            id.fmt(f)?;
        }
        Ok(())
    }
}

/// Ids as a sentence lists them.
struct Listed<'a>(&'a [PortId]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, id) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{id}")?;
        }
        Ok(())
    }
}

/// Routes as Python prints the request's list of dictionaries.
struct Routes<'a>(&'a [Route]);

impl fmt::Display for Routes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, route) in self.0.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}{{'destination': '{}', 'nexthop': '{}'}}", route.destination, route.nexthop)?;
        }
        f.write_str("]")
    }
}

/// A pool as netaddr prints a range.
struct Range<'a>(&'a AllocationPool);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start, self.0.end)
    }
}

/// A pool as Python prints the request's dictionary, which is all there is when no range can be
/// made of it.
struct Pool<'a>(&'a AllocationPool);

impl fmt::Display for Pool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{'start': '{}', 'end': '{}'}}", self.0.start, self.0.end)
    }
}

/// A single address without its length, a prefix with it, as users write them.
struct Prefix<'a>(&'a IpNet);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// A record by kind and id.
struct Named<'a>(&'a RecordKey);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            RecordKey::Network(id) => write!(f, "Network {id}"),
            RecordKey::Subnet(id) => write!(f, "Subnet {id}"),
            RecordKey::AddressGroup(id) => write!(f, "Address group {id}"),
            RecordKey::SecurityGroup(id) => write!(f, "Security group {id}"),
            RecordKey::SecurityGroupRule(id) => write!(f, "Security group rule {id}"),
            RecordKey::SecuritySet(key) => write!(f, "Security set {key}"),
            RecordKey::Router(id) => write!(f, "Router {id}"),
            RecordKey::Zones(key) => write!(f, "The record of zones of hypervisor {key}"),
            RecordKey::Port(id) => write!(f, "Port {id}"),
            RecordKey::Hypervisor(key) => write!(f, "Hypervisor {key}"),
            RecordKey::Counters => f.write_str("The record of counters"),
        }
    }
}
