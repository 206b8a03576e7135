//! Groups and their buckets.

use crate::{Action, BucketId, Field, GroupId, PortNo};

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
    /// Its buckets, by ascending id; those of a `FastFailover` group in the order in which they are tried.
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
    /// What `hash` looks at: fields in ascending order, each with the bits that count; empty for the switch's choice.
    pub fields: Vec<(Field, u128)>,
}

impl Bucket {
    /// A bucket of weight 0 that watches nothing.
    #[must_use]
    pub const fn new(id: BucketId, actions: Vec<Action>) -> Self {
        Self { id, weight: 0, watch_port: PortNo::ANY, watch_group: GroupId::ANY, actions }
    }
}

impl Group {
    /// A group without buckets.
    #[must_use]
    pub fn new(id: GroupId, kind: GroupKind) -> Self {
        Self { id, kind, buckets: Vec::new(), selection: Selection::default() }
    }

    /// Puts a bucket in, in place of one with the same number.
    #[must_use]
    pub fn with(mut self, bucket: Bucket) -> Self {
        self.insert(bucket);
        self
    }

    /// Puts a bucket in, in place of one with the same number; in a `FastFailover` group, behind the others.
    pub fn insert(&mut self, bucket: Bucket) {
        if let Some(present) = self.buckets.iter_mut().find(|present| present.id == bucket.id) {
            *present = bucket;
            return;
        }
        let behind = |present: &Bucket| self.kind == GroupKind::FastFailover || present.id < bucket.id;
        let at = self.buckets.iter().take_while(|present| behind(present)).count();
        self.buckets.insert(at, bucket);
    }

    /// Takes a bucket out; tells whether it was there.
    pub fn remove(&mut self, bucket: BucketId) -> bool {
        let before = self.buckets.len();
        self.buckets.retain(|present| present.id != bucket);
        self.buckets.len() < before
    }
}

impl Group {
    /// The form in which a switch hands the group back: actions in their canonical form, buckets in ascending order
    /// except in a `FastFailover` group, where their order says which comes first.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        for bucket in &mut self.buckets {
            let actions = std::mem::take(&mut bucket.actions);
            bucket.actions = actions.into_iter().map(Action::canonical).collect();
        }
        if self.kind != GroupKind::FastFailover {
            self.buckets.sort_by_key(|bucket| bucket.id);
        }
        self
    }
}
