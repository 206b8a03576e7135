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
mod load;
pub mod logical;
mod physical;
mod record;
mod rejection;
mod relation;
mod routing;
mod security;
mod topology;
mod transact;
mod tree;

pub use address::{MacAddress, ParseMacError};
pub use change::{Change, Commit, Diff};
pub use command::{
    AddressGroupPatch, Command, HypervisorFact, NetworkPatch, NewAddressGroup, NewAddressPair, NewFixedIp,
    NewInterface, NewNetwork, NewPort, NewRouter, NewSecurityGroup, NewSecurityGroupRule, NewSubnet, OldInterface,
    Outcome, PortPatch, Request, RouterPatch, SecurityGroupPatch, SubnetPatch,
};
pub use id::{
    AddressGroupId, AddressGroupKey, Generation, GroupKey, HostKey, HostName, NetworkId, NetworkKey, PortId, PortKey,
    ProjectId, Revision, RouterId, RouterKey, RuleKey, SecurityGroupId, SecurityGroupRuleId, SegmentId, SetKey,
    SubnetId, Timestamp, Vni, Zone,
};
pub use limits::Limits;
pub use logical::{
    AddressGroup, AddressPair, AllocationPool, Binding, Direction, Ethertype, ExtraDhcpOption, FixedIp, HostRoute,
    Ipv6Mode, METADATA_ADDRESS, Network, Port, PortStatus, Protocol, Remote, Route, Router, SecurityGroup,
    SecurityGroupRule, SecuritySet, Segment, Subnet, VifType, VnicType,
};
pub use physical::{BridgeMapping, Hypervisor, Liveness, Vif, Zones};
pub use record::{Counters, FORMAT, LoadError, Record, RecordKey};
pub use rejection::{Rejection, RejectionClass};
pub use topology::Topology;
