//! An edit as it travels.

use crate::message::BundleAdd;
use crate::wire::{put_delete_head, put_flow_delete, put_flow_mod, put_group_mod, put_meter_mod};
use crate::{BucketId, Cookie, FlowEdit, GroupId, MAX_MESSAGE_LEN, MeterId, Phase, RawKey, TableId};
use bytes::{BufMut, Bytes, BytesMut};
use std::sync::Arc;

/// A flow-mod, group-mod or meter-mod as it travels: the whole message, its xid left to whoever sends it.
///
/// Encoded once, shared by every switch that it goes to. Several edits may be slices of one allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncodedEdit {
    message: Bytes,
    /// What the message says, where it is at hand: edits are sorted and sent by the hundred thousand, and most of their
    /// messages are not in any cache.
    phase: Phase,
    table: TableId,
}

/// What an encoded edit is about; the cheap form of [`EditKey`](crate::EditKey), told from the bytes alone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EncodedKey {
    /// A flow.
    Flow {
        /// Its table.
        table: TableId,
        /// Its priority.
        priority: u16,
        /// Its match as encoded, without padding.
        matching: Bytes,
    },
    /// A group.
    Group(GroupId),
    /// A bucket of a group.
    Bucket(GroupId, BucketId),
    /// A meter.
    Meter(MeterId),
}

/// Offsets within the messages (OpenFlow 1.5, sections 7.3.4.2 to 7.3.4.4).
mod at {
    pub(super) const KIND: usize = 1;
    pub(super) const LENGTH: usize = 2;
    pub(super) const COOKIE: usize = 8;
    pub(super) const TABLE: usize = 24;
    pub(super) const COMMAND: usize = 25;
    pub(super) const PRIORITY: usize = 30;
    pub(super) const MATCH: usize = 48;
    pub(super) const GROUP_COMMAND: usize = 8;
    pub(super) const GROUP_KIND: usize = 10;
    pub(super) const GROUP: usize = 12;
    pub(super) const BUCKETS_LENGTH: usize = 16;
    pub(super) const COMMAND_BUCKET: usize = 20;
    pub(super) const BUCKETS: usize = 24;
    pub(super) const BUCKET: usize = 28;
    pub(super) const METER_COMMAND: usize = 8;
    pub(super) const METER: usize = 12;
}

/// As long as most flow-mods are, or longer.
const USUAL_LENGTH: usize = 192;

const FLOW_MOD: u8 = 14;
const GROUP_MOD: u8 = 15;
const METER_MOD: u8 = 29;
const VERSION: u8 = 6;
const DELETE_STRICT: u8 = 4;
const GROUP_DELETE: u16 = 2;
const INSERT_BUCKET: u16 = 3;
const REMOVE_BUCKET: u16 = 5;
const GROUP_ALL: u8 = 0;
const METER_MODIFY: u8 = 1;
const METER_DELETE: u16 = 2;

/// A message is longer than the 65,535 bytes that it can have, or an edit is when a bundle's message is around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message of {length} bytes is longer than OpenFlow allows")]
pub struct TooLong {
    /// How many bytes it takes.
    pub length: usize,
}

impl EncodedEdit {
    /// The type of a flow-mod.
    pub(crate) const FLOW_MOD: u8 = FLOW_MOD;
    /// The type of a group-mod.
    pub(crate) const GROUP_MOD: u8 = GROUP_MOD;

    /// Encodes an edit as one message, its xid 0.
    ///
    /// - `DeleteFlow` is `OFPFC_DELETE_STRICT`; `AddGroup` is `OFPGC_ADD_OR_MOD` of Open vSwitch, which adds a group or
    ///   puts it in place of the one that is there.
    /// - `InsertBucket` is `OFPGC_INSERT_BUCKET` after the other buckets: a switch refuses it when the bucket is there.
    ///   `RemoveBucket` is `OFPGC_REMOVE_BUCKET`: a switch refuses it when the bucket is not there.
    /// - `AddMeter` is `OFPMC_ADD`: a switch refuses it when the meter is there, and wants [`Self::meter_change`].
    ///   Open vSwitch takes no meter-mod within a bundle.
    ///
    /// # Errors
    /// When the edit does not fit into one message.
    pub fn encode(edit: &FlowEdit) -> Result<Self, TooLong> {
        let mut out = BytesMut::with_capacity(USUAL_LENGTH);
        Self::put_edit(&mut out, edit)?;
        Ok(Self::new(out.freeze()))
    }

