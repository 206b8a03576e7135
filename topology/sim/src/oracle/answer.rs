//! What the network answers itself.

use super::{interface_router, link_local};
use crate::packet::{ETH_ARP, ETH_IPV4, Fields, Packet, protocol};
use std::net::{IpAddr, Ipv6Addr};
use weir_model::{MacAddress, Network, Port, Topology};

/// Who answers where Weir serves DHCP without a router: the locally administered address of the service.
pub const SERVICE_MAC: MacAddress = MacAddress([0x02, 0x57, 0x45, 0x49, 0x52, 0x01]);

/// An answer that the network gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// To an ARP request or a neighbour solicitation.
    Neighbour(Neighbour),
    /// To an echo request to an address of a router.
    Echo(Echo),
}

impl Answer {
    /// Whether a packet is this answer.
    pub fn is(&self, packet: &Packet) -> bool {
        match self {
            Self::Neighbour(answer) => answer.is(packet),
            Self::Echo(answer) => answer.is(packet),
        }
    }
}

/// The answer to an ARP request or a neighbour solicitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Neighbour {
    /// The address that was asked for.
    pub address: IpAddr,
    /// Where it is.
    pub mac: MacAddress,
    /// Whether it is a router's, which an advertisement has to say lest its hosts give it up (RFC 4861, section 7.2.5).
    pub router: bool,
    /// Who asked, by the frame's source.
    pub asker: u64,
    /// Who asked, as the question itself says: an answer repeats it.
    pub asker_hardware: u64,
    /// The address of who asked; unspecified for a look-out for duplicates.
    pub asker_address: IpAddr,
    /// Whether the question carried a link-layer address, so that the answer can.
    pub with_option: bool,
}

impl Neighbour {
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
                let router = if self.router { 0x8000_0000 } else { 0 };
                fields.is_nd()
                    && (fields.tp_src, fields.nd_target) == (136, address.into())
                    && (fields.eth_src, fields.eth_dst) == (mac, to_mac)
                    && (fields.ipv6_src, fields.ipv6_dst) == (address.into(), to.into())
                    && fields.nd_reserved == router | solicited | 0x2000_0000
                    && (!self.with_option || fields.arp_tha == mac)
            }
            _ => false,
        }
    }
}

/// The reply of a router to an echo request. Nobody cares for its TTL, as long as it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// The request.
    pub request: Packet,
    /// The link-layer address that the request was sent to, if that is the replying router's; where there are routers
    /// in between, the reply may come from any of them.
    pub mac: Option<MacAddress>,
}

impl Echo {
    /// Whether a packet is this reply.
    pub fn is(&self, packet: &Packet) -> bool {
        let (before, seen) = (self.request.fields(), packet.fields());
        let mut after = before.clone();
        (after.eth_src, after.eth_dst) = (self.mac.map_or(seen.eth_src, MacAddress::to_u64), before.eth_src);
        (after.nw_src, after.nw_dst) = (before.nw_dst, before.nw_src);
        (after.ipv6_src, after.ipv6_dst) = (before.ipv6_dst, before.ipv6_src);
        after.tp_src = if before.eth_type == ETH_IPV4 { 0 } else { 129 };
        after.nw_ttl = seen.nw_ttl;
        let mut reply = self.request.clone();
        reply.rewrite(&before, &after);
        seen.nw_ttl > 0 && *packet == reply
    }
}

/// Whether a packet is an echo request.
pub(super) fn is_echo_request(fields: &Fields) -> bool {
    let kind = (fields.tp_src, fields.tp_dst);
    match fields.eth_type {
        ETH_IPV4 => fields.nw_proto == protocol::ICMP && kind == (8, 0),
        _ => fields.is_icmpv6() && kind == (128, 0),
    }
}

/// The answer that the network gives itself: for the fixed addresses of bound ports other than the asker's, for those of
/// router interfaces, and for gateways that nobody has where DHCP is served, so that leases can be renewed.
pub(super) fn neighbour(topology: &Topology, network: &Network, asker: &Port, fields: &Fields) -> Option<Neighbour> {
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
    let (mac, router) = owner(topology, network, address).or_else(|| {
        let vacant = !topology.ports_of(network.id).any(|port| has(port));
        let is_gateway = topology
            .subnets_of(network.id)
            .any(|subnet| subnet.enable_dhcp && !subnet.is_ipv6() && subnet.gateway_ip == Some(address));
        (vacant && is_gateway).then_some((SERVICE_MAC, false))
    })?;
    Some(Neighbour {
        address,
        mac,
        router,
        asker: fields.eth_src,
        asker_hardware: fields.arp_sha,
        asker_address,
        with_option,
    })
}

/// Where an address of a network is, and whether a router has it.
fn owner(topology: &Topology, network: &Network, address: IpAddr) -> Option<(MacAddress, bool)> {
    topology.ports_of(network.id).filter(|port| port.admin_state_up).find_map(|port| {
        let is_interface = topology.router_of(port).is_some();
        let answers =
            if is_interface { interface_router(topology, port).is_some() } else { topology.bound_host(port).is_some() };
        let has = port.fixed_ips.iter().any(|fixed| fixed.ip_address == address)
            || is_interface && IpAddr::V6(link_local(port.mac_address.to_u64())) == address;
        (answers && has).then_some((port.mac_address, is_interface))
    })
}
