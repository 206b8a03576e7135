//! What a commit changes on switches.

use crate::{Bridge, Recipients, Unit};
use std::cmp::Ordering;
use std::sync::Arc;
use weir_openflow::{Digest, EncodedEdit, FlowEdit};

/// Edits of one unit in one bridge, for every hypervisor that they concern.
///
/// The edits are encoded once and shared by all recipients. For one hypervisor, the deltas of one commit fit into one
/// bundle per bridge, sorted by the phase of their edits. In the order in which they are returned, an edit that takes an
/// object away stands before one that adds the same object for another unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delta {
    /// The unit that the edits are of.
    pub unit: Unit,
    /// Who gets them.
    pub recipients: Recipients,
    /// The bridge.
    pub bridge: Bridge,
    /// The edits, at least one.
    pub edits: Arc<[EncodedEdit]>,
    /// What they do to the digest of what a recipient holds; of an edit in place of another, all of it.
    pub change: Digest,
    /// Whether the edits only take away what no packet is led to any more, but some may still be on their way to.
    ///
    /// A switch looks connections up between two passes through its tables, and what it finds out in the first it keeps
    /// for the second. So rules of a set of security groups may still be asked for a moment after the last port with the
    /// set got another one. Until they are gone they allow nothing that they should not.
    pub can_wait: bool,
}

/// Encodes what units consist of, additions all, in one piece of memory.
pub(crate) fn encode<'a>(edits: impl IntoIterator<Item = &'a FlowEdit>) -> Arc<[EncodedEdit]> {
    EncodedEdit::encode_all(edits).expect("the number of ports that claim an address is bounded, and so is every flow")
}

fn encoded(edit: &FlowEdit) -> EncodedEdit {
    EncodedEdit::encode(edit).expect("the number of ports that claim an address is bounded, and so is every flow")
}

fn withdrawal(edit: &FlowEdit) -> FlowEdit {
    match edit {
        FlowEdit::AddFlow(flow) => FlowEdit::DeleteFlow(flow.key.clone()),
        FlowEdit::AddGroup(group) => FlowEdit::DeleteGroup(group.id),
        FlowEdit::InsertBucket { group, bucket } => FlowEdit::RemoveBucket { group: *group, bucket: bucket.id },
        FlowEdit::AddMeter(meter) => FlowEdit::DeleteMeter(meter.id),
        other => unreachable!("units consist of flows, groups, buckets and meters, not of {other:?}"),
    }
}

/// The way from what a unit was to what it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Difference {
    /// What to take away, first.
    pub(crate) take: Arc<[EncodedEdit]>,
    /// What to add. A flow or group that is replaced is only added; a bucket must be taken away first.
    pub(crate) add: Arc<[EncodedEdit]>,
    /// What both do to a digest.
    pub(crate) change: Digest,
}

/// Additions, and the same encoded.
type Sides<'a> = (&'a [FlowEdit], &'a Arc<[EncodedEdit]>);

impl Difference {
    pub(crate) fn of((before, encoded_before): Sides<'_>, (after, encoded_after): Sides<'_>) -> Self {
        if before == after {
            return Self::default();
        }
        let change = Digest::of(&**encoded_after) - Digest::of(&**encoded_before);
        if before.is_empty() {
            return Self { take: Arc::default(), add: encoded_after.clone(), change };
        }
        let mut was: Vec<&FlowEdit> = before.iter().collect();
        was.sort_unstable_by(|one, other| by_object(one, other));
        let find = |edit: &FlowEdit| was.binary_search_by(|probe| by_object(probe, edit)).ok();
        let mut stays = vec![false; was.len()];
        let mut add = Vec::new();
        for (edit, encoded) in after.iter().zip(encoded_after.iter()) {
            match find(edit) {
                Some(at) if was[at] == edit => stays[at] = true,
                Some(at) => {
                    stays[at] = !matches!(edit, FlowEdit::InsertBucket { .. });
                    add.push(encoded.clone());
                }
                None => add.push(encoded.clone()),
            }
        }
        let gone = was.iter().zip(stays).filter(|(_, stays)| !stays);
        let take = gone.map(|(edit, _)| encoded(&withdrawal(edit))).collect();
        Self { take, add: add.into(), change }
    }
}

/// Orders additions by the object that they add.
fn by_object(one: &FlowEdit, other: &FlowEdit) -> Ordering {
    match (one, other) {
        (FlowEdit::AddFlow(one), FlowEdit::AddFlow(other)) => one.key.cmp(&other.key),
        (FlowEdit::AddGroup(one), FlowEdit::AddGroup(other)) => one.id.cmp(&other.id),
        (FlowEdit::AddMeter(one), FlowEdit::AddMeter(other)) => one.id.cmp(&other.id),
        (FlowEdit::InsertBucket { group, bucket }, FlowEdit::InsertBucket { group: other, bucket: other_bucket }) => {
            (group, bucket.id).cmp(&(other, other_bucket.id))
        }
        _ => one.phase().cmp(&other.phase()),
    }
}
