//! Values as they were given, converted.

use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::IpAddr;
use uuid::Uuid;
use weir_model::{AllocationPool, Ethertype, ExtraDhcpOption, HostRoute, MacAddress, Protocol};

/// A wished address of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenFixedIp {
    /// In this subnet; any when absent.
    pub(crate) subnet_id: Option<Uuid>,
    /// This address; any when absent.
    pub(crate) ip_address: Option<IpAddr>,
}

/// A further source of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GivenPair {
    /// The address or prefix.
    pub(crate) ip_address: IpNet,
    /// The port's own when absent.
    pub(crate) mac_address: Option<MacAddress>,
}

/// A DHCP option; without a value it is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenDhcpOption {
    /// Name or number.
    pub(crate) name: String,
    /// Value.
    pub(crate) value: Option<String>,
    /// 4 or 6.
    pub(crate) ip_version: u8,
}

impl GivenDhcpOption {
    pub(crate) fn into_option(self) -> Option<ExtraDhcpOption> {
        Some(ExtraDhcpOption { name: self.name, value: self.value?, ip_version: self.ip_version })
    }
}

/// A value that the rule of its attribute has converted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Null,
    Bool(bool),
    Integer(i64),
    Text(String),
    Uuid(Uuid),
    Uuids(Vec<Uuid>),
    Mac(MacAddress),
    Ip(IpAddr),
    Cidr(IpNet),
    Nets(BTreeSet<IpNet>),
    Ethertype(Ethertype),
    Protocol(Protocol),
    Pools(Vec<AllocationPool>),
    Ips(Vec<IpAddr>),
    Routes(Vec<HostRoute>),
    FixedIps(Vec<GivenFixedIp>),
    Pairs(Vec<GivenPair>),
    DhcpOptions(Vec<GivenDhcpOption>),
    Texts(Vec<String>),
    Json(String),
}

impl Given {
    /// Whether it is null, or text or a list without anything in it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Text(text) => text.is_empty(),
            Self::Json(text) => text == "{}",
            Self::FixedIps(list) => list.is_empty(),
            Self::Pairs(list) => list.is_empty(),
            Self::DhcpOptions(list) => list.is_empty(),
            Self::Texts(list) => list.is_empty(),
            Self::Pools(list) => list.is_empty(),
            Self::Ips(list) => list.is_empty(),
            Self::Routes(list) => list.is_empty(),
            Self::Uuids(list) => list.is_empty(),
            Self::Nets(list) => list.is_empty(),
            Self::Bool(_)
            | Self::Integer(_)
            | Self::Uuid(_)
            | Self::Mac(_)
            | Self::Ip(_)
            | Self::Cidr(_)
            | Self::Ethertype(_)
            | Self::Protocol(_) => false,
        }
    }
}

/// The attributes of one body, by name, in the order of the table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values(Vec<(&'static str, Given)>);

macro_rules! take {
    ($($(#[$doc:meta])* $name:ident, $variant:ident, $kind:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&mut self, name: &str) -> Option<$kind> {
            match self.take(name)? {
                Given::$variant(value) => Some(value),
                _ => None,
            }
        }
    )*};
}

macro_rules! take_nullable {
    ($($(#[$doc:meta])* $name:ident, $variant:ident, $kind:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(&mut self, name: &str) -> Option<Option<$kind>> {
            match self.take(name)? {
                Given::$variant(value) => Some(Some(value)),
                _ => Some(None),
            }
        }
    )*};
}

impl Values {
    pub(crate) fn with_capacity(attributes: usize) -> Self {
        Self(Vec::with_capacity(attributes))
    }

    pub(crate) fn put(&mut self, name: &'static str, given: Given) {
        self.0.push((name, given));
    }

    /// What was given and not yet taken.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'static str, &Given)> {
        self.0.iter().map(|(name, given)| (*name, given))
    }

    /// Names of what was given and not yet taken.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(name, _)| *name)
    }

    /// Looks at an id.
    pub(crate) fn peek_uuid(&self, name: &str) -> Option<Uuid> {
        self.0.iter().find_map(|(given, value)| match value {
            Given::Uuid(id) if *given == name => Some(*id),
            _ => None,
        })
    }

    /// Looks at a text.
    pub(crate) fn peek_text(&self, name: &str) -> Option<&str> {
        self.0.iter().find_map(|(given, value)| match value {
            Given::Text(text) if *given == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// Looks at ids.
    pub(crate) fn peek_uuids(&self, name: &str) -> &[Uuid] {
        let found = self.0.iter().find_map(|(given, value)| match value {
            Given::Uuids(ids) if *given == name => Some(ids.as_slice()),
            _ => None,
        });
        found.unwrap_or_default()
    }

    /// Checks, in debug builds, that every value was taken: one that was not would be silently dropped.
    pub(crate) fn exhausted(&self) {
        debug_assert!(self.0.is_empty(), "nobody took {:?}", self.names().collect::<Vec<_>>());
    }

    fn take(&mut self, name: &str) -> Option<Given> {
        let index = self.0.iter().position(|(given, _)| *given == name)?;
        Some(self.0.swap_remove(index).1)
    }

    take! {
        /// Takes a yes or no out.
        boolean, Bool, bool;
        /// Takes a number out.
        integer, Integer, i64;
        /// Takes a text out.
        text, Text, String;
        /// Takes an id out.
        uuid, Uuid, Uuid;
        /// Takes ids out.
        uuids, Uuids, Vec<Uuid>;
        /// Takes a link-layer address out.
        mac, Mac, MacAddress;
        /// Takes a prefix out.
        cidr, Cidr, IpNet;
        /// Takes prefixes out.
        nets, Nets, BTreeSet<IpNet>;
        /// Takes a version of IP out.
        ethertype, Ethertype, Ethertype;
        /// Takes a protocol out.
        protocol, Protocol, Protocol;
        /// Takes ranges of addresses out.
        pools, Pools, Vec<AllocationPool>;
        /// Takes addresses out.
        ips, Ips, Vec<IpAddr>;
        /// Takes routes out.
        routes, Routes, Vec<HostRoute>;
        /// Takes wished addresses out.
        fixed_ips, FixedIps, Vec<GivenFixedIp>;
        /// Takes further sources out.
        pairs, Pairs, Vec<GivenPair>;
        /// Takes DHCP options out.
        dhcp_options, DhcpOptions, Vec<GivenDhcpOption>;
        /// Takes texts out.
        texts, Texts, Vec<String>;
    }

    take_nullable! {
        /// Takes a text out; `Some(None)` if it was null, as below.
        text_or_null, Text, String;
        /// Takes an id out.
        uuid_or_null, Uuid, Uuid;
        /// Takes a link-layer address out.
        mac_or_null, Mac, MacAddress;
        /// Takes an address out.
        ip_or_null, Ip, IpAddr;
        /// Takes a JSON object out.
        json_or_null, Json, String;
    }
}
