//! Weir's own network, made by its API with its real controller.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Api, Guest, Interrupt, Lab, Manager};

use super::layout::{ABSENT_MEMBERS, FIRST_ABSENT, Policy, Seat, address, cidr};
use super::rule::RULES;
use super::site::Site;
use crate::Failure;

/// How long ports may take to become ACTIVE.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);

/// Builds it with the controller of this executable.
///
/// # Errors
/// The lab cannot be built, or the API refuses.
pub fn build(program: PathBuf, interrupt: &Interrupt) -> Result<Site, Failure> {
    let mut lab = Site::lab("weir", Manager::Own { program, arguments: Vec::new() }, interrupt)?;
    lab.connect()?;
    for policy in Policy::ALL {
        Project::make(&lab, policy)?.boot(&mut lab)?;
    }
    Site::open("weir", lab, |policy, course| Some((Seat::CLIENT.vm_name(policy), course.server().vm_name(policy))))
}

/// The project of a policy.
struct Project {
    api: Api,
    policy: Policy,
    /// Ids of its networks and of their subnets.
    networks: Vec<(String, String)>,
    /// What its ports have because of the policy.
    security: Value,
}

impl Project {
    fn make(lab: &Lab, policy: Policy) -> Result<Self, Failure> {
        let api = lab.api()?.for_project(&format!("{:032x}", policy.number() + 1));
        let router = id(&api.create("routers", json!({"name": "router"}))?);
        let mut networks = Vec::new();
        for number in [0, 1] {
            let network = id(&api.create("networks", json!({"name": format!("net{number}")}))?);
            let gateway = address(policy, number, 1);
            let subnet = id(&api.create(
                "subnets",
                json!({"network_id": network, "ip_version": 4, "cidr": cidr(policy, number), "gateway_ip": gateway}),
            )?);
            let path = format!("/v2.0/routers/{router}/add_router_interface");
            let answer = api.request("PUT", &path, Some(&json!({"subnet_id": subnet})))?;
            if answer.status != 200 {
                return Err(format!("{path}: {} {}", answer.status, answer.body).into());
            }
            networks.push((network, subnet));
        }
        let security = match policy {
            Policy::Open => json!({"port_security_enabled": false}),
            Policy::DefaultGroup => json!({}),
            Policy::Rules => {
                let group = id(&api.create("security-groups", json!({"name": "rules"}))?);
                for rule in &RULES {
                    api.create("security-group-rules", rule.attributes(&group))?;
                }
                json!({"security_groups": [group]})
            }
        };
        Ok(Self { api, policy, networks, security })
    }

    fn port(&self, network: u8, last: u8, host: &str) -> Result<String, Failure> {
        let (network_id, subnet_id) = &self.networks[usize::from(network)];
        let mut attributes = json!({
            "network_id": network_id,
            "fixed_ips": [{"subnet_id": subnet_id, "ip_address": address(self.policy, network, last)}],
            "device_owner": "compute:nova",
            "binding:host_id": host,
        });
        if let (Value::Object(attributes), Value::Object(security)) = (&mut attributes, &self.security) {
            attributes.extend(security.clone());
        }
        Ok(id(&self.api.create("ports", attributes)?))
    }

    fn boot(&self, lab: &mut Lab) -> Result<(), Failure> {
        let mut ports = Vec::new();
        for seat in Seat::all() {
            let port = self.port(seat.network, seat.last, seat.host)?;
            lab.boot(&seat.vm_name(self.policy), seat.host, Guest::of_port(&self.api, &port)?)?;
            ports.push(port);
        }
        if self.policy == Policy::DefaultGroup {
            for number in 0..ABSENT_MEMBERS {
                self.port(0, FIRST_ABSENT + number, "")?;
            }
        }
        for port in &ports {
            wait::until(&format!("port {port} ACTIVE"), ACTIVE_LIMIT, lab.interrupt(), || {
                let shown = self.api.show("ports", port)?;
                Ok(Look::when(shown["status"] == "ACTIVE", shown))
            })?;
        }
        Ok(())
    }
}

/// The id of a resource.
fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_default().to_owned()
}
