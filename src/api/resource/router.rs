//! Routers.

use super::{Action, Objects, Occasion, Resource, Tagged, Update, seen, standard};
use crate::api::attribute::{Attribute, Filter, Given, Preset, Python, Rule, Shown, Table, Values, Wanted};
use crate::api::caller::Who;
use crate::api::fault::Fault;
use crate::api::query::Query;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Command, HostRoute, NewInterface, NewRouter, OldInterface, Outcome, Port, PortId, ProjectId, Route, Router,
    RouterId, RouterPatch, Subnet, SubnetId, Topology,
};

/// A row of the table.
type Row = Attribute<Router>;

const TABLE: Table<Router> = &[
    standard::id(),
    standard::name(),
    standard::tenant_id(),
    standard::project_id(),
    Row::new("admin_state_up", |it, _| Shown::Bool(it.admin_state_up))
        .write(Rule::Boolean)
        .preset(Preset::Yes)
        .filter(Filter::Boolean)
        .sort(),
    Row::new("status", |_, _| Shown::Text("ACTIVE")).sort(),
    Row::new("external_gateway_info", |_, _| Shown::Null).write(Rule::NoGateway).preset(Preset::Empty),
    Row::new("routes", |it, _| Shown::ExtraRoutes(&it.routes)).update(Rule::HostRoutes),
    Row::new("distributed", |it, _| Shown::Bool(it.distributed)).write(Rule::BooleanOrNull).only(Who::Admin),
    Row::new("ha", |it, _| Shown::Bool(it.ha)).write(Rule::BooleanOrNull).only(Who::Admin),
    Row::new("availability_zone_hints", |it, _| Shown::Texts(&it.availability_zone_hints))
        .create(Rule::Texts(255))
        .preset(Preset::Empty),
    Row::new("availability_zones", |_, _| Shown::Words(&[])),
    Row::new("flavor_id", |_, _| Shown::Null).create(Rule::TextOrNull(36)).sort(),
    standard::description(),
    standard::tags(),
    standard::tags_any(),
    standard::not_tags(),
    standard::not_tags_any(),
    standard::created_at(),
    standard::updated_at(),
    standard::changed_since(),
    standard::revision_number(),
];

const ACTIONS: &[Action<Router>] = &[
    Action {
        name: "add_router_interface",
        command: |it, body, occasion| {
            let interface = new_interface(&interface(&body)?, occasion)?;
            Ok(Command::AddRouterInterface { id: it.id, interface })
        },
        answer: |outcome| interface_info(outcome, <[_]>::last),
    },
    Action {
        name: "remove_router_interface",
        command: |it, body, occasion| {
            let interface = old_interface(&interface(&body)?, occasion)?;
            Ok(Command::RemoveRouterInterface { id: it.id, interface })
        },
        answer: |outcome| interface_info(outcome, <[_]>::first),
    },
    Action {
        name: "add_extraroutes",
        command: |it, body, _| Ok(Command::AddExtraRoutes { id: it.id, routes: routes_of(body)? }),
        answer: |_| None,
    },
    Action {
        name: "remove_extraroutes",
        command: |it, body, _| Ok(Command::RemoveExtraRoutes { id: it.id, routes: routes_of(body)? }),
        answer: |_| None,
    },
];

impl Resource for Router {
    const NAME: &'static str = "router";
    const COLLECTION: &'static str = "routers";
    const TABLE: Table<Self> = TABLE;
    const ACTIONS: &'static [Action<Self>] = ACTIONS;

    fn absent(id: &str) -> Fault {
        Fault::absent("RouterNotFound", format_args!("Router {id} could not be found"))
    }

    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>> {
        topology.router(RouterId(id))
    }

    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self> {
        match (query.only("id"), query.project()) {
            (Some(Wanted::Uuid(id)), _) => Box::new(topology.router(RouterId(*id)).into_iter()),
            (_, Some(project)) => Box::new(topology.routers_of_project(project)),
            _ => Box::new(topology.routers()),
        }
    }

    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault> {
        let routers = asked.into_iter().map(|(project, values)| new(project, values)).collect::<Result<_, _>>()?;
        Ok(Command::CreateRouters(routers))
    }

    fn update(&self, mut values: Values, _: &Topology, if_revision: Option<u64>) -> Result<Update, Fault> {
        no_gateway(&mut values);
        let patch = RouterPatch {
            name: values.text("name"),
            description: values.text("description"),
            admin_state_up: values.boolean("admin_state_up"),
            distributed: values.boolean("distributed"),
            ha: values.boolean("ha"),
            routes: values.routes("routes").map(routes),
            tags: None,
        };
        values.exhausted();
        Ok(Update { command: Command::UpdateRouter { id: self.id, patch, if_revision }, relative: false })
    }

    fn delete(id: Uuid, if_revision: Option<u64>) -> Command {
        Command::DeleteRouter { id: RouterId(id), if_revision }
    }

    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>> {
        match outcome {
            Outcome::Routers(routers) => Some(routers),
            _ => None,
        }
    }
}

impl Tagged for Router {
    fn tags(&self) -> &BTreeSet<String> {
        &self.tags
    }

    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command {
        let patch = RouterPatch { tags: Some(tags), ..RouterPatch::default() };
        Command::UpdateRouter { id: RouterId(id), patch, if_revision }
    }
}

