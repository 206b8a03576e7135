//! The whole content of one bridge, and the difference of two.

use crate::{Action, Flow, FlowEdit, FlowKey, Group, GroupId, GroupKind, Meter, MeterId};
use std::collections::BTreeMap;

/// Everything that one bridge holds: flows of all its tables, groups and meters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowTable {
    /// Flows by key.
    pub flows: BTreeMap<FlowKey, Flow>,
    /// Groups by number.
    pub groups: BTreeMap<GroupId, Group>,
    /// Meters by number.
    pub meters: BTreeMap<MeterId, Meter>,
}

impl FlowTable {
    /// Puts a flow in; the flow of the same key that was there is handed back.
    pub fn insert(&mut self, flow: Flow) -> Option<Flow> {
        self.flows.insert(flow.key.clone(), flow)
    }

    /// Does what a switch does with the edit. Tells whether the switch would accept it: a bucket edit of a group or
    /// bucket that is not there changes nothing and is refused, and so is a bucket whose number is taken.
    pub fn apply(&mut self, edit: &FlowEdit) -> bool {
        match edit {
            FlowEdit::AddFlow(flow) => {
                self.insert(flow.clone());
            }
            FlowEdit::DeleteFlow(key) => {
                self.flows.remove(key);
            }
            FlowEdit::AddGroup(group) => {
                self.groups.insert(group.id, group.clone());
            }
            FlowEdit::DeleteGroup(id) => {
                self.groups.remove(id);
                self.flows.retain(|_, flow| !flow.uses(|action| *action == Action::Group(*id)));
            }
            FlowEdit::InsertBucket { group, bucket } => {
                let Some(group) = self.groups.get_mut(group) else {
                    return false;
                };
                if group.buckets.iter().any(|present| present.id == bucket.id) {
                    return false;
                }
                group.insert(bucket.clone());
            }
            FlowEdit::RemoveBucket { group, bucket } => {
                let Some(group) = self.groups.get_mut(group) else {
                    return false;
                };
                return group.remove(*bucket);
            }
            FlowEdit::AddMeter(meter) => {
                self.meters.insert(meter.id, meter.clone());
            }
            FlowEdit::DeleteMeter(id) => {
                self.meters.remove(id);
                self.flows.retain(|_, flow| !flow.uses(|action| *action == Action::Meter(*id)));
            }
        }
        true
    }

    /// The edits that make `from` into `to`, in the order of their phases and by ascending key within one phase.
    ///
    /// A bucket that changed is removed and inserted anew. A group whose kind or selection changed is added whole, and
    /// so is a `FastFailover` group whose buckets changed, for their order matters.
    #[must_use]
    pub fn diff(from: &Self, to: &Self) -> Vec<FlowEdit> {
        let mut edits = Vec::new();
        for (id, meter) in &to.meters {
            if from.meters.get(id) != Some(meter) {
                edits.push(FlowEdit::AddMeter(meter.clone()));
            }
        }
        for (id, group) in &to.groups {
            match from.groups.get(id) {
                Some(present) if present == group => (),
                Some(present) if by_bucket(present, group) => bucket_edits(present, group, &mut edits),
                _ => edits.push(FlowEdit::AddGroup(group.clone())),
            }
        }
        for key in from.flows.keys() {
            if !to.flows.contains_key(key) {
                edits.push(FlowEdit::DeleteFlow(key.clone()));
            }
        }
        for (key, flow) in &to.flows {
            if from.flows.get(key) != Some(flow) {
                edits.push(FlowEdit::AddFlow(flow.clone()));
            }
        }
        for id in from.groups.keys() {
            if !to.groups.contains_key(id) {
                edits.push(FlowEdit::DeleteGroup(*id));
            }
        }
        for id in from.meters.keys() {
            if !to.meters.contains_key(id) {
                edits.push(FlowEdit::DeleteMeter(*id));
            }
        }
        edits.sort_by_key(FlowEdit::phase);
        edits
    }
}

/// Whether edits of buckets make one group into the other: not where the order of the buckets matters.
fn by_bucket(from: &Group, to: &Group) -> bool {
    from.kind == to.kind && from.selection == to.selection && to.kind != GroupKind::FastFailover
}

