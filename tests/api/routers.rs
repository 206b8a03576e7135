//! Routers: bodies, interfaces, routes, faults.

use crate::client::{Client, at};
use crate::controller::Controller;
use serde_json::{Value, json};

const NOWHERE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

fn act(client: &Client, router: &Value, action: &str, body: &Value) -> crate::client::Answer {
    client.put(&format!("{}/{action}", at("routers", router)), body)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn a_router_has_neutrons_attributes_and_defaults() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let router = client.create("router", json!({}));
    assert_eq!(
        router,
        json!({
            "id": router["id"], "name": "", "tenant_id": "default", "project_id": "default", "admin_state_up": true,
            "status": "ACTIVE", "external_gateway_info": null, "routes": [], "distributed": true, "ha": false,
            "availability_zone_hints": [], "availability_zones": [], "flavor_id": null, "description": "", "tags": [],
            "created_at": router["created_at"], "updated_at": router["updated_at"],
            "revision_number": router["revision_number"],
        })
    );
    assert_eq!(client.show("router", &router["id"]), router);
    let full = client.create(
        "router",
        json!({"name": "r", "description": "d", "admin_state_up": false, "distributed": null, "ha": null,
            "external_gateway_info": {}, "availability_zone_hints": [], "flavor_id": null, "tenant_id": "p"}),
    );
    assert_eq!((&full["name"], &full["project_id"], &full["distributed"]), (&json!("r"), &json!("p"), &json!(true)));
    let changed = client.update(
        "router",
        &full["id"],
        json!({"name": "s", "description": "", "distributed": false, "external_gateway_info": null}),
    );
    assert_eq!((&changed["name"], &changed["distributed"]), (&json!("s"), &json!(false)));
    client.update("router", &full["id"], json!({"admin_state_up": true}));
    assert_eq!(client.column("routers", "project_id=p", "name"), [json!("s")]);
    assert_eq!(client.column("routers", "name=s&admin_state_up=true", "id"), [full["id"].clone()]);
    client.delete(&at("routers", &full["id"])).expect(204);
    client.get(&at("routers", &full["id"])).fault(
        404,
        "RouterNotFound",
        &format!("Router {} could not be found", text(&full["id"])),
    );
}

#[test]
fn what_a_router_cannot_be_is_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let refused = |body: Value, status: u16, kind: &str, message: &str| {
        client.post("/v2.0/routers", &json!({ "router": body })).fault(status, kind, message);
    };
    let gateway = json!({"external_gateway_info": {"network_id": NOWHERE}});
    let unsupported = "Bad router request: external gateways are not supported yet.";
    refused(gateway.clone(), 400, "BadRequest", unsupported);
    refused(
        json!({"external_gateway_info": "x"}),
        400,
        "HTTPBadRequest",
        "Invalid input for external_gateway_info. Reason: 'x' is not a dictionary.",
    );
    refused(json!({"flavor_id": "f"}), 404, "FlavorNotFound", "Flavor f could not be found.");
    refused(
        json!({"availability_zone_hints": ["nova"]}),
        404,
        "AvailabilityZoneNotFound",
        "AvailabilityZone nova could not be found.",
    );
    refused(json!({"routes": []}), 400, "HTTPBadRequest", "Attribute 'routes' not allowed in POST");
    refused(
        json!({"distributed": "x"}),
        400,
        "InvalidInput",
        "Invalid input for operation: 'x' cannot be converted to boolean.",
    );
    let router = client.create("router", json!({}))["id"].clone();
    client.put(&at("routers", &router), &json!({ "router": gateway })).fault(400, "BadRequest", unsupported);
    client.put(&at("routers", &router), &json!({"router": {"distributed": false}})).fault(
        400,
        "BadRequest",
        "Bad router request: Cannot change the 'distributed' attribute of active routers. Please set router \
         admin_state_up to False prior to upgrade.",
    );
}

