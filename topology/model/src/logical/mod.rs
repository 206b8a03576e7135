//! The records of the API, one file a resource.

mod network;
mod port;
mod subnet;

pub use network::{Network, Segment};
pub use port::{
    AddressPair, Binding, ExtraDhcpOption, FixedIp, Port, PortStatus, VifType, VnicType,
};
pub use subnet::{AllocationPool, HostRoute, Ipv6Mode, Subnet};
