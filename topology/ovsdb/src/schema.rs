//! Whether a hypervisor's database has what Weir needs. The only module that uses the `ovsdb`
//! crate.

use crate::table::{ColumnNeed, Shape, TableNeed, needed_tables};
use crate::value::AtomKind;
use ovsdb::schema::{Atomic, Kind, Schema};
use serde_json::{Map, Value, json};
use std::fmt;

/// The version of a database schema, such as 8.3.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaVersion(pub String);

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a hypervisor's database cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not a schema.
    #[error("the database schema cannot be read: {0}")]
    Malformed(String),
    /// A table is missing.
    #[error("the database schema, version {version}, has no table {table}, which Weir needs")]
    MissingTable {
        /// The table.
        table: &'static str,
        /// The hypervisor's version of the schema.
        version: SchemaVersion,
    },
    /// A column is missing.
    #[error("the database schema, version {version}, has no column {column} in table {table}, which Weir needs")]
    MissingColumn {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The hypervisor's version of the schema.
        version: SchemaVersion,
    },
    /// A column has another type.
    #[error(
        "in the database schema, version {version}, column {column} of table {table} is a {found}; Weir needs a {expected}"
    )]
    WrongType {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// What Weir needs.
        expected: Shape,
        /// What the hypervisor has.
        found: Shape,
        /// The hypervisor's version of the schema.
        version: SchemaVersion,
    },
}

/// Checks the result of `get_schema` against [`needed_tables`].
pub fn check_schema(text: &str) -> Result<SchemaVersion, SchemaError> {
    let schema = parse(text)?;
    let version = SchemaVersion(schema.version().to_owned());
    for need in needed_tables() {
        let table = schema
            .tables()
            .iter()
            .find(|table| table.name() == need.name)
            .ok_or_else(|| SchemaError::MissingTable { table: need.name, version: version.clone() })?;
        for ColumnNeed { name, shape } in need.columns {
            let column = table.columns().iter().find(|column| column.name() == *name).ok_or_else(|| {
                SchemaError::MissingColumn { table: need.name, column: name, version: version.clone() }
            })?;
            let found = shape_of(column.kind());
            if found != *shape {
                return Err(SchemaError::WrongType {
                    table: need.name,
                    column: name,
                    expected: *shape,
                    found,
                    version,
                });
            }
        }
    }
    Ok(version)
}

/// The crate's parser panics on a schema whose tables are no object or whose bounds are strange,
/// and refuses keys it has not heard of. So it is given just the part Weir needs, in plain form.
fn parse(text: &str) -> Result<Schema, SchemaError> {
    let malformed = |fault: &str| SchemaError::Malformed(fault.to_owned());
    let whole: Value = serde_json::from_str(text).map_err(|error| SchemaError::Malformed(error.to_string()))?;
    let version = whole.get("version").and_then(Value::as_str).ok_or_else(|| malformed("it has no version"))?;
    let tables = whole.get("tables").and_then(Value::as_object).ok_or_else(|| malformed("it has no tables"))?;
    let mut kept = Map::new();
    for TableNeed { name, columns } in needed_tables() {
        let Some(table) = tables.get(name) else {
            continue;
        };
        let declared = table
            .get("columns")
            .and_then(Value::as_object)
            .ok_or_else(|| SchemaError::Malformed(format!("table {name} has no columns")))?;
        let mut kept_columns = Map::new();
        for need in columns {
            if let Some(column) = declared.get(need.name) {
                let kind = column.get("type").and_then(plain_type).ok_or_else(|| {
                    SchemaError::Malformed(format!("column {} of table {name} has no type", need.name))
                })?;
                kept_columns.insert(need.name.to_owned(), json!({ "type": kind }));
            }
        }
        kept.insert(name.to_owned(), json!({ "columns": kept_columns }));
    }
    let part = json!({
        "name": whole.get("name").and_then(Value::as_str).unwrap_or_default(),
        "version": version,
        "cksum": "",
        "tables": kept,
    });
    serde_json::from_value(part).map_err(|error| SchemaError::Malformed(error.to_string()))
}

/// A `<type>` without constraints and with both bounds.
fn plain_type(declared: &Value) -> Option<Value> {
    if declared.is_string() {
        return Some(json!({ "key": declared }));
    }
    let base = |base: &Value| match base {
        Value::String(_) => Some(base.clone()),
        _ => base.get("type").filter(|kind| kind.is_string()).cloned(),
    };
    let mut plain = json!({
        "key": base(declared.get("key")?)?,
        "min": declared.get("min").map_or(Some(1), Value::as_i64)?,
        "max": match declared.get("max") {
            None => json!(1),
            Some(Value::String(word)) if word == "unlimited" => json!("unlimited"),
            Some(bound) => json!(bound.as_i64()?),
        },
    });
    if let Some(value) = declared.get("value") {
        plain["value"] = base(value)?;
    }
    Some(plain)
}

fn shape_of(kind: &Kind) -> Shape {
    let key = atom_kind(kind.key().kind());
    match kind.value() {
        Some(value) => Shape::Map(key, atom_kind(value.kind())),
        None if kind.is_scalar() => Shape::Scalar(key),
        None if kind.is_optional() => Shape::Optional(key),
        None => Shape::Set(key),
    }
}

const fn atom_kind(atomic: Atomic) -> AtomKind {
    match atomic {
        Atomic::Boolean => AtomKind::Boolean,
        Atomic::Integer => AtomKind::Integer,
        Atomic::Real => AtomKind::Real,
        Atomic::String => AtomKind::String,
        Atomic::Uuid => AtomKind::Uuid,
    }
}
