//! Numbers of the protocols that the pipeline looks into.

/// Ethernet types.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const RARP: u16 = 0x8035;
}

/// IP protocols.
pub(crate) mod protocol {
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;
}

/// ARP operations (RFC 826).
pub(crate) mod arp {
    use weir_openflow::{Field, Match};

    pub(crate) const REQUEST: u128 = 1;
    pub(crate) const REPLY: u128 = 2;

    /// Matches ARP requests.
    pub(crate) fn request() -> Match {
        Match::new().arp().with(Field::ArpOp, REQUEST)
    }
}

/// UDP ports of DHCP (RFC 2131 section 4.1, RFC 8415 section 7.2).
pub(crate) mod dhcp {
    pub(crate) const SERVER: u16 = 67;
    pub(crate) const CLIENT: u16 = 68;
    pub(crate) const SERVER_V6: u16 = 547;
    pub(crate) const CLIENT_V6: u16 = 546;
}

/// ICMPv6 types (RFC 4861, RFC 2710, RFC 3810).
pub(crate) mod icmpv6 {
    use weir_openflow::{Field, Match};

    pub(crate) const MLD_REPORT: u8 = 131;
    pub(crate) const MLD_DONE: u8 = 132;
    pub(crate) const ROUTER_SOLICITATION: u8 = 133;
    pub(crate) const ROUTER_ADVERTISEMENT: u8 = 134;
    pub(crate) const NEIGHBOUR_SOLICITATION: u8 = 135;
    pub(crate) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    pub(crate) const MLD2_REPORT: u8 = 143;

    /// The S flag of an advertisement within its reserved field.
    pub(crate) const SOLICITED: u128 = 0x4000_0000;
    /// The O flag of an advertisement within its reserved field.
    pub(crate) const OVERRIDE: u128 = 0x2000_0000;
    /// The option that carries the target's link-layer address.
    pub(crate) const TARGET_LINK_LAYER_OPTION: u128 = 2;

    /// Matches ICMPv6 messages of a type.
    pub(crate) fn of(kind: u8) -> Match {
        Match::new().ipv6().ip_proto(super::protocol::ICMPV6).with(Field::Icmpv6Type, u128::from(kind))
    }
}
