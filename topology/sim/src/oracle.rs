//! Who may reach whom, told from the topology alone.
//!
//! The oracle knows networks, ports, addresses, bindings and what is plugged. It knows nothing of tables.

use crate::packet::{ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_RARP, Fields, Packet, protocol};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{MacAddress, Network, Port, PortId, Topology, Vif};

/// What must become of a packet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// The ports that must get the packet as it was sent, and no others.
    pub deliveries: BTreeSet<PortId>,
    /// What the sender must get instead, for a question that the network answers itself.
    pub answer: Option<Answer>,
    /// Why, in words.
    pub reason: &'static str,
}

/// The answer to an ARP request or a neighbour solicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The address that was asked for.
    pub address: IpAddr,
    /// Where it is.
    pub mac: MacAddress,
    /// Who asked, by the frame's source.
    pub asker: u64,
    /// Who asked, as the question itself says: an answer repeats it.
    pub asker_hardware: u64,
    /// The address of who asked; unspecified for a look-out for duplicates.
    pub asker_address: IpAddr,
    /// Whether the question carried a link-layer address, so that the answer can.
    pub with_option: bool,
}

impl Answer {
    /// Whether a packet is this answer.
    pub fn is(&self, packet: &Packet) -> bool {
        let fields = packet.fields();
        let mac = self.mac.to_u64();
        match (self.address, self.asker_address) {
            (IpAddr::V4(address), IpAddr::V4(asker)) => {
                fields.eth_type == ETH_ARP
                    && (fields.eth_src, fields.eth_dst) == (mac, self.asker)
                    && (fields.arp_sha, fields.arp_tha) == (mac, self.asker_hardware)
                    && (fields.nw_src, fields.nw_dst) == (address.into(), asker.into())
                    && fields.nw_proto == 2
            }
            (IpAddr::V6(address), IpAddr::V6(asker)) => {
                let (to_mac, to, solicited) = if asker.is_unspecified() {
                    (0x3333_0000_0001, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0)
                } else {
                    (self.asker, asker, 0x4000_0000)
                };
                fields.is_nd()
                    && (fields.tp_src, fields.nd_target) == (136, address.into())
                    && (fields.eth_src, fields.eth_dst) == (mac, to_mac)
                    && (fields.ipv6_src, fields.ipv6_dst) == (address.into(), to.into())
                    && fields.nd_reserved == solicited | 0x2000_0000
                    && (!self.with_option || fields.arp_tha == mac)
            }
            _ => false,
        }
    }
}

fn nowhere(reason: &'static str) -> Verdict {
    Verdict { reason, ..Verdict::default() }
}

/// The VIF of a port, if the port is up and plugged where it is bound.
pub fn usable<'a>(topology: &'a Topology, port: &Port) -> Option<&'a Vif> {
    let network = topology.network(port.network_id)?;
    let host = topology.bound_host(port)?;
    let up = port.admin_state_up && network.admin_state_up;
    topology.vif_on(&host.name, port.id).map(AsRef::as_ref).filter(|_| up)
}

/// What must become of a packet that the VM behind a port sends.
pub fn verdict(topology: &Topology, from: PortId, packet: &Packet) -> Verdict {
    let Some(port) = topology.port(from) else {
        return nowhere("no such port");
    };
    let Some(network) = topology.network(port.network_id).filter(|_| usable(topology, port).is_some()) else {
        return nowhere("the port is down, not bound or not plugged");
    };
    let fields = packet.fields();
    if fields.is_tagged() || fields.eth_type == 0x8100 {
        return nowhere("a VM's own tag");
    }
    if fields.eth_src >> 40 & 1 == 1 {
        return nowhere("a group as source");
    }
    if port.port_security_enabled && !admitted(port, &fields) {
        return nowhere("not a source of the port");
    }
    if let Some(answer) = answer(topology, network, port, &fields) {
        return Verdict { answer: Some(answer), reason: "answered by the network", ..Verdict::default() };
    }
    let reached = |candidate: &Port| candidate.id != from && usable(topology, candidate).is_some();
    let is_group = fields.eth_dst >> 40 & 1 == 1;
    let deliveries = topology
        .ports_of(network.id)
        .filter(|candidate| reached(candidate) && (is_group || claims(candidate, fields.eth_dst)))
        .map(|candidate| candidate.id)
        .collect();
    Verdict {
        deliveries,
        answer: None,
        reason: if is_group { "to the whole network" } else { "to who has the address" },
    }
}

/// Whether a port has a link-layer address, its own or by an address pair.
fn claims(port: &Port, mac: u64) -> bool {
    port.mac_address.to_u64() == mac || port.allowed_address_pairs.iter().any(|pair| pair.mac_address.to_u64() == mac)
}

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
fn admitted(port: &Port, fields: &Fields) -> bool {
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

/// The answer that the network gives itself: for the fixed addresses of bound ports other than the asker's.
fn answer(topology: &Topology, network: &Network, asker: &Port, fields: &Fields) -> Option<Answer> {
    let (address, asker_address, with_option) = if fields.eth_type == ETH_ARP && fields.nw_proto == 1 {
        (IpAddr::V4(fields.nw_dst.into()), IpAddr::V4(fields.nw_src.into()), true)
    } else if fields.is_nd() && fields.tp_src == 135 {
        let with_option = fields.arp_sha != 0;
        // An answer has to carry the link-layer address, and is made of a question that carries one.
        if !with_option && fields.ipv6_src != 0 {
            return None;
        }
        (IpAddr::V6(fields.nd_target.into()), IpAddr::V6(fields.ipv6_src.into()), with_option)
    } else {
        return None;
    };
    let has = |port: &Port| port.fixed_ips.iter().any(|fixed| fixed.ip_address == address);
    if has(asker) {
        return None;
    }
    let owner = topology
        .ports_of(network.id)
        .find(|port| has(port) && port.admin_state_up && topology.bound_host(port).is_some())?;
    Some(Answer {
        address,
        mac: owner.mac_address,
        asker: fields.eth_src,
        asker_hardware: fields.arp_sha,
        asker_address,
        with_option,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_follow_the_standard() {
        let mac = MacAddress([0xfa, 0x16, 0x3e, 1, 2, 3]).to_u64();
        assert_eq!(link_local(mac), "fe80::f816:3eff:fe01:203".parse::<Ipv6Addr>().unwrap());
    }
}
