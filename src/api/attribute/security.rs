//! What rules of security groups are about.

use super::network;
use super::python::Python;
use crate::api::fault::Fault;
use axum::http::StatusCode;
use ipnet::IpNet;
use serde_json::Value;
use weir_model::{Ethertype, Protocol};

/// The protocols that have names, with their numbers (IANA), in Neutron's order.
const PROTOCOLS: [(&str, u8); 25] = [
    ("ah", 51),
    ("dccp", 33),
    ("egp", 8),
    ("esp", 50),
    ("gre", 47),
    ("hopopt", 0),
    ("icmp", 1),
    ("igmp", 2),
    ("ip", 0),
    ("ipip", 4),
    ("ipv6-encap", 41),
    ("ipv6-frag", 44),
    ("ipv6-icmp", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("ipv6-route", 43),
    ("ospf", 89),
    ("pgm", 113),
    ("rsvp", 46),
    ("sctp", 132),
    ("tcp", 6),
    ("udp", 17),
    ("udplite", 136),
    ("vrrp", 112),
];

fn invalid(kind: &'static str, message: String) -> Fault {
    Fault::new(StatusCode::BAD_REQUEST, kind, message)
}

/// Reads a protocol: names in any case, numbers also as digits.
pub(super) fn protocol(value: &Value) -> Result<Option<Protocol>, Fault> {
    let found = match value {
        Value::Null => return Ok(None),
        Value::String(word) if word.eq_ignore_ascii_case("any") => return Ok(None),
        Value::String(word) => named(word).or_else(|| numbered(word.trim().parse().ok()?)),
        Value::Number(number) => number.as_i64().and_then(numbered),
        _ => None,
    };
    let unsupported = || {
        let mut values = "(None, 'any'".to_owned();
        for (name, _) in PROTOCOLS {
            values.push_str(", '");
            values.push_str(name);
            values.push('\'');
        }
        values.push(')');
        invalid(
            "SecurityGroupRuleInvalidProtocol",
            format!(
                "Security group rule protocol {} not supported. Only protocol values {values} and integer \
                 representations [0 to 255] are supported.",
                Python(value)
            ),
        )
    };
    found.map(Some).ok_or_else(unsupported)
}

fn named(word: &str) -> Option<Protocol> {
    let (name, number) = PROTOCOLS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word))?;
    Some(Protocol { number: *number, word: (*name).to_owned() })
}

fn numbered(number: i64) -> Option<Protocol> {
    let number = u8::try_from(number).ok()?;
    Some(Protocol { number, word: number.to_string() })
}

/// Reads a version of IP, in any case.
pub(super) fn ethertype(value: &Value) -> Result<Ethertype, Fault> {
    let word = value.as_str().unwrap_or_default();
    if word.eq_ignore_ascii_case("IPv4") {
        return Ok(Ethertype::V4);
    }
    if word.eq_ignore_ascii_case("IPv6") {
        return Ok(Ethertype::V6);
    }
    Err(invalid(
        "SecurityGroupRuleInvalidEtherType",
        format!(
            "Security group rule for ethertype '{}' not supported. Allowed values are ['IPv4', 'IPv6'].",
            Python(value)
        ),
    ))
}

/// Reads the number of a port, or what stands in its place for ICMP.
pub(super) fn port(value: &Value) -> Result<u16, Fault> {
    let number = match value {
        Value::Number(number) => number.as_u64().and_then(|number| u16::try_from(number).ok()),
        Value::String(digits) => digits.trim().parse().ok(),
        _ => None,
    };
    number.ok_or_else(|| invalid("SecurityGroupInvalidPortValue", format!("Invalid value for port {}", Python(value))))
}

/// Reads a remote prefix, which keeps its host bits.
pub(super) fn prefix(value: &Value) -> Result<Option<IpNet>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        other => {
            let net = other.as_str().and_then(|text| network::prefix(text.trim()));
            net.map(Some)
                .ok_or_else(|| invalid("InvalidCIDR", format!("Invalid CIDR {} given as IP prefix.", Python(other))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn protocols_have_names_and_numbers() {
        let read = |value: Value| protocol(&value).map(|it| it.map(|it| (it.number, it.word)));
        let shown = |number, word: &str| Ok(Some((number, word.to_owned())));
        assert_eq!(read(json!(null)), Ok(None));
        assert_eq!(read(json!("any")), Ok(None));
        assert_eq!(read(json!("TCP")), shown(6, "tcp"));
        assert_eq!(read(json!("icmpv6")), shown(58, "icmpv6"));
        assert_eq!(read(json!(0)), shown(0, "0"));
        assert_eq!(read(json!("255")), shown(255, "255"));
        for wrong in [json!(256), json!(-1), json!("256"), json!("tcpp"), json!(""), json!([]), json!(true)] {
            assert_eq!(read(wrong.clone()).unwrap_err().kind, "SecurityGroupRuleInvalidProtocol", "{wrong}");
        }
        assert!(read(json!("x")).unwrap_err().message.contains("values (None, 'any', 'ah', 'dccp', 'egp',"));
    }

    #[test]
    fn versions_ports_and_prefixes_are_judged() {
        assert_eq!(ethertype(&json!("ipV6")), Ok(Ethertype::V6));
        assert_eq!(ethertype(&json!("0x800")).unwrap_err().kind, "SecurityGroupRuleInvalidEtherType");
        assert_eq!(port(&json!("65535")), Ok(65535));
        assert_eq!(port(&json!(65536)).unwrap_err().message, "Invalid value for port 65536");
        assert_eq!(prefix(&json!("")), Ok(None));
        assert_eq!(prefix(&json!("10.0.0.1/24")).unwrap().unwrap().to_string(), "10.0.0.1/24");
        assert_eq!(prefix(&json!("fd00::1")).unwrap().unwrap().to_string(), "fd00::1/128");
        assert_eq!(prefix(&json!("10.0.0.0/33")).unwrap_err().message, "Invalid CIDR 10.0.0.0/33 given as IP prefix.");
    }
}
