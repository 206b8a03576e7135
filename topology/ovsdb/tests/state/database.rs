//! A database in memory: transactions as RFC 7047 has them, updates as ovsdb-server(7) has them.

use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use weir_ovsdb::{
    Atom, AtomKind, Change, Condition, Datum, Function, Mutation, Mutator, Operation, OperationResult, Row, RowChange,
    Shape, TableNeed, Until, needed_tables,
};

type Rows = BTreeMap<(&'static str, Uuid), Row>;

/// All rows, each with all columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Database {
    pub(crate) rows: Rows,
    next: u128,
}

/// The transaction failed at this operation, or (one past the last) when it was committed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed(pub(crate) usize);

impl Database {
    /// With the one row that `ovs-vsctl init` makes.
    pub(crate) fn with_root(columns: Row) -> Self {
        let mut database = Self::default();
        database.put("Open_vSwitch", columns);
        database
    }

    pub(crate) fn root(&self) -> Uuid {
        let (uuid, _) = self.table("Open_vSwitch").next().expect("the root");
        uuid
    }

    pub(crate) fn table(&self, table: &str) -> impl Iterator<Item = (Uuid, &Row)> {
        self.rows.iter().filter(move |((name, _), _)| *name == table).map(|((_, uuid), row)| (*uuid, row))
    }

    pub(crate) fn named(&self, table: &str, name: &str) -> Option<(Uuid, &Row)> {
        self.table(table).find(|(_, row)| row.string("name") == Ok(name))
    }

    /// Adds a row with defaults for the columns not given.
    pub(crate) fn put(&mut self, table: &str, columns: Row) -> Uuid {
        self.next += 1;
        let uuid = Uuid::from_u128(self.next);
        let need = need(table);
        let mut row = Row::new();
        for column in need.columns {
            row.insert(column.name, default(column.shape));
        }
        for (column, datum) in columns {
            assert!(row.get(&column).is_some(), "column {column} of {table}");
            row.insert(column, datum);
        }
        self.rows.insert((need.name, uuid), row);
        uuid
    }

    pub(crate) fn set(&mut self, table: &str, uuid: Uuid, column: &'static str, datum: Datum) {
        let row = self.rows.get_mut(&(need(table).name, uuid)).expect("the row");
        row.insert(column, datum);
    }

    /// Drops rows that nothing refers to, as for all tables but the root ones.
    pub(crate) fn collect_garbage(&mut self) {
        loop {
            let used: BTreeSet<Uuid> = self.rows.values().flat_map(references).collect();
            let before = self.rows.len();
            self.rows.retain(|(table, uuid), _| *table == "Open_vSwitch" || used.contains(uuid));
            if self.rows.len() == before {
                return;
            }
        }
    }

    /// Everything, as the reply to `monitor_cond` has it: without default values.
    pub(crate) fn dump(&self) -> Vec<RowChange> {
        self.updates_from(&Rows::new())
            .into_iter()
            .map(|change| RowChange {
                change: match change.change {
                    Change::Insert(row) => Change::Initial(row),
                    other => other,
                },
                ..change
            })
            .collect()
    }

    /// The update that a monitor sends for the difference.
    pub(crate) fn updates_from(&self, before: &Rows) -> Vec<RowChange> {
        let keys: BTreeSet<_> = before.keys().chain(self.rows.keys()).copied().collect();
        keys.into_iter()
            .filter_map(|(table, uuid)| {
                let (old, new) = (before.get(&(table, uuid)), self.rows.get(&(table, uuid)));
                let change = match (old, new) {
                    (None, Some(new)) => Change::Insert(without_defaults(table, new)),
                    (Some(_), None) => Change::Delete,
                    (Some(old), Some(new)) if old != new => Change::Modify(difference(table, old, new)),
                    _ => return None,
                };
                Some(RowChange { table, uuid, change })
            })
            .collect()
    }

