//! A caller of Weir's REST API.

use serde_json::Value;
use std::time::Duration;

/// Calls the API at one address.
#[derive(Clone, Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    base: String,
}

/// Why a call has no answer to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody answered.
    #[error("cannot reach Weir at {base}: {source}")]
    Unreachable {
        /// The address called.
        base: String,
        /// Why.
        source: Box<ureq::Error>,
    },
    /// The answer is an error.
    #[error("{message} (HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// `NeutronError.type`, empty if the body has none.
        kind: String,
        /// The message of the body, or the body itself.
        message: String,
    },
    /// The answer is no JSON.
    #[error("Weir at {base} answered with something else than JSON")]
    NotJson {
        /// The address called.
        base: String,
    },
}

impl Client {
    /// A client of the API at `base`, such as `http://127.0.0.1:9696`.
    pub(super) fn new(base: &str) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(Duration::from_secs(30)))
            .http_status_as_error(false)
            .build();
        Self { agent: config.into(), base: base.trim_end_matches('/').to_owned() }
    }

    /// Reads `path`.
    ///
    /// # Errors
    /// Nobody answers, or the answer is an error.
    pub(super) fn get(&self, path: &str) -> Result<Value, ClientError> {
        self.answer(self.agent.get(self.url(path)).call())
    }

    /// Creates at `path`.
    ///
    /// # Errors
    /// Nobody answers, or the answer is an error.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, ClientError> {
        self.answer(self.agent.post(self.url(path)).send_json(body))
    }

    /// Deletes what is at `path`.
    ///
    /// # Errors
    /// Nobody answers, or the answer is an error.
    pub(super) fn delete(&self, path: &str) -> Result<(), ClientError> {
        self.answer(self.agent.delete(self.url(path)).call()).map(drop)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    fn answer(&self, call: Result<ureq::http::Response<ureq::Body>, ureq::Error>) -> Result<Value, ClientError> {
        let unreachable = |source| ClientError::Unreachable { base: self.base.clone(), source: Box::new(source) };
        let mut response = call.map_err(unreachable)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(RESPONSE_BYTES_MAX).read_to_string().map_err(unreachable)?;
        if (200..300).contains(&status) {
            if text.is_empty() {
                return Ok(Value::Null);
            }
            return serde_json::from_str(&text).map_err(|_| ClientError::NotJson { base: self.base.clone() });
        }
        let body: Value = serde_json::from_str(&text).unwrap_or_default();
        let fault = &body["NeutronError"];
        Err(ClientError::Refused {
            status,
            kind: fault["type"].as_str().unwrap_or_default().to_owned(),
            message: fault["message"].as_str().unwrap_or(text.trim()).to_owned(),
        })
    }
}

/// A name as one segment of a path.
pub(super) fn escape(name: &str) -> String {
    name.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// Bytes of the largest answer that is read: a flow dump of a large hypervisor has some tens of megabytes.
const RESPONSE_BYTES_MAX: u64 = 1 << 30;
