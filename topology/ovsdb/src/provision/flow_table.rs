//! The names of a bridge's tables.

use super::Problem;
use super::draft::{Draft, is_marked, mark};
use crate::operation::{Mutation, Mutator};
use crate::row::Row;
use crate::table::{Bridge, FlowTable};
use crate::value::{Atom, Datum};
use std::collections::BTreeMap;

impl Draft<'_> {
    /// Adds the settings of a table.
    pub(super) fn insert_table(&mut self, name: &str) -> Atom {
        let row = Row::new().with("name", name).with("external_ids", mark("table"));
        self.insert::<FlowTable>(row)
    }

    /// Names the tables of a bridge: changes of the bridge's row. Settings made by others stay,
    /// for one row of them can stand for many tables.
    pub(super) fn tables(&mut self, bridge: &Bridge, wanted: &BTreeMap<u8, String>) -> Vec<Mutation> {
        let mut added = Vec::new();
        let mut renamed = 0;
        for (id, name) in wanted {
            let number = i64::from(*id);
            let found = bridge.flow_tables.get(&number).and_then(|uuid| Some((*uuid, self.mirror.flow_table(*uuid)?)));
            match found {
                None => added.push((number, self.insert_table(name))),
                Some((_, row)) if row.name.as_ref() == Some(name) => {}
                Some((uuid, row)) if is_marked(&row.external_ids) => {
                    renamed += 1;
                    let seen = Row::new().with("name", Datum::optional(row.name.as_deref()));
                    self.guard::<FlowTable>(uuid, seen);
                    self.update::<FlowTable>(uuid, Row::new().with("name", name.as_str()));
                }
                Some((_, row)) => self.problem(Problem::TableNamed {
                    bridge: bridge.name.clone(),
                    table: *id,
                    found: row.name.clone().unwrap_or_default(),
                }),
            }
        }
        let stale: Vec<i64> = self
            .marked_tables(bridge)
            .into_iter()
            .filter(|id| u8::try_from(*id).map_or(true, |id| !wanted.contains_key(&id)))
            .collect();
        let named = added.len() + renamed;
        if named > 0 {
            self.explain(format!("name {named} tables of bridge {}", bridge.name));
        }
        if !stale.is_empty() {
            self.explain(format!("remove the names of {} tables of bridge {}", stale.len(), bridge.name));
        }
        let mut mutations = Vec::new();
        if !stale.is_empty() {
            let stale = Datum::set(stale);
            mutations.push(Mutation::new("flow_tables", Mutator::Delete, stale));
        }
        if !added.is_empty() {
            let added = Datum::map(added);
            mutations.push(Mutation::new("flow_tables", Mutator::Insert, added));
        }
        mutations
    }

    /// The tables of a bridge that Weir named.
    pub(super) fn marked_tables(&self, bridge: &Bridge) -> Vec<i64> {
        bridge
            .flow_tables
            .iter()
            .filter(|(_, uuid)| self.mirror.flow_table(**uuid).is_some_and(|row| is_marked(&row.external_ids)))
            .map(|(id, _)| *id)
            .collect()
    }
}
