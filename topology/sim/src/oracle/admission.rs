//! What a port may send.

use crate::packet::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_RARP, Fields, protocol};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::Port;

/// What a port may use as source.
fn sources(port: &Port) -> Vec<(u64, IpNet)> {
    let own = port.fixed_ips.iter().map(|fixed| (port.mac_address.to_u64(), IpNet::from(fixed.ip_address)));
    let pairs = port.allowed_address_pairs.iter().map(|pair| (pair.mac_address.to_u64(), pair.ip_address));
    let mut all: Vec<_> = own.chain(pairs).collect();
    let macs: BTreeSet<u64> = all.iter().map(|(mac, _)| *mac).chain([port.mac_address.to_u64()]).collect();
    all.extend(macs.into_iter().map(|mac| (mac, IpNet::from(IpAddr::V6(link_local(mac))))));
    all
}

/// The link-local address that a host forms of its link-layer address (RFC 4291, appendix A).
pub fn link_local(mac: u64) -> Ipv6Addr {
    let high = mac >> 24 & 0xff_ffff;
    let low = mac & 0xff_ffff;
    let interface = (high ^ 0x02_0000) << 40 | 0xfffe << 24 | low;
    Ipv6Addr::from(0xfe80_u128 << 112 | u128::from(interface))
}

/// Whether a port may send a packet.
pub(super) fn admitted(port: &Port, fields: &Fields) -> bool {
    let sources = sources(port);
    let owns = |address: IpAddr| sources.iter().any(|(mac, net)| *mac == fields.eth_src && net.contains(&address));
    let has_mac = sources.iter().any(|(mac, _)| *mac == fields.eth_src);
    let speaks_ipv4 = sources.iter().any(|(mac, net)| *mac == fields.eth_src && net.addr().is_ipv4());
    match fields.eth_type {
        ETH_ARP => {
            let probe = fields.nw_src == 0 && fields.nw_proto == 1 && speaks_ipv4;
            fields.arp_sha == fields.eth_src && (probe || owns(IpAddr::V4(Ipv4Addr::from(fields.nw_src))))
        }
        ETH_RARP => speaks_ipv4,
        ETH_IPV4 => {
            let udp = fields.nw_proto == protocol::UDP;
            let asks_dhcp = udp && (fields.nw_src, fields.tp_src, fields.tp_dst) == (0, 68, 67) && speaks_ipv4;
            let serves_dhcp = udp && (fields.tp_src == 67 || fields.tp_dst == 68);
            asks_dhcp || (owns(IpAddr::V4(Ipv4Addr::from(fields.nw_src))) && !serves_dhcp)
        }
        ETH_IPV6 if fields.ipv6_src == 0 => {
            // Duplicate detection, router solicitation, and reports of multicast groups.
            has_mac && fields.is_icmpv6() && matches!(fields.tp_src, 131 | 132 | 133 | 135 | 143)
        }
        ETH_IPV6 => owns(IpAddr::V6(Ipv6Addr::from(fields.ipv6_src))) && speaks_for_itself(fields, &owns),
        _ => false,
    }
}

/// Whether an IPv6 packet says nothing that is for others to say.
fn speaks_for_itself(fields: &Fields, owns: &impl Fn(IpAddr) -> bool) -> bool {
    match (fields.nw_proto, fields.tp_src) {
        (protocol::UDP, port) => port != 547 && fields.tp_dst != 546,
        (protocol::ICMPV6, 134) => false,
        (protocol::ICMPV6, 135) if fields.tp_dst == 0 => fields.arp_sha == 0 || fields.arp_sha == fields.eth_src,
        (protocol::ICMPV6, 136) if fields.tp_dst == 0 => {
            (fields.arp_tha == 0 || fields.arp_tha == fields.eth_src)
                && owns(IpAddr::V6(Ipv6Addr::from(fields.nd_target)))
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_model::MacAddress;

    #[test]
    fn link_local_addresses_follow_the_standard() {
        let mac = MacAddress([0xfa, 0x16, 0x3e, 1, 2, 3]).to_u64();
        assert_eq!(link_local(mac), "fe80::f816:3eff:fe01:203".parse::<Ipv6Addr>().unwrap());
    }
}
