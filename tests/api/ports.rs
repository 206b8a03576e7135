//! Ports: bodies, defaults, bindings, faults.

use crate::client::at;
use crate::controller::Controller;
use serde_json::{Value, json};
use weir_model::HostName;

#[test]
fn a_port_has_neutrons_attributes_and_defaults() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/24");
    let port = client.create("port", json!({"network_id": network}));
    let mac = port["mac_address"].as_str().unwrap();
    assert!(mac.starts_with("fa:16:3e:"), "{mac}");
    assert_eq!(
        port,
        json!({
            "id": port["id"], "name": "", "network_id": network, "tenant_id": "default", "project_id": "default",
            "admin_state_up": true, "mac_address": mac,
            "fixed_ips": [{"subnet_id": subnet, "ip_address": "10.0.0.2"}], "device_id": "", "device_owner": "",
            "status": "DOWN", "allowed_address_pairs": [], "port_security_enabled": true, "security_groups": client.column("security_groups", "", "id"),
            "binding:host_id": "", "binding:vnic_type": "normal", "binding:profile": {},
            "binding:vif_type": "unbound", "binding:vif_details": {}, "extra_dhcp_opts": [], "dns_name": "",
            "dns_assignment": [{"hostname": "host-10-0-0-2", "fqdn": "host-10-0-0-2.openstacklocal.",
                "ip_address": "10.0.0.2"}],
            "ip_allocation": "immediate", "description": "", "tags": [], "created_at": port["created_at"],
            "updated_at": port["updated_at"], "revision_number": port["revision_number"],
        })
    );
}

#[test]
fn every_attribute_of_a_port_is_kept_and_changed() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/24");
    let port = client.create(
        "port",
        json!({"network_id": network, "name": "p", "mac_address": "AA-BB-CC-00-00-01", "device_id": "vm",
            "device_owner": "compute:nova", "fixed_ips": [{"ip_address": "10.0.0.50"}, {"subnet_id": subnet}],
            "allowed_address_pairs": [{"ip_address": "10.9.0.0/16"}, {"ip_address": "10.0.0.77",
                "mac_address": "00:00:5e:00:01:05"}],
            "binding:profile": {"pci": [1, {"a": null}]}, "binding:vnic_type": "normal", "dns_name": "VM-1",
            "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "tftp", "opt_value": "x",
                "ip_version": 6}], "tags": ["b", "a"], "security_groups": [], "admin_state_up": false}),
    );
    assert_eq!(port["mac_address"], "aa:bb:cc:00:00:01");
    assert_eq!(port["fixed_ips"][0], json!({"subnet_id": subnet, "ip_address": "10.0.0.50"}));
    assert_eq!(port["fixed_ips"].as_array().unwrap().len(), 2);
    assert_eq!(
        port["allowed_address_pairs"],
        json!([{"ip_address": "10.9.0.0/16", "mac_address": "aa:bb:cc:00:00:01"},
            {"ip_address": "10.0.0.77", "mac_address": "00:00:5e:00:01:05"}])
    );
    assert_eq!(port["binding:profile"], json!({"pci": [1, {"a": null}]}));
    assert_eq!(port["dns_name"], "vm-1");
    assert_eq!(port["dns_assignment"][0]["fqdn"], "vm-1.openstacklocal.");
    assert_eq!(port["tags"], json!(["a", "b"]));
    assert_eq!(port["admin_state_up"], false);
    let changed = client.update(
        "port",
        &port["id"],
        json!({"mac_address": "aa:bb:cc:00:00:02", "fixed_ips": [], "allowed_address_pairs": null,
            "binding:profile": null, "name": "q", "dns_name": "", "device_id": "", "admin_state_up": true,
            "port_security_enabled": false,
            "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": null}, {"opt_name": "router", "opt_value": "10.0.0.9"}]}),
    );
    assert_eq!(changed["mac_address"], "aa:bb:cc:00:00:02");
    assert_eq!(changed["fixed_ips"], json!([]));
    assert_eq!(changed["allowed_address_pairs"], json!([]));
    assert_eq!(changed["binding:profile"], json!({}));
    assert_eq!(changed["port_security_enabled"], false);
    assert_eq!(
        changed["extra_dhcp_opts"],
        json!([{"opt_name": "tftp", "opt_value": "x", "ip_version": 6},
            {"opt_name": "router", "opt_value": "10.0.0.9", "ip_version": 4}])
    );
    let again = client.update("port", &port["id"], json!({ "mac_address": null }));
    assert_ne!(again["mac_address"], changed["mac_address"]);
    assert!(again["mac_address"].as_str().unwrap().starts_with("fa:16:3e:"));
    client.delete(&at("ports", &port["id"])).expect(204);
}

