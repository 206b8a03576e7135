//! Filters, fields and order.

use crate::client::Client;
use crate::controller::Controller;
use serde_json::{Value, json};

/// The names of what a query finds, sorted.
fn names(client: &Client, collection: &str, query: &str) -> Vec<String> {
    let mut names: Vec<String> =
        client.column(collection, query, "name").iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn networks_are_filtered() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let a = client.project("p1").create("network", json!({"name": "a", "shared": true}));
    client.project("p1").create("network", json!({"name": "b", "admin_state_up": false, "mtu": 1300}));
    client.project("p2").create("network", json!({"name": "c", "router:external": true, "description": "x y"}));
    client.project("p2").create("network", json!({"name": ""}));
    let found = |query: &str| names(&client, "networks", query);
    assert_eq!(found("name=a"), ["a"]);
    assert_eq!(found("name=a&name=c&name=nope"), ["a", "c"]);
    assert_eq!(found("name="), [""]);
    assert_eq!(found(&format!("id={}", a["id"].as_str().unwrap())), ["a"]);
    assert_eq!(found("id=nonsense"), [""; 0]);
    assert_eq!(found("project_id=p1"), ["a", "b"]);
    assert_eq!(found("tenant_id=p2&name=c"), ["c"]);
    assert_eq!(found("shared=True"), ["a"]);
    assert_eq!(found("shared=0&project_id=p1"), ["b"]);
    assert_eq!(found("admin_state_up=false"), ["b"]);
    assert_eq!(found("router:external=yes"), ["c"]);
    assert_eq!(found("router%3Aexternal=yes"), ["c"]);
    assert_eq!(found("description=x+y"), ["c"]);
    assert_eq!(found("mtu=1300"), ["b"]);
    assert_eq!(found("status=ACTIVE").len(), 4);
    assert_eq!(found("status=DOWN"), [""; 0]);
    assert_eq!(found("provider:network_type=vxlan&provider:segmentation_id=1"), ["a"]);
    assert_eq!(found("changed_since=2100-01-01T00:00:00Z"), [""; 0]);
    assert_eq!(found("changed_since=2020-01-01T00:00:00Z").len(), 4);
    let refused = |query: &str, kind: &str, message: &str| {
        client.get(&format!("/v2.0/networks?{query}")).fault(400, kind, message);
    };
    refused("colour=red&size=1&colour=blue", "HTTPBadRequest", "['colour', 'size'] is invalid attribute for filtering");
    refused("subnets=x", "HTTPBadRequest", "['subnets'] is invalid attribute for filtering");
    refused("shared=maybe", "InvalidInput", "Invalid input for operation: 'maybe' cannot be converted to boolean.");
}

#[test]
fn subnets_are_filtered() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let shared = client.create("network", json!({"shared": true}))["id"].clone();
    let private = client.create("network", json!({}))["id"].clone();
    let subnet = |name: &str, network: &Value, version: u8, cidr: &str| {
        client.create("subnet", json!({"name": name, "network_id": network, "ip_version": version, "cidr": cidr}));
    };
    subnet("a", &shared, 4, "10.0.0.0/24");
    subnet("b", &shared, 6, "fd00::/64");
    subnet("c", &private, 4, "10.0.0.0/24");
    let found = |query: &str| names(&client, "subnets", query);
    assert_eq!(found(&format!("network_id={}", shared.as_str().unwrap())), ["a", "b"]);
    assert_eq!(found("ip_version=6"), ["b"]);
    assert_eq!(found("cidr=10.0.0.0/24"), ["a", "c"]);
    assert_eq!(found("cidr=FD00:0::/64"), ["b"]);
    assert_eq!(found("gateway_ip=10.0.0.1"), ["a", "c"]);
    assert_eq!(found("shared=true"), ["a", "b"]);
    assert_eq!(found("shared=false"), ["c"]);
    assert_eq!(found("enable_dhcp=1").len(), 3);
}

