//! How the value of an attribute is converted and judged.
//!
//! The sentences are those of Neutron's validators, since clients and their tests compare them.

use super::given::{Given, GivenFixedIp, GivenPair};
use super::network::{self as net};
use super::python::Python;
use super::security;
use super::text;
use crate::api::fault::Fault;
use serde_json::Value;
use uuid::Uuid;

/// Most tags that a resource can have.
pub(crate) const MAX_TAGS: usize = 50;
/// Longest tag, in characters.
pub(crate) const TAG_LEN: usize = 255;

/// What values an attribute takes, and what they become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// Anything that means yes or no.
    Boolean,
    /// Anything that means yes or no; null for none.
    BooleanOrNull,
    /// A number, or its digits.
    Integer,
    /// A number that is not below zero.
    Natural,
    /// One of these numbers.
    OneNumberOf(&'static [i64]),
    /// Printable text without leading or trailing space, of so many characters at most.
    Name(usize),
    /// Text of so many characters at most.
    Text(usize),
    /// Text of so many characters at most; null for none.
    TextOrNull(usize),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A UUID.
    Uuid,
    /// A UUID; null for none.
    UuidOrNull,
    /// UUIDs, each once; null for none.
    Uuids,
    /// A link-layer address; null for a new one.
    Mac,
    /// An address; null for none.
    IpOrNull,
    /// A prefix.
    Cidr,
    /// A prefix with its host bits; null or nothing for none.
    Prefix,
    /// Prefixes of which each has its length, host bits cleared; null for none.
    Prefixes,
    /// `IPv4` or `IPv6`.
    Ethertype,
    /// The name or number of an IP protocol; null or `any` for none.
    Protocol,
    /// The number of a port; null for none.
    PortNumber,
    /// Ranges of addresses.
    Pools,
    /// Addresses of name servers; null for none.
    Nameservers,
    /// Routes; null for none.
    HostRoutes,
    /// Wished subnets and addresses of a port.
    FixedIps,
    /// Further sources of a port; null for none.
    AddressPairs,
    /// DHCP options; null for none.
    DhcpOptions,
    /// A JSON object; null for none.
    ObjectOrNull,
    /// A host name in DNS.
    DnsName,
    /// A domain in DNS, ending in a dot.
    DnsDomain,
    /// Texts, each once, of so many characters at most.
    Texts(usize),
    /// Device owners, by their prefixes.
    ServiceTypes,
    /// Nothing but null or an empty object: routers have no external gateways yet.
    NoGateway,
}

/// A value that does not fit, and how the answer words it.
#[derive(Debug)]
pub(crate) enum Misfit {
    /// The attribute's name goes in front of the reason.
    Reason(String),
    /// The fault is complete.
    Fault(Box<Fault>),
}

impl From<String> for Misfit {
    fn from(reason: String) -> Self {
        Self::Reason(reason)
    }
}

impl From<Fault> for Misfit {
    fn from(fault: Fault) -> Self {
        Self::Fault(Box::new(fault))
    }
}

impl Rule {
    /// Converts and judges the value of the attribute `name`.
    ///
    /// # Errors
    /// 400 that says what is wrong.
    pub(crate) fn apply(self, name: &str, value: Value) -> Result<Given, Fault> {
        self.judge(value).map_err(|misfit| match misfit {
            Misfit::Reason(reason) => Fault::bad_request(format!("Invalid input for {name}. Reason: {reason}.")),
            Misfit::Fault(fault) => *fault,
        })
    }

