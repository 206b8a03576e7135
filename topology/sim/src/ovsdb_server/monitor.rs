//! Monitors: what changed between two states of the database, as update2 tells it.

use super::store::{Row, Store};
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeMap;

/// The columns of each table that a client wants to know of; none for all.
#[derive(Clone, Debug)]
pub(super) struct Monitor {
    pub(super) id: Json,
    tables: BTreeMap<String, Option<Vec<String>>>,
}

impl Monitor {
    /// Reads the request; none if it is malformed or names what is not there.
    pub(super) fn read(id: Json, requests: &Json, store: &Store) -> Option<Self> {
        let mut tables = BTreeMap::new();
        for (table, request) in requests.as_object()? {
            let schema = store.schema.get(table)?;
            let request = request.as_array().map_or(Some(request), |list| list.first());
            let columns = request.and_then(|request| request.get("columns")).and_then(Json::as_array);
            let columns: Option<Vec<String>> =
                columns.map(|columns| columns.iter().filter_map(Json::as_str).map(str::to_owned).collect());
            if columns.iter().flatten().any(|column| !schema.columns.contains_key(column)) {
                return None;
            }
            tables.insert(table.clone(), columns);
        }
        Some(Self { id, tables })
    }

    /// Everything that there is.
    pub(super) fn initial(&self, store: &Store) -> Json {
        self.changes(None, store, "initial").unwrap_or_else(|| json!({}))
    }

    /// What changed; none if nothing that the client wants to know of did.
    pub(super) fn update(&self, before: &Store, after: &Store) -> Option<Json> {
        self.changes(Some(before), after, "insert")
    }

    fn changes(&self, before: Option<&Store>, after: &Store, new: &str) -> Option<Json> {
        let mut tables = Map::new();
        for (table, columns) in &self.tables {
            let defaults = after.default_row(table);
            let wanted = |name: &String| columns.as_ref().is_none_or(|columns| columns.contains(name));
            let mut rows = Map::new();
            for (uuid, row) in after.table(table) {
                match before.and_then(|before| before.row(table, *uuid)) {
                    None => {
                        let shown =
                            row.iter().filter(|(name, value)| wanted(name) && defaults.get(*name) != Some(value));
                        let shown: Map<String, Json> =
                            shown.map(|(name, value)| (name.clone(), value.to_json())).collect();
                        rows.insert(uuid.to_string(), json!({new: shown}));
                    }
                    Some(old) => {
                        let changed = modified(old, row, after, table, &wanted);
                        if !changed.is_empty() {
                            rows.insert(uuid.to_string(), json!({"modify": changed}));
                        }
                    }
                }
            }
            for (uuid, _) in before.into_iter().flat_map(|before| before.table(table)) {
                if after.row(table, *uuid).is_none() {
                    rows.insert(uuid.to_string(), json!({"delete": null}));
                }
            }
            if !rows.is_empty() {
                tables.insert(table.clone(), Json::Object(rows));
            }
        }
        (!tables.is_empty()).then_some(Json::Object(tables))
    }
}

fn modified(
    before: &Row,
    after: &Row,
    store: &Store,
    table: &str,
    wanted: &impl Fn(&String) -> bool,
) -> Map<String, Json> {
    let columns = &store.schema[table].columns;
    after
        .iter()
        .filter(|(name, value)| wanted(name) && before.get(*name) != Some(value))
        .map(|(name, value)| {
            let told = match before.get(name) {
                Some(old) if columns[name].max > 1 => old.difference(value),
                _ => value.clone(),
            };
            (name.clone(), told.to_json())
        })
        .collect()
}
