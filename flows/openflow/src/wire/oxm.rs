//! Matches: OXM and NXM fields (OpenFlow 1.5, section 7.2.3; `nicira-ext.h`).

use super::{
    DecodeErrorKind, Parsed, counted, fail, pad, padding, put_length, put_uint, skip, take, u8, u16, u32, uint,
};
use crate::field::{Class, EXPERIMENTER_CLASS, Header};
use crate::{Field, Match, MatchField, Prerequisite, Subfield};
use bytes::{BufMut, BytesMut};

/// `NXM_OF_IP_TOS`: the DSCP in the place that it has in the IP header, two bits to the left of `IpDscp`.
const NXM_OF_IP_TOS: (u16, u8) = (0, 5);
const TOS_SHIFT: u16 = 2;

/// A header as read: the field, how far to the right its bits must be moved, whether a mask follows, and the length of
/// what follows.
struct Found {
    field: Field,
    shift: u16,
    masked: bool,
    length: usize,
}

fn header(input: &[u8]) -> Parsed<'_, Found> {
    let (rest, class) = u16(input)?;
    let (rest, number) = u8(rest)?;
    let (rest, length) = u8(rest)?;
    let masked = number & 1 != 0;
    let number = number >> 1;
    let mut length = usize::from(length);
    let (rest, experimenter) = if class == EXPERIMENTER_CLASS {
        if length < 4 {
            return fail(input, DecodeErrorKind::Length);
        }
        length -= 4;
        u32(rest)?
    } else {
        (rest, 0)
    };
    let (field, shift) = match Field::from_header(class, number, experimenter) {
        Some(field) => (field, 0),
        None if (class, number) == NXM_OF_IP_TOS => (Field::IpDscp, TOS_SHIFT),
        None => return fail(input, DecodeErrorKind::UnknownField(class, number)),
    };
    Ok((rest, Found { field, shift, masked, length }))
}

/// One field with its value and, if there is one, its mask.
pub(super) fn entry(input: &[u8]) -> Parsed<'_, MatchField> {
    let (rest, found) = header(input)?;
    let Found { field, shift, masked, length } = found;
    let bytes = field.bytes();
    if length != bytes << u32::from(masked) {
        return fail(input, DecodeErrorKind::Length);
    }
    let (rest, value) = uint(rest, bytes)?;
    let (rest, mask) = if masked { uint(rest, bytes)? } else { (rest, u128::MAX) };
    let (value, mask) = (value >> shift, mask >> shift & whole(field));
    if value & !whole(field) != 0 {
        return fail(input, DecodeErrorKind::Value);
    }
    Ok((rest, MatchField { field, value, mask }))
}

/// Every bit that a value of the field may have: those of a match, and those that only an action can set.
fn whole(field: Field) -> u128 {
    field.ones() | if matches!(field, Field::CtState) { 0 } else { crate::field::ones(field.width()) }
}

/// The name of a field, without a value.
pub(super) fn name(input: &[u8]) -> Parsed<'_, (Field, u16)> {
    let (rest, found) = header(input)?;
    if found.masked || found.length != found.field.bytes() {
        return fail(input, DecodeErrorKind::Length);
    }
    Ok((rest, (found.field, found.shift)))
}

/// The name of a field and the bits that were given with it.
pub(super) fn subfield(input: &[u8], offset: u16, bits: u16) -> Parsed<'_, Subfield> {
    let (rest, (field, shift)) = name(input)?;
    match bounded(field, shift, offset, bits) {
        Some(subfield) => Ok((rest, subfield)),
        None => fail(input, DecodeErrorKind::Value),
    }
}

fn bounded(field: Field, shift: u16, offset: u16, bits: u16) -> Option<Subfield> {
    let (offset, bits) = if shift != 0 && offset == 0 && bits == 8 {
        // The whole octet: the two lowest bits are not the field's.
        (0, bits - shift)
    } else {
        (offset.checked_sub(shift)?, bits)
    };
    let end = offset.checked_add(bits)?;
    (bits > 0 && end <= field.width()).then_some(Subfield { field, offset, bits })
}

