//! The resources of the API: for each its table and what the model is asked for it.

mod address_group;
mod network;
mod port;
mod router;
mod security_group;
mod security_group_rule;
mod standard;
mod subnet;

pub(crate) use standard::Record;

use super::attribute::{Table, Values};
use super::caller::Caller;
use super::fault::Fault;
use super::query::Query;
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{Command, Outcome, ProjectId, Topology};

/// Objects of a kind, as the model holds them.
pub(crate) type Objects<'a, R> = Box<dyn Iterator<Item = &'a Arc<R>> + 'a>;

/// A change of one object.
pub(crate) struct Update {
    /// What the model is asked.
    pub(crate) command: Command,
    /// Whether the command was made from the object as it is, so that it is wrong once the object has changed.
    pub(crate) relative: bool,
}

/// What is done with an object besides changing its attributes, by `PUT /{path}/{id}/{action}`.
pub(crate) struct Action<R: 'static> {
    /// Its name in paths.
    pub(crate) name: &'static str,
    /// What the model is asked, by the members of the body.
    pub(crate) command: ToCommand<R>,
    /// The body of the answer, where that is not the object.
    pub(crate) answer: fn(&Outcome) -> Option<Vec<u8>>,
}

/// Makes a command of the members of a body.
type ToCommand<R> = fn(&R, Map<String, Value>, Occasion<'_>) -> Result<Command, Fault>;

/// Who asks for an action, and of what.
#[derive(Clone, Copy)]
pub(crate) struct Occasion<'a> {
    /// Who asks.
    pub(crate) caller: &'a Caller,
    /// What is there.
    pub(crate) topology: &'a Topology,
    /// The revision that the object must have.
    pub(crate) if_revision: Option<u64>,
}

/// A kind of object with an attribute table.
pub(crate) trait Resource: Record + Sized + Send + Sync + 'static {
    /// The name of one, in bodies.
    const NAME: &'static str;
    /// The name of several, in bodies.
    const COLLECTION: &'static str;
    /// The name of several, in paths.
    const PATH: &'static str = Self::COLLECTION;
    /// Its attributes.
    const TABLE: Table<Self>;
    /// What else is done with one.
    const ACTIONS: &'static [Action<Self>] = &[];

    /// 404 for an id that no object has.
    fn absent(id: &str) -> Fault;

    /// The one with this id.
    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>>;

    /// All that can pass the query, and perhaps more.
    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self>;

    /// What must be made before a list is shown.
    fn prerequisite(_query: &Query<Self>, _caller: &Caller, _topology: &Topology) -> Option<Command> {
        None
    }

    /// Whether it is the caller's.
    fn owned_by(&self, caller: &Caller, _topology: &Topology) -> bool {
        caller.owns(self.project())
    }

    /// Whether someone other than the owner may see it.
    fn shared_with(&self, _caller: &Caller, _topology: &Topology) -> bool {
        false
    }

    /// Whether the caller may create what the values describe.
    ///
    /// # Errors
    /// 403 or 404.
    fn may_create(_values: &Values, _caller: &Caller, _topology: &Topology) -> Result<(), Fault> {
        Ok(())
    }

    /// The command that creates what was asked for, all or nothing.
    ///
    /// # Errors
    /// 400 or 404 for what no table can tell.
    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault>;

    /// Whether the caller, who may change the object, may change it to what the values describe.
    ///
    /// # Errors
    /// 403, 404 or 409.
    fn may_update(&self, _values: &Values, _caller: &Caller, _topology: &Topology) -> Result<(), Fault> {
        Ok(())
    }

    /// The command that changes an object.
    ///
    /// # Errors
    /// 400 or 404 for what no table can tell; 405 where nothing can be changed.
    fn update(&self, _values: Values, _topology: &Topology, _if_revision: Option<u64>) -> Result<Update, Fault> {
        Err(Fault::method_not_allowed())
    }

    /// Whether the caller, who may change the object, may delete it.
    ///
    /// # Errors
    /// 409.
    fn may_delete(&self, _caller: &Caller) -> Result<(), Fault> {
        Ok(())
    }

    /// The command that deletes an object.
    fn delete(id: Uuid, if_revision: Option<u64>) -> Command;

    /// The objects that an outcome holds.
    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>>;

    /// Whether a caller may see the object.
    fn visible(&self, caller: &Caller, topology: &Topology) -> bool {
        caller.admin || self.owned_by(caller, topology) || self.shared_with(caller, topology)
    }
}

