//! What is done with a resource: the same for all of them, guided by their tables.

use super::admission::Busy;
use super::attribute::{Attribute, Values, for_create, for_update};
use super::backend::{ApiRequest, Backend, Failure, RequestId};
use super::caller::Caller;
use super::fault::Fault;
use super::query::{Parameters, Query, fields, link};
use super::resource::{Action, Occasion, Resource, seen};
use super::view::View;
use axum::http::StatusCode;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;
use uuid::Uuid;
use weir_model::{Command, HostName, Outcome, PortId, Rejection, Topology};

/// Most objects of one bulk request.
const MAX_BULK: usize = 10_000;
/// How often a command made from an object is made anew when the object has changed meanwhile.
const ATTEMPTS: usize = 16;

/// An answer with a body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
}

/// What an operation needs to know besides the request.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) request: RequestId,
    pub(crate) backend: &'a Backend,
    pub(crate) caller: &'a Caller,
    pub(crate) dns_domain: &'a str,
}

impl Scene<'_> {
    fn view<'v>(&'v self, topology: &'v Topology, lagging: &'v [HostName]) -> View<'v> {
        View { topology, dns_domain: self.dns_domain, lagging }
    }

    /// Hands a command to the controller and waits for its answer.
    pub(crate) async fn submit(&self, command: Command) -> Result<Outcome, Failed> {
        let (reply, answer) = oneshot::channel();
        self.backend.commands.try_send(ApiRequest { id: self.request, command, reply }).map_err(
            |error| match error {
                TrySendError::Full(_) => Failed::Fault(Fault::busy(Busy::Commands)),
                TrySendError::Closed(_) => Failed::Fault(Failure::ShuttingDown.into()),
            },
        )?;
        match answer.await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(Failure::Rejected(rejection))) => Err(Failed::Rejected(rejection)),
            Ok(Err(failure)) => Err(Failed::Fault(failure.into())),
            Err(_) => Err(Failed::Fault(Failure::ShuttingDown.into())),
        }
    }

    /// Finds an object that the caller may see.
    pub(crate) fn find<'t, R: Resource>(&self, topology: &'t Topology, id: &str) -> Result<&'t Arc<R>, Fault> {
        seen::<R>(id, self.caller, topology)
    }

    /// Finds an object that the caller may change.
    pub(crate) fn find_own<'t, R: Resource>(
        &self,
        topology: &'t Topology,
        id: &str,
        action: &str,
    ) -> Result<&'t Arc<R>, Fault> {
        let object = self.find::<R>(topology, id)?;
        if self.caller.admin || object.owned_by(self.caller, topology) {
            Ok(object)
        } else {
            Err(Fault::forbidden(&format!("rule:{action}_{}", R::NAME)))
        }
    }
}

/// Why a command was not carried out.
pub(crate) enum Failed {
    /// The model refused it.
    Rejected(Rejection),
    /// It did not get so far.
    Fault(Fault),
}

impl From<Failed> for Fault {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Rejected(rejection) => rejection.into(),
            Failed::Fault(fault) => fault,
        }
    }
}

impl Failed {
    /// Whether the object had another revision than the command was made from.
    pub(crate) fn is_stale(&self) -> bool {
        matches!(self, Self::Rejected(Rejection::RevisionNumberConstraintFailed { .. }))
    }
}

/// An object in an answer: the attributes that are asked for and may be seen.
struct Shape<'a, R: 'static> {
    object: &'a R,
    attributes: &'a [&'static Attribute<R>],
    view: &'a View<'a>,
}

impl<R> Serialize for Shape<'_, R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for attribute in self.attributes {
            map.serialize_entry(attribute.name, &(attribute.read)(self.object, self.view))?;
        }
        map.end()
    }
}

/// The attributes of an answer.
fn chosen<R: Resource>(caller: &Caller, fields: &[String], alone: bool) -> Vec<&'static Attribute<R>> {
    R::TABLE
        .iter()
        .filter(|attribute| attribute.visible && caller.is(attribute.see) && (alone || !attribute.show_only))
        .filter(|attribute| fields.is_empty() || fields.iter().any(|name| name == attribute.name))
        .collect()
}

