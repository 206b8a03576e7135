//! Asks which port has the address that an ARP request or a neighbour solicitation asks for, and answers.

use super::{step, swap};
use crate::packet::{arp, icmpv6};
use crate::register::{DESTINATION_PORT, NEXT_HOP_V4, NEXT_HOP_V6, NO_PORT, OF_ROUTER};
use crate::{Priority, Sink, Table};
use std::net::Ipv6Addr;
use weir_openflow::{Action, Field, Match, PortNo};

pub(super) fn build(sink: &mut Sink) {
    ask(sink);
    reply(sink);
    nd_answer(sink);
}

fn ask(sink: &mut Sink) {
    let solicitation = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION);
    for (table, question, asked, address, resolve) in [
        (Table::Arp, arp::request(), Field::ArpTpa, NEXT_HOP_V4.bits().field, Table::ResolveV4),
        (Table::Nd, solicitation, Field::NdTarget, NEXT_HOP_V6.bits().field, Table::ResolveV6),
    ] {
        let look_up = [Action::copy(asked, address), Action::resubmit(resolve.id())];
        sink.lead(table, Priority::Fallback, question, step(), look_up, Table::Reply);
    }
}

/// What was looked up has left the link-layer address that was asked for as the destination of the question.
fn reply(sink: &mut Sink) {
    let nobody = DESTINATION_PORT.on(Match::new(), NO_PORT);
    sink.lead(Table::Reply, Priority::Exception, nobody, step(), [], Table::Forward);

    let actions = swap(Field::EthSrc, Field::EthDst).into_iter().chain([
        Action::set(Field::ArpOp, arp::REPLY),
        Action::copy(Field::ArpSha, Field::ArpTha),
        Action::copy(Field::EthSrc, Field::ArpSha),
        Action::copy(Field::ArpSpa, Field::ArpTpa),
        Action::copy(NEXT_HOP_V4.bits().field, Field::ArpSpa),
        Action::output(PortNo::IN_PORT),
    ]);
    sink.end(Table::Reply, Priority::Object, arp::request(), step(), actions);

    // As with routers, a table of its own completes the advertisement, and the hop limit stays as the asker set it.
    let solicitation = icmpv6::of(icmpv6::NEIGHBOUR_SOLICITATION);
    let answer = [
        Action::copy(Field::NdTarget, Field::Ipv6Src),
        Action::set(Field::Icmpv6Type, icmpv6::NEIGHBOUR_ADVERTISEMENT.into()),
    ];
    let to_all = [
        Action::copy(Field::EthDst, Field::EthSrc),
        Action::set(Field::EthDst, icmpv6::ALL_NODES_MAC),
        Action::set(Field::Ipv6Dst, icmpv6::ALL_NODES.into()),
    ];
    let detection = solicitation.clone().ipv6_src(Ipv6Addr::UNSPECIFIED);
    let actions = to_all.into_iter().chain(answer.clone());
    sink.lead(Table::Reply, Priority::Object, detection, step(), actions, Table::NdAnswer);
    let to_asker = swap(Field::EthSrc, Field::EthDst).into_iter().chain([Action::copy(Field::Ipv6Src, Field::Ipv6Dst)]);
    let actions = to_asker.chain(answer);
    sink.lead(Table::Reply, Priority::Fallback, solicitation, step(), actions, Table::NdAnswer);
}

fn nd_answer(sink: &mut Sink) {
    let back = Action::output(PortNo::IN_PORT);
    for (router, flag) in [(false, 0), (true, icmpv6::ROUTER)] {
        let advertisement = || OF_ROUTER.on(icmpv6::of(icmpv6::NEIGHBOUR_ADVERTISEMENT), router);
        // Who detects duplicates has no address to answer to, and put no option into the packet that could carry ours.
        let all_nodes = advertisement().ipv6_dst(icmpv6::ALL_NODES);
        let actions = [Action::set(Field::NdReserved, icmpv6::OVERRIDE | flag), back.clone()];
        sink.end(Table::NdAnswer, Priority::Exception, all_nodes, step(), actions);
        let actions = [
            Action::set(Field::NdReserved, icmpv6::SOLICITED | icmpv6::OVERRIDE | flag),
            Action::set(Field::NdOptionsType, icmpv6::TARGET_LINK_LAYER_OPTION),
            Action::copy(Field::EthSrc, Field::NdTll),
            back.clone(),
        ];
        sink.end(Table::NdAnswer, Priority::Object, advertisement(), step(), actions);
    }
}
