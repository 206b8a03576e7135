//! Traffic through real Open vSwitch with its userspace datapath: the same networks, VMs and rules built by Weir and by
//! its peers, each in a lab of its own, and what a packet costs there.

pub mod counters;
pub mod floor;
pub mod layout;
pub mod measurement;
pub mod megaflows;
pub mod ml2;
pub mod ovn;
pub mod rule;
pub mod site;
pub mod traffic;
pub mod weir;
