//! How security groups are asked, whatever their rules are.
//!
//! Packets that go the way of a connection's first packet are judged by their own addresses and ports, of which a switch
//! looks at no more bits than it needs. Replies, errors and fragments are judged by those of the first packet, which
//! conntrack keeps: by the very rules that let it pass.
//!
//! A connection that a rule with ports and prefixes allowed is not judged again as long as no rule goes. Its label keeps
//! the generation of the rules that allowed it, and a set of groups gets a new generation when a rule goes. Then every
//! packet is judged, and a connection that is allowed still is remembered with the new generation: a rule that goes takes
//! its connections with it, and no other. What rules with remote groups allow is judged by every packet, since members
//! come and go all the time.
//!
//! Addresses alone do not tell whose connection it is: a port without port security may say to be anybody, and networks
//! of one zone may have the same addresses. So the label of a connection keeps the ports at both ends, and replies count
//! for these ports only.

use super::step;
use crate::cookie::Object;
use crate::packet::{ct_state, dhcp, ethertype, fragment, icmpv6, protocol};
use crate::register::{
    DESTINATION_PORT, DESTINATION_SET, DESTINATION_SET_KEY, DESTINATION_STATEFUL, EGRESS_GENERATION, EXEMPT,
    FROM_TUNNEL, HERE, INGRESS_GENERATION, INITIATOR, IS_LET_IN, IS_LET_OUT, LETS_IN, LETS_OUT, MULTICAST, NO_PORT,
    NO_SET, PERMITTED, Question, RESPONDER, Register, SHARED, SOURCE_PORT, SOURCE_SET, SOURCE_SET_KEY, SOURCE_STATEFUL,
    SUBJECT_QUESTION, SUBJECT_SET, View, ZONE,
};
use crate::{Priority, Reason, Sink, Table, Tag};
use weir_model::{Direction, Port, SetKey};
use weir_openflow::{Action, Ct, CtFlags, Match, ZoneSource};

pub(super) fn build(sink: &mut Sink) {
    track(sink);
    leave(sink);
    enter(sink);
    commit(sink);
    // Some conntracks know the addresses of SCTP only: what a rule allows to one port is no permission for another.
    for packet in versions() {
        let allowed = [PERMITTED.load(true)];
        sink.end(Table::Permit, Priority::Exception, packet.ip_proto(protocol::SCTP), step(), allowed);
    }
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
fn ask(set: Register<SetKey>, direction: Direction, view: View) -> [Action; 3] {
    let question = Question { direction, view };
    [set.copy_to(&SUBJECT_SET), SUBJECT_QUESTION.load(question), Action::resubmit(Table::Rules.id())]
}

/// What goes the way of a connection's first packet, and does not show the ports that rules are asked about, of those
/// whose groups let replies pass.
fn portless(stateful: Register<bool>) -> [(Priority, Match); 3] {
    let error = ct_state::related_forward(stateful.on(Match::new(), true));
    let [v4, v6] = versions().map(|packet| fragment::any(ct_state::forward(stateful.on(packet, true))));
    [(Priority::Exception, error), (Priority::Object, v4), (Priority::Object, v6)]
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
            ask(SOURCE_SET_KEY, Direction::Ingress, View::Connection),
            Table::Left,
        );
    }
    for (priority, matching) in portless(SOURCE_STATEFUL) {
        let asks = ask(SOURCE_SET_KEY, Direction::Egress, View::Connection);
        sink.lead(Table::Leave, priority, matching, step(), asks, Table::Left);
    }
    let foreign = ct_state::reply(stateful());
    sink.refuse(Table::Leave, Priority::Object, foreign, Reason::ForeignConnection, Object::Nothing);
    let first = ask(SOURCE_SET_KEY, Direction::Egress, View::Packet);
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
    for (priority, matching) in portless(DESTINATION_STATEFUL) {
        let asks = ask(DESTINATION_SET_KEY, Direction::Ingress, View::Connection);
        sink.lead(Table::Enter, priority, matching, step(), asks, Table::Entered);
    }
    let foreign = ct_state::reply(DESTINATION_STATEFUL.on(Match::new(), true));
    sink.refuse(Table::Enter, Priority::Object, foreign, Reason::ForeignConnection, Object::Nothing);
    let first = ask(DESTINATION_SET_KEY, Direction::Ingress, View::Packet);
    sink.lead(Table::Enter, Priority::Fallback, Match::new(), step(), first, Table::Entered);
    let permitted = PERMITTED.on(Match::new(), true);
    sink.lead(Table::Entered, Priority::Object, permitted, step(), [PERMITTED.load(false)], Table::Commit);
}

