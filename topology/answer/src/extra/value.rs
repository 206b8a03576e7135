//! Values of options, from text to the wire.

use crate::domain;
use ipnet::Ipv4Net;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// IPv4 addresses.
    Addresses,
    /// IPv6 addresses.
    Addresses6,
    /// Text as it is.
    Text,
    /// A number of 8 bits.
    Byte,
    /// A number of 16 bits.
    Short,
    /// A number of 32 bits.
    Long,
    /// Domain names.
    Domains,
    /// Prefixes and next hops in turn (RFC 3442).
    Routes,
    /// NTP servers as DHCPv6 tells them (RFC 5908).
    TimeServers,
    /// Parameters of a boot file, each with its length (RFC 5970).
    Parameters,
    /// What the text looks like: IPv4 addresses, a number, bytes in hex with colons, or text.
    Guess,
    /// The same with IPv6 addresses.
    Guess6,
}

/// The value on the wire; none if the text is not of this kind.
pub(super) fn encode(kind: Kind, text: &str) -> Option<Vec<u8>> {
    match kind {
        Kind::Addresses => each(text, |part| Some(part.parse::<Ipv4Addr>().ok()?.octets().to_vec())),
        Kind::Addresses6 => each(text, |part| Some(address6(part)?.octets().to_vec())),
        Kind::Text => Some(text.as_bytes().to_vec()),
        Kind::Byte => Some(vec![text.parse::<u8>().ok()?]),
        Kind::Short => Some(text.parse::<u16>().ok()?.to_be_bytes().to_vec()),
        // Offsets of time may be negative.
        Kind::Long => {
            let number = text.parse::<u32>().ok().or_else(|| text.parse::<i32>().ok().map(i32::cast_unsigned))?;
            Some(number.to_be_bytes().to_vec())
        }
        Kind::Domains => each(text, domain::encode),
        Kind::Routes => routes_of(text),
        Kind::TimeServers => each(text, time_server),
        Kind::Parameters => {
            each(text, |part| Some([&u16::try_from(part.len()).ok()?.to_be_bytes(), part.as_bytes()].concat()))
        }
        Kind::Guess => encode(Kind::Addresses, text).or_else(|| guess(text)),
        Kind::Guess6 => encode(Kind::Addresses6, text).or_else(|| guess(text)),
    }
}

fn each(text: &str, encode: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let parts: Option<Vec<_>> = text.split(',').map(|part| encode(part.trim())).collect();
    parts.map(|parts| parts.concat())
}

/// dnsmasq wants brackets around addresses, others do not.
fn address6(text: &str) -> Option<Ipv6Addr> {
    text.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

fn time_server(text: &str) -> Option<Vec<u8>> {
    let (suboption, value) = match address6(text) {
        Some(address) => (1_u16, address.octets().to_vec()),
        None => (3, domain::encode(text)?),
    };
    let length = u16::try_from(value.len()).ok()?;
    Some([&suboption.to_be_bytes()[..], &length.to_be_bytes(), &value].concat())
}

fn guess(text: &str) -> Option<Vec<u8>> {
    if let Ok(number) = text.parse::<u32>() {
        let bytes = number.to_be_bytes();
        let significant = match number {
            0..=0xff => 3,
            0x100..=0xffff => 2,
            _ => 0,
        };
        return Some(bytes[significant..].to_vec());
    }
    let hex = |part: &str| {
        let digits = matches!(part.len(), 1 | 2) && part.bytes().all(|digit| digit.is_ascii_hexdigit());
        digits.then(|| u8::from_str_radix(part, 16).ok()).flatten()
    };
    let bytes: Option<Vec<u8>> = text.split(':').map(hex).collect();
    match bytes {
        Some(bytes) if text.contains(':') => Some(bytes),
        _ => Some(text.as_bytes().to_vec()),
    }
}

fn routes_of(text: &str) -> Option<Vec<u8>> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let pairs = parts.chunks(2).map(|pair| {
        let [destination, hop] = pair else { return None };
        let destination =
            destination.parse::<Ipv4Net>().ok().or_else(|| Some(destination.parse::<Ipv4Addr>().ok()?.into()))?;
        Some((destination, hop.parse().ok()?))
    });
    Some(routes(&pairs.collect::<Option<Vec<_>>>()?))
}

/// Routes as RFC 3442 writes them.
pub(crate) fn routes(routes: &[(Ipv4Net, Ipv4Addr)]) -> Vec<u8> {
    let mut wire = Vec::with_capacity(routes.len() * 9);
    for (destination, hop) in routes {
        let significant = usize::from(destination.prefix_len().div_ceil(8));
        wire.push(destination.prefix_len());
        wire.extend_from_slice(&destination.network().octets()[..significant]);
        wire.extend_from_slice(&hop.octets());
    }
    wire
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_their_kind_says() {
        let vectors: &[(Kind, &str, Option<&[u8]>)] = &[
            (Kind::Addresses, "192.0.2.1, 192.0.2.2", Some(&[192, 0, 2, 1, 192, 0, 2, 2])),
            (Kind::Addresses, "192.0.2.1,", None),
            (Kind::Addresses, "2001:db8::1", None),
            (Kind::Short, "1400", Some(&[0x05, 0x78])),
            (Kind::Short, "70000", None),
            (Kind::Long, "-3600", Some(&[0xff, 0xff, 0xf1, 0xf0])),
            (Kind::Byte, "256", None),
            (Kind::Domains, "a.b,c", Some(b"\x01a\x01b\0\x01c\0")),
            (
                Kind::Routes,
                "10.1.2.0/23,192.0.2.1,0.0.0.0/0,192.0.2.2",
                Some(&[23, 10, 1, 2, 192, 0, 2, 1, 0, 192, 0, 2, 2]),
            ),
            (Kind::Routes, "192.0.2.7,192.0.2.1", Some(&[32, 192, 0, 2, 7, 192, 0, 2, 1])),
            (Kind::Routes, "10.0.0.0/8", None),
            (Kind::Guess, "192.0.2.1", Some(&[192, 0, 2, 1])),
            (Kind::Guess, "258", Some(&[1, 2])),
            (Kind::Guess, "70000", Some(&[0, 1, 0x11, 0x70])),
            (Kind::Guess, "01:aB:c", Some(&[1, 0xab, 0xc])),
            (Kind::Guess, "http://boot/x", Some(b"http://boot/x")),
            (Kind::Guess6, "[2001:db8::1]", Some(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])),
            (Kind::Parameters, "a,bc", Some(b"\0\x01a\0\x02bc")),
        ];
        for (kind, text, expected) in vectors {
            assert_eq!(encode(*kind, text).as_deref(), *expected, "{kind:?} {text}");
        }
    }
}
