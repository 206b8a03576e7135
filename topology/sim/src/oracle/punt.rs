//! What the controller is asked.

use crate::packet::{ETH_IPV4, Fields, Packet, protocol};
use weir_model::{Ipv6Mode, Network, NetworkKey, Port, PortKey, RouterKey, Subnet, Topology};
use weir_openflow::Field;
use weir_openflow::message::PacketIn;

/// Why the controller gets a packet, with the number that tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PuntKind {
    /// A DHCP client speaks, in IPv4.
    Dhcpv4 = 1,
    /// A DHCP client speaks, in IPv6.
    Dhcpv6 = 2,
    /// A host asks for routers.
    RouterSolicitation = 3,
    /// The TTL is used up at a router.
    TimeExceeded = 4,
    /// The router has no route.
    NoRoute = 5,
    /// The router does not know the next hop.
    HostUnreachable = 6,
    /// The packet is longer than the next network takes.
    TooBig = 7,
}

/// A packet for the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Punt {
    /// Why.
    pub kind: PuntKind,
    /// Who sent the packet.
    pub port: PortKey,
    /// The network that the packet is in, or would be in next, if the router knew that much.
    pub network: NetworkKey,
    /// The router, and the network by which the packet came to it.
    pub router: Option<(RouterKey, NetworkKey)>,
}

impl Punt {
    /// Whether a packet-in is about this packet, for this reason. Routers may have changed its link-layer addresses and
    /// its TTL.
    pub fn is(&self, sent: &Packet, told: &PacketIn) -> bool {
        let register = |field: Field| told.metadata.exact(field).unwrap_or(0);
        let named = register(Field::Reg2) >> 24 == self.kind as u128
            && register(Field::Reg0) == u128::from(self.port.0)
            && register(Field::Metadata) == u128::from(self.network.0)
            && self.router.is_none_or(|(router, arrival)| {
                (register(Field::Reg7), register(Field::Reg13)) == (router.0.into(), arrival.0.into())
            });
        let carried = Packet::new(told.packet.to_vec());
        let mut expected = sent.clone();
        if self.router.is_some() {
            let (before, seen) = (sent.fields(), carried.fields());
            let mut after = before.clone();
            (after.eth_src, after.eth_dst, after.nw_ttl) = (seen.eth_src, seen.eth_dst, seen.nw_ttl);
            expected.rewrite(&before, &after);
        }
        named && expected.bytes().starts_with(carried.bytes()) && !carried.bytes().is_empty()
    }
}

/// What is asked of the services of the sender's network.
pub(super) fn service(topology: &Topology, network: &Network, port: &Port, fields: &Fields) -> Option<Punt> {
    let is_udp = |source, destination| {
        fields.is_protocol(protocol::UDP) && (fields.tp_src, fields.tp_dst) == (source, destination)
    };
    let mut subnets = topology.subnets_of(network.id);
    let kind = if fields.eth_type == ETH_IPV4 {
        let served = is_udp(68, 67) && subnets.any(|subnet| subnet.enable_dhcp && !subnet.is_ipv6());
        served.then_some(PuntKind::Dhcpv4)
    } else if is_udp(546, 547) {
        subnets.any(|subnet| speaks_dhcpv6(subnet)).then_some(PuntKind::Dhcpv6)
    } else if fields.is_icmpv6() && (fields.tp_src, fields.tp_dst) == (133, 0) {
        let advertises = subnets.any(|subnet| subnet.is_ipv6() && subnet.ipv6_ra_mode.is_some())
            && topology.ports_of(network.id).any(|port| super::interface_router(topology, port).is_some());
        advertises.then_some(PuntKind::RouterSolicitation)
    } else {
        None
    };
    kind.map(|kind| Punt { kind, port: port.key, network: network.key, router: None })
}

/// Whether the VMs of a subnet get addresses or options by DHCPv6, rather than by autoconfiguration alone or not at all.
fn speaks_dhcpv6(subnet: &Subnet) -> bool {
    let by_dhcp = |mode| matches!(mode, Some(Ipv6Mode::Dhcpv6Stateful | Ipv6Mode::Dhcpv6Stateless));
    subnet.enable_dhcp && (by_dhcp(subnet.ipv6_address_mode) || by_dhcp(subnet.ipv6_ra_mode))
}
