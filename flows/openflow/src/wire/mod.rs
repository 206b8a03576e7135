//! What every decoder is made of: numbers, bounds, padding, and one small error that says where.

mod action;
mod conntrack;
mod flow;
mod group;
mod learn;
mod meter;
mod oxm;
mod piece;

pub(crate) use action::{actions, put_actions};
pub(crate) use flow::{
    Counters, FlowHead, flow_mod, flow_mod_head, flow_stats, instructions, put_delete_head, put_flow_delete,
    put_flow_mod, put_flow_stats, put_instructions, put_last_stats, put_sums, stats, stats_head,
};
pub(crate) use group::{group_desc, group_mod, put_group_desc, put_group_mod};
pub(crate) use learn::WRITE_RESULT;
pub(crate) use meter::{meter_config, meter_mod, put_meter_config, put_meter_mod};
pub(crate) use oxm::{matching, metadata, metadata_match, put_fields, put_match, put_metadata};

use bytes::{BufMut, BytesMut};
use nom::error::{ErrorKind, ParseError};
use nom::{IResult, Parser};
use std::fmt;

/// Why bytes are not what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeErrorKind {
    /// The bytes end too early.
    Truncated,
    /// Bytes are left over.
    Trailing,
    /// A length contradicts what it covers.
    Length,
    /// A field of this class and number is not known.
    UnknownField(u16, u8),
    /// A mask where the field allows none, or bits set outside the mask.
    Mask,
    /// A field stands twice in one match.
    DuplicateField,
    /// An action of this type and (Nicira) subtype is not known.
    UnknownAction(u16, u16),
    /// An instruction of this type is not known.
    UnknownInstruction(u16),
    /// A type, command or kind has no meaning.
    UnknownType(u16),
    /// A value lies outside of what its place allows.
    Value,
    /// Actions lie too deep within actions.
    Depth,
    /// Text is not UTF-8.
    Text,
}

impl DecodeErrorKind {
    /// Whether the bytes may be well formed and mean something that this crate does not know.
    pub(crate) const fn is_unknown(self) -> bool {
        matches!(
            self,
            Self::UnknownField(..) | Self::UnknownAction(..) | Self::UnknownInstruction(_) | Self::UnknownType(_)
        )
    }
}

impl fmt::Display for DecodeErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("the bytes end too early"),
            Self::Trailing => f.write_str("bytes are left over"),
            Self::Length => f.write_str("the length contradicts what it covers"),
            Self::UnknownField(class, number) => {
                write!(f, "unknown field {number} of class {class:#06x}")
            }
            Self::Mask => f.write_str("the mask is not allowed"),
            Self::DuplicateField => f.write_str("the field stands twice"),
            Self::UnknownAction(kind, subtype) => {
                write!(f, "unknown action {kind:#06x}, subtype {subtype}")
            }
            Self::UnknownInstruction(kind) => write!(f, "unknown instruction {kind}"),
            Self::UnknownType(kind) => write!(f, "unknown type {kind}"),
            Self::Value => f.write_str("the value is out of range"),
            Self::Depth => f.write_str("actions lie too deep within actions"),
            Self::Text => f.write_str("the text is not UTF-8"),
        }
    }
}

/// Bytes that cannot be decoded: where, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at byte {offset}: {kind}")]
pub struct DecodeError {
    /// How many bytes from the start of the decoded piece.
    pub offset: usize,
    /// What is wrong there.
    pub kind: DecodeErrorKind,
}

/// The error that parsers hand up: it knows how much input was left, from which [`decode`] tells the offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    remaining: usize,
    kind: DecodeErrorKind,
}

impl Fault {
    /// What is wrong.
    pub(crate) const fn kind(&self) -> DecodeErrorKind {
        self.kind
    }
}

impl ParseError<&[u8]> for Fault {
    fn from_error_kind(input: &[u8], kind: ErrorKind) -> Self {
        let kind = match kind {
            ErrorKind::Eof => DecodeErrorKind::Truncated,
            _ => DecodeErrorKind::Value,
        };
        Self { remaining: input.len(), kind }
    }

    fn append(_: &[u8], _: ErrorKind, other: Self) -> Self {
        other
    }
}

/// What a parser returns.
pub(crate) type Parsed<'a, T> = IResult<&'a [u8], T, Fault>;

/// Fails at `input`.
pub(crate) fn fail<T>(input: &[u8], kind: DecodeErrorKind) -> Parsed<'_, T> {
    Err(nom::Err::Error(Fault { remaining: input.len(), kind }))
}

