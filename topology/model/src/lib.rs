//! What the network is: the records of the API and of the hypervisors, and the one way to change them.
//!
//! Start from [`Topology`] (a cheap snapshot of everything) and [`Command`] (what may be asked of it).
//! Nothing here reads a clock, a socket or a random number: times and ids come in with the command.

mod address;
mod id;
pub mod logical;
mod physical;

pub use address::{MacAddress, ParseMacError};
pub use id::{
    HostKey, HostName, NetworkId, NetworkKey, PortId, PortKey, ProjectId, Revision, SegmentId,
    SubnetId, Timestamp, Vni,
};
pub use logical::{
    AddressPair, AllocationPool, Binding, ExtraDhcpOption, FixedIp, HostRoute, Ipv6Mode, Network,
    Port, PortStatus, Segment, Subnet, VifType, VnicType,
};
pub use physical::{BridgeMapping, Hypervisor, Liveness, Vif};
