//! Flows and groups of all switches, each kept once: a thousand switches hold mostly the same.

use super::entry::FlowMod;
use super::hash::Quick;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use weir_openflow::message::GroupEntries;
use weir_openflow::{EncodedEdit, FlowEdit, Group};

/// A flow with all that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct FlowId(u32);

/// What names a flow within a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyId(u32);

/// Everything that any switch was ever told. Nothing is forgotten, as a benchmark ends soon.
#[derive(Debug, Default)]
pub(crate) struct Book {
    flows: RwLock<Flows>,
    groups: Mutex<HashMap<Box<[u8]>, Arc<Group>>>,
}

#[derive(Debug, Default)]
struct Flows {
    ids: HashMap<Arc<[u8]>, (KeyId, FlowId), Quick>,
    entries: Vec<Arc<[u8]>>,
    keys: HashMap<Box<[u8]>, KeyId, Quick>,
}

impl Flows {
    fn key(&mut self, key: &[u8]) -> KeyId {
        let next = KeyId(u32::try_from(self.keys.len()).unwrap_or(u32::MAX));
        match self.keys.get(key) {
            Some(id) => *id,
            None => *self.keys.entry(key.into()).or_insert(next),
        }
    }
}

thread_local! {
    /// Where a flow is put together to be looked up.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lends a buffer that `put` has filled.
fn with<T>(put: impl FnOnce(&mut Vec<u8>), take: impl FnOnce(&[u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        put(scratch);
        take(scratch)
    })
}

impl Book {
    /// The number of a flow's key.
    pub(crate) fn key(&self, flow: &FlowMod<'_>) -> KeyId {
        with(
            |out| flow.put_key(out),
            |key| {
                if let Some(id) = self.flows.read().unwrap_or_else(PoisonError::into_inner).keys.get(key) {
                    return *id;
                }
                self.flows.write().unwrap_or_else(PoisonError::into_inner).key(key)
            },
        )
    }

    /// The numbers of a flow and of its key.
    pub(crate) fn flow(&self, flow: &FlowMod<'_>) -> (KeyId, FlowId) {
        let known = with(
            |out| flow.put_entry(out),
            |entry| self.flows.read().unwrap_or_else(PoisonError::into_inner).ids.get(entry).copied(),
        );
        if let Some(ids) = known {
            return ids;
        }
        let mut flows = self.flows.write().unwrap_or_else(PoisonError::into_inner);
        let key = with(|out| flow.put_key(out), |key| flows.key(key));
        with(
            |out| flow.put_entry(out),
            |entry| {
                if let Some(ids) = flows.ids.get(entry) {
                    return *ids;
                }
                let id = FlowId(u32::try_from(flows.entries.len()).unwrap_or(u32::MAX));
                let entry: Arc<[u8]> = entry.into();
                flows.entries.push(Arc::clone(&entry));
                flows.ids.insert(entry, (key, id));
                (key, id)
            },
        )
    }

    /// Hands out the entries of flows one after the other.
    pub(crate) fn entries(&self, flows: impl Iterator<Item = FlowId>, mut take: impl FnMut(&[u8])) {
        let book = self.flows.read().unwrap_or_else(PoisonError::into_inner);
        for FlowId(flow) in flows {
            take(&book.entries[flow as usize]);
        }
    }

    /// The group that a group-mod makes; none if it makes none that can be read.
    pub(crate) fn group_of(&self, edit: &EncodedEdit) -> Option<Arc<Group>> {
        let body = &edit.message()[8..];
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(group) = groups.get(body) {
            return Some(Arc::clone(group));
        }
        let FlowEdit::AddGroup(group) = edit.decode().ok()? else { return None };
        let group = Arc::new(group);
        groups.insert(body.into(), Arc::clone(&group));
        Some(group)
    }

    /// The shared copy of a group.
    pub(crate) fn group(&self, group: Group) -> Arc<Group> {
        let description = GroupEntries::from_iter([&group]).bytes().clone();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(groups.entry(description[..].into()).or_insert_with(|| Arc::new(group)))
    }
}
