//! What routers say unasked of where their addresses are: ARP announcements (RFC 5227 section 3) and unsolicited
//! neighbour advertisements (RFC 4861 section 7.2.6). A VM that remembers another link-layer address of its gateway
//! would go on sending there until it doubts it, which takes half a minute or more.

use crate::frame::{self, ALL_NODES, ALL_NODES_MAC, Link, ON_LINK};
use bytes::Bytes;
use smoltcp::wire::{Icmpv6Message, Icmpv6Packet, IpProtocol};
use std::net::{IpAddr, Ipv6Addr};
use weir_model::{MacAddress, Network, Port, Topology};

/// The sender is a router, and its word goes over what is remembered.
const ROUTER_AND_OVERRIDE: u8 = 0xa0;

/// The number of the option with the link-layer address of the target.
const TARGET_LINK_LAYER: u8 = 2;

/// Where the addresses of routers on a network are: an Ethernet frame to all for each, the same for every port.
pub fn announcements(topology: &Topology, network: &Network) -> Vec<Bytes> {
    let up = |port: &&Port| port.admin_state_up && topology.router_of(port).is_some_and(|router| router.admin_state_up);
    topology.interfaces_on(network.id).map(AsRef::as_ref).filter(up).flat_map(of_interface).collect()
}

fn of_interface(interface: &Port) -> impl Iterator<Item = Bytes> {
    let mac = interface.mac_address;
    let fixed = interface.fixed_ips.iter().map(|fixed| fixed.ip_address);
    let own = interface.fixed_ips.iter().any(|fixed| fixed.ip_address.is_ipv6()).then(|| mac.link_local().into());
    fixed.chain(own).map(move |address| match address {
        IpAddr::V4(address) => frame::arp_announcement(mac, address),
        IpAddr::V6(address) => neighbour_advertisement(mac, address),
    })
}

fn neighbour_advertisement(mac: MacAddress, target: Ipv6Addr) -> Bytes {
    let mut message = vec![Icmpv6Message::NeighborAdvert.into(), 0, 0, 0, ROUTER_AND_OVERRIDE, 0, 0, 0];
    message.extend_from_slice(&target.octets());
    message.extend_from_slice(&[TARGET_LINK_LAYER, 1]);
    message.extend_from_slice(&mac.0);
    let source = mac.link_local();
    Icmpv6Packet::new_unchecked(&mut message).fill_checksum(&source, &ALL_NODES);
    let link = Link { source: mac, destination: ALL_NODES_MAC };
    frame::ipv6(link, source, ALL_NODES, IpProtocol::Icmpv6, ON_LINK, &message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{Cloud, GATEWAY_MAC};
    use smoltcp::wire::{
        ArpPacket, ArpRepr, EthernetAddress, EthernetFrame, EthernetProtocol, Ipv6Packet, NdiscNeighborFlags, NdiscRepr,
    };
    use std::net::Ipv4Addr;

    const SECOND: MacAddress = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfd]);

    fn said(cloud: &Cloud) -> Vec<Bytes> {
        announcements(&cloud.topology(), &cloud.network)
    }

    #[test]
    fn an_ipv4_address_is_announced_by_arp() {
        let all = said(&Cloud::new());
        let frame = EthernetFrame::new_checked(&all[0]).expect("a frame");
        assert_eq!((frame.src_addr().0, frame.dst_addr().0), (GATEWAY_MAC.0, [0xff; 6]));
        assert_eq!(frame.ethertype(), EthernetProtocol::Arp);
        let packet = ArpPacket::new_checked(frame.payload()).expect("a packet");
        let gateway = Ipv4Addr::new(10, 0, 0, 1);
        let expected = ArpRepr::EthernetIpv4 {
            operation: smoltcp::wire::ArpOperation::Request,
            source_hardware_addr: EthernetAddress(GATEWAY_MAC.0),
            source_protocol_addr: gateway,
            target_hardware_addr: EthernetAddress([0; 6]),
            target_protocol_addr: gateway,
        };
        assert_eq!(ArpRepr::parse(&packet), Ok(expected));
    }

    #[test]
    fn ipv6_addresses_are_advertised_with_the_link_local_one() {
        let all = said(&Cloud::new());
        let targets = ["2001:db8:1::1".parse().expect("an address"), SECOND.link_local()];
        assert_eq!(all.len(), 1 + targets.len());
        for (frame, target) in all[1..].iter().zip(targets) {
            let frame = EthernetFrame::new_checked(frame).expect("a frame");
            assert_eq!((frame.src_addr().0, frame.dst_addr().0), (SECOND.0, ALL_NODES_MAC.0));
            let packet = Ipv6Packet::new_checked(frame.payload()).expect("a packet");
            assert_eq!((packet.src_addr(), packet.dst_addr()), (SECOND.link_local(), ALL_NODES));
            assert_eq!(packet.hop_limit(), 255);
            let message = Icmpv6Packet::new_checked(packet.payload()).expect("a message");
            assert!(message.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
            let expected = NdiscRepr::NeighborAdvert {
                flags: NdiscNeighborFlags::ROUTER | NdiscNeighborFlags::OVERRIDE,
                target_addr: target,
                lladdr: Some(EthernetAddress(SECOND.0).into()),
            };
            assert_eq!(NdiscRepr::parse(&message), Ok(expected));
        }
    }

    #[test]
    fn routers_that_are_down_say_nothing() {
        let mut cloud = Cloud::new();
        cloud.router.admin_state_up = false;
        assert!(said(&cloud).is_empty());
        let mut cloud = Cloud::new();
        cloud.interfaces[0].admin_state_up = false;
        assert_eq!(said(&cloud).len(), 2);
        cloud.interfaces.clear();
        assert!(said(&cloud).is_empty());
    }
}
