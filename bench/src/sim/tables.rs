//! What a switch holds, by number.

use super::book::{Book, Open};
use super::entry::{FlowCommand, FlowMod};
use super::groups::Groups;
use super::ledger::{Bookmark, FlowId, KeyId};
use super::table::Table;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_openflow::message::ErrorCode;
use weir_openflow::{EncodedEdit, FlowEdit, Group, Meter, MeterId, TableId};

/// Why a switch refuses an edit (OpenFlow 1.5, section 7.5.4).
pub(crate) mod refusal {
    use weir_openflow::message::ErrorCode;

    const fn code(kind: u16, code: u16) -> ErrorCode {
        ErrorCode { kind, code, experimenter: None }
    }

    pub(crate) const BAD_TYPE: ErrorCode = code(1, 1);
    pub(crate) const BAD_LENGTH: ErrorCode = code(1, 6);
    pub(crate) const UNKNOWN_GROUP: ErrorCode = code(6, 8);
    pub(crate) const BUCKET_EXISTS: ErrorCode = code(6, 15);
    pub(crate) const UNKNOWN_BUCKET: ErrorCode = code(6, 16);
    pub(crate) const METER_EXISTS: ErrorCode = code(12, 1);
    pub(crate) const UNKNOWN_METER: ErrorCode = code(12, 3);
    pub(crate) const BUNDLE_BAD_ID: ErrorCode = code(17, 2);
    pub(crate) const BUNDLE_FAILED: ErrorCode = code(17, 13);
}

/// An edit as it waits in a bundle.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Adds a flow, in place of one with the same key.
    Add(KeyId, FlowId, u8),
    /// Deletes a flow; nothing if no switch was ever told one of this key.
    Delete(Option<KeyId>, u8),
    /// Changes a group.
    Group(Box<EncodedEdit>),
}

impl Change {
    /// Reads a flow-mod or group-mod, header included.
    pub(crate) fn read(book: &mut Open<'_>, bookmark: &mut Bookmark, message: &[u8]) -> Result<Self, ErrorCode> {
        /// `OFPT_FLOW_MOD` and `OFPT_GROUP_MOD`.
        const FLOW_MOD: u8 = 14;
        const GROUP_MOD: u8 = 15;
        match message.get(1) {
            Some(&FLOW_MOD) => {
                let flow = FlowMod::read(message).ok_or(refusal::BAD_LENGTH)?;
                Ok(match flow.command {
                    FlowCommand::Add => {
                        let (key, id) = book.flow(bookmark, &flow);
                        Self::Add(key, id, flow.table())
                    }
                    FlowCommand::DeleteStrict => Self::Delete(book.key(&flow), flow.table()),
                })
            }
            Some(&GROUP_MOD) => {
                let edit = EncodedEdit::from_message(Bytes::copy_from_slice(message)).ok_or(refusal::BAD_LENGTH)?;
                Ok(Self::Group(Box::new(edit)))
            }
            _ => Err(refusal::BAD_TYPE),
        }
    }
}

/// Flows, groups and meters of a switch.
///
/// What a real switch checks beyond that, whether actions name groups and meters that exist and whether matches make
/// sense, is left to the tests on real ones.
#[derive(Debug)]
pub(crate) struct Tables {
    book: Arc<Book>,
    /// The flows of each table, at its number. Most tables never have any.
    flows: Vec<Option<Box<Table>>>,
    groups: Groups,
    meters: BTreeMap<MeterId, Meter>,
}

impl Tables {
    /// Empty tables.
    pub(crate) fn new(book: Arc<Book>) -> Self {
        Self { book, flows: Vec::new(), groups: Groups::default(), meters: BTreeMap::new() }
    }

    /// The book that the flows are in.
    pub(crate) const fn book(&self) -> &Arc<Book> {
        &self.book
    }

    /// The flows of one table or of all, table by table.
    pub(crate) fn flows(&self, table: TableId) -> impl Iterator<Item = FlowId> {
        let meant = match table {
            TableId::ALL => self.flows.as_slice(),
            TableId(number) => self.flows.get(usize::from(number)).map_or(&[][..], std::slice::from_ref),
        };
        meant.iter().flatten().flat_map(|table| table.flows())
    }

    /// How many flows there are.
    pub(crate) fn len(&self) -> usize {
        self.flows.iter().flatten().map(|table| table.len()).sum()
    }

    /// How many flows a table has.
    pub(crate) fn active(&self, table: u8) -> usize {
        self.flows.get(usize::from(table)).and_then(Option::as_ref).map_or(0, |table| table.len())
    }

    fn table(&mut self, number: u8) -> &mut Table {
        let place = usize::from(number);
        if place >= self.flows.len() {
            self.flows.resize_with(place + 1, || None);
        }
        self.flows[place].get_or_insert_default()
    }

    /// The groups.
    pub(crate) fn groups(&self) -> Vec<Group> {
        let buckets = self.book.buckets();
        self.groups.iter().map(|held| buckets.whole(held)).collect()
    }

    /// The meters.
    pub(crate) fn meters(&self) -> impl Iterator<Item = &Meter> {
        self.meters.values()
    }

    /// Does all of a bundle or, if one of its edits is refused, none of it: the place of that one, and why.
    pub(crate) fn commit<'a>(
        &mut self,
        changes: impl IntoIterator<Item = &'a Change, IntoIter: Clone>,
    ) -> Result<(), (usize, ErrorCode)> {
        let changes = changes.into_iter();
        // Only edits of groups can be refused.
        let book = &self.book;
        let edits = changes.clone().enumerate().filter_map(|(place, change)| match change {
            Change::Group(edit) => Some((place, book.buckets().read(edit))),
            _ => None,
        });
        self.groups.change(edits)?;
        for change in changes {
            match *change {
                Change::Add(key, flow, table) => self.table(table).insert(key, flow),
                Change::Delete(Some(key), table) => self.table(table).remove(key),
                Change::Delete(None, _) | Change::Group(_) => {}
            }
        }
        Ok(())
    }

    /// Takes a meter-mod, header included.
    pub(crate) fn change_meter(&mut self, message: &[u8]) -> Result<(), ErrorCode> {
        /// `OFPMC_MODIFY`.
        const MODIFY: u8 = 1;
        let edit = EncodedEdit::from_message(Bytes::copy_from_slice(message)).ok_or(refusal::BAD_LENGTH)?;
        let modifies = message[9] == MODIFY;
        match edit.decode() {
            Ok(FlowEdit::AddMeter(meter)) => match (self.meters.contains_key(&meter.id), modifies) {
                (true, false) => return Err(refusal::METER_EXISTS),
                (false, true) => return Err(refusal::UNKNOWN_METER),
                _ => {
                    self.meters.insert(meter.id, meter);
                }
            },
            Ok(FlowEdit::DeleteMeter(meter)) => {
                self.meters.remove(&meter);
            }
            _ => return Err(refusal::BAD_LENGTH),
        }
        Ok(())
    }
}
