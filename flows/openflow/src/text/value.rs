//! Values of fields.

use super::error::{Fault, ParseErrorKind, fail};
use super::names::Names;
use super::scan::{hex_byte, integer, number};
use crate::field::ones;
use crate::matching::mac;
use crate::{Field, FieldFormat, PortNo, Subfield, TableId};
use std::fmt::{self, Write};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The names of the bits of `ct_state`, from the lowest on.
pub(super) const CT_STATE: &[&str] = &["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];
/// The names of the TCP flags, from the lowest bit on.
pub(super) const TCP_FLAGS: &[&str] =
    &["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr", "ns", "[200]", "[400]", "[800]"];
/// The names of the tunnel flags, from the lowest bit on.
pub(super) const TUN_FLAGS: &[&str] = &["oam"];
/// The words for fragments, each with its value and its mask; of two words of one name the first is meant.
pub(super) const FRAGMENTS: &[(&str, u128, u128)] = &[
    ("no", 0, 3),
    ("first", 1, 3),
    ("later", 3, 3),
    ("no", 0, 1),
    ("yes", 1, 1),
    ("not_later", 0, 2),
    ("later", 2, 2),
];

/// Prints the bits of a field: the value, and the mask unless it covers the field.
pub(super) fn put(f: &mut dyn Write, field: Field, value: u128, mask: u128, names: &Names) -> fmt::Result {
    let exact = mask == field.ones() || mask == ones(field.width());
    match field.format() {
        FieldFormat::Decimal => put_number(f, value, mask, exact, false),
        FieldFormat::Hex => put_number(f, value, mask, exact, true),
        FieldFormat::Mac => {
            put_mac(f, value)?;
            if exact {
                return Ok(());
            }
            f.write_char('/')?;
            put_mac(f, mask)
        }
        FieldFormat::Ipv4 => put_ipv4(f, value, mask),
        FieldFormat::Ipv6 => put_ipv6(f, value, mask),
        FieldFormat::Port16 if exact => names.put_port(f, PortNo::from_openflow10(value as u16)),
        FieldFormat::Port if exact => names.put_port(f, PortNo(value as u32)),
        FieldFormat::Port16 | FieldFormat::Port => put_number(f, value, mask, exact, true),
        FieldFormat::CtState => put_flags(f, CT_STATE, value, mask, exact),
        FieldFormat::TcpFlags => put_flags(f, TCP_FLAGS, value, mask, exact),
        FieldFormat::TunFlags => put_flags(f, TUN_FLAGS, value, mask, exact),
        FieldFormat::Frag => {
            let word = FRAGMENTS.iter().find(|&&(_, bits, under)| (bits, under) == (value, mask));
            f.write_str(word.map_or("<error>", |(word, ..)| word))
        }
        FieldFormat::PacketType => write!(f, "({},{:#x})", value >> 16, value & 0xffff),
    }
}

fn put_number(f: &mut dyn Write, value: u128, mask: u128, exact: bool, hex: bool) -> fmt::Result {
    if hex {
        put_hex(f, value)?;
    } else {
        write!(f, "{value}")?;
    }
    if exact {
        return Ok(());
    }
    f.write_char('/')?;
    put_hex(f, mask)
}

/// A number in hexadecimal; a zero has no prefix.
pub(super) fn put_hex(f: &mut dyn Write, value: u128) -> fmt::Result {
    if value == 0 { f.write_char('0') } else { write!(f, "{value:#x}") }
}

pub(super) fn put_mac(f: &mut dyn Write, value: u128) -> fmt::Result {
    for (at, byte) in value.to_be_bytes()[10..].iter().enumerate() {
        let separator = if at == 0 { "" } else { ":" };
        write!(f, "{separator}{byte:02x}")?;
    }
    Ok(())
}

pub(super) fn put_ipv4(f: &mut dyn Write, value: u128, mask: u128) -> fmt::Result {
    write!(f, "{}", Ipv4Addr::from(value as u32))?;
    match mask as u32 {
        u32::MAX => Ok(()),
        mask if mask.leading_ones() + mask.trailing_zeros() == 32 => write!(f, "/{}", mask.leading_ones()),
        mask => write!(f, "/{}", Ipv4Addr::from(mask)),
    }
}

pub(super) fn put_ipv6(f: &mut dyn Write, value: u128, mask: u128) -> fmt::Result {
    put_ipv6_address(f, value)?;
    match mask {
        u128::MAX => Ok(()),
        mask if mask.leading_ones() + mask.trailing_zeros() == 128 => write!(f, "/{}", mask.leading_ones()),
        mask => {
            f.write_char('/')?;
            put_ipv6_address(f, mask)
        }
    }
}

/// An IPv6 address as inet_ntop(3) writes it: addresses of 33 to 48 bits look like IPv4 behind two colons.
pub(super) fn put_ipv6_address(f: &mut dyn Write, value: u128) -> fmt::Result {
    if (0x1_0000..=0xffff_ffff).contains(&value) {
        write!(f, "::{}", Ipv4Addr::from(value as u32))
    } else {
        write!(f, "{}", Ipv6Addr::from(value))
    }
}

/// Prints flags: those that are set if every flag is meant, else each that is meant with its sign.
pub(super) fn put_flags(f: &mut dyn Write, names: &[&str], value: u128, mask: u128, all: bool) -> fmt::Result {
    let name = |bit: usize| names.get(bit).copied().unwrap_or("[Unknown]");
    let bits = |of: u128| (0..32).filter(move |bit| of >> bit & 1 != 0);
    if all && value == 0 {
        return f.write_char('0');
    }
    if all {
        for (at, bit) in bits(value).enumerate() {
            write!(f, "{}{}", if at == 0 { "" } else { "|" }, name(bit))?;
        }
        return Ok(());
    }
    for bit in bits(mask) {
        write!(f, "{}{}", if value >> bit & 1 != 0 { '+' } else { '-' }, name(bit))?;
    }
    Ok(())
}

/// Prints a subfield as `NXM_NX_REG0[4..7]`.
pub(super) fn put_subfield(f: &mut dyn Write, subfield: Subfield) -> fmt::Result {
    let Subfield { field, offset, bits } = subfield;
    f.write_str(field.header_name())?;
    if subfield.is_whole() {
        f.write_str("[]")
    } else if bits == 1 {
        write!(f, "[{offset}]")
    } else {
        write!(f, "[{offset}..{}]", offset + bits - 1)
    }
}

/// The field of a name, and by how many bits a value written for that name lies too far to the left.
pub(super) fn field(name: &str) -> Option<(Field, u16)> {
    match name {
        "nw_tos" | "NXM_OF_IP_TOS" => Some((Field::IpDscp, 2)),
        _ => Field::from_name(name).map(|field| (field, 0)),
    }
}

/// Value and mask of a field.
pub(super) fn parse<'a>(field: Field, text: &'a str, names: &Names) -> Result<(u128, u128), Fault<'a>> {
    if text == "*" {
        return Ok((0, 0));
    }
    let whole = u128::MAX >> (128 - 8 * field.bytes());
    let (value, mask) = match field.format() {
        FieldFormat::Decimal | FieldFormat::Hex => masked(text, number)?,
        FieldFormat::Mac => masked(text, parse_mac)?,
        FieldFormat::Ipv4 => network(text, parse_ipv4, 32)?,
        FieldFormat::Ipv6 => network(text, parse_ipv6, 128)?,
        FieldFormat::Port16 => (u128::from(port(text, names)?.0 & 0xffff), whole),
        FieldFormat::Port => (u128::from(port(text, names)?.0), whole),
        FieldFormat::CtState => parse_flags(text, CT_STATE)?,
        FieldFormat::TcpFlags => parse_flags(text, TCP_FLAGS)?,
        FieldFormat::TunFlags => parse_flags(text, TUN_FLAGS)?,
        FieldFormat::Frag => match FRAGMENTS.iter().find(|(word, ..)| word.eq_ignore_ascii_case(text)) {
            Some(&(_, value, mask)) => (value, mask),
            None => return fail(text, ParseErrorKind::UnknownFlag),
        },
        FieldFormat::PacketType => (packet_type(text)?, whole),
    };
    if value & !whole != 0 || (mask != u128::MAX && mask & !whole != 0) {
        return fail(text, ParseErrorKind::TooLarge);
    }
    let mask = mask & whole;
    let mask = if mask == whole { field.ones() } else { mask };
    if mask != field.ones() && mask != 0 && !field.maskable() {
        return fail(text, ParseErrorKind::Mask);
    }
    if value & mask & !(field.ones() | ones(field.width())) != 0 {
        return fail(text, ParseErrorKind::TooLarge);
    }
    Ok((value & mask, mask))
}

