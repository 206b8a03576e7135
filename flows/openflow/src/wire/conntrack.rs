//! The `ct` action and the `nat` within it.

use super::action::{NO_TABLE, head, nested, nicira, pack, put_actions, unpack};
use super::oxm::{name32, put_name32};
use super::{DecodeErrorKind, Parsed, counted, fail, skip, u8, u16, uint};
use crate::field::NICIRA;
use crate::{Action, Ct, CtFlags, Nat, NatFlags, NatRange, Subfield, TableId, ZoneSource};
use bytes::{BufMut, BytesMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NAT: u16 = 36;
const COMMIT: u16 = 1;
const FORCE: u16 = 2;

/// Flags of a `nat` on the wire, in the order of [`NatFlags`].
const NAT_SRC: u16 = 1;
const NAT_DST: u16 = 2;
const NAT_PERSISTENT: u16 = 4;
const NAT_HASH: u16 = 8;
const NAT_RANDOM: u16 = 16;
const NAT_KNOWN: u16 = 31;

/// Which ends of a range are present.
const IPV4_MIN: u16 = 1;
const IPV4_MAX: u16 = 2;
const IPV6_MIN: u16 = 4;
const IPV6_MAX: u16 = 8;
const PORT_MIN: u16 = 16;
const PORT_MAX: u16 = 32;

/// A `ct` action from its flags on.
pub(super) fn ct(input: &[u8], depth: u8) -> Parsed<'_, Action> {
    let (rest, flags) = u16(input)?;
    if flags & !(COMMIT | FORCE) != 0 {
        return fail(input, DecodeErrorKind::Value);
    }
    let named = rest;
    let (rest, source) = name32(rest)?;
    let (rest, zone) = u16(rest)?;
    let zone = match source {
        None => ZoneSource::Constant(zone),
        Some((field, shift)) => {
            let (offset, bits) = unpack(zone);
            match offset.checked_sub(shift) {
                Some(offset) if bits == 16 && offset + bits <= field.width() => {
                    ZoneSource::Field(Subfield { field, offset, bits })
                }
                _ => return fail(named, DecodeErrorKind::Value),
            }
        }
    };
    let (rest, table) = u8(rest)?;
    let (rest, ()) = skip(rest, 3)?;
    let (mut rest, alg) = u16(rest)?;
    let mut found = None;
    let mut exec = Vec::new();
    while !rest.is_empty() {
        if is_nat(rest) {
            let (_, (_, length)) = head(rest)?;
            let (after, parsed) = counted(rest, length, 10, nat)?;
            if found.replace(parsed).is_some() {
                return fail(rest, DecodeErrorKind::Value);
            }
            rest = after;
        } else {
            let (_, (_, length)) = head(rest)?;
            let (after, parsed) = counted_whole(rest, length, depth)?;
            exec.extend(parsed);
            rest = after;
        }
    }
    let flags = CtFlags { commit: flags & COMMIT != 0, force: flags & FORCE != 0 };
    let table = (table != NO_TABLE).then_some(TableId(table));
    Ok((rest, Action::Ct(Ct { flags, zone, table, alg, nat: found, exec })))
}

fn counted_whole(input: &[u8], length: usize, depth: u8) -> Parsed<'_, Vec<Action>> {
    counted(input, length, 0, nested(depth + 1))
}

/// Whether the action that begins here is a `nat`, which lies within a `ct` only.
fn is_nat(input: &[u8]) -> bool {
    let mut head = [0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, NAT as u8];
    head[4..8].copy_from_slice(&NICIRA.to_be_bytes());
    input.len() >= head.len() && input[..2] == head[..2] && input[4..10] == head[4..]
}

