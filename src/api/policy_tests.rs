//! What callers who are not admin see and may do.

use super::backend::{Backend, HostReport, PortProgress, Progress};
use super::caller::Caller;
use super::fault::Fault;
use super::operate::{self, Answer, Scene};
use super::query::Parameters;
use super::resource::Resource;
use super::weir;
use arc_swap::ArcSwap;
use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc;
use uuid::Uuid;
use weir_model::{
    Command, Limits, Network, NetworkId, NewNetwork, NewPort, NewSubnet, Port, PortId, ProjectId, Request, Subnet,
    SubnetId, Timestamp, Topology,
};

struct Idle;

impl Progress for Idle {
    fn port(&self, _: PortId) -> PortProgress {
        PortProgress::default()
    }

    fn hosts(&self) -> Vec<HostReport> {
        Vec::new()
    }
}

const OWN: u128 = 1;
const OTHERS: u128 = 2;
const SHARED: u128 = 3;
const EXTERNAL: u128 = 4;

/// Networks of "mine" and "others", a subnet and a port of "others" on each.
fn topology() -> Topology {
    let mut topology = Topology::new(Limits::default());
    let mut transact = |command| {
        let (after, ..) = topology.transact(Request { command, at: Timestamp(0) }).unwrap();
        topology = after;
    };
    let id = Uuid::from_u128;
    for network in [OWN, OTHERS, SHARED, EXTERNAL] {
        let owner = ProjectId::from(if network == OWN { "mine" } else { "others" });
        let others = ProjectId::from("others");
        transact(Command::CreateNetworks(vec![NewNetwork {
            shared: Some(network == SHARED),
            external: Some(network == EXTERNAL),
            ..NewNetwork::new(NetworkId(id(network)), owner)
        }]));
        let cidr = "10.0.0.0/24".parse().unwrap();
        transact(Command::CreateSubnets(vec![NewSubnet::new(
            SubnetId(id(network)),
            NetworkId(id(network)),
            others.clone(),
            cidr,
        )]));
        transact(Command::CreatePorts(vec![NewPort::new(PortId(id(network)), NetworkId(id(network)), others)]));
    }
    topology
}

fn backend() -> Backend {
    Backend {
        snapshot: Arc::new(ArcSwap::from_pointee(topology())),
        commands: mpsc::channel(1).0,
        progress: Arc::new(Idle),
        explain: Arc::new(|_, _| Vec::new()),
        dumps: mpsc::channel(1).0,
    }
}

fn member() -> Caller {
    Caller { project: Some(ProjectId::from("mine")), admin: false }
}

fn in_scene<T>(caller: &Caller, act: impl FnOnce(Scene<'_>) -> T) -> T {
    act(Scene { backend: &backend(), caller, dns_domain: "" })
}

fn ids<R: Resource>(caller: &Caller) -> Vec<u128> {
    let answer = in_scene(caller, |scene| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(operate::list::<R>(scene, "", &Parameters::default())).unwrap()
    });
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let objects = body[R::COLLECTION].as_array().unwrap();
    objects.iter().map(|it| it["id"].as_str().unwrap().parse::<Uuid>().unwrap().as_u128()).collect()
}

fn shown<R: Resource>(caller: &Caller, id: u128) -> Result<Value, Fault> {
    let id = Uuid::from_u128(id).to_string();
    let answer = in_scene(caller, |scene| operate::show::<R>(scene, &id, &Parameters::default()))?;
    Ok(serde_json::from_slice::<Value>(&answer.body).unwrap()[R::NAME].take())
}

fn created<R: Resource>(caller: &Caller, body: Value) -> Result<Answer, Fault> {
    let body = json!({ R::NAME: body });
    in_scene(caller, |scene| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(operate::create::<R>(scene, body, 0, 1))
    })
}

fn updated<R: Resource>(caller: &Caller, id: u128, body: Value) -> Result<Answer, Fault> {
    let (id, body) = (Uuid::from_u128(id).to_string(), json!({ R::NAME: body }));
    in_scene(caller, |scene| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(operate::update::<R>(scene, &id, body, None))
    })
}

/// Got as far as the controller, which has gone.
fn allowed(result: Result<Answer, Fault>) -> bool {
    result.is_err_and(|fault| fault.status == StatusCode::SERVICE_UNAVAILABLE)
}

fn status(result: Result<Answer, Fault>) -> u16 {
    result.map_or_else(|fault| fault.status.as_u16(), |answer| answer.status.as_u16())
}

