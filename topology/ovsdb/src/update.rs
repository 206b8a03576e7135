//! The changes of a monitor: `<table-updates2>` (ovsdb-server(7), section 4.1.14).

use crate::frame::Frame;
use crate::row::Row;
use crate::rpc::{RpcError, fault_in};
use crate::table::{TableNeed, needed_tables};
use crate::value::Datum;
use serde::de::{self, DeserializeSeed, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use uuid::Uuid;

/// What happened to a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was there when the monitor began. Columns with default values are left out.
    Initial(Row),
    /// It is new. Columns with default values are left out.
    Insert(Row),
    /// Columns changed: sets and maps carry the difference, the others their new value.
    Modify(Row),
    /// It is gone.
    Delete,
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowChange {
    /// The table.
    pub table: &'static str,
    /// The row.
    pub uuid: Uuid,
    /// What happened to it.
    pub change: Change,
}

/// Reads `<table-updates2>`.
pub(crate) fn read_updates(frame: &Frame, part: &RawValue) -> Result<Vec<RowChange>, RpcError> {
    let mut json = serde_json::Deserializer::from_str(part.get());
    Tables.deserialize(&mut json).map_err(|error| fault_in(frame, part, &error))
}

struct Tables;

impl<'de> DeserializeSeed<'de> for Tables {
    type Value = Vec<RowChange>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Tables {
    type Value = Vec<RowChange>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of tables")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut tables: A) -> Result<Self::Value, A::Error> {
        let mut changes = Vec::new();
        while let Some(name) = tables.next_key::<Cow<'de, str>>()? {
            let table = needed_tables()
                .into_iter()
                .find(|table| table.name == name)
                .ok_or_else(|| de::Error::custom(format_args!("table '{name}' is not monitored")))?;
            tables.next_value_seed(Rows { table, changes: &mut changes })?;
        }
        Ok(changes)
    }
}

struct Rows<'a> {
    table: TableNeed,
    changes: &'a mut Vec<RowChange>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        while let Some(uuid) = rows.next_key::<Uuid>()? {
            let change = rows.next_value_seed(OneChange(self.table))?;
            self.changes.push(RowChange { table: self.table.name, uuid, change });
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChangeKind {
    Initial,
    Insert,
    Modify,
    Delete,
}

struct OneChange(TableNeed);

impl<'de> DeserializeSeed<'de> for OneChange {
    type Value = Change;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Change, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for OneChange {
    type Value = Change;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of one change")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut parts: A) -> Result<Change, A::Error> {
        let columns = Columns(self.0);
        let change = match parts.next_key()? {
            Some(ChangeKind::Initial) => Change::Initial(parts.next_value_seed(columns)?),
            Some(ChangeKind::Insert) => Change::Insert(parts.next_value_seed(columns)?),
            Some(ChangeKind::Modify) => Change::Modify(parts.next_value_seed(columns)?),
            Some(ChangeKind::Delete) => {
                parts.next_value::<IgnoredAny>()?;
                Change::Delete
            }
            None => return Err(de::Error::custom("a change without its kind")),
        };
        match parts.next_key::<IgnoredAny>()? {
            None => Ok(change),
            Some(_) => Err(de::Error::custom("two changes of one row")),
        }
    }
}

struct Columns(TableNeed);

impl<'de> DeserializeSeed<'de> for Columns {
    type Value = Row;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Row, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Columns {
    type Value = Row;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut columns: A) -> Result<Row, A::Error> {
        let mut row = Row::new();
        while let Some(name) = columns.next_key_seed(ColumnName(self.0))? {
            row.insert(name, columns.next_value::<Datum>()?);
        }
        Ok(row)
    }
}

/// Finds the column without making a string of its name.
struct ColumnName(TableNeed);

impl<'de> DeserializeSeed<'de> for ColumnName {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for ColumnName {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
        let TableNeed { name: table, columns } = self.0;
        columns
            .iter()
            .map(|column| column.name)
            .find(|known| *known == name)
            .ok_or_else(|| E::custom(format_args!("column '{name}' of table {table} is not monitored")))
    }
}
