//! Properties: type, length, value, filled up to a multiple of eight bytes (OpenFlow 1.5, section 7.2.1.1).

use crate::DecodeErrorKind;
use crate::wire::{self, Parsed};
use bytes::{BufMut, BytesMut};

/// Bytes of the type and the length.
const PROPERTY_HEADER: usize = 4;

/// The type and the value of the next property.
pub(super) fn property(input: &[u8]) -> Parsed<'_, (u16, &[u8])> {
    let (rest, kind) = wire::u16(input)?;
    let (rest, length) = wire::u16(rest)?;
    let length = usize::from(length);
    let Some(value) = length.checked_sub(PROPERTY_HEADER) else {
        return wire::fail(input, DecodeErrorKind::Length);
    };
    let (rest, value) = wire::take(rest, value)?;
    let (rest, ()) = wire::skip(rest, wire::padding(length))?;
    Ok((rest, (kind, value)))
}

/// A property; `value` puts its value.
pub(super) fn put_property(out: &mut BytesMut, kind: u16, value: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(kind);
    out.put_u16(0);
    value(out);
    let length = out.len() - start;
    put_length(out, start + 2, length);
    out.put_bytes(0, wire::padding(length));
}

/// Puts a length where a place was left for it. A length beyond 16 bits is cut off here and refused when the message
/// as a whole turns out too long.
pub(super) fn put_length(out: &mut BytesMut, at: usize, length: usize) {
    out[at..at + 2].copy_from_slice(&(length as u16).to_be_bytes());
}
