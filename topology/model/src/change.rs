//! What a commit did.

use crate::{
    AddressGroup, Counters, HostName, Hypervisor, Liveness, Network, Port, PortId, Record, RecordKey, Revision, Router,
    SecurityGroup, SecurityGroupRule, SecuritySet, Subnet, Vif, Zones,
};
use std::sync::Arc;

/// A record before and after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diff<T> {
    /// As it was; `None` if it is new.
    pub before: Option<Arc<T>>,
    /// As it is; `None` if it is gone.
    pub after: Option<Arc<T>>,
}

impl<T> Diff<T> {
    /// The record as it is, or as it was if it is gone.
    pub fn last(&self) -> Option<&Arc<T>> {
        self.after.as_ref().or(self.before.as_ref())
    }
}

/// One record or fact that changed. A commit has at most one change of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A network.
    Network(Diff<Network>),
    /// A subnet.
    Subnet(Diff<Subnet>),
    /// An address group.
    AddressGroup(Diff<AddressGroup>),
    /// A security group.
    SecurityGroup(Diff<SecurityGroup>),
    /// A rule of a security group.
    SecurityGroupRule(Diff<SecurityGroupRule>),
    /// A set of security groups.
    SecuritySet(Diff<SecuritySet>),
    /// A router.
    Router(Diff<Router>),
    /// A port.
    Port(Diff<Port>),
    /// The conntrack zones of a hypervisor.
    Zones(Diff<Zones>),
    /// A hypervisor; its name may differ before and after, its key never does.
    /// Ports that name it become bound, or cease to be, by this change alone.
    Hypervisor(Diff<Hypervisor>),
    /// An interface; the hypervisor and the port are the same before and after.
    Vif(Diff<Vif>),
    /// Whether a hypervisor's sessions are up.
    Liveness {
        /// The hypervisor.
        host: HostName,
        /// As it was.
        before: Liveness,
        /// As it is.
        after: Liveness,
    },
    /// The numbers given last.
    Counters {
        /// As they were.
        before: Counters,
        /// As they are.
        after: Counters,
    },
}

/// The changes of one command: first what is gone, then what is new or changed, so that a record
/// comes after those it names and goes before them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The revision that holds after it; unchanged if nothing changed.
    pub revision: Revision,
    /// What changed.
    pub changes: Vec<Change>,
}

/// What a change is about; two changes of one subject become one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Record(RecordKey),
    Vif(HostName, PortId),
    Liveness(HostName),
}

fn written<T>(
    diff: &Diff<T>,
    key: impl Fn(&T) -> RecordKey,
    record: impl Fn(Arc<T>) -> Record,
) -> Option<(RecordKey, Option<Record>)> {
    let last = diff.last()?;
    Some((key(last), diff.after.clone().map(record)))
}

fn same<T: PartialEq>(diff: &Diff<T>) -> bool {
    diff.before == diff.after
}

impl Change {
    /// The record to write, or to delete if there is none to write; `None` for facts that do not
    /// outlive the process.
    pub fn record(&self) -> Option<(RecordKey, Option<Record>)> {
        match self {
            Self::Network(diff) => written(diff, |it| RecordKey::Network(it.id), Record::Network),
            Self::Subnet(diff) => written(diff, |it| RecordKey::Subnet(it.id), Record::Subnet),
            Self::Port(diff) => written(diff, |it| RecordKey::Port(it.id), Record::Port),
            Self::AddressGroup(diff) => written(diff, |it| RecordKey::AddressGroup(it.id), Record::AddressGroup),
            Self::SecurityGroup(diff) => written(diff, |it| RecordKey::SecurityGroup(it.id), Record::SecurityGroup),
            Self::SecurityGroupRule(diff) => {
                written(diff, |it| RecordKey::SecurityGroupRule(it.id), Record::SecurityGroupRule)
            }
            Self::SecuritySet(diff) => written(diff, |it| RecordKey::SecuritySet(it.key), Record::SecuritySet),
            Self::Router(diff) => written(diff, |it| RecordKey::Router(it.id), Record::Router),
            Self::Zones(diff) => written(diff, |it| RecordKey::Zones(it.host), Record::Zones),
            Self::Hypervisor(diff) => written(diff, |it| RecordKey::Hypervisor(it.key), Record::Hypervisor),
            Self::Counters { after, .. } => Some((RecordKey::Counters, Some(Record::Counters(*after)))),
            Self::Vif(_) | Self::Liveness { .. } => None,
        }
    }