fn new(project: ProjectId, mut values: Values) -> Result<NewRouter, Fault> {
    no_gateway(&mut values);
    super::no_zones(&mut values)?;
    if let Some(flavor) = values.text_or_null("flavor_id").flatten() {
        // There are no flavors, so that none can be found.
        return Err(Fault::absent("FlavorNotFound", format_args!("Flavor {flavor} could not be found.")));
    }
    let new = NewRouter {
        name: values.text("name"),
        description: values.text("description"),
        admin_state_up: values.boolean("admin_state_up"),
        distributed: values.boolean("distributed"),
        ha: values.boolean("ha"),
        ..NewRouter::new(RouterId(Uuid::new_v4()), project)
    };
    values.exhausted();
    Ok(new)
}

/// Takes out that there is no gateway, which is all that its rule lets through.
fn no_gateway(values: &mut Values) {
    values.json_or_null("external_gateway_info");
}

fn routes(given: Vec<HostRoute>) -> Vec<Route> {
    given.into_iter().map(|it| Route { destination: it.destination, nexthop: it.nexthop }).collect()
}

/// The routes of a body `{"router": {"routes": [..]}}`.
fn routes_of(mut body: Map<String, Value>) -> Result<Vec<Route>, Fault> {
    let given = match body.remove("router") {
        None | Some(Value::Null) => return Err(Fault::bad_request("Unable to find 'router' in request body")),
        Some(Value::Object(mut router)) => router.remove("routes"),
        Some(_) => return Err(Fault::bad_request("Object 'router' contains invalid data")),
    };
    let given = given
        .ok_or_else(|| Fault::bad_request("Failed to parse request. Required attribute 'routes' not specified"))?;
    match Rule::HostRoutes.apply("routes", given)? {
        Given::Routes(given) => Ok(routes(given)),
        _ => Ok(Vec::new()),
    }
}

/// An interface as a body names it.
struct Interface {
    port: Option<Uuid>,
    subnet: Option<Uuid>,
}

fn interface(body: &Map<String, Value>) -> Result<Interface, Fault> {
    let id = |name: &str| {
        let id = |value: &Value| {
            let id = value.as_str().and_then(|text| Uuid::parse_str(text).ok());
            let wrong = || Fault::bad_part("router", format_args!("'{}' is not a valid UUID", Python(value)));
            id.ok_or_else(wrong)
        };
        body.get(name).map(id).transpose()
    };
    let interface = Interface { port: id("port_id")?, subnet: id("subnet_id")? };
    if interface.port.is_none() && interface.subnet.is_none() {
        return Err(Fault::bad_part("router", "Either subnet_id or port_id must be specified"));
    }
    Ok(interface)
}

fn new_interface(interface: &Interface, occasion: Occasion<'_>) -> Result<NewInterface, Fault> {
    match *interface {
        Interface { port: Some(_), subnet: Some(_) } => {
            Err(Fault::bad_part("router", "Cannot specify both subnet-id and port-id"))
        }
        Interface { port: Some(id), subnet: None } => {
            let port = seen::<Port>(&id.to_string(), occasion.caller, occasion.topology)?;
            within_pools(port, occasion)?;
            Ok(NewInterface::Port(PortId(id)))
        }
        Interface { port: None, subnet } => {
            let id = subnet.unwrap_or_default();
            let subnet = seen::<Subnet>(&id.to_string(), occasion.caller, occasion.topology)?;
            if !occasion.caller.admin && !occasion.caller.owns(&subnet.project_id) {
                return Err(Fault::bad_part(
                    "router",
                    format_args!(
                        "Cannot add interface to router because subnet {id} is not owned by project making the request"
                    ),
                ));
            }
            Ok(NewInterface::Subnet { subnet: SubnetId(id), port: PortId(Uuid::new_v4()) })
        }
    }
}

/// Refuses a port with an address that only the owner of the subnet may give out.
fn within_pools(port: &Port, occasion: Occasion<'_>) -> Result<(), Fault> {
    if occasion.caller.admin {
        return Ok(());
    }
    for fixed in &port.fixed_ips {
        let Some(subnet) = occasion.topology.subnet(fixed.subnet_id) else { continue };
        let pooled = subnet.allocation_pools.iter().any(|pool| (pool.start..=pool.end).contains(&fixed.ip_address));
        if !pooled && !occasion.caller.owns(&subnet.project_id) {
            return Err(Fault::bad_part(
                "router",
                format_args!(
                    "Cannot add interface to router because specified port {} has an IP address out of the \
                     allocation pool of subnet {}, which is not owned by the project making the request",
                    port.id, subnet.id
                ),
            ));
        }
    }
    Ok(())
}

fn old_interface(interface: &Interface, occasion: Occasion<'_>) -> Result<OldInterface, Fault> {
    match *interface {
        Interface { port: Some(port), subnet: Some(subnet) } => Ok(OldInterface::Both(PortId(port), SubnetId(subnet))),
        Interface { port: Some(port), subnet: None } => Ok(OldInterface::Port(PortId(port))),
        Interface { port: None, subnet } => {
            let id = subnet.unwrap_or_default();
            seen::<Subnet>(&id.to_string(), occasion.caller, occasion.topology)?;
            Ok(OldInterface::Subnet(SubnetId(id)))
        }
    }
}

/// What is answered about an interface; `chosen` is the subnet that stands for all.
fn interface_info(outcome: &Outcome, chosen: fn(&[SubnetId]) -> Option<&SubnetId>) -> Option<Vec<u8>> {
    let Outcome::RouterInterface { router, port, subnets } = outcome else { return None };
    let info = json!({
        "id": router.id.0,
        "tenant_id": port.project_id.as_str(),
        "project_id": port.project_id.as_str(),
        "port_id": port.id.0,
        "network_id": port.network_id.0,
        "subnet_id": chosen(subnets).map(|subnet| subnet.0),
        "subnet_ids": subnets.iter().map(|subnet| subnet.0).collect::<Vec<_>>(),
    });
    Some(info.to_string().into_bytes())
}