/// `{"network": {..}}`
fn single<R: Resource>(object: &R, attributes: &[&'static Attribute<R>], view: &View<'_>) -> Vec<u8> {
    let mut body = Vec::with_capacity(1024);
    body.extend_from_slice(b"{\"");
    body.extend_from_slice(R::NAME.as_bytes());
    body.extend_from_slice(b"\":");
    append(&mut body, &Shape { object, attributes, view });
    body.push(b'}');
    body
}

/// `{"networks": [..], "networks_links": [..]}`
fn several<'a, R: Resource>(
    objects: impl Iterator<Item = &'a Arc<R>>,
    attributes: &[&'static Attribute<R>],
    view: &View<'_>,
    links: &[Link],
) -> Vec<u8> {
    let mut body = Vec::with_capacity(4096);
    body.extend_from_slice(b"{\"");
    body.extend_from_slice(R::COLLECTION.as_bytes());
    body.extend_from_slice(b"\":[");
    for (index, object) in objects.enumerate() {
        if index > 0 {
            body.push(b',');
        }
        append(&mut body, &Shape { object: object.as_ref(), attributes, view });
    }
    body.push(b']');
    if !links.is_empty() {
        body.extend_from_slice(b",\"");
        body.extend_from_slice(R::COLLECTION.as_bytes());
        body.extend_from_slice(b"_links\":");
        append(&mut body, &links);
    }
    body.push(b'}');
    body
}

fn append(body: &mut Vec<u8>, value: &impl Serialize) {
    serde_json::to_writer(body, value).expect("values of the model serialise into memory");
}

/// Where another page is.
#[derive(serde::Serialize)]
struct Link {
    rel: &'static str,
    href: String,
}

/// Shows one object.
pub(crate) fn show<R: Resource>(scene: Scene<'_>, id: &str, parameters: &Parameters<'_>) -> Result<Answer, Fault> {
    let topology = scene.backend.snapshot.load();
    let object = scene.find::<R>(&topology, id)?;
    let attributes = chosen::<R>(scene.caller, &fields(parameters), true);
    let lagging = if attributes.iter().any(|attribute| attribute.show_only) {
        scene.backend.progress.port(PortId(object.id())).waiting_for
    } else {
        Vec::new()
    };
    let body = single(object.as_ref(), &attributes, &scene.view(&topology, &lagging));
    Ok(Answer { status: StatusCode::OK, body })
}

/// Lists the objects that pass a query.
pub(crate) async fn list<R: Resource>(
    scene: Scene<'_>,
    url: &str,
    parameters: &Parameters<'_>,
) -> Result<Answer, Fault> {
    let query = Query::<R>::read(R::TABLE, parameters)?;
    let prerequisite = R::prerequisite(&query, scene.caller, &scene.backend.snapshot.load());
    if let Some(command) = prerequisite {
        scene.submit(command).await?;
    }
    let topology = scene.backend.snapshot.load();
    let view = scene.view(&topology, &[]);
    let mut objects: Vec<&Arc<R>> = R::candidates(&topology, &query)
        .filter(|object| object.visible(scene.caller, &topology) && query.passes(object, &view))
        .collect();
    sort(&mut objects, &query, &view);
    let page = page(&objects, &query)?;
    let links = links::<R>(page, &query, url, parameters);
    let attributes = chosen::<R>(scene.caller, &query.fields, false);
    let body = several(page.iter().copied(), &attributes, &view, &links);
    Ok(Answer { status: StatusCode::OK, body })
}

/// Sorts by the keys asked for, then by id.
fn sort<R: Resource>(objects: &mut [&Arc<R>], query: &Query<R>, view: &View<'_>) {
    objects.sort_by(|a, b| {
        let keys = query.sorts.iter().map(|(attribute, ascending)| {
            let order = (attribute.read)(a, view).order(&(attribute.read)(b, view));
            if *ascending { order } else { order.reverse() }
        });
        keys.fold(Ordering::Equal, Ordering::then).then_with(|| a.id().cmp(&b.id()))
    });
}

/// The part of a list that was asked for.
fn page<'o, 't, R: Resource>(objects: &'o [&'t Arc<R>], query: &Query<R>) -> Result<&'o [&'t Arc<R>], Fault> {
    let Some(limit) = query.limit else { return Ok(objects) };
    let marker = match query.marker.as_deref().filter(|marker| !marker.is_empty()) {
        None => None,
        Some(marker) => {
            let at = Uuid::parse_str(marker).ok().and_then(|id| objects.iter().position(|it| it.id() == id));
            Some(at.ok_or_else(|| R::absent(marker))?)
        }
    };
    let (start, end) = if query.reverse {
        let end = marker.unwrap_or(objects.len());
        (end.saturating_sub(limit), end)
    } else {
        let start = marker.map_or(0, |at| at + 1);
        (start, start.saturating_add(limit).min(objects.len()))
    };
    Ok(&objects[start..end])
}

