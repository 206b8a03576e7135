//! Security groups.

use super::{Objects, Resource, Tagged, Update, standard};
use crate::api::attribute::{Attribute, Filter, Preset, Rule, Shown, ShownRules, Table, Values, Wanted};
use crate::api::caller::{Caller, PROJECT_ID_MAX};
use crate::api::fault::Fault;
use crate::api::query::Query;
use axum::http::StatusCode;
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Command, NewSecurityGroup, Outcome, ProjectId, SecurityGroup, SecurityGroupId, SecurityGroupPatch,
    SecurityGroupRule, Topology,
};

/// A row of the table.
type Row = Attribute<SecurityGroup>;

const TABLE: Table<SecurityGroup> = &[
    standard::id(),
    Row::new("name", |it, _| Shown::Text(&it.name))
        .write(Rule::Text(255))
        .preset(Preset::Empty)
        .filter(Filter::Text)
        .sort(),
    Row::new("stateful", |it, _| Shown::Bool(it.stateful))
        .write(Rule::Boolean)
        .preset(Preset::Yes)
        .filter(Filter::Boolean),
    standard::tenant_id(),
    standard::project_id(),
    standard::description(),
    Row::new("shared", |_, _| Shown::Bool(false)).filter(Filter::Boolean),
    Row::new("security_group_rules", |it, view| {
        let rules = view.topology.rules_of(it.id).map(AsRef::as_ref).collect();
        Shown::Rules(Box::new(ShownRules { rules, table: SecurityGroupRule::TABLE, view: *view }))
    }),
    standard::tags(),
    standard::tags_any(),
    standard::not_tags(),
    standard::not_tags_any(),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

impl Resource for SecurityGroup {
    const NAME: &'static str = "security_group";
    const COLLECTION: &'static str = "security_groups";
    const PATH: &'static str = "security-groups";
    const TABLE: Table<Self> = TABLE;

    fn absent(id: &str) -> Fault {
        Fault::absent("SecurityGroupNotFound", format_args!("Security group {id} does not exist"))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.security_group(SecurityGroupId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match (query.only("id"), query.project()) {
            (Some(Wanted::Uuid(id)), _) => Box::new(topology.security_group(SecurityGroupId(*id)).into_iter()),
            (_, Some(project)) => Box::new(topology.security_groups_of_project(project)),
            _ => Box::new(topology.security_groups()),
        }
    }

    fn prerequisite(query: &Query<Self>, caller: &Caller, topology: &Topology) -> Option<Command> {
        default_group(query, caller, topology)
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let groups = asked.into_iter().map(|(project, mut values)| {
            let new = NewSecurityGroup {
                name: values.text("name"),
                description: values.text("description"),
                stateful: values.boolean("stateful"),
                ..NewSecurityGroup::new(SecurityGroupId(Uuid::new_v4()), project)
            };
            values.exhausted();
            new
        });
        Ok(Command::CreateSecurityGroups(groups.collect()))
    }

    fn update(&self, mut values: Values, _: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        let patch = SecurityGroupPatch {
            name: values.text("name"),
            description: values.text("description"),
            stateful: values.boolean("stateful"),
            tags: None,
        };
        values.exhausted();
        Ok(Update { command: Command::UpdateSecurityGroup { id: self.id, patch, if_revision }, relative: false })
    }

    fn may_delete(&self, caller: &Caller) -> Result<(), Fault> {
        if caller.admin || self.name != "default" {
            return Ok(());
        }
        Err(Fault::new(
            StatusCode::CONFLICT,
            "SecurityGroupCannotRemoveDefault",
            "Insufficient rights for removing default security group.",
        ))
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteSecurityGroup { id: SecurityGroupId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::SecurityGroups(groups) => Some(groups),
            _ => None,
        }
    }
}

impl Tagged for SecurityGroup {
    fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command {
        let patch = SecurityGroupPatch { tags: Some(tags), ..SecurityGroupPatch::default() };
        Command::UpdateSecurityGroup { id: SecurityGroupId(id), patch, if_revision }
    }
}

/// The command that makes the group `default` of the project whose groups or rules are listed, if it is not there.
/// Nobody but an admin makes that of another project.
pub(super) fn default_group<R>(query: &Query<R>, caller: &Caller, topology: &Topology) -> Option<Command> {
    let own = caller.project.as_ref()?;
    let project = match query.project() {
        Some(project) if project != own.as_str() => {
            let possible = caller.admin && (1..=PROJECT_ID_MAX).contains(&project.len());
            possible.then(|| ProjectId::from(project))?
        }
        _ => own.clone(),
    };
    let missing = topology.default_security_group(project.as_str()).is_none();
    missing.then_some(Command::EnsureDefaultSecurityGroup(project))
}
