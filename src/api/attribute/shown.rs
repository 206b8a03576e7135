//! Values as answers show them, without copying what the model holds.

use super::Table;
use super::moment::Moment;
use super::wanted::Wanted;
use crate::api::view::View;
use ipnet::IpNet;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, Serializer};
use serde_json::value::RawValue;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use uuid::Uuid;
use weir_model::{
    AddressPair, AllocationPool, ExtraDhcpOption, FixedIp, HostName, HostRoute, MacAddress, Route, SecurityGroupRule,
    Timestamp,
};

/// A value on its way into an answer.
#[derive(Clone, Debug)]
pub(crate) enum Shown<'a> {
    Null,
    Bool(bool),
    Integer(u64),
    Text(&'a str),
    Uuid(Uuid),
    Mac(MacAddress),
    Ip(IpAddr),
    Net(IpNet),
    Nets(&'a BTreeSet<IpNet>),
    Time(Timestamp),
    Texts(&'a [String]),
    Words(&'static [&'static str]),
    Tags(&'a BTreeSet<String>),
    Uuids(Vec<Uuid>),
    Hosts(&'a [HostName]),
    Ips(&'a [IpAddr]),
    Pools(&'a [AllocationPool]),
    Routes(&'a [HostRoute]),
    ExtraRoutes(&'a [Route]),
    FixedIps(&'a [FixedIp]),
    Pairs(&'a [AddressPair]),
    DhcpOptions(&'a [ExtraDhcpOption]),
    /// JSON text that was checked when it came in.
    Json(&'a str),
    /// `binding:vif_details` of a port on Open vSwitch.
    OvsDetails,
    /// An empty object.
    NoDetails,
    /// `dns_assignment`: a name for every address.
    DnsAssignment {
        name: &'a str,
        domain: &'a str,
        addresses: &'a [FixedIp],
    },
    /// The rules within a security group.
    Rules(Box<ShownRules<'a>>),
}

/// Rules of security groups, each a whole object.
#[derive(Clone)]
pub(crate) struct ShownRules<'a> {
    pub(crate) rules: Vec<&'a SecurityGroupRule>,
    pub(crate) table: Table<SecurityGroupRule>,
    pub(crate) view: View<'a>,
}

impl fmt::Debug for ShownRules<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.fmt(f)
    }
}

impl Serialize for ShownRules<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Rule<'r, 'a>(&'a SecurityGroupRule, &'r ShownRules<'a>);
        impl Serialize for Rule<'_, '_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let Self(rule, ShownRules { table, view, .. }) = self;
                let shown = table.iter().filter(|attribute| attribute.visible);
                serializer.collect_map(shown.map(|attribute| (attribute.name, (attribute.read)(rule, view))))
            }
        }
        list(serializer, self.rules.iter().map(|rule| Rule(rule, self)))
    }
}

/// An id that serialises without a heap.
struct Id(Uuid);

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = [0; uuid::fmt::Hyphenated::LENGTH];
        serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
    }
}

/// An object of a few members.
struct Object<const N: usize, F>([(&'static str, F); N]);

impl<const N: usize, F: Serialize> Serialize for Object<N, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(N))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn list<S: Serializer, T: Serialize>(
    serializer: S,
    items: impl ExactSizeIterator<Item = T>,
) -> Result<S::Ok, S::Error> {
    let mut list = serializer.serialize_seq(Some(items.len()))?;
    for item in items {
        list.serialize_element(&item)?;
    }
    list.end()
}

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Integer(value) => serializer.serialize_u64(*value),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Uuid(id) => Id(*id).serialize(serializer),
            Self::Mac(mac) => serializer.collect_str(mac),
            Self::Ip(ip) => serializer.collect_str(ip),
            Self::Net(net) => serializer.collect_str(net),
            Self::Nets(nets) => list(serializer, nets.iter().map(|net| Shown::Net(*net))),
            Self::Time(time) => serializer.collect_str(&Moment(*time)),
            Self::Texts(texts) => texts.serialize(serializer),
            Self::Words(words) => words.serialize(serializer),
            Self::Tags(tags) => tags.serialize(serializer),
            Self::Uuids(ids) => list(serializer, ids.iter().map(|id| Id(*id))),
            Self::Hosts(hosts) => hosts.serialize(serializer),
            Self::Ips(ips) => list(serializer, ips.iter().map(|ip| Shown::Ip(*ip))),
            Self::Pools(pools) => list(
                serializer,
                pools.iter().map(|pool| Object([("start", Shown::Ip(pool.start)), ("end", Shown::Ip(pool.end))])),
            ),
            Self::Routes(routes) => list(serializer, routes.iter().map(|route| way(route.destination, route.nexthop))),
            Self::ExtraRoutes(routes) => {
                list(serializer, routes.iter().map(|route| way(route.destination, route.nexthop)))
            }
            Self::FixedIps(addresses) => list(
                serializer,
                addresses.iter().map(|fixed| {
                    Object([("subnet_id", Shown::Uuid(fixed.subnet_id.0)), ("ip_address", Shown::Ip(fixed.ip_address))])
                }),
            ),
            Self::Pairs(pairs) => list(
                serializer,
                pairs.iter().map(|pair| {
                    Object([("mac_address", Shown::Mac(pair.mac_address)), ("ip_address", source(pair.ip_address))])
                }),
            ),
            Self::DhcpOptions(options) => list(
                serializer,
                options.iter().map(|option| {
                    Object([
                        ("opt_name", Shown::Text(&option.name)),
                        ("opt_value", Shown::Text(&option.value)),
                        ("ip_version", Shown::Integer(u64::from(option.ip_version))),
                    ])
                }),
            ),
            Self::Json(text) => match serde_json::from_str::<&RawValue>(text) {
                Ok(raw) => raw.serialize(serializer),
                Err(_) => Self::NoDetails.serialize(serializer),
            },
            Self::OvsDetails => {
                let mut map = serializer.serialize_map(Some(6))?;
                map.serialize_entry("port_filter", &true)?;
                map.serialize_entry("connectivity", "l2")?;
                map.serialize_entry("bridge_name", "br-int")?;
                map.serialize_entry("datapath_type", "system")?;
                map.serialize_entry("ovs_hybrid_plug", &false)?;
                map.serialize_entry("bound_drivers", &Object([("0", "openvswitch")]))?;
                map.end()
            }
            Self::NoDetails => serializer.serialize_map(Some(0))?.end(),
            Self::DnsAssignment { name, domain, addresses } => {
                list(serializer, addresses.iter().map(|fixed| assignment(name, domain, fixed.ip_address)))
            }
            Self::Rules(rules) => rules.serialize(serializer),
        }
    }
}

fn way(destination: IpNet, nexthop: IpAddr) -> Object<2, Shown<'static>> {
    Object([("destination", Shown::Net(destination)), ("nexthop", Shown::Ip(nexthop))])
}

/// A single address without its length, as Neutron shows it.
fn source(net: IpNet) -> Shown<'static> {
    if net.prefix_len() == net.max_prefix_len() { Shown::Ip(net.addr()) } else { Shown::Net(net) }
}

fn assignment(name: &str, domain: &str, ip: IpAddr) -> Object<3, String> {
    let host = if name.is_empty() {
        format!("host-{}", ip.to_string().replace(['.', ':'], "-"))
    } else {
        name.trim_end_matches('.').to_owned()
    };
    let domain = domain.trim_end_matches('.');
    let inside = !domain.is_empty() && name.ends_with('.');
    let fqdn = if domain.is_empty() || inside { format!("{host}.") } else { format!("{host}.{domain}.") };
    Object([("hostname", host), ("fqdn", fqdn), ("ip_address", ip.to_string())])
}

impl Shown<'_> {
    /// Whether a filter names this value.
    pub(crate) fn is(&self, wanted: &Wanted) -> bool {
        match (self, wanted) {
            (Self::Bool(value), Wanted::Bool(wanted)) => value == wanted,
            (Self::Integer(value), Wanted::Integer(wanted)) => value == wanted,
            (Self::Text(text), Wanted::Text(wanted)) => text == wanted,
            (Self::Null, Wanted::Text(wanted)) => wanted.is_empty(),
            (Self::Uuid(id), Wanted::Uuid(wanted)) => id == wanted,
            (Self::Uuids(ids), Wanted::Uuid(wanted)) => ids.contains(wanted),
            (Self::Mac(mac), Wanted::Mac(wanted)) => mac == wanted,
            (Self::Ip(ip), Wanted::Ip(wanted)) => ip == wanted,
            (Self::Net(net), Wanted::Net(wanted)) => net == wanted,
            (Self::Time(time), Wanted::Since(wanted)) => time >= wanted,
            (Self::Tags(tags), Wanted::Tags(wanted)) => wanted.fits(tags),
            (Self::FixedIps(addresses), Wanted::FixedIps(wanted)) => addresses.iter().any(|fixed| wanted.fits(fixed)),
            _ => false,
        }
    }

    /// The order of a sorted list; what is absent comes first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Bool(a), Self::Bool(b)) => a.cmp(b),
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            (Self::Uuid(a), Self::Uuid(b)) => a.cmp(b),
            (Self::Mac(a), Self::Mac(b)) => a.cmp(b),
            (Self::Ip(a), Self::Ip(b)) => a.cmp(b),
            (Self::Net(a), Self::Net(b)) => a.cmp(b),
            (Self::Time(a), Self::Time(b)) => a.cmp(b),
            (Self::Texts(a), Self::Texts(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(shown: &Shown<'_>) -> String {
        serde_json::to_string(shown).unwrap()
    }

    #[test]
    fn single_sources_have_no_length() {
        let pair = |net: &str| AddressPair {
            ip_address: net.parse().unwrap(),
            mac_address: MacAddress([0xfa, 0x16, 0x3e, 0, 0, 1]),
        };
        assert_eq!(
            json(&Shown::Pairs(&[pair("10.0.0.1/32"), pair("10.1.0.0/16"), pair("fd00::/64")])),
            concat!(
                r#"[{"mac_address":"fa:16:3e:00:00:01","ip_address":"10.0.0.1"},"#,
                r#"{"mac_address":"fa:16:3e:00:00:01","ip_address":"10.1.0.0/16"},"#,
                r#"{"mac_address":"fa:16:3e:00:00:01","ip_address":"fd00::/64"}]"#
            )
        );
    }

    #[test]
    fn every_address_has_a_name() {
        let fixed = FixedIp { subnet_id: weir_model::SubnetId(Uuid::nil()), ip_address: "10.0.0.9".parse().unwrap() };
        let named = |name| json(&Shown::DnsAssignment { name, domain: "example.org.", addresses: &[fixed] });
        assert_eq!(
            named(""),
            r#"[{"hostname":"host-10-0-0-9","fqdn":"host-10-0-0-9.example.org.","ip_address":"10.0.0.9"}]"#
        );
        assert_eq!(named("vm"), r#"[{"hostname":"vm","fqdn":"vm.example.org.","ip_address":"10.0.0.9"}]"#);
    }
}