/// The fields of a match up to the end of the input.
fn fields(mut input: &[u8]) -> Parsed<'_, Match> {
    let mut matching = Match::with_capacity(registers_counted(input));
    while !input.is_empty() {
        let (rest, entry) = entry(input)?;
        let full = entry.mask == entry.field.ones();
        if entry.value & !entry.mask != 0 {
            return fail(input, DecodeErrorKind::Mask);
        }
        if !full && !entry.field.maskable() {
            return fail(input, DecodeErrorKind::Mask);
        }
        if matching.holds(entry.field) {
            return fail(input, DecodeErrorKind::DuplicateField);
        }
        matching.insert(entry.field, entry.value, entry.mask);
        input = rest;
    }
    Ok((input, matching))
}

/// The fields of a packet's metadata up to the end of the input. A field that is not known is passed over, since a newer
/// switch may tell more than it was asked for.
pub(crate) fn metadata(mut input: &[u8]) -> Parsed<'_, Match> {
    let mut metadata = Match::new();
    while !input.is_empty() {
        let (value, _) = u32(input)?;
        let (rest, _) = take(value, usize::from(input[3]))?;
        match entry(input) {
            Ok((_, entry)) => metadata.insert(entry.field, entry.value, entry.mask),
            Err(nom::Err::Error(fault)) if matches!(fault.kind(), DecodeErrorKind::UnknownField(..)) => {}
            Err(error) => return Err(error),
        }
        input = rest;
    }
    Ok((input, metadata))
}

/// The metadata of a packet as a whole `ofp_match`, padding included.
pub(crate) fn metadata_match(input: &[u8]) -> Parsed<'_, Match> {
    whole_match(input, metadata)
}

/// How many fields a match of these headers has: a pair of registers is two.
fn registers_counted(mut input: &[u8]) -> usize {
    let mut count = 0;
    while let [class, low, _, length, ..] = *input {
        count += if [class, low] == Class::Packet.number().to_be_bytes() { 2 } else { 1 };
        input = input.get(4 + usize::from(length)..).unwrap_or_default();
    }
    count
}

/// A whole `ofp_match`, padding included.
pub(crate) fn matching(input: &[u8]) -> Parsed<'_, Match> {
    whole_match(input, fields)
}