#[test]
fn ports_are_filtered() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (one, one_subnet) = client.network_with_subnet("10.0.0.0/24");
    let (two, two_subnet) = client.network_with_subnet("10.0.0.0/24");
    let port = |name: &str, network: &Value, ip: &str, device: &str, owner: &str| {
        client.create(
            "port",
            json!({"name": name, "network_id": network, "fixed_ips": [{"ip_address": ip}], "device_id": device,
                "device_owner": owner, "binding:host_id": name, "mac_address": format!("aa:bb:cc:00:00:0{}", &ip[7..8])}),
        );
    };
    port("a", &one, "10.0.0.10", "vm1", "compute:nova");
    port("b", &one, "10.0.0.20", "vm1", "compute:nova");
    port("c", &two, "10.0.0.10", "vm2", "network:dhcp");
    let found = |query: &str| names(&client, "ports", query);
    let id = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(found(&format!("network_id={}", id(&two))), ["c"]);
    assert_eq!(found(&format!("network_id={}&network_id={}", id(&one), id(&two))), ["a", "b", "c"]);
    assert_eq!(found("device_id=vm1"), ["a", "b"]);
    assert_eq!(found("device_id=vm1&device_id=vm2"), ["a", "b", "c"]);
    assert_eq!(found("device_owner=network:dhcp"), ["c"]);
    assert_eq!(found("binding:host_id=b"), ["b"]);
    assert_eq!(found("mac_address=AA:BB:CC:00:00:02"), ["b"]);
    assert_eq!(found("status=DOWN").len(), 3);
    assert_eq!(found("fixed_ips=ip_address%3D10.0.0.10"), ["a", "c"]);
    assert_eq!(found("fixed_ips=ip_address=10.0.0.10&fixed_ips=ip_address=10.0.0.20"), ["a", "b", "c"]);
    assert_eq!(found(&format!("fixed_ips=ip_address=10.0.0.10&fixed_ips=subnet_id={}", id(&two_subnet))), ["c"]);
    assert_eq!(found(&format!("fixed_ips=subnet_id={}", id(&one_subnet))), ["a", "b"]);
    assert_eq!(found("fixed_ips=ip_address_substr=0.2"), ["b"]);
    assert_eq!(found("fixed_ips=ip_address=nonsense"), [""; 0]);
    client.get("/v2.0/ports?fixed_ips=10.0.0.10").fault(
        400,
        "InvalidInput",
        "Invalid input for operation: '10.0.0.10' is not of the form <key>=[value].",
    );
}

#[test]
fn answers_have_the_fields_asked_for() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({"name": "n"}));
    let listed = client.get("/v2.0/networks?fields=name&fields=mtu&fields=unknown").expect(200);
    assert_eq!(listed, json!({"networks": [{"name": "n", "mtu": 1450}]}));
    let path = format!("/v2.0/networks/{}.json?fields=id&fields=tenant_id", network["id"].as_str().unwrap());
    let shown = client.get(&path).expect(200);
    assert_eq!(shown, json!({"network": {"id": network["id"], "project_id": "default", "tenant_id": "default"}}));
}

#[test]
fn lists_are_sorted() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    for (name, mtu) in [("b", 1400), ("a", 1300), ("c", 1300)] {
        client.create("network", json!({"name": name, "mtu": mtu}));
    }
    let sorted = |query: &str| client.column("networks", query, "name");
    assert_eq!(sorted("sort_key=name&sort_dir=asc"), ["a", "b", "c"]);
    assert_eq!(sorted("sort_key=name&sort_dir=desc"), ["c", "b", "a"]);
    assert_eq!(sorted("sort_key=mtu&sort_dir=asc&sort_key=name&sort_dir=desc"), ["c", "a", "b"]);
    let ids = client.column("networks", "", "id");
    let mut ascending = ids.clone();
    ascending.sort_by_key(ToString::to_string);
    assert_eq!(ids, ascending);
    let refused = |query: &str, message: &str| {
        client.get(&format!("/v2.0/networks?{query}")).fault(400, "HTTPBadRequest", message);
    };
    refused("sort_key=name", "The number of sort_keys and sort_dirs must be same");
    refused("sort_key=subnets&sort_dir=asc", "['subnets'] is invalid attribute for sort_keys");
    refused("sort_key=name&sort_dir=up", "['up'] is invalid value for sort_dirs, valid value is 'asc' and 'desc'");
}
