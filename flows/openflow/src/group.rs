//! Groups and their buckets.

use crate::{Action, BucketId, GroupId, PortNo};

/// How a group treats its buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum GroupKind {
    /// Every bucket, each on its own copy.
    All,
    /// One bucket, chosen by hash and weight.
    Select,
    /// The one bucket.
    Indirect,
    /// The first bucket that is alive.
    FastFailover,
}

/// A bucket of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// Its number within the group.
    pub id: BucketId,
    /// Its share in a select group.
    pub weight: u16,
    /// The port whose liveness it follows; `PortNo::ANY` for none.
    pub watch_port: PortNo,
    /// The group whose liveness it follows; `GroupId::ANY` for none.
    pub watch_group: GroupId,
    /// What is done with the packet.
    pub actions: Vec<Action>,
}

/// A group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Group {
    /// Its number.
    pub id: GroupId,
    /// How it treats its buckets.
    pub kind: GroupKind,
    /// Its buckets, by ascending id.
    pub buckets: Vec<Bucket>,
    /// How a select group chooses: `selection_method` of the Netronome extension; empty for the default.
    pub selection: Selection,
}

/// `selection_method` and its parameter of a select group.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Selection {
    /// `dp_hash` or `hash`; empty for the switch's choice.
    pub method: String,
    /// The method's parameter.
    pub parameter: u64,
}
