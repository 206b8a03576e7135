//! Flows and groups of all switches, each kept once: a thousand switches hold mostly the same.

use super::entry::{FlowMod, Record};
use super::groups::Buckets;
use super::ledger::{Bookmark, FlowId, KeyId, Ledger};
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

/// Everything that any switch was ever told. Nothing is forgotten, as a benchmark ends soon.
#[derive(Debug, Default)]
pub(crate) struct Book {
    flows: RwLock<Ledger>,
    buckets: Mutex<Buckets>,
}

/// The book opened at its flows. Nobody else can take flows in meanwhile, so it is for as long as it takes to go through what
/// a connection brought at once. Who has it open must not open it again.
#[derive(Debug)]
pub(crate) struct Open<'a> {
    book: &'a Book,
    /// Given back only while a flow is taken in.
    flows: Option<RwLockReadGuard<'a, Ledger>>,
}

impl Open<'_> {
    fn ledger(&mut self) -> &Ledger {
        self.flows.get_or_insert_with(|| self.book.flows.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The number of a flow's key, if any switch was told a flow of this key.
    pub(crate) fn key(&mut self, flow: &FlowMod<'_>) -> Option<KeyId> {
        self.ledger().key(flow)
    }

    /// The numbers of a flow and of its key.
    pub(crate) fn flow(&mut self, bookmark: &mut Bookmark, flow: &FlowMod<'_>) -> (KeyId, FlowId) {
        if let Some(found) = self.ledger().find(bookmark, flow) {
            return found;
        }
        self.flows = None;
        self.book.flows.write().unwrap_or_else(PoisonError::into_inner).take_in(bookmark, flow)
    }

    /// Hands out flows one after the other.
    pub(crate) fn records(&mut self, flows: impl Iterator<Item = FlowId>, mut take: impl FnMut(Record<'_>)) {
        let ledger = self.ledger();
        flows.for_each(|flow| take(ledger.flow(flow)));
    }
}

impl Book {
    /// Opens it.
    pub(crate) const fn open(&self) -> Open<'_> {
        Open { book: self, flows: None }
    }

    /// The groups' buckets.
    pub(crate) fn buckets(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
