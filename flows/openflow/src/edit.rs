//! One change of a bridge's content.

use crate::{Bucket, BucketId, Flow, FlowKey, Group, GroupId, Meter, MeterId};

/// One change of a bridge's content. Applying the same edit twice changes nothing more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowEdit {
    /// Adds the flow, in place of one with the same key.
    AddFlow(Flow),
    /// Deletes the flow with exactly this key.
    DeleteFlow(FlowKey),
    /// Adds the group, in place of one with the same number (Open vSwitch's add-or-modify).
    AddGroup(Group),
    /// Deletes the group; flows that output to it go too.
    DeleteGroup(GroupId),
    /// Puts the bucket into the group, in place of one with the same number.
    InsertBucket { group: GroupId, bucket: Bucket },
    /// Takes the bucket out of the group.
    RemoveBucket { group: GroupId, bucket: BucketId },
    /// Adds or changes the meter.
    AddMeter(Meter),
    /// Deletes the meter.
    DeleteMeter(MeterId),
}

/// What an edit is about: of two edits with the same key, only the later one needs to be sent.
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
