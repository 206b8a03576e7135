//! Rules of security groups, compiled for sets of groups.
//!
//! A rule with a remote group or an address group is a conjunction: one half is the protocol and the ports, the other
//! the address. So a port that joins a group of a thousand is one flow for each set that names the group.

mod ports;
mod rule;
mod view;

use super::Feature;
use crate::cookie::Object;
use crate::packet::ct_state;
use crate::register::{
    EGRESS_GENERATION, INGRESS_GENERATION, LETS_IN, LETS_OUT, PERMITTED, Question, SUBJECT, SUBJECT_INGRESS,
    SUBJECT_SET, Subject, View,
};
use crate::{Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use ipnet::IpNet;
use rule::{Half, Halves, conjunction, half_of};
use std::collections::{BTreeMap, BTreeSet};
use weir_model::{Change, Direction, Ethertype, Port, Remote, SecurityGroupRule, SecuritySet, SetKey, Topology};
use weir_openflow::{Action, Field, Match};

/// Security groups.
pub(super) struct Security;

impl Feature for Security {
    fn tables(&self) -> &'static [Table] {
        &[Table::Rules, Table::Permit]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        let sides = [touched.old, touched.new];
        match touched.change {
            Change::SecuritySet(diff) => {
                let Some(set) = diff.last() else { return };
                units.insert(Unit::Generation(set.key));
                // The groups of a set never change: one that was there and still is has another generation only.
                if diff.before.is_none() || diff.after.is_none() {
                    units.insert(Unit::Rules(set.key));
                    for topology in sides {
                        units.extend(remotes(set, topology).map(|address| Unit::Remote(set.key, address)));
                    }
                }
            }
            Change::SecurityGroupRule(diff) => {
                let Some(rule) = diff.last() else { return };
                for topology in sides {
                    for set in topology.sets_of_group(rule.security_group_id) {
                        units.insert(Unit::Rules(set.key));
                        // Another rule may say the same of the addresses, of which there may be thousands.
                        if named(set, touched.old) != named(set, touched.new) {
                            let addresses = addresses(rule, topology).into_iter();
                            units.extend(addresses.map(|address| Unit::Remote(set.key, address)));
                        }
                    }
                }
            }
            Change::AddressGroup(diff) => {
                let Some(group) = diff.last() else { return };
                let members = |side: &Option<_>| {
                    side.as_ref().map(|group: &std::sync::Arc<weir_model::AddressGroup>| group.addresses.clone())
                };
                let (before, after) = (members(&diff.before), members(&diff.after));
                let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
                for topology in sides {
                    for set in topology.sets_naming_addresses(group.id) {
                        let changed = before.symmetric_difference(&after).flat_map(|address| parts(*address));
                        units.extend(changed.map(|address| Unit::Remote(set.key, address)));
                    }
                }
            }
            _ => {}
        }
        for (port, topology) in touched.ports() {
            for group in &port.security_groups {
                for set in topology.sets_naming(*group) {
                    units.extend(own(port).map(|address| Unit::Remote(set.key, address)));
                }
            }
        }
    }

    fn of_circle(&self, circle: Circle, topology: &Topology, units: &mut Vec<Unit>) {
        if let Circle::Set(key) = circle
            && let Some(set) = topology.security_set(key)
        {
            units.extend([Unit::Rules(key), Unit::Generation(key)]);
            let addresses: BTreeSet<IpNet> = remotes(set, topology).collect();
            units.extend(addresses.into_iter().map(|address| Unit::Remote(key, address)));
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        match unit {
            Unit::Rules(key) => {
                if let Some(set) = topology.security_set(key) {
                    rules(set, topology, sink);
                }
            }
            Unit::Remote(key, address) => {
                if let Some(set) = topology.security_set(key) {
                    remote(set, address, topology, sink);
                }
            }
            Unit::Generation(key) => {
                if let Some(set) = topology.security_set(key).filter(|set| topology.is_stateful(set)) {
                    generation(set, topology, sink);
                }
            }
            _ => {}
        }
    }

    fn scope(&self, unit: Unit, topology: &Topology) -> Scope {
        match unit {
            Unit::Rules(set) | Unit::Remote(set, _) | Unit::Generation(set) if topology.security_set(set).is_some() => {
                Scope::Set(set)
            }
            _ => Scope::Nobody,
        }
    }
}

/// The rules of a set's groups.
fn rules_of<'a>(set: &'a SecuritySet, topology: &'a Topology) -> impl Iterator<Item = &'a SecurityGroupRule> {
    set.groups.iter().flat_map(|group| topology.rules_of(*group)).map(AsRef::as_ref)
}

/// The addresses by which a rule knows its remote side; none for rules that name no group.
fn addresses(rule: &SecurityGroupRule, topology: &Topology) -> Vec<IpNet> {
    match rule.remote {
        Remote::Group(group) => topology.addresses_of_group(group).flat_map(parts).collect(),
        Remote::Addresses(group) => {
            let group = topology.address_group(group);
            group.into_iter().flat_map(|group| group.addresses.iter().copied()).flat_map(parts).collect()
        }
        Remote::Anybody | Remote::Prefix(_) => Vec::new(),
    }
}

/// The address, or both halves of all addresses: a flow that matches no address would be the same as that of a rule's
/// other half for any protocol.
fn parts(address: IpNet) -> Vec<IpNet> {
    if address.prefix_len() > 0 {
        return vec![address.trunc()];
    }
    address.subnets(1).into_iter().flatten().collect()
}

/// The prefixes of which an address is a part: see [`parts`].
fn wholes(address: IpNet) -> impl Iterator<Item = IpNet> {
    std::iter::once(address).chain(address.supernet().filter(|whole| whole.prefix_len() == 0))
}

/// What the rules of a set say of remote groups and address groups: all that their addresses depend on.
fn named(set: &SecuritySet, topology: &Topology) -> BTreeMap<(Direction, Ethertype, Half), Remote> {
    let named =
        |rule: &SecurityGroupRule| Some(((rule.direction, rule.ethertype, half_of(rule, topology)?), rule.remote));
    rules_of(set, topology).filter_map(named).collect()
}

/// The addresses by which rules of a set know remote sides, some perhaps twice.
fn remotes<'a>(set: &'a SecuritySet, topology: &'a Topology) -> impl Iterator<Item = IpNet> + 'a {
    let named: BTreeMap<Remote, &SecurityGroupRule> = rules_of(set, topology).map(|rule| (rule.remote, rule)).collect();
    named.into_values().flat_map(|rule| addresses(rule, topology))
}

/// The addresses by which rules know a port.
fn own(port: &Port) -> impl Iterator<Item = IpNet> + '_ {
    let fixed = port.fixed_ips.iter().map(|fixed| IpNet::from(fixed.ip_address));
    fixed.chain(port.allowed_address_pairs.iter().flat_map(|pair| parts(pair.ip_address)))
}

