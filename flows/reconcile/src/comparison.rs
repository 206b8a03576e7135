//! What a switch holds against what it should hold.

use crate::Desired;
use std::collections::HashMap;
use std::fmt;
use weir_openflow::message::{FlowEntries, GroupEntries};
use weir_openflow::{EncodedEdit, EncodedKey, FlowEdit, FlowTable, Group, GroupKind, Meter, RawFlow, Selection};

/// A comparison in progress: flows are crossed off as the switch tells them.
#[derive(Debug)]
pub(crate) struct Comparison {
    pub(crate) revision: u64,
    /// Flows that should be there and were not seen yet. The order of a hash map never shows: edits are sorted.
    missing: HashMap<EncodedKey, EncodedEdit>,
    wanted: FlowTable,
    held: FlowTable,
    edits: Vec<EncodedEdit>,
    repair: Repair,
}

/// How a switch differed from what it should hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Repair {
    /// Flows that were not there.
    pub missing: usize,
    /// Flows that did something else.
    pub altered: usize,
    /// Flows that should not be there.
    pub foreign: usize,
    /// Edits of groups and meters.
    pub groups: usize,
}

impl Repair {
    /// Whether the switch held just what it should.
    pub const fn is_clean(&self) -> bool {
        self.missing == 0 && self.altered == 0 && self.foreign == 0 && self.groups == 0
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { missing, altered, foreign, groups } = self;
        write!(f, "{missing} missing, {altered} altered, {foreign} foreign flows, {groups} edits of groups")
    }
}

impl Comparison {
    pub(crate) fn new(desired: &Desired) -> Self {
        let mut missing = HashMap::new();
        let mut wanted = FlowTable::default();
        for edit in desired.units.iter().flat_map(|unit| unit.iter()) {
            match edit.key() {
                key @ EncodedKey::Flow { .. } => {
                    missing.insert(key, edit.clone());
                }
                EncodedKey::Group(_) | EncodedKey::Bucket(..) | EncodedKey::Meter(_) => {}
            }
        }
        for edit in in_order_of_phases(desired) {
            wanted.apply(&edit);
        }
        Self {
            revision: desired.revision,
            missing,
            wanted,
            held: FlowTable::default(),
            edits: Vec::new(),
            repair: Repair::default(),
        }
    }

    /// The switch holds these flows.
    pub(crate) fn flows(&mut self, flows: &FlowEntries) {
        for held in flows.raw() {
            match self.missing.remove(&held.key.to_key()) {
                Some(wanted) if is_same(&wanted, &held) => {}
                Some(wanted) => {
                    self.repair.altered += 1;
                    self.edits.push(wanted);
                }
                None => {
                    self.repair.foreign += 1;
                    self.edits.push(held.key.deletion());
                }
            }
        }
    }

    /// The switch holds these groups. One that cannot be read is not ours: it is deleted, and added if its number is.
    pub(crate) fn groups(&mut self, groups: &GroupEntries) {
        for (id, group) in groups.iter() {
            let unknown =
                || Group { id, kind: GroupKind::Indirect, buckets: Vec::new(), selection: Selection::default() };
            self.held.groups.insert(id, group.unwrap_or_else(|_| unknown()));
        }
    }

    /// The switch holds these meters.
    pub(crate) fn meters(&mut self, meters: Vec<Meter>) {
        self.held.meters.extend(meters.into_iter().map(|meter| (meter.id, meter)));
    }

    /// The edits that make the switch hold what it should, in the order in which it must see them.
    pub(crate) fn finish(mut self) -> (Vec<EncodedEdit>, Repair) {
        self.repair.missing = self.missing.len();
        self.edits.extend(self.missing.into_values());
        let groups = FlowTable::diff(&self.held, &self.wanted);
        self.repair.groups = groups.len();
        for edit in &groups {
            // A switch refuses to add a meter that it has.
            let held = matches!(edit, FlowEdit::AddMeter(meter) if self.held.meters.contains_key(&meter.id));
            match EncodedEdit::encode(edit) {
                Ok(encoded) => self.edits.push(if held { encoded.meter_change() } else { encoded }),
                Err(_) => self.edits.extend(in_pieces(edit)),
            }
        }
        self.edits.sort_by_cached_key(|edit| (edit.phase(), edit.key()));
        (self.edits, self.repair)
    }
}

/// The groups, buckets and meters of `desired`, each bucket after its group.
fn in_order_of_phases(desired: &Desired) -> Vec<FlowEdit> {
    let mut edits: Vec<_> = desired
        .units
        .iter()
        .flat_map(|unit| unit.iter())
        .filter(|edit| !matches!(edit.key(), EncodedKey::Flow { .. }))
        .filter_map(|edit| edit.decode().ok())
        .collect();
    edits.sort_by_key(FlowEdit::phase);
    edits
}

/// A group that is too large for one message, bucket by bucket.
fn in_pieces(edit: &FlowEdit) -> Vec<EncodedEdit> {
    let FlowEdit::AddGroup(group) = edit else { return Vec::new() };
    let empty = FlowEdit::AddGroup(Group { buckets: Vec::new(), ..group.clone() });
    let buckets = group.buckets.iter().map(|bucket| FlowEdit::InsertBucket { group: group.id, bucket: bucket.clone() });
    std::iter::once(empty).chain(buckets).filter_map(|piece| EncodedEdit::encode(&piece).ok()).collect()
}

/// Whether a flow is as it should be: by its bytes, which a switch gives back as it got them, else by their meaning.
fn is_same(wanted: &EncodedEdit, held: &RawFlow<'_>) -> bool {
    let Ok(wanted) = RawFlow::from_flow_mod(wanted.message()) else { return false };
    wanted.value == held.value || matches!((wanted.decode(), held.decode()), (Ok(wanted), Ok(held)) if wanted == held)
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::{Action, Bucket, BucketId, GroupId, PortNo};

    #[test]
    fn a_group_too_large_for_a_message_comes_in_pieces() {
        let group = |buckets| Group { id: GroupId(1), kind: GroupKind::All, buckets, selection: Selection::default() };
        let buckets: Vec<_> =
            (1..3_000).map(|id| Bucket::new(BucketId(id), vec![Action::output(PortNo(id))])).collect();
        let insert = |bucket: &Bucket| FlowEdit::InsertBucket { group: GroupId(1), bucket: bucket.clone() };
        let edits = std::iter::once(FlowEdit::AddGroup(group(Vec::new()))).chain(buckets.iter().map(insert));
        let unit = edits.map(|edit| EncodedEdit::encode(&edit).expect("a small edit")).collect();
        let (edits, repair) = Comparison::new(&Desired { revision: 1, units: vec![unit] }).finish();
        assert_eq!(repair.groups, 1);
        let mut switch = FlowTable::default();
        for edit in edits {
            assert!(switch.apply(&edit.decode().expect("our own edit")));
        }
        assert_eq!(switch.groups[&GroupId(1)], group(buckets));
    }
}
