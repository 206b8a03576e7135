//! The row by which a bridge finds Weir.

use super::draft::{Draft, is_marked, mark, strings, uuids};
use super::{Problem, Wanted};
use crate::operation::{Mutation, Mutator};
use crate::row::Row;
use crate::table::{Bridge, Controller};
use crate::value::{Atom, Datum};
use std::collections::BTreeSet;
use uuid::Uuid;

const CONNECTION_MODE: &str = "out-of-band";

impl Draft<'_> {
    /// Adds a controller row.
    pub(super) fn insert_controller(&mut self, wanted: &Wanted) -> Atom {
        let row = settings(None, wanted).with("external_ids", mark("controller"));
        self.insert::<Controller>(row)
    }

    /// Makes the controllers of a bridge as they should be: changes of the bridge's row.
    pub(super) fn controller(&mut self, bridge: &Bridge, wanted: &Wanted) -> Vec<Mutation> {
        let rows: Vec<(Uuid, &Controller)> =
            bridge.controller.iter().filter_map(|uuid| Some((*uuid, self.mirror.controller(*uuid)?))).collect();
        let is_target = |row: &Controller| row.target == wanted.controller;
        let kept = rows
            .iter()
            .find(|(_, row)| is_target(row) && is_marked(&row.external_ids))
            .or_else(|| rows.iter().find(|(_, row)| is_target(row)))
            .or_else(|| rows.iter().find(|(_, row)| is_marked(&row.external_ids)))
            .copied();
        let mut surplus = BTreeSet::new();
        for (uuid, row) in &rows {
            if kept.is_some_and(|(kept, _)| kept == *uuid) {
                continue;
            }
            if is_marked(&row.external_ids) {
                surplus.insert(*uuid);
            } else {
                self.problem(Problem::ForeignController { bridge: bridge.name.clone(), target: row.target.clone() });
            }
        }
        let mut mutations = Vec::new();
        match kept {
            // The row is changed in place: a bridge whose last controller goes loses its flows.
            Some((uuid, row)) => self.repair_controller(bridge, uuid, row, wanted),
            None => {
                self.explain(format!("set controller {} on bridge {}", wanted.controller, bridge.name));
                let reference = self.insert_controller(wanted);
                mutations.push(Mutation::new("controller", Mutator::Insert, reference));
            }
        }
        if !surplus.is_empty() {
            self.explain(format!("remove {} former controllers of Weir from bridge {}", surplus.len(), bridge.name));
            mutations.push(Mutation::new("controller", Mutator::Delete, uuids(&surplus)));
        }
        mutations
    }

    fn repair_controller(&mut self, bridge: &Bridge, uuid: Uuid, row: &Controller, wanted: &Wanted) {
        let columns = settings(Some(row), wanted);
        if columns.is_empty() {
            return;
        }
        let names: Vec<&str> = columns.iter().map(|(column, _)| column).collect();
        self.explain(format!("set {} of controller {} on bridge {}", names.join(", "), wanted.controller, bridge.name));
        let seen = Row::new().with("target", row.target.as_str()).with("external_ids", strings(&row.external_ids));
        self.guard::<Controller>(uuid, seen);
        self.update::<Controller>(uuid, columns);
    }
}

/// The columns that differ from what they should be; all of them for a new row.
fn settings(row: Option<&Controller>, wanted: &Wanted) -> Row {
    let mut columns = Row::new();
    if row.is_none_or(|row| row.target != wanted.controller) {
        columns.insert("target", wanted.controller.as_str());
    }
    if row.is_none_or(|row| row.connection_mode.as_deref() != Some(CONNECTION_MODE)) {
        columns.insert("connection_mode", CONNECTION_MODE);
    }
    let times = [
        ("inactivity_probe", wanted.inactivity_probe, row.and_then(|row| row.inactivity_probe)),
        ("max_backoff", wanted.max_backoff, row.and_then(|row| row.max_backoff)),
    ];
    for (column, wish, found) in times {
        if let Some(wish) = wish.map(i64::from).filter(|wish| found != Some(*wish)) {
            columns.insert(column, Datum::from(wish));
        }
    }
    columns
}
