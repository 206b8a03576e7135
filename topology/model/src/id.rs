//! Ids and keys, each a type of its own.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident, $max:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The largest key; keys start from 1.
            pub const MAX: u32 = $max;
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_id! {
    /// A network.
    NetworkId
}
uuid_id! {
    /// A subnet.
    SubnetId
}
uuid_id! {
    /// A port.
    PortId
}
uuid_id! {
    /// A segment of a network.
    SegmentId
}
uuid_id! {
    /// A security group.
    SecurityGroupId
}
uuid_id! {
    /// A rule of a security group.
    SecurityGroupRuleId
}
uuid_id! {
    /// An address group.
    AddressGroupId
}
uuid_id! {
    /// A router.
    RouterId
}

text_id! {
    /// A project (tenant) as Keystone names it.
    ProjectId
}
text_id! {
    /// A hypervisor by the name that `binding:host_id` uses.
    HostName
}

key! {
    /// The number of a network in flows: 24 bits, cluster-wide.
    NetworkKey, (1 << 24) - 1
}
key! {
    /// The number of a port in flows: 30 bits, cluster-wide.
    PortKey, (1 << 30) - 1
}
key! {
    /// The number of a hypervisor in flows: 24 bits, cluster-wide.
    HostKey, (1 << 24) - 1
}
key! {
    /// The number of a router in flows: 24 bits, cluster-wide.
    RouterKey, (1 << 24) - 1
}
key! {
    /// The number of a security group in flows: 24 bits, cluster-wide.
    GroupKey, (1 << 24) - 1
}
key! {
    /// The number of a rule of a security group in flows: 30 bits, cluster-wide.
    RuleKey, (1 << 30) - 1
}
key! {
    /// The number of an address group in flows: 24 bits, cluster-wide.
    AddressGroupKey, (1 << 24) - 1
}
key! {
    /// The number of a set of security groups in flows: 24 bits, cluster-wide.
    SetKey, (1 << 24) - 1
}
key! {
    /// A state of the rules of a set of security groups: 31 bits, cluster-wide. With each rule that goes a set gets a
    /// generation that no set had before.
    Generation, (1 << 31) - 1
}
key! {
    /// A conntrack zone of a hypervisor: 16 bits. Zone 0 is that of everybody else.
    Zone, (1 << 16) - 1
}
key! {
    /// A VXLAN network identifier: 24 bits.
    Vni, (1 << 24) - 1
}

/// The number of a commit; every commit has the next one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u64);

/// Microseconds since the Unix epoch, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Whole seconds since the Unix epoch.
    pub const fn seconds(self) -> u64 {
        self.0 / 1_000_000
    }
}
