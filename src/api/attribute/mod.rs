//! What a resource consists of, as data: one [`Attribute`] for each name of its body.
//!
//! The same table says what may be created and updated, how values are judged, what is shown to whom, and by what
//! lists are filtered and sorted.

mod dhcp;
mod given;
mod moment;
mod network;
mod python;
mod rule;
mod security;
mod shown;
mod text;
mod wanted;

pub(crate) use given::{Given, GivenDhcpOption, GivenFixedIp, GivenPair, Values};
pub(crate) use python::{Python, list};
pub(crate) use rule::{MAX_TAGS, Misfit, Rule, TAG_LEN, texts};
pub(crate) use shown::{Shown, ShownRules};
pub(crate) use wanted::{Filter, Wanted};

use super::caller::{Caller, Who};
use super::fault::Fault;
use super::view::View;
use serde_json::{Map, Value};
use weir_model::ProjectId;

/// What a create request may say of an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OnCreate {
    /// Nothing.
    Refused,
    /// Something, or nothing.
    Optional,
    /// It must say something.
    Required,
}

/// What an attribute is when a create request does not name it, as far as policy must know: saying the same
/// aloud needs no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Chosen by Weir.
    Chosen,
    /// No.
    No,
    /// Yes.
    Yes,
    /// Empty text, list or object.
    Empty,
}

impl Preset {
    fn says(self, given: &Given) -> bool {
        match self {
            Self::Chosen => false,
            Self::No => *given == Given::Bool(false),
            Self::Yes => *given == Given::Bool(true),
            Self::Empty => given.is_empty(),
        }
    }
}

/// One attribute of a resource.
pub(crate) struct Attribute<R: 'static> {
    /// Its name in bodies and queries.
    pub(crate) name: &'static str,
    /// Its value.
    pub(crate) read: for<'a> fn(&'a R, &View<'a>) -> Shown<'a>,
    /// Whether answers have it.
    pub(crate) visible: bool,
    /// Whether only the answer to a show request has it.
    pub(crate) show_only: bool,
    /// Who may see it.
    pub(crate) see: Who,
    /// In create requests.
    pub(crate) create: OnCreate,
    /// Whether update requests may name it.
    pub(crate) update: bool,
    /// How values are judged.
    pub(crate) rule: Rule,
    /// What it is by default.
    pub(crate) preset: Preset,
    /// Who may set it.
    pub(crate) set: Who,
    /// How lists are filtered by it.
    pub(crate) filter: Option<Filter>,
    /// Whether lists are sorted by it.
    pub(crate) sort: bool,
}

impl<R> Attribute<R> {
    /// An attribute that is shown to everyone and no more.
    pub(crate) const fn new(name: &'static str, read: for<'a> fn(&'a R, &View<'a>) -> Shown<'a>) -> Self {
        Self {
            name,
            read,
            visible: true,
            show_only: false,
            see: Who::Anyone,
            create: OnCreate::Refused,
            update: false,
            rule: Rule::Boolean,
            preset: Preset::Chosen,
            set: Who::Anyone,
            filter: None,
            sort: false,
        }
    }

    /// It may be given on creation.
    pub(crate) const fn create(self, rule: Rule) -> Self {
        Self { create: OnCreate::Optional, rule, ..self }
    }

    /// It must be given on creation.
    pub(crate) const fn required(self, rule: Rule) -> Self {
        Self { create: OnCreate::Required, rule, ..self }
    }

    /// It may be given on creation and on update.
    pub(crate) const fn write(self, rule: Rule) -> Self {
        Self { create: OnCreate::Optional, update: true, rule, ..self }
    }

    /// It may be given on update alone.
    pub(crate) const fn update(self, rule: Rule) -> Self {
        Self { update: true, rule, ..self }
    }

    /// What it is by default.
    pub(crate) const fn preset(self, preset: Preset) -> Self {
        Self { preset, ..self }
    }

    /// Only admins may set it.
    pub(crate) const fn set_by(self, set: Who) -> Self {
        Self { set, ..self }
    }

    /// Only admins see it, and only they may set it.
    pub(crate) const fn only(self, who: Who) -> Self {
        Self { see: who, set: who, ..self }
    }

    /// It is in no answer.
    pub(crate) const fn hidden(self) -> Self {
        Self { visible: false, ..self }
    }

    /// It is in the answer to show requests, not in lists.
    pub(crate) const fn show_only(self) -> Self {
        Self { show_only: true, ..self }
    }

