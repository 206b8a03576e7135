//! Security groups, their rules, and the groups of ports.

use crate::client::{Client, at};
use crate::controller::Controller;
use serde_json::{Value, json};

const NOWHERE: &str = "6f9619ff-8b86-d011-b42d-00cf4fc964ff";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// A rule without what differs from one to the next.
fn essence(rule: &Value) -> Value {
    let names = [
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
        "normalized_cidr",
        "remote_group_id",
        "remote_address_group_id",
        "belongs_to_default_sg",
    ];
    names.iter().map(|name| (*name, rule[*name].clone())).filter(|(_, value)| !value.is_null()).collect()
}

fn essences(group: &Value) -> Vec<Value> {
    let mut rules: Vec<Value> = group["security_group_rules"].as_array().unwrap().iter().map(essence).collect();
    rules.sort_by_key(Value::to_string);
    rules
}

fn default_group(client: &Client) -> Value {
    let mut listed = client.get("/v2.0/security-groups?name=default").expect(200);
    listed["security_groups"][0].take()
}

#[test]
fn a_security_group_has_neutrons_attributes_and_rules() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("security_group", json!({"name": "web"}));
    assert_eq!(
        group,
        json!({
            "id": group["id"], "name": "web", "stateful": true, "tenant_id": "default", "project_id": "default",
            "description": "", "shared": false, "security_group_rules": group["security_group_rules"], "tags": [],
            "created_at": group["created_at"], "updated_at": group["updated_at"],
            "revision_number": group["revision_number"],
        })
    );
    let out = |version: &str| json!({"direction": "egress", "ethertype": version, "belongs_to_default_sg": false});
    assert_eq!(essences(&group), [out("IPv4"), out("IPv6")].map(|it| essence(&it)));
    let rule = &group["security_group_rules"][0];
    assert_eq!(
        *rule,
        json!({
            "id": rule["id"], "tenant_id": "default", "project_id": "default", "security_group_id": group["id"],
            "direction": "egress", "ethertype": rule["ethertype"], "protocol": null, "port_range_min": null,
            "port_range_max": null, "remote_ip_prefix": null, "normalized_cidr": null, "remote_group_id": null,
            "remote_address_group_id": null, "belongs_to_default_sg": false, "description": rule["description"],
            "created_at": rule["created_at"], "updated_at": rule["updated_at"],
            "revision_number": rule["revision_number"],
        })
    );
    assert_eq!(client.show("security_group_rule", &rule["id"]), *rule);
    assert_eq!(client.show("security_group", &group["id"]), group);
    let changed =
        client.update("security_group", &group["id"], json!({"name": " x", "description": "d", "stateful": "no"}));
    assert_eq!(
        (&changed["name"], &changed["description"], &changed["stateful"]),
        (&json!(" x"), &json!("d"), &json!(false))
    );
    assert_eq!(client.column("security_groups", "stateful=false&shared=false", "id"), [group["id"].clone()]);
    assert_eq!(client.column("security_groups", "shared=true", "id"), [Value::Null; 0]);
    client.delete(&at("security-groups", &group["id"])).expect(204);
    let missing = format!("Security group {} does not exist", text(&group["id"]));
    client.get(&at("security-groups", &group["id"])).fault(404, "SecurityGroupNotFound", &missing);
    client.get(&at("security-group-rules", &rule["id"])).fault(
        404,
        "SecurityGroupRuleNotFound",
        &format!("Security group rule {} does not exist", text(&rule["id"])),
    );
}

#[test]
fn a_project_has_a_default_group_once_it_looks() {
    let (_dir, controller) = Controller::start();
    let client = controller.client().project("p1");
    assert_eq!(client.column("security_group_rules", "", "project_id"), vec![json!("p1"); 4]);
    let group = default_group(&client);
    assert_eq!((&group["name"], &group["description"]), (&json!("default"), &json!("Default security group")));
    let rule = |direction: &str, version: &str| {
        json!({"direction": direction, "ethertype": version,
        "belongs_to_default_sg": true})
    };
    let within = |version: &str| {
        let mut rule = rule("ingress", version);
        rule["remote_group_id"] = group["id"].clone();
        rule
    };
    let mut expected = vec![rule("egress", "IPv4"), rule("egress", "IPv6"), within("IPv4"), within("IPv6")];
    expected.sort_by_key(Value::to_string);
    assert_eq!(essences(&group), expected);
    // Looking again changes nothing; an admin who names a project looks for that one.
    assert_eq!(default_group(&client), group);
    assert_eq!(client.column("security_groups", "project_id=p2", "project_id"), [json!("p2")]);
    // No project is called so.
    for nobody in ["", &"x".repeat(256)] {
        assert_eq!(client.column("security_groups", &format!("project_id={nobody}"), "id"), [Value::Null; 0]);
    }
    let mut owners = client.column("security_groups", "name=default", "project_id");
    owners.sort_by_key(Value::to_string);
    assert_eq!(owners, [json!("p1"), json!("p2")]);
    let exists = "Default security group already exists.";
    for name in ["default", "DEFAULT"] {
        let body = json!({"security_group": {"name": name}});
        client.post("/v2.0/security-groups", &body).fault(409, "SecurityGroupDefaultAlreadyExists", exists);
    }
    client.put(&at("security-groups", &group["id"]), &json!({"security_group": {"name": "x"}})).fault(
        409,
        "SecurityGroupCannotUpdateDefault",
        "Updating default security group not allowed.",
    );
    let changed = client.update("security_group", &group["id"], json!({"description": "mine"}));
    assert_eq!(changed["description"], "mine");
}

