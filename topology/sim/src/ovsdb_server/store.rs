//! The rows of a database, and what keeps them consistent.

use super::schema::{self, Schema};
use super::value::{Atom, Value};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// A row: every column has a value.
pub type Row = BTreeMap<String, Value>;

/// All rows, by table.
pub(super) type Rows = BTreeMap<String, BTreeMap<Uuid, Row>>;

/// A database.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) schema: Schema,
    pub(super) rows: Rows,
    made: u128,
}

/// An error as a transaction's answer names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) error: &'static str,
    pub(super) details: String,
}

impl Fault {
    pub(super) fn new(error: &'static str, details: impl Into<String>) -> Self {
        Self { error, details: details.into() }
    }
}

impl Store {
    /// An empty database. `seed` makes the names of its rows differ from those of another.
    pub(super) fn new(seed: u64) -> Self {
        let schema = schema::parse();
        let rows = schema.keys().map(|table| (table.clone(), BTreeMap::new())).collect();
        Self { schema, rows, made: u128::from(seed) << 64 }
    }

    pub(super) fn next_uuid(&mut self) -> Uuid {
        self.made += 1;
        Uuid::from_u128(self.made | 0x4000 << 64 | 0x8000 << 48)
    }

    pub(super) fn table(&self, table: &str) -> impl Iterator<Item = (&Uuid, &Row)> {
        self.rows.get(table).into_iter().flatten()
    }

    pub(super) fn row(&self, table: &str, uuid: Uuid) -> Option<&Row> {
        self.rows.get(table)?.get(&uuid)
    }

    pub(super) fn named(&self, table: &str, name: &str) -> Option<Uuid> {
        self.table(table).find_map(|(uuid, row)| (row.get("name")?.text() == Some(name)).then_some(*uuid))
    }

    /// A row of nothing but defaults.
    pub(super) fn default_row(&self, table: &str) -> Row {
        let columns = self.schema.get(table).into_iter().flat_map(|table| &table.columns);
        columns.map(|(name, column)| (name.clone(), column.default_value())).collect()
    }

    /// Sets a column of a row; nothing if there is no such row.
    pub(super) fn set(&mut self, table: &str, uuid: Uuid, column: &str, value: Value) {
        if let Some(row) = self.rows.get_mut(table).and_then(|rows| rows.get_mut(&uuid)) {
            row.insert(column.to_owned(), value);
        }
    }

    /// Adds a row with these columns.
    pub(super) fn insert(&mut self, table: &str, columns: impl IntoIterator<Item = (String, Value)>) -> Uuid {
        let uuid = self.next_uuid();
        let mut row = self.default_row(table);
        row.extend(columns);
        self.rows.entry(table.to_owned()).or_default().insert(uuid, row);
        uuid
    }

    /// What a transaction must leave: no row that nobody names, no name of a row that is not there, unique indexes.
    pub(super) fn settle(&mut self) -> Result<(), Fault> {
        self.collect();
        self.drop_weak_references();
        self.check_references()?;
        self.check_indexes()
    }

    /// The references of a kind that each row makes: the table and the row named.
    fn references(&self, strong: bool) -> Vec<(String, Uuid)> {
        let mut all = Vec::new();
        for (table, rows) in &self.rows {
            let columns = &self.schema[table].columns;
            for (name, value) in rows.values().flatten() {
                let Some(column) = columns.get(name) else {
                    continue;
                };
                for (base, atoms) in bases(column, value) {
                    if let Some((to, kind)) = &base.reference
                        && *kind == strong
                    {
                        all.extend(atoms.into_iter().map(|uuid| (to.clone(), uuid)));
                    }
                }
            }
        }
        all
    }

    /// Takes away rows that no row refers to, again and again.
    fn collect(&mut self) {
        loop {
            let named: BTreeSet<(String, Uuid)> = self.references(true).into_iter().collect();
            let mut gone = false;
            for (table, rows) in &mut self.rows {
                if !self.schema[table].is_root {
                    let before = rows.len();
                    rows.retain(|uuid, _| named.contains(&(table.clone(), *uuid)));
                    gone |= rows.len() < before;
                }
            }
            if !gone {
                return;
            }
        }
    }

    fn drop_weak_references(&mut self) {
        let present: BTreeSet<Uuid> = self.rows.values().flat_map(BTreeMap::keys).copied().collect();
        for (table, rows) in &mut self.rows {
            let columns = &self.schema[table].columns;
            for (name, value) in rows.values_mut().flatten() {
                let weak = columns.get(name).and_then(|column| column.key.reference.as_ref());
                if let (Some((_, false)), Value::Set(set)) = (weak, value) {
                    set.retain(|atom| !matches!(atom, Atom::Uuid(uuid) if !present.contains(uuid)));
                }
            }
        }
    }

    fn check_references(&self) -> Result<(), Fault> {
        match self.references(true).into_iter().find(|(table, uuid)| self.row(table, *uuid).is_none()) {
            Some((table, uuid)) => Err(Fault::new(
                "referential integrity violation",
                format!("a row refers to the row {uuid} of table {table}, which is not there"),
            )),
            None => Ok(()),
        }
    }

    fn check_indexes(&self) -> Result<(), Fault> {
        for (table, rows) in &self.rows {
            for index in &self.schema[table].indexes {
                let mut seen = BTreeSet::new();
                for row in rows.values() {
                    let key: Vec<String> = index.iter().map(|column| row[column].to_json().to_string()).collect();
                    if !seen.insert(key) {
                        let details = format!("two rows of table {table} have the same {}", index.join(", "));
                        return Err(Fault::new("constraint violation", details));
                    }
                }
            }
        }
        Ok(())
    }
}

/// The rows that each half of a value names.
fn bases<'a>(column: &'a schema::Column, value: &Value) -> Vec<(&'a schema::Base, Vec<Uuid>)> {
    let uuid = |atom: &Atom| match atom {
        Atom::Uuid(uuid) => Some(*uuid),
        _ => None,
    };
    match (value, &column.value) {
        (Value::Set(set), _) => vec![(&column.key, set.iter().filter_map(uuid).collect())],
        (Value::Map(map), Some(of)) => {
            vec![(&column.key, map.keys().filter_map(uuid).collect()), (of, map.values().filter_map(uuid).collect())]
        }
        (Value::Map(_), None) => Vec::new(),
    }
}
