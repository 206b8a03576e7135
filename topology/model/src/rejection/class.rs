//! How refusals look to clients.

use crate::Rejection;

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
            Self::SecurityGroupNotFound(_) => "SecurityGroupNotFound",
            Self::SecurityGroupRuleNotFound(_) => "SecurityGroupRuleNotFound",
            Self::SecurityGroupInUse(_) => "SecurityGroupInUse",
            Self::SecurityGroupCannotRemoveDefault => "SecurityGroupCannotRemoveDefault",
            Self::SecurityGroupCannotUpdateDefault => "SecurityGroupCannotUpdateDefault",
            Self::SecurityGroupDefaultAlreadyExists => "SecurityGroupDefaultAlreadyExists",
            Self::SecurityGroupConflict(_) => "SecurityGroupConflict",
            Self::SecurityGroupProtocolRequiredWithPorts => "SecurityGroupProtocolRequiredWithPorts",
            Self::SecurityGroupInvalidPortRange => "SecurityGroupInvalidPortRange",
            Self::SecurityGroupInvalidPortValue(_) => "SecurityGroupInvalidPortValue",
            Self::SecurityGroupInvalidIcmpValue { .. } => "SecurityGroupInvalidIcmpValue",
            Self::SecurityGroupMissingIcmpType(_) => "SecurityGroupMissingIcmpType",
            Self::SecurityGroupInvalidProtocolForPort(_) => "SecurityGroupInvalidProtocolForPort",
            Self::SecurityGroupEthertypeConflictWithProtocol { .. } => "SecurityGroupEthertypeConflictWithProtocol",
            Self::SecurityGroupRuleParameterConflict { .. } => "SecurityGroupRuleParameterConflict",
            Self::SecurityGroupRuleExists(_) => "SecurityGroupRuleExists",
            Self::DuplicateSecurityGroupRuleInPost => "DuplicateSecurityGroupRuleInPost",
            Self::SecurityGroupNotSingleGroupRules => "SecurityGroupNotSingleGroupRules",
            Self::SecurityGroupRulesNotSingleProject => "SecurityGroupRulesNotSingleProject",
            Self::PortSecurityAndIPRequiredForSecurityGroups => "PortSecurityAndIPRequiredForSecurityGroups",
            Self::PortSecurityPortHasSecurityGroup => "PortSecurityPortHasSecurityGroup",
            Self::AddressGroupNotFound(_) => "AddressGroupNotFound",
            Self::AddressGroupInUse(_) => "AddressGroupInUse",
            Self::AddressesNotFound { .. } => "AddressesNotFound",
            Self::AddressesAlreadyExist { .. } => "AddressesAlreadyExist",
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
            | Self::SecurityGroupNotFound(_)
            | Self::SecurityGroupRuleNotFound(_)
            | Self::AddressGroupNotFound(_)
            | Self::AddressesNotFound { .. }
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
            | Self::SecurityGroupInUse(_)
            | Self::SecurityGroupCannotRemoveDefault
            | Self::SecurityGroupCannotUpdateDefault
            | Self::SecurityGroupDefaultAlreadyExists
            | Self::SecurityGroupConflict(_)
            | Self::SecurityGroupRuleExists(_)
            | Self::DuplicateSecurityGroupRuleInPost
            | Self::PortSecurityPortHasSecurityGroup
            | Self::AddressGroupInUse(_)
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
            | Self::SecurityGroupProtocolRequiredWithPorts
            | Self::SecurityGroupInvalidPortRange
            | Self::SecurityGroupInvalidPortValue(_)
            | Self::SecurityGroupInvalidIcmpValue { .. }
            | Self::SecurityGroupMissingIcmpType(_)
            | Self::SecurityGroupInvalidProtocolForPort(_)
            | Self::SecurityGroupEthertypeConflictWithProtocol { .. }
            | Self::SecurityGroupRuleParameterConflict { .. }
            | Self::SecurityGroupNotSingleGroupRules
            | Self::SecurityGroupRulesNotSingleProject
            | Self::PortSecurityAndIPRequiredForSecurityGroups
            | Self::AddressesAlreadyExist { .. }
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