/// A `nat` from the bytes after its subtype on.
fn nat(input: &[u8]) -> Parsed<'_, Nat> {
    let (start, ()) = skip(input, 2)?;
    let (rest, flags) = u16(start)?;
    let (rest, present) = u16(rest)?;
    let both = |pair| flags & pair == pair;
    if flags & !NAT_KNOWN != 0 || both(NAT_SRC | NAT_DST) || both(NAT_HASH | NAT_RANDOM) {
        return fail(start, DecodeErrorKind::Value);
    }
    let (mut rest, addresses) = nat_addresses(rest, present)?;
    let mut ports = None;
    if present & PORT_MIN != 0 {
        let (after, min) = u16(rest)?;
        let (after, max) = if present & PORT_MAX != 0 { u16(after)? } else { (after, min) };
        if min == 0 || max < min || addresses.is_none() {
            return fail(rest, DecodeErrorKind::Value);
        }
        ports = Some((min, max));
        rest = after;
    } else if present & PORT_MAX != 0 {
        return fail(rest, DecodeErrorKind::Value);
    }
    let flags = NatFlags {
        src: flags & NAT_SRC != 0,
        dst: flags & NAT_DST != 0,
        persistent: flags & NAT_PERSISTENT != 0,
        hash: flags & NAT_HASH != 0,
        random: flags & NAT_RANDOM != 0,
    };
    let range = addresses.map(|addresses| NatRange { addresses: Some(addresses), ports });
    Ok((&rest[rest.len()..], Nat { flags, range }))
}

fn nat_addresses(input: &[u8], present: u16) -> Parsed<'_, Option<(IpAddr, IpAddr)>> {
    let ends = match present & (IPV4_MIN | IPV4_MAX | IPV6_MIN | IPV6_MAX) {
        0 => return Ok((input, None)),
        IPV4_MIN => (4, false),
        ends if ends == IPV4_MIN | IPV4_MAX => (4, true),
        IPV6_MIN => (16, false),
        ends if ends == IPV6_MIN | IPV6_MAX => (16, true),
        _ => return fail(input, DecodeErrorKind::Value),
    };
    let (bytes, range) = ends;
    let (rest, min) = uint(input, bytes)?;
    let (rest, max) = if range { uint(rest, bytes)? } else { (rest, min) };
    if min == 0 || max < min {
        return fail(input, DecodeErrorKind::Value);
    }
    let address = |value: u128| match bytes {
        4 => IpAddr::V4(Ipv4Addr::from(value as u32)),
        _ => IpAddr::V6(Ipv6Addr::from(value)),
    };
    Ok((rest, Some((address(min), address(max)))))
}

/// Writes a `ct` action from its flags on.
pub(super) fn put_ct(out: &mut BytesMut, ct: &Ct) {
    let commit = if ct.flags.commit { COMMIT } else { 0 };
    let force = if ct.flags.force { FORCE } else { 0 };
    out.put_u16(commit | force);
    match ct.zone {
        ZoneSource::Constant(zone) => {
            out.put_u32(0);
            out.put_u16(zone);
        }
        ZoneSource::Field(source) => {
            put_name32(out, source.field);
            out.put_u16(pack(source));
        }
    }
    out.put_u8(ct.table.map_or(NO_TABLE, |table| table.0));
    out.put_bytes(0, 3);
    out.put_u16(ct.alg);
    if let Some(translation) = &ct.nat {
        nicira(out, NAT, |out| put_nat(out, translation));
    }
    put_actions(out, &ct.exec);
}

fn put_nat(out: &mut BytesMut, nat: &Nat) {
    let NatFlags { src, dst, persistent, hash, random } = nat.flags;
    let flags = [(src, NAT_SRC), (dst, NAT_DST), (persistent, NAT_PERSISTENT), (hash, NAT_HASH), (random, NAT_RANDOM)];
    out.put_u16(0);
    out.put_u16(flags.iter().map(|&(set, flag)| u16::from(set) * flag).sum());
    let at = out.len();
    out.put_u16(0);
    let Some(NatRange { addresses: Some((min, max)), ports }) = nat.range else {
        return;
    };
    let mut present = 0;
    put_address(out, min);
    present |= if min.is_ipv4() { IPV4_MIN } else { IPV6_MIN };
    if max != min {
        put_address(out, max);
        present |= if min.is_ipv4() { IPV4_MAX } else { IPV6_MAX };
    }
    if let Some((min, max)) = ports {
        out.put_u16(min);
        present |= PORT_MIN;
        if max != min {
            out.put_u16(max);
            present |= PORT_MAX;
        }
    }
    out[at..at + 2].copy_from_slice(&present.to_be_bytes());
}

fn put_address(out: &mut BytesMut, address: IpAddr) {
    match address {
        IpAddr::V4(address) => out.put_slice(&address.octets()),
        IpAddr::V6(address) => out.put_slice(&address.octets()),
    }
}