#[test]
fn a_subnet_becomes_an_interface() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/24");
    let router = client.create("router", json!({"project_id": "p"}))["id"].clone();
    let info = act(&client, &router, "add_router_interface", &json!({"subnet_id": subnet})).expect(200);
    assert_eq!(
        info,
        json!({"id": router, "tenant_id": "p", "project_id": "p", "port_id": info["port_id"], "network_id": network,
            "subnet_id": subnet, "subnet_ids": [subnet]})
    );
    let port = client.show("port", &info["port_id"]);
    assert_eq!(port["device_id"], router);
    assert_eq!(port["device_owner"], "network:router_interface_distributed");
    assert_eq!(port["fixed_ips"], json!([{"subnet_id": subnet, "ip_address": "10.0.0.1"}]));
    assert_eq!((&port["status"], &port["security_groups"]), (&json!("ACTIVE"), &json!([])));
    assert_eq!(port["port_security_enabled"], false);
    assert_eq!(client.column("ports", &format!("device_id={}", text(&router)), "id"), [info["port_id"].clone()]);
    client.delete(&at("ports", &info["port_id"])).fault(
        409,
        "ServicePortInUse",
        &format!(
            "Port {} cannot be deleted directly via the port API: has device owner \
             network:router_interface_distributed.",
            text(&info["port_id"])
        ),
    );
    client.delete(&at("routers", &router)).fault(
        409,
        "RouterInUse",
        &format!("Router {} has ports still attached: {}", text(&router), text(&info["port_id"])),
    );
    act(&client, &router, "add_router_interface", &json!({"subnet_id": subnet})).fault(
        400,
        "BadRequest",
        &format!("Bad router request: Router already has a port on subnet {}.", text(&subnet)),
    );
    let gone = act(&client, &router, "remove_router_interface", &json!({"subnet_id": subnet})).expect(200);
    assert_eq!(gone, info);
    client.get(&at("ports", &info["port_id"])).expect(404);
    client.delete(&at("routers", &router)).expect(204);
}

#[test]
fn a_port_becomes_an_interface() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/24");
    let (_, other) = client.network_with_subnet("10.1.0.0/24");
    let port = client.create("port", json!({"network_id": network}))["id"].clone();
    let used = client.create("port", json!({"network_id": network, "device_id": "vm"}))["id"].clone();
    let router = client.create("router", json!({}))["id"].clone();
    let add = |body: Value| act(&client, &router, "add_router_interface", &body);
    let remove = |body: Value| act(&client, &router, "remove_router_interface", &body);
    add(json!({"port_id": used})).fault(
        409,
        "PortInUse",
        &format!(
            "Unable to complete operation on port {} for network {}. Port already has an attached device vm.",
            text(&used),
            text(&network)
        ),
    );
    let info = add(json!({"port_id": port})).expect(200);
    assert_eq!((&info["port_id"], &info["subnet_ids"]), (&port, &json!([subnet])));
    remove(json!({"port_id": port, "subnet_id": other})).fault(
        400,
        "SubnetMismatchForPort",
        &format!("Subnet on port {} does not match the requested subnet {}.", text(&port), text(&other)),
    );
    assert_eq!(remove(json!({"port_id": port, "subnet_id": subnet})).expect(200), info);
    remove(json!({"port_id": port})).fault(
        404,
        "RouterInterfaceNotFound",
        &format!("Router {} does not have an interface with id {}", text(&router), text(&port)),
    );
    remove(json!({"subnet_id": other})).fault(
        404,
        "RouterInterfaceNotFoundForSubnet",
        &format!("Router {} has no interface on subnet {}", text(&router), text(&other)),
    );
}

