//! Flows one after the other as they were told first, each once.

use super::entry::{FlowMod, Record};
use super::hash::Quick;
use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

/// A flow with all that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FlowId(NonZeroU32);

impl FlowId {
    /// The flow at this place among all.
    pub(crate) fn new(place: usize) -> Self {
        let number = u32::try_from(place + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("memory ends before numbers do"))
    }

    const fn place(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// What names a flow within a table, numbered table by table as they were told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyId(pub(crate) u32);

/// Where one switch is in what it is being told.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bookmark(Option<FlowId>);

/// Every flow that any switch was ever told.
///
/// Switches are told mostly the same flows in the same order, so that the one to come is looked for first where it was found
/// last time after the one before. That is read from memory in order, while a map is a wait for memory each time.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    /// The records, each at a multiple of `UNIT`.
    bytes: Vec<u8>,
    lines: Vec<Line>,
    flows: Index,
    /// One flow of each key.
    keys: Index,
    /// How many keys each table has.
    key_counts: HashMap<u8, u32, Quick>,
}

/// What is known of a flow besides its record.
#[derive(Debug)]
struct Line {
    /// The record's place, in units.
    place: u32,
    key: KeyId,
    /// The flow that a switch was told after this one, as the number of its line. It is a hint and may be wrong.
    next: AtomicU32,
}

/// What places of records are multiples of.
const UNIT: usize = 8;

impl Ledger {
    /// The numbers of a flow and of its key, if any switch was told this flow before.
    pub(crate) fn find(&self, bookmark: &mut Bookmark, flow: &FlowMod<'_>) -> Option<(KeyId, FlowId)> {
        let before = bookmark.0.map(|before| &self.lines[before.place()].next);
        let hint = before.map_or(0, |next| next.load(Ordering::Relaxed)) as usize;
        let hinted = self.lines.get(hint).filter(|line| self.record(line).is(flow));
        let id = match hinted {
            Some(_) => FlowId::new(hint),
            None => {
                let id = self.flows.get(flow.hash(), |id| self.record(&self.lines[id.place()]).is(flow))?;
                if let Some(next) = before {
                    next.store(id.place() as u32, Ordering::Relaxed);
                }
                id
            }
        };
        *bookmark = Bookmark(Some(id));
        Some((self.lines[id.place()].key, id))
    }

    /// The number of a flow's key, if any flow of this key is known.
    pub(crate) fn key(&self, flow: &FlowMod<'_>) -> Option<KeyId> {
        let named = self.keys.get(flow.hash_of_key(), |id| self.record(&self.lines[id.place()]).is_named(flow));
        named.map(|id| self.lines[id.place()].key)
    }

    /// Finds a flow, or takes it in.
    pub(crate) fn take_in(&mut self, bookmark: &mut Bookmark, flow: &FlowMod<'_>) -> (KeyId, FlowId) {
        if let Some(found) = self.find(bookmark, flow) {
            return found;
        }
        let id = FlowId::new(self.lines.len());
        let key = match self.key(flow) {
            Some(key) => key,
            None => {
                let count = self.key_counts.entry(flow.table()).or_default();
                let key = KeyId(*count);
                *count += 1;
                self.keys.insert(flow.hash_of_key(), id);
                key
            }
        };
        let place = u32::try_from(self.bytes.len() / UNIT).expect("memory ends before numbers do");
        flow.put_record(&mut self.bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(UNIT), 0);
        self.lines.push(Line { place, key, next: AtomicU32::new(0) });
        self.flows.insert(flow.hash(), id);
        if let Some(before) = bookmark.0 {
            *self.lines[before.place()].next.get_mut() = id.place() as u32;
        }
        *bookmark = Bookmark(Some(id));
        (key, id)
    }

    /// The record of a flow.
    pub(crate) fn flow(&self, id: FlowId) -> Record<'_> {
        self.record(&self.lines[id.place()])
    }

    fn record(&self, line: &Line) -> Record<'_> {
        Record::at_start_of(&self.bytes[line.place as usize * UNIT..])
    }
}

/// Flows by a hash of what they are. One whose hash is taken has the next one that is free.
#[derive(Debug, Default)]
struct Index(HashMap<u64, FlowId, Quick>);

