//! Edits that stand one after the other in memory.

use crate::EncodedEdit;
use std::fmt;
use std::ops::{Deref, Range};
use std::sync::Arc;

/// Some edits of a row that others may share, without a copy of any.
#[derive(Clone, Default)]
pub struct EditRun {
    row: Arc<[EncodedEdit]>,
    start: usize,
    end: usize,
}

impl EditRun {
    /// Those of the run that stand within `range`.
    ///
    /// # Panics
    /// When the range reaches beyond the run.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(range.start <= range.end && range.end <= self.len(), "{range:?} of {} edits", self.len());
        Self { row: Arc::clone(&self.row), start: self.start + range.start, end: self.start + range.end }
    }
}

impl Deref for EditRun {
    type Target = [EncodedEdit];

    fn deref(&self) -> &[EncodedEdit] {
        &self.row[self.start..self.end]
    }
}

impl From<Arc<[EncodedEdit]>> for EditRun {
    fn from(row: Arc<[EncodedEdit]>) -> Self {
        Self { start: 0, end: row.len(), row }
    }
}

impl From<Vec<EncodedEdit>> for EditRun {
    fn from(edits: Vec<EncodedEdit>) -> Self {
        Arc::<[EncodedEdit]>::from(edits).into()
    }
}

impl PartialEq for EditRun {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for EditRun {}

impl fmt::Debug for EditRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
