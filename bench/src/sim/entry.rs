//! A flow as a switch tells it, made from the flow-mod that it was told by, without decoding either.
//!
//! Between the two it is kept as a record: the 24 bytes that an entry has before its match, then match and instructions, which
//! follow one another in a flow-mod. So a flow-mod is compared with a record where both are.

use super::hash::Fold;
use bytes::{BufMut as _, BytesMut};
use std::hash::Hasher as _;

/// Offsets within a flow-mod, its header included (OpenFlow 1.5, section 7.3.4.2).
mod at {
    pub(super) const COOKIE: usize = 8;
    pub(super) const TABLE: usize = 24;
    pub(super) const COMMAND: usize = 25;
    pub(super) const TIMEOUTS: usize = 26;
    pub(super) const PRIORITY: usize = 30;
    pub(super) const FLAGS: usize = 44;
    pub(super) const IMPORTANCE: usize = 46;
    pub(super) const MATCH: usize = 48;
}

/// `OFPFF_CHECK_OVERLAP` and `OFPFF_RESET_COUNTS`: they say how a flow is added, and are not kept.
const PASSING_FLAGS: u16 = 0x6;

/// Bytes of a record and of an entry before the match.
const HEAD: usize = 24;

/// What a flow-mod does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FlowCommand {
    /// Adds the flow.
    Add,
    /// Deletes exactly the flow of this key.
    DeleteStrict,
}

/// The parts of a flow-mod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FlowMod<'a> {
    message: &'a [u8],
    /// Where the match ends, without padding.
    match_end: usize,
    /// What it does.
    pub(crate) command: FlowCommand,
}

impl<'a> FlowMod<'a> {
    /// Takes a whole flow-mod, header included; none if it is cut short or does something else.
    pub(crate) fn read(message: &'a [u8]) -> Option<Self> {
        let command = match *message.get(at::COMMAND)? {
            0 => FlowCommand::Add,
            4 => FlowCommand::DeleteStrict,
            _ => return None,
        };
        let length = usize::from(u16::from_be_bytes([*message.get(at::MATCH + 2)?, *message.get(at::MATCH + 3)?]));
        let match_end = at::MATCH + length;
        (length >= 4 && match_end.next_multiple_of(8) <= message.len()).then_some(Self { message, match_end, command })
    }

    /// The table that it is about.
    pub(crate) const fn table(&self) -> u8 {
        self.message[at::TABLE]
    }

    /// The first bytes of the record. The record's length is where an entry has its own.
    fn head(&self) -> [u8; HEAD] {
        let message = self.message;
        // A record is shorter than the message, whose length has two bytes as well.
        let length = u16::try_from(HEAD + self.tail().len()).unwrap_or(u16::MAX);
        let flags = u16::from_be_bytes([message[at::FLAGS], message[at::FLAGS + 1]]) & !PASSING_FLAGS;
        let mut head = [0; HEAD];
        head[..2].copy_from_slice(&length.to_be_bytes());
        head[4] = message[at::TABLE];
        head[6..8].copy_from_slice(&message[at::PRIORITY..at::PRIORITY + 2]);
        head[8..12].copy_from_slice(&message[at::TIMEOUTS..at::TIMEOUTS + 4]);
        head[12..14].copy_from_slice(&flags.to_be_bytes());
        head[14..16].copy_from_slice(&message[at::IMPORTANCE..at::IMPORTANCE + 2]);
        head[16..24].copy_from_slice(&message[at::COOKIE..at::COOKIE + 8]);
        head
    }

    /// Match and instructions.
    fn tail(&self) -> &'a [u8] {
        &self.message[at::MATCH..]
    }

    /// What names the flow: table and priority, and the match.
    fn key(&self) -> ([u8; 3], &'a [u8]) {
        let message = self.message;
        let start = [message[at::TABLE], message[at::PRIORITY], message[at::PRIORITY + 1]];
        (start, &message[at::MATCH..self.match_end])
    }

    /// A hash of all that is kept.
    pub(crate) fn hash(&self) -> u64 {
        let mut hash = Fold::default();
        hash.write(&self.head());
        hash.write(self.tail());
        hash.finish()
    }

    /// A hash of what names the flow.
    pub(crate) fn hash_of_key(&self) -> u64 {
        let (start, matching) = self.key();
        let mut hash = Fold::default();
        hash.write(&start);
        hash.write(matching);
        hash.finish()
    }

    /// Puts the record.
    pub(crate) fn put_record(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.head());
        out.extend_from_slice(self.tail());
    }
}

/// A flow as it is kept.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a>(&'a [u8]);

impl<'a> Record<'a> {
    /// The record that these bytes start with.
    pub(crate) fn at_start_of(bytes: &'a [u8]) -> Self {
        let length = u16::from_be_bytes([bytes[0], bytes[1]]);
        Self(&bytes[..usize::from(length)])
    }

    /// Whether it is all that this flow-mod says.
    pub(crate) fn is(&self, flow: &FlowMod<'_>) -> bool {
        let (head, tail) = self.0.split_at(HEAD);
        head == flow.head() && tail == flow.tail()
    }

    /// Whether it is a flow of this name.
    pub(crate) fn is_named(&self, flow: &FlowMod<'_>) -> bool {
        let (start, matching) = flow.key();
        [self.0[4], self.0[6], self.0[7]] == start && self.0[HEAD..self.match_end()] == *matching
    }

    /// Where the match ends, without padding.
    fn match_end(&self) -> usize {
        HEAD + usize::from(u16::from_be_bytes([self.0[HEAD + 2], self.0[HEAD + 3]]))
    }

    /// Bytes of the entry.
    pub(crate) const fn entry_len(&self) -> usize {
        self.0.len() + STATS.len()
    }

    /// Puts the entry of a reply to `OFPMP_FLOW_DESC`, its counters 0.
    pub(crate) fn put_entry(&self, out: &mut BytesMut) {
        let (before, instructions) = self.0.split_at(self.match_end().next_multiple_of(8));
        out.put_u16(u16::try_from(self.entry_len()).unwrap_or(u16::MAX));
        out.put_slice(&before[2..]);
        out.put_slice(&STATS);
        out.put_slice(instructions);
    }
}

/// An `ofp_stats` whose duration, idle time, packets and bytes are 0, with its padding.
const STATS: [u8; 56] = {
    let mut stats = [0; 56];
    stats[3] = 52;
    let mut place = 0;
    // Duration, idle time, packet count and byte count have the numbers 0, 1, 4 and 5.
    let numbers = [0, 1, 4, 5];
    while place < numbers.len() {
        let start = 4 + 12 * place;
        stats[start] = 0x80;
        stats[start + 1] = 0x02;
        stats[start + 2] = numbers[place] << 1;
        stats[start + 3] = 8;
        place += 1;
    }
    stats
};
