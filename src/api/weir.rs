//! `/weir/v1/`: what Neutron has no name for.

use super::admission::Busy;
use super::backend::{DumpFailure, DumpRequest, ExplainedFlow, HostReport, LinkState};
use super::fault::Fault;
use super::operate::{Answer, Scene};
use axum::http::{Method, StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::oneshot;
use weir_model::Command;

/// Answers a request below `/weir/v1/`.
pub(crate) async fn answer(
    scene: Scene<'_>,
    method: &Method,
    path: &[&str],
    body: Option<Value>,
) -> Result<Answer, Fault> {
    match (method, path) {
        (&Method::GET, ["healthz"]) => {
            let revision = scene.backend.snapshot.load().revision();
            if scene.backend.commands.is_closed() {
                return Err(Fault::unavailable("The controller is shutting down."));
            }
            ok(&json!({ "status": "ok", "revision": revision }))
        }
        (_, ["healthz"]) => Err(Fault::method_not_allowed()),
        _ if !scene.caller.admin => Err(Fault::forbidden("rule:admin_only")),
        (&Method::GET, ["hosts"]) => ok(&json!({ "hosts": scene.backend.progress.hosts() })),
        (&Method::GET, ["hosts", name]) => ok(&json!({ "host": host(&scene, name)? })),
        (&Method::DELETE, ["hosts", name]) => forget(scene, name).await,
        (&Method::GET, ["hosts", host, "flows", bridge]) => dump(scene, host, bridge).await,
        (&Method::POST, ["flows", "explain"]) => explain(scene, body).await,
        (_, ["hosts"] | ["hosts", _] | ["hosts", _, "flows", _] | ["flows", "explain"]) => {
            Err(Fault::method_not_allowed())
        }
        _ => Err(Fault::not_found()),
    }
}

fn host(scene: &Scene<'_>, name: &str) -> Result<HostReport, Fault> {
    let hosts = scene.backend.progress.hosts();
    hosts.into_iter().find(|host| host.name.as_str() == name || host.system_id == name).ok_or_else(|| {
        Fault::new(StatusCode::NOT_FOUND, "HypervisorNotFound", format!("Hypervisor {name} could not be found."))
    })
}

/// Takes a hypervisor out of service. One that is connected would come back at once, so that it is refused.
async fn forget(scene: Scene<'_>, name: &str) -> Result<Answer, Fault> {
    let host = host(&scene, name)?;
    if host.ovsdb != LinkState::Down {
        let message = format!("Hypervisor {name} is connected; run ovs-vsctl del-manager on it first.");
        return Err(Fault::new(StatusCode::CONFLICT, "HypervisorInUse", message));
    }
    scene.submit(Command::ForgetHypervisor(host.name)).await?;
    Ok(Answer { status: StatusCode::NO_CONTENT, body: Vec::new() })
}

fn ok(body: &impl Serialize) -> Result<Answer, Fault> {
    let body = serde_json::to_vec(body).expect("reports serialise into memory");
    Ok(Answer { status: StatusCode::OK, body })
}

#[derive(Serialize)]
struct Flows {
    flows: Vec<ExplainedFlow>,
}

async fn dump(scene: Scene<'_>, host: &str, bridge: &str) -> Result<Answer, Fault> {
    let (reply, answer) = oneshot::channel();
    let request = DumpRequest { host: host.to_owned(), bridge: bridge.to_owned(), reply };
    let busy = || Fault::busy(Busy::Dumps);
    scene.backend.dumps.try_send(request).map_err(|_| busy())?;
    match answer.await {
        Ok(Ok(flows)) => ok(&Flows { flows }),
        Ok(Err(failure @ DumpFailure::Unknown { .. })) => {
            Err(Fault::new(StatusCode::NOT_FOUND, "SwitchNotFound", sentence(&failure)))
        }
        Ok(Err(failure @ DumpFailure::Disconnected)) => {
            Err(Fault::new(StatusCode::CONFLICT, "SwitchDisconnected", sentence(&failure)))
        }
        Err(_) => Err(busy()),
    }
}

/// A failure as a sentence of an answer.
fn sentence(failure: &DumpFailure) -> String {
    let text = failure.to_string();
    let mut symbols = text.chars();
    match symbols.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), symbols.as_str()),
        None => text,
    }
}

async fn explain(scene: Scene<'_>, body: Option<Value>) -> Result<Answer, Fault> {
    let dump = match body {
        Some(Value::Object(mut body)) => body.remove("dump"),
        _ => None,
    };
    let Some(Value::String(dump)) = dump else {
        return Err(Fault::bad_request("Unable to find 'dump' in request body"));
    };
    let explain = Arc::clone(&scene.backend.explain);
    let topology = scene.backend.snapshot.load_full();
    let flows = tokio::task::spawn_blocking(move || explain(&topology, &dump)).await.map_err(|error| {
        tracing::error!(%error, "explaining a dump failed");
        Fault::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "HTTPInternalServerError",
            "Request Failed: internal server error while processing your request.",
        )
    })?;
    ok(&Flows { flows })
}
