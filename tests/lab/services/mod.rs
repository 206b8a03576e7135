//! What Weir answers to VMs itself, asked by real clients: udhcpc, dhclient, and the kernel.

mod advertisements;
mod booting;
mod dhclient;
mod dhcpv4;
mod dhcpv6;
mod errors;
mod message;

use std::time::Duration;

use serde_json::{Value, json};
use weir::cli::lab::wait::Look;
use weir::cli::lab::{Api, DEVICE, Guest, LabError, Vm};

use super::world::{World, address as own, id};

/// How long an answer that must not come is waited for.
const GRACE: Duration = Duration::from_millis(700);

/// The project of the tests' networks.
const PROJECT: &str = "a0000000000000000000000000000001";

/// A network with its subnets.
struct Net {
    api: Api,
    id: String,
    subnets: Vec<String>,
}

impl Net {
    /// Makes a network and its subnets, each with at least a `cidr`.
    fn new(world: &World, network: Value, subnets: &[Value]) -> Result<Self, LabError> {
        let api = world.api.for_project(PROJECT);
        let network = id(&api.create("networks", network)?);
        let subnets = subnets.iter().map(|subnet| {
            let mut subnet = subnet.clone();
            let ipv6 = subnet["cidr"].as_str().is_some_and(|cidr| cidr.contains(':'));
            subnet["ip_version"] = json!(if ipv6 { 6 } else { 4 });
            subnet["network_id"] = json!(network);
            Ok(id(&api.create("subnets", subnet)?))
        });
        let subnets = subnets.collect::<Result<_, LabError>>()?;
        Ok(Self { api, id: network, subnets })
    }

    /// Makes a port bound to a host, with more attributes.
    fn port(&self, host: &str, more: Value) -> Result<String, LabError> {
        let mut attributes = json!({
            "network_id": self.id, "binding:host_id": host, "device_owner": "compute:nova", "device_id": "vm",
        });
        if let (Value::Object(attributes), Value::Object(more)) = (&mut attributes, more) {
            attributes.extend(more);
        }
        Ok(id(&self.api.create("ports", attributes)?))
    }

    /// Boots a VM that is told nothing, with a new port that has more attributes, and waits until that is ACTIVE.
    fn boot(&self, world: &mut World, name: &str, host: &str, more: Value) -> Result<Vm, LabError> {
        let port = self.port(host, more)?;
        let vm = world.lab.boot_bare(name, host, Guest::of_port(&world.api, &port)?)?;
        world.wait_status(&port, "ACTIVE")?;
        Ok(vm)
    }
}

/// Makes a router with an interface in each of the subnets.
fn router<'a>(api: &Api, subnets: impl IntoIterator<Item = &'a String>) -> Result<String, LabError> {
    let router = id(&api.create("routers", json!({}))?);
    for subnet in subnets {
        api.put(&format!("/v2.0/routers/{router}/add_router_interface"), &json!({"subnet_id": subnet}))?;
    }
    Ok(router)
}

/// What `ip` shows in a VM.
fn shown(vm: &Vm, arguments: &[&str]) -> Result<String, LabError> {
    vm.namespace().tool("ip").args(arguments).run()
}

/// Waits until `ip` shows something in a VM.
fn wait_shown(world: &World, vm: &Vm, arguments: &[&str], wanted: &str) -> Result<(), LabError> {
    world.wait(&format!("{wanted} in {}", vm.name()), || {
        let text = shown(vm, arguments)?;
        Ok(Look::when(text.contains(wanted), text))
    })
}

/// Waits until a VM's link-local address may be used.
fn wait_link_local(world: &World, vm: &Vm) -> Result<(), LabError> {
    world.wait(&format!("a link-local address in {}", vm.name()), || {
        let text = shown(vm, &["-6", "address", "show", "dev", DEVICE, "scope", "link"])?;
        Ok(Look::when(text.contains("fe80:") && !text.contains("tentative"), text))
    })
}
