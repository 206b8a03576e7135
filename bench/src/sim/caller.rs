//! A caller of the REST API with a connection that it keeps.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// The largest answer that is taken.
const ANSWER_MAX: u64 = 256 << 20;

/// A caller.
#[derive(Debug)]
pub struct Caller {
    agent: ureq::Agent,
    base: String,
}

impl Caller {
    /// A caller of the API at this address.
    pub fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder().proxy(None).timeout_global(Some(PATIENCE)).build();
        Self { agent: config.into(), base: format!("http://{address}") }
    }

    /// Reads.
    pub fn get(&self, path: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    /// Reads, and leaves the answer as it came.
    pub fn text(&self, path: &str) -> Result<String, Failure> {
        let mut reply =
            self.agent.get(format!("{}{path}", self.base)).call().map_err(|error| format!("{path}: {error}"))?;
        Ok(reply.body_mut().with_config().limit(ANSWER_MAX).read_to_string()?)
    }

    /// Creates one object; what it became.
    pub fn create(&self, project: &str, resource: &str, attributes: &Value) -> Result<Value, Failure> {
        let path = format!("/v2.0/{}s", resource.replace('_', "-"));
        Ok(self.post(project, &path, &json!({ resource: attributes }))?[resource].take())
    }

    /// Creates many objects by one request.
    pub fn create_all(&self, project: &str, resource: &str, all: &[Value]) -> Result<Vec<Value>, Failure> {
        let collection = format!("{resource}s");
        let path = format!("/v2.0/{}", collection.replace('_', "-"));
        match self.post(project, &path, &json!({ &collection: all }))?[&collection].take() {
            Value::Array(made) => Ok(made),
            other => Err(format!("{path}: not a list: {other}").into()),
        }
    }

    /// Connects a subnet to a router.
    pub fn add_interface(&self, project: &str, router: &str, subnet: &str) -> Result<(), Failure> {
        let path = format!("/v2.0/routers/{router}/add_router_interface");
        let request = self.agent.put(format!("{}{path}", self.base)).header("X-Project-Id", project);
        request.send_json(json!({"subnet_id": subnet})).map_err(|error| format!("{path}: {error}"))?;
        Ok(())
    }

    fn post(&self, project: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base)).header("X-Project-Id", project);
        let mut reply = request.send_json(body).map_err(|error| format!("{path}: {error}"))?;
        let text = reply.body_mut().with_config().limit(ANSWER_MAX).read_to_string()?;
        Ok(serde_json::from_str(&text)?)
    }
}

/// The id of an object.
pub(crate) fn id(object: &Value) -> Result<String, Failure> {
    Ok(object["id"].as_str().ok_or_else(|| format!("no id: {object}"))?.to_owned())
}