fn masked<'a>(text: &'a str, parse: impl Fn(&'a str) -> Result<u128, Fault<'a>>) -> Result<(u128, u128), Fault<'a>> {
    match text.split_once('/') {
        Some((value, mask)) => Ok((parse(value)?, parse(mask)?)),
        None => Ok((parse(text)?, u128::MAX)),
    }
}

/// An address alone, with the length of a prefix, or with a mask.
fn network<'a>(
    text: &'a str,
    parse: impl Fn(&'a str) -> Result<u128, Fault<'a>>,
    width: u16,
) -> Result<(u128, u128), Fault<'a>> {
    let Some((address, mask)) = text.split_once('/') else {
        return Ok((parse(text)?, ones(width)));
    };
    let address = parse(address)?;
    if !mask.is_empty() && mask.bytes().all(|byte| byte.is_ascii_digit()) {
        let prefix: u16 = integer(mask)?;
        return match width.checked_sub(prefix) {
            Some(hosts) => Ok((address, ones(width) & !ones(hosts))),
            None => fail(mask, ParseErrorKind::Range),
        };
    }
    Ok((address, parse(mask)?))
}

pub(super) fn parse_mac(text: &str) -> Result<u128, Fault<'_>> {
    let mut octets = [0; 6];
    let mut parts = text.split(':');
    for octet in &mut octets {
        let part = parts.next().filter(|part| (1..=2).contains(&part.len()));
        match part.and_then(hex_byte) {
            Some(value) => *octet = value,
            None => return fail(text, ParseErrorKind::Address),
        }
    }
    if parts.next().is_some() {
        return fail(text, ParseErrorKind::Address);
    }
    Ok(mac(octets))
}

