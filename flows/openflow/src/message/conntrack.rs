//! Forgetting connections (`NXT_CT_FLUSH_ZONE`, `NXT_CT_FLUSH`).

use std::net::IpAddr;

/// Which connections a switch forgets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CtFlush {
    /// The zone; none for every zone.
    pub zone: Option<u16>,
    /// The IP protocol of the tuples; 0 for any.
    pub protocol: u8,
    /// The tuple in the direction of the first packet.
    pub original: CtTuple,
    /// The tuple of the answers.
    pub reply: CtTuple,
}

/// Addresses and ports of one direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CtTuple {
    /// The source.
    pub src: Option<IpAddr>,
    /// The destination.
    pub dst: Option<IpAddr>,
    /// Ports, or the identity of an ICMP exchange.
    pub l4: CtL4,
}

/// The transport part of a tuple; zero stands for any, as in Open vSwitch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CtL4 {
    /// Not looked at.
    #[default]
    Any,
    /// Ports of TCP, UDP or SCTP.
    Ports {
        /// Source port; 0 for any.
        src: u16,
        /// Destination port; 0 for any.
        dst: u16,
    },
    /// ICMP or ICMPv6.
    Icmp {
        /// Identifier; 0 for any.
        id: u16,
        /// Type.
        kind: u8,
        /// Code.
        code: u8,
    },
}
