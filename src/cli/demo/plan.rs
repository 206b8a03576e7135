//! What the demo asks of the API.

use serde_json::{Value, json};

use crate::cli::lab::{Api, LabError};

/// A tenant's first network: the same in both, so that a packet has a wrong VM to go to.
const FIRST: [Range; 2] = [Range { cidr: "10.0.0.0/24", ipv6: false }, Range { cidr: "fd00:10::/64", ipv6: true }];

/// The network behind the first tenant's router.
const SECOND: [Range; 2] = [Range { cidr: "10.0.1.0/24", ipv6: false }, Range { cidr: "fd00:11::/64", ipv6: true }];

/// The tenants, each with the last parts of its VMs' addresses. The first two are the same in both; the third is one
/// that the other tenant has not, so that nobody may answer.
const TENANTS: [(&str, [u8; 3]); 2] = [("red", [11, 12, 13]), ("blue", [11, 12, 23])];

/// The VM behind the router.
pub(super) const BEHIND: &str = "red-db";

/// The last part of its address.
const BEHIND_LAST: u8 = 31;

/// A subnet of the demo.
#[derive(Clone, Copy, Debug)]
struct Range {
    cidr: &'static str,
    ipv6: bool,
}

/// A VM that is to be booted.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) host: String,
    pub(super) port: String,
}

/// What was made.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) vms: Vec<Planned>,
    /// The first tenant's API.
    pub(super) red: Api,
    /// The security group of the VM behind the router, which lets nothing but pings in.
    pub(super) group: String,
    /// What there is now, in words.
    pub(super) summary: String,
}

/// Makes everything: each tenant's network with a router, and the first tenant's second network behind that.
pub(super) fn make(api: &Api, hosts: u8) -> Result<Made, LabError> {
    let mut vms = Vec::new();
    let mut routers = Vec::new();
    for (number, (tenant, addresses)) in TENANTS.into_iter().enumerate() {
        let api = project(api, number);
        let network = network(&api, tenant, FIRST)?;
        routers.push(router(&api, tenant, &network)?);
        for (vm, last) in (1..).zip(addresses) {
            // The second tenant goes round the other way: same addresses on the same host and on different ones.
            let place = if number == 0 { vm - 1 } else { 4 - vm };
            vms.push(port(
                &api,
                &network,
                &format!("{tenant}-{vm}"),
                place % usize::from(hosts) + 1,
                last,
                &json!({}),
            )?);
        }
    }
    let red = project(api, 0);
    let network = network(&red, BEHIND, SECOND)?;
    attach(&red, &routers[0], &network)?;
    let group = id(&red.create("security-groups", json!({"name": "db"}))?);
    for (ethertype, protocol) in [("IPv4", "icmp"), ("IPv6", "ipv6-icmp")] {
        rule(&red, &group, ethertype, json!({"protocol": protocol}))?;
    }
    let host = usize::from(hosts).min(2);
    vms.push(port(&red, &network, BEHIND, host, BEHIND_LAST, &json!({"security_groups": [group]}))?);
    let summary = format!("2 tenants, 3 networks, 6 subnets, 2 routers, {} ports", vms.len());
    Ok(Made { vms, red, group, summary })
}

/// A rule that lets something in.
pub(super) fn rule(api: &Api, group: &str, ethertype: &str, more: Value) -> Result<String, LabError> {
    let mut rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": ethertype});
    if let (Value::Object(rule), Value::Object(more)) = (&mut rule, more) {
        rule.extend(more);
    }
    Ok(id(&api.create("security-group-rules", rule)?))
}

/// The API as a tenant sees it.
fn project(api: &Api, number: usize) -> Api {
    api.for_project(&format!("{:032x}", number + 1))
}

/// A network and its subnets.
struct Network {
    id: String,
    subnets: Vec<(String, Range)>,
}

fn network(api: &Api, name: &str, ranges: [Range; 2]) -> Result<Network, LabError> {
    let network = id(&api.create("networks", json!({"name": name}))?);
    let subnets = ranges.iter().map(|range| {
        let version = if range.ipv6 { 6 } else { 4 };
        let mut subnet = json!({
            "name": format!("{name}-v{version}"), "network_id": network, "ip_version": version, "cidr": range.cidr,
        });
        if range.ipv6 {
            subnet["ipv6_ra_mode"] = json!("slaac");
            subnet["ipv6_address_mode"] = json!("slaac");
        }
        Ok((id(&api.create("subnets", subnet)?), *range))
    });
    let subnets = subnets.collect::<Result<_, LabError>>()?;
    Ok(Network { id: network, subnets })
}

fn router(api: &Api, name: &str, network: &Network) -> Result<String, LabError> {
    let router = id(&api.create("routers", json!({"name": name}))?);
    attach(api, &router, network)?;
    Ok(router)
}

fn attach(api: &Api, router: &str, network: &Network) -> Result<(), LabError> {
    for (subnet, _) in &network.subnets {
        let path = format!("/v2.0/routers/{router}/add_router_interface");
        api.put(&path, &json!({"subnet_id": subnet}))?;
    }
    Ok(())
}

fn port(api: &Api, network: &Network, name: &str, host: usize, last: u8, more: &Value) -> Result<Planned, LabError> {
    let host = format!("h{host}");
    let fixed_ips = network.subnets.iter().map(|(subnet, range)| match range.cidr.strip_suffix("0/24") {
        Some(start) => json!({"subnet_id": subnet, "ip_address": format!("{start}{last}")}),
        // Made of the link-layer address.
        None => json!({"subnet_id": subnet}),
    });
    let mut port = json!({
        "name": name, "network_id": network.id, "fixed_ips": fixed_ips.collect::<Vec<_>>(),
        "mac_address": format!("fa:16:3e:00:00:{last:02x}"), "binding:host_id": host,
        "device_owner": "compute:nova", "device_id": name,
    });
    if let (Value::Object(port), Value::Object(more)) = (&mut port, more) {
        port.extend(more.clone());
    }
    Ok(Planned { name: name.to_owned(), host, port: id(&api.create("ports", port)?) })
}

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_default().to_owned()
}