fn whole_match(input: &[u8], fields: fn(&[u8]) -> Parsed<'_, Match>) -> Parsed<'_, Match> {
    let (rest, kind) = u16(input)?;
    let (_, length) = u16(rest)?;
    if kind != 1 {
        return fail(input, DecodeErrorKind::UnknownType(kind));
    }
    let length = usize::from(length);
    let (rest, matching) = counted(input, length, 4, fields)?;
    let (rest, ()) = skip(rest, padding(length))?;
    Ok((rest, matching))
}

fn put_header(out: &mut BytesMut, header: Header, masked: bool, length: usize) {
    let experimenter = header.class.experimenter();
    let length = length + if experimenter == 0 { 0 } else { 4 };
    out.put_u16(header.class.number());
    out.put_u8(header.number << 1 | u8::from(masked));
    out.put_u8(length as u8);
    if experimenter != 0 {
        out.put_u32(experimenter);
    }
}

/// Writes a field with its value, and with its mask unless that covers the whole field.
pub(super) fn put_entry(out: &mut BytesMut, field: Field, value: u128, mask: u128) {
    put_masked(out, field, value, mask, mask != field.ones());
}

fn put_masked(out: &mut BytesMut, field: Field, value: u128, mask: u128, masked: bool) {
    let bytes = field.bytes();
    put_header(out, field.header(), masked, bytes << u32::from(masked));
    put_uint(out, value, bytes);
    if masked {
        put_uint(out, mask, bytes);
    }
}

/// Writes the name of a field as OpenFlow 1.5 has it.
pub(super) fn put_name(out: &mut BytesMut, field: Field) {
    put_header(out, field.header(), false, field.bytes());
}

/// Writes the name of a field as the actions of Nicira have it.
pub(super) fn put_nicira_name(out: &mut BytesMut, field: Field) {
    put_header(out, field.nicira_header(), false, field.bytes());
}

/// Writes the fields of a match as Open vSwitch does in OpenFlow 1.5: registers by pairs, and the packet type when
/// nothing else says that the packet is an Ethernet packet.
pub(crate) fn put_fields(out: &mut BytesMut, matching: &Match) {
    let mut fields = matching.fields();
    while let [first, rest @ ..] = fields {
        fields = rest;
        let Some((register, 1)) = first.field.registers() else {
            // Of these two, Open vSwitch keeps fewer bits than they have on the wire, so that no mask covers them.
            let masked = !first.exact() || matches!(first.field, Field::CtState | Field::TunFlags);
            put_masked(out, first.field, first.value, first.mask, masked);
            continue;
        };
        let (mut value, mut mask) = (first.value, first.mask);
        if register % 2 == 0 {
            (value, mask) = (value << 32, mask << 32);
            if let [second, rest @ ..] = fields
                && second.field == Field::reg(register + 1)
            {
                (value, mask) = (value | second.value, mask | second.mask);
                fields = rest;
            }
        }
        put_entry(out, Field::xreg(register / 2), value, mask);
    }
}

fn put(out: &mut BytesMut, write: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(1);
    out.put_u16(0);
    write(out);
    put_length(out, start, start + 2);
    pad(out, start);
}

/// Writes the match of a flow as an `ofp_match` with its padding.
pub(crate) fn put_match(out: &mut BytesMut, matching: &Match) {
    let ethernet =
        matching.iter().any(|part| part.field == Field::PacketType || part.field.prerequisite() != Prerequisite::Free);
    put(out, |out| {
        if !ethernet {
            put_entry(out, Field::PacketType, 0, Field::PacketType.ones());
        }
        put_fields(out, matching);
    });
}

/// Writes the metadata of a packet, or what selects flows, as an `ofp_match` with its padding: nothing is added about the
/// packet's type, since that would leave out flows that do not match it.
pub(crate) fn put_metadata(out: &mut BytesMut, metadata: &Match) {
    put(out, |out| put_fields(out, metadata));
}

/// A field's name in 32 bits, as old Nicira actions have it; 0 stands for none.
pub(super) fn name32(input: &[u8]) -> Parsed<'_, Option<(Field, u16)>> {
    let (rest, bytes) = take(input, 4)?;
    if bytes == [0; 4] {
        return Ok((rest, None));
    }
    if bytes[..2] == EXPERIMENTER_CLASS.to_be_bytes() {
        return fail(input, DecodeErrorKind::UnknownField(EXPERIMENTER_CLASS, bytes[2] >> 1));
    }
    let (rest, named) = name(input)?;
    Ok((rest, Some(named)))
}

/// A subfield whose field is named in 32 bits.
pub(super) fn subfield32(input: &[u8], offset: u16, bits: u16) -> Parsed<'_, Subfield> {
    let (rest, named) = name32(input)?;
    match named.and_then(|(field, shift)| bounded(field, shift, offset, bits)) {
        Some(subfield) => Ok((rest, subfield)),
        None => fail(input, DecodeErrorKind::Value),
    }
}

/// Writes a field's name in 32 bits.
pub(super) fn put_name32(out: &mut BytesMut, field: Field) {
    put_nicira_name(out, field);
}

/// Whether old Nicira actions can name the field, in 32 bits.
pub(super) fn has_name32(field: Field) -> bool {
    !matches!(field.nicira_header().class, Class::Nicira | Class::Onf | Class::Nsh)
}
