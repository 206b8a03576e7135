//! Sets of security groups, and what is known of their ports.

use crate::cloud::{Cloud, agr, exactly, fact, host, patched, project};
use weir_model::{
    Change, Command, Counters, Limits, NewAddressGroup, NewAddressPair, Port, PortPatch, Record, Remote, Request,
    SecurityGroupId, SetKey, Timestamp, Topology,
};

fn set(topology: &Topology, port: &Port) -> Option<SetKey> {
    topology.set_of(topology.port(port.id)?).map(|set| set.key)
}

fn groups(groups: &[SecurityGroupId]) -> PortPatch {
    PortPatch { security_groups: Some(groups.to_vec()), ..PortPatch::default() }
}

fn addresses(topology: &Topology, group: SecurityGroupId) -> Vec<String> {
    let addresses: Vec<_> = topology.addresses_of_group(group).collect();
    assert!(addresses.iter().all(|address| topology.is_address_of_group(group, *address)));
    addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn a_set_is_there_as_long_as_a_port_has_it() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let (one, two) = (cloud.group(), cloud.group());
    let a = cloud.port(network);
    let b = cloud.port(network);
    assert_eq!((set(&cloud.topology, &a), set(&cloud.topology, &b)), (Some(SetKey(1)), Some(SetKey(1))));
    cloud.update_port(a.id, groups(&[one, two]));
    let made =
        cloud.commit.changes.iter().any(|change| matches!(change, Change::SecuritySet(diff) if diff.before.is_none()));
    assert!(made, "with the commit that needs it");
    cloud.update_port(b.id, groups(&[two, one]));
    assert_eq!((set(&cloud.topology, &a), set(&cloud.topology, &b)), (Some(SetKey(2)), Some(SetKey(2))));
    let keys: Vec<_> = cloud.topology.security_sets().map(|set| set.key).collect();
    assert_eq!(keys, [SetKey(2)], "nobody has the default group alone any more");
    assert_eq!(cloud.topology.sets_of_group(two).count(), 1);
    cloud.update_port(a.id, groups(&[]));
    let empty = cloud.topology.security_set(SetKey(3)).expect("the set of no groups").clone();
    assert!(empty.groups.is_empty() && cloud.topology.is_stateful(&empty));
    let open = PortPatch { port_security_enabled: Some(false), ..PortPatch::default() };
    cloud.done(patched(a.id, open));
    assert_eq!(set(&cloud.topology, &a), None);
    cloud.done(Command::DeletePort { id: b.id, if_revision: None });
    assert_eq!(cloud.topology.security_sets().len(), 0);
    cloud.port(network);
    let keys: Vec<_> = cloud.topology.security_sets().map(|set| set.key).collect();
    assert_eq!(keys, [SetKey(4)], "a freed number is not given again at once");
}

#[test]
fn ports_of_a_bulk_share_a_new_set() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let ports = (0..5).map(|_| cloud.new_port(network)).collect();
    cloud.done(Command::CreatePorts(ports));
    assert_eq!(cloud.topology.security_sets().len(), 1);
    assert_eq!(cloud.topology.ports_of_set(SetKey(1)).count(), 5);
}

#[test]
fn members_of_a_group_are_known_by_addresses_and_pairs() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.subnet(network, "10.0.0.0/24");
    let other = cloud.network();
    cloud.subnet(other, "10.0.0.0/24");
    let (one, two) = (cloud.group(), cloud.group());
    let mut new = cloud.new_port(network);
    new.fixed_ips = Some(vec![exactly("10.0.0.5")]);
    new.security_groups = Some(vec![one, two]);
    let shared = ["10.0.0.5/32", "10.9.0.1/16"].map(|text| text.parse().expect("a test's prefix"));
    let pairs = shared.map(|ip_address| NewAddressPair { ip_address, mac_address: None });
    new.allowed_address_pairs = Some(pairs.to_vec());
    let a = cloud.create_port(new.clone());
    new.id = crate::cloud::prt(cloud.id());
    new.network_id = other;
    new.allowed_address_pairs = None;
    new.security_groups = Some(vec![one]);
    let b = cloud.create_port(new);
    assert_eq!(addresses(&cloud.topology, one), ["10.0.0.5/32", "10.9.0.0/16"]);
    assert_eq!(addresses(&cloud.topology, two), ["10.0.0.5/32", "10.9.0.0/16"]);
    let of = |cloud: &Cloud, group| cloud.topology.ports_of_group(group).map(|port| port.id).collect::<Vec<_>>();
    assert_eq!((of(&cloud, one).len(), of(&cloud, two)), (2, vec![a.id]));
    let moved = PortPatch { fixed_ips: Some(vec![exactly("10.0.0.6")]), ..PortPatch::default() };
    cloud.done(patched(b.id, moved));
    assert_eq!(addresses(&cloud.topology, one), ["10.0.0.5/32", "10.0.0.6/32", "10.9.0.0/16"]);
    let single = PortPatch { allowed_address_pairs: Some(Vec::new()), ..PortPatch::default() };
    cloud.done(patched(a.id, single));
    assert_eq!(addresses(&cloud.topology, two), ["10.0.0.5/32"], "still the port's own");
    let open = PortPatch { port_security_enabled: Some(false), ..groups(&[]) };
    cloud.done(patched(a.id, open));
    assert_eq!(addresses(&cloud.topology, two), [""; 0]);
    cloud.done(Command::DeletePort { id: b.id, if_revision: None });
    assert_eq!(addresses(&cloud.topology, one), [""; 0]);
}

