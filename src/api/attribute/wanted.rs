//! What the filters of a list ask for.

use super::moment;
use super::network;
use super::python::Python;
use super::rule::boolean_word;
use crate::api::fault::Fault;
use ipnet::IpNet;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::IpAddr;
use uuid::Uuid;
use weir_model::{FixedIp, MacAddress, Timestamp};

/// How a filter's values are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    Boolean,
    Integer,
    Text,
    Uuid,
    Mac,
    Ip,
    Net,
    /// A prefix with its host bits.
    Prefix,
    /// `fixed_ips=ip_address=..`, `fixed_ips=subnet_id=..`, `fixed_ips=ip_address_substr=..`.
    FixedIps,
    /// Not before this time.
    Since,
    /// All of the tags.
    Tags,
    /// At least one of the tags.
    TagsAny,
    /// Not all of the tags.
    NotTags,
    /// None of the tags.
    NotTagsAny,
}

/// One value of a filter; several of one filter widen it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// What no value can be: it could not be read.
    Nothing,
    Bool(bool),
    Integer(u64),
    Text(String),
    Uuid(Uuid),
    Mac(MacAddress),
    Ip(IpAddr),
    Net(IpNet),
    Since(Timestamp),
    Tags(WantedTags),
    FixedIps(WantedFixedIp),
}

/// Tags to have or not to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedTags {
    any: bool,
    not: bool,
    tags: BTreeSet<String>,
}

impl WantedTags {
    pub(super) fn fits(&self, tags: &BTreeSet<String>) -> bool {
        let found = if self.any {
            self.tags.iter().any(|tag| tags.contains(tag))
        } else {
            self.tags.iter().all(|tag| tags.contains(tag))
        };
        found != self.not
    }
}

/// An address to have: each list that is not empty must hold it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct WantedFixedIp {
    addresses: Option<Vec<IpAddr>>,
    subnets: Option<Vec<Uuid>>,
    parts: Option<Vec<String>>,
}

impl WantedFixedIp {
    pub(super) fn fits(&self, fixed: &FixedIp) -> bool {
        self.addresses.as_ref().is_none_or(|them| them.contains(&fixed.ip_address))
            && self.subnets.as_ref().is_none_or(|them| them.contains(&fixed.subnet_id.0))
            && self.parts.as_ref().is_none_or(|them| {
                let shown = fixed.ip_address.to_string();
                them.iter().any(|part| shown.contains(part.as_str()))
            })
    }
}

impl Filter {
    /// Reads the values of a filter.
    ///
    /// # Errors
    /// 400 for a value that can never be meant. What merely matches nothing is no error.
    pub(crate) fn read(self, values: &[&str]) -> Result<Vec<Wanted>, Fault> {
        let tags = |any, not| {
            let tags = values.iter().flat_map(|value| value.split(',')).map(str::to_owned).collect();
            Ok(vec![Wanted::Tags(WantedTags { any, not, tags })])
        };
        match self {
            Self::Tags => tags(false, false),
            Self::TagsAny => tags(true, false),
            Self::NotTags => tags(false, true),
            Self::NotTagsAny => tags(true, true),
            Self::FixedIps => fixed_ips(values),
            _ => values.iter().map(|value| self.one(value)).collect(),
        }
    }

    fn one(self, value: &str) -> Result<Wanted, Fault> {
        let text = || Value::String(value.to_owned());
        Ok(match self {
            Self::Boolean => Wanted::Bool(
                boolean_word(value)
                    .ok_or_else(|| Fault::invalid_input(format_args!("'{value}' cannot be converted to boolean")))?,
            ),
            Self::Integer => value.trim().parse().map_or(Wanted::Nothing, Wanted::Integer),
            Self::Uuid => value.parse().map_or(Wanted::Nothing, Wanted::Uuid),
            Self::Mac => network::mac(&text()).map_or(Wanted::Nothing, Wanted::Mac),
            Self::Ip => value.parse().map_or(Wanted::Nothing, Wanted::Ip),
            Self::Net => Wanted::Net(network::cidr(&text())?),
            Self::Prefix => network::prefix(value.trim()).map_or(Wanted::Nothing, Wanted::Net),
            Self::Since => Wanted::Since(moment::parse(value).ok_or_else(|| {
                Fault::invalid_input(format_args!(
                    "The input changed_since must be in the following format: YYYY-MM-DDTHH:MM:SSZ"
                ))
            })?),
            _ => Wanted::Text(value.to_owned()),
        })
    }
}

fn fixed_ips(values: &[&str]) -> Result<Vec<Wanted>, Fault> {
    let mut wanted = WantedFixedIp::default();
    for value in values {
        let Some((key, value)) = value.split_once('=').filter(|(key, _)| !key.trim().is_empty()) else {
            return Err(Fault::invalid_input(format_args!(
                "'{}' is not of the form <key>=[value]",
                Python(&Value::String((*value).to_owned()))
            )));
        };
        let value = value.trim();
        match key.trim() {
            "ip_address" => wanted.addresses.get_or_insert_default().extend(value.parse::<IpAddr>()),
            "subnet_id" => wanted.subnets.get_or_insert_default().extend(value.parse::<Uuid>()),
            "ip_address_substr" => wanted.parts.get_or_insert_default().push(value.to_owned()),
            other => {
                return Err(Fault::bad_request(format!("{other} is invalid attribute for filtering by fixed_ips")));
            }
        }
    }
    Ok(vec![Wanted::FixedIps(wanted)])
}
