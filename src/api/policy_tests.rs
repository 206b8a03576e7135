//! What callers who are not admin see and may do.

use super::backend::{Backend, HostReport, PortProgress, Progress, RequestId};
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
    AddressGroup, AddressGroupId, Command, Limits, Network, NetworkId, NewAddressGroup, NewFixedIp, NewNetwork,
    NewPort, NewRouter, NewSecurityGroup, NewSubnet, Port, PortId, ProjectId, Request, Router, RouterId, SecurityGroup,
    SecurityGroupId, SecurityGroupRule, Subnet, SubnetId, Timestamp, Topology,
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
/// A port of "others" on the network of "mine", with the gateway's address.
const GATEWAY: u128 = 5;
/// A port of "mine" on the shared network.
const GUEST: u128 = 6;
/// A port of "mine" on the network of "mine".
const HOME: u128 = 7;

/// Networks of "mine" and "others", a subnet and a port of "others" on each; groups and routers of both.
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
    let gateway = NewFixedIp { ip_address: "10.0.0.1".parse().ok(), ..NewFixedIp::default() };
    transact(Command::CreatePorts(vec![NewPort {
        fixed_ips: Some(vec![gateway]),
        ..NewPort::new(PortId(id(GATEWAY)), NetworkId(id(OWN)), ProjectId::from("others"))
    }]));
    for (port, network) in [(GUEST, SHARED), (HOME, OWN)] {
        let mine = ProjectId::from("mine");
        transact(Command::CreatePorts(vec![NewPort::new(PortId(id(port)), NetworkId(id(network)), mine)]));
    }
    for number in [OWN, OTHERS] {
        let owner = ProjectId::from(if number == OWN { "mine" } else { "others" });
        let group = SecurityGroupId(id(number));
        transact(Command::CreateSecurityGroups(vec![NewSecurityGroup::new(group, owner.clone())]));
        let addresses = AddressGroupId(id(number));
        transact(Command::CreateAddressGroups(vec![NewAddressGroup::new(addresses, owner.clone())]));
        transact(Command::CreateRouters(vec![NewRouter::new(RouterId(id(number)), owner)]));
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
    act(Scene { request: RequestId::random(), backend: &backend(), caller, dns_domain: "" })
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

fn deleted<R: Resource>(caller: &Caller, id: Uuid) -> Result<Answer, Fault> {
    in_scene(caller, |scene| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(operate::delete::<R>(scene, &id.to_string(), None))?;
        Ok(Answer { status: StatusCode::NO_CONTENT, body: Vec::new() })
    })
}

