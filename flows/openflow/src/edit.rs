//! One change of a bridge's content.

use crate::{Bucket, BucketId, Flow, FlowKey, Group, GroupId, Meter, MeterId};

/// One change of a bridge's content. Applying the same edit twice changes nothing more, except that a switch refuses to
/// insert a bucket that is there and to remove one that is not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are what the sentence on their variant names")]
pub enum FlowEdit {
    /// Adds the flow, in place of one with the same key.
    AddFlow(Flow),
    /// Deletes the flow with exactly this key.
    DeleteFlow(FlowKey),
    /// Adds the group, in place of one with the same number (Open vSwitch's add-or-modify).
    AddGroup(Group),
    /// Deletes the group; flows that output to it go too.
    DeleteGroup(GroupId),
    /// Puts the bucket into the group. A switch refuses a number that is taken: to change a bucket, remove it first
    /// in the same bundle.
    InsertBucket { group: GroupId, bucket: Bucket },
    /// Takes the bucket out of the group; a switch refuses a number that is not there.
    RemoveBucket { group: GroupId, bucket: BucketId },
    /// Adds or changes the meter.
    AddMeter(Meter),
    /// Deletes the meter.
    DeleteMeter(MeterId),
}

/// What an edit is about: of two edits with the same key, only the later one needs to be sent. Edits of one bucket are
/// the exception: `RemoveBucket` and then `InsertBucket` stand for a change and go together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the object it names")]
pub enum EditKey {
    Flow(FlowKey),
    Group(GroupId),
    Bucket(GroupId, BucketId),
    Meter(MeterId),
}

/// The place of an edit within one bundle, so that no flow ever names a group or meter that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Meters come first.
    Meter,
    /// Then whole groups.
    Group,
    /// Then buckets out, before their numbers are used again.
    RemoveBucket,
    /// Then buckets in.
    InsertBucket,
    /// Then flows out.
    DeleteFlow,
    /// Then flows in.
    AddFlow,
    /// Groups that no flow names any more.
    DeleteGroup,
    /// Meters that no flow names any more.
    DeleteMeter,
}

impl EditKey {
    /// Whether a later edit of this key makes an earlier edit of `other` needless: an edit of the same object, or of
    /// the whole group that a bucket belongs to.
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Group(group), Self::Bucket(of, _)) => group == of,
            _ => self == other,
        }
    }
}

impl FlowEdit {
    /// What the edit is about.
    #[must_use]
    pub fn key(&self) -> EditKey {
        match self {
            Self::AddFlow(flow) => EditKey::Flow(flow.key.clone()),
            Self::DeleteFlow(key) => EditKey::Flow(key.clone()),
            Self::AddGroup(group) => EditKey::Group(group.id),
            Self::DeleteGroup(group) => EditKey::Group(*group),
            Self::InsertBucket { group, bucket } => EditKey::Bucket(*group, bucket.id),
            Self::RemoveBucket { group, bucket } => EditKey::Bucket(*group, *bucket),
            Self::AddMeter(meter) => EditKey::Meter(meter.id),
            Self::DeleteMeter(meter) => EditKey::Meter(*meter),
        }
    }

    /// Where the edit stands within a bundle.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self {
            Self::AddMeter(_) => Phase::Meter,
            Self::AddGroup(_) => Phase::Group,
            Self::RemoveBucket { .. } => Phase::RemoveBucket,
            Self::InsertBucket { .. } => Phase::InsertBucket,
            Self::DeleteFlow(_) => Phase::DeleteFlow,
            Self::AddFlow(_) => Phase::AddFlow,
            Self::DeleteGroup(_) => Phase::DeleteGroup,
            Self::DeleteMeter(_) => Phase::DeleteMeter,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_supersedes_its_buckets_only() {
        let group = EditKey::Group(GroupId(1));
        let bucket = |group, bucket| EditKey::Bucket(GroupId(group), BucketId(bucket));
        assert!(group.supersedes(&bucket(1, 5)));
        assert!(group.supersedes(&group));
        assert!(!group.supersedes(&bucket(2, 5)));
        assert!(!bucket(1, 5).supersedes(&group));
        assert!(!EditKey::Meter(MeterId(1)).supersedes(&group));
    }
}
