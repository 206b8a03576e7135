//! The front: OpenStack's Networking API v2.0 as Neutron serves it, and Weir's own endpoints under `/weir/v1/`.
//!
//! Each resource is an attribute table (`attribute`) and the few things that no table can say (`resource`); what is
//! done with them (`operate`) is the same for all. Reads come from a snapshot; commands go to the controller, which
//! answers once they are durable. The controller publishes the new snapshot before it answers.

mod admission;
mod attribute;
mod backend;
mod caller;
mod extension;
mod fault;
mod operate;
mod places;
mod query;
mod request;
mod resource;
mod route;
mod server;
mod tags;
mod version;
mod view;
mod weir;

#[cfg(test)]
mod policy_tests;

pub use admission::{Admission, AdmissionLimits, Busy};
pub use backend::{
    AnswerReport, ApiRequest, Backend, DumpFailure, DumpRequest, Explain, ExplainedFlow, Failure, HostReport,
    LinkState, PortProgress, Progress, RequestId, SwitchReport,
};
pub use caller::{Auth, Caller, Who};
pub use fault::Fault;
pub use route::router;
pub use server::{ServerLimits, serve};

use std::time::Duration;
use weir_model::ProjectId;

/// How the API behaves.
#[derive(Clone, Debug)]
pub struct ApiConfig {
    /// How callers are told apart.
    pub auth: Auth,
    /// With [`Auth::None`], the project of what is created when neither body nor header names one; refused if `None`.
    pub default_project: Option<ProjectId>,
    /// The domain of ports' names (`dns_assignment`); empty for none.
    pub dns_domain: String,
    /// Bytes of the largest body that asks for one object.
    pub single_body_max: usize,
    /// Bytes of the largest body that asks for several objects.
    pub bulk_body_max: usize,
    /// Bytes of the largest dump to explain.
    pub dump_body_max: usize,
    /// Bytes of the large bodies (over 64 KiB) of all requests together.
    pub bodies_max: usize,
    /// Time in which a body must arrive.
    pub body_timeout: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            auth: Auth::None,
            default_project: Some(ProjectId::from("default")),
            dns_domain: "openstacklocal.".to_owned(),
            single_body_max: 1 << 20,
            bulk_body_max: 16 << 20,
            dump_body_max: 128 << 20,
            bodies_max: 256 << 20,
            body_timeout: Duration::from_secs(60),
        }
    }
}