    /// Encodes edits as one message each, one after the other in one piece of memory.
    ///
    /// # Errors
    /// When an edit does not fit into one message.
    pub fn encode_all<'a>(edits: impl IntoIterator<Item = &'a FlowEdit>) -> Result<Arc<[Self]>, TooLong> {
        let edits = edits.into_iter();
        let mut out = BytesMut::with_capacity(edits.size_hint().0 * USUAL_LENGTH);
        let mut count = 0;
        for edit in edits {
            Self::put_edit(&mut out, edit)?;
            count += 1;
        }
        // A copy has no room to spare, as what is kept for long should not.
        let mut rest = Bytes::copy_from_slice(&out);
        let next = |_| {
            let length = u16::from_be_bytes([rest[at::LENGTH], rest[at::LENGTH + 1]]);
            Self::new(rest.split_to(length.into()))
        };
        Ok((0..count).map(next).collect())
    }

    fn put_edit(out: &mut BytesMut, edit: &FlowEdit) -> Result<(), TooLong> {
        match edit {
            FlowEdit::AddFlow(flow) => Self::put(out, |out| put_flow_mod(out, flow), FLOW_MOD),
            FlowEdit::DeleteFlow(key) => Self::put(out, |out| put_flow_delete(out, key), FLOW_MOD),
            FlowEdit::AddMeter(_) | FlowEdit::DeleteMeter(_) => {
                Self::put(out, |out| put_meter_mod(out, edit), METER_MOD)
            }
            _ => Self::put(out, |out| put_group_mod(out, edit), GROUP_MOD),
        }
    }

    /// A message that is long enough for what its kind has.
    fn new(message: Bytes) -> Self {
        let phase = phase_of(&message);
        let is_flow = matches!(phase, Phase::AddFlow | Phase::DeleteFlow);
        let table = if is_flow { TableId(message[at::TABLE]) } else { TableId(0) };
        Self { message, phase, table }
    }

    /// The same edit for a switch that has the meter already: `OFPMC_MODIFY` in place of `OFPMC_ADD`. Any other edit
    /// stays as it is.
    #[must_use]
    pub fn meter_change(&self) -> Self {
        if self.phase() != Phase::Meter {
            return self.clone();
        }
        let mut message = BytesMut::from(&self.message[..]);
        message[at::METER_COMMAND + 1] = METER_MODIFY;
        Self::new(message.freeze())
    }

    /// The addition of the same group with these buckets, which are inserted into it, after its own. None if this does
    /// not add a group of kind [`All`](crate::GroupKind::All), without properties, or does not have room for them all.
    #[must_use]
    pub fn with_buckets<'a>(&self, insertions: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let buckets_end = |edit: &Self| at::BUCKETS + usize::from(edit.u16(at::BUCKETS_LENGTH));
        let is_plain = self.phase == Phase::Group
            && self.message[at::GROUP_KIND] == GROUP_ALL
            && buckets_end(self) == self.message.len();
        if !is_plain {
            return None;
        }
        let mut message = BytesMut::from(&self.message[..]);
        for insertion in insertions {
            message.put_slice(insertion.message.get(at::BUCKETS..buckets_end(insertion))?);
        }
        let length = length_of(message.len())?;
        message[at::LENGTH..at::LENGTH + 2].copy_from_slice(&length.to_be_bytes());
        let buckets = length - at::BUCKETS as u16;
        message[at::BUCKETS_LENGTH..at::BUCKETS_LENGTH + 2].copy_from_slice(&buckets.to_be_bytes());
        Some(Self::new(message.freeze()))
    }

    /// Writes a message of `kind` with the xid 0.
    pub(crate) fn put(out: &mut BytesMut, body: impl FnOnce(&mut BytesMut), kind: u8) -> Result<(), TooLong> {
        let start = out.len();
        out.put_slice(&[VERSION, kind, 0, 0, 0, 0, 0, 0]);
        body(out);
        let length = out.len() - start;
        let short = length_of(length).ok_or(TooLong { length })?;
        out[start + 2..start + 4].copy_from_slice(&short.to_be_bytes());
        Ok(())
    }

    /// The flow-mod that deletes exactly the flow of a key, whose match is an `ofp_match` without padding.
    pub(crate) fn flow_deletion(table: TableId, priority: u16, matching: &[u8]) -> Self {
        let mut out = BytesMut::with_capacity(at::MATCH + matching.len() + 8);
        let body = |out: &mut BytesMut| {
            put_delete_head(out, table, priority);
            out.put_slice(matching);
            out.put_bytes(0, matching.len().next_multiple_of(8) - matching.len());
        };
        Self::put(&mut out, body, FLOW_MOD).expect("a deletion is no longer than what it deletes");
        Self::new(out.freeze())
    }

    /// Takes a whole message, header included. None if it is no flow-mod, group-mod or meter-mod of a single object,
    /// or is too short to tell which.
    #[must_use]
    pub fn from_message(message: Bytes) -> Option<Self> {
        let length = match *message.get(at::KIND)? {
            FLOW_MOD => at::MATCH + usize::from(u16::from_be_bytes([*message.get(50)?, *message.get(51)?])),
            GROUP_MOD => match u16::from_be_bytes([*message.get(8)?, *message.get(9)?]) {
                INSERT_BUCKET => at::BUCKET + 4,
                _ => at::COMMAND_BUCKET + 4,
            },
            METER_MOD => at::METER + 4,
            _ => return None,
        };
        (message.len() >= length).then(|| Self::new(message))
    }

    /// The whole message, header included.
    #[must_use]
    pub const fn message(&self) -> &Bytes {
        &self.message
    }

    /// What the edit is about.
    #[must_use]
    pub fn key(&self) -> EncodedKey {
        match self.message[at::KIND] {
            FLOW_MOD => EncodedKey::Flow {
                table: self.table,
                priority: self.u16(at::PRIORITY),
                matching: self.message.slice(at::MATCH..at::MATCH + self.match_length()),
            },
            GROUP_MOD => {
                let group = GroupId(self.u32(at::GROUP));
                match self.u16(at::GROUP_COMMAND) {
                    INSERT_BUCKET => EncodedKey::Bucket(group, BucketId(self.u32(at::BUCKET))),
                    REMOVE_BUCKET => EncodedKey::Bucket(group, BucketId(self.u32(at::COMMAND_BUCKET))),
                    _ => EncodedKey::Group(group),
                }
            }
            _ => EncodedKey::Meter(MeterId(self.u32(at::METER))),
        }
    }

    /// What names the flow that the edit is about, as bytes; none for groups and meters.
    #[must_use]
    pub fn raw_key(&self) -> Option<RawKey<'_>> {
        self.table().map(|table| RawKey {
            table,
            priority: self.u16(at::PRIORITY),
            matching: &self.message[at::MATCH..at::MATCH + self.match_length()],
        })
    }

    /// Where the edit stands within a bundle.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        self.phase
    }

    /// The table of a flow; none for groups and meters.
    #[must_use]
    pub const fn table(&self) -> Option<TableId> {
        match self.phase {
            Phase::AddFlow | Phase::DeleteFlow => Some(self.table),
            _ => None,
        }
    }

    /// The owner that a flow-mod names; none for groups and meters.
    #[must_use]
    pub fn cookie(&self) -> Option<Cookie> {
        let cookie = self.message.get(at::COOKIE..at::COOKIE + 8)?.try_into().ok()?;
        (self.message[at::KIND] == FLOW_MOD).then(|| Cookie(u64::from_be_bytes(cookie)))
    }

    /// Whether this edit, an addition, leaves just what `other` leaves: they differ in their xid at most.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> bool {
        self.message.len() == other.message.len()
            && self.message[..4] == other.message[..4]
            && self.message[8..] == other.message[8..]
    }

    /// The edit that takes away what this edit adds.
    #[must_use]
    pub fn withdrawal(&self) -> Self {
        let edit = match self.key() {
            EncodedKey::Flow { table, priority, matching } => return Self::flow_deletion(table, priority, &matching),
            EncodedKey::Group(group) => FlowEdit::DeleteGroup(group),
            EncodedKey::Bucket(group, bucket) => FlowEdit::RemoveBucket { group, bucket },
            EncodedKey::Meter(meter) => FlowEdit::DeleteMeter(meter),
        };
        Self::encode(&edit).expect("a deletion of a group, bucket or meter is short")
    }

    fn match_length(&self) -> usize {
        usize::from(self.u16(at::MATCH + 2))
    }

    fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.message[at], self.message[at + 1]])
    }

    fn u32(&self, at: usize) -> u32 {
        u32::from(self.u16(at)) << 16 | u32::from(self.u16(at + 2))
    }
}

/// The length as it travels of an edit that fits into a bundle.
fn length_of(length: usize) -> Option<u16> {
    u16::try_from(length).ok().filter(|_| length + BundleAdd::OVERHEAD <= MAX_MESSAGE_LEN)
}

fn phase_of(message: &[u8]) -> Phase {
    let u16 = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    match message[at::KIND] {
        FLOW_MOD if message[at::COMMAND] == DELETE_STRICT => Phase::DeleteFlow,
        FLOW_MOD => Phase::AddFlow,
        GROUP_MOD => match u16(at::GROUP_COMMAND) {
            GROUP_DELETE => Phase::DeleteGroup,
            INSERT_BUCKET => Phase::InsertBucket,
            REMOVE_BUCKET => Phase::RemoveBucket,
            _ => Phase::Group,
        },
        _ if u16(at::METER_COMMAND) == METER_DELETE => Phase::DeleteMeter,
        _ => Phase::Meter,
    }
}

impl EncodedKey {
    /// Whether a later edit of this key makes an earlier edit of `other` needless; see [`EditKey::supersedes`](crate::EditKey::supersedes).
    #[must_use]
    pub fn supersedes(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Group(group), Self::Bucket(of, _)) => group == of,
            _ => self == other,
        }
    }
}
