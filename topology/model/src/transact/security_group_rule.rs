//! Commands about rules of security groups.

use super::check_revision;
use super::security_group::existing as existing_group;
use crate::allocate::next_key;
use crate::draft::Draft;
use crate::{
    Direction, Ethertype, NewSecurityGroupRule, Outcome, ProjectId, Protocol, RecordKey, Rejection, Remote, RuleKey,
    SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// A rule is written once.
const FIRST_REVISION: u64 = 0;
/// ICMP and ICMPv6.
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// TCP, UDP, DCCP, SCTP and UDP-Lite.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];
/// Encapsulation, routing, fragment, ICMPv6, no next header and destination options of IPv6.
const OF_IPV6: [u8; 6] = [41, 43, 44, ICMPV6, 59, 60];

/// What a rule says.
pub(super) struct Rule {
    pub(super) group: SecurityGroupId,
    pub(super) direction: Direction,
    pub(super) ethertype: Ethertype,
    pub(super) protocol: Option<Protocol>,
    pub(super) ports: (Option<u16>, Option<u16>),
    pub(super) remote: Remote,
}

/// By what rules are the same: all that they say, protocols by number, all addresses as anybody.
type Meaning = (SecurityGroupId, Direction, Ethertype, Option<u8>, (Option<u16>, Option<u16>), Remote);

fn meaning_of_remote(remote: Remote) -> Remote {
    match remote {
        Remote::Prefix(prefix) if prefix.prefix_len() == 0 => Remote::Anybody,
        other => other,
    }
}

impl Rule {
    fn meaning(&self) -> Meaning {
        let protocol = self.protocol.as_ref().map(|it| it.number);
        (self.group, self.direction, self.ethertype, protocol, self.ports, meaning_of_remote(self.remote))
    }
}

fn meaning(rule: &SecurityGroupRule) -> Meaning {
    let protocol = rule.protocol.as_ref().map(|it| it.number);
    let ports = (rule.port_range_min, rule.port_range_max);
    (rule.security_group_id, rule.direction, rule.ethertype, protocol, ports, meaning_of_remote(rule.remote))
}

fn existing(draft: &Draft, id: SecurityGroupRuleId) -> Result<Arc<SecurityGroupRule>, Rejection> {
    draft.security_group_rule(id).cloned().ok_or(Rejection::SecurityGroupRuleNotFound(id))
}

pub(super) fn create(draft: &mut Draft, rules: Vec<NewSecurityGroupRule>) -> Result<Outcome, Rejection> {
    check_together(&rules)?;
    let mut checked = Vec::with_capacity(rules.len());
    let mut meanings = BTreeSet::new();
    for new in rules {
        let rule = checked_rule(&new)?;
        check_named(draft, &rule)?;
        checked.push((new, rule));
    }
    for (_, rule) in &checked {
        if !meanings.insert(rule.meaning()) {
            return Err(Rejection::DuplicateSecurityGroupRuleInPost);
        }
    }
    if let Some((_, Rule { group, .. })) = checked.first()
        && let Some(same) = draft.rules_of(*group).find(|rule| meanings.contains(&meaning(rule)))
    {
        return Err(Rejection::SecurityGroupRuleExists(same.id));
    }
    let mut made = Vec::with_capacity(checked.len());
    for (new, rule) in checked {
        let group = rule.group;
        if draft.security_group_rule(new.id).is_some() {
            return Err(Rejection::AlreadyExists(RecordKey::SecurityGroupRule(new.id)));
        }
        write(draft, new.id, new.project_id, new.description.unwrap_or_default(), rule)?;
        draft.touch_security_group(group);
        made.push(new.id);
    }
    let made = made.iter().filter_map(|id| draft.security_group_rule(*id).cloned());
    Ok(Outcome::SecurityGroupRules(made.collect()))
}

/// Rules that are made at once are of one group and one project.
fn check_together(rules: &[NewSecurityGroupRule]) -> Result<(), Rejection> {
    for pair in rules.windows(2) {
        if pair[0].security_group_id != pair[1].security_group_id {
            return Err(Rejection::SecurityGroupNotSingleGroupRules);
        }
        if pair[0].project_id != pair[1].project_id {
            return Err(Rejection::SecurityGroupRulesNotSingleProject);
        }
    }
    Ok(())
}

/// The rule as it is kept, if its values go together.
fn checked_rule(new: &NewSecurityGroupRule) -> Result<Rule, Rejection> {
    let protocol = new.protocol.clone().map(|protocol| in_its_version(protocol, new.ethertype));
    let ports = match (new.port_range_min, new.port_range_max) {
        (Some(1), Some(u16::MAX)) => (None, None),
        ports => ports,
    };
    check_ports(protocol.as_ref(), ports)?;
    if let Remote::Prefix(cidr) = new.remote
        && cidr.addr().is_ipv6() != (new.ethertype == Ethertype::V6)
    {
        return Err(Rejection::SecurityGroupRuleParameterConflict { ethertype: new.ethertype, cidr });
    }
    match &protocol {
        Some(protocol) if new.ethertype == Ethertype::V4 && OF_IPV6.contains(&protocol.number) => {
            let protocol = protocol.word.clone();
            return Err(Rejection::SecurityGroupEthertypeConflictWithProtocol { ethertype: new.ethertype, protocol });
        }
        _ => {}
    }
    let (group, direction, ethertype) = (new.security_group_id, new.direction, new.ethertype);
    Ok(Rule { group, direction, ethertype, protocol, ports, remote: new.remote })
}

/// The ICMP of the version of IP, whose older names and number are taken for it.
fn in_its_version(protocol: Protocol, ethertype: Ethertype) -> Protocol {
    let by_number = protocol.word.bytes().all(|digit| digit.is_ascii_digit());
    match (ethertype, protocol.number) {
        (Ethertype::V6, ICMP | ICMPV6) => {
            let word = if by_number { ICMPV6.to_string() } else { "ipv6-icmp".to_owned() };
            Protocol { number: ICMPV6, word }
        }
        _ => protocol,
    }
}

/// Refuses ports, or type and code of ICMP, that the protocol cannot have.
fn check_ports(protocol: Option<&Protocol>, (min, max): (Option<u16>, Option<u16>)) -> Result<(), Rejection> {
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let number = protocol.ok_or(Rejection::SecurityGroupProtocolRequiredWithPorts)?.number;
    if WITH_PORTS.contains(&number) {
        if min == Some(0) || max == Some(0) {
            return Err(Rejection::SecurityGroupInvalidPortValue(0));
        }
        return match (min, max) {
            (Some(min), Some(max)) if min <= max => Ok(()),
            _ => Err(Rejection::SecurityGroupInvalidPortRange),
        };
    }
    if number != ICMP && number != ICMPV6 {
        return Err(Rejection::SecurityGroupInvalidProtocolForPort(number));
    }
    for (field, attr, value) in [("type", "port_range_min", min), ("code", "port_range_max", max)] {
        if let Some(value) = value.filter(|value| *value > u16::from(u8::MAX)) {
            return Err(Rejection::SecurityGroupInvalidIcmpValue { field, attr, value });
        }
    }
    match (min, max) {
        (None, Some(code)) => Err(Rejection::SecurityGroupMissingIcmpType(code)),
        _ => Ok(()),
    }
}

/// Refuses groups that are not there.
fn check_named(draft: &Draft, rule: &Rule) -> Result<(), Rejection> {
    match rule.remote {
        Remote::Group(remote) => {
            existing_group(draft, remote)?;
        }
        Remote::Addresses(remote) => {
            draft.address_group(remote).ok_or(Rejection::AddressGroupNotFound(remote))?;
        }
        Remote::Anybody | Remote::Prefix(_) => {}
    }
    existing_group(draft, rule.group).map(|_| ())
}

/// Makes a rule that has been checked.
pub(super) fn write(
    draft: &mut Draft,
    id: SecurityGroupRuleId,
    project_id: ProjectId,
    description: String,
    rule: Rule,
) -> Result<(), Rejection> {
    let mut counters = draft.counters();
    let key = next_key(&draft.index.rule_by_key, RuleKey, |key| key.0, counters.rule, RuleKey::MAX);
    counters.rule = key.ok_or(Rejection::NumbersExhausted("security group rule"))?;
    draft.write_counters(counters);
    let at = draft.at();
    let rule = SecurityGroupRule {
        id,
        key: RuleKey(counters.rule),
        security_group_id: rule.group,
        project_id: draft.shared_project(project_id),
        description,
        direction: rule.direction,
        ethertype: rule.ethertype,
        protocol: rule.protocol,
        port_range_min: rule.ports.0,
        port_range_max: rule.ports.1,
        remote: rule.remote,
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    };
    draft.write_security_group_rule(None, Some(Arc::new(rule)));
    Ok(())
}

pub(super) fn delete(
    draft: &mut Draft,
    id: SecurityGroupRuleId,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let group = before.security_group_id;
    draft.write_security_group_rule(Some(before), None);
    draft.touch_security_group(group);
    Ok(Outcome::Deleted)
}
