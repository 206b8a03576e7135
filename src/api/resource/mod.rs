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