#[test]
fn rules_are_converted_as_neutron_does() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("security_group", json!({}))["id"].clone();
    let made = |body: Value| {
        let mut asked = json!({"security_group_id": group, "direction": "ingress"});
        for (name, value) in body.as_object().unwrap() {
            asked[name] = value.clone();
        }
        let mut shown = essence(&client.create("security_group_rule", asked));
        let members = shown.as_object_mut().unwrap();
        members.remove("belongs_to_default_sg");
        members.remove("direction");
        shown
    };
    assert_eq!(made(json!({"protocol": null})), json!({"ethertype": "IPv4"}));
    assert_eq!(
        made(json!({"protocol": "TCP", "port_range_min": "22", "port_range_max": 22, "ethertype": "ipv4"})),
        json!({"ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22})
    );
    assert_eq!(
        made(json!({"protocol": "udp", "port_range_min": 1, "port_range_max": 65535})),
        json!({"ethertype": "IPv4", "protocol": "udp"})
    );
    assert_eq!(
        made(json!({"protocol": "icmp", "ethertype": "IPv6", "port_range_min": 128})),
        json!({"ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": 128})
    );
    assert_eq!(made(json!({"protocol": 1, "ethertype": "IPV6"})), json!({"ethertype": "IPv6", "protocol": "58"}));
    assert_eq!(made(json!({"protocol": 112})), json!({"ethertype": "IPv4", "protocol": "112"}));
    assert_eq!(
        made(json!({"protocol": "any", "remote_ip_prefix": "10.0.0.9/24", "remote_group_id": null})),
        json!({"ethertype": "IPv4", "remote_ip_prefix": "10.0.0.9/24", "normalized_cidr": "10.0.0.0/24"})
    );
    assert_eq!(
        made(json!({"remote_ip_prefix": "fd00::1", "ethertype": "IPv6", "remote_address_group_id": ""})),
        json!({"ethertype": "IPv6", "remote_ip_prefix": "fd00::1/128", "normalized_cidr": "fd00::1/128"})
    );
    assert_eq!(made(json!({ "remote_group_id": group })), json!({"ethertype": "IPv4", "remote_group_id": group}));
    let listed = |query: &str| {
        let query = format!("security_group_id={}&{query}", text(&group));
        client.column("security_group_rules", &query, "protocol")
    };
    assert_eq!(listed("protocol=tcp"), [json!("tcp")]);
    assert_eq!(listed("port_range_min=128"), [json!("ipv6-icmp")]);
    assert_eq!(listed("direction=ingress&protocol=udp&ethertype=IPv4"), [json!("udp")]);
    assert_eq!(listed("remote_ip_prefix=10.0.0.9/24").len(), 1);
    assert_eq!(listed("normalized_cidr=10.0.0.0/24&belongs_to_default_sg=false").len(), 1);
    assert_eq!(listed(&format!("remote_group_id={}", text(&group))).len(), 1);
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("security_group", json!({}))["id"].clone();
    let refused = |more: Value, status: u16, kind: &str, message: &str| {
        let mut body = json!({"security_group_id": group, "direction": "ingress"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        client.post("/v2.0/security-group-rules", &json!({ "security_group_rule": body })).fault(status, kind, message);
    };
    refused(
        json!({"direction": "up"}),
        400,
        "HTTPBadRequest",
        "Invalid input for direction. Reason: up is not in valid_values.",
    );
    refused(
        json!({"ethertype": "v4"}),
        400,
        "SecurityGroupRuleInvalidEtherType",
        "Security group rule for ethertype 'v4' not supported. Allowed values are ['IPv4', 'IPv6'].",
    );
    refused(
        json!({"protocol": "256"}),
        400,
        "SecurityGroupRuleInvalidProtocol",
        "Security group rule protocol 256 not supported. Only protocol values (None, 'any', 'ah', 'dccp', 'egp', \
         'esp', 'gre', 'hopopt', 'icmp', 'igmp', 'ip', 'ipip', 'ipv6-encap', 'ipv6-frag', 'ipv6-icmp', 'icmpv6', \
         'ipv6-nonxt', 'ipv6-opts', 'ipv6-route', 'ospf', 'pgm', 'rsvp', 'sctp', 'tcp', 'udp', 'udplite', 'vrrp') \
         and integer representations [0 to 255] are supported.",
    );
    refused(json!({"port_range_min": 65536}), 400, "SecurityGroupInvalidPortValue", "Invalid value for port 65536");
    refused(
        json!({"port_range_min": 1, "port_range_max": 2}),
        400,
        "SecurityGroupProtocolRequiredWithPorts",
        "Must also specify protocol if port range is given.",
    );
    refused(
        json!({"protocol": "tcp", "port_range_min": 3, "port_range_max": 2}),
        400,
        "SecurityGroupInvalidPortRange",
        "For TCP/UDP protocols, port_range_min must be <= port_range_max",
    );
    refused(
        json!({"protocol": "icmp", "port_range_min": 256}),
        400,
        "SecurityGroupInvalidIcmpValue",
        "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
    );
    refused(
        json!({"protocol": "icmp", "port_range_max": 3}),
        400,
        "SecurityGroupMissingIcmpType",
        "ICMP code (port-range-max) 3 is provided but ICMP type (port-range-min) is missing.",
    );
    refused(
        json!({"protocol": "gre", "port_range_min": 3, "port_range_max": 3}),
        400,
        "SecurityGroupInvalidProtocolForPort",
        "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
    );
    refused(
        json!({"protocol": "ipv6-icmp"}),
        400,
        "SecurityGroupEthertypeConflictWithProtocol",
        "Invalid ethertype IPv4 for protocol ipv6-icmp.",
    );
    refused(
        json!({"remote_ip_prefix": "fd00::/64"}),
        400,
        "SecurityGroupRuleParameterConflict",
        "Conflicting value ethertype IPv4 for CIDR fd00::/64",
    );
    refused(
        json!({"remote_ip_prefix": "everywhere"}),
        400,
        "InvalidCIDR",
        "Invalid CIDR everywhere given as IP prefix.",
    );
    let one = "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.";
    refused(
        json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": group}),
        400,
        "SecurityGroupMultipleRemoteEntites",
        one,
    );
    for id in [NOWHERE, "x"] {
        let missing = format!("Security group {id} does not exist");
        refused(json!({ "security_group_id": id }), 404, "SecurityGroupNotFound", &missing);
        refused(json!({ "remote_group_id": id }), 404, "SecurityGroupNotFound", &missing);
        refused(
            json!({ "remote_address_group_id": id }),
            404,
            "AddressGroupNotFound",
            &format!("Address group {id} could not be found."),
        );
    }
    let rules = client.show("security_group", &group)["security_group_rules"].clone();
    let twin = rules.as_array().unwrap().iter().find(|rule| rule["ethertype"] == "IPv4").unwrap();
    refused(
        json!({"direction": "egress", "protocol": "any"}),
        409,
        "SecurityGroupRuleExists",
        &format!("Security group rule already exists. Rule id is {}.", text(&twin["id"])),
    );
    client.post("/v2.0/security-group-rules", &json!({"security_group_rule": {"direction": "egress"}})).fault(
        400,
        "HTTPBadRequest",
        "Failed to parse request. Required attribute 'security_group_id' not specified",
    );
}

#[test]
fn rules_come_several_at_a_time() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let group = client.create("security_group", json!({}))["id"].clone();
    let other = client.create("security_group", json!({}))["id"].clone();
    let rule = |group: &Value, port: u16| {
        json!({"security_group_id": group, "direction": "ingress", "protocol": "tcp", "port_range_min": port,
            "port_range_max": port, "description": format!("port {port}")})
    };
    let post = |rules: &[Value]| client.post("/v2.0/security-group-rules", &json!({ "security_group_rules": rules }));
    let made = post(&[rule(&group, 80), rule(&group, 443)]).expect(201);
    assert_eq!(made["security_group_rules"][1]["port_range_min"], 443);
    assert_eq!(made["security_group_rules"][1]["description"], "port 443");
    post(&[rule(&group, 22), rule(&other, 22)]).fault(
        400,
        "SecurityGroupNotSingleGroupRules",
        "Only allowed to update rules for one security profile at a time",
    );
    let mut foreign = rule(&group, 23);
    foreign["project_id"] = json!("elsewhere");
    post(&[rule(&group, 22), foreign]).fault(
        400,
        "SecurityGroupRulesNotSingleProject",
        "Multiple project_ids in bulk security group rule create not allowed",
    );
    post(&[rule(&group, 22), rule(&group, 22)]).fault(
        409,
        "DuplicateSecurityGroupRuleInPost",
        "Duplicate Security Group Rule in POST.",
    );
    let before = client.show("security_group", &group);
    assert_eq!(essences(&before).len(), 4);
    let id = &made["security_group_rules"][0]["id"];
    client.delete(&at("security-group-rules", id)).expect(204);
    let after = client.show("security_group", &group);
    assert_eq!(essences(&after).len(), 3);
    assert!(after["revision_number"].as_u64() > before["revision_number"].as_u64());
    client.put(&at("security-group-rules", id), &json!({"security_group_rule": {"description": "x"}})).expect(405);
}

#[test]
fn ports_have_security_groups() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, _) = client.network_with_subnet("10.0.0.0/24");
    let port = client.create("port", json!({"network_id": network, "name": "usual"}));
    let default = default_group(&client);
    assert_eq!(port["security_groups"], json!([default["id"]]));
    let [a, b] = ["a", "b"].map(|name| client.create("security_group", json!({ "name": name }))["id"].clone());
    let named = client.create("port", json!({"network_id": network, "name": "named", "security_groups": [b, a]}));
    assert_eq!(named["security_groups"], json!([b, a]));
    for nothing in [json!([]), json!(null)] {
        let bare = client.create("port", json!({"network_id": network, "security_groups": nothing}));
        assert_eq!(bare["security_groups"], json!([]));
        client.delete(&at("ports", &bare["id"])).expect(204);
    }
    let open = client.create("port", json!({"network_id": network, "name": "open", "port_security_enabled": false}));
    assert_eq!(open["security_groups"], json!([]));
    let found = |query: String| client.column("ports", &format!("{query}&sort_key=name&sort_dir=asc"), "name");
    assert_eq!(found(format!("security_groups={}", text(&a))), [json!("named")]);
    let either = format!("security_groups={}&security_groups={}", text(&a), text(&default["id"]));
    assert_eq!(found(either), [json!("named"), json!("usual")]);
    assert_eq!(found(format!("security_groups={NOWHERE}")), [Value::Null; 0]);
    client.delete(&at("security-groups", &a)).fault(
        409,
        "SecurityGroupInUse",
        &format!("Security Group {} in use.", text(&a)),
    );
    client.put(&at("security-groups", &a), &json!({"security_group": {"stateful": false}})).fault(
        409,
        "SecurityGroupInUse",
        &format!("Security Group {} in use.", text(&a)),
    );
    let changed = client.update("port", &named["id"], json!({"security_groups": [a]}));
    assert_eq!(changed["security_groups"], json!([a]));
    let kept = client.update("port", &named["id"], json!({"name": "n"}));
    assert_eq!(kept["security_groups"], json!([a]));
    let cleared = client.update("port", &named["id"], json!({ "security_groups": null }));
    assert_eq!(cleared["security_groups"], json!([]));
    client.delete(&at("security-groups", &a)).expect(204);
}

