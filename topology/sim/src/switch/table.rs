//! The flows of one bridge with their counters.

use super::classifier::Classifier;
use crate::packet::Fields;
use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use weir_openflow::{Flow, FlowKey, TableId};

/// A flow in the order of its key.
#[derive(Clone, Debug)]
struct Keyed(Arc<Flow>);

impl Borrow<FlowKey> for Keyed {
    fn borrow(&self) -> &FlowKey {
        &self.0.key
    }
}

impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.0.key == other.0.key
    }
}

impl Eq for Keyed {}

impl PartialOrd for Keyed {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Keyed {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.key.cmp(&other.0.key)
    }
}

/// What a flow has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets that it matched.
    pub packets: u64,
    /// Bytes that it matched.
    pub bytes: u64,
    /// When it matched last.
    pub used: Duration,
}

/// Since when a flow is there, and what it counted once it did.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) created: Duration,
    pub(super) counters: Option<Box<Counters>>,
}

impl Record {
    pub(super) fn counters(&self) -> Counters {
        self.counters.as_deref().copied().unwrap_or(Counters { used: self.created, ..Counters::default() })
    }
}

/// Packets looked up in a table, and how many of them matched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounters {
    /// Packets looked up.
    pub lookups: u64,
    /// Packets that matched.
    pub matched: u64,
}

/// Every table of one bridge. The order of search is built when a packet first needs it, so that a switch that sees
/// no packet costs a pointer a flow.
#[derive(Debug, Default)]
pub(super) struct Tables {
    flows: BTreeMap<Keyed, Record>,
    indexes: BTreeMap<TableId, Classifier>,
    pub(super) lookups: BTreeMap<TableId, LookupCounters>,
}

impl Tables {
    /// Puts a flow in; what was there with the same key is handed back.
    pub(super) fn insert(&mut self, flow: Arc<Flow>, record: Record) -> Option<(Arc<Flow>, Record)> {
        if let Some(index) = self.indexes.get_mut(&flow.key.table) {
            index.insert(&flow);
        }
        let keyed = Keyed(flow);
        let before = self.flows.remove_entry(&keyed).map(|(old, record)| (old.0, record));
        self.flows.insert(keyed, record);
        before
    }

    /// Takes a flow out.
    pub(super) fn remove(&mut self, key: &FlowKey) -> Option<(Arc<Flow>, Record)> {
        let (Keyed(flow), record) = self.flows.remove_entry(key)?;
        if let Some(index) = self.indexes.get_mut(&key.table) {
            index.remove(&flow);
        }
        Some((flow, record))
    }

    /// Takes every flow out.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn get(&self, key: &FlowKey) -> Option<(&Arc<Flow>, &Record)> {
        self.flows.get_key_value(key).map(|(keyed, record)| (&keyed.0, record))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<Flow>, &Record)> {
        self.flows.iter().map(|(keyed, record)| (&keyed.0, record))
    }

    pub(super) fn len(&self) -> usize {
        self.flows.len()
    }

    /// The flow that the packet meets in a table, counted.
    pub(super) fn lookup(
        &mut self,
        table: TableId,
        fields: &Fields,
        length: usize,
        now: Duration,
    ) -> Option<Arc<Flow>> {
        let flows = &self.flows;
        let index = self.indexes.entry(table).or_insert_with(|| {
            let mut index = Classifier::default();
            for Keyed(flow) in flows.keys().filter(|keyed| keyed.0.key.table == table) {
                index.insert(flow);
            }
            index
        });
        let found = index.lookup(fields);
        let counted = self.lookups.entry(table).or_default();
        counted.lookups += 1;
        if let Some(flow) = &found {
            counted.matched += 1;
            if let Some(record) = self.flows.get_mut(&flow.key) {
                let counters = record.counters.get_or_insert_default();
                counters.packets += 1;
                counters.bytes += length as u64;
                counters.used = now;
            }
        }
        found
    }
}
