//! A client of Weir's REST API that reaches into the lab.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use super::{LabError, Namespace};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(30);

/// The longest body that is read, in bytes.
const MAX_BODY: u64 = 256 << 20;

/// An answer of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status code.
    pub status: u16,
    /// The JSON body; null if there is none.
    pub body: Value,
}

/// A client: one request, one connection, opened within the controller's namespace.
#[derive(Clone, Debug)]
pub struct Api {
    namespace: Namespace,
    address: SocketAddr,
    project: Option<String>,
}

impl Api {
    /// A client of the controller that listens on `address` within `namespace`.
    pub fn new(namespace: Namespace, address: SocketAddr) -> Self {
        Self { namespace, address, project: None }
    }

    /// The same, for a project: what is created belongs to it.
    #[must_use]
    pub fn for_project(&self, project: &str) -> Self {
        Self { project: Some(project.to_owned()), ..self.clone() }
    }

    /// Creates a resource of `collection` and returns it.
    pub fn create(&self, collection: &str, attributes: Value) -> Result<Value, LabError> {
        let resource = singular(collection);
        let body = json!({ resource.as_str(): attributes });
        self.resource("POST", collection, "", Some(&body), &resource)
    }

    /// Shows one resource.
    pub fn show(&self, collection: &str, id: &str) -> Result<Value, LabError> {
        self.resource("GET", collection, id, None, &singular(collection))
    }

    /// Changes attributes of a resource and returns it.
    pub fn update(&self, collection: &str, id: &str, attributes: Value) -> Result<Value, LabError> {
        let resource = singular(collection);
        let body = json!({ resource.as_str(): attributes });
        self.resource("PUT", collection, id, Some(&body), &resource)
    }

    /// Does to a resource what has a path of its own, such as `/v2.0/routers/ID/add_router_interface`.
    pub fn put(&self, path: &str, body: &Value) -> Result<Value, LabError> {
        Ok(self.accepted("PUT", path, Some(body))?.body)
    }

    /// Lists the resources that match a query such as `?name=x`, or all with an empty one.
    pub fn list(&self, collection: &str, query: &str) -> Result<Vec<Value>, LabError> {
        let path = format!("/v2.0/{collection}{query}");
        match self.accepted("GET", &path, None)?.body[plural(collection)].take() {
            Value::Array(resources) => Ok(resources),
            _ => Err(LabError::Answer { path, reason: format!("no list {collection:?}") }),
        }
    }

    /// Deletes a resource.
    pub fn delete(&self, collection: &str, id: &str) -> Result<(), LabError> {
        self.accepted("DELETE", &format!("/v2.0/{collection}/{id}"), None).map(drop)
    }

    fn resource(
        &self,
        method: &str,
        collection: &str,
        id: &str,
        body: Option<&Value>,
        resource: &str,
    ) -> Result<Value, LabError> {
        let path = if id.is_empty() { format!("/v2.0/{collection}") } else { format!("/v2.0/{collection}/{id}") };
        match self.accepted(method, &path, body)?.body[resource].take() {
            Value::Null => Err(LabError::Answer { path, reason: format!("no {resource:?}") }),
            value => Ok(value),
        }
    }

    /// A request whose answer must be a success.
    fn accepted(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, LabError> {
        let answer = self.request(method, path, body)?;
        if (200..300).contains(&answer.status) {
            return Ok(answer);
        }
        Err(LabError::Api {
            method: method.to_owned(),
            path: path.to_owned(),
            status: answer.status,
            body: answer.body.to_string(),
        })
    }

    /// A request, whatever its answer.
    pub fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer, LabError> {
        let body = body.map_or_else(Vec::new, |body| body.to_string().into_bytes());
        self.request_bytes(method, path, &body)
    }

    /// A request with any bytes as its body.
    pub fn request_bytes(&self, method: &str, path: &str, body: &[u8]) -> Result<Answer, LabError> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("Content-Type", "application/json");
        if let Some(project) = &self.project {
            request = request.header("X-Project-Id", project);
        }
        let malformed = |reason: String| LabError::Answer { path: path.to_owned(), reason };
        let request = request.body(body).map_err(|error| malformed(error.to_string()))?;
        // A connection is opened, used and closed within the namespace.
        let (status, text) = self
            .namespace
            .within(|| {
                let agent = ureq::Agent::new_with_config(
                    ureq::Agent::config_builder()
                        .timeout_global(Some(LIMIT))
                        .http_status_as_error(false)
                        .allow_non_standard_methods(true)
                        .proxy(None)
                        .build(),
                );
                let mut response = agent.run(request)?;
                let text = response.body_mut().with_config().limit(MAX_BODY).read_to_string()?;
                Ok((response.status().as_u16(), text))
            })?
            .map_err(|error: ureq::Error| LabError::Io { what: format!("{method} {path}"), source: error.into_io() })?;
        let body = if text.is_empty() {
            Value::Null
        } else {
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?
        };
        Ok(Answer { status, body })
    }
}

/// The name of one resource of a collection, and of the list of all: paths have dashes where bodies have underscores.
fn singular(collection: &str) -> String {
    plural(collection).trim_end_matches('s').to_owned()
}

/// The name of a collection in bodies.
fn plural(collection: &str) -> String {
    collection.replace('-', "_")
}
