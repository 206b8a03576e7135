//! Bulk creation: all or nothing.

use crate::controller::Controller;
use serde_json::{Value, json};

#[test]
fn a_bulk_request_creates_in_order() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let answer = client.post("/v2.0/networks", &json!({"networks": [{"name": "a"}, {"network": {"name": "b"}}]}));
    let networks = answer.expect(201);
    assert_eq!(networks["networks"][0]["name"], "a");
    assert_eq!(networks["networks"][1]["name"], "b");
    let id = &networks["networks"][0]["id"];
    let subnets = client
        .post(
            "/v2.0/subnets",
            &json!({"subnets": [{"network_id": id, "ip_version": 4, "cidr": "10.0.0.0/24"},
                {"network_id": id, "ip_version": 6, "cidr": "fd00::/64"}]}),
        )
        .expect(201);
    assert_eq!(subnets["subnets"].as_array().unwrap().len(), 2);
    let ports: Vec<Value> = (0..100).map(|at| json!({"network_id": id, "name": format!("p{at}")})).collect();
    let made = client.post("/v2.0/ports", &json!({ "ports": ports })).expect(201);
    let names: Vec<&str> = made["ports"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], "p0");
    assert_eq!(names[99], "p99");
    let mut addresses: Vec<Value> = client.column("ports", "", "fixed_ips");
    addresses.sort_by_key(ToString::to_string);
    addresses.dedup();
    assert_eq!(addresses.len(), 100);
}

#[test]
fn one_bad_object_spoils_the_whole() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, _) = client.network_with_subnet("10.0.0.0/24");
    // Spoiled in the table.
    client.post("/v2.0/networks", &json!({"networks": [{"name": "a"}, {"name": 1}]})).fault(
        400,
        "HTTPBadRequest",
        "Invalid input for name. Reason: '1' is not a valid string.",
    );
    // Spoiled in the model, after good ones.
    let subnet = client.column("subnets", "", "id")[0].clone();
    client
        .post(
            "/v2.0/ports",
            &json!({"ports": [{"network_id": network}, {"network_id": network,
                "fixed_ips": [{"ip_address": "10.0.0.2"}]}, {"network_id": network, "fixed_ips": [{"ip_address": "10.0.0.2"}]}]}),
        )
        .fault(
            409,
            "IpAddressAlreadyAllocated",
            &format!("IP address 10.0.0.2 already allocated in subnet {}", subnet.as_str().unwrap()),
        );
    assert_eq!(client.column("networks", "", "id").len(), 1);
    assert_eq!(client.column("ports", "", "id").len(), 0);
    assert_eq!(client.create("port", json!({ "network_id": network }))["fixed_ips"][0]["ip_address"], "10.0.0.2");
}

#[test]
fn a_bulk_request_must_make_sense() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let refused = |body: Value, message: &str| {
        client.post("/v2.0/networks", &body).fault(400, "HTTPBadRequest", message);
    };
    refused(json!({"networks": []}), "Resources required");
    refused(json!({"networks": null}), "Resources required");
    refused(json!({"networks": "all"}), "Body contains invalid data");
    refused(json!({"networks": [1]}), "Body contains invalid data");
    refused(json!({"networks": [{"network": 1}]}), "Object 'network' contains invalid data");
    refused(json!({}), "Resource body required");
    refused(json!({"subnet": {}}), "Unable to find 'network' in request body");
    refused(json!({"network": null}), "Unable to find 'network' in request body");
    refused(json!({"network": []}), "Object 'network' contains invalid data");
    refused(json!([]), "Body contains invalid data");
    let many: Vec<Value> = (0..10_001).map(|_| json!({})).collect();
    client.post("/v2.0/networks", &json!({ "networks": many })).fault(
        413,
        "HTTPRequestEntityTooLarge",
        "A bulk request has at most 10000 objects.",
    );
    let network = client.create("network", json!({}));
    client.put(&crate::client::at("networks", &network["id"]), &json!({"networks": [{}]})).fault(
        400,
        "HTTPBadRequest",
        "Bulk operation not supported",
    );
    assert_eq!(client.column("networks", "", "id").len(), 1);
}
