//! `/weir/v1/`.

use crate::controller::Controller;
use serde_json::json;
use std::collections::BTreeMap;
use weir::api::{AnswerReport, HostReport, LinkState, SwitchReport};
use weir_model::{HostName, Liveness};

#[test]
fn hosts_are_reported() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    assert_eq!(client.get("/weir/v1/hosts").expect(200), json!({"hosts": []}));
    *controller.told.hosts.lock().unwrap() = vec![HostReport {
        name: HostName::from("compute-1"),
        system_id: "s1".to_owned(),
        encap_ip: Some("192.0.2.1".parse().unwrap()),
        liveness: Liveness::Alive,
        ovsdb: LinkState::Up,
        switches: vec![SwitchReport {
            bridge: "br-int".to_owned(),
            openflow: LinkState::Synchronizing,
            wanted_revision: 9,
            acknowledged_revision: 8,
            flows: 70,
            compared_at: Some(1_700_000_000),
            last_error: Some("OFPFMFC_TABLE_FULL".to_owned()),
        }],
        answers: AnswerReport {
            answered: BTreeMap::from([("dhcpv4".to_owned(), 4)]),
            limited: 2,
            ..AnswerReport::default()
        },
        last_error: None,
        since: 12,
    }];
    let host = json!({
        "name": "compute-1", "system_id": "s1", "encap_ip": "192.0.2.1", "liveness": "alive", "ovsdb": "up",
        "switches": [{"bridge": "br-int", "openflow": "synchronizing", "wanted_revision": 9,
            "acknowledged_revision": 8, "flows": 70, "compared_at": 1_700_000_000, "last_error": "OFPFMFC_TABLE_FULL"}],
        "answers": {"answered": {"dhcpv4": 4}, "silent": {}, "advertised": 0, "announced": 0, "limited": 2, "dropped": 0,
            "foreign": 0, "unreadable": 0},
        "last_error": null, "since": 12,
    });
    assert_eq!(client.get("/weir/v1/hosts").expect(200), json!({ "hosts": [host] }));
    assert_eq!(client.get("/weir/v1/hosts/s1").expect(200), json!({ "host": host }));
    client.get("/weir/v1/hosts/x").fault(404, "HypervisorNotFound", "Hypervisor x could not be found.");
}

#[test]
fn flows_are_shown_and_explained() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}));
    let dump = " cookie=0x1, table=0 actions=drop\n cookie=0x9, table=0 actions=drop";
    assert_eq!(
        client.post("/weir/v1/flows/explain", &json!({ "dump": dump })).expect(200),
        json!({"flows": [
            {"flow": "cookie=0x1, table=0 actions=drop", "owner": format!("network {}", network["id"].as_str().unwrap())},
            {"flow": "cookie=0x9, table=0 actions=drop", "owner": null},
        ]})
    );
    client.post("/weir/v1/flows/explain", &json!({"dump": 1})).fault(
        400,
        "HTTPBadRequest",
        "Unable to find 'dump' in request body",
    );
    assert_eq!(
        client.get("/weir/v1/hosts/far%20away/flows/br-int").expect(200),
        json!({"flows": [{"flow": "priority=0 actions=drop", "owner": null}]})
    );
    client.get("/weir/v1/hosts/x/flows/br-int").fault(
        404,
        "SwitchNotFound",
        "No switch br-int on a hypervisor x is known.",
    );
    client.get("/weir/v1/hosts/cut%20off/flows/br-int").fault(
        409,
        "SwitchDisconnected",
        "The switch is not connected.",
    );
}

#[test]
fn health_tells_the_revision() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    client.create("network", json!({}));
    let revision = controller.snapshot.load().revision();
    assert_eq!(client.get("/weir/v1/healthz").expect(200), json!({"status": "ok", "revision": revision}));
}