fn bucket_edits(from: &Group, to: &Group, edits: &mut Vec<FlowEdit>) {
    let group = to.id;
    for bucket in &from.buckets {
        if !to.buckets.contains(bucket) {
            edits.push(FlowEdit::RemoveBucket { group, bucket: bucket.id });
        }
    }
    for bucket in &to.buckets {
        if !from.buckets.contains(bucket) {
            edits.push(FlowEdit::InsertBucket { group, bucket: bucket.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Band, Bucket, BucketId, Match, MeterFlags, Phase, PortNo, TableId};
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    fn action() -> impl Strategy<Value = Action> {
        prop_oneof![
            (1..4_u32).prop_map(|port| Action::output(PortNo(port))),
            (1..4_u32).prop_map(|group| Action::Group(GroupId(group))),
            (1..4_u32).prop_map(|meter| Action::Meter(MeterId(meter))),
        ]
    }

    fn group() -> impl Strategy<Value = Group> {
        let kind = prop::sample::select(vec![GroupKind::All, GroupKind::Select, GroupKind::FastFailover]);
        (1..4_u32, kind, btree_map(0..5_u32, vec(action(), 0..2), 0..4)).prop_map(|(id, kind, buckets)| {
            let buckets = buckets.into_iter().map(|(id, actions)| Bucket::new(BucketId(id), actions));
            buckets.fold(Group::new(GroupId(id), kind), Group::with)
        })
    }

    fn table() -> impl Strategy<Value = FlowTable> {
        let flow =
            (0..2_u8, 0..3_u16, 0..3_u32, vec(action(), 0..3)).prop_map(|(table, priority, register, actions)| {
                Flow::new(TableId(table), priority, Match::new().reg(0, register)).apply(actions)
            });
        let meter = (1..4_u32, 0..3_u32).prop_map(|(id, rate)| Meter {
            id: MeterId(id),
            flags: MeterFlags { pktps: true, ..MeterFlags::default() },
            bands: vec![Band { rate, burst: 0 }],
        });
        (vec(flow, 0..12), vec(group(), 0..3), vec(meter, 0..3)).prop_map(|(flows, groups, meters)| {
            let groups = groups.into_iter().map(|group| (group.id, group)).collect();
            let meters = meters.into_iter().map(|meter| (meter.id, meter)).collect();
            let mut table = FlowTable { flows: BTreeMap::new(), groups, meters };
            for flow in flows {
                let there = |action: &Action| match action {
                    Action::Group(group) => table.groups.contains_key(group),
                    Action::Meter(meter) => table.meters.contains_key(meter),
                    _ => true,
                };
                if !flow.uses(|action| !there(action)) {
                    table.insert(flow);
                }
            }
            table
        })
    }

    proptest! {
        #[test]
        fn the_difference_makes_one_table_into_the_other(from in table(), to in table()) {
            let edits = FlowTable::diff(&from, &to);
            prop_assert!(edits.is_sorted_by_key(FlowEdit::phase));
            let mut reached = from.clone();
            for edit in &edits {
                prop_assert!(reached.apply(edit), "{:?} is refused", edit);
            }
            prop_assert_eq!(&reached, &to);
            prop_assert_eq!(FlowTable::diff(&to, &to), Vec::new());
        }

        #[test]
        fn no_flow_names_what_is_not_there(from in table(), to in table()) {
            let mut reached = from.clone();
            for edit in FlowTable::diff(&from, &to) {
                reached.apply(&edit);
                for flow in reached.flows.values() {
                    let missing = flow.uses(|action| match action {
                        Action::Group(group) => !reached.groups.contains_key(group),
                        Action::Meter(meter) => !reached.meters.contains_key(meter),
                        _ => false,
                    });
                    prop_assert!(!missing, "{:?}", edit);
                }
            }
        }
    }

    #[test]
    fn a_bucket_joins_by_one_edit() {
        let bucket = |id| Bucket::new(BucketId(id), vec![Action::output(PortNo(id))]);
        let group = Group::new(GroupId(1), GroupKind::All).with(bucket(1));
        let mut from = FlowTable::default();
        from.groups.insert(group.id, group.clone());
        let mut to = from.clone();
        to.groups.insert(group.id, group.with(bucket(2)));
        let edits = FlowTable::diff(&from, &to);
        assert_eq!(edits, [FlowEdit::InsertBucket { group: GroupId(1), bucket: bucket(2) }]);
        assert_eq!(edits[0].phase(), Phase::InsertBucket);
        assert_eq!(FlowTable::diff(&to, &from), [FlowEdit::RemoveBucket { group: GroupId(1), bucket: BucketId(2) }]);
    }
}
