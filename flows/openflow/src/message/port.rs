//! Ports of a switch: description, status, statistics.

use crate::PortNo;
use std::time::Duration;

/// A port of a switch (OpenFlow 1.5, section 7.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: PortNo,
    /// Its Ethernet address.
    pub address: [u8; 6],
    /// Its name, at most 15 bytes. Bytes that are not UTF-8 are replaced.
    pub name: String,
    /// `OFPPC_*` bits.
    pub config: u32,
    /// `OFPPS_*` bits.
    pub state: u32,
    /// Speeds and features, if the switch tells them.
    pub ethernet: Option<Ethernet>,
}

impl Port {
    /// `OFPPC_PORT_DOWN`: taken down by configuration.
    pub const CONFIG_DOWN: u32 = 1;
    /// `OFPPS_LINK_DOWN`: no link.
    pub const STATE_LINK_DOWN: u32 = 1;
    /// `OFPPS_LIVE`: alive for fast failover.
    pub const STATE_LIVE: u32 = 4;
}

/// Features of an Ethernet port as `OFPPF_*` bits, and its speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ethernet {
    /// In use.
    pub current: u32,
    /// Advertised to the peer.
    pub advertised: u32,
    /// Supported.
    pub supported: u32,
    /// Advertised by the peer.
    pub peer: u32,
    /// Speed in use, kilobits a second.
    pub current_speed: u32,
    /// Highest speed, kilobits a second.
    pub max_speed: u32,
}

/// What happened to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortReason {
    /// It was added.
    Added,
    /// It was removed.
    Deleted,
    /// An attribute changed.
    Modified,
}

/// Tells that a port came, went or changed (OpenFlow 1.5, section 7.4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// What happened.
    pub reason: PortReason,
    /// The port as it is now, or as it was last.
    pub port: Port,
}

/// Counters of a port (OpenFlow 1.5, section 7.3.5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each counter is the field of the same name in the standard")]
pub struct PortStats {
    /// The port.
    pub number: PortNo,
    /// How long it has been there.
    pub duration: Duration,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    /// Frame, overrun and CRC errors and collisions, if the switch tells them.
    pub ethernet: Option<EthernetErrors>,
}

/// Receive errors of an Ethernet port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each counter is the field of the same name in the standard")]
pub struct EthernetErrors {
    pub rx_frame_err: u64,
    pub rx_over_err: u64,
    pub rx_crc_err: u64,
    pub collisions: u64,
}
