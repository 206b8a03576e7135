//! Addresses, prefixes and what is made of them.

use super::given::GivenPair;
use super::python::{Python, quoted};
use super::rule::{Misfit, Pairs, distinct};
use crate::api::fault::Fault;
use axum::http::StatusCode;
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use weir_model::{AllocationPool, HostRoute, MacAddress};

/// Most further sources of a port.
const MAX_PAIRS: usize = 10;

/// Reads an address in its canonical form (IPv6 in any).
pub(super) fn ip(value: &Value) -> Result<IpAddr, String> {
    let wrong = || format!("'{}' is not a valid IP address", Python(value));
    let text = value.as_str().ok_or_else(wrong)?;
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    match unpadded(text) {
        Some(meant) => Err(format!("'{text}' is not an accepted IP address, '{meant}' is recommended")),
        None => Err(wrong()),
    }
}

/// The address that leading zeros hide.
fn unpadded(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part = parts.next()?;
        if part.is_empty() || !part.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let digits = part.trim_start_matches('0');
        *octet = if digits.is_empty() { 0 } else { digits.parse().ok()? };
    }
    parts.next().is_none().then(|| octets.into())
}

/// Reads a prefix, its length as a number or as a mask, and clears the host bits.
pub(super) fn cidr(value: &Value) -> Result<IpNet, Fault> {
    value
        .as_str()
        .and_then(|text| prefix(text.trim()))
        .map(|net| net.trunc())
        .ok_or_else(|| Fault::invalid_input(format_args!("{} is not in a CIDR format", Python(value))))
}

/// Reads a prefix, its length as a number or as a mask, or a single address.
pub(super) fn prefix(text: &str) -> Option<IpNet> {
    let Some((address, length)) = text.split_once('/') else {
        return text.parse::<IpAddr>().ok().map(IpNet::from);
    };
    let address: IpAddr = address.parse().ok()?;
    if let Ok(length) = length.parse::<u8>() {
        return IpNet::new(address, length).ok();
    }
    let mask: IpAddr = length.parse().ok()?;
    IpNet::with_netmask(address, mask).ok()
}

/// Reads prefixes that have a length, IPv4 ones in their canonical form, and clears the host bits.
pub(super) fn prefixes(value: &Value) -> Result<BTreeSet<IpNet>, Misfit> {
    if value.is_null() {
        return Ok(BTreeSet::new());
    }
    let items = distinct(value)?;
    let nets = items.iter().map(|item| {
        let text = item.as_str().filter(|text| text.contains('/'));
        text.and_then(|text| prefix(text).filter(|net| net.addr().is_ipv6() || net.to_string() == text))
            .map(|net| net.trunc())
            .ok_or_else(|| Misfit::from(format!("'{}' is not a valid IP subnet", Python(item))))
    });
    nets.collect()
}

/// Reads a link-layer address in the usual spellings; the zero and broadcast addresses are none.
pub(super) fn mac(value: &Value) -> Result<MacAddress, String> {
    value
        .as_str()
        .and_then(spelled)
        .filter(|address| !matches!(address.to_u64(), 0 | 0xffff_ffff_ffff))
        .ok_or_else(|| format!("'{}' is not a valid MAC address", Python(value)))
}

fn spelled(text: &str) -> Option<MacAddress> {
    let mut bytes = [0; 6];
    if text.contains([':', '-']) {
        let mut parts = text.split([':', '-']);
        for byte in &mut bytes {
            let part = parts.next()?;
            if !(1..=2).contains(&part.len()) || !part.bytes().all(|d| d.is_ascii_hexdigit()) {
                return None;
            }
            *byte = u8::from_str_radix(part, 16).ok()?;
        }
        return parts.next().is_none().then_some(MacAddress(bytes));
    }
    let bare;
    let digits = if text.len() == 14 && text.as_bytes()[4] == b'.' && text.as_bytes()[9] == b'.' {
        bare = text.replace('.', "");
        &bare
    } else {
        text
    };
    if digits.len() != 12 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let number = u64::from_str_radix(digits, 16).ok()?;
    bytes.copy_from_slice(&number.to_be_bytes()[2..]);
    Some(MacAddress(bytes))
}

/// Checks that an object has exactly these members.
fn members<'a>(value: &'a Value, expected: [&str; 2]) -> Result<&'a Map<String, Value>, String> {
    let Some(found) = value.as_object() else {
        return Err(format!(
            "Invalid input. '{}' must be a dictionary with keys: ['{}', '{}']",
            Python(value),
            expected[0],
            expected[1]
        ));
    };
    if found.len() == expected.len() && expected.iter().all(|name| found.contains_key(*name)) {
        return Ok(found);
    }
    let mut provided = String::new();
    for name in found.keys() {
        if !provided.is_empty() {
            provided.push_str(", ");
        }
        quoted(name, &mut provided).expect("a String takes everything");
    }
    let provided = if provided.is_empty() { "set()".to_owned() } else { format!("{{{provided}}}") };
    Err(format!(
        "Validation of dictionary's keys failed. Expected keys: {{'{}', '{}'}} Provided keys: {provided}",
        expected[0], expected[1]
    ))
}