pub(super) fn parse_ipv4(text: &str) -> Result<u128, Fault<'_>> {
    match text.parse::<Ipv4Addr>() {
        Ok(address) => Ok(u128::from(u32::from(address))),
        Err(_) => fail(text, ParseErrorKind::Address),
    }
}

fn parse_ipv6(text: &str) -> Result<u128, Fault<'_>> {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => Ok(u128::from(address)),
        Err(_) => fail(text, ParseErrorKind::Address),
    }
}

fn parse_flags<'a>(text: &'a str, names: &[&str]) -> Result<(u128, u128), Fault<'a>> {
    let bit = |name: &str| names.iter().position(|&present| present == name).map(|bit| 1_u128 << bit);
    if let Some((value, mask)) = text.split_once('/') {
        return Ok((number(value)?, number(mask)?));
    }
    if text.is_empty() {
        return fail(text, ParseErrorKind::MissingValue);
    }
    let (mut value, mut mask) = (0, 0);
    if !text.starts_with(['+', '-']) {
        for part in text.split('|') {
            value |= match bit(part) {
                Some(bit) => bit,
                None => number(part).map_err(|_| Fault { at: part, kind: ParseErrorKind::UnknownFlag })?,
            };
        }
        return Ok((value, u128::MAX));
    }
    let mut rest = text;
    while !rest.is_empty() {
        let set = rest.starts_with('+');
        let name = &rest[1..];
        let (name, after) = name.split_at(name.find(['+', '-']).unwrap_or(name.len()));
        match bit(name) {
            Some(bit) if mask & bit == 0 => {
                mask |= bit;
                value |= if set { bit } else { 0 };
            }
            _ => return fail(rest, ParseErrorKind::UnknownFlag),
        }
        rest = after;
    }
    Ok((value, mask))
}

/// `(namespace,type)`.
fn packet_type(text: &str) -> Result<u128, Fault<'_>> {
    let inner = text.strip_prefix('(').and_then(|text| text.strip_suffix(')'));
    let Some((namespace, kind)) = inner.and_then(|inner| inner.split_once(',')) else {
        return fail(text, ParseErrorKind::MissingPart);
    };
    let namespace: u16 = integer(namespace)?;
    let kind: u16 = integer(kind)?;
    Ok(u128::from(namespace) << 16 | u128::from(kind))
}

/// A port by number or name; the reserved numbers of OpenFlow 1.0 mean the reserved ports.
pub(super) fn port<'a>(text: &'a str, names: &Names) -> Result<PortNo, Fault<'a>> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        let port: u32 = integer(text)?;
        return match u16::try_from(port) {
            Ok(port) => Ok(PortNo::from_openflow10(port)),
            Err(_) if port >= PortNo::MAX.0 => Ok(PortNo(port)),
            Err(_) => fail(text, ParseErrorKind::UnknownPort),
        };
    }
    names.port(text).map_or_else(|| fail(text, ParseErrorKind::UnknownPort), Ok)
}

/// A table by number or name.
pub(super) fn table<'a>(text: &'a str, names: &Names) -> Result<TableId, Fault<'a>> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return integer(text).map(TableId);
    }
    names.table(text).map_or_else(|| fail(text, ParseErrorKind::UnknownTable), Ok)
}

/// A subfield as `NXM_NX_REG0[4..7]`, `reg0[4]`, `reg0[]` or `reg0`.
pub(super) fn subfield(text: &str) -> Result<Subfield, Fault<'_>> {
    let (name, bits) = text.split_at(text.find('[').unwrap_or(text.len()));
    let Some((field, shift)) = field(name.strip_suffix("_W").unwrap_or(name)) else {
        return fail(name, ParseErrorKind::UnknownField);
    };
    if bits.is_empty() || bits == "[]" {
        return Ok(Subfield::whole(field));
    }
    let Some(inner) = bits.strip_prefix('[').and_then(|bits| bits.strip_suffix(']')) else {
        return fail(bits, ParseErrorKind::Bits);
    };
    let (first, last) = inner.split_once("..").unwrap_or((inner, inner));
    let (first, last): (u16, u16) = (integer(first)?, integer(last)?);
    if first < shift || last < first || last - shift >= field.width() {
        return fail(bits, ParseErrorKind::Bits);
    }
    Ok(Subfield { field, offset: first - shift, bits: last - first + 1 })
}
