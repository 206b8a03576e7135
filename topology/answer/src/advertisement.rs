//! Router advertisements (RFC 4861, RFC 8106).

use crate::asker::{Asker, domain_of};
use crate::frame::{self, ALL_NODES, ALL_NODES_MAC, Frame, Link, ON_LINK};
use crate::{Answer, Settings, Silence, domain};
use bytes::Bytes;
use ipnet::IpNet;
use smoltcp::wire::{ETHERNET_HEADER_LEN, IPV6_HEADER_LEN, Icmpv6Message, Icmpv6Packet, IpProtocol};
use std::net::{IpAddr, Ipv6Addr};
use weir_model::{Ipv6Mode, MacAddress, Network, Port, PortKey, Subnet, Topology};

/// Seconds for which a router is a way to everywhere, and for which its DNS servers are known.
const LIFETIME_S: u16 = 1800;

/// Seconds for which a prefix is on the link, and for which addresses made of it stay.
const VALID_S: u32 = 86_400;

/// Seconds for which addresses made of a prefix are used for new connections.
const PREFERRED_S: u32 = 14_400;

/// Bytes of the header of an advertisement.
const HEADER_LEN: usize = 16;

/// Bytes of a solicitation before its options.
const SOLICITATION_LEN: usize = 8;

/// Where the router's lifetime stands in an advertisement.
const LIFETIME: std::ops::Range<usize> = 6..8;

/// What a router says of itself on a network.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Advertisement {
    /// The interface of the router.
    pub interface: PortKey,
    /// The Ethernet frame, to all nodes.
    pub frame: Bytes,
    source: MacAddress,
}

/// What the routers of a network say of themselves, each interface by itself. The frames are to all nodes, and the
/// same for every port; nothing is said where no subnet wants it (`ipv6_ra_mode`).
pub fn advertisements(topology: &Topology, network: &Network, settings: &Settings) -> Vec<Advertisement> {
    let speaking = interfaces(topology, network);
    let to_all = |(interface, subnets): (&Port, Vec<&Subnet>)| Advertisement {
        interface: interface.key,
        frame: write(network, interface, &subnets, settings, (ALL_NODES, ALL_NODES_MAC)),
        source: interface.mac_address,
    };
    speaking.map(to_all).collect()
}

impl Advertisement {
    /// Whether another one is of the same interface with the same address, so that it takes the other's place.
    pub fn is_of(&self, other: &Self) -> bool {
        self.interface == other.interface && self.source == other.source
    }

    /// The last words: the router is no way to anywhere any more.
    pub fn farewell(&self) -> Bytes {
        let mut frame = self.frame.to_vec();
        let message = &mut frame[ETHERNET_HEADER_LEN + IPV6_HEADER_LEN..];
        message[LIFETIME].fill(0);
        Icmpv6Packet::new_unchecked(message).fill_checksum(&self.source.link_local(), &ALL_NODES);
        frame.into()
    }
}

pub(crate) fn answer(asker: &Asker<'_>, bytes: &[u8], settings: &Settings) -> Result<Answer, Silence> {
    let frame = Frame::read(bytes)?;
    let packet = frame.ipv6()?;
    let source = packet.src_addr();
    if packet.next_header() != IpProtocol::Icmpv6
        || packet.hop_limit() != ON_LINK
        || source.is_multicast()
        || !is_solicitation(packet.payload(), source.is_unspecified())
    {
        return Err(Silence::Malformed);
    }
    let to = if source.is_unspecified() { (ALL_NODES, ALL_NODES_MAC) } else { (source, asker.mac(frame.source)) };
    let speaking = interfaces(asker.topology, asker.network);
    let frames: Vec<_> =
        speaking.map(|(interface, subnets)| write(asker.network, interface, &subnets, settings, to)).collect();
    if frames.is_empty() { Err(Silence::NoRouter) } else { Ok(Answer { frames, omitted: Vec::new() }) }
}

/// Whether it is a valid solicitation (RFC 4861 section 6.1.1).
fn is_solicitation(message: &[u8], unspecified: bool) -> bool {
    let header = message.starts_with(&[u8::from(Icmpv6Message::RouterSolicit), 0]);
    let Some(mut options) = message.get(SOLICITATION_LEN..).filter(|_| header) else { return false };
    while let [kind, length, ..] = options {
        // Who has no address yet has nobody's link-layer address to tell.
        if *length == 0 || unspecified && *kind == option::SOURCE_LINK_LAYER {
            return false;
        }
        let Some(rest) = options.get(usize::from(*length) * 8..) else { return false };
        options = rest;
    }
    options.is_empty()
}