/// The views in which a set's rules are asked.
fn views(set: &SecuritySet, topology: &Topology) -> &'static [View] {
    if topology.is_stateful(set) { &[View::Packet, View::Connection] } else { &[View::Packet] }
}

/// Matches what is asked of a set's rules of a direction in a view.
fn asked(set: SetKey, direction: Direction, view: View) -> Match {
    SUBJECT.on(Match::new(), Subject { set, question: Question { direction, view } })
}

/// Matches what is asked of a set's rules of a direction, in any view.
fn asked_of(set: SetKey, direction: Direction) -> Match {
    SUBJECT_INGRESS.on(SUBJECT_SET.on(Match::new(), set), direction == Direction::Ingress)
}

/// What a rule of a set that names no group does with the packets that it allows: of connections it is remembered.
fn allow(set: &SecuritySet, topology: &Topology) -> Action {
    if topology.is_stateful(set) { Action::resubmit(Table::Permit.id()) } else { PERMITTED.load(true) }
}

/// What allows a packet at once, and the protocols and ports of conjunctions.
fn rules(set: &SecuritySet, topology: &Topology, sink: &mut Sink) {
    let mut whole: BTreeMap<Match, Tag> = BTreeMap::new();
    let mut halves = Halves::default();
    let mut met: BTreeMap<(Direction, Half), Tag> = BTreeMap::new();
    let mut all: Vec<&SecurityGroupRule> = rules_of(set, topology).collect();
    // Of rules with the same flow the one with the lowest number owns it.
    all.sort_unstable_by_key(|rule| rule.key);
    for rule in all {
        let half = half_of(rule, topology);
        for view in views(set, topology) {
            for matching in view.rule(rule, asked(set.key, rule.direction, *view)) {
                match half {
                    None => {
                        whole.entry(matching).or_insert_with(|| Tag::of(Purpose::Rule, Object::Rule(rule.key)));
                    }
                    Some(half) => {
                        halves.add(matching, half, Tag::of(Purpose::RemoteRule, Object::Rule(rule.key)));
                        met.entry((rule.direction, half)).or_insert_with(|| half.met());
                    }
                }
            }
        }
    }
    for (matching, tag) in whole {
        sink.end(Table::Rules, Priority::Object, matching, tag, [allow(set, topology)]);
    }
    halves.build(1, sink);
    for ((direction, half), tag) in met {
        // Not for the connection: when the address goes nobody else's connections are to be judged anew.
        let matching = asked_of(set.key, direction).with(Field::ConjId, half.id().into());
        sink.end(Table::Rules, Priority::Fallback, matching, tag, [PERMITTED.load(true)]);
    }
}

