//! Says where addresses are: where ARP requests and neighbour solicitations are asked, and to routers.

use super::{Bound, Feature, ports_of};
use crate::cookie::Object;
use crate::packet::{arp, icmpv6};
use crate::register::{DESTINATION_PORT, NETWORK, NEXT_HOP_V4, NEXT_HOP_V6, OF_ROUTER};
use crate::{Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{MacAddress, NetworkKey, Topology};
use weir_openflow::{Action, Field, Match, PortNo};

/// The fixed addresses of bound ports, each in one flow for all who ask. Addresses of unbound ports, such as virtual
/// addresses that other ports hold by address pairs, must be asked for by flooding.
pub(super) struct Responder;

impl Feature for Responder {
    fn tables(&self) -> &'static [Table] {
        &[Table::ResolveV4, Table::ResolveV6]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.ports().map(|(port, _)| Unit::Neighbour(port.key)));
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        if let Circle::Near(key) = circle {
            units.extend(ports_of(key, topology).map(|port| Unit::Neighbour(port.key)));
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Neighbour(key) = unit else { return };
        let Some(Bound { port, network, .. }) = Bound::by_key(key, topology) else { return };
        if !port.admin_state_up || port.mac_address.is_multicast() {
            return;
        }
        let tag = Tag::of(Purpose::Neighbour, Object::Port(key));
        for fixed in &port.fixed_ips {
            let (table, matching) = match fixed.ip_address {
                IpAddr::V4(address) => (Table::ResolveV4, NEXT_HOP_V4.on(Match::new(), address)),
                IpAddr::V6(address) => (Table::ResolveV6, NEXT_HOP_V6.on(Match::new(), address)),
            };
            // The packet itself takes the address to who asked: routers send it there, answers have it from there.
            let found = [Action::set(Field::EthDst, port.mac_address.to_u64().into()), DESTINATION_PORT.load(key)];
            sink.end(table, Priority::Object, NETWORK.on(matching, network.key), tag, found);
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Neighbour(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Near(bound.network.key))
    }
}

/// Answers about a link-layer address of a network that no port has: a router's or a DHCP server's.
pub(super) struct Answers<'a> {
    /// Whose answers they are: to ARP requests, to neighbour solicitations, to look-outs for duplicates.
    pub(super) tags: [Tag; 3],
    pub(super) network: NetworkKey,
    pub(super) mac: MacAddress,
    pub(super) sink: &'a mut Sink,
}

impl Answers<'_> {
    /// Answers about an address of a router, of either version.
    pub(super) fn address(&mut self, address: IpAddr) {
        match address {
            IpAddr::V4(address) => self.ipv4(address),
            IpAddr::V6(address) => self.ipv6(address),
        }
    }

    pub(super) fn ipv4(&mut self, address: Ipv4Addr) {
        let (mac, ip) = (u128::from(self.mac.to_u64()), u128::from(u32::from(address)));
        let actions = [
            Action::copy(Field::EthSrc, Field::EthDst),
            Action::set(Field::EthSrc, mac),
            Action::set(Field::ArpOp, arp::REPLY),
            Action::copy(Field::ArpSha, Field::ArpTha),
            Action::set(Field::ArpSha, mac),
            Action::copy(Field::ArpSpa, Field::ArpTpa),
            Action::set(Field::ArpSpa, ip),
            Action::output(PortNo::IN_PORT),
        ];
        let matching = NETWORK.on(arp::request().with(Field::ArpTpa, ip), self.network);
        self.sink.end(Table::Arp, Priority::Object, matching, self.tags[0], actions);
    }

    /// The advertisement is completed by a table of its own: a switch lets a flow set what only advertisements have
    /// when the flow matches advertisements, and this one matches solicitations. The hop limit stays as the asker set
    /// it, so that a forged one is as worthless in the answer.
    fn ipv6(&mut self, address: Ipv6Addr) {
        let question = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION).with(Field::NdTarget, address.into());
        let question = NETWORK.on(question, self.network);
        let answer = [
            Action::set(Field::EthSrc, self.mac.to_u64().into()),
            Action::copy(Field::NdTarget, Field::Ipv6Src),
            Action::set(Field::Icmpv6Type, icmpv6::NEIGHBOUR_ADVERTISEMENT.into()),
            OF_ROUTER.load(true),
        ];
        let to_all =
            [Action::set(Field::EthDst, icmpv6::ALL_NODES_MAC), Action::set(Field::Ipv6Dst, icmpv6::ALL_NODES.into())];
        let actions = to_all.into_iter().chain(answer.clone());
        let detection = question.clone().ipv6_src(Ipv6Addr::UNSPECIFIED);
        self.sink.lead(Table::Nd, Priority::Exception, detection, self.tags[2], actions, Table::NdAnswer);
        let to_asker = [Action::copy(Field::EthSrc, Field::EthDst), Action::copy(Field::Ipv6Src, Field::Ipv6Dst)];
        let actions = to_asker.into_iter().chain(answer);
        self.sink.lead(Table::Nd, Priority::Object, question, self.tags[1], actions, Table::NdAnswer);
    }
}
