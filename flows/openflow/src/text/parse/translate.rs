//! Parsing the `nat` of a `ct` action.

use crate::text::error::{Fault, ParseErrorKind, fail};
use crate::text::scan::{Pair, Pairs, integer};
use crate::{Nat, NatRange};
use std::net::IpAddr;

/// What stands within `nat(...)`.
pub(super) fn nat(text: &str) -> Result<Nat, Fault<'_>> {
    let mut nat = Nat::default();
    for pair in Pairs::new(text) {
        let Pair { key, value, .. } = pair?;
        let flag = match key {
            "src" => &mut nat.flags.src,
            "dst" => &mut nat.flags.dst,
            "persistent" => &mut nat.flags.persistent,
            "hash" => &mut nat.flags.hash,
            "random" => &mut nat.flags.random,
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        };
        *flag = true;
        if matches!(key, "src" | "dst") && !value.is_empty() {
            nat.range = Some(range(value)?);
        }
    }
    let flags = nat.flags;
    let directed = flags.src || flags.dst;
    if (flags.src && flags.dst) || (flags.hash && flags.random) {
        return fail(text, ParseErrorKind::Range);
    }
    if !directed && (flags.persistent || flags.hash || flags.random) {
        return fail(text, ParseErrorKind::MissingPart);
    }
    Ok(nat)
}

/// `address[-address][:port[-port]]`, IPv6 addresses in brackets if they must be told from ports.
fn range(text: &str) -> Result<NatRange, Fault<'_>> {
    let (min, rest) = address(text)?;
    let (max, rest) = match rest.strip_prefix('-') {
        Some(rest) => address(rest)?,
        None => (min, rest),
    };
    if max < min || min.is_ipv4() != max.is_ipv4() {
        return fail(text, ParseErrorKind::Range);
    }
    let ports = match rest.strip_prefix(':') {
        None if rest.is_empty() => None,
        None => return fail(rest, ParseErrorKind::Address),
        Some(ports) => {
            let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
            let (first, last): (u16, u16) = (integer(first)?, integer(last)?);
            if first == 0 || last < first {
                return fail(ports, ParseErrorKind::Range);
            }
            Some((first, last))
        }
    };
    Ok(NatRange { addresses: Some((min, max)), ports })
}

/// An address and what follows it.
fn address(text: &str) -> Result<(IpAddr, &str), Fault<'_>> {
    let (address, rest) = if let Some(inner) = text.strip_prefix('[') {
        match inner.split_once(']') {
            Some(parts) => parts,
            None => return fail(text, ParseErrorKind::Address),
        }
    } else {
        let end = text.find('-').unwrap_or(text.len());
        let end = match text.find('.') {
            // Without brackets, a colon belongs to an IPv6 address; within IPv4 it begins the ports.
            Some(_) if !text.starts_with(':') => text.find([':', '-']).unwrap_or(text.len()),
            _ => end,
        };
        text.split_at(end)
    };
    match address.parse() {
        Ok(address) => Ok((address, rest)),
        Err(_) => fail(text, ParseErrorKind::Address),
    }
}
