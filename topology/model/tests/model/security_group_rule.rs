//! Rules of security groups.

use crate::cloud::{Cloud, agr, grp, rul};
use ipnet::IpNet;
use weir_model::{
    Command, Direction, Ethertype, NewAddressGroup, NewSecurityGroupRule, Outcome, Protocol, Remote, RuleKey,
    SecurityGroupId,
};

fn protocol(word: &str) -> Option<Protocol> {
    let number = match word {
        "tcp" => 6,
        "udp" => 17,
        "icmp" => 1,
        "icmpv6" | "ipv6-icmp" => 58,
        "gre" => 47,
        "sctp" => 132,
        "ipv6-encap" => 41,
        number => number.parse().expect("a protocol's number"),
    };
    Some(Protocol { number, word: word.into() })
}

fn prefix(text: &str) -> IpNet {
    text.parse().expect("a test's prefix")
}

fn setup() -> (Cloud, SecurityGroupId) {
    let mut cloud = Cloud::default();
    let group = cloud.group();
    (cloud, group)
}

type Fault = (&'static str, u16, String);

/// The fault of a rule, or of none.
fn fault(change: impl FnOnce(&mut NewSecurityGroupRule)) -> Option<Fault> {
    let (mut cloud, group) = setup();
    let rule = cloud.new_rule(group, change);
    let before = cloud.topology.clone();
    let result = cloud.ask(Command::CreateSecurityGroupRules(vec![rule]));
    if result.is_err() {
        assert_eq!(cloud.topology, before);
    }
    result.err().map(|it| crate::cloud::fault(&it))
}

fn ports(word: &'static str, min: Option<u16>, max: Option<u16>) -> Option<Fault> {
    fault(|rule| {
        rule.protocol = protocol(word);
        (rule.port_range_min, rule.port_range_max) = (min, max);
    })
}

fn bad(kind: &'static str, message: &str) -> Option<Fault> {
    Some((kind, 400, message.to_owned()))
}

#[test]
fn a_rule_is_kept_as_asked() {
    let (mut cloud, group) = setup();
    let rule = cloud.rule(group, |rule| {
        rule.description = Some("ssh".into());
        (rule.port_range_min, rule.port_range_max) = (Some(22), Some(23));
        rule.remote = Remote::Prefix(prefix("10.0.0.5/24"));
    });
    assert_eq!((rule.port_range_min, rule.port_range_max), (Some(22), Some(23)));
    assert_eq!((rule.remote, rule.description.as_str()), (Remote::Prefix(prefix("10.0.0.5/24")), "ssh"));
    assert_eq!(rule.protocol, protocol("tcp"));
    assert_eq!((rule.key, rule.revision_number), (RuleKey(7), 0), "the groups began with six rules");
    assert_eq!(cloud.topology.rule_by_key(RuleKey(7)), Some(&rule));
    assert!(cloud.topology.rules_of(group).any(|other| *other == rule));
    let delete = Command::DeleteSecurityGroupRule { id: rule.id, if_revision: Some(0) };
    assert_eq!(cloud.done(delete.clone()), Outcome::Deleted);
    assert_eq!(
        cloud.refused(delete),
        ("SecurityGroupRuleNotFound", 404, format!("Security group rule {} does not exist", rule.id))
    );
}

#[test]
fn ports_suit_the_protocol() {
    assert_eq!(ports("tcp", Some(1), Some(65535)), None);
    assert_eq!(ports("sctp", Some(80), Some(80)), None);
    let range = bad("SecurityGroupInvalidPortRange", "For TCP/UDP protocols, port_range_min must be <= port_range_max");
    assert_eq!(ports("tcp", Some(80), Some(79)), range);
    assert_eq!(ports("udp", Some(80), None), range);
    assert_eq!(ports("udp", None, Some(80)), range);
    assert_eq!(ports("tcp", Some(0), Some(80)), bad("SecurityGroupInvalidPortValue", "Invalid value for port 0"));
    assert_eq!(
        ports("gre", Some(1), Some(2)),
        bad(
            "SecurityGroupInvalidProtocolForPort",
            "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE."
        )
    );
    let without = fault(|rule| {
        rule.protocol = None;
        (rule.port_range_min, rule.port_range_max) = (Some(1), Some(2));
    });
    let text = "Must also specify protocol if port range is given.";
    assert_eq!(without, bad("SecurityGroupProtocolRequiredWithPorts", text));
}

#[test]
fn all_ports_are_no_range() {
    let (mut cloud, group) = setup();
    let rule = cloud.rule(group, |rule| (rule.port_range_min, rule.port_range_max) = (Some(1), Some(65535)));
    assert_eq!((rule.port_range_min, rule.port_range_max), (None, None));
}

#[test]
fn icmp_has_type_and_code() {
    assert_eq!(ports("icmp", Some(8), None), None);
    assert_eq!(ports("icmp", Some(0), Some(0)), None);
    let value = |text| bad("SecurityGroupInvalidIcmpValue", text);
    assert_eq!(
        ports("icmp", Some(256), None),
        value("Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.")
    );
    assert_eq!(
        ports("icmp", Some(3), Some(300)),
        value("Invalid value for ICMP code (port_range_max) 300. It must be 0 to 255.")
    );
    let text = "ICMP code (port-range-max) 4 is provided but ICMP type (port-range-min) is missing.";
    assert_eq!(ports("icmp", None, Some(4)), bad("SecurityGroupMissingIcmpType", text));
}

#[test]
fn icmp_is_that_of_the_version_of_ip() {
    for (asked, kept) in [("icmp", "ipv6-icmp"), ("icmpv6", "ipv6-icmp"), ("1", "58"), ("58", "58")] {
        let (mut cloud, group) = setup();
        let rule = cloud.rule(group, |rule| {
            rule.ethertype = Ethertype::V6;
            rule.protocol = protocol(asked);
        });
        assert_eq!(rule.protocol, Some(Protocol { number: 58, word: kept.into() }));
    }
    for word in ["icmpv6", "58", "ipv6-encap"] {
        let text = format!("Invalid ethertype IPv4 for protocol {word}.");
        assert_eq!(ports(word, None, None), bad("SecurityGroupEthertypeConflictWithProtocol", &text));
    }
}

#[test]
fn a_prefix_is_of_the_version_of_ip() {
    let conflict = fault(|rule| rule.remote = Remote::Prefix(prefix("fd00::1/64")));
    let text = "Conflicting value ethertype IPv4 for CIDR fd00::1/64";
    assert_eq!(conflict, bad("SecurityGroupRuleParameterConflict", text));
}

#[test]
fn groups_that_a_rule_names_are_there() {
    let missing = |id| Some(("SecurityGroupNotFound", 404, format!("Security group {id} does not exist")));
    assert_eq!(fault(|rule| rule.security_group_id = grp(77)), missing(grp(77)));
    assert_eq!(fault(|rule| rule.remote = Remote::Group(grp(78))), missing(grp(78)));
    let text = format!("Address group {} could not be found.", agr(79));
    assert_eq!(fault(|rule| rule.remote = Remote::Addresses(agr(79))), Some(("AddressGroupNotFound", 404, text)));
}

#[test]
fn the_same_rule_is_made_once() {
    let (mut cloud, group) = setup();
    cloud.done(Command::CreateAddressGroups(vec![NewAddressGroup::new(agr(50), "alpha".into())]));
    let first = cloud.rule(group, |rule| rule.remote = Remote::Prefix(prefix("0.0.0.0/0"))).id;
    let exists = ("SecurityGroupRuleExists", 409, format!("Security group rule already exists. Rule id is {first}."));
    let same: [fn(&mut NewSecurityGroupRule); 3] = [
        |_| {},
        |rule| rule.protocol = protocol("6"),
        |rule| {
            rule.description = Some("another".into());
            (rule.port_range_min, rule.port_range_max) = (Some(1), Some(65535));
        },
    ];
    for change in same {
        let rule = cloud.new_rule(group, change);
        assert_eq!(cloud.refused(Command::CreateSecurityGroupRules(vec![rule])), exists);
    }
    let other: [fn(&mut NewSecurityGroupRule); 8] = [
        |rule| rule.direction = Direction::Egress,
        |rule| rule.ethertype = Ethertype::V6,
        |rule| rule.protocol = None,
        |rule| (rule.port_range_min, rule.port_range_max) = (Some(22), Some(22)),
        |rule| rule.remote = Remote::Prefix(prefix("10.0.0.0/24")),
        |rule| rule.remote = Remote::Prefix(prefix("10.0.0.1/24")),
        |rule| rule.remote = Remote::Group(rule.security_group_id),
        |rule| rule.remote = Remote::Addresses(agr(50)),
    ];
    for change in other {
        cloud.rule(group, change);
    }
    let elsewhere = cloud.group();
    cloud.rule(elsewhere, |_| {});
    let again = cloud.new_rule(elsewhere, |rule| {
        rule.id = first;
        rule.protocol = None;
    });
    let text = format!("Security group rule {first} already exists.");
    assert_eq!(cloud.refused(Command::CreateSecurityGroupRules(vec![again])), ("Conflict", 409, text));
}

#[test]
fn rules_made_at_once_are_distinct_and_of_one_group_and_project() {
    let (mut cloud, group) = setup();
    let other = cloud.group();
    let one = cloud.new_rule(group, |_| {});
    let two = cloud.new_rule(group, |rule| rule.protocol = protocol("udp"));
    let mut refused = |change: fn(&mut NewSecurityGroupRule)| {
        let mut changed = two.clone();
        change(&mut changed);
        if changed.security_group_id == grp(0) {
            changed.security_group_id = other;
        }
        cloud.refused(Command::CreateSecurityGroupRules(vec![one.clone(), changed]))
    };
    assert_eq!(
        refused(|rule| rule.protocol = protocol("6")),
        ("DuplicateSecurityGroupRuleInPost", 409, "Duplicate Security Group Rule in POST.".to_owned())
    );
    assert_eq!(
        refused(|rule| rule.security_group_id = grp(0)),
        (
            "SecurityGroupNotSingleGroupRules",
            400,
            "Only allowed to update rules for one security profile at a time".to_owned()
        )
    );
    assert_eq!(
        refused(|rule| rule.project_id = "beta".into()),
        (
            "SecurityGroupRulesNotSingleProject",
            400,
            "Multiple project_ids in bulk security group rule create not allowed".to_owned()
        )
    );
    let before = cloud.topology.security_group(group).expect("made").revision_number;
    let Outcome::SecurityGroupRules(made) = cloud.done(Command::CreateSecurityGroupRules(vec![one, two])) else {
        panic!("rules are answered")
    };
    assert_eq!(made.len(), 2);
    assert_eq!(cloud.topology.security_group(group).expect("made").revision_number, before + 1);
}

#[test]
fn a_rule_that_is_not_there_or_has_another_revision() {
    let (mut cloud, group) = setup();
    let rule = cloud.rule(group, |_| {}).id;
    let stale = Command::DeleteSecurityGroupRule { id: rule, if_revision: Some(4) };
    assert_eq!(cloud.refused(stale).0, "RevisionNumberConstraintFailed");
    let missing = Command::DeleteSecurityGroupRule { id: rul(999), if_revision: None };
    assert_eq!(cloud.refused(missing).0, "SecurityGroupRuleNotFound");
}
