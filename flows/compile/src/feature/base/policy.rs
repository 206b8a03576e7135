//! How security groups are asked, whatever their rules are.
//!
//! Rules about a tracked connection are matched with the addresses and ports of its first packet, which conntrack keeps.
//! So a packet in the other direction is judged by the very rules that let the first one pass, and a rule that goes
//! takes its connections with it.
//!
//! Addresses alone do not tell whose connection it is: a port without port security may say to be anybody, and networks
//! of one zone may have the same addresses. So the label of a connection keeps the ports at both ends, and replies count
//! for these ports only.

use super::step;
use crate::cookie::Object;
use crate::packet::{ct_state, dhcp, ethertype, icmpv6};
use crate::register::{
    DESTINATION_PORT, DESTINATION_SET, DESTINATION_SET_KEY, DESTINATION_STATEFUL, EXEMPT, FROM_TUNNEL, HERE, INITIATOR,
    MULTICAST, NO_PORT, NO_SET, PERMITTED, RESPONDER, Register, SHARED, SOURCE_PORT, SOURCE_SET, SOURCE_SET_KEY,
    SOURCE_STATEFUL, SUBJECT_INGRESS, SUBJECT_SET, ZONE,
};
use crate::{Priority, Reason, Sink, Table, Tag};
use weir_model::{Direction, Port, SetKey};
use weir_openflow::{Action, Ct, CtFlags, Match, ZoneSource};

pub(super) fn build(sink: &mut Sink) {
    track(sink);
    leave(sink);
    enter(sink);
    commit(sink);
}

/// A pass through conntrack in the packet's zone.
fn ct(commit: bool, table: Option<Table>, exec: Vec<Action>) -> Action {
    Action::Ct(Ct {
        flags: CtFlags { commit, force: false },
        zone: ZoneSource::Field(ZONE.bits()),
        table: table.map(Table::id),
        alg: 0,
        nat: None,
        exec,
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
            let asked = [ct(false, Some(Table::Leave), Vec::new())];
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
    let free = |multicast| MULTICAST.on(SOURCE_SET.on(Match::new(), NO_SET), multicast);
    sink.lead(Table::Leave, Priority::Own, free(true), step(), [], Table::Flood);
    sink.lead(Table::Leave, Priority::Own, free(false), step(), [], Table::Enter);
    let stateful = || SOURCE_STATEFUL.on(Match::new(), true);
    // Whoever is on the way may tell of errors, and each of those that share an address may answer.
    for belongs in [ct_state::related_reply(stateful()), RESPONDER.on(ct_state::answer(stateful()), NO_PORT)] {
        sink.lead(
            Table::Leave,
            Priority::Exception,
            belongs,
            step(),
            ask(SOURCE_SET_KEY, Direction::Ingress),
            Table::Left,
        );
    }
    let foreign = ct_state::reply(stateful());
    sink.refuse(Table::Leave, Priority::Object, foreign, Reason::ForeignConnection, Object::Nothing);
    let first = ask(SOURCE_SET_KEY, Direction::Egress);
    sink.lead(Table::Leave, Priority::Fallback, Match::new(), step(), first, Table::Left);
    let permitted = PERMITTED.on(Match::new(), true);
    let cleared = || [PERMITTED.load(false)];
    let all = MULTICAST.on(permitted.clone(), true);
    sink.lead(Table::Left, Priority::Exception, all, step(), cleared(), Table::Flood);
    sink.lead(Table::Left, Priority::Object, permitted, step(), cleared(), Table::Enter);
}

fn enter(sink: &mut Sink) {
    for free in [EXEMPT.on(Match::new(), true), DESTINATION_SET.on(Match::new(), NO_SET)] {
        sink.lead(Table::Enter, Priority::Own, free, step(), [], Table::Commit);
    }
    let foreign = ct_state::reply(DESTINATION_STATEFUL.on(Match::new(), true));
    sink.refuse(Table::Enter, Priority::Object, foreign, Reason::ForeignConnection, Object::Nothing);
    let first = ask(DESTINATION_SET_KEY, Direction::Ingress);
    sink.lead(Table::Enter, Priority::Fallback, Match::new(), step(), first, Table::Entered);
    let permitted = PERMITTED.on(Match::new(), true);
    sink.lead(Table::Entered, Priority::Object, permitted, step(), [PERMITTED.load(false)], Table::Commit);
}

/// What goes to a group has no replies that could be told from others.
///
/// A VM that forwards between ports of one hypervisor shows a connection twice. The port that began it is the first to
/// send, and the port that it was begun to is the last to get it that is held to rules about replies.
fn commit(sink: &mut Sink) {
    let (initiator, responder) = (SOURCE_PORT.copy_to(&INITIATOR), DESTINATION_PORT.copy_to(&RESPONDER));
    for packet in versions() {
        let mut remember = |priority, matching, ends: Vec<Action>| {
            sink.lead(Table::Commit, priority, matching, step(), [ct(true, None, ends)], Table::Deliver);
        };
        let begins = || ct_state::new(MULTICAST.on(packet.clone(), false));
        let unknown = || INITIATOR.on(begins(), NO_PORT);
        let alone = |matching| SHARED.on(matching, false);
        let elsewhere = |matching| alone(HERE.on(matching, false));
        let held = |matching| alone(DESTINATION_STATEFUL.on(HERE.on(matching, true), true));
        for to in [&elsewhere as &dyn Fn(Match) -> Match, &held] {
            remember(Priority::Own, to(unknown()), vec![initiator.clone(), responder.clone()]);
            remember(Priority::Object, to(begins()), vec![responder.clone()]);
        }
        remember(Priority::Exception, unknown(), vec![initiator.clone()]);
        remember(Priority::Fallback, begins(), Vec::new());
        // Who began it from elsewhere has moved here.
        let goes_on = || ct_state::established_forward(packet.clone());
        let moved = INITIATOR.on(FROM_TUNNEL.on(goes_on(), false), NO_PORT);
        remember(Priority::Own, moved, vec![initiator.clone()]);
        // The address has come to another port since: see [`of_port`].
        remember(Priority::Object, held(goes_on()), vec![responder.clone()]);
    }
}

/// Whether the VM behind a port may speak for whole prefixes: it is on the way of connections of others.
fn is_transit(port: &Port) -> bool {
    port.allowed_address_pairs.iter().any(|pair| pair.ip_address.prefix_len() < pair.ip_address.max_prefix_len())
}

/// What counts as reply to and from a port that is plugged here and held to rules about replies.
pub(in crate::feature) fn of_port(port: &Port, tag: Tag, sink: &mut Sink) {
    let (to, from) = (DESTINATION_PORT.on(Match::new(), port.key), SOURCE_PORT.on(Match::new(), port.key));
    let to_it = ct_state::established_forward(to.clone());
    let (answers, answered) = (ct_state::answer(from), ct_state::reply(to));
    let [to_it, answers, answered] = if is_transit(port) {
        [to_it, answers, answered]
    } else {
        [RESPONDER.on(to_it, port.key), RESPONDER.on(answers, port.key), INITIATOR.on(answered, port.key)]
    };
    // A reply is asked about by the rules that let the connection begin the other way.
    let (asks, is_asked) = (ask(SOURCE_SET_KEY, Direction::Ingress), ask(DESTINATION_SET_KEY, Direction::Egress));
    sink.lead(Table::Leave, Priority::Exception, answers, tag, asks, Table::Left);
    sink.lead(Table::Enter, Priority::Exception, answered, tag, is_asked, Table::Entered);
    sink.lead(Table::Commit, Priority::Exception, to_it, tag, [], Table::Deliver);
}
