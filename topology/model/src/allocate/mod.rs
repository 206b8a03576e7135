//! Where addresses and numbers come from. All of it is a function of what is taken already.

mod address;
mod key;
mod mac;

pub(crate) use address::{AddressSpace, address, host_range, interface_address, number};
pub(crate) use key::{next_in_ranges, next_key};
pub(crate) use mac::port_mac;
