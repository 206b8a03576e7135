//! Address groups: bodies, addresses put in and taken out, faults.

use crate::client::at;
use crate::controller::Controller;
use serde_json::{Value, json};

#[test]
fn an_address_group_has_neutrons_attributes_and_defaults() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("address_group", json!({}));
    assert_eq!(
        group,
        json!({
            "id": group["id"], "name": "", "description": "", "tenant_id": "default", "project_id": "default",
            "addresses": [], "created_at": group["created_at"], "updated_at": group["updated_at"],
            "revision_number": group["revision_number"],
        })
    );
    let full = client.create(
        "address_group",
        json!({"name": "a", "description": "d", "addresses": ["10.0.0.5/24", "fd00::1/64", "192.0.2.1/32"]}),
    );
    assert_eq!(full["addresses"], json!(["10.0.0.0/24", "192.0.2.1/32", "fd00::/64"]));
    let changed = client.update("address_group", &full["id"], json!({"name": "b", "description": ""}));
    assert_eq!((&changed["name"], &changed["description"]), (&json!("b"), &json!("")));
    assert_eq!(client.column("address_groups", "name=b", "id"), [full["id"].clone()]);
    let both = json!({"address_groups": [{"name": "x"}, {"name": "y"}]});
    assert_eq!(client.post("/v2.0/address-groups", &both).expect(201)["address_groups"][1]["name"], "y");
    client.delete(&at("address-groups", &full["id"])).expect(204);
    let id = full["id"].as_str().unwrap();
    client.get(&at("address-groups", &full["id"])).fault(
        404,
        "AddressGroupNotFound",
        &format!("Address group {id} could not be found."),
    );
}

#[test]
fn addresses_are_put_in_and_taken_out() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("address_group", json!({"addresses": ["10.0.0.0/24"]}));
    let path = at("address-groups", &group["id"]);
    let act = |action: &str, body: Value| client.put(&format!("{path}/{action}"), &body);
    let added = act("add_addresses", json!({"addresses": ["10.1.0.7/24", "fd00::1/128"]})).expect(200);
    assert_eq!(added["address_group"]["id"], group["id"]);
    assert_eq!(added["address_group"]["addresses"], json!(["10.0.0.0/24", "10.1.0.0/24", "fd00::1/128"]));
    let id = group["id"].as_str().unwrap();
    act("add_addresses", json!({"addresses": ["10.9.0.0/24", "10.0.0.0/24"]})).fault(
        400,
        "AddressesAlreadyExist",
        &format!("Addresses ['10.0.0.0/24'] already exist in the address group {id}."),
    );
    act("remove_addresses", json!({"addresses": ["10.9.0.0/24", "10.0.0.0/24"]})).fault(
        404,
        "AddressesNotFound",
        &format!("Addresses ['10.9.0.0/24'] not found in the address group {id}."),
    );
    let left = act("remove_addresses", json!({"addresses": ["10.0.0.0/24"]})).expect(200);
    assert_eq!(left["address_group"]["addresses"], json!(["10.1.0.0/24", "fd00::1/128"]));
    assert_eq!(client.show("address_group", &group["id"]), left["address_group"]);
    let revision = left["address_group"]["revision_number"].as_u64().unwrap();
    let with = |revision: u64| client.with("If-Match", &format!("revision_number={revision}"));
    let body = json!({"addresses": ["10.2.0.0/24"]});
    with(revision - 1).put(&format!("{path}/add_addresses"), &body).fault(
        412,
        "RevisionNumberConstraintFailed",
        &format!("Constrained to {}, but current revision is {revision}", revision - 1),
    );
    with(revision).put(&format!("{path}/add_addresses"), &body).expect(200);
}

#[test]
fn what_does_not_fit_is_refused_in_neutrons_words() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let refused = |addresses: Value, message: &str| {
        let body = json!({"address_group": {"addresses": addresses}});
        let message = format!("Invalid input for addresses. Reason: {message}.");
        client.post("/v2.0/address-groups", &body).fault(400, "HTTPBadRequest", &message);
    };
    refused(json!("10.0.0.0/8"), "'10.0.0.0/8' is not a list");
    refused(json!(["10.0.0.1"]), "'10.0.0.1' is not a valid IP subnet");
    refused(json!(["10.0.0.0/255.0.0.0"]), "'10.0.0.0/255.0.0.0' is not a valid IP subnet");
    refused(json!(["10.0.0.0/33"]), "'10.0.0.0/33' is not a valid IP subnet");
    refused(json!([7]), "'7' is not a valid IP subnet");
    refused(json!(["10.0.0.0/8", "10.0.0.0/8"]), "Duplicate items in the list: '10.0.0.0/8'");
    let group = client.create("address_group", json!({ "addresses": null }));
    let path = at("address-groups", &group["id"]);
    let bad = "HTTPBadRequest";
    client.put(&path, &json!({"address_group": {"addresses": []}})).fault(
        400,
        bad,
        "Cannot update read-only attribute addresses",
    );
    let act = |body: Value| client.put(&format!("{path}/add_addresses"), &body);
    let missing = "Failed to parse request. Required attribute 'addresses' not specified";
    act(json!({})).fault(400, bad, missing);
    act(json!([])).fault(400, bad, "Body contains invalid data");
    client.raw("PUT", &format!("{path}/add_addresses"), None).fault(400, bad, missing);
    act(json!({"addresses": ["x"]})).fault(
        400,
        bad,
        "Invalid input for addresses. Reason: 'x' is not a valid IP subnet.",
    );
    let nowhere = "/v2.0/address-groups/6f9619ff-8b86-d011-b42d-00cf4fc964ff/add_addresses";
    client.put(nowhere, &json!({"addresses": []})).fault(
        404,
        "AddressGroupNotFound",
        "Address group 6f9619ff-8b86-d011-b42d-00cf4fc964ff could not be found.",
    );
}

#[test]
fn an_address_group_in_use_stays() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let addresses = client.create("address_group", json!({"addresses": ["10.0.0.0/24"]}))["id"].clone();
    let group = client.create("security_group", json!({}))["id"].clone();
    let rule = client.create(
        "security_group_rule",
        json!({"security_group_id": group, "direction": "ingress", "remote_address_group_id": addresses}),
    );
    assert_eq!(rule["remote_address_group_id"], addresses);
    assert_eq!(
        client.column(
            "security_group_rules",
            &format!("remote_address_group_id={}", addresses.as_str().unwrap()),
            "id"
        ),
        [rule["id"].clone()]
    );
    client.delete(&at("address-groups", &addresses)).fault(
        409,
        "AddressGroupInUse",
        &format!("Address group {} is in use on one or more security group rules.", addresses.as_str().unwrap()),
    );
    client.delete(&at("security-group-rules", &rule["id"])).expect(204);
    client.delete(&at("address-groups", &addresses)).expect(204);
}