#[test]
fn groups_of_ports_that_make_no_sense_are_refused() {
    let (_dir, controller) = Controller::start();
    let client = controller.client();
    let (network, _) = client.network_with_subnet("10.0.0.0/24");
    let stateful = client.create("security_group", json!({}))["id"].clone();
    let stateless = client.create("security_group", json!({"stateful": false}))["id"].clone();
    let port = client.create("port", json!({"network_id": network}))["id"].clone();
    let refused = |groups: Value, status: u16, kind: &str, message: &str| {
        let body = json!({"port": {"network_id": network, "security_groups": groups}});
        client.post("/v2.0/ports", &body).fault(status, kind, message);
        let body = json!({"port": {"security_groups": groups}});
        client.put(&at("ports", &port), &body).fault(status, kind, message);
    };
    refused(
        json!([stateful, stateless]),
        409,
        "SecurityGroupConflict",
        "Error Cannot apply both stateful and stateless security groups on the same port at the same time while \
         attempting the operation.",
    );
    let other = "6f9619ff-8b86-d011-b42d-00cf4fc964fe";
    refused(
        json!([NOWHERE, stateful, other]),
        404,
        "SecurityGroupNotFound",
        &format!("Security group {NOWHERE}, {other} does not exist"),
    );
    refused(
        json!([stateful, stateful]),
        400,
        "HTTPBadRequest",
        &format!("Invalid input for security_groups. Reason: Duplicate items in the list: '{}'.", text(&stateful)),
    );
    refused(json!("all"), 400, "HTTPBadRequest", "Invalid input for security_groups. Reason: 'all' is not a list.");
    let body = json!({"port": {"network_id": network, "port_security_enabled": false, "security_groups": [stateful]}});
    client.post("/v2.0/ports", &body).fault(
        400,
        "PortSecurityAndIPRequiredForSecurityGroups",
        "Port security must be enabled and port must have an IP address in order to use security groups.",
    );
}