#[test]
fn an_interface_must_be_named_rightly() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let router = client.create("router", json!({}))["id"].clone();
    let neither = "Bad router request: Either subnet_id or port_id must be specified.";
    for action in ["add_router_interface", "remove_router_interface"] {
        let refused = |body: Value, status: u16, kind: &str, message: &str| {
            act(&client, &router, action, &body).fault(status, kind, message);
        };
        refused(json!({}), 400, "BadRequest", neither);
        refused(json!(null), 400, "BadRequest", neither);
        refused(json!([]), 400, "HTTPBadRequest", "Body contains invalid data");
        refused(json!({"subnet_id": "x"}), 400, "BadRequest", "Bad router request: 'x' is not a valid UUID.");
        refused(json!({"port_id": null}), 400, "BadRequest", "Bad router request: 'None' is not a valid UUID.");
        refused(json!({"subnet_id": NOWHERE}), 404, "SubnetNotFound", &format!("Subnet {NOWHERE} could not be found."));
    }
    let add = |body: Value| act(&client, &router, "add_router_interface", &body);
    add(json!({"subnet_id": NOWHERE, "port_id": NOWHERE})).fault(
        400,
        "BadRequest",
        "Bad router request: Cannot specify both subnet-id and port-id.",
    );
    add(json!({"port_id": NOWHERE})).fault(404, "PortNotFound", &format!("Port {NOWHERE} could not be found."));
    act(&client, &json!(NOWHERE), "add_router_interface", &json!({"port_id": NOWHERE})).fault(
        404,
        "RouterNotFound",
        &format!("Router {NOWHERE} could not be found"),
    );
    client
        .with("If-Match", "revision_number=99")
        .put(&format!("{}/add_router_interface", at("routers", &router)), &json!({"port_id": NOWHERE}))
        .expect(412);
}

#[test]
fn routes_are_set_added_and_removed() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (_, subnet) = client.network_with_subnet("10.0.0.0/24");
    let router = client.create("router", json!({}))["id"].clone();
    act(&client, &router, "add_router_interface", &json!({"subnet_id": subnet})).expect(200);
    let route = |destination: &str, nexthop: &str| json!({"destination": destination, "nexthop": nexthop});
    let one = route("192.0.2.0/24", "10.0.0.9");
    let two = route("198.51.100.0/24", "10.0.0.9");
    let three = route("0.0.0.0/0", "10.0.0.8");
    assert_eq!(client.update("router", &router, json!({"routes": [one]}))["routes"], json!([one]));
    let change = |action: &str, routes: &[&Value]| {
        let body = json!({"router": {"routes": routes}});
        act(&client, &router, action, &body).expect(200)["router"]["routes"].clone()
    };
    assert_eq!(change("add_extraroutes", &[&two, &one, &three]), json!([one, two, three]));
    assert_eq!(change("remove_extraroutes", &[&two]), json!([one, three]));
    assert_eq!(change("remove_extraroutes", &[&two]), json!([one, three]));
    act(&client, &router, "remove_router_interface", &json!({"subnet_id": subnet})).fault(
        409,
        "RouterInterfaceInUseByRoute",
        &format!(
            "Router interface for subnet {} on router {} cannot be deleted, as it is required by one or more routes.",
            text(&subnet),
            text(&router)
        ),
    );
    assert_eq!(client.update("router", &router, json!({ "routes": null }))["routes"], json!([]));
    client.put(&at("routers", &router), &json!({"router": {"routes": [route("192.0.2.0/24", "10.9.0.1")]}})).fault(
        400,
        "InvalidRoutes",
        "Invalid format for routes: [{'destination': '192.0.2.0/24', 'nexthop': '10.9.0.1'}], the nexthop is not \
         connected with router",
    );
    for action in ["add_extraroutes", "remove_extraroutes"] {
        let refused = |body: Value, message: &str| {
            act(&client, &router, action, &body).fault(400, "HTTPBadRequest", message);
        };
        refused(json!({}), "Unable to find 'router' in request body");
        refused(json!({"router": []}), "Object 'router' contains invalid data");
        refused(json!({"router": {}}), "Failed to parse request. Required attribute 'routes' not specified");
        refused(
            json!({"router": {"routes": [route("192.0.2.1/24", "10.0.0.9")]}}),
            "Invalid input for routes. Reason: '192.0.2.1/24' is not a valid CIDR.",
        );
    }
}
