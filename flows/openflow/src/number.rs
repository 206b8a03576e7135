//! The numbers of OpenFlow, each a type of its own.

use std::fmt;

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl From<$inner> for $name {
            fn from(value: $inner) -> Self {
                Self(value)
            }
        }
    };
}

number! {
    /// A transaction id: ties a reply or an error to the message that caused it.
    Xid(u32)
}
number! {
    /// A flow table of one bridge, 0 to 254.
    TableId(u8)
}
number! {
    /// The opaque 64 bits that name a flow's owner.
    Cookie(u64)
}
number! {
    /// A group, 0 to `0xffff_ff00`.
    GroupId(u32)
}
number! {
    /// A bucket within a group (OpenFlow 1.5, section 7.3.4.3).
    BucketId(u32)
}
number! {
    /// A meter, 1 to `0xffff_0000`.
    MeterId(u32)
}
number! {
    /// The 64 bits by which a switch names itself.
    DatapathId(u64)
}
number! {
    /// An OpenFlow port number, 32 bits wide as in OpenFlow 1.1 and later.
    PortNo(u32)
}

impl PortNo {
    /// The port that a 16-bit number of OpenFlow 1.0 means: the reserved ones lie at the end of either range.
    #[must_use]
    pub const fn from_openflow10(port: u16) -> Self {
        if port >= 0xff00 { Self(0xffff_0000 | port as u32) } else { Self(port as u32) }
    }
}

impl TableId {
    /// Every table, in a request that selects by table.
    pub const ALL: Self = Self(255);
}

impl GroupId {
    /// The largest number that a group may have.
    pub const MAX: Self = Self(0xffff_ff00);
    /// Every group, in a request or a delete.
    pub const ALL: Self = Self(0xffff_fffc);
    /// No group, in a request that selects flows by the group they output to.
    pub const ANY: Self = Self(0xffff_ffff);
}

impl MeterId {
    /// Every meter, in a request or a delete.
    pub const ALL: Self = Self(0xffff_ffff);
}

impl PortNo {
    /// The largest number of a real port as Open vSwitch hands them out.
    pub const MAX: Self = Self(0xffff_ff00);
    /// No port yet, in the action set.
    pub const UNSET: Self = Self(0xffff_fff7);
    /// Back out of the port that the packet came in on.
    pub const IN_PORT: Self = Self(0xffff_fff8);
    /// Through the flow tables (packet-out only).
    pub const TABLE: Self = Self(0xffff_fff9);
    /// Ordinary L2 forwarding.
    pub const NORMAL: Self = Self(0xffff_fffa);
    /// All ports but the input port and those not flooding.
    pub const FLOOD: Self = Self(0xffff_fffb);
    /// All ports but the input port.
    pub const ALL: Self = Self(0xffff_fffc);
    /// To the controller.
    pub const CONTROLLER: Self = Self(0xffff_fffd);
    /// The bridge's own internal port.
    pub const LOCAL: Self = Self(0xffff_fffe);
    /// No port, in a request that selects flows by the port they output to.
    pub const ANY: Self = Self(0xffff_ffff);
}