fn links<R: Resource>(page: &[&Arc<R>], query: &Query<R>, url: &str, parameters: &Parameters<'_>) -> Vec<Link> {
    let Some(limit) = query.limit else { return Vec::new() };
    let full = page.len() >= limit;
    let id = |object: Option<&&Arc<R>>| object.map(|it| it.id().to_string());
    let mut links = Vec::new();
    if full || query.reverse {
        let href = link(url, parameters, id(page.last()).as_deref(), false);
        links.push(Link { rel: "next", href });
    }
    if full || !query.reverse {
        let href = link(url, parameters, id(page.first()).as_deref(), true);
        links.push(Link { rel: "previous", href });
    }
    links
}

/// The objects of a create request.
enum Asked {
    One(Map<String, Value>),
    Bulk(Vec<Map<String, Value>>),
}

fn asked<R: Resource>(body: Value) -> Result<Asked, Fault> {
    let Value::Object(mut body) = body else { return Err(invalid_body()) };
    if body.is_empty() {
        return Err(Fault::bad_request("Resource body required"));
    }
    let Some(bulk) = body.remove(R::COLLECTION) else { return object::<R>(body).map(Asked::One) };
    let items = match bulk {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        _ => return Err(invalid_body()),
    };
    if items.is_empty() {
        return Err(Fault::bad_request("Resources required"));
    }
    if items.len() > MAX_BULK {
        return Err(Fault::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "HTTPRequestEntityTooLarge",
            format!("A bulk request has at most {MAX_BULK} objects."),
        ));
    }
    let items = items.into_iter().map(|item| match item {
        // A bulk may wrap each object in its name.
        Value::Object(item) if item.contains_key(R::NAME) => object::<R>(item),
        Value::Object(item) => Ok(item),
        _ => Err(invalid_body()),
    });
    items.collect::<Result<_, _>>().map(Asked::Bulk)
}

fn invalid_body() -> Fault {
    Fault::bad_request("Body contains invalid data")
}

/// The object that a body names.
fn object<R: Resource>(mut body: Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    match body.remove(R::NAME) {
        None | Some(Value::Null) => Err(Fault::bad_request(format!("Unable to find '{}' in request body", R::NAME))),
        Some(Value::Object(object)) => Ok(object),
        Some(_) => Err(Fault::bad_request(format!("Object '{}' contains invalid data", R::NAME))),
    }
}

/// Creates one object or several.
///
/// `single_limit` bounds the bytes of a body that asks for just one; `bytes` is what the body has.
pub(crate) async fn create<R: Resource>(
    scene: Scene<'_>,
    body: Value,
    bytes: usize,
    single_limit: usize,
) -> Result<Answer, Fault> {
    let (objects, bulk) = match asked::<R>(body)? {
        Asked::One(_) if bytes > single_limit => return Err(Fault::too_large(single_limit)),
        Asked::One(object) => (vec![object], false),
        Asked::Bulk(objects) => (objects, true),
    };
    let mut judged: Vec<(weir_model::ProjectId, Values)> = Vec::with_capacity(objects.len());
    {
        let topology = scene.backend.snapshot.load();
        for object in objects {
            let (project, values) = for_create(R::TABLE, R::NAME, object, scene.caller)?;
            R::may_create(&values, scene.caller, &topology)?;
            judged.push((project, values));
        }
    }
    let outcome = scene.submit(R::create(judged)?).await?;
    let made = R::of(outcome).ok_or_else(unexpected)?;
    let topology = scene.backend.snapshot.load();
    let attributes = chosen::<R>(scene.caller, &[], false);
    let view = scene.view(&topology, &[]);
    let body = match made.first() {
        Some(one) if !bulk => single(one.as_ref(), &attributes, &view),
        _ => several(made.iter(), &attributes, &view, &[]),
    };
    Ok(Answer { status: StatusCode::CREATED, body })
}

