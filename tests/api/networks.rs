//! Networks: bodies, defaults, faults.

use crate::client::at;
use crate::controller::Controller;
use serde_json::json;

#[test]
fn a_network_has_neutrons_attributes_and_defaults() {
    let (_dir, controller) = Controller::start();
    let client = controller.client().project("p1");
    let network = client.create("network", json!({"name": "blue"}));
    let id = network["id"].clone();
    let (created, updated) = (network["created_at"].clone(), network["updated_at"].clone());
    assert_eq!(created.as_str().unwrap().len(), "2026-01-01T00:00:00Z".len());
    assert_eq!(
        network,
        json!({
            "id": id, "name": "blue", "tenant_id": "p1", "project_id": "p1", "admin_state_up": true, "mtu": 1450,
            "status": "ACTIVE", "subnets": [], "shared": false, "availability_zone_hints": [],
            "availability_zones": [], "ipv4_address_scope": null, "ipv6_address_scope": null,
            "router:external": false, "description": "", "port_security_enabled": true, "dns_domain": "",
            "provider:network_type": "vxlan", "provider:physical_network": null, "provider:segmentation_id": 1,
            "tags": [], "created_at": created, "updated_at": updated, "revision_number": network["revision_number"],
        })
    );
    assert_eq!(client.show("network", &id), network);
}

#[test]
fn a_network_is_changed_and_deleted() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create(
        "network",
        json!({"description": "before", "provider:network_type": "vxlan",
        "provider:segmentation_id": 4711, "mtu": 1400, "dns_domain": "Example.ORG."}),
    );
    assert_eq!(network["provider:segmentation_id"], 4711);
    assert_eq!(network["mtu"], 1400);
    assert_eq!(network["dns_domain"], "example.org.");
    let id = &network["id"];
    let changed = client.update(
        "network",
        id,
        json!({"name": "n", "admin_state_up": "False", "shared": 1, "router:external": "yes", "mtu": "1300",
            "port_security_enabled": false, "description": "after"}),
    );
    for (name, value) in [
        ("name", json!("n")),
        ("admin_state_up", json!(false)),
        ("shared", json!(true)),
        ("router:external", json!(true)),
        ("mtu", json!(1300)),
        ("port_security_enabled", json!(false)),
        ("description", json!("after")),
        ("provider:segmentation_id", json!(4711)),
    ] {
        assert_eq!(changed[name], value, "{name}");
    }
    assert!(changed["revision_number"].as_u64() > network["revision_number"].as_u64());
    let answer = client.delete(&at("networks", id));
    assert_eq!(answer.status, 204);
    assert!(answer.body.is_null());
    let message = format!("Network {} could not be found.", id.as_str().unwrap());
    client.get(&at("networks", id)).fault(404, "NetworkNotFound", &message);
    client.delete(&at("networks", id)).fault(404, "NetworkNotFound", &message);
    client.put(&at("networks", id), &json!({"network": {}})).fault(404, "NetworkNotFound", &message);
}

#[test]
fn a_network_in_use_stays() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, _) = client.network_with_subnet("10.0.0.0/24");
    let port = client.create("port", json!({"network_id": network}))["id"].clone();
    client.delete(&at("networks", &network)).fault(
        409,
        "NetworkInUse",
        &format!(
            "Unable to complete operation on network {}. There are one or more ports still in use on the network, id for these ports is: {}.",
            network.as_str().unwrap(),
            port.as_str().unwrap()
        ),
    );
    client.delete(&at("ports", &port)).expect(204);
    client.delete(&at("networks", &network)).expect(204);
    assert_eq!(client.column("subnets", "", "id"), [json!(null); 0]);
}

