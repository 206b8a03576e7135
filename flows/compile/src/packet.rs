//! Numbers of the protocols that the pipeline looks into.

/// Ethernet types.
pub(crate) mod ethertype {
    pub(crate) const IPV4: u16 = 0x0800;
    pub(crate) const IPV6: u16 = 0x86dd;
    pub(crate) const ARP: u16 = 0x0806;
    pub(crate) const RARP: u16 = 0x8035;
}

/// IP protocols.
pub(crate) mod protocol {
    pub(crate) const ICMP: u8 = 1;
    pub(crate) const TCP: u8 = 6;
    pub(crate) const UDP: u8 = 17;
    pub(crate) const ICMPV6: u8 = 58;
    pub(crate) const SCTP: u8 = 132;

    /// Those in which a switch finds ports, or types and codes.
    pub(crate) const HAVE_NUMBERS: [u8; 5] = [ICMP, TCP, UDP, ICMPV6, SCTP];
}

/// Bits of the connection tracking state (ovs-fields(7), `ct_state`).
pub(crate) mod ct_state {
    use weir_openflow::{Field, Match};

    const NEW: u128 = 0x01;
    const ESTABLISHED: u128 = 0x02;
    const RELATED: u128 = 0x04;
    const REPLY: u128 = 0x08;
    const INVALID: u128 = 0x10;
    const TRACKED: u128 = 0x20;

    /// Begins a connection.
    pub(crate) fn new(matching: Match) -> Match {
        matching.with_masked(Field::CtState, NEW | TRACKED, NEW | INVALID | TRACKED)
    }

    /// Belongs to a connection, or may begin one: conntrack knows the connection's first packet, and a switch wants to
    /// hear that before it matches what of.
    pub(crate) fn known(matching: Match) -> Match {
        matching.with_masked(Field::CtState, TRACKED, INVALID | TRACKED)
    }

    /// Goes the other way than the connection's first packet.
    pub(crate) fn reply(matching: Match) -> Match {
        matching.with_masked(Field::CtState, REPLY | TRACKED, REPLY | INVALID | TRACKED)
    }

    /// Goes the way of the connection's first packet, or may be one.
    pub(crate) fn forward(matching: Match) -> Match {
        matching.with_masked(Field::CtState, TRACKED, REPLY | INVALID | TRACKED)
    }

    /// An error about the answers of a connection.
    pub(crate) fn related_forward(matching: Match) -> Match {
        matching.with_masked(Field::CtState, RELATED | TRACKED, REPLY | RELATED | INVALID | TRACKED)
    }

    /// Belongs to a connection that was remembered.
    pub(crate) fn remembered(matching: Match) -> Match {
        matching.with_masked(Field::CtState, TRACKED, NEW | INVALID | TRACKED)
    }

    /// Answers a connection's packets, and is no error about them.
    pub(crate) fn answer(matching: Match) -> Match {
        matching.with_masked(Field::CtState, REPLY | TRACKED, REPLY | RELATED | INVALID | TRACKED)
    }

    /// An error about a connection, that goes the way of the answers.
    pub(crate) fn related_reply(matching: Match) -> Match {
        matching.with_masked(Field::CtState, REPLY | RELATED | TRACKED, REPLY | RELATED | INVALID | TRACKED)
    }

    /// Goes the way of the first packet of a connection that was answered.
    pub(crate) fn established_forward(matching: Match) -> Match {
        matching.with_masked(Field::CtState, ESTABLISHED | TRACKED, NEW | ESTABLISHED | REPLY | INVALID | TRACKED)
    }

    /// Answers a connection's packets, which goes on.
    pub(crate) fn established_answer(matching: Match) -> Match {
        matching.with_masked(Field::CtState, ESTABLISHED | REPLY | TRACKED, ESTABLISHED | REPLY | INVALID | TRACKED)
    }

    /// Is an error about a connection.
    pub(crate) fn related(matching: Match) -> Match {
        matching.with_masked(Field::CtState, RELATED | TRACKED, RELATED | INVALID | TRACKED)
    }

    /// Belongs to no connection and cannot begin one.
    pub(crate) fn invalid(matching: Match) -> Match {
        matching.with_masked(Field::CtState, INVALID | TRACKED, INVALID | TRACKED)
    }
}

