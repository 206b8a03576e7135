//! Subnets: bodies, defaults, faults.

use crate::client::at;
use crate::controller::Controller;
use serde_json::{Value, json};

#[test]
fn a_subnet_has_neutrons_attributes_and_defaults() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let subnet = client.create("subnet", json!({"network_id": network, "ip_version": "4", "cidr": "10.0.0.7/24"}));
    assert_eq!(
        subnet,
        json!({
            "id": subnet["id"], "name": "", "ip_version": 4, "network_id": network, "subnetpool_id": null,
            "cidr": "10.0.0.0/24", "gateway_ip": "10.0.0.1",
            "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.254"}], "dns_nameservers": [],
            "host_routes": [], "tenant_id": "default", "project_id": "default", "enable_dhcp": true,
            "ipv6_ra_mode": null, "ipv6_address_mode": null, "service_types": [], "dns_publish_fixed_ip": false,
            "description": "", "tags": [], "created_at": subnet["created_at"], "updated_at": subnet["updated_at"],
            "revision_number": subnet["revision_number"],
        })
    );
    assert_eq!(client.show("network", &network)["subnets"], json!([subnet["id"]]));
}

#[test]
fn every_attribute_of_a_subnet_is_kept_and_changed() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let subnet = client.create(
        "subnet",
        json!({"network_id": network, "ip_version": 6, "cidr": "FD00:0::/64", "gateway_ip": null,
            "enable_dhcp": true, "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac",
            "dns_nameservers": ["fd00::53"], "host_routes": [{"destination": "fd01::/16", "nexthop": "fd00::9"}],
            "service_types": ["compute:nova"], "dns_publish_fixed_ip": true, "description": "d", "name": "s"}),
    );
    assert_eq!(subnet["cidr"], "fd00::/64");
    assert_eq!(subnet["gateway_ip"], Value::Null);
    assert_eq!(subnet["ipv6_ra_mode"], "slaac");
    assert_eq!(subnet["ipv6_address_mode"], "slaac");
    assert_eq!(subnet["dns_nameservers"], json!(["fd00::53"]));
    assert_eq!(subnet["host_routes"], json!([{"destination": "fd01::/16", "nexthop": "fd00::9"}]));
    assert_eq!(subnet["service_types"], json!(["compute:nova"]));
    assert_eq!(subnet["dns_publish_fixed_ip"], true);
    let changed = client.update(
        "subnet",
        &subnet["id"],
        json!({"gateway_ip": "fd00::1", "dns_nameservers": null, "host_routes": [], "service_types": [],
            "name": "t",
            "allocation_pools": [{"start": "fd00::10", "end": "fd00::20"}, {"start": "fd00::30", "end": "fd00::40"}]}),
    );
    assert_eq!(changed["gateway_ip"], "fd00::1");
    assert_eq!(changed["dns_nameservers"], json!([]));
    assert_eq!(changed["host_routes"], json!([]));
    assert_eq!(changed["service_types"], json!([]));
    assert_eq!(changed["name"], "t");
    assert_eq!(
        changed["allocation_pools"],
        json!([{"start": "fd00::10", "end": "fd00::20"}, {"start": "fd00::30", "end": "fd00::40"}])
    );
    client.put(&at("subnets", &subnet["id"]), &json!({"subnet": {"enable_dhcp": false}})).fault(
        400,
        "InvalidInput",
        "Invalid input for operation: Cannot disable enable_dhcp with ipv6 attributes set.",
    );
    client.delete(&at("subnets", &subnet["id"])).expect(204);
}

