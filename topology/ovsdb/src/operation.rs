//! The operations of a transaction and what they answer (RFC 7047, section 5.2).

use crate::row::Row;
use crate::value::Datum;
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::time::Duration;
use uuid::Uuid;

/// The name of a table or column; mostly known when Weir is compiled.
pub type Name = Cow<'static, str>;

/// How a condition compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Function {
    /// Less than.
    #[serde(rename = "<")]
    Less,
    /// At most.
    #[serde(rename = "<=")]
    LessOrEqual,
    /// Equal.
    #[serde(rename = "==")]
    Equal,
    /// Different.
    #[serde(rename = "!=")]
    NotEqual,
    /// At least.
    #[serde(rename = ">=")]
    GreaterOrEqual,
    /// Greater than.
    #[serde(rename = ">")]
    Greater,
    /// The column holds every element of the value.
    #[serde(rename = "includes")]
    Includes,
    /// The column holds no element of the value.
    #[serde(rename = "excludes")]
    Excludes,
}

/// A test on one column (`<condition>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The column.
    pub column: Name,
    /// The comparison.
    pub function: Function,
    /// What the column is compared with.
    pub value: Datum,
}

impl Condition {
    /// A test on one column.
    pub fn new(column: impl Into<Name>, function: Function, value: impl Into<Datum>) -> Self {
        Self { column: column.into(), function, value: value.into() }
    }

    /// Names exactly one row.
    pub fn is_row(uuid: Uuid) -> Self {
        Self::new("_uuid", Function::Equal, uuid)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.column, self.function, &self.value).serialize(serializer)
    }
}

/// How a mutation changes a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Mutator {
    /// Adds a number.
    #[serde(rename = "+=")]
    Add,
    /// Takes a number away.
    #[serde(rename = "-=")]
    Subtract,
    /// Multiplies by a number.
    #[serde(rename = "*=")]
    Multiply,
    /// Divides by a number.
    #[serde(rename = "/=")]
    Divide,
    /// The remainder of a division.
    #[serde(rename = "%=")]
    Modulo,
    /// Puts elements into a set, or pairs into a map **whose keys are not there yet**.
    #[serde(rename = "insert")]
    Insert,
    /// Takes elements out of a set, or keys (given as a set) or exact pairs out of a map.
    #[serde(rename = "delete")]
    Delete,
}

/// A change in place of one column (`<mutation>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mutation {
    /// The column.
    pub column: Name,
    /// The kind of change.
    pub mutator: Mutator,
    /// By what it changes.
    pub value: Datum,
}

impl Mutation {
    /// A change in place of one column.
    pub fn new(column: impl Into<Name>, mutator: Mutator, value: impl Into<Datum>) -> Self {
        Self { column: column.into(), mutator, value: value.into() }
    }
}

impl Serialize for Mutation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (&self.column, self.mutator, &self.value).serialize(serializer)
    }
}

/// What a wait waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Until {
    /// The rows found are the rows given.
    #[serde(rename = "==")]
    Equal,
    /// The rows found are not the rows given.
    #[serde(rename = "!=")]
    NotEqual,
}

