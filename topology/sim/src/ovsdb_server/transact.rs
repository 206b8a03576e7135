//! Transactions (RFC 7047, section 5.2).

use super::store::{Fault, Row, Store};
use super::value::{Atom, Value};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Does the operations on a copy of the database. The answers, and the new database unless one failed.
pub(super) fn transact(before: &Store, operations: &[Json]) -> (Vec<Json>, Option<Store>) {
    let mut draft = Draft { store: before.clone(), names: BTreeMap::new() };
    draft.name_rows(operations);
    let mut answers = Vec::new();
    for (place, operation) in operations.iter().enumerate() {
        match draft.carry_out(place, operation) {
            Ok(answer) => answers.push(answer),
            Err(fault) => {
                answers.push(fault_json(&fault));
                answers.resize(operations.len(), Json::Null);
                return (answers, None);
            }
        }
    }
    match draft.store.settle() {
        Ok(()) => (answers, Some(draft.store)),
        Err(fault) => {
            answers.push(fault_json(&fault));
            (answers, None)
        }
    }
}

fn fault_json(fault: &Fault) -> Json {
    json!({"error": fault.error, "details": fault.details})
}

struct Draft {
    store: Store,
    names: BTreeMap<String, Uuid>,
}

/// Whether the row passes one condition.
type Test = Box<dyn Fn(Uuid, &Row) -> bool>;

impl Draft {
    /// Gives the new rows their names first: an operation may name a row that a later one makes.
    fn name_rows(&mut self, operations: &[Json]) {
        for (place, operation) in operations.iter().enumerate() {
            if operation["op"] == "insert" {
                let name = operation["uuid-name"].as_str().map_or_else(|| format!("\0{place}"), str::to_owned);
                let uuid = self.store.next_uuid();
                self.names.insert(name, uuid);
            }
        }
    }

    fn carry_out(&mut self, place: usize, operation: &Json) -> Result<Json, Fault> {
        let name = operation["op"].as_str().unwrap_or_default();
        match name {
            "comment" | "commit" | "assert" => return Ok(json!({})),
            "abort" => return Err(Fault::new("aborted", "aborted by request")),
            _ => {}
        }
        let table = operation["table"].as_str().unwrap_or_default().to_owned();
        if !self.store.schema.contains_key(&table) {
            return Err(Fault::new("syntax error", format!("no table named {table:?}")));
        }
        match name {
            "insert" => self.insert(place, &table, operation),
            "select" => {
                let columns = operation["columns"].as_array();
                let found = self.find(&table, &operation["where"])?;
                let rows = found.iter().filter_map(|uuid| Some((uuid, self.store.row(&table, *uuid)?)));
                let rows: Vec<Json> = rows
                    .map(|(uuid, row)| {
                        let wanted = |name: &str| columns.is_none_or(|columns| columns.iter().any(|each| each == name));
                        let mut shown: serde_json::Map<String, Json> = row
                            .iter()
                            .filter(|(name, _)| wanted(name))
                            .map(|(name, value)| (name.clone(), value.to_json()))
                            .collect();
                        if wanted("_uuid") {
                            shown.insert("_uuid".to_owned(), Atom::Uuid(*uuid).to_json());
                        }
                        Json::Object(shown)
                    })
                    .collect();
                Ok(json!({"rows": rows}))
            }
            "update" => {
                let row = self.read_row(&table, &operation["row"])?;
                let found = self.find(&table, &operation["where"])?;
                for uuid in &found {
                    for (column, value) in &row {
                        self.store.set(&table, *uuid, column, value.clone());
                    }
                }
                Ok(json!({"count": found.len()}))
            }
            "mutate" => {
                let found = self.find(&table, &operation["where"])?;
                for mutation in operation["mutations"].as_array().into_iter().flatten() {
                    for uuid in &found {
                        self.mutate(&table, *uuid, mutation)?;
                    }
                }
                Ok(json!({"count": found.len()}))
            }
            "delete" => {
                let found = self.find(&table, &operation["where"])?;
                if let Some(rows) = self.store.rows.get_mut(&table) {
                    rows.retain(|uuid, _| !found.contains(uuid));
                }
                Ok(json!({"count": found.len()}))
            }
            "wait" => self.wait(&table, operation),
            other => Err(Fault::new("syntax error", format!("no operation {other:?}"))),
        }
    }