impl Index {
    /// The one that is it.
    fn get(&self, mut hash: u64, is_it: impl Fn(FlowId) -> bool) -> Option<FlowId> {
        loop {
            let id = *self.0.get(&hash)?;
            if is_it(id) {
                return Some(id);
            }
            hash = hash.wrapping_add(1);
        }
    }

    /// Takes in one that is not there.
    fn insert(&mut self, mut hash: u64, id: FlowId) {
        while self.0.contains_key(&hash) {
            hash = hash.wrapping_add(1);
        }
        self.0.insert(hash, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::{Action, Cookie, EncodedEdit, Field, Flow, FlowEdit, Match, PortNo, TableId};

    fn message(number: u32, port: u32) -> EncodedEdit {
        let matching = Match::new().with(Field::EthType, 0x0800).with(Field::Ipv4Src, number.into());
        let flow = Flow::new(TableId(1), 100, matching).cookie(Cookie(7)).apply([Action::output(PortNo(port))]);
        EncodedEdit::encode(&FlowEdit::AddFlow(flow)).expect("a small edit")
    }

    fn told(ledger: &mut Ledger, bookmark: &mut Bookmark, (number, port): (u32, u32)) -> FlowId {
        let message = message(number, port);
        let flow = FlowMod::read(message.message()).expect("a flow-mod");
        let (_, id) = ledger.take_in(bookmark, &flow);
        assert_eq!(ledger.find(&mut Bookmark(None), &flow).map(|(_, found)| found), Some(id));
        assert!(ledger.flow(id).is(&flow) && ledger.flow(id).is_named(&flow));
        id
    }

    #[test]
    fn a_wrong_hint_never_gives_a_wrong_flow() {
        let mut ledger = Ledger::default();
        let mut all = |order: &[(u32, u32)]| -> Vec<FlowId> {
            let mut bookmark = Bookmark::default();
            order.iter().map(|flow| told(&mut ledger, &mut bookmark, *flow)).collect()
        };
        let [a, b, c, d] = [(1, 1), (2, 1), (3, 1), (2, 2)];
        let first = all(&[a, b, c]);
        // In the same order, in another, with one that differs in what it does alone, one twice, and one left out.
        assert_eq!(all(&[a, b, c]), first);
        assert_eq!(all(&[c, b, a]), [first[2], first[1], first[0]]);
        let other = all(&[a, d, c]);
        assert_eq!((other[0], other[2]), (first[0], first[2]));
        assert!(!first.contains(&other[1]));
        assert_eq!(all(&[a, a, b, d, c, a]), [first[0], first[0], first[1], other[1], first[2], first[0]]);
        assert_eq!(all(&[a, c]), [first[0], first[2]]);
        // Every hint names every flow once.
        for hint in 0..6 {
            ledger.lines.iter().for_each(|line| line.next.store(hint, Ordering::Relaxed));
            let mut bookmark = Bookmark::default();
            let again = [a, b, c, d].map(|flow| told(&mut ledger, &mut bookmark, flow));
            assert_eq!(again, [first[0], first[1], first[2], other[1]]);
        }
        assert_eq!(ledger.lines.len(), 4);
    }

    #[test]
    fn keys_are_numbered_within_their_table() {
        let mut ledger = Ledger::default();
        let mut bookmark = Bookmark::default();
        let [one, unlike, two] = [(1, 1), (1, 2), (2, 1)].map(|flow| told(&mut ledger, &mut bookmark, flow));
        let key = |id: FlowId| ledger.lines[id.place()].key;
        assert_eq!((key(one), key(unlike), key(two)), (KeyId(0), KeyId(0), KeyId(1)));
        let unknown = message(3, 1);
        assert_eq!(ledger.key(&FlowMod::read(unknown.message()).expect("a flow-mod")), None);
    }

    #[test]
    fn flows_of_the_same_hash_are_told_apart() {
        let mut index = Index::default();
        let ids = [0, 1, 2].map(FlowId::new);
        // The second takes the place of the last, too.
        for (hash, id) in [(u64::MAX, ids[0]), (u64::MAX, ids[1]), (0, ids[2])] {
            assert_eq!(index.get(hash, |other| other == id), None);
            index.insert(hash, id);
        }
        for (hash, id) in [(u64::MAX, ids[0]), (u64::MAX, ids[1]), (0, ids[2])] {
            assert_eq!(index.get(hash, |other| other == id), Some(id));
        }
    }
}