/// One operation of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Adds a row (5.2.1).
    Insert {
        /// The table.
        table: Name,
        /// Columns other than their defaults.
        row: Row,
        /// How the other operations of the transaction call the new row.
        uuid_name: Option<String>,
    },
    /// Reads rows (5.2.2).
    Select {
        /// The table.
        table: Name,
        /// Which rows: those that pass all.
        conditions: Vec<Condition>,
        /// Which columns; `None` for all.
        columns: Option<Vec<Name>>,
    },
    /// Sets columns of rows (5.2.3).
    Update {
        /// The table.
        table: Name,
        /// Which rows: those that pass all.
        conditions: Vec<Condition>,
        /// The columns and their new values.
        row: Row,
    },
    /// Changes columns of rows in place (5.2.4).
    Mutate {
        /// The table.
        table: Name,
        /// Which rows: those that pass all.
        conditions: Vec<Condition>,
        /// The changes, carried out in this order.
        mutations: Vec<Mutation>,
    },
    /// Deletes rows (5.2.5).
    Delete {
        /// The table.
        table: Name,
        /// Which rows: those that pass all.
        conditions: Vec<Condition>,
    },
    /// Waits until rows are, or are not, as given (5.2.6). With a time-out of zero it is a
    /// guard: the transaction fails at once when the database is not as expected.
    Wait {
        /// The table.
        table: Name,
        /// Which rows: those that pass all.
        conditions: Vec<Condition>,
        /// The columns compared.
        columns: Vec<Name>,
        /// Whether to wait for sameness or difference.
        until: Until,
        /// The rows compared with.
        rows: Vec<Row>,
        /// How long to wait, in whole milliseconds; `None` for ever.
        timeout: Option<Duration>,
    },
    /// Asks for the transaction to be on disk before the answer (5.2.7).
    Commit {
        /// Whether it has to be.
        durable: bool,
    },
    /// Makes the transaction fail (5.2.8).
    Abort,
    /// A note for the database's log (5.2.9).
    Comment {
        /// The note.
        comment: String,
    },
    /// Fails unless the session owns the lock (5.2.10).
    Assert {
        /// The lock.
        lock: String,
    },
}

/// The kind of an operation: what its answer looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OperationKind {
    Insert,
    Select,
    Count(&'static str),
    Nothing(&'static str),
}

impl OperationKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Insert => "insert",
            Self::Select => "select",
            Self::Count(name) | Self::Nothing(name) => name,
        }
    }
}

impl Operation {
    /// The operation's name on the wire.
    pub const fn name(&self) -> &'static str {
        self.kind().name()
    }

    pub(crate) const fn kind(&self) -> OperationKind {
        match self {
            Self::Insert { .. } => OperationKind::Insert,
            Self::Select { .. } => OperationKind::Select,
            Self::Update { .. } => OperationKind::Count("update"),
            Self::Mutate { .. } => OperationKind::Count("mutate"),
            Self::Delete { .. } => OperationKind::Count("delete"),
            Self::Wait { .. } => OperationKind::Nothing("wait"),
            Self::Commit { .. } => OperationKind::Nothing("commit"),
            Self::Abort => OperationKind::Nothing("abort"),
            Self::Comment { .. } => OperationKind::Nothing("comment"),
            Self::Assert { .. } => OperationKind::Nothing("assert"),
        }
    }
}

impl Serialize for Operation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(None)?;
        object.serialize_entry("op", self.name())?;
        match self {
            Self::Insert { table, row, uuid_name } => {
                object.serialize_entry("table", table)?;
                object.serialize_entry("row", row)?;
                if let Some(name) = uuid_name {
                    object.serialize_entry("uuid-name", name)?;
                }
            }
            Self::Select { table, conditions, columns } => {
                object.serialize_entry("table", table)?;
                object.serialize_entry("where", conditions)?;
                if let Some(columns) = columns {
                    object.serialize_entry("columns", columns)?;
                }
            }
            Self::Update { table, conditions, row } => {
                object.serialize_entry("table", table)?;
                object.serialize_entry("where", conditions)?;
                object.serialize_entry("row", row)?;
            }
            Self::Mutate { table, conditions, mutations } => {
                object.serialize_entry("table", table)?;
                object.serialize_entry("where", conditions)?;
                object.serialize_entry("mutations", mutations)?;
            }
            Self::Delete { table, conditions } => {
                object.serialize_entry("table", table)?;
                object.serialize_entry("where", conditions)?;
            }
            Self::Wait { table, conditions, columns, until, rows, timeout } => {
                if let Some(timeout) = timeout {
                    let milliseconds = i64::try_from(timeout.as_millis()).unwrap_or(i64::MAX);
                    object.serialize_entry("timeout", &milliseconds)?;
                }
                object.serialize_entry("table", table)?;
                object.serialize_entry("where", conditions)?;
                object.serialize_entry("columns", columns)?;
                object.serialize_entry("until", until)?;
                object.serialize_entry("rows", rows)?;
            }
            Self::Commit { durable } => object.serialize_entry("durable", durable)?,
            Self::Abort => {}
            Self::Comment { comment } => object.serialize_entry("comment", comment)?,
            Self::Assert { lock } => object.serialize_entry("lock", lock)?,
        }
        object.end()
    }
}

