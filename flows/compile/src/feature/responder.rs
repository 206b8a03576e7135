//! Answers ARP requests and neighbour solicitations where they are asked.

use super::{Bound, Feature};
use crate::cookie::Object;
use crate::packet::{arp, icmpv6};
use crate::register::NETWORK;
use crate::{Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use weir_model::{MacAddress, Network, NetworkKey, PortKey, Topology};
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

    fn of_network(&self, network: &Network, topology: &Topology, units: &mut Vec<Unit>) {
        units.extend(topology.ports_of(network.id).map(|port| Unit::Neighbour(port.key)));
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Neighbour(key) = unit else { return };
        let Some(Bound { port, network, .. }) = Bound::by_key(key, topology) else { return };
        if !port.admin_state_up || port.mac_address.is_multicast() {
            return;
        }
        let mut answers = Answers { key, network: network.key, mac: port.mac_address, sink };
        for fixed in &port.fixed_ips {
            match fixed.ip_address {
                IpAddr::V4(address) => answers.ipv4(address),
                IpAddr::V6(address) => answers.ipv6(address),
            }
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        let Unit::Neighbour(key) = unit else { return Scope::Nobody };
        Bound::by_key(key, topology).map_or(Scope::Nobody, |bound| Scope::Network(bound.network.key))
    }
}

struct Answers<'a> {
    key: PortKey,
    network: NetworkKey,
    mac: MacAddress,
    sink: &'a mut Sink,
}

impl Answers<'_> {
    fn tag(&self, purpose: Purpose) -> Tag {
        Tag::of(purpose, Object::Port(self.key))
    }

    fn ipv4(&mut self, address: Ipv4Addr) {
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
        self.sink.end(Table::Arp, Priority::Object, matching, self.tag(Purpose::ArpAnswer), actions);
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
        let to_all = [Action::set(Field::EthDst, 0x3333_0000_0001), Action::set(Field::Ipv6Dst, all_nodes.into())];
        let actions = to_all.into_iter().chain(answer.clone());
        let detection = question.clone().ipv6_src(Ipv6Addr::UNSPECIFIED);
        let tag = self.tag(Purpose::DadAnswer);
        self.sink.lead(Table::Nd, Priority::Exception, detection, tag, actions, Table::NdAnswer);
        let to_asker = [Action::copy(Field::EthSrc, Field::EthDst), Action::copy(Field::Ipv6Src, Field::Ipv6Dst)];
        let actions = to_asker.into_iter().chain(answer);
        let tag = self.tag(Purpose::NdAnswer);
        self.sink.lead(Table::Nd, Priority::Object, question, tag, actions, Table::NdAnswer);
    }
}
