//! Tags.

use crate::client::at;
use crate::controller::Controller;
use serde_json::{Value, json};

#[test]
fn tags_are_added_shown_replaced_and_removed() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/24");
    let port = client.create("port", json!({ "network_id": network }))["id"].clone();
    let group = client.create("security_group", json!({}))["id"].clone();
    let router = client.create("router", json!({}))["id"].clone();
    for (collection, id) in [
        ("networks", &network),
        ("subnets", &subnet),
        ("ports", &port),
        ("security-groups", &group),
        ("routers", &router),
    ] {
        let tags = format!("{}/tags", at(collection, id));
        assert_eq!(client.get(&tags).expect(200), json!({"tags": []}));
        assert_eq!(client.raw("PUT", &format!("{tags}/red%2Fblue"), None).status, 201);
        assert_eq!(client.raw("PUT", &format!("{tags}/red%2Fblue"), None).status, 201);
        client.get(&format!("{tags}/red%2Fblue")).expect(204);
        client.get(&format!("{tags}/red")).fault(404, "TagNotFound", "Tag red could not be found.");
        client.post(&tags, &json!({"tags": ["v1.json", "b"]})).expect(200);
        assert_eq!(client.get(&tags).expect(200), json!({"tags": ["b", "red/blue", "v1.json"]}));
        client.delete(&format!("{tags}/v1.json")).expect(204);
        client.delete(&format!("{tags}/v1.json")).fault(404, "TagNotFound", "Tag v1.json could not be found.");
        assert_eq!(client.put(&tags, &json!({"tags": ["x", "y"]})).expect(200), json!({"tags": ["x", "y"]}));
        let shown = client.get(&at(collection, id)).expect(200);
        assert_eq!(shown[collection.trim_end_matches('s').replace('-', "_")]["tags"], json!(["x", "y"]));
        client.delete(&tags).expect(204);
        assert_eq!(client.get(&tags).expect(200), json!({"tags": []}));
    }
}

#[test]
fn lists_are_filtered_by_tags() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    for (name, tags) in [("none", vec![]), ("red", vec!["red"]), ("both", vec!["red", "blue"]), ("blue", vec!["blue"])]
    {
        let network = client.create("network", json!({ "name": name }));
        client.put(&format!("{}/tags", at("networks", &network["id"])), &json!({ "tags": tags })).expect(200);
    }
    let found = |query: &str| client.column("networks", &format!("{query}&sort_key=name&sort_dir=asc"), "name");
    assert_eq!(found("tags=red"), ["both", "red"]);
    assert_eq!(found("tags=red,blue"), ["both"]);
    assert_eq!(found("tags=red&tags=blue"), ["both"]);
    assert_eq!(found("tags-any=red,blue"), ["blue", "both", "red"]);
    assert_eq!(found("not-tags=red,blue"), ["blue", "none", "red"]);
    assert_eq!(found("not-tags-any=red,blue"), ["none"]);
    assert_eq!(found("tags=red&not-tags=blue"), ["red"]);
}

#[test]
fn tags_are_bounded() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let tags = format!("{}/tags", at("networks", &network));
    let many: Vec<String> = (0..51).map(|at| at.to_string()).collect();
    let full = "Bad networks request: The number of tags exceed the per-resource limit of 50.";
    client.put(&tags, &json!({ "tags": many })).fault(400, "BadRequest", full);
    client.put(&tags, &json!({ "tags": many[..50] })).expect(200);
    client.raw("PUT", &format!("{tags}/more"), None).fault(400, "BadRequest", full);
    let long = "x".repeat(256);
    client.raw("PUT", &format!("{tags}/{long}"), None).fault(
        400,
        "InvalidInput",
        &format!("Invalid input for operation: '{long}' exceeds maximum length of 255."),
    );
    let refused = |body: Value, message: &str| {
        client.put(&tags, &body).fault(400, "InvalidInput", message);
    };
    refused(json!({}), "Invalid input for operation: Invalid tags body.");
    refused(json!({"tags": "x"}), "Invalid input for operation: 'x' is not a list.");
    refused(json!({"tags": [1]}), "Invalid input for operation: '1' is not a valid string.");
    refused(json!({"tags": ["a", "a"]}), "Invalid input for operation: Duplicate items in the list: 'a'.");
    client.get("/v2.0/networks/6f9619ff-8b86-d011-b42d-00cf4fc964ff/tags").fault(
        404,
        "TagResourceNotFound",
        "Resource networks 6f9619ff-8b86-d011-b42d-00cf4fc964ff could not be found.",
    );
}

#[test]
fn tags_added_at_once_are_all_kept() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let tags = format!("{}/tags", at("networks", &network));
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let (client, tags) = (client.clone(), &tags);
            scope.spawn(move || {
                for tag in 0..5 {
                    client.raw("PUT", &format!("{tags}/{writer}-{tag}"), None).expect(201);
                }
            });
        }
    });
    assert_eq!(client.get(&tags).expect(200)["tags"].as_array().unwrap().len(), 20);
}