/// A kind of object that can carry tags.
pub(crate) trait Tagged: Resource {
    /// Its tags.
    fn tags(&self) -> &BTreeSet<String>;

    /// The command that gives an object these tags.
    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command;
}

/// Finds an object that the caller may see, by the id that a body names.
///
/// # Errors
/// 404.
pub(crate) fn seen<'t, R: Resource>(id: &str, caller: &Caller, topology: &'t Topology) -> Result<&'t Arc<R>, Fault> {
    Uuid::parse_str(id)
        .ok()
        .and_then(|uuid| R::get(topology, uuid))
        .filter(|object| object.visible(caller, topology))
        .ok_or_else(|| R::absent(id))
}

/// Takes the wished availability zones out. No host has one yet, so that none can be found.
fn no_zones(values: &mut Values) -> Result<(), Fault> {
    match values.texts("availability_zone_hints").unwrap_or_default().first() {
        None => Ok(()),
        Some(zone) => {
            Err(Fault::absent("AvailabilityZoneNotFound", format_args!("AvailabilityZone {zone} could not be found.")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::attribute::{OnCreate, for_create, for_update};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use weir_model::{AddressGroup, Limits, Network, Port, Router, SecurityGroup, SecurityGroupRule, Subnet};

    /// JSON of every shape, with texts that come close to what rules look for.
    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".*",
            "[0-9a-f:./-]{0,20}",
            r"(10|fd00|255|0)[.:]{1,2}[0-9.:]{0,8}(/[0-9]{1,3})?",
            Just("6f9619ff-8b86-d011-b42d-00cf4fc964ff".to_owned()),
            Just("vxlan".to_owned()),
            Just("default".to_owned()),
            Just("icmp".to_owned()),
            Just("ipv6".to_owned()),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("ip_address"),
            Just("subnet_id"),
            Just("mac_address"),
            Just("start"),
            Just("end"),
            Just("destination"),
            Just("nexthop"),
            Just("opt_name"),
            Just("opt_value"),
            Just("ip_version"),
            Just("network_id"),
        ];
        leaf.prop_recursive(3, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..4).prop_map(|members| {
                    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
                }),
            ]
        })
    }

    /// Judges a value as every attribute of a resource; whatever it is, the answer is a command or a 4xx.
    fn judged<R: Resource>(value: &Value, least: &Value) {
        let caller = Caller { project: Some(ProjectId::from("p")), admin: true };
        let mut topology = Topology::new(Limits::default());
        let client_error = |fault: Fault| assert!(fault.status.is_client_error(), "{fault:?}");
        for attribute in R::TABLE.iter().filter(|it| it.create != OnCreate::Refused) {
            let mut body: Map<String, Value> = least.as_object().cloned().unwrap_or_default();
            body.insert(attribute.name.to_owned(), value.clone());
            let command = for_create(R::TABLE, R::NAME, body, &caller).and_then(|asked| R::create(vec![asked]));
            match command {
                Ok(command) => {
                    let request = weir_model::Request { command, at: weir_model::Timestamp(0) };
                    if let Ok((after, _, outcome)) = topology.transact(request) {
                        topology = after;
                        assert_eq!(R::of(outcome).map(|made| made.len()), Some(1));
                    }
                }
                Err(fault) => client_error(fault),
            }
        }
        for attribute in R::TABLE.iter().filter(|it| it.update) {
            let body = Map::from_iter([(attribute.name.to_owned(), value.clone())]);
            if let Err(fault) = for_update(R::TABLE, R::NAME, body, &caller) {
                client_error(fault);
            }
        }
    }

    proptest! {
        #[test]
        fn any_value_is_judged(value in any_json()) {
            let id = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
            judged::<Network>(&value, &json!({}));
            judged::<Subnet>(&value, &json!({"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/24"}));
            judged::<Port>(&value, &json!({ "network_id": id }));
            judged::<SecurityGroup>(&value, &json!({}));
            judged::<SecurityGroupRule>(&value, &json!({"security_group_id": id, "direction": "ingress"}));
            judged::<AddressGroup>(&value, &json!({}));
            judged::<Router>(&value, &json!({}));
        }
    }
}