/// Fragments (ovs-fields(7), `ip_frag`): a switch sees no ports in them, not even in the first one.
pub(crate) mod fragment {
    use weir_openflow::{Field, Match};

    const ANY: u128 = 1;
    const LATER: u128 = 2;

    /// Matches fragments.
    pub(crate) fn any(matching: Match) -> Match {
        matching.with_masked(Field::IpFrag, ANY, ANY)
    }

    /// Matches all fragments but the first.
    pub(crate) fn later(matching: Match) -> Match {
        matching.with_masked(Field::IpFrag, ANY | LATER, ANY | LATER)
    }
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
    use super::{ethertype, protocol};
    use weir_openflow::{Field, Match};

    pub(crate) const SERVER: u16 = 67;
    pub(crate) const CLIENT: u16 = 68;
    pub(crate) const SERVER_V6: u16 = 547;
    pub(crate) const CLIENT_V6: u16 = 546;

    /// Matches what clients send to servers.
    pub(crate) fn request() -> Match {
        between(ethertype::IPV4, CLIENT, SERVER)
    }

    /// The same of DHCPv6.
    pub(crate) fn request_v6() -> Match {
        between(ethertype::IPV6, CLIENT_V6, SERVER_V6)
    }

    /// Matches what servers send to clients.
    pub(crate) fn reply() -> Match {
        between(ethertype::IPV4, SERVER, CLIENT)
    }

    /// The same of DHCPv6.
    pub(crate) fn reply_v6() -> Match {
        between(ethertype::IPV6, SERVER_V6, CLIENT_V6)
    }

    fn between(ethertype: u16, source: u16, destination: u16) -> Match {
        let udp = Match::new().eth_type(ethertype).ip_proto(protocol::UDP);
        udp.with(Field::UdpSrc, u128::from(source)).with(Field::UdpDst, u128::from(destination))
    }
}

/// ICMP types (RFC 792).
pub(crate) mod icmp {
    pub(crate) const ECHO_REPLY: u8 = 0;
    pub(crate) const ECHO_REQUEST: u8 = 8;
}

/// ICMPv6 types (RFC 4443, RFC 4861, RFC 2710, RFC 3810).
pub(crate) mod icmpv6 {
    use std::net::Ipv6Addr;
    use weir_openflow::{Field, Match};

    pub(crate) const ECHO_REQUEST: u8 = 128;
    pub(crate) const ECHO_REPLY: u8 = 129;
    pub(crate) const MLD_QUERY: u8 = 130;
    pub(crate) const MLD_REPORT: u8 = 131;
    pub(crate) const MLD_DONE: u8 = 132;
    pub(crate) const ROUTER_SOLICITATION: u8 = 133;
    pub(crate) const ROUTER_ADVERTISEMENT: u8 = 134;
    pub(crate) const NEIGHBOUR_SOLICITATION: u8 = 135;
    pub(crate) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
    pub(crate) const MLD2_REPORT: u8 = 143;

    /// What keeps a link working and no security group filters: neighbour discovery and multicast membership.
    pub(crate) const LINK: [u8; 8] = [
        MLD_QUERY,
        MLD_REPORT,
        MLD_DONE,
        ROUTER_SOLICITATION,
        ROUTER_ADVERTISEMENT,
        NEIGHBOUR_SOLICITATION,
        NEIGHBOUR_ADVERTISEMENT,
        MLD2_REPORT,
    ];

    /// The R flag of an advertisement within its reserved field.
    pub(crate) const ROUTER: u128 = 0x8000_0000;
    /// The S flag of an advertisement within its reserved field.
    pub(crate) const SOLICITED: u128 = 0x4000_0000;
    /// The O flag of an advertisement within its reserved field.
    pub(crate) const OVERRIDE: u128 = 0x2000_0000;
    /// The option that carries the target's link-layer address.
    pub(crate) const TARGET_LINK_LAYER_OPTION: u128 = 2;

    /// Every host of a link.
    pub(crate) const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    /// The link-layer address of [`ALL_NODES`] (RFC 2464, section 7).
    pub(crate) const ALL_NODES_MAC: u128 = 0x3333_0000_0001;

    /// Matches ICMPv6 messages of a type.
    pub(crate) fn of(kind: u8) -> Match {
        Match::new().ipv6().ip_proto(super::protocol::ICMPV6).with(Field::Icmpv6Type, u128::from(kind))
    }
}