/// The parameters of `transact`: the database, then the operations.
pub(crate) struct TransactParams<'a> {
    pub(crate) database: &'a str,
    pub(crate) operations: &'a [Operation],
}

impl Serialize for TransactParams<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(Some(self.operations.len() + 1))?;
        list.serialize_element(self.database)?;
        for operation in self.operations {
            list.serialize_element(operation)?;
        }
        list.end()
    }
}

/// What one operation answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperationResult {
    /// The identity of the new row.
    Inserted(Uuid),
    /// The rows read.
    Rows(Vec<Row>),
    /// How many rows an update, mutate or delete met.
    Count(u64),
    /// The operation has no answer of its own.
    Done,
}

/// Why a transaction changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransactError {
    /// One operation failed.
    #[error("operation {index} ({operation}): {error}{}", Details(details))]
    Operation {
        /// Its place in the transaction, from 0.
        index: usize,
        /// Its name on the wire.
        operation: &'static str,
        /// The error's name (RFC 7047, section 3.1 and 5.2).
        error: String,
        /// The server's explanation.
        details: Option<String>,
    },
    /// Every operation passed, but the result breaks the schema.
    #[error("commit: {error}{}", Details(details))]
    Commit {
        /// The error's name.
        error: String,
        /// The server's explanation.
        details: Option<String>,
    },
    /// The server did not take the request.
    #[error("the request was refused: {0}")]
    Refused(String),
    /// The answer does not fit the operations.
    #[error("the answer does not fit the operations: {0}")]
    Answer(String),
}

impl TransactError {
    /// Whether the database had changed under a guard, so that planning anew will help.
    pub fn is_race(&self) -> bool {
        match self {
            Self::Operation { operation, error, .. } => *operation == "wait" && error == "timed out",
            Self::Commit { error, .. } => error == "constraint violation",
            Self::Refused(_) | Self::Answer(_) => false,
        }
    }
}

struct Details<'a>(&'a Option<String>);

impl std::fmt::Display for Details<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(details) => write!(f, ": {details}"),
            None => Ok(()),
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    uuid: Option<Datum>,
    #[serde(default)]
    rows: Option<Vec<Row>>,
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    details: Option<String>,
}

/// Reads the result of `transact`: one element for each operation, `null` after the first
/// failure, and one element more when only the commit failed.
pub(crate) fn read_results(kinds: &[OperationKind], result: &RawValue) -> Result<Vec<OperationResult>, TransactError> {
    let answers: Vec<Option<Answer>> =
        serde_json::from_str(result.get()).map_err(|error| TransactError::Answer(error.to_string()))?;
    let mut results = Vec::with_capacity(kinds.len());
    for (index, answer) in answers.into_iter().enumerate() {
        let kind = kinds.get(index).copied();
        let missing = |what: &str| TransactError::Answer(format!("operation {index} answered without {what}"));
        let answer = answer.ok_or_else(|| missing("an error before it"))?;
        if let Some(error) = answer.error {
            let details = answer.details;
            return Err(match kind {
                Some(kind) => TransactError::Operation { index, operation: kind.name(), error, details },
                None => TransactError::Commit { error, details },
            });
        }
        results.push(match kind {
            Some(OperationKind::Insert) => match answer.uuid.as_ref().and_then(Datum::atom) {
                Some(crate::value::Atom::Uuid(uuid)) => OperationResult::Inserted(*uuid),
                _ => return Err(missing("a uuid")),
            },
            Some(OperationKind::Select) => OperationResult::Rows(answer.rows.ok_or_else(|| missing("rows"))?),
            Some(OperationKind::Count(_)) => OperationResult::Count(answer.count.ok_or_else(|| missing("a count"))?),
            Some(OperationKind::Nothing(_)) => OperationResult::Done,
            None => return Err(TransactError::Answer("more answers than operations".into())),
        });
    }
    if results.len() < kinds.len() {
        return Err(TransactError::Answer(format!("{} answers for {} operations", results.len(), kinds.len())));
    }
    Ok(results)
}
