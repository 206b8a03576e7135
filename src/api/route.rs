//! Which request goes where.

use super::admission::Admission;
use super::backend::{Backend, RequestId};
use super::caller::Caller;
use super::fault::Fault;
use super::operate::{self, Answer, Scene};
use super::places::Peer;
use super::query::{Parameters, decoded};
use super::request::Ration;
use super::resource::{Resource, Tagged};
use super::{ApiConfig, extension, request, tags, version, weir};
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;
use weir_model::{AddressGroup, Network, Port, SecurityGroup, SecurityGroupRule, Subnet};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-openstack-request-id");

/// Most segments of a path.
const MAX_SEGMENTS: usize = 8;

struct Front {
    backend: Backend,
    config: ApiConfig,
    ration: Ration,
    admission: Arc<Admission>,
}

/// The API as a service. Every path is answered, errors included, in JSON.
pub fn router(backend: Backend, config: ApiConfig, admission: Arc<Admission>) -> Router {
    let ration = Ration::new(config.bodies_max);
    Router::new().fallback(front).with_state(Arc::new(Front { backend, config, ration, admission }))
}

/// Gives every answer its id and its line in the log.
async fn front(State(front): State<Arc<Front>>, request: Request) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = RequestId::random();
    let project = request.headers().get("x-project-id").and_then(|it| it.to_str().ok()).map(str::to_owned);
    let peer = request.extensions().get::<Peer>().cloned();
    let peer = peer.unwrap_or_else(|| Peer::unknown(&front.admission));
    let answered = answer(&front, &peer, id, request).await.and_then(|answer| respond(&front, &peer, answer));
    let mut response = answered.unwrap_or_else(|fault| {
        tracing::debug!(request = %id, kind = %fault.kind, message = %fault.message, "refused");
        if let Some(busy) = fault.busy {
            front.admission.turn_away(busy);
        }
        fault.into_response()
    });
    tracing::debug!(
        request = %id,
        %method,
        %path,
        project = project.as_deref(),
        status = response.status().as_u16(),
        bytes = axum::body::HttpBody::size_hint(response.body()).exact(),
        micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX),
        "api"
    );
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

fn respond(front: &Front, peer: &Peer, answer: Answer) -> Result<Response, Fault> {
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(answer.status.into_response());
    }
    let mut response = Response::new(front.admission.answer(&peer.client, answer.body)?);
    *response.status_mut() = answer.status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The segments of a path, decoded; empty ones at the end do not count.
fn segments(path: &str) -> Result<Vec<Cow<'_, str>>, Fault> {
    let mut segments = Vec::with_capacity(4);
    for segment in path.trim_matches('/').split('/').filter(|segment| !segment.is_empty()) {
        if segments.len() == MAX_SEGMENTS {
            return Err(Fault::not_found());
        }
        segments.push(decoded(segment)?);
    }
    Ok(segments)
}

async fn answer(front: &Front, peer: &Peer, id: RequestId, request: Request) -> Result<Answer, Fault> {
    let (parts, body) = request.into_parts();
    let (method, headers) = (&parts.method, &parts.headers);
    let segments = segments(parts.uri.path())?;
    let path: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
    // The body is read in any case: a client that is still sending would miss the answer.
    let mut share = front.ration.share();
    let limit = body_max(method, &path, &front.config);
    let bytes = request::body(headers, body, limit, front.config.body_timeout, &mut share).await?;
    // A body that comes slowly keeps nobody from work.
    let _work = peer.work().ok_or_else(|| Fault::unavailable("The connection is being closed."))?;
    let _admitted = front.admission.enter(&peer.client)?;
    let _turn = if puts_together(method, &path) { Some(front.admission.turn(&peer.client).await?) } else { None };
    let caller = Caller::of(headers, &front.config)?;
    let scene = Scene { request: id, backend: &front.backend, caller: &caller, dns_domain: &front.config.dns_domain };
    let base = || request::base(&parts.uri, headers);
    let ok = |body| Ok(Answer { status: StatusCode::OK, body });
    match path.as_slice() {
        [] if method == Method::GET => ok(version::versions(&base())),
        [] => Err(Fault::method_not_allowed()),
        ["weir", "v1", rest @ ..] => weir::answer(scene, method, rest, json(method, headers, &bytes)?).await,
        ["v2.0" | "v2.0.json"] if method == Method::GET => {
            let names = [
                (Network::NAME, Network::COLLECTION),
                (Subnet::NAME, Subnet::COLLECTION),
                (Port::NAME, Port::COLLECTION),
            ];
            ok(version::resources(&base(), &names))
        }
        ["v2.0" | "v2.0.json"] => Err(Fault::method_not_allowed()),
        ["v2.0", collection, rest @ ..] => {
            let (collection, rest) = unsuffixed(collection, rest);
            let target = Target { scene, config: &front.config, parts: &parts, rest: &rest };
            match collection {
                Network::PATH => target.tagged::<Network>(&bytes).await,
                Subnet::PATH => target.tagged::<Subnet>(&bytes).await,
                Port::PATH => target.tagged::<Port>(&bytes).await,
                SecurityGroup::PATH => target.tagged::<SecurityGroup>(&bytes).await,
                SecurityGroupRule::PATH => target.answer::<SecurityGroupRule>(&bytes).await,
                AddressGroup::PATH => target.answer::<AddressGroup>(&bytes).await,
                weir_model::Router::PATH => target.tagged::<weir_model::Router>(&bytes).await,
                "extensions" if method != Method::GET => Err(Fault::not_found()),
                "extensions" => match rest.as_slice() {
                    [] => ok(extension::all()),
                    [alias] => ok(extension::one(alias)?),
                    _ => Err(Fault::not_found()),
                },
                _ => Err(Fault::not_found()),
            }
        }
        _ => Err(Fault::not_found()),
    }
}

