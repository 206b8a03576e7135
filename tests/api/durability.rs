//! What was answered outlives a restart.

use crate::client::at;
use crate::controller::{Controller, Settings};
use serde_json::json;

#[test]
fn a_restart_changes_no_answer() {
    let (directory, controller) = Controller::start();
    controller.hypervisor("compute-1", "192.0.2.1");
    let client = controller.client();
    let (network, _) = client.network_with_subnet("10.0.0.0/24");
    client.network_with_subnet("fd00::/64");
    let port = client.create(
        "port",
        json!({"network_id": network, "binding:host_id": "compute-1", "binding:profile": {"a": [1]}, "tags": ["t"],
            "allowed_address_pairs": [{"ip_address": "10.1.0.0/16"}], "device_id": "vm"}),
    );
    let gone = client.create("port", json!({ "network_id": network }));
    client.delete(&at("ports", &gone["id"])).expect(204);
    let answers = |controller: &Controller| {
        let client = controller.client();
        ["/v2.0/networks", "/v2.0/subnets", "/v2.0/ports"].map(|path| client.get(path).expect(200))
    };
    let before = answers(&controller);
    let counters = controller.snapshot.load().counters();
    controller.stop();
    let controller = Controller::over(directory.path(), Settings::default());
    assert_eq!(answers(&controller), before);
    assert_eq!(controller.snapshot.load().counters(), counters);
    let client = controller.client();
    assert_eq!(client.show("port", &port["id"])["binding:vif_type"], "ovs");
    // A freed key is not given again at once.
    let next = client.create("network", json!({}));
    assert_eq!(next["provider:segmentation_id"], 3);
}

#[test]
fn a_second_controller_is_kept_out() {
    let (directory, controller) = Controller::start();
    let error = weir::store::Store::open(directory.path()).unwrap_err();
    let path = directory.path().join("weir.redb");
    assert_eq!(error.to_string(), format!("{} is in use by another process", path.display()));
    controller.stop();
    weir::store::Store::open(directory.path()).unwrap();
}