/// The interfaces of routers that have something to say on a network, with the subnets that they speak of.
fn interfaces<'a>(
    topology: &'a Topology,
    network: &'a Network,
) -> impl Iterator<Item = (&'a Port, Vec<&'a Subnet>)> + use<'a> {
    topology.interfaces_on(network.id).filter_map(move |interface| {
        let up = interface.admin_state_up && topology.router_of(interface).is_some_and(|router| router.admin_state_up);
        let subnets = interface.fixed_ips.iter().filter_map(|fixed| topology.subnet(fixed.subnet_id));
        let subnets: Vec<_> =
            subnets.filter(|subnet| subnet.is_ipv6() && subnet.ipv6_ra_mode.is_some()).map(AsRef::as_ref).collect();
        (up && !subnets.is_empty()).then_some((interface.as_ref(), subnets))
    })
}

/// Numbers of options.
mod option {
    pub(super) const SOURCE_LINK_LAYER: u8 = 1;
    pub(super) const PREFIX: u8 = 3;
    pub(super) const MTU: u8 = 5;
    pub(super) const DNS_SERVERS: u8 = 25;
    pub(super) const DOMAINS: u8 = 31;
}

const MANAGED: u8 = 0x80;
const OTHER: u8 = 0x40;
const PREFIX_ON_LINK: u8 = 0x80;
const PREFIX_AUTONOMOUS: u8 = 0x40;

fn write(
    network: &Network,
    interface: &Port,
    subnets: &[&Subnet],
    settings: &Settings,
    (destination, mac): (Ipv6Addr, MacAddress),
) -> Bytes {
    let mode = |wanted| subnets.iter().any(|subnet| subnet.ipv6_ra_mode == Some(wanted));
    let managed = if mode(Ipv6Mode::Dhcpv6Stateful) { MANAGED } else { 0 };
    let other = if mode(Ipv6Mode::Dhcpv6Stateless) { OTHER } else { 0 };
    // A router that no subnet has as its gateway tells the prefixes, but is no way to everywhere.
    let own = interface.mac_address.link_local();
    let is_gateway = |subnet: &&Subnet| {
        let gateway = subnet.gateway_ip;
        gateway == Some(own.into()) || interface.fixed_ips.iter().any(|fixed| gateway == Some(fixed.ip_address))
    };
    let lifetime = if subnets.iter().any(is_gateway) { LIFETIME_S } else { 0 };
    let mut message = vec![0; HEADER_LEN];
    message[0] = Icmpv6Message::RouterAdvert.into();
    message[4] = frame::HOP_LIMIT;
    message[5] = managed | other;
    message[LIFETIME].copy_from_slice(&lifetime.to_be_bytes());
    put(&mut message, option::SOURCE_LINK_LAYER, &interface.mac_address.0);
    put(&mut message, option::MTU, &[&[0; 2][..], &u32::from(network.mtu).to_be_bytes()].concat());
    let room = usize::from(network.mtu).saturating_sub(IPV6_HEADER_LEN);
    for subnet in subnets {
        if message.len() + 32 <= room {
            prefix(&mut message, subnet);
        }
    }
    names(&mut message, network, subnets, settings, room);
    Icmpv6Packet::new_unchecked(&mut message).fill_checksum(&own, &destination);
    let link = Link { source: interface.mac_address, destination: mac };
    frame::ipv6(link, own, destination, IpProtocol::Icmpv6, ON_LINK, &message)
}

fn prefix(message: &mut Vec<u8>, subnet: &Subnet) {
    let IpNet::V6(cidr) = subnet.cidr else { return };
    let autonomous = matches!(subnet.ipv6_ra_mode, Some(Ipv6Mode::Slaac | Ipv6Mode::Dhcpv6Stateless));
    let flags = PREFIX_ON_LINK | if autonomous { PREFIX_AUTONOMOUS } else { 0 };
    let mut value = vec![cidr.prefix_len(), flags];
    value.extend_from_slice(&VALID_S.to_be_bytes());
    value.extend_from_slice(&PREFERRED_S.to_be_bytes());
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&cidr.network().octets());
    put(message, option::PREFIX, &value);
}

