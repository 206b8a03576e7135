//! Errors as clients of Neutron know them.

use super::admission::Busy;
use super::backend::Failure;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::borrow::Cow;
use weir_model::Rejection;

/// An error answer: `{"NeutronError": {"type": .., "message": .., "detail": ..}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The HTTP status.
    pub status: StatusCode,
    /// The name by which clients tell faults apart.
    pub kind: Cow<'static, str>,
    /// What happened, for a person.
    pub message: String,
    /// More of it; mostly empty.
    pub detail: String,
    /// Seconds after which to try again.
    pub retry_after: Option<u16>,
    /// Why the request is turned away until then, if it is because of how many there are.
    pub busy: Option<Busy>,
}

impl Fault {
    /// A fault with nothing but a name and a sentence.
    pub fn new(status: StatusCode, kind: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: kind.into(),
            message: message.into(),
            detail: String::new(),
            retry_after: None,
            busy: None,
        }
    }

    /// 400 with a sentence of its own.
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "HTTPBadRequest", message)
    }

    /// 400 for a value that cannot be converted.
    pub fn invalid_input(reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "InvalidInput", format!("Invalid input for operation: {reason}."))
    }

    /// 400 for a request that the named part makes unusable.
    pub fn bad_part(part: &str, reason: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", format!("Bad {part} request: {reason}."))
    }

    /// 403 for what policy reserves.
    pub fn forbidden(rule: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "PolicyNotAuthorized", format!("{rule} is disallowed by policy"))
    }

    /// 404 for an object that is not there, or not for the caller.
    pub fn absent(kind: &'static str, message: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind, message.to_string())
    }

    /// 404 for a path that leads nowhere.
    pub fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "HTTPNotFound", "The resource could not be found.")
    }

    /// 405 for a method that the path does not take.
    pub fn method_not_allowed() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "HTTPMethodNotAllowed",
            "The server could not comply with the request since it is either malformed or otherwise incorrect.",
        )
    }

    /// 413 for a body over the bound.
    pub fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "HTTPRequestEntityTooLarge",
            format!("The body is larger than {limit} bytes."),
        )
    }

    /// 503 while there is too much to do.
    pub fn busy(busy: Busy) -> Self {
        Self { busy: Some(busy), ..Self::unavailable(busy.message()) }
    }

    /// 503 while the controller cannot do it.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { retry_after: Some(1), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "HTTPServiceUnavailable", message) }
    }
}

impl From<Rejection> for Fault {
    fn from(rejection: Rejection) -> Self {
        let status = StatusCode::from_u16(rejection.class().status()).unwrap_or(StatusCode::CONFLICT);
        Self::new(status, rejection.kind(), rejection.message())
    }
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Rejected(rejection) => rejection.into(),
            Failure::Store(reason) => {
                // The controller has told it already, once for all that waited.
                tracing::debug!(%reason, "a command could not be made durable");
                Self::unavailable("The change could not be stored.")
            }
            Failure::ShuttingDown => Self::unavailable("The controller is shutting down."),
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(rename = "NeutronError")]
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    r#type: &'a str,
    message: &'a str,
    detail: &'a str,
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&Body {
            error: Inner { r#type: &self.kind, message: &self.message, detail: &self.detail },
        })
        .expect("strings serialise");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
