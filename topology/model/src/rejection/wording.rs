//! Values as Neutron's messages write them.

use crate::{AllocationPool, PortId, RecordKey, Route};
use ipnet::IpNet;
use std::fmt;

/// Ids as Neutron lists them: commas without spaces.
pub(super) struct Joined<'a>(pub(super) &'a [PortId]);

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
pub(super) struct Listed<'a>(pub(super) &'a [PortId]);

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
pub(super) struct Routes<'a>(pub(super) &'a [Route]);

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

/// Prefixes as Python prints a list of their texts.
pub(super) struct Prefixes<'a>(pub(super) &'a [IpNet]);

impl fmt::Display for Prefixes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (at, address) in self.0.iter().enumerate() {
            write!(f, "{}'{address}'", if at > 0 { ", " } else { "" })?;
        }
        f.write_str("]")
    }
}

/// A pool as netaddr prints a range.
pub(super) struct Range<'a>(pub(super) &'a AllocationPool);

impl fmt::Display for Range<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0.start, self.0.end)
    }
}

/// A pool as Python prints the request's dictionary, which is all there is when no range can be
/// made of it.
pub(super) struct Pool<'a>(pub(super) &'a AllocationPool);

impl fmt::Display for Pool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{'start': '{}', 'end': '{}'}}", self.0.start, self.0.end)
    }
}

/// A single address without its length, a prefix with it, as users write them.
pub(super) struct Prefix<'a>(pub(super) &'a IpNet);

impl fmt::Display for Prefix<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

/// A record by kind and id.
pub(super) struct Named<'a>(pub(super) &'a RecordKey);

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
