//! How security groups are asked, whatever their rules are.
//!
//! Rules about a tracked connection are matched with the addresses and ports of its first packet, which conntrack keeps.
//! So a packet in the other direction is judged by the very rules that let the first one pass, and a rule that goes
//! takes its connections with it.

use super::step;
use crate::cookie::Object;
use crate::packet::{ct_state, dhcp, ethertype, icmpv6};
use crate::register::{
    DESTINATION_SET, DESTINATION_SET_KEY, DESTINATION_STATEFUL, EXEMPT, MULTICAST, NO_SET, PERMITTED, Register,
    SOURCE_SET, SOURCE_SET_KEY, SOURCE_STATEFUL, SUBJECT_INGRESS, SUBJECT_SET, ZONE,
};
use crate::{Priority, Reason, Sink, Table};
use weir_model::{Direction, SetKey};
use weir_openflow::{Action, Ct, CtFlags, Match, ZoneSource};

pub(super) fn build(sink: &mut Sink) {
    track(sink);
    leave(sink);
    enter(sink);
    commit(sink);
}

/// A pass through conntrack in the packet's zone.
fn ct(commit: bool, table: Option<Table>) -> Action {
    Action::Ct(Ct {
        flags: CtFlags { commit, force: false },
        zone: ZoneSource::Field(ZONE.bits()),
        table: table.map(Table::id),
        alg: 0,
        nat: None,
        exec: Vec::new(),
    })
}

fn versions() -> [Match; 2] {
    [ethertype::IPV4, ethertype::IPV6].map(|ethertype| Match::new().eth_type(ethertype))
}

fn track(sink: &mut Sink) {
    let addressing = [ethertype::ARP, ethertype::RARP].map(|ethertype| Match::new().eth_type(ethertype));
    // Only ports whose sources are not checked get that far with what DHCP servers say.
    let servers = [dhcp::reply(), dhcp::reply_v6()];
    for matching in addressing.into_iter().chain(icmpv6::LINK.map(icmpv6::of)).chain(servers) {
        let exempt = [EXEMPT.load(true), SOURCE_SET.load(NO_SET)];
        sink.lead(Table::Track, Priority::Exception, matching, step(), exempt, Table::Leave);
    }
    for flag in [SOURCE_STATEFUL, DESTINATION_STATEFUL, MULTICAST] {
        for packet in versions() {
            let asked = [ct(false, Some(Table::Leave))];
            sink.end(Table::Track, Priority::Object, flag.on(packet, true), step(), asked);
        }
    }
}

/// Asks the rules of a set that is in a register.
fn ask(set: Register<SetKey>, direction: Direction) -> [Action; 3] {
    let ingress = direction == Direction::Ingress;
    [set.copy_to(&SUBJECT_SET), SUBJECT_INGRESS.load(ingress), Action::resubmit(Table::Rules.id())]
}

fn leave(sink: &mut Sink) {
    let invalid = ct_state::invalid(Match::new());
    sink.refuse(Table::Leave, Priority::Refusal, invalid, Reason::Invalid, Object::Nothing);
    // Nobody answers to a group, or tells a group of errors: the receivers would be asked as if they had begun it.
    for belongs in [ct_state::reply, ct_state::related] {
        let to_group = belongs(MULTICAST.on(Match::new(), true));
        sink.refuse(Table::Leave, Priority::Refusal, to_group, Reason::Invalid, Object::Nothing);
    }
    let free = SOURCE_SET.on(Match::new(), NO_SET);
    let all = MULTICAST.on(free.clone(), true);
    sink.lead(Table::Leave, Priority::Own, all, step(), [], Table::Flood);
    sink.lead(Table::Leave, Priority::Exception, free, step(), [], Table::Enter);
    let reply = ct_state::reply(SOURCE_STATEFUL.on(Match::new(), true));
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    sink.lead(Table::Leave, Priority::Object, reply, step(), ask(SOURCE_SET_KEY, ingress), Table::Left);
    sink.lead(Table::Leave, Priority::Fallback, Match::new(), step(), ask(SOURCE_SET_KEY, egress), Table::Left);
    let permitted = PERMITTED.on(Match::new(), true);
    let cleared = || [PERMITTED.load(false)];
    let all = MULTICAST.on(permitted.clone(), true);
    sink.lead(Table::Left, Priority::Exception, all, step(), cleared(), Table::Flood);
    sink.lead(Table::Left, Priority::Object, permitted, step(), cleared(), Table::Enter);
}

fn enter(sink: &mut Sink) {
    for free in [EXEMPT.on(Match::new(), true), DESTINATION_SET.on(Match::new(), NO_SET)] {
        sink.lead(Table::Enter, Priority::Exception, free, step(), [], Table::Commit);
    }
    let reply = ct_state::reply(DESTINATION_STATEFUL.on(Match::new(), true));
    let (ingress, egress) = (Direction::Ingress, Direction::Egress);
    sink.lead(Table::Enter, Priority::Object, reply, step(), ask(DESTINATION_SET_KEY, egress), Table::Entered);
    let first = ask(DESTINATION_SET_KEY, ingress);
    sink.lead(Table::Enter, Priority::Fallback, Match::new(), step(), first, Table::Entered);
    let permitted = PERMITTED.on(Match::new(), true);
    sink.lead(Table::Entered, Priority::Object, permitted, step(), [PERMITTED.load(false)], Table::Commit);
}

/// What goes to a group has no replies that could be told from others.
fn commit(sink: &mut Sink) {
    for packet in versions() {
        let begins = ct_state::new(MULTICAST.on(packet, false));
        sink.lead(Table::Commit, Priority::Object, begins, step(), [ct(true, None)], Table::Deliver);
    }
}