#[test]
fn what_does_not_fit_is_refused_in_neutrons_words() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let refused = |body: serde_json::Value, kind: &str, message: &str| {
        client.post("/v2.0/networks", &json!({ "network": body })).fault(400, kind, message);
    };
    refused(json!({"nam": 1, "colour": 2}), "HTTPBadRequest", "Unrecognized attribute(s) 'colour, nam'");
    refused(json!({"id": "x"}), "HTTPBadRequest", "Attribute 'id' not allowed in POST");
    refused(json!({"tags": ["x"]}), "HTTPBadRequest", "Attribute 'tags' not allowed in POST");
    refused(json!({"name": 5}), "HTTPBadRequest", "Invalid input for name. Reason: '5' is not a valid string.");
    refused(json!({"name": null}), "HTTPBadRequest", "Invalid input for name. Reason: 'None' is not a valid string.");
    refused(json!({"name": " x"}), "HTTPBadRequest", "Invalid input for name. Reason: ' x' is not a valid string.");
    let long = "x".repeat(256);
    refused(
        json!({ "name": long }),
        "HTTPBadRequest",
        &format!("Invalid input for name. Reason: '{long}' exceeds maximum length of 255."),
    );
    refused(
        json!({"admin_state_up": "maybe"}),
        "InvalidInput",
        "Invalid input for operation: 'maybe' cannot be converted to boolean.",
    );
    refused(
        json!({"shared": [true]}),
        "InvalidInput",
        "Invalid input for operation: '[True]' cannot be converted to boolean.",
    );
    refused(json!({"mtu": "big"}), "InvalidInput", "Invalid input for operation: 'big' is not an integer.");
    refused(json!({"mtu": -1}), "HTTPBadRequest", "Invalid input for mtu. Reason: '-1' should be non-negative.");
    refused(
        json!({"dns_domain": "example.org"}),
        "HTTPBadRequest",
        "Invalid input for dns_domain. Reason: 'example.org' is not a FQDN.",
    );
    refused(
        json!({"project_id": "a", "tenant_id": "b"}),
        "HTTPBadRequest",
        "'project_id' and 'tenant_id' do not match",
    );
    refused(
        json!({"provider:network_type": "vlan"}),
        "InvalidInput",
        "Invalid input for operation: network_type value 'vlan' not supported.",
    );
    refused(
        json!({"provider:segmentation_id": 5}),
        "InvalidInput",
        "Invalid input for operation: network_type required.",
    );
    client.post("/v2.0/networks", &json!({"network": {"availability_zone_hints": ["nova"]}})).fault(
        404,
        "AvailabilityZoneNotFound",
        "AvailabilityZone nova could not be found.",
    );
    let network = client.create("network", json!({"provider:network_type": "vxlan", "provider:segmentation_id": 9}));
    client
        .post("/v2.0/networks", &json!({"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 9}}))
        .fault(409, "TunnelIdInUse", "Unable to create the network. The tunnel ID 9 is in use.");
    client.put(&at("networks", &network["id"]), &json!({"network": {"tenant_id": "x"}})).fault(
        400,
        "HTTPBadRequest",
        "Cannot update read-only attribute tenant_id",
    );
    client.put(&at("networks", &network["id"]), &json!({"network": {"provider:segmentation_id": 10}})).fault(
        400,
        "InvalidInput",
        "Invalid input for operation: Plugin does not support updating provider attributes.",
    );
    client.update("network", &network["id"], json!({"provider:segmentation_id": 9}));
    assert_eq!(client.column("networks", "", "id").len(), 1);
}

#[test]
fn the_project_comes_from_the_body_or_the_header() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let owner = |body| client.project("header").create("network", body)["project_id"].clone();
    assert_eq!(owner(json!({})), "header");
    assert_eq!(owner(json!({"tenant_id": "body"})), "body");
    assert_eq!(owner(json!({"project_id": "body", "tenant_id": "body"})), "body");
    assert_eq!(client.create("network", json!({}))["project_id"], "default");
    let mut settings = crate::controller::Settings::default();
    settings.api.default_project = None;
    let (_dir, strict) = Controller::start_with(settings);
    strict.client().post("/v2.0/networks", &json!({"network": {}})).fault(
        400,
        "HTTPBadRequest",
        "Running without keystone AuthN requires that project_id is specified",
    );
}

#[test]
fn a_path_that_is_no_id_is_not_found() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    client.get("/v2.0/networks/blue").fault(404, "NetworkNotFound", "Network blue could not be found.");
    client.get("/v2.0/ports/a%2Fb").fault(404, "PortNotFound", "Port a/b could not be found.");
    client.delete("/v2.0/subnets/x").fault(404, "SubnetNotFound", "Subnet x could not be found.");
}