#[test]
fn lists_hold_what_the_caller_may_see() {
    let admin = Caller { project: None, admin: true };
    assert_eq!(ids::<Network>(&admin), [OWN, OTHERS, SHARED, EXTERNAL]);
    assert_eq!(ids::<Network>(&member()), [OWN, SHARED, EXTERNAL]);
    assert_eq!(ids::<Subnet>(&member()), [SHARED]);
    assert_eq!(ids::<Port>(&member()), [OWN]);
    let nobody = Caller { project: None, admin: false };
    assert_eq!(ids::<Network>(&nobody), [SHARED, EXTERNAL]);
}

#[test]
fn what_may_not_be_seen_is_not_there() {
    let fault = shown::<Network>(&member(), OTHERS).unwrap_err();
    assert_eq!((fault.status, fault.kind.as_ref()), (StatusCode::NOT_FOUND, "NetworkNotFound"));
    assert!(shown::<Port>(&member(), OTHERS).is_err());
    assert!(shown::<Port>(&member(), OWN).is_ok());
}

#[test]
fn attributes_of_admins_are_hidden() {
    let admin = Caller { project: None, admin: true };
    let (full, part) = (shown::<Network>(&admin, OWN).unwrap(), shown::<Network>(&member(), OWN).unwrap());
    for name in ["provider:network_type", "provider:physical_network", "provider:segmentation_id"] {
        assert!(full.get(name).is_some() && part.get(name).is_none(), "{name}");
    }
    assert_eq!(part["mtu"], full["mtu"]);
    let (full, part) = (shown::<Port>(&admin, OWN).unwrap(), shown::<Port>(&member(), OWN).unwrap());
    let hidden = [
        "binding:host_id",
        "binding:profile",
        "binding:vif_type",
        "binding:vif_details",
        "weir:realized",
        "weir:lagging_hosts",
    ];
    for name in hidden {
        assert!(full.get(name).is_some() && part.get(name).is_none(), "{name}");
    }
    assert_eq!(part["binding:vnic_type"], "normal");
}

#[test]
fn attributes_of_admins_are_set_by_admins() {
    for body in [json!({"shared": true}), json!({"router:external": 1}), json!({"provider:network_type": "vxlan"})] {
        let fault = created::<Network>(&member(), body.clone()).map(|answer| answer.status).unwrap_err();
        assert_eq!((fault.status, fault.kind.as_ref()), (StatusCode::FORBIDDEN, "PolicyNotAuthorized"), "{body}");
        assert_eq!(status(updated::<Network>(&member(), OWN, body)), 403);
    }
    // Saying the default aloud needs no right.
    assert!(allowed(created::<Network>(&member(), json!({"shared": false, "router:external": "no", "name": "x"}))));
    assert!(allowed(updated::<Network>(&member(), OWN, json!({"name": "x"}))));
    let network = Uuid::from_u128(OWN);
    assert_eq!(status(created::<Port>(&member(), json!({"network_id": network, "binding:host_id": "h"}))), 403);
    assert!(allowed(created::<Port>(&member(), json!({"network_id": network, "binding:vnic_type": "direct"}))));
}

#[test]
fn others_objects_are_left_alone() {
    assert_eq!(status(updated::<Network>(&member(), SHARED, json!({"name": "x"}))), 403);
    assert_eq!(status(updated::<Network>(&member(), OTHERS, json!({"name": "x"}))), 404);
    assert_eq!(status(updated::<Port>(&member(), OWN, json!({"name": "x"}))), 403);
    let port = |network: u128| created::<Port>(&member(), json!({ "network_id": Uuid::from_u128(network) }));
    assert!(allowed(port(OWN)) && allowed(port(SHARED)));
    assert_eq!(status(port(OTHERS)), 404);
    assert_eq!(status(port(EXTERNAL)), 404);
    let subnet = |network: u128| {
        let network = Uuid::from_u128(network);
        created::<Subnet>(&member(), json!({"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"}))
    };
    assert!(allowed(subnet(OWN)));
    assert_eq!(status(subnet(SHARED)), 403);
    assert_eq!(status(subnet(OTHERS)), 404);
    let foreign = created::<Network>(&member(), json!({"project_id": "others"})).map(|answer| answer.status);
    assert_eq!(
        foreign.unwrap_err().message,
        "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user."
    );
}

#[test]
fn hosts_are_for_admins() {
    let answer = |path: &'static [&'static str]| {
        in_scene(&member(), |scene| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(weir::answer(scene, &Method::GET, path, None)).map(|answer| answer.status)
        })
    };
    assert_eq!(answer(&["hosts"]).unwrap_err().status, StatusCode::FORBIDDEN);
    assert_eq!(answer(&["healthz"]).unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
}
