//! The records of the API, one file a resource.

mod address_group;
mod network;
mod owner;
mod port;
mod router;
mod security_group;
mod subnet;

pub use address_group::AddressGroup;
pub use network::{Network, Segment};
pub(crate) use owner::{
    is_automatic_owner, is_known_prefix, is_network_owner, is_router_interface, is_router_interface_or_snat,
    is_router_port, router_interface_owner,
};
pub use port::{AddressPair, Binding, ExtraDhcpOption, FixedIp, Port, PortStatus, VifType, VnicType};
pub use router::{Route, Router};
pub use security_group::{Direction, Ethertype, Protocol, Remote, SecurityGroup, SecurityGroupRule, SecuritySet};
pub use subnet::{AllocationPool, HostRoute, Ipv6Mode, METADATA_ADDRESS, Subnet};