    fn insert(&mut self, place: usize, table: &str, operation: &Json) -> Result<Json, Fault> {
        let name = operation["uuid-name"].as_str().map_or_else(|| format!("\0{place}"), str::to_owned);
        let uuid = self.names[&name];
        let mut row = self.store.default_row(table);
        row.extend(self.read_row(table, &operation["row"])?);
        self.store.rows.entry(table.to_owned()).or_default().insert(uuid, row);
        Ok(json!({"uuid": Atom::Uuid(uuid).to_json()}))
    }

    fn read_row(&self, table: &str, json: &Json) -> Result<Row, Fault> {
        let columns = json.as_object().ok_or_else(|| Fault::new("syntax error", "a row is an object"))?;
        columns.iter().map(|(name, value)| Ok((name.clone(), self.read_value(table, name, value)?))).collect()
    }

    fn read_value(&self, table: &str, name: &str, json: &Json) -> Result<Value, Fault> {
        let column = self.store.schema[table]
            .columns
            .get(name)
            .ok_or_else(|| Fault::new("unknown column", format!("no column {name} in table {table}")))?;
        let value = Value::from_json(json, &self.names)
            .ok_or_else(|| Fault::new("syntax error", format!("{json} is no value for {name}")))?;
        column.fit(value).map_err(|error| Fault::new(error, format!("{json} does not fit column {name} of {table}")))
    }

    fn find(&self, table: &str, conditions: &Json) -> Result<Vec<Uuid>, Fault> {
        let conditions = conditions.as_array().ok_or_else(|| Fault::new("syntax error", "\"where\" is missing"))?;
        let tests = conditions.iter().map(|condition| self.test(table, condition)).collect::<Result<Vec<_>, _>>()?;
        let rows = self.store.table(table);
        Ok(rows.filter(|(uuid, row)| tests.iter().all(|test| test(**uuid, row))).map(|(uuid, _)| *uuid).collect())
    }

    fn test(&self, table: &str, condition: &Json) -> Result<Test, Fault> {
        let fault = || Fault::new("syntax error", format!("{condition} is no condition"));
        let (column, function) =
            (condition[0].as_str().ok_or_else(fault)?.to_owned(), condition[1].as_str().ok_or_else(fault)?.to_owned());
        if column != "_uuid" && !self.store.schema[table].columns.contains_key(&column) {
            return Err(Fault::new("unknown column", format!("no column {column} in table {table}")));
        }
        let wanted = Value::from_json(&condition[2], &self.names).ok_or_else(fault)?;
        Ok(Box::new(move |uuid, row| {
            let own = Value::one(Atom::Uuid(uuid));
            let value = if column == "_uuid" { &own } else { &row[&column] };
            match function.as_str() {
                "==" => same(value, &wanted),
                "!=" => !same(value, &wanted),
                "includes" => includes(value, &wanted),
                "excludes" => excludes(value, &wanted),
                "<" => value.integer() < wanted.integer(),
                "<=" => value.integer() <= wanted.integer(),
                ">" => value.integer() > wanted.integer(),
                ">=" => value.integer() >= wanted.integer(),
                _ => false,
            }
        }))
    }