    pub(crate) fn subject(&self) -> Option<Subject> {
        Some(match self {
            Self::Vif(diff) => {
                let vif = diff.last()?;
                Subject::Vif(vif.host.clone(), vif.port)
            }
            Self::Liveness { host, .. } => Subject::Liveness(host.clone()),
            record => Subject::Record(record.record()?.0),
        })
    }

    /// Takes over what a later change of the same subject leaves.
    pub(crate) fn follow(&mut self, later: Self) {
        match (self, later) {
            (Self::Network(first), Self::Network(later)) => first.after = later.after,
            (Self::Subnet(first), Self::Subnet(later)) => first.after = later.after,
            (Self::AddressGroup(first), Self::AddressGroup(later)) => first.after = later.after,
            (Self::SecurityGroup(first), Self::SecurityGroup(later)) => first.after = later.after,
            (Self::SecurityGroupRule(first), Self::SecurityGroupRule(later)) => first.after = later.after,
            (Self::SecuritySet(first), Self::SecuritySet(later)) => first.after = later.after,
            (Self::Router(first), Self::Router(later)) => first.after = later.after,
            (Self::Zones(first), Self::Zones(later)) => first.after = later.after,
            (Self::Port(first), Self::Port(later)) => first.after = later.after,
            (Self::Hypervisor(first), Self::Hypervisor(later)) => first.after = later.after,
            (Self::Vif(first), Self::Vif(later)) => first.after = later.after,
            (Self::Liveness { after, .. }, Self::Liveness { after: later, .. }) => *after = later,
            (Self::Counters { after, .. }, Self::Counters { after: later, .. }) => *after = later,
            _ => unreachable!("changes of one subject are of one kind"),
        }
    }

    /// Where the change stands in its commit.
    pub(crate) fn rank(&self) -> u8 {
        let rank = |gone: bool, going, coming| if gone { going } else { coming };
        match self {
            Self::Vif(diff) => rank(diff.after.is_none(), 0, 21),
            Self::Liveness { after, .. } => rank(*after == Liveness::Gone, 1, 22),
            Self::Port(diff) => rank(diff.after.is_none(), 2, 20),
            Self::Router(diff) => rank(diff.after.is_none(), 3, 19),
            Self::SecuritySet(diff) => rank(diff.after.is_none(), 4, 18),
            Self::SecurityGroupRule(diff) => rank(diff.after.is_none(), 5, 17),
            Self::SecurityGroup(diff) => rank(diff.after.is_none(), 6, 16),
            Self::AddressGroup(diff) => rank(diff.after.is_none(), 7, 15),
            Self::Subnet(diff) => rank(diff.after.is_none(), 8, 14),
            Self::Network(diff) => rank(diff.after.is_none(), 9, 13),
            Self::Zones(diff) => rank(diff.after.is_none(), 10, 23),
            Self::Hypervisor(diff) => rank(diff.after.is_none(), 11, 12),
            Self::Counters { .. } => 24,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Network(diff) => same(diff),
            Self::Subnet(diff) => same(diff),
            Self::AddressGroup(diff) => same(diff),
            Self::SecurityGroup(diff) => same(diff),
            Self::SecurityGroupRule(diff) => same(diff),
            Self::SecuritySet(diff) => same(diff),
            Self::Router(diff) => same(diff),
            Self::Zones(diff) => same(diff),
            Self::Port(diff) => same(diff),
            Self::Hypervisor(diff) => same(diff),
            Self::Vif(diff) => same(diff),
            Self::Liveness { before, after, .. } => before == after,
            Self::Counters { before, after } => before == after,
        }
    }
}
