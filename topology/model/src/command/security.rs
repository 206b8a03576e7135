//! Security groups, their rules and address groups as asked for.

use crate::{AddressGroupId, Direction, Ethertype, ProjectId, Protocol, Remote, SecurityGroupId, SecurityGroupRuleId};
use ipnet::IpNet;
use std::collections::BTreeSet;

/// A security group to make. It begins with Neutron's rules: everything out, of both versions of IP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Whether replies are allowed; they are by default.
    pub stateful: Option<bool>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewSecurityGroup {
    /// A group of nothing but defaults.
    pub fn new(id: SecurityGroupId, project_id: ProjectId) -> Self {
        Self { id, project_id, name: None, description: None, stateful: None, tags: None }
    }
}

/// What to change of a security group; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecurityGroupPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether replies are allowed; only while no port has the group.
    pub stateful: Option<bool>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}

/// A rule to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewSecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// The group that it is of.
    pub security_group_id: SecurityGroupId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Which way.
    pub direction: Direction,
    /// Which version of IP.
    pub ethertype: Ethertype,
    /// Which protocol; any if absent.
    pub protocol: Option<Protocol>,
    /// First destination port, or the type of ICMP.
    pub port_range_min: Option<u16>,
    /// Last destination port, or the code of ICMP.
    pub port_range_max: Option<u16>,
    /// With whom.
    pub remote: Remote,
}

/// An address group to make. Fields left `None` take Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAddressGroup {
    /// Its id.
    pub id: AddressGroupId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Addresses and prefixes; none by default.
    pub addresses: Option<BTreeSet<IpNet>>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewAddressGroup {
    /// A group of nothing but defaults.
    pub fn new(id: AddressGroupId, project_id: ProjectId) -> Self {
        Self { id, project_id, name: None, description: None, addresses: None, tags: None }
    }
}

/// What to change of an address group; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AddressGroupPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Addresses to put in.
    pub add: BTreeSet<IpNet>,
    /// Addresses to take out.
    pub remove: BTreeSet<IpNet>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}