/// Runs a parser over the whole input.
pub(crate) fn decode<'a, T>(
    input: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = Fault>,
) -> Result<T, DecodeError> {
    let at = |fault: Fault| DecodeError { offset: input.len() - fault.remaining.min(input.len()), kind: fault.kind };
    match parser.parse(input) {
        Ok(([], value)) => Ok(value),
        Ok((rest, _)) => Err(at(Fault { remaining: rest.len(), kind: DecodeErrorKind::Trailing })),
        Err(nom::Err::Error(fault) | nom::Err::Failure(fault)) => Err(at(fault)),
        Err(nom::Err::Incomplete(_)) => Err(at(Fault { remaining: 0, kind: DecodeErrorKind::Truncated })),
    }
}

/// Runs a parser over a piece cut out of a larger input (the piece ends where `rest` begins), so that faults count
/// from the larger input.
pub(crate) fn within<'a, T>(
    piece: &'a [u8],
    rest: &'a [u8],
    mut parser: impl Parser<&'a [u8], Output = T, Error = Fault>,
) -> Parsed<'a, T> {
    let outer = |fault: Fault| Fault { remaining: fault.remaining + rest.len(), kind: fault.kind };
    match parser.parse(piece) {
        Ok(([], value)) => Ok((rest, value)),
        Ok((left, _)) => Err(nom::Err::Error(outer(Fault { remaining: left.len(), kind: DecodeErrorKind::Trailing }))),
        Err(error) => Err(error.map(outer)),
    }
}

/// The first `count` bytes.
pub(crate) fn take(input: &[u8], count: usize) -> Parsed<'_, &[u8]> {
    match input.split_at_checked(count) {
        Some((taken, rest)) => Ok((rest, taken)),
        None => fail(input, DecodeErrorKind::Truncated),
    }
}

/// Passes over `count` bytes of padding, whatever they hold.
pub(crate) fn skip(input: &[u8], count: usize) -> Parsed<'_, ()> {
    take(input, count).map(|(rest, _)| (rest, ()))
}

macro_rules! number {
    ($($(#[$doc:meta])* $name:ident -> $type:ty),*) => {
        $($(#[$doc])*
        pub(crate) fn $name(input: &[u8]) -> Parsed<'_, $type> {
            match input.split_first_chunk() {
                Some((bytes, rest)) => Ok((rest, <$type>::from_be_bytes(*bytes))),
                None => fail(input, DecodeErrorKind::Truncated),
            }
        })*
    };
}

number! {
    /// One byte.
    u8 -> u8,
    /// Two bytes, big endian.
    u16 -> u16,
    /// Four bytes, big endian.
    u32 -> u32,
    /// Eight bytes, big endian.
    u64 -> u64
}

/// A number of up to 16 bytes, big endian.
pub(crate) fn uint(input: &[u8], bytes: usize) -> Parsed<'_, u128> {
    let (rest, taken) = take(input, bytes)?;
    let mut value = [0; 16];
    value[16 - bytes..].copy_from_slice(taken);
    Ok((rest, u128::from_be_bytes(value)))
}

/// How many bytes fill `length` up to a multiple of eight.
pub(crate) const fn padding(length: usize) -> usize {
    length.wrapping_neg() & 7
}

/// A piece of `length` bytes, handed to `parser` without its first `head` bytes.
pub(crate) fn counted<'a, T>(
    input: &'a [u8],
    length: usize,
    head: usize,
    parser: impl Parser<&'a [u8], Output = T, Error = Fault>,
) -> Parsed<'a, T> {
    if length < head {
        return fail(input, DecodeErrorKind::Length);
    }
    let (rest, piece) = take(input, length)?;
    within(&piece[head..], rest, parser)
}

/// Parses pieces one after another until the input ends.
pub(crate) fn all<T>(mut input: &[u8], parser: impl Fn(&[u8]) -> Parsed<'_, T>) -> Parsed<'_, Vec<T>> {
    let mut parsed = Vec::new();
    while !input.is_empty() {
        let (rest, one) = parser(input)?;
        parsed.push(one);
        input = rest;
    }
    Ok((input, parsed))
}

/// Writes the lowest `bytes` bytes of a number.
pub(crate) fn put_uint(out: &mut BytesMut, value: u128, bytes: usize) {
    out.put_slice(&value.to_be_bytes()[16 - bytes..]);
}

/// Fills up to a multiple of eight, counted from `start`.
pub(crate) fn pad(out: &mut BytesMut, start: usize) {
    out.put_bytes(0, padding(out.len() - start));
}

/// Writes the number of bytes since `start` into the 16 bits at `at`; longer pieces are cut off by the 16 bits, which
/// a caller prevents by its own bounds.
pub(crate) fn put_length(out: &mut BytesMut, start: usize, at: usize) {
    let length = (out.len() - start) as u16;
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
}
