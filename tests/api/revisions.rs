//! `If-Match`.

use crate::client::at;
use crate::controller::Controller;
use serde_json::json;

#[test]
fn a_change_can_demand_a_revision() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}));
    let path = at("networks", &network["id"]);
    let revision = network["revision_number"].as_u64().unwrap();
    let body = json!({"network": {"name": "x"}});
    let stale = client.with("If-Match", &format!("revision_number={}", revision + 1));
    let message = format!("Constrained to {}, but current revision is {revision}", revision + 1);
    stale.put(&path, &body).fault(412, "RevisionNumberConstraintFailed", &message);
    stale.delete(&path).fault(412, "RevisionNumberConstraintFailed", &message);
    stale.raw("PUT", &format!("{path}/tags/t"), None).fault(412, "RevisionNumberConstraintFailed", &message);
    let right = client.with("If-Match", &format!("revision_number={revision}"));
    let changed = right.put(&path, &body).expect(200);
    assert_eq!(changed["network"]["name"], "x");
    client.with("If-Match", "revision_number=one").put(&path, &body).fault(
        400,
        "BadRequest",
        "Bad if-match request: Revision number etag must be in the format of revision_number=<int>.",
    );
    client.with("If-Match", "\"something else\"").put(&path, &body).expect(200);
}

#[test]
fn every_change_counts() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}));
    let first = network["revision_number"].as_u64().unwrap();
    let second = client.update("network", &network["id"], json!({"name": "y"}))["revision_number"].as_u64().unwrap();
    assert!(second > first);
    client.raw("PUT", &format!("{}/tags/t", at("networks", &network["id"])), None).expect(201);
    let third = client.show("network", &network["id"])["revision_number"].as_u64().unwrap();
    assert!(third > second);
}
