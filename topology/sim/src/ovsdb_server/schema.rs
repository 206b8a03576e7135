//! The schema: the part of Open vSwitch's that the simulated server has.

use super::value::{Atom, Value};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The schema as `get_schema` gives it.
pub(super) const TEXT: &str = include_str!("vswitch.json");

/// What an element of a column is.
#[derive(Clone, Debug)]
pub(super) struct Base {
    kind: String,
    values: Option<BTreeSet<String>>,
    /// The table whose rows it names, and whether naming keeps them alive.
    pub(super) reference: Option<(String, bool)>,
}

#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) key: Base,
    pub(super) value: Option<Base>,
    min: usize,
    pub(super) max: usize,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Table {
    pub(super) columns: BTreeMap<String, Column>,
    pub(super) is_root: bool,
    pub(super) indexes: Vec<Vec<String>>,
}

pub(super) type Schema = BTreeMap<String, Table>;

impl Base {
    fn read(json: &Json) -> Self {
        let part = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
        let values = json.get("enum").map(|values| match values.get(1).and_then(Json::as_array) {
            Some(values) => values.iter().filter_map(Json::as_str).map(str::to_owned).collect(),
            None => values.as_str().map(str::to_owned).into_iter().collect(),
        });
        let strong = part("refType").is_none_or(|kind| kind == "strong");
        Self {
            kind: json.as_str().map(str::to_owned).or_else(|| part("type")).unwrap_or_default(),
            values,
            reference: part("refTable").map(|table| (table, strong)),
        }
    }

    fn admits(&self, atom: &Atom) -> bool {
        match (atom, self.kind.as_str()) {
            (Atom::Integer(_), "integer" | "real")
            | (Atom::Real(_), "real")
            | (Atom::Boolean(_), "boolean")
            | (Atom::Uuid(_), "uuid") => true,
            (Atom::String(text), "string") => self.values.as_ref().is_none_or(|values| values.contains(text)),
            _ => false,
        }
    }

    fn default_atom(&self) -> Atom {
        match self.kind.as_str() {
            "integer" => Atom::Integer(0),
            "real" => Atom::Real(0),
            "boolean" => Atom::Boolean(false),
            "uuid" => Atom::Uuid(uuid::Uuid::nil()),
            _ => Atom::String(String::new()),
        }
    }
}

impl Column {
    fn read(json: &Json) -> Option<Self> {
        let kind = json.get("type")?;
        if kind.is_string() {
            return Some(Self { key: Base::read(kind), value: None, min: 1, max: 1 });
        }
        let bound = |name: &str, default: usize| match kind.get(name) {
            Some(Json::Number(number)) => number.as_u64().map_or(default, |number| number as usize),
            Some(Json::String(_)) => usize::MAX,
            _ => default,
        };
        Some(Self {
            key: Base::read(kind.get("key")?),
            value: kind.get("value").map(Base::read),
            min: bound("min", 1),
            max: bound("max", 1),
        })
    }

    pub(super) fn default_value(&self) -> Value {
        match (&self.value, self.min) {
            (Some(_), _) => Value::Map(BTreeMap::new()),
            (None, 0) => Value::empty(),
            (None, _) => Value::one(self.key.default_atom()),
        }
    }

    /// The value in the column's shape; why it does not fit.
    pub(super) fn fit(&self, value: Value) -> Result<Value, &'static str> {
        // An empty set and an empty map are written alike by some clients.
        let value = match (&self.value, value) {
            (Some(_), Value::Set(set)) if set.is_empty() => Value::Map(BTreeMap::new()),
            (_, value) => value,
        };
        let right = match (&value, &self.value) {
            (Value::Set(set), None) => set.iter().all(|atom| self.key.admits(atom)),
            (Value::Map(map), Some(of)) => map.iter().all(|(key, value)| self.key.admits(key) && of.admits(value)),
            _ => false,
        };
        if !right {
            return Err("syntax error");
        }
        if value.len() < self.min || value.len() > self.max {
            return Err("constraint violation");
        }
        Ok(value)
    }
}

/// The schema in a form to check values against.
pub(super) fn parse() -> Schema {
    let whole: Json = serde_json::from_str(TEXT).expect("the schema of the simulator is JSON");
    let tables = whole.get("tables").and_then(Json::as_object).into_iter().flatten();
    tables
        .map(|(name, table)| {
            let columns = table.get("columns").and_then(Json::as_object).into_iter().flatten();
            let columns = columns.filter_map(|(name, column)| Some((name.clone(), Column::read(column)?)));
            let indexes = table.get("indexes").and_then(Json::as_array).into_iter().flatten();
            let indexes = indexes.map(|index| {
                index.as_array().into_iter().flatten().filter_map(Json::as_str).map(str::to_owned).collect()
            });
            let is_root = table.get("isRoot").and_then(Json::as_bool).unwrap_or(false);
            (name.clone(), Table { columns: columns.collect(), is_root, indexes: indexes.collect() })
        })
        .collect()
}