    fn judge(self, value: Value) -> Result<Given, Misfit> {
        match self {
            Self::Boolean => Ok(Given::Bool(boolean(&value)?)),
            Self::BooleanOrNull => nullable(value, |value| Ok(Given::Bool(boolean(&value)?))),
            Self::Integer => Ok(Given::Integer(integer(&value)?)),
            Self::Natural => {
                let number = integer(&value)?;
                if number < 0 {
                    Err(format!("'{number}' should be non-negative").into())
                } else {
                    Ok(Given::Integer(number))
                }
            }
            Self::OneNumberOf(allowed) => {
                let number = integer(&value)?;
                if allowed.contains(&number) {
                    Ok(Given::Integer(number))
                } else {
                    Err(format!("{number} is not in valid_values").into())
                }
            }
            Self::Name(max) => {
                let name = string(value, max)?;
                if text::is_name(&name) {
                    Ok(Given::Text(name))
                } else {
                    Err(format!("'{name}' is not a valid string").into())
                }
            }
            Self::Text(max) => Ok(Given::Text(string(value, max)?)),
            Self::TextOrNull(max) => nullable(value, |value| Ok(Given::Text(string(value, max)?))),
            Self::OneOf(allowed) => match &value {
                Value::String(word) if allowed.contains(&word.as_str()) => match value {
                    Value::String(word) => Ok(Given::Text(word)),
                    _ => Ok(Given::Null),
                },
                _ => Err(format!("{} is not in valid_values", Python(&value)).into()),
            },
            Self::Uuid => Ok(Given::Uuid(uuid(&value)?)),
            Self::UuidOrNull => nullable(value, |value| Ok(Given::Uuid(uuid(&value)?))),
            Self::Uuids => Ok(Given::Uuids(uuids(value)?)),
            Self::Mac => nullable(value, |value| Ok(Given::Mac(net::mac(&value)?))),
            Self::IpOrNull => nullable(value, |value| Ok(Given::Ip(net::ip(&value)?))),
            Self::Cidr => nullable(value, |value| Ok(Given::Cidr(net::cidr(&value)?))),
            Self::Prefix => Ok(security::prefix(&value)?.map_or(Given::Null, Given::Cidr)),
            Self::Prefixes => Ok(Given::Nets(net::prefixes(&value)?)),
            Self::Ethertype => Ok(Given::Ethertype(security::ethertype(&value)?)),
            Self::Protocol => Ok(security::protocol(&value)?.map_or(Given::Null, Given::Protocol)),
            Self::PortNumber => nullable(value, |value| Ok(Given::Integer(security::port(&value)?.into()))),
            Self::Pools => Ok(Given::Pools(net::pools(&value)?)),
            Self::Nameservers => Ok(Given::Ips(net::nameservers(&value)?)),
            Self::HostRoutes => Ok(Given::Routes(net::host_routes(&value)?)),
            Self::FixedIps => fixed_ips(&value).map(Given::FixedIps),
            Self::AddressPairs => net::address_pairs(&value).map(Given::Pairs),
            Self::DhcpOptions => super::dhcp::options(value).map(Given::DhcpOptions),
            Self::ObjectOrNull => match value {
                Value::Null => Ok(Given::Null),
                Value::Object(_) => Ok(Given::Json(value.to_string())),
                other => Err(format!("'{}' is not a dictionary", Python(&other)).into()),
            },
            Self::DnsName => match value {
                Value::String(name) => {
                    let name = name.to_lowercase();
                    text::dns(&name)?;
                    Ok(Given::Text(name))
                }
                other => Err(not_text(&other).into()),
            },
            Self::DnsDomain => match value {
                Value::String(domain) => {
                    let domain = domain.to_lowercase();
                    text::dns_domain(&domain)?;
                    Ok(Given::Text(domain))
                }
                other => Err(not_text(&other).into()),
            },
            Self::Texts(max) => Ok(Given::Texts(texts(value, max)?)),
            Self::ServiceTypes => service_types(value),
            Self::NoGateway => match value {
                Value::Null => Ok(Given::Null),
                Value::Object(gateway) if gateway.is_empty() => Ok(Given::Null),
                Value::Object(_) => Err(Fault::bad_part("router", "external gateways are not supported yet").into()),
                other => Err(format!("'{}' is not a dictionary", Python(&other)).into()),
            },
        }
    }
}

fn nullable(value: Value, judge: impl FnOnce(Value) -> Result<Given, Misfit>) -> Result<Given, Misfit> {
    if value.is_null() { Ok(Given::Null) } else { judge(value) }
}

fn not_text(value: &Value) -> Fault {
    Fault::invalid_input(format_args!("Input value {} must be string type", Python(value)))
}

/// The meaning of a word as yes or no.
pub(crate) fn boolean_word(word: &str) -> Option<bool> {
    let word = word.trim();
    const YES: [&str; 6] = ["1", "t", "true", "on", "y", "yes"];
    const NO: [&str; 6] = ["0", "f", "false", "off", "n", "no"];
    if YES.iter().any(|yes| word.eq_ignore_ascii_case(yes)) {
        Some(true)
    } else if NO.iter().any(|no| word.eq_ignore_ascii_case(no)) {
        Some(false)
    } else {
        None
    }
}

fn boolean(value: &Value) -> Result<bool, Fault> {
    let meaning = match value {
        Value::Bool(meaning) => Some(*meaning),
        Value::String(word) => boolean_word(word),
        Value::Number(number) => boolean_word(&number.to_string()),
        _ => None,
    };
    meaning.ok_or_else(|| Fault::invalid_input(format_args!("'{}' cannot be converted to boolean", Python(value))))
}