#[test]
fn a_port_is_bound_to_a_known_host() {
    let (_dir, controller) = Controller::start();
    controller.hypervisor("compute-1", "192.0.2.1");
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let port = client.create("port", json!({"network_id": network, "binding:host_id": "compute-1"}));
    assert_eq!(port["binding:vif_type"], "ovs");
    assert_eq!(
        port["binding:vif_details"],
        json!({"port_filter": true, "connectivity": "l2", "bridge_name": "br-int", "datapath_type": "system",
            "ovs_hybrid_plug": false, "bound_drivers": {"0": "openvswitch"}})
    );
    let elsewhere = client.update("port", &port["id"], json!({"binding:host_id": "nowhere"}));
    assert_eq!(elsewhere["binding:vif_type"], "binding_failed");
    assert_eq!(elsewhere["binding:vif_details"], json!({}));
    for unbound in [json!(""), json!(null)] {
        client.update("port", &port["id"], json!({"binding:host_id": "compute-1"}));
        let port = client.update("port", &port["id"], json!({ "binding:host_id": unbound }));
        assert_eq!(port["binding:host_id"], "");
        assert_eq!(port["binding:vif_type"], "unbound");
    }
}

#[test]
fn showing_a_port_tells_an_admin_which_hosts_lag() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let network = client.create("network", json!({}))["id"].clone();
    let port = client.create("port", json!({"network_id": network}));
    assert_eq!(port.get("weir:realized"), None);
    let shown = client.show("port", &port["id"]);
    assert_eq!(shown["weir:realized"], true);
    assert_eq!(shown["weir:lagging_hosts"], json!([]));
    *controller.told.waiting_for.lock().unwrap() = vec![HostName::from("h1"), HostName::from("h2")];
    let shown = client.show("port", &port["id"]);
    assert_eq!(shown["weir:realized"], false);
    assert_eq!(shown["weir:lagging_hosts"], json!(["h1", "h2"]));
    let listed = client.get("/v2.0/ports").expect(200);
    assert_eq!(listed["ports"][0].get("weir:lagging_hosts"), None);
}

