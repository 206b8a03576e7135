//! A plain HTTP client.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use ureq::http::{HeaderMap, Request};

/// An answer: status, headers, and the body as JSON (null when empty).
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    /// The body, when the status is the one expected.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Checks that it is a fault with this type and message.
    #[track_caller]
    pub(crate) fn fault(self, status: u16, kind: &str, message: &str) {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.body, json!({"NeutronError": {"type": kind, "message": message, "detail": ""}}));
        assert_eq!(self.headers["content-type"], "application/json");
    }
}

/// Speaks to one API for one project.
#[derive(Clone)]
pub(crate) struct Client {
    agent: ureq::Agent,
    pub(crate) base: String,
    headers: Vec<(&'static str, String)>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(60)))
            .http_status_as_error(false)
            .allow_non_standard_methods(true)
            .build();
        Self { agent: config.into(), base: format!("http://{address}"), headers: Vec::new() }
    }

    /// The same with another header.
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let mut client = self.clone();
        client.headers.push((name, value.to_owned()));
        client
    }

    pub(crate) fn project(&self, project: &str) -> Self {
        self.with("X-Project-Id", project)
    }

    pub(crate) fn raw(&self, method: &str, path: &str, body: Option<&[u8]>) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let mut response = match body {
            Some(body) => {
                if !self.headers.iter().any(|(name, _)| *name == "Content-Type") {
                    request = request.header("Content-Type", "application/json");
                }
                self.agent.run(request.body(body.to_vec()).unwrap()).unwrap()
            }
            None => self.agent.run(request.body(()).unwrap()).unwrap(),
        };
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let bytes = response.body_mut().with_config().limit(1 << 30).read_to_vec().unwrap();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        Answer { status, headers, body }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.raw("GET", path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.raw("POST", path, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Answer {
        self.raw("PUT", path, Some(body.to_string().as_bytes()))
    }

    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.raw("DELETE", path, None)
    }

    /// Creates an object and gives it back.
    #[track_caller]
    pub(crate) fn create(&self, resource: &str, body: Value) -> Value {
        let mut answer = self.post(&collection(resource), &json!({ resource: body })).expect(201);
        answer[resource].take()
    }

    /// Changes an object and gives it back.
    #[track_caller]
    pub(crate) fn update(&self, resource: &str, id: &Value, body: Value) -> Value {
        let id = id.as_str().unwrap();
        let mut answer = self.put(&format!("{}/{id}", collection(resource)), &json!({ resource: body })).expect(200);
        answer[resource].take()
    }

    /// Shows an object.
    #[track_caller]
    pub(crate) fn show(&self, resource: &str, id: &Value) -> Value {
        let mut answer = self.get(&format!("{}/{}", collection(resource), id.as_str().unwrap())).expect(200);
        answer[resource].take()
    }

    /// Lists one attribute of the objects that pass a query.
    #[track_caller]
    pub(crate) fn column(&self, collection: &str, query: &str, attribute: &str) -> Vec<Value> {
        let mut answer = self.get(&format!("/v2.0/{}?{query}", collection.replace('_', "-"))).expect(200);
        let objects = answer[collection].as_array_mut().unwrap();
        objects.iter_mut().map(|object| object[attribute].take()).collect()
    }

    /// A network with one subnet; their ids.
    pub(crate) fn network_with_subnet(&self, cidr: &str) -> (Value, Value) {
        let network = self.create("network", json!({}))["id"].take();
        let version = if cidr.contains(':') { 6 } else { 4 };
        let subnet = self.create("subnet", json!({"network_id": network, "cidr": cidr, "ip_version": version}));
        (network, subnet["id"].clone())
    }
}

/// The path of the objects of a kind.
fn collection(resource: &str) -> String {
    format!("/v2.0/{}s", resource.replace('_', "-"))
}

/// The part of a path that names an object.
pub(crate) fn at(collection: &str, id: &Value) -> String {
    format!("/v2.0/{collection}/{}", id.as_str().unwrap())
}