/// The other half of conjunctions: an address, and the groups that it is in.
fn remote(set: &SecuritySet, address: IpNet, topology: &Topology, sink: &mut Sink) {
    let mut halves = Halves::default();
    for ((direction, ethertype, half), remote) in named(set, topology) {
        let is_in = match remote {
            Remote::Group(group) => wholes(address).any(|whole| topology.is_address_of_group(group, whole)),
            Remote::Addresses(group) => {
                let group = topology.address_group(group);
                group.is_some_and(|group| wholes(address).any(|whole| group.addresses.contains(&whole)))
            }
            Remote::Anybody | Remote::Prefix(_) => false,
        };
        if !is_in || view::version(address) != ethertype {
            continue;
        }
        // What begins a connection has the addresses that the connection has: one flow does for both views.
        let view = if topology.is_stateful(set) { View::Connection } else { View::Packet };
        halves.add(view.remote(direction, address, asked_of(set.key, direction)), half, half.address());
    }
    halves.build(2, sink);
}

/// What the rules of a set allow, and what they allowed before in the generation that still holds. A group with the
/// lowest number stands for the set.
fn generation(set: &SecuritySet, topology: &Topology, sink: &mut Sink) {
    let groups = set.groups.iter().filter_map(|group| topology.security_group(*group));
    let Some(group) = groups.map(|group| group.key).min() else { return };
    for (direction, now, before) in
        [(Direction::Egress, LETS_OUT, EGRESS_GENERATION), (Direction::Ingress, LETS_IN, INGRESS_GENERATION)]
    {
        let matching = asked_of(set.key, direction);
        let tells = set.generation.map(|generation| now.load(generation));
        let tag = Tag::of(Purpose::Permit, Object::Group(group));
        let actions: Vec<Action> = std::iter::once(PERMITTED.load(true)).chain(tells).collect();
        sink.end(Table::Permit, Priority::Object, matching.clone(), tag, actions);
        if let Some(generation) = set.generation {
            let tag = Tag::of(Purpose::Permitted, Object::Group(group));
            let goes_on = before.on(ct_state::remembered(matching.clone()), generation);
            sink.end(Table::Rules, Priority::Exception, goes_on, tag, [PERMITTED.load(true)]);
            // Until it is answered each packet of a connection may be its first, and is remembered.
            let begins = before.on(ct_state::new(matching), generation);
            sink.end(Table::Rules, Priority::Exception, begins, tag, [Action::resubmit(Table::Permit.id())]);
        }
    }
}

impl Halves {
    fn build(self, clause: u8, sink: &mut Sink) {
        for (matching, (halves, tag)) in self.into_flows() {
            let actions: Vec<Action> = halves.into_iter().map(|half| conjunction(half, clause)).collect();
            sink.end(Table::Rules, Priority::Fallback, matching, tag, actions);
        }
    }
}