fn acted<R: Resource>(caller: &Caller, id: u128, action: &str, body: Value) -> Result<Answer, Fault> {
    let id = Uuid::from_u128(id).to_string();
    let action = R::ACTIONS.iter().find(|known| known.name == action).unwrap();
    in_scene(caller, |scene| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(operate::act::<R>(scene, &id, action, Some(body), None))
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
    assert_eq!(ids::<Port>(&member()), [OWN, GATEWAY, GUEST, HOME]);
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
fn groups_and_routers_are_their_projects() {
    let id = Uuid::from_u128;
    let default = topology().default_security_group("mine").unwrap().id.0;
    let mut groups = ids::<SecurityGroup>(&member());
    groups.sort_unstable();
    assert_eq!(groups, [OWN, default.as_u128()]);
    assert_eq!(ids::<SecurityGroupRule>(&member()).len(), 6);
    assert_eq!(ids::<AddressGroup>(&member()), [OWN]);
    assert_eq!(ids::<Router>(&member()), [OWN]);
    assert!(shown::<SecurityGroup>(&member(), OTHERS).is_err());
    assert_eq!(status(updated::<Router>(&member(), OTHERS, json!({"name": "x"}))), 404);
    assert_eq!(status(acted::<AddressGroup>(&member(), OTHERS, "add_addresses", json!({"addresses": []}))), 404);
    assert!(allowed(updated::<SecurityGroup>(&member(), OWN, json!({"stateful": false}))));
    assert!(allowed(deleted::<SecurityGroup>(&member(), id(OWN))));
    assert_eq!(
        deleted::<SecurityGroup>(&member(), default).map(|answer| answer.status).unwrap_err().kind,
        "SecurityGroupCannotRemoveDefault"
    );
    let theirs = topology().rules_of(SecurityGroupId(id(OTHERS))).next().unwrap().id.0;
    assert_eq!(status(deleted::<SecurityGroupRule>(&member(), theirs)), 404);
    let full = shown::<Router>(&Caller { project: None, admin: true }, OWN).unwrap();
    let part = shown::<Router>(&member(), OWN).unwrap();
    for name in ["distributed", "ha"] {
        assert!(full.get(name).is_some() && part.get(name).is_none(), "{name}");
        assert_eq!(status(created::<Router>(&member(), json!({ name: true }))), 403);
    }
    assert!(allowed(created::<Router>(&member(), json!({"external_gateway_info": null}))));
}

#[test]
fn ids_that_may_not_be_seen_name_nothing() {
    let id = Uuid::from_u128;
    let fault = |result: Result<Answer, Fault>| {
        let fault = result.map(|answer| answer.status).unwrap_err();
        (fault.status.as_u16(), fault.kind.into_owned())
    };
    let rule = |group: u128, remote: &str, other: u128| {
        let body = json!({"security_group_id": id(group), "direction": "ingress", remote: id(other)});
        created::<SecurityGroupRule>(&member(), body)
    };
    let no_group = (404, "SecurityGroupNotFound".to_owned());
    assert_eq!(fault(rule(OTHERS, "remote_group_id", OWN)), no_group);
    assert_eq!(fault(rule(OWN, "remote_group_id", OTHERS)), no_group);
    assert_eq!(fault(rule(OWN, "remote_address_group_id", OTHERS)), (404, "AddressGroupNotFound".to_owned()));
    assert!(allowed(rule(OWN, "remote_address_group_id", OWN)));
    let port = |body: Value| {
        let mut port = json!({ "network_id": id(OWN) });
        port.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        created::<Port>(&member(), port)
    };
    assert_eq!(fault(port(json!({"security_groups": [id(OWN), id(OTHERS)]}))), no_group);
    assert!(allowed(port(json!({"security_groups": [id(OWN)]}))));
    // On a network of one's own one may have ports like Neutron's, on a shared one not.
    let owner = json!({"device_owner": "network:dhcp"});
    assert!(allowed(port(owner.clone())));
    let shared = json!({"network_id": id(SHARED), "device_owner": "network:dhcp"});
    assert_eq!(status(created::<Port>(&member(), shared)), 403);
    let interface = |body: Value| acted::<Router>(&member(), OWN, "add_router_interface", body);
    assert_eq!(fault(interface(json!({"subnet_id": id(OTHERS)}))), (404, "SubnetNotFound".to_owned()));
    assert_eq!(fault(interface(json!({"port_id": id(SHARED)}))), (404, "PortNotFound".to_owned()));
    assert_eq!(
        interface(json!({"subnet_id": id(SHARED)})).map(|answer| answer.status).unwrap_err().message,
        format!(
            "Bad router request: Cannot add interface to router because subnet {} is not owned by project making the \
             request.",
            id(SHARED)
        )
    );
    assert!(allowed(interface(json!({"port_id": id(OWN)}))));
    let gateway = interface(json!({"port_id": id(GATEWAY)})).map(|answer| answer.status).unwrap_err();
    assert!(gateway.message.contains("out of the allocation pool of subnet"), "{}", gateway.message);
}

#[test]
fn ports_on_networks_of_others_cannot_pass_for_others() {
    let admin = Caller { project: Some(ProjectId::from("mine")), admin: true };
    let pair = json!([{"ip_address": "10.0.0.9"}]);
    let exact = json!([{"subnet_id": Uuid::from_u128(SHARED)}, {"ip_address": "10.0.0.9"}]);
    let cases = [
        ("port_security_enabled", json!({"port_security_enabled": true})),
        ("allowed_address_pairs", json!({ "allowed_address_pairs": pair })),
        ("mac_address", json!({"mac_address": "fa:16:3e:00:00:09"})),
        ("fixed_ips:ip_address", json!({ "fixed_ips": exact })),
        ("device_owner", json!({"device_owner": "network:dhcp"})),
    ];
    let on = |network: u128, body: &Value| {
        let mut port = json!({ "network_id": Uuid::from_u128(network) });
        port.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        port
    };
    let refused = |result: Result<Answer, Fault>, rule: &str| {
        let fault = result.map(|answer| answer.status).unwrap_err();
        assert_eq!((fault.status, fault.kind.as_ref()), (StatusCode::FORBIDDEN, "PolicyNotAuthorized"), "{rule}");
        assert!(fault.message.contains(rule), "{}", fault.message);
    };
    for (name, body) in &cases {
        refused(created::<Port>(&member(), on(SHARED, body)), &format!("rule:create_port:{name})"));
        refused(updated::<Port>(&member(), GUEST, body.clone()), &format!("rule:update_port:{name})"));
        assert!(allowed(created::<Port>(&member(), on(OWN, body))), "one's own network: {name}");
        assert!(allowed(created::<Port>(&admin, on(SHARED, body))), "{name}");
        assert!(allowed(updated::<Port>(&admin, GUEST, body.clone())), "{name}");
        if *name == "mac_address" {
            refused(updated::<Port>(&member(), HOME, body.clone()), "rule:update_port:mac_address)");
        } else {
            assert!(allowed(updated::<Port>(&member(), HOME, body.clone())), "one's own network: {name}");
        }
    }
    let subnet = json!({"fixed_ips": [{"subnet_id": Uuid::from_u128(SHARED)}]});
    assert!(allowed(created::<Port>(&member(), on(SHARED, &subnet))));
    refused(updated::<Port>(&member(), GUEST, subnet), "rule:update_port:fixed_ips)");
    assert!(allowed(updated::<Port>(&member(), GUEST, json!({"name": "x", "device_owner": "compute:nova"}))));
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
