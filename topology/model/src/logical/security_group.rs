//! Security groups, their rules, and the sets of groups that ports have.

use crate::{
    AddressGroupId, Generation, GroupKey, ProjectId, RuleKey, SecurityGroupId, SecurityGroupRuleId, SetKey, Timestamp,
};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// A security group: what its ports may send and get. What no rule allows is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroup {
    /// Its id.
    pub id: SecurityGroupId,
    /// Its number in flows.
    pub key: GroupKey,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; `default` is the group that a project's ports have if they name none.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether replies to what is allowed are allowed.
    pub stateful: bool,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes, those of its rules included.
    pub revision_number: u64,
}

/// Which packets a rule is about, as the port sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Packets to the port.
    Ingress,
    /// Packets from the port.
    Egress,
}

/// Which version of IP a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Ethertype {
    /// IPv4.
    #[serde(rename = "IPv4")]
    V4,
    /// IPv6.
    #[serde(rename = "IPv6")]
    V6,
}

impl fmt::Display for Ethertype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// An IP protocol with the word by which it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Protocol {
    /// Its number (IANA).
    pub number: u8,
    /// The name or number as the API shows it.
    pub word: String,
}

/// Whom a rule lets its ports talk to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remote {
    /// Anybody.
    #[default]
    Anybody,
    /// Whoever has an address of the prefix, which is kept as it was asked for, host bits and all.
    Prefix(IpNet),
    /// Whoever has an address of a port of the group, address pairs included.
    Group(SecurityGroupId),
    /// Whoever has an address of the address group.
    Addresses(AddressGroupId),
}

/// A rule of a security group. Rules are never changed, only made and deleted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityGroupRule {
    /// Its id.
    pub id: SecurityGroupRuleId,
    /// Its number in flows.
    pub key: RuleKey,
    /// The group that it is of.
    pub security_group_id: SecurityGroupId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Free text.
    pub description: String,
    /// Which way.
    pub direction: Direction,
    /// Which version of IP.
    pub ethertype: Ethertype,
    /// Which protocol; any if absent.
    pub protocol: Option<Protocol>,
    /// First destination port, or the type of ICMP; any if absent.
    pub port_range_min: Option<u16>,
    /// Last destination port, or the code of ICMP; any if absent.
    pub port_range_max: Option<u16>,
    /// With whom.
    pub remote: Remote,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}

/// The groups that some ports have in common, whatever their order. Flows are made for sets, not for ports.
/// A set is there as long as a port with port security has it; the one of no groups at all too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecuritySet {
    /// Its number in flows.
    pub key: SetKey,
    /// The groups, by id.
    pub groups: BTreeSet<SecurityGroupId>,
    /// Since when no rule has gone: what a rule allowed in this generation it still allows, unless it names a group of
    /// addresses. None for sets of a store from before there were generations.
    #[serde(default)]
    pub generation: Option<Generation>,
}
