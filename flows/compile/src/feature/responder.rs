//! Answers ARP requests and neighbour solicitations where they are asked.

use super::{Bound, Feature, ports_of};
use crate::cookie::Object;
use crate::packet::{arp, icmpv6};
use crate::register::{NETWORK, OF_ROUTER};
use crate::{Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{MacAddress, NetworkKey, PortKey, Topology};
use weir_openflow::{Action, Field, PortNo};

/// Answers for the fixed addresses of bound ports. Addresses of unbound ports, such as virtual addresses that other
/// ports hold by address pairs, must be asked for by flooding.
pub(super) struct Responder;

impl Feature for Responder {
    fn tables(&self) -> &'static [Table] {
        &[Table::Arp, Table::Nd]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        units.extend(touched.ports().map(|(port, _)| Unit::Neighbour(port.key)));
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        if let Circle::Network(key) = circle {
            units.extend(ports_of(key, topology).map(|port| Unit::Neighbour(port.key)));
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Neighbour(key) = unit else { return };
        let Some(Bound { port, network, .. }) = Bound::by_key(key, topology) else { return };
        if !port.admin_state_up || port.mac_address.is_multicast() {
            return;
        }
        let mut answers = Answers::of_port(key, network.key, port.mac_address, sink);
        for fixed in &port.fixed_ips {
            answers.address(fixed.ip_address);
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Neighbour(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Network(bound.network.key))
    }
}

/// Answers about one link-layer address of a network.
pub(super) struct Answers<'a> {
    /// Whose answers they are: to ARP requests, to neighbour solicitations, to look-outs for duplicates.
    pub(super) tags: [Tag; 3],
    pub(super) network: NetworkKey,
    pub(super) mac: MacAddress,
    /// Whether the address is a router's, as hosts want to be told.
    pub(super) router: bool,
    pub(super) sink: &'a mut Sink,
}

impl<'a> Answers<'a> {
    /// Answers about a port.
    pub(super) fn of_port(key: PortKey, network: NetworkKey, mac: MacAddress, sink: &'a mut Sink) -> Self {
        let purposes = [Purpose::ArpAnswer, Purpose::NdAnswer, Purpose::DadAnswer];
        Self { tags: purposes.map(|purpose| Tag::of(purpose, Object::Port(key))), network, mac, router: false, sink }
    }

    /// Answers about an address of either version.
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
        let all_nodes = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
        let question = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION).with(Field::NdTarget, address.into());
        let question = NETWORK.on(question, self.network);
        let answer = [
            Action::set(Field::EthSrc, self.mac.to_u64().into()),
            Action::copy(Field::NdTarget, Field::Ipv6Src),
            Action::set(Field::Icmpv6Type, icmpv6::NEIGHBOUR_ADVERTISEMENT.into()),
        ];
        let answer = answer.into_iter().chain(self.router.then(|| OF_ROUTER.load(true)));
        let to_all = [Action::set(Field::EthDst, 0x3333_0000_0001), Action::set(Field::Ipv6Dst, all_nodes.into())];
        let actions = to_all.into_iter().chain(answer.clone());
        let detection = question.clone().ipv6_src(Ipv6Addr::UNSPECIFIED);
        self.sink.lead(Table::Nd, Priority::Exception, detection, self.tags[2], actions, Table::NdAnswer);
        let to_asker = [Action::copy(Field::EthSrc, Field::EthDst), Action::copy(Field::Ipv6Src, Field::Ipv6Dst)];
        let actions = to_asker.into_iter().chain(answer);
        self.sink.lead(Table::Nd, Priority::Object, question, self.tags[1], actions, Table::NdAnswer);
    }
}