/// Whether the answer is put together from any number of objects.
fn puts_together(method: &Method, path: &[&str]) -> bool {
    method == Method::GET && matches!(path, ["v2.0", _] | ["weir", "v1", "hosts"])
}

/// Bytes of the largest body that is taken.
fn body_max(method: &Method, path: &[&str], config: &ApiConfig) -> usize {
    match path {
        ["weir", "v1", "flows", "explain"] => config.dump_body_max,
        ["v2.0", _] if method == Method::POST => config.bulk_body_max,
        _ => config.single_body_max,
    }
}

/// Takes `.json` off the end of a path, unless it is the end of a tag.
fn unsuffixed<'a>(collection: &'a str, rest: &[&'a str]) -> (&'a str, Vec<&'a str>) {
    let bare = |text: &'a str| text.strip_suffix(".json").unwrap_or(text);
    let mut rest = rest.to_vec();
    match rest.as_mut_slice() {
        [] => (bare(collection), rest),
        [last] | [_, last] => {
            *last = bare(last);
            (collection, rest)
        }
        _ => (collection, rest),
    }
}

/// The body of a request that may have one, as JSON; `None` where there is none.
fn json(method: &Method, headers: &HeaderMap, bytes: &[u8]) -> Result<Option<Value>, Fault> {
    match *method {
        _ if bytes.is_empty() => Ok(None),
        Method::DELETE => Err(Fault::bad_request("Request body is not supported in DELETE.")),
        Method::POST | Method::PUT => {
            request::expect_json(headers)?;
            request::json(bytes).map(Some)
        }
        _ => Ok(None),
    }
}

/// A request of a resource.
struct Target<'a> {
    scene: Scene<'a>,
    config: &'a ApiConfig,
    parts: &'a axum::http::request::Parts,
    /// The path after the collection.
    rest: &'a [&'a str],
}

impl Target<'_> {
    /// Answers what is asked of a resource, its tags apart.
    async fn answer<R: Resource>(&self, bytes: &[u8]) -> Result<Answer, Fault> {
        let scene = self.scene;
        let action = match *self.rest {
            [_, name] => Some(R::ACTIONS.iter().find(|action| action.name == name).ok_or_else(Fault::not_found)?),
            [] | [_] => None,
            _ => return Err(Fault::not_found()),
        };
        self.allow(match self.rest {
            [] => &[Method::GET, Method::POST],
            [_] if R::TABLE.iter().any(|attribute| attribute.update) => &[Method::GET, Method::PUT, Method::DELETE],
            [_] => &[Method::GET, Method::DELETE],
            _ => &[Method::PUT],
        })?;
        let method = &self.parts.method;
        let if_revision = request::if_match(&self.parts.headers)?;
        let given = json(method, &self.parts.headers, bytes)?;
        let missing = || Fault::bad_request(format!("Unable to find '{}' in request body", R::NAME));
        match (self.rest, action) {
            ([], _) if method == Method::GET => {
                let url = format!("{}{}", request::base(&self.parts.uri, &self.parts.headers), self.parts.uri.path());
                operate::list::<R>(scene, &url, &self.parameters()?).await
            }
            ([], _) => {
                let body = given.ok_or_else(missing)?;
                operate::create::<R>(scene, body, bytes.len(), self.config.single_body_max).await
            }
            ([id, ..], Some(action)) => operate::act::<R>(scene, id, action, given, if_revision).await,
            ([id, ..], None) => match *method {
                Method::PUT => operate::update::<R>(scene, id, given.ok_or_else(missing)?, if_revision).await,
                Method::DELETE => {
                    operate::delete::<R>(scene, id, if_revision).await?;
                    Ok(Answer { status: StatusCode::NO_CONTENT, body: Vec::new() })
                }
                _ => operate::show::<R>(scene, id, &self.parameters()?),
            },
        }
    }

    /// Answers what is asked of a resource that can carry tags.
    async fn tagged<R: Tagged>(&self, bytes: &[u8]) -> Result<Answer, Fault> {
        let (id, tag) = match *self.rest {
            [id, "tags"] => (id, None),
            [id, "tags", tag] => (id, Some(tag)),
            _ => return self.answer::<R>(bytes).await,
        };
        self.allow(match tag {
            None => &[Method::GET, Method::POST, Method::PUT, Method::DELETE],
            Some(_) => &[Method::GET, Method::PUT, Method::DELETE],
        })?;
        let (method, headers) = (&self.parts.method, &self.parts.headers);
        let if_revision = request::if_match(headers)?;
        tags::answer::<R>(self.scene, method, id, tag, json(method, headers, bytes)?, if_revision).await
    }

    fn allow(&self, methods: &[Method]) -> Result<(), Fault> {
        if methods.contains(&self.parts.method) { Ok(()) } else { Err(Fault::method_not_allowed()) }
    }

    fn parameters(&self) -> Result<Parameters<'_>, Fault> {
        Parameters::read(self.parts.uri.query())
    }
}