/// Says in a connection's label by which rules it was let out.
fn let_out() -> Action {
    LETS_OUT.copy_to(&EGRESS_GENERATION)
}

/// Says in a connection's label by which rules it was let in.
fn let_in() -> Action {
    LETS_IN.copy_to(&INGRESS_GENERATION)
}

/// What goes to a group has no replies that could be told from others.
///
/// A VM that forwards between ports of one hypervisor shows a connection twice. The port that began it is the first to
/// send, and the port that it was begun to is the last to get it that is held to rules about replies.
fn commit(sink: &mut Sink) {
    let (initiator, responder) = (SOURCE_PORT.copy_to(&INITIATOR), DESTINATION_PORT.copy_to(&RESPONDER));
    for packet in versions() {
        let mut remember = |priority, matching, ends: &[Action]| {
            sink.lead(Table::Commit, priority, matching, step(), [ct(true, None, ends.to_vec())], Table::Deliver);
        };
        let begins = || ct_state::new(MULTICAST.on(packet.clone(), false));
        let unknown = || INITIATOR.on(begins(), NO_PORT);
        let alone = |matching| SHARED.on(matching, false);
        let elsewhere = |matching| alone(HERE.on(matching, false));
        let held = |matching| alone(DESTINATION_STATEFUL.on(HERE.on(matching, true), true));
        let (begun_by, begun_to) = ([initiator.clone(), let_out()], [responder.clone(), let_in()]);
        for to in [&elsewhere as &dyn Fn(Match) -> Match, &held] {
            remember(Priority::Own, to(unknown()), &[begun_by.clone(), begun_to.clone()].concat());
            remember(Priority::Object, to(begins()), &begun_to);
        }
        remember(Priority::Exception, unknown(), &begun_by);
        remember(Priority::Fallback, begins(), &[]);
        // Who began it from elsewhere has moved here.
        let goes_on = || ct_state::established_forward(packet.clone());
        let moved = INITIATOR.on(FROM_TUNNEL.on(goes_on(), false), NO_PORT);
        remember(Priority::Own, moved, std::slice::from_ref(&initiator));
        // The address has come to another port since: see [`of_port`].
        remember(Priority::Object, held(goes_on()), std::slice::from_ref(&responder));
        // Only replies are known to be those of the ports at both ends, see [`of_port`], and rules that are asked tell
        // their generation.
        for (lets_out, lets_in, allowed) in
            [(true, false, vec![let_out()]), (false, true, vec![let_in()]), (true, true, vec![let_out(), let_in()])]
        {
            let answers = ct_state::established_answer(packet.clone());
            let asked_anew = IS_LET_IN.on(IS_LET_OUT.on(answers, lets_out), lets_in);
            remember(Priority::Exception, asked_anew, &allowed);
        }
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
    let asks = ask(SOURCE_SET_KEY, Direction::Ingress, View::Connection);
    let is_asked = ask(DESTINATION_SET_KEY, Direction::Egress, View::Connection);
    sink.lead(Table::Leave, Priority::Exception, answers, tag, asks, Table::Left);
    sink.lead(Table::Enter, Priority::Exception, answered, tag, is_asked, Table::Entered);
    sink.lead(Table::Commit, Priority::Exception, to_it, tag, [], Table::Deliver);
    if is_transit(port) {
        // A connection through it has the generations of those at its ends, not of those on its way.
        for end in [SOURCE_PORT, DESTINATION_PORT] {
            let passes = ct_state::established_answer(end.on(Match::new(), port.key));
            sink.lead(Table::Commit, Priority::Own, passes, tag, [], Table::Deliver);
        }
    }
}
