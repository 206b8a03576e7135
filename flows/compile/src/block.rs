//! All that a circle shares in a bridge, in one piece of memory.

use crate::kept::Encoded;
use crate::{Bridge, Unit};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::ops::Range;
use weir_model::HostKey;
use weir_openflow::{EditRun, EncodedEdit, Phase, TableId};

/// All additions of a circle's units in a bridge, by phases and tables.
///
/// A hypervisor that is told everything gets it without a look at each unit, and as its switch is told, memory is read
/// from one end to the other.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    edits: EditRun,
    /// What hypervisors do not hold of it, in ascending order.
    left_out: BTreeMap<HostKey, Vec<Range<usize>>>,
}

/// Where an edit stands in a block. What one hypervisor does not hold stands together within a table.
type Order = (Phase, Option<TableId>, Option<HostKey>);

impl Block {
    /// Moves the messages of the units into one piece of memory.
    pub(crate) fn of(units: &mut BTreeMap<Unit, Encoded>, bridge: Bridge) -> Self {
        let mut order: Vec<(Order, usize)> = Vec::new();
        let mut edits: Vec<EncodedEdit> = Vec::new();
        for encoded in units.values() {
            for edit in encoded.edits(bridge).iter() {
                order.push(((edit.phase(), edit.table(), encoded.except), edits.len()));
                edits.push(edit.clone());
            }
        }
        order.sort_unstable();
        gather(&mut edits, order.iter().map(|(_, place)| *place));
        let mut moved = edits.iter();
        for encoded in units.values_mut() {
            let count = encoded.edits(bridge).len();
            encoded.set(bridge, moved.by_ref().take(count).cloned().collect());
        }
        let mut left_out: BTreeMap<HostKey, Vec<Range<usize>>> = BTreeMap::new();
        for (place, ((_, _, except), _)) in order.iter().enumerate() {
            let Some(host) = *except else { continue };
            let ranges = left_out.entry(host).or_default();
            match ranges.last_mut() {
                Some(last) if last.end == place => last.end += 1,
                _ => ranges.push(place..place + 1),
            }
        }
        let sorted: Vec<EncodedEdit> = order.into_iter().map(|(_, place)| edits[place].clone()).collect();
        Self { edits: sorted.into(), left_out }
    }

    /// What a hypervisor of the circle holds of it.
    pub(crate) fn held_by(&self, host: HostKey) -> impl Iterator<Item = EditRun> {
        let left_out = self.left_out.get(&host).map(Vec::as_slice).unwrap_or_default();
        let starts = std::iter::once(0).chain(left_out.iter().map(|range| range.end));
        let ends = left_out.iter().map(|range| range.start).chain(std::iter::once(self.edits.len()));
        starts.zip(ends).filter(|(start, end)| start < end).map(|(start, end)| self.edits.slice(start..end))
    }
}

/// Moves the messages of edits into one piece of memory, those at these places first.
fn gather(edits: &mut [EncodedEdit], order: impl Iterator<Item = usize> + Clone) {
    let mut messages = Vec::with_capacity(order.clone().map(|place| edits[place].message().len()).sum());
    order.clone().for_each(|place| messages.extend_from_slice(edits[place].message()));
    let mut rest = Bytes::from(messages);
    for place in order {
        let message = rest.split_to(edits[place].message().len());
        edits[place] = EncodedEdit::from_message(message).expect("what was encoded is an edit");
    }
}