/// Reads allocation pools.
pub(super) fn pools(value: &Value) -> Result<Vec<AllocationPool>, Misfit> {
    let misshapen = || Fault::invalid_input("Invalid data format for allocation pools");
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) if items.iter().all(Value::is_object) => items,
        _ => return Err(misshapen().into()),
    };
    let mut pools = Vec::with_capacity(items.len());
    for item in items {
        let pool = members(item, ["start", "end"])?;
        pools.push(AllocationPool { start: ip(&pool["start"])?, end: ip(&pool["end"])? });
    }
    Ok(pools)
}

/// Reads addresses of name servers, each once.
pub(super) fn nameservers(value: &Value) -> Result<Vec<IpAddr>, String> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => {
            return Err(format!("Invalid data format for nameserver: '{}'", Python(value)));
        }
    };
    let mut servers = Vec::with_capacity(items.len());
    for item in items {
        let server = ip(item).map_err(|why| format!("'{}' is not a valid nameserver. {why}", Python(item)))?;
        if servers.contains(&server) {
            return Err(format!("Duplicate nameserver '{}'", Python(item)));
        }
        servers.push(server);
    }
    Ok(servers)
}

/// Reads routes, each once.
pub(super) fn host_routes(value: &Value) -> Result<Vec<HostRoute>, String> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => {
            return Err(format!("Invalid data format for hostroute: '{}'", Python(value)));
        }
    };
    let mut routes = Vec::with_capacity(items.len());
    for item in items {
        let route = members(item, ["destination", "nexthop"])?;
        let route = HostRoute { destination: destination(&route["destination"])?, nexthop: ip(&route["nexthop"])? };
        if routes.contains(&route) {
            return Err(format!("Duplicate hostroute '{}'", Python(item)));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn destination(value: &Value) -> Result<IpNet, String> {
    let net = value
        .as_str()
        .filter(|text| text.contains('/'))
        .and_then(prefix)
        .filter(|net| net.trunc() == *net)
        .ok_or_else(|| format!("'{}' is not a valid CIDR", Python(value)))?;
    if net.network().is_loopback() {
        return Err(format!("'{}' is not a routable CIDR", Python(value)));
    }
    Ok(net)
}

/// Reads further sources of a port, each once.
pub(super) fn address_pairs(value: &Value) -> Result<Pairs, Misfit> {
    let items = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Array(items) => items,
        _ => return Err(Fault::bad_request("Allowed address pairs must be a list.").into()),
    };
    if items.len() > MAX_PAIRS {
        return Err(Fault::new(
            StatusCode::BAD_REQUEST,
            "AllowedAddressPairExhausted",
            format!("The number of allowed address pair exceeds the maximum {MAX_PAIRS}."),
        )
        .into());
    }
    let mut pairs: Pairs = Vec::with_capacity(items.len());
    for item in items {
        let Some(pair) = item.as_object() else {
            return Err(format!("'{}' is not a dictionary", Python(item)).into());
        };
        let mac_address = pair.get("mac_address").map(mac).transpose().map_err(Fault::bad_request)?;
        let Some(address) = pair.get("ip_address") else {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "AllowedAddressPairsMissingIP",
                "AllowedAddressPair must contain ip_address",
            )
            .into());
        };
        let unknown: Vec<&str> =
            pair.keys().map(String::as_str).filter(|name| !matches!(*name, "ip_address" | "mac_address")).collect();
        if !unknown.is_empty() {
            return Err(Fault::bad_request(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))).into());
        }
        let ip_address = source(address).map_err(Fault::bad_request)?;
        if mac_address.is_some_and(MacAddress::is_multicast) {
            return Err(Fault::bad_request(format!(
                "MAC address {} is a multicast MAC address, which is not supported.",
                Python(&pair["mac_address"])
            ))
            .into());
        }
        let pair = GivenPair { ip_address, mac_address };
        if pairs.contains(&pair) {
            return Err(Fault::new(
                StatusCode::BAD_REQUEST,
                "DuplicateAddressPairInRequest",
                format!(
                    "Request contains duplicate address pair: mac_address {} ip_address {}.",
                    mac_address.map_or_else(|| "None".to_owned(), |mac| mac.to_string()),
                    Python(address)
                ),
            )
            .into());
        }
        pairs.push(pair);
    }
    Ok(pairs)
}

fn source(value: &Value) -> Result<IpNet, String> {
    let net = match value.as_str() {
        Some(text) if text.contains('/') => prefix(text).ok_or_else(|| format!("'{text}' is not a valid IP subnet"))?,
        _ => IpNet::from(ip(value)?),
    };
    if net.addr().is_multicast() {
        return Err(format!("IP {} is a multicast address, which is not supported.", Python(value)));
    }
    Ok(net.trunc())
}
