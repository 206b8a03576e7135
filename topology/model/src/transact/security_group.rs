//! Commands about security groups.

use super::security_group_rule::{Rule, write as write_rule};
use super::{check_revision, set};
use crate::allocate::next_key;
use crate::draft::Draft;
use crate::{
    Direction, Ethertype, GroupKey, NewSecurityGroup, Outcome, ProjectId, RecordKey, Rejection, Remote, SecurityGroup,
    SecurityGroupId, SecurityGroupPatch, SecurityGroupRuleId,
};
use std::sync::Arc;
use uuid::Uuid;

/// Neutron counts the first rules of a new group.
const FIRST_REVISION: u64 = 1;
/// The name that only a project's default group has.
const DEFAULT: &str = "default";
/// Where the ids of default groups are made from the ids of their projects.
const DEFAULT_GROUPS: Uuid = Uuid::from_u128(0x417f_99b8_253c_403d_897c_31eb_6e9f_e7ea);

/// The id of a project's group `default`, the same whenever it is made.
pub(crate) fn default_id(project: &str) -> SecurityGroupId {
    SecurityGroupId(Uuid::new_v5(&DEFAULT_GROUPS, project.as_bytes()))
}

/// The group, if there is one.
pub(super) fn existing(draft: &Draft, id: SecurityGroupId) -> Result<Arc<SecurityGroup>, Rejection> {
    draft.security_group(id).cloned().ok_or(Rejection::SecurityGroupNotFound(id))
}

pub(super) fn ensure_default(draft: &mut Draft, project: &ProjectId) -> Result<Outcome, Rejection> {
    Ok(Outcome::SecurityGroups(vec![default_group(draft, project)?]))
}

/// The project's group `default`, made if it is not there.
pub(super) fn default_group(draft: &mut Draft, project: &ProjectId) -> Result<Arc<SecurityGroup>, Rejection> {
    let id = default_id(project.as_str());
    if let Some(group) = draft.security_group(id) {
        return Ok(group.clone());
    }
    let mut new = NewSecurityGroup::new(id, project.clone());
    new.name = Some(DEFAULT.to_owned());
    new.description = Some("Default security group".to_owned());
    write(draft, new)?;
    for ethertype in [Ethertype::V4, Ethertype::V6] {
        write_first_rule(draft, id, Direction::Ingress, ethertype, Remote::Group(id))?;
    }
    existing(draft, id)
}

pub(super) fn create(draft: &mut Draft, groups: Vec<NewSecurityGroup>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(groups.len());
    for new in groups {
        check_name(new.name.as_deref())?;
        default_group(draft, &new.project_id)?;
        made.push(write(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.security_group(*id).cloned());
    Ok(Outcome::SecurityGroups(made.collect()))
}

/// Refuses the name of the default group, however it is written.
fn check_name(name: Option<&str>) -> Result<(), Rejection> {
    match name {
        Some(name) if name.to_lowercase() == DEFAULT => Err(Rejection::SecurityGroupDefaultAlreadyExists),
        _ => Ok(()),
    }
}

/// Makes a group that lets everything out.
fn write(draft: &mut Draft, new: NewSecurityGroup) -> Result<SecurityGroupId, Rejection> {
    let id = new.id;
    if draft.security_group(id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::SecurityGroup(id)));
    }
    let mut counters = draft.counters();
    let key = next_key(&draft.index.group_by_key, GroupKey, |key| key.0, counters.group, GroupKey::MAX);
    counters.group = key.ok_or(Rejection::NumbersExhausted("security group"))?;
    draft.write_counters(counters);
    let at = draft.at();
    let group = SecurityGroup {
        id,
        key: GroupKey(counters.group),
        project_id: draft.shared_project(new.project_id),
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        stateful: new.stateful.unwrap_or(true),
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    };
    draft.write_security_group(None, Some(Arc::new(group)));
    for ethertype in [Ethertype::V4, Ethertype::V6] {
        write_first_rule(draft, id, Direction::Egress, ethertype, Remote::Anybody)?;
    }
    Ok(id)
}

/// Makes a rule that a group begins with, its id made from the group's.
fn write_first_rule(
    draft: &mut Draft,
    group: SecurityGroupId,
    direction: Direction,
    ethertype: Ethertype,
    remote: Remote,
) -> Result<(), Rejection> {
    let way = match direction {
        Direction::Ingress => "ingress",
        Direction::Egress => "egress",
    };
    let name = format!("{way} {ethertype}");
    let id = SecurityGroupRuleId(Uuid::new_v5(&group.0, name.as_bytes()));
    let project_id = existing(draft, group)?.project_id.clone();
    let rule = Rule { group, direction, ethertype, protocol: None, ports: (None, None), remote };
    write_rule(draft, id, project_id, String::new(), rule)
}

pub(super) fn update(
    draft: &mut Draft,
    id: SecurityGroupId,
    patch: SecurityGroupPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    check_name(patch.name.as_deref())?;
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    if patch.stateful.is_some_and(|stateful| stateful != before.stateful) {
        check_unused(draft, id)?;
    }
    if patch.name.is_some() && before.name == DEFAULT {
        return Err(Rejection::SecurityGroupCannotUpdateDefault);
    }
    let mut group = SecurityGroup::clone(&before);
    set(&mut group.name, patch.name);
    set(&mut group.description, patch.description);
    set(&mut group.stateful, patch.stateful);
    set(&mut group.tags, patch.tags);
    draft.update_security_group(group);
    Ok(Outcome::SecurityGroups(vec![existing(draft, id)?]))
}

/// Ports that have the group have a set with it.
fn check_unused(draft: &Draft, id: SecurityGroupId) -> Result<(), Rejection> {
    if draft.sets_of_group(id).next().is_some() { Err(Rejection::SecurityGroupInUse(id)) } else { Ok(()) }
}

pub(super) fn delete(draft: &mut Draft, id: SecurityGroupId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    check_unused(draft, id)?;
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let own: Vec<_> = draft.rules_of(id).cloned().collect();
    for rule in own {
        draft.write_security_group_rule(Some(rule), None);
    }
    let foreign: Vec<_> = draft.rules_by_remote(id).cloned().collect();
    for rule in foreign {
        let group = rule.security_group_id;
        draft.write_security_group_rule(Some(rule), None);
        draft.touch_security_group(group);
    }
    draft.write_security_group(Some(before), None);
    Ok(Outcome::Deleted)
}