#[test]
fn a_set_counts_its_ports_on_each_hypervisor() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.hypervisor("h1", 1);
    cloud.hypervisor("h2", 2);
    let mut ports = Vec::new();
    for name in ["h1", "h1", "id-of-h2", "nowhere"] {
        let mut new = cloud.new_port(network);
        new.binding_host = Some(host(name));
        ports.push(cloud.create_port(new));
    }
    let set = SetKey(1);
    let hosts = |cloud: &Cloud| {
        let hosts = cloud.topology.hosts_of_set(set).map(|(host, count)| (host.to_string(), count));
        hosts.collect::<Vec<_>>()
    };
    assert_eq!(hosts(&cloud), [("h1".to_owned(), 2), ("h2".to_owned(), 1)]);
    let mut renamed = fact("h3", 2);
    renamed.system_id = "id-of-h2".into();
    cloud.done(Command::ObserveHypervisor(renamed));
    assert_eq!(hosts(&cloud), [("h1".to_owned(), 2), ("h3".to_owned(), 1)]);
    assert_eq!(cloud.topology.sets_on(&host("h3")).collect::<Vec<_>>(), [(set, 1)]);
    assert_eq!(cloud.topology.sets_on(&host("h2")).count(), 0);
    cloud.hypervisor("nowhere", 4);
    assert_eq!(cloud.topology.bound_count_of_set(set, &host("nowhere")), 1);
    let moved = PortPatch { binding_host: Some(Some(host("h3"))), ..PortPatch::default() };
    cloud.done(patched(ports[0].id, moved));
    assert_eq!(cloud.topology.bound_count_of_set(set, &host("h1")), 1);
    let open = PortPatch { port_security_enabled: Some(false), ..groups(&[]) };
    cloud.done(patched(ports[1].id, open));
    assert_eq!(cloud.topology.bound_count_of_set(set, &host("h1")), 0);
    cloud.done(Command::ForgetHypervisor(host("h3")));
    assert_eq!(hosts(&cloud), [("nowhere".to_owned(), 1)]);
}

#[test]
fn sets_are_found_by_what_their_rules_name() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let (named, one, two, unused) = (cloud.group(), cloud.group(), cloud.group(), cloud.group());
    cloud.done(Command::CreateAddressGroups(vec![NewAddressGroup::new(agr(50), project())]));
    for group in [one, two, unused] {
        cloud.rule(group, |rule| rule.remote = Remote::Group(named));
    }
    cloud.rule(two, |rule| rule.remote = Remote::Addresses(agr(50)));
    for groups in [vec![one, two], vec![one], vec![named]] {
        let mut new = cloud.new_port(network);
        new.security_groups = Some(groups);
        cloud.create_port(new);
    }
    let keys: Vec<_> = cloud.topology.sets_naming(named).map(|set| set.key.0).collect();
    assert_eq!(keys, [1, 2]);
    let keys: Vec<_> = cloud.topology.sets_naming_addresses(agr(50)).map(|set| set.key.0).collect();
    assert_eq!(keys, [1]);
    assert_eq!(cloud.topology.sets_naming(one).count(), 0);
}

/// Whether the command gave the set another generation.
fn renews(cloud: &mut Cloud, set: SetKey, command: Command) -> bool {
    let generation = |cloud: &Cloud| cloud.topology.security_set(set).and_then(|set| set.generation);
    let before = generation(cloud);
    cloud.done(command);
    assert!(before.is_some() && generation(cloud).is_some());
    before != generation(cloud)
}

#[test]
fn a_rule_that_goes_renews_the_sets_that_have_it_and_nothing_else_does() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let (asking, members) = (cloud.group(), cloud.group());
    let own = cloud.port(network);
    cloud.update_port(own.id, groups(&[asking]));
    let set = set(&cloud.topology, &own).expect("a port with port security");
    let rules = [cloud.new_rule(asking, |rule| rule.remote = Remote::Group(members)), cloud.new_rule(asking, |_| ())];
    let ids = rules.each_ref().map(|rule| rule.id);
    assert!(!renews(&mut cloud, set, Command::CreateSecurityGroupRules(rules.into())));
    let member = cloud.port(network);
    assert!(!renews(&mut cloud, set, patched(member.id, groups(&[members]))));
    assert!(!renews(&mut cloud, set, Command::DeletePort { id: member.id, if_revision: None }));
    assert!(renews(&mut cloud, set, Command::DeleteSecurityGroupRule { id: ids[1], if_revision: None }));
    assert!(renews(&mut cloud, set, Command::DeleteSecurityGroup { id: members, if_revision: None }), "and its rule");
    assert_eq!(cloud.topology.security_group_rule(ids[0]), None);
}

#[test]
fn generations_do_not_depend_on_what_the_store_remembers_alone() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.port(network);
    let generation = |topology: &Topology| topology.security_sets().next().and_then(|set| set.generation);
    let first = generation(&cloud.topology);
    let rule = cloud.topology.security_group_rules().next().expect("default rules").id;
    let remove = Command::DeleteSecurityGroupRule { id: rule, if_revision: None };
    let at = |seconds: u64| Request { command: remove.clone(), at: Timestamp(seconds * 1_000_000) };
    let (early, ..) = cloud.topology.transact(at(1_800_000_000)).expect("a rule can go");
    let (late, ..) = cloud.topology.transact(at(1_800_000_007)).expect("a rule can go");
    assert_ne!(generation(&early), first);
    assert!(generation(&early) < generation(&late), "the same store, restored and changed later");
    assert!(generation(&late).is_some_and(|late| late.0 < 100_000_000), "decades are left");

    // Records of a version that kept no counter.
    let forgetful = late.records().map(|record| match record {
        Record::Counters(counters) => Record::Counters(Counters { generation: 0, ..counters }),
        other => other,
    });
    let loaded = Topology::load(Limits::default(), forgetful, late.revision()).expect("sound records");
    assert_eq!(Some(loaded.counters().generation), generation(&late).map(|generation| generation.0));
}