/// The body that shows the one object that was changed.
fn whole<R: Resource>(scene: Scene<'_>, changed: &[Arc<R>]) -> Result<Vec<u8>, Fault> {
    let one = changed.first().ok_or_else(unexpected)?;
    let topology = scene.backend.snapshot.load();
    let attributes = chosen::<R>(scene.caller, &[], false);
    Ok(single(one.as_ref(), &attributes, &scene.view(&topology, &[])))
}

fn unexpected() -> Fault {
    tracing::error!("the controller answered a command with the outcome of another kind");
    Fault::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "HTTPInternalServerError",
        "Request Failed: internal server error while processing your request.",
    )
}

/// Changes an object.
pub(crate) async fn update<R: Resource>(
    scene: Scene<'_>,
    id: &str,
    body: Value,
    if_revision: Option<u64>,
) -> Result<Answer, Fault> {
    let Value::Object(body) = body else { return Err(invalid_body()) };
    if body.contains_key(R::COLLECTION) {
        return Err(Fault::bad_request("Bulk operation not supported"));
    }
    let body = object::<R>(body)?;
    let mut attempts = 0..ATTEMPTS;
    loop {
        let update = {
            let topology = scene.backend.snapshot.load();
            let object = scene.find::<R>(&topology, id)?;
            let values = for_update(R::TABLE, R::NAME, body.clone(), scene.caller)?;
            let object_of_caller = scene.find_own::<R>(&topology, &object.id().to_string(), "update")?;
            object_of_caller.may_update(&values, scene.caller, &topology)?;
            object_of_caller.update(values, &topology, if_revision)?
        };
        match scene.submit(update.command).await {
            Ok(outcome) => {
                let body = whole(scene, &R::of(outcome).ok_or_else(unexpected)?)?;
                return Ok(Answer { status: StatusCode::OK, body });
            }
            Err(failed) => {
                let again = failed.is_stale() && update.relative && if_revision.is_none() && attempts.next().is_some();
                if !again {
                    return Err(failed.into());
                }
            }
        }
    }
}

/// Deletes an object.
pub(crate) async fn delete<R: Resource>(scene: Scene<'_>, id: &str, if_revision: Option<u64>) -> Result<(), Fault> {
    let uuid = {
        let topology = scene.backend.snapshot.load();
        let object = scene.find_own::<R>(&topology, id, "delete")?;
        object.may_delete(scene.caller)?;
        object.id()
    };
    scene.submit(R::delete(uuid, if_revision)).await?;
    Ok(())
}

/// Does something with an object that is no change of its attributes.
pub(crate) async fn act<R: Resource>(
    scene: Scene<'_>,
    id: &str,
    action: &Action<R>,
    body: Option<Value>,
    if_revision: Option<u64>,
) -> Result<Answer, Fault> {
    let body = match body {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(body)) => body,
        Some(_) => return Err(invalid_body()),
    };
    let command = {
        let topology = scene.backend.snapshot.load();
        let object = scene.find::<R>(&topology, id)?;
        if !scene.caller.admin && !object.owned_by(scene.caller, &topology) {
            return Err(Fault::forbidden(&format!("rule:{}", action.name)));
        }
        let current = object.revision();
        if let Some(expected) = if_revision.filter(|expected| *expected != current) {
            return Err(Rejection::RevisionNumberConstraintFailed { expected, current }.into());
        }
        (action.command)(object, body, Occasion { caller: scene.caller, topology: &topology, if_revision })?
    };
    let outcome = scene.submit(command).await?;
    let body = match (action.answer)(&outcome) {
        Some(body) => body,
        None => whole(scene, &R::of(outcome).ok_or_else(unexpected)?)?,
    };
    Ok(Answer { status: StatusCode::OK, body })
}

/// How often [`crate::api::tags`] tries to change tags that others change too.
pub(crate) const TAG_ATTEMPTS: usize = ATTEMPTS;
