//! A row as it travels: values by column name, read with a type in mind.

use crate::value::{Atom, Datum, DatumError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// Some or all columns of a row (`<row>` of RFC 7047, section 5.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row {
    columns: BTreeMap<Cow<'static, str>, Datum>,
}

/// A column that is absent or of another type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    /// The row does not have the column.
    #[error("column '{0}' is missing")]
    Missing(String),
    /// The column holds something else.
    #[error("column '{column}': {source}")]
    Type {
        /// The column.
        column: String,
        /// What was expected and found.
        source: DatumError,
    },
}

impl IntoIterator for Row {
    type Item = (Cow<'static, str>, Datum);
    type IntoIter = std::collections::btree_map::IntoIter<Cow<'static, str>, Datum>;

    fn into_iter(self) -> Self::IntoIter {
        self.columns.into_iter()
    }
}

impl Row {
    /// A row without columns.
    pub const fn new() -> Self {
        Self { columns: BTreeMap::new() }
    }

    /// The row with one column more, or with another value in it.
    #[must_use]
    pub fn with(mut self, column: impl Into<Cow<'static, str>>, value: impl Into<Datum>) -> Self {
        self.insert(column, value);
        self
    }

    /// Sets a column.
    pub fn insert(&mut self, column: impl Into<Cow<'static, str>>, value: impl Into<Datum>) {
        self.columns.insert(column.into(), value.into());
    }

    /// The value of a column.
    pub fn get(&self, column: &str) -> Option<&Datum> {
        self.columns.get(column)
    }

    /// The columns in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Datum)> {
        self.columns.iter().map(|(name, datum)| (&**name, datum))
    }

    /// The names of the columns in order.
    pub fn names(&self) -> impl Iterator<Item = &Cow<'static, str>> {
        self.columns.keys()
    }

    /// Whether the row has no columns.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The number of columns.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    fn read<'a, T>(
        &'a self,
        column: &str,
        expected: &'static str,
        read: impl FnOnce(&'a Datum) -> Option<T>,
    ) -> Result<T, RowError> {
        let datum = self.get(column).ok_or_else(|| RowError::Missing(column.to_owned()))?;
        read(datum).ok_or_else(|| RowError::Type { column: column.to_owned(), source: datum.mismatch(expected) })
    }

    /// An integer.
    pub fn integer(&self, column: &str) -> Result<i64, RowError> {
        self.read(column, "an integer", |datum| match datum.atom() {
            Some(Atom::Integer(value)) => Some(*value),
            _ => None,
        })
    }

    /// A real number; an integer counts as one.
    pub fn real(&self, column: &str) -> Result<f64, RowError> {
        self.read(column, "a real number", |datum| match datum.atom() {
            Some(Atom::Real(value)) => Some(*value),
            Some(Atom::Integer(value)) => Some(*value as f64),
            _ => None,
        })
    }

    /// A boolean.
    pub fn boolean(&self, column: &str) -> Result<bool, RowError> {
        self.read(column, "a boolean", |datum| match datum.atom() {
            Some(Atom::Boolean(value)) => Some(*value),
            _ => None,
        })
    }

    /// A string.
    pub fn string(&self, column: &str) -> Result<&str, RowError> {
        self.read(column, "a string", |datum| match datum.atom() {
            Some(Atom::String(value)) => Some(value.as_str()),
            _ => None,
        })
    }

    /// A string, or nothing.
    pub fn optional_string(&self, column: &str) -> Result<Option<&str>, RowError> {
        self.read(column, "a string or nothing", |datum| match datum {
            Datum::Set(set) => match set.as_slice() {
                [] => Some(None),
                [Atom::String(value)] => Some(Some(value.as_str())),
                _ => None,
            },
            Datum::Map(_) => None,
        })
    }

    /// The identity of a row.
    pub fn uuid(&self, column: &str) -> Result<Uuid, RowError> {
        self.read(column, "a uuid", |datum| match datum.atom() {
            Some(Atom::Uuid(value)) => Some(*value),
            _ => None,
        })
    }

    /// A set of row identities.
    pub fn uuids(&self, column: &str) -> Result<BTreeSet<Uuid>, RowError> {
        self.read(column, "a set of uuids", |datum| match datum {
            Datum::Set(set) => set
                .iter()
                .map(|atom| match atom {
                    Atom::Uuid(value) => Some(*value),
                    _ => None,
                })
                .collect(),
            Datum::Map(_) => None,
        })
    }

    /// A map of strings to strings.
    pub fn strings(&self, column: &str) -> Result<BTreeMap<&str, &str>, RowError> {
        self.read(column, "a map of strings", |datum| match datum {
            Datum::Map(map) => map
                .iter()
                .map(|pair| match pair {
                    (Atom::String(key), Atom::String(value)) => Some((key.as_str(), value.as_str())),
                    _ => None,
                })
                .collect(),
            Datum::Set(_) => None,
        })
    }
}
