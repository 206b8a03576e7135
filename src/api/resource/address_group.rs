//! Address groups.

use super::{Action, Objects, Occasion, Resource, Update, standard};
use crate::api::attribute::{Attribute, Rule, Shown, Table, Values, Wanted};
use crate::api::fault::Fault;
use crate::api::query::Query;
use ipnet::IpNet;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    AddressGroup, AddressGroupId, AddressGroupPatch, Command, NewAddressGroup, Outcome, ProjectId, Topology,
};

/// A row of the table.
type Row = Attribute<AddressGroup>;

const TABLE: Table<AddressGroup> = &[
    standard::id(),
    standard::name(),
    standard::description().sort(),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("addresses", |it, _| Shown::Nets(&it.addresses)).create(Rule::Prefixes),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

const ACTIONS: &[Action<AddressGroup>] = &[
    Action {
        name: "add_addresses",
        command: |it, body, occasion| {
            let patch = AddressGroupPatch { add: addresses(body)?, ..AddressGroupPatch::default() };
            Ok(changed(it, patch, occasion))
        },
        answer: |_| None,
    },
    Action {
        name: "remove_addresses",
        command: |it, body, occasion| {
            let patch = AddressGroupPatch { remove: addresses(body)?, ..AddressGroupPatch::default() };
            Ok(changed(it, patch, occasion))
        },
        answer: |_| None,
    },
];

impl Resource for AddressGroup {
    const NAME: &'static str = "address_group";
    const COLLECTION: &'static str = "address_groups";
    const PATH: &'static str = "address-groups";
    const TABLE: Table<Self> = TABLE;
    const ACTIONS: &'static [Action<Self>] = ACTIONS;

    fn absent(id: &str) -> Fault {
        Fault::absent("AddressGroupNotFound", format_args!("Address group {id} could not be found."))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.address_group(AddressGroupId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match (query.only("id"), query.project()) {
            (Some(Wanted::Uuid(id)), _) => Box::new(topology.address_group(AddressGroupId(*id)).into_iter()),
            (_, Some(project)) => Box::new(topology.address_groups_of_project(project)),
            _ => Box::new(topology.address_groups()),
        }
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let groups = asked.into_iter().map(|(project, mut values)| {
            let new = NewAddressGroup {
                name: values.text("name"),
                description: values.text("description"),
                addresses: values.nets("addresses"),
                ..NewAddressGroup::new(AddressGroupId(Uuid::new_v4()), project)
            };
            values.exhausted();
            new
        });
        Ok(Command::CreateAddressGroups(groups.collect()))
    }

    fn update(&self, mut values: Values, _: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        let patch = AddressGroupPatch {
            name: values.text("name"),
            description: values.text("description"),
            ..AddressGroupPatch::default()
        };
        values.exhausted();
        Ok(Update { command: Command::UpdateAddressGroup { id: self.id, patch, if_revision }, relative: false })
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteAddressGroup { id: AddressGroupId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::AddressGroups(groups) => Some(groups),
            _ => None,
        }
    }
}

/// The addresses of a body `{"addresses": [..]}`.
fn addresses(mut body: Map<String, Value>) -> Result<BTreeSet<IpNet>, Fault> {
    let given = body
        .remove("addresses")
        .ok_or_else(|| Fault::bad_request("Failed to parse request. Required attribute 'addresses' not specified"))?;
    let mut values = Values::default();
    values.put("addresses", Rule::Prefixes.apply("addresses", given)?);
    Ok(values.nets("addresses").unwrap_or_default())
}

fn changed(group: &AddressGroup, patch: AddressGroupPatch, occasion: Occasion<'_>) -> Command {
    Command::UpdateAddressGroup { id: group.id, patch, if_revision: occasion.if_revision }
}