    fn mutate(&mut self, table: &str, uuid: Uuid, mutation: &Json) -> Result<(), Fault> {
        let fault = || Fault::new("syntax error", format!("{mutation} is no mutation"));
        let (name, mutator) = (mutation[0].as_str().ok_or_else(fault)?, mutation[1].as_str().ok_or_else(fault)?);
        let by = Value::from_json(&mutation[2], &self.names).ok_or_else(fault)?;
        let Some(value) = self.store.row(table, uuid).and_then(|row| row.get(name)).cloned() else {
            return Err(Fault::new("unknown column", format!("no column {name} in table {table}")));
        };
        let changed = changed(value, mutator, by).ok_or_else(fault)?;
        let column = &self.store.schema[table].columns[name];
        let fitting = column
            .fit(changed)
            .map_err(|error| Fault::new(error, format!("{mutation} leaves what does not fit column {name}")))?;
        self.store.set(table, uuid, name, fitting);
        Ok(())
    }

    fn wait(&self, table: &str, operation: &Json) -> Result<Json, Fault> {
        let columns: Vec<&str> =
            operation["columns"].as_array().into_iter().flatten().filter_map(Json::as_str).collect();
        let found = self.find(table, &operation["where"])?;
        let shown = |row: &Row| -> Vec<Json> {
            columns.iter().map(|column| row.get(*column).map_or(Json::Null, Value::to_json)).collect()
        };
        let mut present: Vec<Vec<Json>> =
            found.iter().filter_map(|uuid| self.store.row(table, *uuid)).map(shown).collect();
        let mut wanted = Vec::new();
        for row in operation["rows"].as_array().into_iter().flatten() {
            let row = self.read_row(table, row)?;
            wanted.push(shown(&row));
        }
        let order = |row: &Vec<Json>| Json::Array(row.clone()).to_string();
        present.sort_by_key(order);
        wanted.sort_by_key(order);
        let equal = present == wanted;
        if (operation["until"] == "==") == equal {
            Ok(json!({}))
        } else {
            Err(Fault::new("timed out", "the rows are not as awaited"))
        }
    }
}

/// An empty map is written as an empty set by some clients.
fn same(value: &Value, wanted: &Value) -> bool {
    value == wanted || (value.is_empty() && wanted.is_empty())
}

fn includes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Set(value), Value::Set(wanted)) => wanted.is_subset(value),
        (Value::Map(value), Value::Map(wanted)) => wanted.iter().all(|(key, each)| value.get(key) == Some(each)),
        _ => wanted.is_empty(),
    }
}

fn excludes(value: &Value, wanted: &Value) -> bool {
    match (value, wanted) {
        (Value::Set(value), Value::Set(wanted)) => wanted.is_disjoint(value),
        (Value::Map(value), Value::Map(wanted)) => wanted.iter().all(|(key, each)| value.get(key) != Some(each)),
        _ => true,
    }
}

fn changed(value: Value, mutator: &str, by: Value) -> Option<Value> {
    Some(match (mutator, value, by) {
        ("insert", Value::Set(mut set), Value::Set(more)) => {
            set.extend(more);
            Value::Set(set)
        }
        ("insert", Value::Map(mut map), Value::Map(more)) => {
            for (key, each) in more {
                // A key that is there keeps its value.
                map.entry(key).or_insert(each);
            }
            Value::Map(map)
        }
        ("delete", Value::Set(mut set), Value::Set(less)) => {
            set.retain(|atom| !less.contains(atom));
            Value::Set(set)
        }
        ("delete", Value::Map(mut map), Value::Set(keys)) => {
            map.retain(|key, _| !keys.contains(key));
            Value::Map(map)
        }
        ("delete", Value::Map(mut map), Value::Map(pairs)) => {
            map.retain(|key, each| pairs.get(key) != Some(each));
            Value::Map(map)
        }
        ("insert", map @ Value::Map(_), Value::Set(none)) if none.is_empty() => map,
        (_, value, by) => {
            let (number, by) = (value.integer()?, by.integer()?);
            Value::one(match mutator {
                "+=" => number.checked_add(by)?,
                "-=" => number.checked_sub(by)?,
                "*=" => number.checked_mul(by)?,
                "/=" => number.checked_div(by)?,
                "%=" => number.checked_rem(by)?,
                _ => return None,
            })
        }
    })
}
