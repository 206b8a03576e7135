//! The two switches of a hypervisor and their fixed ports.

use std::fmt;
use weir_openflow::PortNo;

/// One of the two switches of a hypervisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bridge {
    /// `br-int`: VIFs are plugged here.
    Integration,
    /// `br-tun`: leads to the other hypervisors.
    Tunnel,
}

impl Bridge {
    /// Both, in the order in which they are programmed.
    pub const ALL: [Self; 2] = [Self::Integration, Self::Tunnel];

    /// Its place in [`Bridge::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name of the bridge in OVSDB.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integration => "br-int",
            Self::Tunnel => "br-tun",
        }
    }

    /// The bridge of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|bridge| bridge.name() == name)
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A port with the same number on every hypervisor (`ofport_request`; Open vSwitch never hands out numbers from 32768
/// on by itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPort {
    /// The bridge it is on.
    pub bridge: Bridge,
    /// The name of port and interface.
    pub name: &'static str,
    /// The number.
    pub number: PortNo,
}

/// The end on `br-int` of the patch between the bridges.
pub const PATCH_TUN: FixedPort = FixedPort { bridge: Bridge::Integration, name: "patch-tun", number: PortNo(65001) };

/// The end on `br-tun` of the patch between the bridges.
pub const PATCH_INT: FixedPort = FixedPort { bridge: Bridge::Tunnel, name: "patch-int", number: PortNo(65002) };

/// The one VXLAN port (`remote_ip=flow`, `key=flow`).
pub const VXLAN: FixedPort = FixedPort { bridge: Bridge::Tunnel, name: "weir-vxlan", number: PortNo(65003) };

/// Every fixed port.
pub const FIXED_PORTS: [FixedPort; 3] = [PATCH_TUN, PATCH_INT, VXLAN];
