//! Flows as bytes: many of them in one piece of memory, compared without being decoded.

use crate::wire::{self, DecodeError, DecodeErrorKind, decode, take, u16, within};
use crate::{Cookie, EncodedEdit, EncodedKey, Flow, FlowEdit, FlowFlags, FlowKey, TableId};
use bytes::{Bytes, BytesMut};

/// A flow as bytes of a flow-mod or of a switch's reply: what names it, and what it is.
///
/// Open vSwitch dumps the very bytes that [`EncodedEdit::encode`] writes, except of flows that others wrote in other
/// ways; such a flow looks changed, although it may do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawFlow<'a> {
    /// What names the flow.
    pub key: RawKey<'a>,
    /// What it is.
    pub value: RawValue<'a>,
}

/// What names a flow, as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RawKey<'a> {
    /// The table.
    pub table: TableId,
    /// The priority.
    pub priority: u16,
    /// The `ofp_match`, without padding.
    pub matching: &'a [u8],
}

/// What a flow is besides its key, as bytes. The flags that say how a flow is added are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RawValue<'a> {
    /// The owner.
    pub cookie: Cookie,
    /// Flags.
    pub flags: FlowFlags,
    /// Seconds without traffic until the flow ends.
    pub idle_timeout: u16,
    /// Seconds until the flow ends.
    pub hard_timeout: u16,
    /// Eviction precedence.
    pub importance: u16,
    /// The instructions.
    pub instructions: &'a [u8],
}

/// How long a header is, and where the match of a flow-mod begins.
const HEADER: usize = 8;
const FLOW_MOD_MATCH: usize = 48;
/// Where the match of an entry of a reply begins.
const STATS_MATCH: usize = 24;

/// Splits a match from what follows its padding.
fn split_match(input: &[u8]) -> wire::Parsed<'_, &[u8]> {
    let (rest, _) = u16(input)?;
    let (_, length) = u16(rest)?;
    let length = usize::from(length);
    if length < 4 {
        return wire::fail(input, DecodeErrorKind::Length);
    }
    let (rest, matching) = take(input, length)?;
    let (rest, _) = take(rest, wire::padding(length))?;
    Ok((rest, matching))
}

impl<'a> RawFlow<'a> {
    /// Reads a whole flow-mod, header included, that adds a flow.
    ///
    /// # Errors
    /// When the bytes are too short, or the flow-mod does not add.
    pub fn from_flow_mod(message: &'a [u8]) -> Result<Self, DecodeError> {
        decode(message, |input: &'a [u8]| {
            let (from_match, _) = take(input, FLOW_MOD_MATCH)?;
            let (_, head) = wire::flow_mod_head(&input[HEADER..])?;
            if head.command != 0 {
                return wire::fail(&input[25..], DecodeErrorKind::UnknownType(u16::from(head.command)));
            }
            let (instructions, matching) = split_match(from_match)?;
            Ok((&input[input.len()..], Self::new(head, matching, instructions)))
        })
    }

    /// Reads one entry of a reply to `OFPMP_FLOW_DESC`, its length included.
    ///
    /// # Errors
    /// When the bytes are too short.
    pub fn from_stats(entry: &'a [u8]) -> Result<Self, DecodeError> {
        decode(entry, Self::stats)
    }

    /// The entries of the body of a reply to `OFPMP_FLOW_DESC`.
    ///
    /// The iteration ends with the first entry that cannot be read, which is an error.
    pub fn all_from_stats(mut body: &'a [u8]) -> impl Iterator<Item = Result<Self, DecodeError>> {
        let whole = body.len();
        std::iter::from_fn(move || {
            if body.is_empty() {
                return None;
            }
            let offset = whole - body.len();
            let length = body.get(..2).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
            let piece = &body[..length.clamp(1, body.len())];
            body = &body[piece.len()..];
            let read = Self::from_stats(piece);
            if read.is_err() {
                body = &[];
            }
            Some(read.map_err(|error| DecodeError { offset: error.offset + offset, ..error }))
        })
    }

    fn stats(input: &'a [u8]) -> wire::Parsed<'a, Self> {
        let (_, length) = u16(input)?;
        let length = usize::from(length);
        if length < STATS_MATCH {
            return wire::fail(input, DecodeErrorKind::Length);
        }
        let (rest, entry) = take(input, length)?;
        within(entry, rest, |entry: &'a [u8]| {
            let (_, head) = wire::stats_head(&entry[2..])?;
            let (after, matching) = split_match(&entry[STATS_MATCH..])?;
            let (instructions, _) = split_match(after)?;
            Ok((&entry[entry.len()..], Self::new(head, matching, instructions)))
        })
    }

    fn new(head: wire::FlowHead, matching: &'a [u8], instructions: &'a [u8]) -> Self {
        let wire::FlowHead { table, priority, idle_timeout, hard_timeout, flags, importance, cookie, .. } = head;
        let flags = FlowFlags { check_overlap: false, reset_counts: false, ..flags };
        let value = RawValue { cookie, flags, idle_timeout, hard_timeout, importance, instructions };
        Self { key: RawKey { table, priority, matching }, value }
    }

    /// The flow.
    ///
    /// # Errors
    /// When the match or the instructions cannot be decoded.
    pub fn decode(&self) -> Result<Flow, DecodeError> {
        let key = self.key.decode()?;
        let instructions = decode(self.value.instructions, wire::instructions)?;
        let RawValue { cookie, flags, idle_timeout, hard_timeout, importance, .. } = self.value;
        Ok(Flow { key, cookie, flags, idle_timeout, hard_timeout, importance, instructions })
    }
}