#[test]
fn what_does_not_fit_is_refused_in_neutrons_words() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let refused = |more: Value, kind: &str, message: &str| {
        let mut body = json!({"network_id": network, "ip_version": 4, "cidr": "10.0.0.0/24"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        client.post("/v2.0/subnets", &json!({ "subnet": body })).fault(400, kind, message);
    };
    let bad = "HTTPBadRequest";
    refused(
        json!({"cidr": "10.0.0.0/33"}),
        "InvalidInput",
        "Invalid input for operation: 10.0.0.0/33 is not in a CIDR format.",
    );
    refused(json!({"ip_version": 5}), bad, "Invalid input for ip_version. Reason: 5 is not in valid_values.");
    refused(json!({"network_id": "x"}), bad, "Invalid input for network_id. Reason: 'x' is not a valid UUID.");
    refused(
        json!({"gateway_ip": "10.0.0"}),
        bad,
        "Invalid input for gateway_ip. Reason: '10.0.0' is not a valid IP address.",
    );
    refused(
        json!({"gateway_ip": "010.0.0.1"}),
        bad,
        "Invalid input for gateway_ip. Reason: '010.0.0.1' is not an accepted IP address, '10.0.0.1' is recommended.",
    );
    refused(
        json!({"allocation_pools": [{"start": "10.0.0.9"}]}),
        bad,
        "Invalid input for allocation_pools. Reason: Validation of dictionary's keys failed. Expected keys: {'start', 'end'} Provided keys: {'start'}.",
    );
    refused(
        json!({"allocation_pools": "all"}),
        "InvalidInput",
        "Invalid input for operation: Invalid data format for allocation pools.",
    );
    refused(
        json!({"dns_nameservers": ["8.8.8.8", "8.8.8.8"]}),
        bad,
        "Invalid input for dns_nameservers. Reason: Duplicate nameserver '8.8.8.8'.",
    );
    refused(
        json!({"dns_nameservers": ["x"]}),
        bad,
        "Invalid input for dns_nameservers. Reason: 'x' is not a valid nameserver. 'x' is not a valid IP address.",
    );
    refused(
        json!({"host_routes": [{"destination": "10.0.0.1/8", "nexthop": "1.1.1.1"}]}),
        bad,
        "Invalid input for host_routes. Reason: '10.0.0.1/8' is not a valid CIDR.",
    );
    refused(
        json!({"host_routes": [7]}),
        bad,
        "Invalid input for host_routes. Reason: Invalid input. '7' must be a dictionary with keys: ['destination', 'nexthop'].",
    );
    refused(
        json!({"ipv6_ra_mode": "fast"}),
        bad,
        "Invalid input for ipv6_ra_mode. Reason: fast is not in valid_values.",
    );
    refused(
        json!({"service_types": ["x:y"]}),
        "InvalidSubnetServiceType",
        "Subnet service type x:y does not correspond to a valid device owner.",
    );
    let pool = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";
    client
        .post("/v2.0/subnets", &json!({"subnet": {"network_id": network, "ip_version": 4, "subnetpool_id": pool}}))
        .fault(404, "SubnetPoolNotFound", &format!("Subnet pool {pool} could not be found."));
    client.post("/v2.0/subnets", &json!({"subnet": {"network_id": network, "ip_version": 4}})).fault(
        400,
        "BadRequest",
        "Bad subnets request: a subnetpool must be specified in the absence of a cidr.",
    );
    client.post("/v2.0/subnets", &json!({"subnet": {"cidr": "10.0.0.0/8"}})).fault(
        400,
        bad,
        "Failed to parse request. Required attribute 'ip_version' not specified",
    );
    client
        .post("/v2.0/subnets", &json!({"subnet": {"cidr": "10.0.0.0/8", "ip_version": 4, "network_id": pool}}))
        .fault(404, "NetworkNotFound", &format!("Network {pool} could not be found."));
    assert_eq!(client.column("subnets", "", "id"), [Value::Null; 0]);
}

#[test]
fn a_subnet_in_use_stays() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/29");
    client.create("port", json!({"network_id": network}));
    let message = format!(
        "Unable to complete operation on subnet {}: One or more ports have an IP allocation from this subnet.",
        subnet.as_str().unwrap()
    );
    client.delete(&at("subnets", &subnet)).fault(409, "SubnetInUse", &message);
}