    /// Carries a transaction out as a whole or not at all.
    pub(crate) fn transact(&mut self, operations: &[Operation]) -> Result<Vec<OperationResult>, Failed> {
        let mut names: BTreeMap<String, Uuid> = BTreeMap::new();
        for operation in operations {
            if let Operation::Insert { uuid_name: Some(name), .. } = operation {
                self.next += 1;
                let fresh = names.insert(name.clone(), Uuid::from_u128(self.next));
                assert_eq!(fresh, None, "a name given twice");
            }
        }
        let mut after = self.clone();
        let mut results = Vec::new();
        for (index, operation) in operations.iter().enumerate() {
            let result = after.execute(operation, &names).ok_or(Failed(index))?;
            results.push(result);
        }
        for table in ["Bridge", "Port", "Interface"] {
            let all: Vec<_> = after.table(table).map(|(_, row)| row.get("name")).collect();
            let distinct: BTreeSet<_> = all.iter().collect();
            if distinct.len() < all.len() {
                return Err(Failed(operations.len()));
            }
        }
        after.collect_garbage();
        *self = after;
        Ok(results)
    }

    fn execute(&mut self, operation: &Operation, names: &BTreeMap<String, Uuid>) -> Option<OperationResult> {
        match operation {
            Operation::Insert { table, row, uuid_name } => {
                let row: Row = resolve_row(row, names);
                let uuid = self.put(table, row);
                let row = self.rows.remove(&(need(table).name, uuid))?;
                let uuid = uuid_name.as_ref().map_or(uuid, |name| names[name]);
                self.rows.insert((need(table).name, uuid), row);
                Some(OperationResult::Inserted(uuid))
            }
            Operation::Select { table, conditions, columns } => {
                let rows = self.matching(table, conditions);
                let columns = columns.as_ref().expect("columns are named");
                Some(OperationResult::Rows(rows.iter().map(|uuid| self.project(table, *uuid, columns)).collect()))
            }
            Operation::Update { table, conditions, row } => {
                let rows = self.matching(table, conditions);
                for uuid in &rows {
                    let stored = self.rows.get_mut(&(need(table).name, *uuid))?;
                    for (column, datum) in resolve_row(row, names) {
                        assert!(stored.get(&column).is_some(), "column {column} of {table}");
                        stored.insert(column, datum);
                    }
                }
                Some(OperationResult::Count(rows.len() as u64))
            }
            Operation::Mutate { table, conditions, mutations } => {
                let rows = self.matching(table, conditions);
                for uuid in &rows {
                    let stored = self.rows.get_mut(&(need(table).name, *uuid))?;
                    for mutation in mutations {
                        let old = stored.get(&mutation.column)?.clone();
                        let new = mutate(&old, mutation, names);
                        stored.insert(mutation.column.clone(), new);
                    }
                }
                Some(OperationResult::Count(rows.len() as u64))
            }
            Operation::Wait { table, conditions, columns, until, rows, .. } => {
                let found: Vec<Row> =
                    self.matching(table, conditions).iter().map(|uuid| self.project(table, *uuid, columns)).collect();
                ((found == *rows) == (*until == Until::Equal)).then_some(OperationResult::Done)
            }
            Operation::Comment { .. } | Operation::Commit { .. } => Some(OperationResult::Done),
            Operation::Delete { .. } | Operation::Abort | Operation::Assert { .. } => {
                panic!("no plan does {operation:?}")
            }
        }
    }

    fn matching(&self, table: &str, conditions: &[Condition]) -> Vec<Uuid> {
        self.table(table)
            .map(|(uuid, _)| uuid)
            .filter(|uuid| {
                conditions.iter().all(|condition| {
                    assert_eq!((&*condition.column, condition.function), ("_uuid", Function::Equal));
                    condition.value == (*uuid).into()
                })
            })
            .collect()
    }

    fn project(&self, table: &str, uuid: Uuid, columns: &[weir_ovsdb::Name]) -> Row {
        let row = &self.rows[&(need(table).name, uuid)];
        columns.iter().fold(Row::new(), |projected, column| {
            projected.with(column.clone(), row.get(column).expect("a column").clone())
        })
    }
}

fn need(table: &str) -> TableNeed {
    needed_tables().into_iter().find(|need| need.name == table).expect("a table")
}

fn default(shape: Shape) -> Datum {
    match shape {
        Shape::Scalar(AtomKind::Integer) => 0_i64.into(),
        Shape::Scalar(AtomKind::Real) => Atom::Real(0.0).into(),
        Shape::Scalar(AtomKind::Boolean) => false.into(),
        Shape::Scalar(AtomKind::String) => "".into(),
        Shape::Scalar(AtomKind::Uuid) => Uuid::nil().into(),
        Shape::Optional(_) | Shape::Set(_) => Datum::empty(),
        Shape::Map(..) => Datum::empty_map(),
    }
}

