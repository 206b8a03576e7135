//! A transaction in the making: guards first, then the changes, then the new configuration number.

use super::{MARK, Plan, Problem};
use crate::mirror::Mirror;
use crate::operation::{Condition, Mutation, Mutator, Operation, Until};
use crate::row::Row;
use crate::table::{OpenVswitch, Table};
use crate::value::{Atom, Datum};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use uuid::Uuid;

/// A transaction in the making.
pub(super) struct Draft<'a> {
    pub(super) mirror: &'a Mirror,
    root: Uuid,
    /// What the changes rely on, by table and row.
    guards: BTreeMap<(&'static str, Uuid), Row>,
    plan: Plan,
    /// How many rows have been given names.
    named: u32,
}

impl<'a> Draft<'a> {
    pub(super) fn new(mirror: &'a Mirror, root: Uuid) -> Self {
        Self { mirror, root, guards: BTreeMap::new(), plan: Plan::default(), named: 0 }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.plan.problems.push(problem);
    }

    pub(super) fn explain(&mut self, line: String) {
        self.plan.explanation.push(line);
    }

    /// The transaction is to fail unless the row still has these values.
    pub(super) fn guard<T: Table>(&mut self, uuid: Uuid, row: Row) {
        let guard = self.guards.entry((T::NEED.name, uuid)).or_default();
        for (column, datum) in row {
            guard.insert(column, datum);
        }
    }

    /// Adds a row and gives the reference to it.
    pub(super) fn insert<T: Table>(&mut self, row: Row) -> Atom {
        self.named += 1;
        let name = format!("weir_{}", self.named);
        self.plan.operations.push(Operation::Insert { table: T::NEED.name.into(), row, uuid_name: Some(name.clone()) });
        Atom::NamedUuid(name)
    }

    /// Sets columns of a row, unless there are none to set.
    pub(super) fn update<T: Table>(&mut self, uuid: Uuid, row: Row) {
        if !row.is_empty() {
            self.plan.operations.push(Operation::Update {
                table: T::NEED.name.into(),
                conditions: vec![Condition::is_row(uuid)],
                row,
            });
        }
    }

    /// Changes columns of a row in place, unless there is nothing to change.
    pub(super) fn mutate<T: Table>(&mut self, uuid: Uuid, mutations: Vec<Mutation>) {
        if !mutations.is_empty() {
            self.plan.operations.push(Operation::Mutate {
                table: T::NEED.name.into(),
                conditions: vec![Condition::is_row(uuid)],
                mutations,
            });
        }
    }

    /// Changes the list of bridges.
    pub(super) fn mutate_bridges(&mut self, mutator: Mutator, bridges: Datum) {
        let mutation = Mutation::new("bridges", mutator, bridges);
        self.mutate::<OpenVswitch>(self.root, vec![mutation]);
    }

    /// The datapath type for both bridges: as the host asks for, else as a bridge already is.
    /// `None`, with a problem, when ovs-vswitchd does not know it.
    pub(super) fn datapath_type(&mut self) -> Option<String> {
        let names = self.mirror.names();
        let existing = || {
            [&names.integration, &names.tunnel]
                .into_iter()
                .find_map(|name| self.mirror.bridge(name))
                .map(|(_, bridge)| bridge.datapath_type.clone())
        };
        let wanted =
            self.mirror.host().and_then(|host| host.datapath_type.clone()).or_else(existing).unwrap_or_default();
        let wanted = full_datapath_type(&wanted).to_owned();
        let known = self.mirror.root().map(|(_, root)| &root.datapath_types)?;
        // ovs-vswitchd fills the list in when it starts; without a list anything goes.
        if known.is_empty() || known.contains(&wanted) {
            return Some(wanted);
        }
        let supported = known.iter().cloned().collect();
        self.problem(Problem::UnsupportedDatapathType { wanted, supported });
        None
    }

    /// The finished plan.
    pub(super) fn finish(self) -> Plan {
        let Self { mirror, root, mut guards, mut plan, .. } = self;
        if plan.operations.is_empty() {
            return plan;
        }
        // The wishes of the host must be the ones that were read.
        let external_ids = mirror.root().map(|(_, row)| strings(&row.external_ids)).unwrap_or_else(Datum::empty_map);
        guards.entry((OpenVswitch::NEED.name, root)).or_default().insert("external_ids", external_ids);
        let mut operations: Vec<Operation> = guards.into_iter().map(wait).collect();
        operations.append(&mut plan.operations);
        operations.push(Operation::Comment { comment: format!("weir: {}", plan.explanation.join("; ")) });
        // ovs-vswitchd sets cur_cfg to next_cfg when it has carried the configuration out.
        let table = OpenVswitch::NEED.name;
        let conditions = vec![Condition::is_row(root)];
        operations.push(Operation::Mutate {
            table: table.into(),
            conditions: conditions.clone(),
            mutations: vec![Mutation::new("next_cfg", Mutator::Add, 1_i64)],
        });
        operations.push(Operation::Select { table: table.into(), conditions, columns: Some(vec!["next_cfg".into()]) });
        plan.operations = operations;
        plan
    }
}

/// An operation that fails at once unless the row has these values.
fn wait(((table, uuid), row): ((&'static str, Uuid), Row)) -> Operation {
    Operation::Wait {
        table: table.into(),
        conditions: vec![Condition::is_row(uuid)],
        columns: row.names().cloned().collect(),
        until: Until::Equal,
        rows: vec![row],
        timeout: Some(Duration::ZERO),
    }
}

/// The columns' empty string stands for `system`.
pub(super) fn full_datapath_type(text: &str) -> &str {
    if text.is_empty() { "system" } else { text }
}

/// Whether a row was made by Weir.
pub(super) fn is_marked(external_ids: &BTreeMap<String, String>) -> bool {
    external_ids.contains_key(MARK)
}

/// The mark of a row made by Weir.
pub(super) fn mark(what: &str) -> Datum {
    Datum::map([(MARK, what)])
}

/// Sets one key of a map: the mutator `insert` alone leaves a key that is already there.
pub(super) fn set_key(column: &'static str, map: &BTreeMap<String, String>, key: &str, value: &str) -> Vec<Mutation> {
    let insert = Mutation::new(column, Mutator::Insert, Datum::map([(key, value)]));
    match map.get(key) {
        Some(present) if present == value => Vec::new(),
        Some(_) => {
            let mut mutations = remove_key(column, map, key);
            mutations.push(insert);
            mutations
        }
        None => vec![insert],
    }
}

/// Removes one key of a map.
pub(super) fn remove_key(column: &'static str, map: &BTreeMap<String, String>, key: &str) -> Vec<Mutation> {
    map.contains_key(key).then(|| Mutation::new(column, Mutator::Delete, Datum::set([key]))).into_iter().collect()
}

pub(super) fn strings(map: &BTreeMap<String, String>) -> Datum {
    Datum::map(map.iter().map(|(key, value)| (key.as_str(), value.as_str())))
}

pub(super) fn uuids(set: &BTreeSet<Uuid>) -> Datum {
    Datum::set(set.iter().copied())
}
