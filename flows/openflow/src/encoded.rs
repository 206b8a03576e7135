//! An edit as it travels.

use crate::{BucketId, Cookie, GroupId, MeterId, Phase, TableId};
use bytes::{BufMut, Bytes, BytesMut};

/// A flow-mod, group-mod or meter-mod as it travels: the whole message, its xid left to whoever sends it.
///
/// Encoded once, shared by every switch that it goes to. Several edits may be slices of one allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EncodedEdit {
    message: Bytes,
}

/// What an encoded edit is about; the cheap form of [`EditKey`], told from the bytes alone.
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
    pub(super) const COOKIE: usize = 8;
    pub(super) const TABLE: usize = 24;
    pub(super) const COMMAND: usize = 25;
    pub(super) const PRIORITY: usize = 30;
    pub(super) const OUT_PORT: usize = 36;
    pub(super) const FLAGS: usize = 44;
    pub(super) const MATCH: usize = 48;
    pub(super) const GROUP_COMMAND: usize = 8;
    pub(super) const GROUP: usize = 12;
    pub(super) const COMMAND_BUCKET: usize = 20;
    pub(super) const BUCKET: usize = 28;
    pub(super) const METER_COMMAND: usize = 8;
    pub(super) const METER: usize = 12;
}

const FLOW_MOD: u8 = 14;
const GROUP_MOD: u8 = 15;
const METER_MOD: u8 = 29;
const VERSION: u8 = 6;
const DELETE_STRICT: u8 = 4;
const GROUP_DELETE: u16 = 2;
const INSERT_BUCKET: u16 = 3;
const REMOVE_BUCKET: u16 = 5;
const METER_DELETE: u16 = 2;

impl EncodedEdit {
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
        (message.len() >= length).then_some(Self { message })
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
                table: TableId(self.message[at::TABLE]),
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

    /// Where the edit stands within a bundle.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self.message[at::KIND] {
            FLOW_MOD if self.message[at::COMMAND] == DELETE_STRICT => Phase::DeleteFlow,
            FLOW_MOD => Phase::AddFlow,
            GROUP_MOD => match self.u16(at::GROUP_COMMAND) {
                GROUP_DELETE => Phase::DeleteGroup,
                INSERT_BUCKET => Phase::InsertBucket,
                REMOVE_BUCKET => Phase::RemoveBucket,
                _ => Phase::Group,
            },
            _ if self.u16(at::METER_COMMAND) == METER_DELETE => Phase::DeleteMeter,
            _ => Phase::Meter,
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
        let mut message = BytesMut::new();
        match self.key() {
            EncodedKey::Flow { table, priority, matching } => {
                message.put_slice(&[VERSION, FLOW_MOD, 0, 0, 0, 0, 0, 0]);
                message.put_bytes(0, at::TABLE - at::COOKIE);
                message.put_u8(table.0);
                message.put_u8(DELETE_STRICT);
                message.put_u32(0);
                message.put_u16(priority);
                message.put_u32(u32::MAX);
                debug_assert_eq!(message.len(), at::OUT_PORT, "the fields before out_port are all there");
                message.put_u64(u64::MAX);
                debug_assert_eq!(message.len(), at::FLAGS, "out_port and out_group are any");
                message.put_u32(0);
                message.put_slice(&matching);
                message.put_bytes(0, matching.len().next_multiple_of(8) - matching.len());
            }
            EncodedKey::Group(group) => group_mod(&mut message, GROUP_DELETE, group, 0),
            EncodedKey::Bucket(group, bucket) => group_mod(&mut message, REMOVE_BUCKET, group, bucket.0),
            EncodedKey::Meter(meter) => {
                message.put_slice(&[VERSION, METER_MOD, 0, 0, 0, 0, 0, 0]);
                message.put_u16(METER_DELETE);
                message.put_u16(0);
                message.put_u32(meter.0);
            }
        }
        let length = u16::try_from(message.len()).expect("a deletion is no longer than what it deletes");
        message[2..4].copy_from_slice(&length.to_be_bytes());
        Self { message: message.freeze() }
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

fn group_mod(message: &mut BytesMut, command: u16, group: GroupId, bucket: u32) {
    message.put_slice(&[VERSION, GROUP_MOD, 0, 0, 0, 0, 0, 0]);
    message.put_u16(command);
    message.put_u16(0);
    message.put_u32(group.0);
    message.put_u32(0);
    message.put_u32(bucket);
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