fn without_defaults(table: &str, row: &Row) -> Row {
    need(table)
        .columns
        .iter()
        .filter_map(|column| Some((column, row.get(column.name)?)))
        .filter(|(column, datum)| **datum != default(column.shape))
        .fold(Row::new(), |kept, (column, datum)| kept.with(column.name, datum.clone()))
}

/// What a `modify` carries.
fn difference(table: &str, old: &Row, new: &Row) -> Row {
    let mut changed = Row::new();
    for column in need(table).columns {
        let (old, new) = (&old.get(column.name), &new.get(column.name));
        let (Some(old), Some(new)) = (old, new) else {
            continue;
        };
        if old == new {
            continue;
        }
        let datum = match (column.shape, old, new) {
            (Shape::Set(_), Datum::Set(old), Datum::Set(new)) => {
                let old: BTreeSet<_> = old.iter().cloned().collect();
                let new: BTreeSet<_> = new.iter().cloned().collect();
                Datum::set(old.symmetric_difference(&new).cloned())
            }
            (Shape::Map(..), Datum::Map(old), Datum::Map(new)) => {
                let old: BTreeMap<_, _> = old.iter().cloned().collect();
                let new: BTreeMap<_, _> = new.iter().cloned().collect();
                let keys: BTreeSet<_> = old.keys().chain(new.keys()).cloned().collect();
                Datum::map(keys.into_iter().filter_map(|key| {
                    let pair = match (old.get(&key), new.get(&key)) {
                        (Some(a), Some(b)) if a == b => return None,
                        (_, Some(value)) | (Some(value), None) => value.clone(),
                        (None, None) => return None,
                    };
                    Some((key, pair))
                }))
            }
            _ => (*new).clone(),
        };
        changed.insert(column.name, datum);
    }
    changed
}

fn references(row: &Row) -> Vec<Uuid> {
    let uuid = |atom: &Atom| match atom {
        Atom::Uuid(uuid) => Some(*uuid),
        _ => None,
    };
    row.iter()
        .flat_map(|(_, datum)| match datum {
            Datum::Set(set) => set.iter().filter_map(uuid).collect::<Vec<_>>(),
            Datum::Map(map) => map.iter().filter_map(|(_, value)| uuid(value)).collect(),
        })
        .collect()
}

fn resolve(atom: &Atom, names: &BTreeMap<String, Uuid>) -> Atom {
    match atom {
        Atom::NamedUuid(name) => Atom::Uuid(names[name]),
        other => other.clone(),
    }
}

fn resolve_datum(datum: &Datum, names: &BTreeMap<String, Uuid>) -> Datum {
    match datum {
        Datum::Set(set) => Datum::set(set.iter().map(|atom| resolve(atom, names))),
        Datum::Map(map) => Datum::map(map.iter().map(|(key, value)| (resolve(key, names), resolve(value, names)))),
    }
}

fn resolve_row(row: &Row, names: &BTreeMap<String, Uuid>) -> Row {
    row.iter()
        .fold(Row::new(), |resolved, (column, datum)| resolved.with(column.to_owned(), resolve_datum(datum, names)))
}

fn mutate(old: &Datum, mutation: &Mutation, names: &BTreeMap<String, Uuid>) -> Datum {
    let value = resolve_datum(&mutation.value, names);
    match (mutation.mutator, old, &value) {
        (Mutator::Add, _, _) => match (old.atom(), value.atom()) {
            (Some(Atom::Integer(a)), Some(Atom::Integer(b))) => (a + b).into(),
            other => panic!("{other:?}"),
        },
        (Mutator::Insert, Datum::Set(old), Datum::Set(new)) => Datum::set(old.iter().chain(new.iter()).cloned()),
        (Mutator::Delete, Datum::Set(old), Datum::Set(gone)) => {
            Datum::set(old.iter().filter(|atom| !gone.as_slice().contains(atom)).cloned())
        }
        // The first pair of a key stays: a key that is there keeps its value.
        (Mutator::Insert, Datum::Map(old), Datum::Map(new)) => Datum::map(old.iter().chain(new.iter()).cloned()),
        (Mutator::Delete, Datum::Map(old), Datum::Set(keys)) => {
            Datum::map(old.iter().filter(|(key, _)| !keys.as_slice().contains(key)).cloned())
        }
        other => panic!("{other:?}"),
    }
}
