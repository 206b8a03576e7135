//! `extra_dhcp_opts` of a port, as Neutron hands them to dnsmasq.

mod names;
mod value;

pub(crate) use names::SERVER_IP_ADDRESS;
pub(crate) use value::routes;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use weir_model::{ExtraDhcpOption, Port};

/// What was to be told but could not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Omission {
    /// The option, as it is named in the topology or by its number.
    pub option: String,
    /// Why it is left out.
    pub reason: Reason,
}

/// Why something is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Reason {
    /// No option has this name.
    #[error("there is no such option")]
    UnknownName,
    /// The value is not what the option holds.
    #[error("the value is not what the option holds")]
    Value,
    /// The server itself says what stands there.
    #[error("the option is the server's own")]
    Reserved,
    /// The message would be longer than the client takes.
    #[error("the message has no room left")]
    NoRoom,
}

impl fmt::Display for Omission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.option, self.reason)
    }
}

/// Which of the two protocols is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Dhcpv4,
    Dhcpv6,
}

/// The options that a port adds or replaces, by number. An empty value takes an option away.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extra {
    pub(crate) options: BTreeMap<u16, Vec<u8>>,
    pub(crate) omitted: Vec<Omission>,
}

impl Extra {
    /// The options of a port for a client of which `tags` hold.
    pub(crate) fn of(port: &Port, protocol: Protocol, tags: &BTreeSet<&str>) -> Self {
        let version = if protocol == Protocol::Dhcpv4 { 4 } else { 6 };
        let mut extra = Self::default();
        for option in port.extra_dhcp_opts.iter().filter(|option| option.ip_version == version) {
            let Some(name) = applicable(&option.name, tags) else { continue };
            match read(name, option, protocol) {
                Ok((number, value)) => {
                    extra.options.insert(number, value);
                }
                Err(reason) => extra.omitted.push(Omission { option: option.name.clone(), reason }),
            }
        }
        extra
    }
}

fn read(name: &str, option: &ExtraDhcpOption, protocol: Protocol) -> Result<(u16, Vec<u8>), Reason> {
    let (number, kind) = names::find(name, protocol).ok_or(Reason::UnknownName)?;
    if names::is_reserved(number, protocol) {
        return Err(Reason::Reserved);
    }
    let text = option.value.trim();
    let value = if text.is_empty() { Some(Vec::new()) } else { value::encode(kind, text) };
    let length = value.as_ref().map_or(0, Vec::len);
    if number == SERVER_IP_ADDRESS && protocol == Protocol::Dhcpv4 && !matches!(length, 0 | 4) {
        return Err(Reason::Value);
    }
    Ok((number, value.ok_or(Reason::Value)?))
}

/// The name without its conditions (`tag:ipxe,` and `tag:!ipxe,`), if they hold, and without `option:`.
fn applicable<'a>(name: &'a str, tags: &BTreeSet<&str>) -> Option<&'a str> {
    let mut rest = name.trim();
    while let Some(condition) = rest.strip_prefix("tag:") {
        let Some((tag, after)) = condition.split_once(',') else { break };
        let (tag, wanted) = tag.strip_prefix('!').map_or((tag, true), |tag| (tag, false));
        if tags.contains(tag) != wanted {
            return None;
        }
        rest = after;
    }
    Some(rest.strip_prefix("option:").or_else(|| rest.strip_prefix("option6:")).unwrap_or(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::port_with_options;

    fn extra(protocol: Protocol, tags: &[&str], options: &[(&str, &str)]) -> Extra {
        let version = if protocol == Protocol::Dhcpv4 { 4 } else { 6 };
        let port = port_with_options(options, version);
        Extra::of(&port, protocol, &tags.iter().copied().collect())
    }

    #[test]
    fn names_and_numbers_mean_the_same() {
        for name in ["tftp-server", "66", "option:tftp-server", "option:66", "tag:!ipxe,66", "tag:!ipxe,option:66"] {
            let extra = extra(Protocol::Dhcpv4, &[], &[(name, "tftp.example")]);
            assert_eq!(extra.options.get(&66).map(Vec::as_slice), Some(&b"tftp.example"[..]), "{name}");
        }
    }

    #[test]
    fn conditions_hold_or_the_option_is_not_told() {
        let options = [("tag:ipxe,67", "boot.ipxe"), ("tag:!ipxe,67", "undionly.kpxe"), ("tag:blue,42", "192.0.2.1")];
        let chained = extra(Protocol::Dhcpv4, &["ipxe"], &options);
        assert_eq!(chained.options, [(67, b"boot.ipxe".to_vec())].into());
        let first = extra(Protocol::Dhcpv4, &[], &options);
        assert_eq!(first.options, [(67, b"undionly.kpxe".to_vec())].into());
        assert_eq!(first.omitted, []);
    }

    #[test]
    fn what_cannot_be_told_is_reported() {
        let options = [("mtu", "many"), ("no-such", "1"), ("53", "5"), ("999", "1"), ("tag:broken", "1")];
        let extra = extra(Protocol::Dhcpv4, &[], &options);
        assert!(extra.options.is_empty());
        let reasons: Vec<_> = extra.omitted.iter().map(|one| (one.option.as_str(), one.reason)).collect();
        let expected = [
            ("mtu", Reason::Value),
            ("no-such", Reason::UnknownName),
            ("53", Reason::Reserved),
            ("999", Reason::UnknownName),
            ("tag:broken", Reason::UnknownName),
        ];
        assert_eq!(reasons, expected);
    }

    #[test]
    fn an_empty_value_takes_an_option_away() {
        assert_eq!(extra(Protocol::Dhcpv4, &[], &[("router", "")]).options, [(3, Vec::new())].into());
    }

    #[test]
    fn dhcpv6_has_names_of_its_own() {
        let options =
            [("dns-server", "2001:db8::53"), ("59", "tftp://[2001:db8::1]/boot"), ("ntp-server", "2001:db8::7")];
        let extra = extra(Protocol::Dhcpv6, &[], &options);
        assert_eq!(extra.options[&23].len(), 16);
        assert_eq!(extra.options[&59], b"tftp://[2001:db8::1]/boot");
        assert_eq!(extra.options[&56][..4], [0, 1, 0, 16]);
    }
}
