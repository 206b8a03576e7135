//! What every router does alike.

use super::{step, swap};
use crate::cookie::Object;
use crate::packet::{dhcp, ethertype, icmp, icmpv6, protocol};
use crate::register::{DESTINATION_PORT, HOPS, NO_PORT, OUTGOING_MAC, PUNT, Punt, ROUTED, TOO_BIG};
use crate::{Priority, Reason, Sink, Table};
use std::net::Ipv6Addr;
use weir_openflow::{Action, Field, Match, PortNo, Subfield};

/// The largest number that [`HOPS`] counts to.
const HOPS_MAX: u8 = 7;

/// The TTL of what a router itself sends (RFC 1700).
const TTL: u128 = 64;

pub(super) fn build(sink: &mut Sink) {
    let versions = || [ethertype::IPV4, ethertype::IPV6].map(|ethertype| Match::new().eth_type(ethertype));
    for packet in versions() {
        for ttl in [0, 1] {
            let spent = packet.clone().with(Field::IpTtl, ttl);
            punt(sink, Table::Router, Priority::Fallback, spent, Punt::TimeExceeded);
        }
        punt(sink, Table::Route, Priority::Fallback, packet.clone(), Punt::NoRoute);
    }
    to_port(sink);
    for matching in unroutable() {
        sink.refuse(Table::Router, Priority::Object, matching, Reason::Unroutable, Object::Nothing);
    }
    // No security group filters these, so they stay where they belong: on their link.
    for matching in icmpv6::LINK.map(icmpv6::of).into_iter().chain([dhcp::reply(), dhcp::reply_v6()]) {
        sink.refuse(Table::Router, Priority::Refusal, matching, Reason::LinkOnly, Object::Nothing);
    }
    punt(sink, Table::Oversize, Priority::Object, TOO_BIG.on(Match::new(), true), Punt::TooBig);
    for hops in 0..HOPS_MAX {
        let again = [HOPS.load(hops + 1), Action::resubmit(Table::Router.id())];
        sink.end(Table::Hop, Priority::Object, HOPS.on(Match::new(), hops), step(), again);
    }
    echo(sink);
}

/// Addresses that mean something on one link only, if anything (RFC 1812 section 5.3.7, RFC 4291 section 2.5).
fn unroutable() -> Vec<Match> {
    let v4 = |field, address: [u8; 4], prefix| Match::new().ip().ipv4_net(field, address.into(), prefix);
    let v6 = |field, first: u16, prefix| {
        Match::new().ipv6().ipv6_net(field, Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, 0), prefix)
    };
    vec![
        v4(Field::Ipv4Dst, [224, 0, 0, 0], 4),
        v4(Field::Ipv4Dst, [255, 255, 255, 255], 32),
        v4(Field::Ipv4Dst, [0, 0, 0, 0], 32),
        v4(Field::Ipv4Src, [0, 0, 0, 0], 32),
        v6(Field::Ipv6Dst, 0xff00, 8),
        v6(Field::Ipv6Dst, 0xfe80, 10),
        v6(Field::Ipv6Src, 0xfe80, 10),
        v6(Field::Ipv6Dst, 0, 128),
        v6(Field::Ipv6Src, 0, 128),
    ]
}

/// On to the port that has the next address. Until one is found the packet stays as the sender knows it: nobody but the
/// controller gets it if there is none.
fn to_port(sink: &mut Sink) {
    let nobody = DESTINATION_PORT.on(Match::new(), NO_PORT);
    punt(sink, Table::Resolved, Priority::Exception, nobody, Punt::HostUnreachable);
    for (ethertype, resolve) in [(ethertype::IPV4, Table::ResolveV4), (ethertype::IPV6, Table::ResolveV6)] {
        let packet = Match::new().eth_type(ethertype);
        let look_up = [Action::resubmit(resolve.id())];
        sink.lead(Table::Neighbour, Priority::Fallback, packet.clone(), step(), look_up, Table::Resolved);
        let on = [
            Action::dec_ttl(),
            Action::Move { src: OUTGOING_MAC.bits(), dst: Subfield::whole(Field::EthSrc) },
            ROUTED.load(true),
        ];
        sink.lead(Table::Resolved, Priority::Object, packet, step(), on, Table::Destination);
    }
}

fn punt(sink: &mut Sink, table: Table, priority: Priority, matching: Match, question: Punt) {
    sink.lead(table, priority, matching, step(), [PUNT.load(question)], Table::Punt);
}

/// Turns a ping to a router around.
fn echo(sink: &mut Sink) {
    let v4 = Match::new().ip().ip_proto(protocol::ICMP).with(Field::IcmpType, icmp::ECHO_REQUEST.into());
    let v6 = icmpv6::of(icmpv6::ECHO_REQUEST);
    for (request, code, addresses, kind, reply) in [
        (v4, Field::IcmpCode, (Field::Ipv4Src, Field::Ipv4Dst), Field::IcmpType, icmp::ECHO_REPLY),
        (v6, Field::Icmpv6Code, (Field::Ipv6Src, Field::Ipv6Dst), Field::Icmpv6Type, icmpv6::ECHO_REPLY),
    ] {
        let swaps = [(Field::EthSrc, Field::EthDst), addresses].into_iter().flat_map(|(one, other)| swap(one, other));
        let turned = [Action::set(kind, reply.into()), Action::set(Field::IpTtl, TTL), Action::output(PortNo::IN_PORT)];
        let actions: Vec<_> = swaps.chain(turned).collect();
        sink.end(Table::Answer, Priority::Object, request.with(code, 0), step(), actions);
    }
}