#[test]
fn what_does_not_fit_is_refused_in_neutrons_words() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, subnet) = client.network_with_subnet("10.0.0.0/29");
    let refused = |more: Value, status: u16, kind: &str, message: &str| {
        let mut body = json!({ "network_id": network });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        client.post("/v2.0/ports", &json!({ "port": body })).fault(status, kind, message);
    };
    let bad = "HTTPBadRequest";
    refused(
        json!({"mac_address": "zz"}),
        400,
        bad,
        "Invalid input for mac_address. Reason: 'zz' is not a valid MAC address.",
    );
    refused(
        json!({"fixed_ips": null}),
        400,
        bad,
        "Invalid input for fixed_ips. Reason: Invalid data format for fixed IP: 'None'.",
    );
    refused(
        json!({"fixed_ips": [{"ip_address": "10.0.0.3"}, {"ip_address": "10.0.0.3"}]}),
        400,
        bad,
        "Invalid input for fixed_ips. Reason: Duplicate IP address '10.0.0.3'.",
    );
    refused(
        json!({"fixed_ips": [{"subnet_id": "s"}]}),
        400,
        bad,
        "Invalid input for fixed_ips. Reason: 's' is not a valid UUID.",
    );
    refused(
        json!({"fixed_ips": [{"ip_address": "10.9.0.3"}]}),
        400,
        "InvalidIpForNetwork",
        "IP address 10.9.0.3 is not a valid IP for any of the subnets on the specified network.",
    );
    refused(
        json!({"fixed_ips": [{"ip_address": "10.9.0.3", "subnet_id": subnet}]}),
        400,
        "InvalidIpForSubnet",
        "IP address 10.9.0.3 is not a valid IP for the specified subnet.",
    );
    refused(json!({"allowed_address_pairs": {}}), 400, bad, "Allowed address pairs must be a list.");
    refused(
        json!({"allowed_address_pairs": [{"mac_address": "aa:bb:cc:00:00:01"}]}),
        400,
        "AllowedAddressPairsMissingIP",
        "AllowedAddressPair must contain ip_address",
    );
    refused(
        json!({"allowed_address_pairs": [{"ip_address": "10.0.0.1", "colour": "red"}]}),
        400,
        bad,
        "Unrecognized attribute(s) 'colour'",
    );
    refused(
        json!({"allowed_address_pairs": [{"ip_address": "224.0.0.1"}]}),
        400,
        bad,
        "IP 224.0.0.1 is a multicast address, which is not supported.",
    );
    let many: Vec<Value> = (0..11).map(|at| json!({"ip_address": format!("10.1.0.{at}")})).collect();
    refused(
        json!({ "allowed_address_pairs": many }),
        400,
        "AllowedAddressPairExhausted",
        "The number of allowed address pair exceeds the maximum 10.",
    );
    refused(
        json!({"allowed_address_pairs": [{"ip_address": "10.0.0.1"}], "port_security_enabled": false}),
        409,
        "AddressPairAndPortSecurityRequired",
        "Port Security must be enabled in order to have allowed address pairs on a port.",
    );
    refused(
        json!({"extra_dhcp_opts": [{"opt_name": "a"}]}),
        400,
        "InvalidInput",
        "Invalid input for operation: No valid key specs matched for: {'opt_name': 'a'}.",
    );
    refused(
        json!({"binding:profile": "x"}),
        400,
        bad,
        "Invalid input for binding:profile. Reason: 'x' is not a dictionary.",
    );
    refused(
        json!({"binding:vnic_type": "fast"}),
        400,
        bad,
        "Invalid input for binding:vnic_type. Reason: fast is not in valid_values.",
    );
    refused(
        json!({"dns_name": "a_b"}),
        400,
        bad,
        "Invalid input for dns_name. Reason: 'a_b' not a valid PQDN or FQDN. Reason: Name 'a_b' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen.",
    );
    refused(
        json!({"security_groups": ["g"]}),
        400,
        bad,
        "Invalid input for security_groups. Reason: 'g' is not a valid UUID.",
    );
    refused(
        json!({"network_id": "6f9619ff-8b86-d011-b42d-00cf4fc964ff"}),
        404,
        "NetworkNotFound",
        "Network 6f9619ff-8b86-d011-b42d-00cf4fc964ff could not be found.",
    );
    client.post("/v2.0/ports", &json!({"port": {}})).fault(
        400,
        bad,
        "Failed to parse request. Required attribute 'network_id' not specified",
    );
    let first = client.create("port", json!({"network_id": network, "mac_address": "aa:bb:cc:00:00:01"}));
    refused(
        json!({"mac_address": "aa:bb:cc:00:00:01"}),
        409,
        "MacAddressInUse",
        &format!(
            "Unable to complete operation for network {}. The mac address aa:bb:cc:00:00:01 is in use.",
            network.as_str().unwrap()
        ),
    );
    refused(
        json!({"fixed_ips": [first["fixed_ips"][0]]}),
        409,
        "IpAddressAlreadyAllocated",
        &format!("IP address 10.0.0.2 already allocated in subnet {}", subnet.as_str().unwrap()),
    );
    for _ in 0..4 {
        client.create("port", json!({ "network_id": network }));
    }
    refused(
        json!({}),
        409,
        "IpAddressGenerationFailure",
        &format!("No more IP addresses available on network {}.", network.as_str().unwrap()),
    );
}
