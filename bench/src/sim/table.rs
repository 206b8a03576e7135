//! The flows of one table of a switch.

use super::hash::Quick;
use super::ledger::{FlowId, KeyId};
use std::collections::HashMap;

/// Flows by the numbers of their keys. What is told in order has numbers side by side, so that they stand side by side here.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// Where each row is, by its number.
    places: HashMap<u32, u32, Quick>,
    /// The row that was looked for last, by number and place.
    last: Option<(u32, u32)>,
    len: usize,
}

/// The flows of neighbouring keys: as many as a line of the processor's cache has room for.
#[derive(Clone, Copy, Debug, Default)]
struct Row([Option<FlowId>; 16]);

const fn split(KeyId(key): KeyId) -> (u32, usize) {
    (key / 16, key as usize % 16)
}

impl Table {
    /// How many flows there are.
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The flows.
    pub(crate) fn flows(&self) -> impl Iterator<Item = FlowId> {
        self.rows.iter().flat_map(|Row(flows)| flows.iter().copied().flatten())
    }

    /// Adds a flow, in place of one with the same key.
    pub(crate) fn insert(&mut self, key: KeyId, flow: FlowId) {
        let (row, column) = split(key);
        let place = match self.last {
            Some((number, place)) if number == row => place,
            _ => {
                let next = u32::try_from(self.rows.len()).expect("memory ends before numbers do");
                let place = *self.places.entry(row).or_insert(next);
                if place == next {
                    self.rows.push(Row::default());
                }
                self.last = Some((row, place));
                place
            }
        };
        if self.rows[place as usize].0[column].replace(flow).is_none() {
            self.len += 1;
        }
    }

    /// Deletes the flow of a key.
    pub(crate) fn remove(&mut self, key: KeyId) {
        let (row, column) = split(key);
        let flow = self.places.get(&row).and_then(|place| self.rows[*place as usize].0[column].take());
        if flow.is_some() {
            self.len -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_holds_what_was_added_last() {
        let mut table = Table::default();
        let flows = [5, 6, 7].map(FlowId::new);
        let [near, next, far] = [3, 4, 1_000_000].map(KeyId);
        for (key, flow) in [(near, 0), (far, 1), (next, 2), (near, 1), (far, 1)] {
            table.insert(key, flows[flow]);
        }
        assert_eq!((table.len(), table.flows().collect::<Vec<_>>()), (3, vec![flows[1], flows[2], flows[1]]));
        for key in [near, near, KeyId(999_999), KeyId(77)] {
            table.remove(key);
        }
        assert_eq!((table.len(), table.flows().collect::<Vec<_>>()), (2, vec![flows[2], flows[1]]));
        table.insert(near, flows[0]);
        assert_eq!((table.len(), table.flows().next()), (3, Some(flows[0])));
    }
}
