//! What rules with remote groups consist of.

use crate::cookie::Object;
use crate::{Purpose, Tag};
use std::collections::{BTreeMap, BTreeSet};
use weir_model::{AddressGroupKey, GroupKey, Remote, SecurityGroupRule, Topology};
use weir_openflow::{Action, Match};

/// The remote group or address group of a rule: what the halves of a conjunction have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Half {
    Group(GroupKey),
    Addresses(AddressGroupKey),
}

impl Half {
    /// The number of the conjunction, which is unique within the set and direction that all its flows match.
    pub(super) const fn id(self) -> u32 {
        match self {
            Self::Group(GroupKey(key)) => key,
            Self::Addresses(AddressGroupKey(key)) => 1 << 24 | key,
        }
    }

    /// The owner of the flow that both halves lead to.
    pub(super) fn met(self) -> Tag {
        match self {
            Self::Group(key) => Tag::of(Purpose::RemoteGroupMet, Object::Group(key)),
            Self::Addresses(key) => Tag::of(Purpose::RemoteAddressesMet, Object::AddressGroup(key)),
        }
    }

    /// The owner of an address.
    pub(super) fn address(self) -> Tag {
        match self {
            Self::Group(key) => Tag::of(Purpose::RemoteGroup, Object::Group(key)),
            Self::Addresses(key) => Tag::of(Purpose::RemoteAddresses, Object::AddressGroup(key)),
        }
    }
}

/// The conjunction that a rule is a part of.
pub(super) fn half_of(rule: &SecurityGroupRule, topology: &Topology) -> Option<Half> {
    match rule.remote {
        Remote::Group(group) => topology.security_group(group).map(|group| Half::Group(group.key)),
        Remote::Addresses(group) => topology.address_group(group).map(|group| Half::Addresses(group.key)),
        Remote::Anybody | Remote::Prefix(_) => None,
    }
}

/// Meets one of two clauses.
pub(super) const fn conjunction(half: Half, clause: u8) -> Action {
    Action::Conjunction { id: half.id(), clause, clauses: 2 }
}

/// Flows that meet a clause, each of one conjunction or several.
#[derive(Debug, Default)]
pub(super) struct Halves(BTreeMap<Match, (BTreeSet<Half>, Tag)>);

impl Halves {
    /// Lets a flow meet a clause; the first to come owns it.
    pub(super) fn add(&mut self, matching: Match, half: Half, tag: Tag) {
        self.0.entry(matching).or_insert_with(|| (BTreeSet::new(), tag)).0.insert(half);
    }

    /// The flows.
    pub(super) fn into_flows(self) -> BTreeMap<Match, (BTreeSet<Half>, Tag)> {
        self.0
    }
}
