//! Ports of a bridge.

use weir_openflow::PortNo;
use weir_openflow::message::{Port as PortDescription, PortReason};

/// What is behind a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortKind {
    /// A network device: a VM, an uplink.
    Device,
    /// The bridge's own port.
    Internal,
    /// The other end is the named port of another bridge.
    Patch {
        /// The name of the peer.
        peer: String,
    },
    /// A tunnel whose end is told by the flow.
    Tunnel,
}

/// A port of a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchPort {
    /// Its OpenFlow number.
    pub number: PortNo,
    /// Its name.
    pub name: String,
    /// What is behind it.
    pub kind: PortKind,
    /// Whether it has a link.
    pub up: bool,
}

impl SwitchPort {
    /// A port that has a link.
    pub fn new(number: PortNo, name: &str, kind: PortKind) -> Self {
        Self { number, name: name.to_owned(), kind, up: true }
    }

    /// The port as OpenFlow describes it.
    pub fn description(&self) -> PortDescription {
        let [.., a, b, c, d] = self.number.0.to_be_bytes();
        PortDescription {
            number: self.number,
            address: [0x06, 0, a, b, c, d],
            name: self.name.chars().take(15).collect(),
            config: 0,
            state: if self.up { PortDescription::STATE_LIVE } else { PortDescription::STATE_LINK_DOWN },
            ethernet: None,
        }
    }
}

/// A port that came, went or changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortChange {
    /// What happened.
    pub reason: PortReason,
    /// The port as it is now, or as it was last.
    pub port: SwitchPort,
}
