//! Requests of the API, from the bytes of the body to the bytes of the answer, without a server.

use crate::change::cloud;
use crate::heap::settled;
use arc_swap::ArcSwap;
use axum::body::Body;
use axum::http::{Method, Request};
use axum::response::Response;
use gungraun::library_benchmark;
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use serde_json::json;
use std::pin::Pin;
use std::sync::Arc;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use weir::api::{Admission, AdmissionLimits, ApiConfig, ApiRequest, Backend, router};
use weir::controller::Board;
use weir_bench::cloud::host_name;
use weir_model::{NetworkKey, Timestamp, Topology};

/// The API, and the model that carries out its commands.
pub(crate) struct Front {
    runtime: Runtime,
    api: TowerToHyperService<axum::Router>,
    model: Pin<Box<dyn Future<Output = ()>>>,
}

impl Front {
    fn new(topology: Topology) -> Self {
        let snapshot = Arc::new(ArcSwap::from_pointee(topology));
        let (commands, queue) = mpsc::channel(1);
        let backend = Backend {
            snapshot: Arc::clone(&snapshot),
            commands,
            progress: Arc::new(Board::default()),
            explain: Arc::new(|_, _| Vec::new()),
            dumps: mpsc::channel(1).0,
        };
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime"),
            api: TowerToHyperService::new(router(
                backend,
                ApiConfig::default(),
                Arc::new(Admission::new(AdmissionLimits::default())),
            )),
            model: Box::pin(carry_out(queue, snapshot)),
        }
    }

    fn answer(mut self, request: Request<Body>) -> (Self, Response) {
        let Ok(response) = self.runtime.block_on(async {
            tokio::select! {
                biased;
                response = self.api.call(request) => response,
                () = &mut self.model => unreachable!("the API is there and has commands"),
            }
        });
        assert!(response.status().is_success(), "{}", response.status());
        (self, response)
    }
}

/// Carries out commands until the API is gone; nothing is stored or compiled.
async fn carry_out(mut commands: mpsc::Receiver<ApiRequest>, snapshot: Arc<ArcSwap<Topology>>) {
    while let Some(ApiRequest { command, reply, .. }) = commands.recv().await {
        let request = weir_model::Request { command, at: Timestamp(0) };
        let (topology, _, outcome) = snapshot.load().transact(request).expect("the model takes it");
        snapshot.store(Arc::new(topology));
        drop(reply.send(Ok(outcome)));
    }
}

fn request(method: Method, body: Body) -> Request<Body> {
    Request::builder().method(method).uri("/v2.0/ports").body(body).expect("a sound request")
}

fn list() -> (Front, Request<Body>) {
    (Front::new(cloud().topology), request(Method::GET, Body::empty()))
}

fn create(count: usize) -> (Front, Request<Body>) {
    let topology = cloud().topology;
    let network = topology.network_by_key(NetworkKey(1)).expect("networks are numbered from 1");
    let port = |number| {
        json!({
            "network_id": network.id.to_string(),
            "project_id": "tenant-0",
            "name": format!("port-{number}"),
            "binding:host_id": host_name(0).to_string(),
        })
    };
    let ports = json!({ "ports": (0..count).map(port).collect::<Vec<_>>() });
    (Front::new(topology), request(Method::POST, Body::from(ports.to_string())))
}

#[library_benchmark]
#[bench::list_1000_ports(settled(list()))]
#[bench::create_1000_ports(settled(create(1_000)))]
pub(crate) fn answer_request((front, request): (Front, Request<Body>)) -> (Front, Response) {
    front.answer(request)
}