    /// Lists are filtered by it.
    pub(crate) const fn filter(self, filter: Filter) -> Self {
        Self { filter: Some(filter), ..self }
    }

    /// Lists are sorted by it.
    pub(crate) const fn sort(self) -> Self {
        Self { sort: true, ..self }
    }
}

/// The table of a resource.
pub(crate) type Table<R> = &'static [Attribute<R>];

/// Finds an attribute of a table.
pub(crate) fn find<R>(table: Table<R>, name: &str) -> Option<&'static Attribute<R>> {
    table.iter().find(|attribute| attribute.name == name)
}

/// Judges the body of a create request: its project and its values.
///
/// # Errors
/// 400 for what the table does not allow, 403 for what policy does not.
pub(crate) fn for_create<R>(
    table: Table<R>,
    resource: &str,
    mut body: Map<String, Value>,
    caller: &Caller,
) -> Result<(ProjectId, Values), Fault> {
    let project = match named_project(&mut body, caller)? {
        Some(project) => project,
        None => caller.project.clone().ok_or_else(|| {
            Fault::bad_request("Running without keystone AuthN requires that project_id is specified")
        })?,
    };
    known(table, &body)?;
    for attribute in table {
        match attribute.create {
            OnCreate::Required if !body.contains_key(attribute.name) => {
                return Err(Fault::bad_request(format!(
                    "Failed to parse request. Required attribute '{}' not specified",
                    attribute.name
                )));
            }
            OnCreate::Refused if body.contains_key(attribute.name) => {
                return Err(Fault::bad_request(format!("Attribute '{}' not allowed in POST", attribute.name)));
            }
            _ => {}
        }
    }
    let values = judged(table, body)?;
    for (name, given) in values.iter() {
        let attribute = find(table, name).expect("judged values are of the table");
        if !caller.is(attribute.set) && !attribute.preset.says(given) {
            return Err(Fault::forbidden(&format!("(rule:create_{resource} and rule:create_{resource}:{name})")));
        }
    }
    Ok((project, values))
}

/// Judges the body of an update request.
///
/// # Errors
/// 400 for what the table does not allow, 403 for what policy does not.
pub(crate) fn for_update<R>(
    table: Table<R>,
    resource: &str,
    body: Map<String, Value>,
    caller: &Caller,
) -> Result<Values, Fault> {
    known(table, &body)?;
    for attribute in table {
        if !attribute.update && body.contains_key(attribute.name) {
            return Err(Fault::bad_request(format!("Cannot update read-only attribute {}", attribute.name)));
        }
    }
    let values = judged(table, body)?;
    for name in values.names() {
        let attribute = find(table, name).expect("judged values are of the table");
        if !caller.is(attribute.set) {
            return Err(Fault::forbidden(&format!("(rule:update_{resource} and rule:update_{resource}:{name})")));
        }
    }
    Ok(values)
}

fn known<R>(table: Table<R>, body: &Map<String, Value>) -> Result<(), Fault> {
    let unknown: Vec<&str> = body.keys().map(String::as_str).filter(|name| find(table, name).is_none()).collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(Fault::bad_request(format!("Unrecognized attribute(s) '{}'", unknown.join(", "))))
    }
}

fn judged<R>(table: Table<R>, mut body: Map<String, Value>) -> Result<Values, Fault> {
    let mut values = Values::with_capacity(body.len());
    for attribute in table {
        if let Some(value) = body.remove(attribute.name) {
            values.put(attribute.name, attribute.rule.apply(attribute.name, value)?);
        }
    }
    Ok(values)
}

/// Takes `project_id` and `tenant_id`, which mean the same, out of a body.
fn named_project(body: &mut Map<String, Value>, caller: &Caller) -> Result<Option<ProjectId>, Fault> {
    let named = match (body.remove("project_id"), body.remove("tenant_id")) {
        (None, None) => return Ok(None),
        (Some(project), Some(tenant)) if project != tenant => {
            return Err(Fault::bad_request("'project_id' and 'tenant_id' do not match"));
        }
        (Some(project), _) | (None, Some(project)) => project,
    };
    let given = Rule::Text(255).apply("project_id", named)?;
    let project = match given {
        Given::Text(text) => ProjectId::from(text.as_str()),
        _ => return Ok(None),
    };
    if !caller.admin && !caller.owns(&project) {
        return Err(Fault::bad_request(
            "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user.",
        ));
    }
    Ok(Some(project))
}
