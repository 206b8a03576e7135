//! Many edits in an order.

use crate::{EditRun, EncodedEdit};
use std::sync::Arc;

/// Edits in the order in which a switch is to see them, by runs that others may share.
///
/// A clone is shared until one of the two is changed.
#[derive(Clone, Debug, Default)]
pub struct Edits {
    runs: Arc<Vec<EditRun>>,
    len: usize,
}

impl Edits {
    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The runs, none of them empty.
    #[must_use]
    pub fn runs(&self) -> &[EditRun] {
        &self.runs
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = &EncodedEdit> {
        self.runs.iter().flat_map(|run| run.iter())
    }

    /// Adds edits after all others.
    pub fn push(&mut self, run: impl Into<EditRun>) {
        let run = run.into();
        if !run.is_empty() {
            self.len += run.len();
            Arc::make_mut(&mut self.runs).push(run);
        }
    }

    /// Takes the first `count` off, or all if there are no more.
    #[must_use]
    pub fn take_first(&mut self, count: usize) -> Self {
        if count >= self.len {
            return std::mem::take(self);
        }
        let (at, within) = self.find(count);
        let mut rest = Arc::make_mut(&mut self.runs).split_off(at);
        let mut first = Self { runs: std::mem::take(&mut self.runs), len: count - within };
        if let Some(run) = rest.first_mut() {
            let (before, after) = (run.slice(0..within), run.slice(within..run.len()));
            *run = after;
            first.push(before);
        }
        *self = Self { runs: Arc::new(rest), len: self.len - count };
        first
    }

    /// Takes the edit at a place out.
    pub fn remove(&mut self, place: usize) -> Option<EncodedEdit> {
        if place >= self.len {
            return None;
        }
        let (at, within) = self.find(place);
        let run = self.runs[at].clone();
        let sides = [run.slice(0..within), run.slice(within + 1..run.len())];
        Arc::make_mut(&mut self.runs).splice(at..=at, sides.into_iter().filter(|side| !side.is_empty()));
        self.len -= 1;
        Some(run[within].clone())
    }

    /// The run that has a place, and where the place is in it.
    fn find(&self, place: usize) -> (usize, usize) {
        let mut within = place;
        for (at, run) in self.runs.iter().enumerate() {
            if within < run.len() {
                return (at, within);
            }
            within -= run.len();
        }
        (self.runs.len(), within)
    }
}

impl From<Vec<EncodedEdit>> for Edits {
    fn from(edits: Vec<EncodedEdit>) -> Self {
        let mut all = Self::default();
        all.push(edits);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Flow, FlowEdit, Match, TableId};
    use proptest::prelude::*;

    fn edit(number: u16) -> EncodedEdit {
        EncodedEdit::encode(&FlowEdit::AddFlow(Flow::new(TableId(1), number, Match::new()))).expect("a small edit")
    }

    fn numbers(edits: &Edits) -> Vec<u16> {
        edits.iter().map(|edit| edit.raw_key().expect("a flow").priority).collect()
    }

    fn row(from: u16, count: usize) -> Vec<EncodedEdit> {
        (from..).take(count).map(edit).collect()
    }

    proptest! {
        /// Runs in a row do what one vector does.
        #[test]
        fn runs_are_as_a_vector(
            lengths in proptest::collection::vec(0..5usize, 0..6),
            steps in proptest::collection::vec((any::<bool>(), 0..16usize), 0..6),
        ) {
            let (mut edits, mut expected) = (Edits::default(), Vec::new());
            for length in lengths {
                let from = expected.len() as u16 + 1;
                // A run need not be all of its row.
                let whole = EditRun::from(row(from - 1, length + 2));
                edits.push(whole.slice(1..length + 1));
                expected.extend((from..).take(length));
            }
            for (removes, place) in steps {
                prop_assert_eq!(edits.len(), expected.len());
                let before = edits.clone();
                if removes {
                    let removed = edits.remove(place).map(|edit| edit.raw_key().expect("a flow").priority);
                    let is_there = place < expected.len();
                    prop_assert_eq!(removed, is_there.then(|| expected[place]));
                    prop_assert_eq!(before.len(), expected.len(), "a clone stays as it was");
                    prop_assert_eq!(numbers(&before), &expected[..]);
                    if is_there {
                        expected.remove(place);
                    }
                } else {
                    let first = edits.take_first(place);
                    let rest = expected.split_off(place.min(expected.len()));
                    prop_assert_eq!(first.len(), expected.len());
                    prop_assert_eq!(numbers(&first), expected);
                    prop_assert!(first.runs().iter().all(|run| !run.is_empty()));
                    expected = rest;
                }
                prop_assert_eq!(numbers(&edits), &expected[..]);
                prop_assert!(edits.runs().iter().all(|run| !run.is_empty()));
            }
        }
    }
}
