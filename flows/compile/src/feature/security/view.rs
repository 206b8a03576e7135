//! In which fields a rule is matched.

use super::ports::masked;
use crate::packet::{ct_state, ethertype, fragment, protocol};
use crate::register::View;
use ipnet::IpNet;
use weir_model::{Direction, Ethertype, Remote, SecurityGroupRule};
use weir_openflow::{Field, Match};

/// The version of an address.
pub(super) const fn version(address: IpNet) -> Ethertype {
    match address {
        IpNet::V4(_) => Ethertype::V4,
        IpNet::V6(_) => Ethertype::V6,
    }
}

/// The number of a rule's protocol. ICMP means the one of the rule's version of IP.
fn protocol_of(rule: &SecurityGroupRule) -> Option<u8> {
    let number = rule.protocol.as_ref()?.number;
    Some(if number == protocol::ICMP && rule.ethertype == Ethertype::V6 { protocol::ICMPV6 } else { number })
}

impl View {
    /// What a rule matches, in addition to `matching`: a flow for each match. Of a rule with a remote group or an
    /// address group it is the half without the address.
    pub(super) fn rule(self, rule: &SecurityGroupRule, matching: Match) -> Vec<Match> {
        let mut matching = self.of_version(rule.ethertype, matching);
        if let Remote::Prefix(prefix) = rule.remote {
            if version(prefix) != rule.ethertype {
                return Vec::new();
            }
            matching = self.address(rule.direction, prefix.trunc(), matching);
        }
        let Some(number) = protocol_of(rule) else { return vec![matching] };
        let field = if self == Self::Connection { Field::CtNwProto } else { Field::IpProto };
        self.numbers(rule, number, matching.with(field, number.into()))
    }

    /// What the half with the address matches, in addition to `matching`.
    pub(super) fn remote(self, direction: Direction, address: IpNet, matching: Match) -> Match {
        self.address(direction, address, self.of_version(version(address), matching))
    }

    fn of_version(self, version: Ethertype, matching: Match) -> Match {
        let matching = matching.eth_type(match version {
            Ethertype::V4 => ethertype::IPV4,
            Ethertype::V6 => ethertype::IPV6,
        });
        match self {
            Self::Connection => ct_state::known(matching),
            Self::Packet => matching,
        }
    }

    /// The remote side sends what comes in and gets what goes out, which is said of a connection's first packet.
    fn address(self, direction: Direction, address: IpNet, matching: Match) -> Match {
        let tracked = self == Self::Connection;
        match address {
            IpNet::V4(net) => {
                let field = match (direction, tracked) {
                    (Direction::Ingress, true) => Field::CtNwSrc,
                    (Direction::Egress, true) => Field::CtNwDst,
                    (Direction::Ingress, false) => Field::Ipv4Src,
                    (Direction::Egress, false) => Field::Ipv4Dst,
                };
                matching.ipv4_net(field, net.addr(), net.prefix_len())
            }
            IpNet::V6(net) => {
                let field = match (direction, tracked) {
                    (Direction::Ingress, true) => Field::CtIpv6Src,
                    (Direction::Egress, true) => Field::CtIpv6Dst,
                    (Direction::Ingress, false) => Field::Ipv6Src,
                    (Direction::Egress, false) => Field::Ipv6Dst,
                };
                matching.ipv6_net(field, net.addr(), net.prefix_len())
            }
        }
    }

    /// Destination ports, or the type and code of ICMP. Ports of protocols in which the switch finds none match nothing.
    fn numbers(self, rule: &SecurityGroupRule, number: u8, matching: Match) -> Vec<Match> {
        let (min, max) = (rule.port_range_min, rule.port_range_max);
        if min.is_none() && max.is_none() {
            return vec![matching];
        }
        let tracked = self == Self::Connection;
        match number {
            protocol::ICMP | protocol::ICMPV6 => {
                let (kind, code) = match (tracked, number) {
                    (true, _) => (Field::CtTpSrc, Field::CtTpDst),
                    (false, protocol::ICMP) => (Field::IcmpType, Field::IcmpCode),
                    (false, _) => (Field::Icmpv6Type, Field::Icmpv6Code),
                };
                let numbers = [(kind, min), (code, max)].into_iter().filter_map(|(field, value)| Some((field, value?)));
                let exact =
                    numbers.fold(matching.clone(), |matching, (field, value)| matching.with(field, value.into()));
                std::iter::once(exact).chain(tracked.then(|| later_fragment(matching))).collect()
            }
            protocol::TCP | protocol::UDP if tracked => {
                let mut all = ports(rule, Field::CtTpDst, &matching);
                all.push(later_fragment(matching));
                all
            }
            protocol::TCP => ports(rule, Field::TcpDst, &matching),
            protocol::UDP => ports(rule, Field::UdpDst, &matching),
            protocol::SCTP if tracked => {
                // Some conntracks know the addresses of SCTP only. In what goes the other way the ports are turned.
                ports(rule, Field::SctpSrc, &ct_state::reply(matching.ip_proto(protocol::SCTP)))
            }
            protocol::SCTP => ports(rule, Field::SctpDst, &matching),
            _ => Vec::new(),
        }
    }
}

/// What comes after the first fragment of a packet, where conntrack does not tell the numbers: Open vSwitch's own
/// conntrack does not, that of Linux puts fragments together. They are of no use to who does not get the first one.
fn later_fragment(matching: Match) -> Match {
    fragment::later(matching.with(Field::CtTpSrc, 0).with(Field::CtTpDst, 0))
}

/// The matches on a range of ports.
fn ports(rule: &SecurityGroupRule, field: Field, matching: &Match) -> Vec<Match> {
    let range = masked(rule.port_range_min.unwrap_or(0), rule.port_range_max.unwrap_or(u16::MAX));
    let port = |(value, mask): (u16, u16)| {
        if mask == 0 { matching.clone() } else { matching.clone().with_masked(field, value.into(), mask.into()) }
    };
    range.into_iter().map(port).collect()
}