fn integer(value: &Value) -> Result<i64, Fault> {
    let number = match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(truncated)),
        Value::String(digits) => digits.trim().parse().ok(),
        Value::Bool(set) => Some(i64::from(*set)),
        _ => None,
    };
    number.ok_or_else(|| Fault::invalid_input(format_args!("'{}' is not an integer", Python(value))))
}

/// The whole part, as Python's `int()` gives it.
fn truncated(number: f64) -> Option<i64> {
    let whole = number.trunc();
    // 2^53: beyond, a float does not name one integer.
    (whole.abs() <= 9_007_199_254_740_992.0).then_some(whole as i64)
}

fn string(value: Value, max: usize) -> Result<String, Misfit> {
    match value {
        Value::String(text) => {
            if text.chars().nth(max).is_some() {
                Err(format!("'{text}' exceeds maximum length of {max}").into())
            } else {
                Ok(text)
            }
        }
        other => Err(format!("'{}' is not a valid string", Python(&other)).into()),
    }
}

pub(super) fn uuid(value: &Value) -> Result<Uuid, String> {
    value
        .as_str()
        .and_then(|text| Uuid::parse_str(text).ok())
        .ok_or_else(|| format!("'{}' is not a valid UUID", Python(value)))
}

/// The items of a list, of which no two are the same.
pub(super) fn distinct(value: &Value) -> Result<&[Value], Misfit> {
    let Value::Array(items) = value else {
        return Err(format!("'{}' is not a list", Python(value)).into());
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut duplicates: Vec<String> = Vec::new();
    for item in items {
        let shown = Python(item).to_string();
        if !seen.insert(shown.clone()) && !duplicates.contains(&shown) {
            duplicates.push(shown);
        }
    }
    if !duplicates.is_empty() {
        return Err(format!("Duplicate items in the list: '{}'", duplicates.join(", ")).into());
    }
    Ok(items)
}

/// Texts, each once.
pub(crate) fn texts(value: Value, max: usize) -> Result<Vec<String>, Misfit> {
    distinct(&value)?;
    let Value::Array(items) = value else { return Ok(Vec::new()) };
    items.into_iter().map(|item| string(item, max)).collect()
}

/// Ids, each once.
fn uuids(value: Value) -> Result<Vec<Uuid>, Misfit> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let ids = distinct(&value)?.iter().map(uuid).collect::<Result<_, _>>()?;
    Ok(ids)
}

fn fixed_ips(value: &Value) -> Result<Vec<GivenFixedIp>, Misfit> {
    let wrong = |value: &Value| format!("Invalid data format for fixed IP: '{}'", Python(value));
    let items = value.as_array().ok_or_else(|| wrong(value))?;
    let mut wished: Vec<GivenFixedIp> = Vec::with_capacity(items.len());
    for item in items {
        let members = item.as_object().ok_or_else(|| wrong(item))?;
        let ip_address = match members.get("ip_address") {
            None => None,
            Some(address) => {
                let ip = net::ip(address)?;
                if wished.iter().any(|other| other.ip_address == Some(ip)) {
                    return Err(format!("Duplicate IP address '{}'", Python(address)).into());
                }
                Some(ip)
            }
        };
        let subnet_id = members.get("subnet_id").map(uuid).transpose()?;
        wished.push(GivenFixedIp { subnet_id, ip_address });
    }
    Ok(wished)
}

/// What device owners begin with; `compute:` and the like.
const SERVICE_PREFIXES: [&str; 3] = ["network:", "neutron:", "compute:"];

fn service_types(value: Value) -> Result<Given, Misfit> {
    let items = match value {
        Value::Null => return Ok(Given::Texts(Vec::new())),
        Value::Array(items) => items,
        _ => return Err(Fault::bad_request("Subnet service types must be a list.").into()),
    };
    let mut types = Vec::with_capacity(items.len());
    for item in items {
        match item {
            Value::String(kind) if SERVICE_PREFIXES.iter().any(|p| kind.starts_with(p)) => {
                types.push(kind);
            }
            Value::String(kind) => {
                return Err(Fault::new(
                    axum::http::StatusCode::BAD_REQUEST,
                    "InvalidSubnetServiceType",
                    format!("Subnet service type {kind} does not correspond to a valid device owner."),
                )
                .into());
            }
            other => {
                return Err(Fault::new(
                    axum::http::StatusCode::BAD_REQUEST,
                    "InvalidInputSubnetServiceType",
                    format!("Subnet service type {} is not a string.", Python(&other)),
                )
                .into());
            }
        }
    }
    Ok(Given::Texts(types))
}

pub(super) type Pairs = Vec<GivenPair>;
