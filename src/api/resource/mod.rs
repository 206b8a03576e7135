//! The resources of the API: for each its table and what the model is asked for it.

mod network;
mod port;
mod subnet;

use super::attribute::{Table, Values};
use super::caller::Caller;
use super::fault::Fault;
use super::query::Query;
use axum::http::StatusCode;
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

/// A kind of object with an attribute table.
pub(crate) trait Resource: Sized + Send + Sync + 'static {
    /// The name of one, in bodies.
    const NAME: &'static str;
    /// The name of several, in bodies and paths.
    const COLLECTION: &'static str;
    /// The type of the fault that says there is none.
    const NOT_FOUND: &'static str;
    /// Its attributes.
    const TABLE: Table<Self>;

    /// Its id.
    fn id(&self) -> Uuid;

    /// Its owner.
    fn project(&self) -> &ProjectId;

    /// Its tags.
    fn tags(&self) -> &BTreeSet<String>;

    /// Counts its changes.
    fn revision(&self) -> u64;

    /// The one with this id.
    fn get(topology: &Topology, id: Uuid) -> Option<&Arc<Self>>;

    /// All that can pass the query, and perhaps more.
    fn candidates<'a>(topology: &'a Topology, query: &Query<Self>) -> Objects<'a, Self>;

    /// Whether someone other than the owner may see it.
    fn shared_with(&self, caller: &Caller, topology: &Topology) -> bool;

    /// Whether the caller may create what the values describe.
    ///
    /// # Errors
    /// 403 or 404.
    fn may_create(values: &Values, caller: &Caller, topology: &Topology) -> Result<(), Fault>;

    /// The command that creates what was asked for, all or nothing.
    ///
    /// # Errors
    /// 400 or 404 for what no table can tell.
    fn create(asked: Vec<(ProjectId, Values)>) -> Result<Command, Fault>;

    /// The command that changes an object.
    ///
    /// # Errors
    /// 400 or 404 for what no table can tell.
    fn update(&self, values: Values, topology: &Topology, if_revision: Option<u64>) -> Result<Update, Fault>;

    /// The command that gives an object these tags.
    fn retag(id: Uuid, tags: BTreeSet<String>, if_revision: Option<u64>) -> Command;

    /// The command that deletes an object.
    fn delete(id: Uuid, if_revision: Option<u64>) -> Command;

    /// The objects that an outcome holds.
    fn of(outcome: Outcome) -> Option<Vec<Arc<Self>>>;

    /// Whether a caller may see the object.
    fn visible(&self, caller: &Caller, topology: &Topology) -> bool {
        caller.admin || caller.owns(self.project()) || self.shared_with(caller, topology)
    }
}

/// 404 for an id that no object has.
pub(crate) fn absent<R: Resource>(id: &str) -> Fault {
    let (first, rest) = R::NAME.split_at(1);
    Fault::new(
        StatusCode::NOT_FOUND,
        R::NOT_FOUND,
        format!("{}{rest} {id} could not be found.", first.to_ascii_uppercase()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::attribute::{OnCreate, for_create, for_update};
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};
    use weir_model::{Limits, Network, Port, Subnet};

    /// JSON of every shape, with texts that come close to what rules look for.
    fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            ".*",
            "[0-9a-f:./-]{0,20}",
            r"(10|fd00|255|0)[.:]{1,2}[0-9.:]{0,8}(/[0-9]{1,3})?",
            Just("6f9619ff-8b86-d011-b42d-00cf4fc964ff".to_owned()),
            Just("vxlan".to_owned()),
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
        }
    }
}
