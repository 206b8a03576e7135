//! Entries of multipart replies, each with its own length.

use super::FlowStats;
use crate::wire::{self, Parsed};
use crate::{DecodeError, DecodeErrorKind, Group, GroupId, RawFlow};
use bytes::{Bytes, BytesMut};

/// Runs over entries that each begin with their own length, and hands each one's bytes to `parse`.
pub(super) fn entries<T>(
    mut input: &[u8],
    length_at: usize,
    mut parse: impl FnMut(&[u8]) -> Parsed<'_, T>,
) -> Parsed<'_, Vec<T>> {
    let mut values = Vec::new();
    while !input.is_empty() {
        let (at_length, ()) = wire::skip(input, length_at)?;
        let (after_length, length) = wire::u16(at_length)?;
        let length = usize::from(length);
        if length < input.len() - after_length.len() {
            return wire::fail(at_length, DecodeErrorKind::Length);
        }
        let (rest, entry) = wire::take(input, length)?;
        let (rest, value) = wire::within(entry, rest, &mut parse)?;
        values.push(value);
        input = rest;
    }
    Ok((input, values))
}

/// Flows of a reply, kept as the bytes that came: compared as they are, or decoded.
///
/// Only where each flow begins and ends was checked, so that a flow with fields or actions that this crate does not know
/// can still be named and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowEntries {
    bytes: Bytes,
}

impl FlowEntries {
    pub(super) fn parse(bytes: Bytes) -> Result<Self, DecodeError> {
        RawFlow::all_from_stats(&bytes).try_for_each(|flow| flow.map(drop))?;
        Ok(Self { bytes })
    }

    /// The entries as they came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The flows as bytes.
    pub fn raw(&self) -> impl Iterator<Item = RawFlow<'_>> {
        RawFlow::all_from_stats(&self.bytes).flatten()
    }

    /// The flows and their counters.
    ///
    /// # Errors
    /// A flow has something that this crate does not know; the offset counts within the entries.
    pub fn decode(&self) -> Result<Vec<FlowStats>, DecodeError> {
        wire::decode(&self.bytes, |input| wire::all(input, wire::flow_stats))
    }
}

impl<'a> FromIterator<&'a FlowStats> for FlowEntries {
    fn from_iter<T: IntoIterator<Item = &'a FlowStats>>(flows: T) -> Self {
        let mut out = BytesMut::new();
        flows.into_iter().for_each(|flow| wire::put_flow_stats(&mut out, flow));
        Self { bytes: out.freeze() }
    }
}

/// Groups of a reply, kept as the bytes that came.
///
/// Only where each group begins and ends was checked, so that a group with actions that this crate does not know can
/// still be named and deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupEntries {
    bytes: Bytes,
}

/// Where the number of a group stands in its entry.
const GROUP_AT: usize = 4;

impl GroupEntries {
    pub(super) fn parse(bytes: Bytes) -> Result<Self, DecodeError> {
        wire::decode(&bytes, |input| {
            entries(input, 0, |entry| {
                let (rest, ()) = wire::skip(entry, GROUP_AT)?;
                let (rest, _) = wire::u32(rest)?;
                wire::skip(rest, rest.len())
            })
        })?;
        Ok(Self { bytes })
    }

    /// The entries as they came.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Each group by its number, or why it cannot be read.
    pub fn iter(&self) -> impl Iterator<Item = (GroupId, Result<Group, DecodeError>)> {
        let mut rest = &self.bytes[..];
        std::iter::from_fn(move || {
            let (_, length) = wire::u16(rest).ok()?;
            let (entry, after) = rest.split_at_checked(usize::from(length))?;
            let (_, group) = wire::u32(entry.get(GROUP_AT..)?).ok()?;
            rest = after;
            Some((GroupId(group), wire::decode(entry, wire::group_desc)))
        })
    }

    /// The groups.
    ///
    /// # Errors
    /// A group has something that this crate does not know; the offset counts within its entry.
    pub fn decode(&self) -> Result<Vec<Group>, DecodeError> {
        self.iter().map(|(_, group)| group).collect()
    }
}

impl<'a> FromIterator<&'a Group> for GroupEntries {
    fn from_iter<T: IntoIterator<Item = &'a Group>>(groups: T) -> Self {
        let mut out = BytesMut::new();
        groups.into_iter().for_each(|group| wire::put_group_desc(&mut out, group));
        Self { bytes: out.freeze() }
    }
}
