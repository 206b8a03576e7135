//! What every hypervisor holds, whatever networks there are.

mod policy;
mod resolution;
mod routing;

pub(super) use policy::of_port;

use super::Feature;
use crate::bridge::{PATCH_INT, PATCH_TUN, VXLAN};
use crate::cookie::Object;
use crate::packet::{dhcp, ethertype, icmpv6, protocol};
use crate::pipeline::{Miss, SPECS};
use crate::register::{
    CROSSING, CROSSING_NETWORK, CROSSING_PORT, Crossing, DESTINATION_PORT_KEY, FROM_TUNNEL, LOCAL_ONLY, MULTICAST,
    NETWORK_KEY,
};
use crate::{Circle, Priority, Purpose, Reason, Scope, Sink, Table, Tag, Touched, Unit};
use std::collections::BTreeSet;
use weir_model::{PortKey, Topology};
use weir_openflow::{Action, Field, Match, Subfield};

/// Table misses, refusals and the crossing between the bridges.
pub(super) struct Base;

impl Feature for Base {
    fn tables(&self) -> &'static [Table] {
        const ALL: &[Table] = &{
            let mut all = [Table::Classify; SPECS.len()];
            let mut at = 0;
            while at < SPECS.len() {
                all[at] = SPECS[at].table;
                at += 1;
            }
            all
        };
        ALL
    }

    fn dirty(&self, _: &Touched<'_>, _: &mut BTreeSet<Unit>) {}

    fn of_circle(&self, circle: Circle, _: &Topology, units: &mut Vec<Unit>) {
        if circle == Circle::Everyone {
            units.push(Unit::Base);
        }
    }

    fn build(&self, _: Unit, _: &Topology, sink: &mut Sink) {
        for spec in SPECS {
            match spec.miss {
                Miss::Drop(reason) => {
                    sink.refuse(spec.table, Priority::Miss, Match::new(), reason, Object::Nothing);
                }
                Miss::Goto(next) => sink.lead(spec.table, Priority::Miss, Match::new(), step(), [], next),
            }
        }
        classify(sink);
        guard(sink);
        unspecified(sink);
        resolution::build(sink);
        let to_group = Match::new().eth_multicast();
        let group = [MULTICAST.load(true)];
        sink.lead(Table::Forward, Priority::Exception, to_group, step(), group, Table::Zone);
        routing::build(sink);
        policy::build(sink);
        deliver(sink);
        for (port, next) in [(PATCH_INT, Table::TunnelOutput), (VXLAN, Table::TunnelSource)] {
            let matching = Match::new().in_port(port.number);
            sink.lead(Table::TunnelClassify, Priority::Object, matching, step(), [], next);
        }
    }

    fn scope(&self, _: Unit, _: &Topology) -> Scope {
        Scope::All
    }
}

fn step() -> Tag {
    Tag::of(Purpose::Step, Object::Nothing)
}

/// Swaps two fields.
fn swap(one: Field, other: Field) -> [Action; 4] {
    let (one, other) = (Subfield::whole(one), Subfield::whole(other));
    [Action::Push(one), Action::Push(other), Action::Pop(one), Action::Pop(other)]
}

fn classify(sink: &mut Sink) {
    let arrive = [CROSSING_NETWORK.copy_to(&NETWORK_KEY), CROSSING.load(Crossing::Nothing), FROM_TUNNEL.load(true)];
    let matching = Match::new().in_port(PATCH_TUN.number);
    sink.lead(Table::Classify, Priority::Object, matching, step(), arrive, Table::Forward);
    sink.refuse(Table::Classify, Priority::Fallback, Match::new().tagged(), Reason::Tagged, Object::Nothing);
    let group_source = Match::new().with_masked(Field::EthSrc, 1 << 40, 1 << 40);
    sink.refuse(Table::Admission, Priority::Refusal, group_source, Reason::MulticastSource, Object::Nothing);
}

/// The layer 4 checks stand in a table of their own with nothing but them, so that what they look at never becomes
/// part of the datapath flows of other protocols: TCP connections differ in no field that this table matches.
fn guard(sink: &mut Sink) {
    let udp =
        |ethertype, field, port| Match::new().eth_type(ethertype).ip_proto(protocol::UDP).with(field, u128::from(port));
    for matching in [
        udp(ethertype::IPV4, Field::UdpSrc, dhcp::SERVER),
        udp(ethertype::IPV4, Field::UdpDst, dhcp::CLIENT),
        udp(ethertype::IPV6, Field::UdpSrc, dhcp::SERVER_V6),
        udp(ethertype::IPV6, Field::UdpDst, dhcp::CLIENT_V6),
    ] {
        sink.refuse(Table::Guard, Priority::Refusal, matching, Reason::DhcpServer, Object::Nothing);
    }
    let advertisement = icmpv6::of(icmpv6::ROUTER_ADVERTISEMENT);
    sink.refuse(Table::Guard, Priority::Refusal, advertisement, Reason::RouterAdvertisement, Object::Nothing);
    for kind in [icmpv6::NEIGHBOUR_SOLICITATION, icmpv6::NEIGHBOUR_ADVERTISEMENT] {
        sink.lead(Table::Guard, Priority::Object, icmpv6::of(kind), step(), [], Table::NdAdmission);
    }
    for question in [dhcp::request(), dhcp::request_v6(), icmpv6::of(icmpv6::ROUTER_SOLICITATION)] {
        sink.lead(Table::Guard, Priority::Object, question, step(), [], Table::Services);
    }
}

/// RFC 4862 section 5.4 (duplicate detection), RFC 4861 section 4.1 (router solicitation), RFC 3590 (joining groups).
fn unspecified(sink: &mut Sink) {
    let detection = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION);
    sink.lead(Table::Unspecified, Priority::Object, detection, step(), [], Table::Nd);
    let router = icmpv6::of(icmpv6::ROUTER_SOLICITATION);
    sink.lead(Table::Unspecified, Priority::Object, router, step(), [], Table::Services);
    for kind in [icmpv6::MLD_REPORT, icmpv6::MLD_DONE, icmpv6::MLD2_REPORT] {
        sink.lead(Table::Unspecified, Priority::Object, icmpv6::of(kind), step(), [], Table::Forward);
    }
}

/// What is not here goes to br-tun, unless it came from there or another copy of it goes already.
fn deliver(sink: &mut Sink) {
    let matching = LOCAL_ONLY.on(FROM_TUNNEL.on(Match::new(), false), false);
    let actions = [
        CROSSING.load(Crossing::Unicast(PortKey(0))),
        DESTINATION_PORT_KEY.copy_to(&CROSSING_PORT),
        Action::output(PATCH_TUN.number),
        CROSSING.load(Crossing::Nothing),
    ];
    sink.end(Table::Deliver, Priority::Fallback, matching, step(), actions);
}
