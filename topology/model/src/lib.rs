//! What the network is: the records of the API and of the hypervisors, and the one way to change them.
//!
//! Start from [`Topology`] (a cheap snapshot of everything) and [`Command`] (what may be asked of it).
//! Nothing here reads a clock, a socket or a random number: times and ids come in with the command.

mod address;
mod allocate;
mod change;
mod command;
mod draft;
mod id;
mod index;
mod limits;
pub mod logical;
mod physical;
mod record;
mod rejection;
mod relation;
mod topology;
mod transact;
mod tree;

pub use address::{MacAddress, ParseMacError};
pub use change::{Change, Commit, Diff};
pub use command::{
    Command, HypervisorFact, NetworkPatch, NewAddressPair, NewFixedIp, NewNetwork, NewPort, NewSubnet, Outcome,
    PortPatch, Request, SubnetPatch,
};
pub use id::{
    HostKey, HostName, NetworkId, NetworkKey, PortId, PortKey, ProjectId, Revision, SegmentId, SubnetId, Timestamp, Vni,
};
pub use limits::Limits;
pub use logical::{
    AddressPair, AllocationPool, Binding, ExtraDhcpOption, FixedIp, HostRoute, Ipv6Mode, Network, Port, PortStatus,
    Segment, Subnet, VifType, VnicType,
};
pub use physical::{BridgeMapping, Hypervisor, Liveness, Vif};
pub use record::{Counters, FORMAT, LoadError, Record, RecordKey};
pub use rejection::{Rejection, RejectionClass};
pub use topology::Topology;
