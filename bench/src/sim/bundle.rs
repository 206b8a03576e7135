//! A bundle that waits to be committed.

use super::tables::Change;
use weir_openflow::Xid;

/// Changes in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    /// Whether nothing can be added any more.
    pub(crate) closed: bool,
    changes: Vec<(Xid, Change)>,
}

impl Bundle {
    /// Adds what a message says.
    pub(crate) fn add(&mut self, xid: Xid, change: Change) {
        self.changes.push((xid, change));
    }

    /// The changes.
    pub(crate) fn changes(&self) -> impl Iterator<Item = &Change> + Clone {
        self.changes.iter().map(|(_, change)| change)
    }

    /// The message that the change at this place came by.
    pub(crate) fn xid(&self, place: usize) -> Xid {
        self.changes[place].0
    }

    /// The message that the last change came by.
    pub(crate) fn last_xid(&self) -> Option<Xid> {
        self.changes.last().map(|(xid, _)| *xid)
    }
}