/// DNS servers and the domain to search, as far as there is room.
fn names(message: &mut Vec<u8>, network: &Network, subnets: &[&Subnet], settings: &Settings, room: usize) {
    let lifetime = [&[0; 2][..], &u32::from(LIFETIME_S).to_be_bytes()].concat();
    let mut servers: Vec<Ipv6Addr> = Vec::new();
    for server in subnets.iter().flat_map(|subnet| &subnet.dns_nameservers) {
        match server {
            IpAddr::V6(server) if !server.is_unspecified() && !servers.contains(server) => servers.push(*server),
            _ => {}
        }
    }
    let addresses: Vec<u8> = servers.iter().flat_map(Ipv6Addr::octets).collect();
    if !servers.is_empty() && message.len() + 8 + addresses.len() <= room {
        put(message, option::DNS_SERVERS, &[&lifetime[..], &addresses].concat());
    }
    if let Some(domain) = domain::encode(domain_of(network, settings))
        && message.len() + 16 + domain.len() <= room
    {
        put(message, option::DOMAINS, &[&lifetime[..], &domain].concat());
    }
}

/// Writes an option, with zeros up to a multiple of eight bytes. Values are at most a few hundred bytes long.
fn put(message: &mut Vec<u8>, kind: u8, value: &[u8]) {
    let units = (value.len() + 2).div_ceil(8);
    let end = message.len() + units * 8;
    message.extend_from_slice(&[kind, units as u8]);
    message.extend_from_slice(value);
    message.resize(end, 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{Cloud, VM, VM_MAC, from_vm};
    use crate::{Question, answer};
    use proptest::prelude::*;
    use smoltcp::wire::{EthernetFrame, Ipv6Packet};

    /// What an advertisement says: flags, lifetime, and the options as they come.
    struct Said {
        to: (Ipv6Addr, MacAddress),
        flags: u8,
        lifetime: u16,
        options: Vec<(u8, Vec<u8>)>,
    }

    fn read(frame: &Bytes) -> Said {
        let frame = EthernetFrame::new_checked(frame.as_ref()).expect("a frame");
        let packet = Ipv6Packet::new_checked(frame.payload()).expect("a packet");
        assert_eq!(packet.src_addr(), MacAddress(frame.src_addr().0).link_local());
        assert_eq!(packet.hop_limit(), 255);
        let message = Icmpv6Packet::new_checked(packet.payload()).expect("a message");
        assert!(message.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
        assert_eq!((message.msg_type(), message.current_hop_limit()), (Icmpv6Message::RouterAdvert, 64));
        let mut rest = &packet.payload()[HEADER_LEN..];
        let mut options = Vec::new();
        while let [kind, units, ..] = rest {
            let (option, after) = rest.split_at(usize::from(*units) * 8);
            options.push((*kind, option[2..].to_vec()));
            rest = after;
        }
        Said {
            to: (packet.dst_addr(), MacAddress(frame.dst_addr().0)),
            flags: packet.payload()[5],
            lifetime: message.router_lifetime().secs() as u16,
            options,
        }
    }

    fn unasked(cloud: &Cloud) -> Vec<Advertisement> {
        advertisements(&cloud.topology(), &cloud.network, &Settings::default())
    }

    fn solicitation(source: Ipv6Addr, hop_limit: u8, options: &[u8]) -> Bytes {
        let mut message = vec![133, 0, 0, 0, 0, 0, 0, 0];
        message.extend_from_slice(options);
        let all_routers = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2);
        Icmpv6Packet::new_unchecked(&mut message).fill_checksum(&source, &all_routers);
        let link = from_vm(MacAddress([0x33, 0x33, 0, 0, 0, 2]));
        frame::ipv6(link, source, all_routers, IpProtocol::Icmpv6, hop_limit, &message)
    }

    fn ask(cloud: &Cloud, frame: &[u8]) -> Result<Answer, Silence> {
        answer(&cloud.topology(), VM, Question::RouterSolicitation, frame, &Settings::default())
    }

    #[test]
    fn a_router_tells_what_the_subnet_says() {
        let modes = [
            (Ipv6Mode::Slaac, 0, 0xc0),
            (Ipv6Mode::Dhcpv6Stateless, OTHER, 0xc0),
            (Ipv6Mode::Dhcpv6Stateful, MANAGED, 0x80),
        ];
        for (mode, flags, prefix_flags) in modes {
            let mut cloud = Cloud::new();
            cloud.ipv6.ipv6_ra_mode = Some(mode);
            let all = unasked(&cloud);
            let [one] = all.as_slice() else { panic!("one interface has such a subnet") };
            let said = read(&one.frame);
            assert_eq!((said.to, said.flags, said.lifetime), ((ALL_NODES, ALL_NODES_MAC), flags, 1800));
            let mut prefix = vec![64, prefix_flags, 0, 1, 0x51, 0x80, 0, 0, 0x38, 0x40, 0, 0, 0, 0];
            prefix.extend([0x20, 1, 0xd, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
            let mut servers = vec![0, 0, 0, 0, 7, 8];
            servers.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x53]);
            let mut domains = vec![0, 0, 0, 0, 7, 8, 14];
            domains.extend(b"openstacklocal\0");
            let expected = [
                (option::SOURCE_LINK_LAYER, vec![0xfa, 0x16, 0x3e, 0, 0, 0xfd]),
                (option::MTU, vec![0, 0, 0, 0, 5, 0xaa]),
                (option::PREFIX, prefix),
                (option::DNS_SERVERS, servers),
                (option::DOMAINS, domains),
            ];
            assert_eq!(said.options, expected);
        }
    }

    #[test]
    fn a_router_that_is_not_the_gateway_is_no_way_to_everywhere() {
        let mut cloud = Cloud::new();
        cloud.ipv6.gateway_ip = Some("2001:db8:1::ff".parse().expect("an address"));
        assert_eq!(read(&unasked(&cloud)[0].frame).lifetime, 0);
        cloud.ipv6.gateway_ip = Some(MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfd]).link_local().into());
        assert_eq!(read(&unasked(&cloud)[0].frame).lifetime, 1800);
    }

    #[test]
    fn nothing_is_advertised_without_a_router_or_a_mode() {
        let mut cloud = Cloud::new();
        cloud.router.admin_state_up = false;
        assert_eq!(unasked(&cloud), []);
        let frame = solicitation(VM_MAC.link_local(), 255, &[]);
        assert_eq!(ask(&cloud, &frame), Err(Silence::NoRouter));
        let mut cloud = Cloud::new();
        cloud.ipv6.ipv6_ra_mode = None;
        assert_eq!(unasked(&cloud), []);
    }

    #[test]
    fn last_words_take_the_way_away() {
        let one = unasked(&Cloud::new()).remove(0);
        let said = read(&one.farewell());
        assert_eq!((said.lifetime, said.options), (0, read(&one.frame).options));
    }

    #[test]
    fn who_asks_is_answered() {
        let cloud = Cloud::new();
        let source = VM_MAC.link_local();
        let mut own = vec![1, 1];
        own.extend(VM_MAC.0);
        let answered = ask(&cloud, &solicitation(source, 255, &own)).expect("an answer");
        assert_eq!(read(&answered.frames[0]).to, (source, VM_MAC));
        let answered = ask(&cloud, &solicitation(Ipv6Addr::UNSPECIFIED, 255, &[])).expect("an answer");
        assert_eq!(answered.frames, [unasked(&cloud).remove(0).frame]);
        for bad in [
            solicitation(source, 254, &own),
            solicitation(source, 255, &[1, 0, 0, 0, 0, 0, 0, 0]),
            solicitation(source, 255, &[1, 2, 0, 0, 0, 0, 0, 0]),
            solicitation(Ipv6Addr::UNSPECIFIED, 255, &own),
        ] {
            assert_eq!(ask(&cloud, &bad), Err(Silence::Malformed));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_well_or_not_at_all(
            flips in prop::collection::vec((0_usize..90, any::<u8>()), 0..8),
            tail in prop::collection::vec(any::<u8>(), 0..40),
        ) {
            let mut bytes = solicitation(VM_MAC.link_local(), 255, &tail).to_vec();
            for (at, value) in flips {
                let at = at % bytes.len();
                bytes[at] = value;
            }
            if let Ok(answered) = ask(&Cloud::new(), &bytes) {
                prop_assert_eq!(read(&answered.frames[0]).flags, MANAGED);
            }
        }
    }
}
