//! Edits that wait to be sent, of one object only the last.

use std::collections::BTreeMap;
use std::sync::Arc;
use weir_openflow::{BucketId, EncodedEdit, EncodedKey, GroupId, Phase};

/// Edits that wait to be sent.
///
/// Its size is bounded by the objects concerned, not by the number of changes: a switch that is slow gets fewer edits.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slots: BTreeMap<EncodedKey, Slot>,
    revision: Option<u64>,
}

/// What is left to do for one object.
#[derive(Clone, Debug)]
enum Slot {
    /// The last edit of a flow, a group or a meter.
    Whole(EncodedEdit),
    /// A switch refuses to insert a bucket that is there and to remove one that is not: a bucket that the switch has
    /// is removed first, and one that it never got needs no removal.
    Bucket { removal: Option<EncodedEdit>, insertion: Option<EncodedEdit> },
}

impl Pending {
    /// Takes in the edits of one revision.
    pub(crate) fn merge(&mut self, revision: u64, edits: &[Arc<[EncodedEdit]>]) {
        let mut edits: Vec<_> = edits.iter().flat_map(|edits| edits.iter()).collect();
        // A new group must not sweep away the buckets that the same revision puts into it.
        edits.sort_by_key(|edit| edit.phase());
        for edit in edits {
            self.merge_one(edit.clone());
        }
        self.revision = Some(revision);
    }

    fn merge_one(&mut self, edit: EncodedEdit) {
        let key = edit.key();
        match edit.phase() {
            Phase::InsertBucket => match self.slots.get_mut(&key) {
                Some(Slot::Bucket { insertion, .. }) => *insertion = Some(edit),
                _ => {
                    self.slots.insert(key, Slot::Bucket { removal: None, insertion: Some(edit) });
                }
            },
            Phase::RemoveBucket => match self.slots.get_mut(&key) {
                Some(Slot::Bucket { removal: Some(_), insertion }) => *insertion = None,
                Some(Slot::Bucket { removal: None, .. }) => {
                    self.slots.remove(&key);
                }
                _ => {
                    self.slots.insert(key, Slot::Bucket { removal: Some(edit), insertion: None });
                }
            },
            _ => {
                if let EncodedKey::Group(group) = key {
                    self.forget_buckets(group);
                }
                self.slots.insert(key, Slot::Whole(edit));
            }
        }
    }

    fn forget_buckets(&mut self, group: GroupId) {
        let buckets = EncodedKey::Bucket(group, BucketId(0))..=EncodedKey::Bucket(group, BucketId(u32::MAX));
        let keys: Vec<_> = self.slots.range(buckets).map(|(key, _)| key.clone()).collect();
        for key in keys {
            self.slots.remove(&key);
        }
    }

    /// The last revision taken in since the last [`take`](Self::take); the edits may have cancelled each other out.
    pub(crate) const fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Takes everything out, in the order in which a switch must see it. All flows go out before any comes in, and they
    /// come in table by table: where this is too much for one bundle, some tables rely on those before them.
    pub(crate) fn take(&mut self) -> (Option<u64>, Vec<EncodedEdit>) {
        let mut edits = Vec::with_capacity(self.slots.len());
        for slot in std::mem::take(&mut self.slots).into_values() {
            match slot {
                Slot::Whole(edit) => edits.push(edit),
                Slot::Bucket { removal, insertion } => edits.extend(removal.into_iter().chain(insertion)),
            }
        }
        edits.sort_by_key(EncodedEdit::phase);
        (self.revision.take(), edits)
    }

    /// Forgets everything: what the switch should hold was told anew.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use weir_openflow::{
        Action, Bucket, BucketId, Cookie, Field, Flow, FlowEdit, FlowTable, Group, GroupKind, Match, PortNo, Selection,
        TableId,
    };

    fn bucket(id: u32, port: u32) -> Bucket {
        Bucket {
            id: BucketId(id),
            weight: 0,
            watch_port: PortNo::ANY,
            watch_group: GroupId::ANY,
            actions: vec![Action::output(PortNo(port))],
        }
    }

    /// A small table: few keys, so that one object is changed again and again.
    fn table() -> impl Strategy<Value = FlowTable> {
        let flows = proptest::collection::btree_map(0..4u128, 0..3u64, 0..4);
        let buckets = proptest::collection::btree_map(0..3u32, 1..3u32, 0..3);
        let groups = proptest::collection::btree_map(1..3u32, (any::<bool>(), buckets), 0..3);
        (flows, groups).prop_map(|(flows, groups)| {
            let mut table = FlowTable::default();
            for (reg, cookie) in flows {
                let flow = Flow::new(TableId(0), 1, Match::new().with(Field::Reg0, reg)).cookie(Cookie(cookie));
                table.insert(flow);
            }
            for (id, (all, buckets)) in groups {
                let group = Group {
                    id: GroupId(id),
                    kind: if all { GroupKind::All } else { GroupKind::Select },
                    buckets: buckets.into_iter().map(|(id, port)| bucket(id, port)).collect(),
                    selection: Selection::default(),
                };
                table.groups.insert(group.id, group);
            }
            table
        })
    }

    fn encoded(edits: &[FlowEdit]) -> Arc<[EncodedEdit]> {
        edits.iter().map(|edit| EncodedEdit::encode(edit).expect("a small edit")).collect()
    }

    #[test]
    fn flows_go_out_first_and_come_in_table_by_table() {
        let flow = |table, number| Flow::new(TableId(table), 1, Match::new().with(Field::Reg0, number));
        let edits = [
            FlowEdit::AddFlow(flow(51, 1)),
            FlowEdit::AddFlow(flow(50, 2)),
            FlowEdit::DeleteFlow(flow(51, 3).key),
            FlowEdit::DeleteFlow(flow(50, 4).key),
            FlowEdit::AddFlow(flow(50, 1)),
        ];
        let mut pending = Pending::default();
        pending.merge(1, &[encoded(&edits)]);
        let order: Vec<_> =
            pending.take().1.iter().map(|edit| (edit.phase(), edit.decode().expect("our own edit"))).collect();
        let table = |edit: &FlowEdit| match edit {
            FlowEdit::AddFlow(flow) => flow.key.table.0,
            FlowEdit::DeleteFlow(key) => key.table.0,
            other => panic!("{other:?}"),
        };
        let seen: Vec<_> = order.iter().map(|(phase, edit)| (*phase, table(edit))).collect();
        let (out, into) = (Phase::DeleteFlow, Phase::AddFlow);
        assert_eq!(seen, [(out, 50), (out, 51), (into, 50), (into, 50), (into, 51)]);
    }

    proptest! {
        /// However many steps were merged, the switch refuses nothing and ends where the last step led.
        #[test]
        fn merged_steps_lead_where_the_last_leads(
            start in table(),
            rounds in proptest::collection::vec(proptest::collection::vec(table(), 1..5), 1..4),
        ) {
            let mut switch = start.clone();
            let mut told = start;
            let mut pending = Pending::default();
            let mut revision = 0;
            for round in rounds {
                for target in round {
                    revision += 1;
                    let mut edits = FlowTable::diff(&told, &target);
                    // The order within one revision is not promised.
                    edits.reverse();
                    pending.merge(revision, &[encoded(&edits)]);
                    told = target;
                }
                let (reached, edits) = pending.take();
                prop_assert_eq!(reached, Some(revision));
                for edit in edits {
                    let edit = edit.decode().expect("our own edit");
                    prop_assert!(switch.apply(&edit), "refused: {:?}", edit);
                }
                prop_assert_eq!(&switch, &told);
            }
        }
    }
}