impl RawKey<'_> {
    /// The key.
    ///
    /// # Errors
    /// When the match cannot be decoded; the offset counts within the match.
    pub fn decode(&self) -> Result<FlowKey, DecodeError> {
        let mut padded = self.matching.to_vec();
        padded.resize(padded.len().next_multiple_of(8), 0);
        let matching = decode(&padded, wire::matching)?;
        Ok(FlowKey { table: self.table, priority: self.priority, matching })
    }

    /// The flow-mod that deletes exactly this flow, whether its match can be decoded or not.
    #[must_use]
    pub fn deletion(&self) -> EncodedEdit {
        EncodedEdit::flow_deletion(self.table, self.priority, self.matching)
    }

    /// The key with bytes of its own.
    #[must_use]
    pub fn to_key(&self) -> EncodedKey {
        EncodedKey::Flow { table: self.table, priority: self.priority, matching: Bytes::copy_from_slice(self.matching) }
    }
}

/// Many flows as the flow-mods that add them, one after another in one piece of memory that is shared by every clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct EncodedFlows {
    messages: Bytes,
    count: usize,
}

impl EncodedFlows {
    /// How many flows there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.count
    }

    /// Whether there is no flow.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The flow-mods, each with its header and the xid 0.
    #[must_use]
    pub const fn messages(&self) -> &Bytes {
        &self.messages
    }

    /// The flow-mods as edits that share the memory.
    pub fn edits(&self) -> impl Iterator<Item = EncodedEdit> {
        let mut at = 0;
        std::iter::from_fn(move || {
            let length = message_length(self.messages.get(at..)?)?;
            let message = self.messages.slice(at..at + length);
            at += length;
            EncodedEdit::from_message(message)
        })
    }

    /// The flows as bytes.
    pub fn iter(&self) -> impl Iterator<Item = RawFlow<'_>> {
        let mut rest = &self.messages[..];
        std::iter::from_fn(move || {
            let (message, after) = rest.split_at_checked(message_length(rest)?)?;
            rest = after;
            RawFlow::from_flow_mod(message).ok()
        })
    }
}

impl<'a> FromIterator<&'a Flow> for EncodedFlows {
    /// Encodes flows. A flow too long for a message (64 KiB) is left out, as no switch could take it.
    fn from_iter<T: IntoIterator<Item = &'a Flow>>(flows: T) -> Self {
        let mut messages = BytesMut::new();
        let mut count = 0;
        for flow in flows {
            let start = messages.len();
            if EncodedEdit::put(&mut messages, |out| wire::put_flow_mod(out, flow), EncodedEdit::FLOW_MOD).is_ok() {
                count += 1;
            } else {
                messages.truncate(start);
            }
        }
        Self { messages: messages.freeze(), count }
    }
}

/// How long the message is that begins here.
fn message_length(bytes: &[u8]) -> Option<usize> {
    let header = bytes.get(..HEADER)?;
    Some(usize::from(u16::from_be_bytes([header[2], header[3]])))
}

impl From<&Flow> for EncodedFlows {
    fn from(flow: &Flow) -> Self {
        std::iter::once(flow).collect()
    }
}

impl EncodedEdit {
    /// The edit as a value.
    ///
    /// # Errors
    /// When the bytes cannot be decoded; the offset counts from the start of the message.
    pub fn decode(&self) -> Result<FlowEdit, DecodeError> {
        let body = &self.message()[HEADER..];
        let decoded = match self.message()[1] {
            Self::FLOW_MOD => decode(body, wire::flow_mod),
            Self::GROUP_MOD => decode(body, wire::group_mod),
            _ => decode(body, wire::meter_mod),
        };
        decoded.map_err(|error| DecodeError { offset: error.offset + HEADER, ..error })
    }
}
