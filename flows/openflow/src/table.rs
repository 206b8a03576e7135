//! The whole content of one bridge, and the difference of two.

use crate::{Action, Flow, FlowEdit, FlowKey, Group, GroupId, Meter, MeterId};
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
    /// A bucket that changed is removed and inserted anew; a group whose kind or selection changed is added whole.
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
                Some(present) if present.kind == group.kind && present.selection == group.selection => {
                    bucket_edits(present, group, &mut edits);
                }
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
