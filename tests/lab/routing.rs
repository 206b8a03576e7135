//! Routers: from network to network on the sender's own hypervisor.

use std::net::IpAddr;

use serde_json::{Value, json};
use weir::cli::lab::wait::Look;
use weir::cli::lab::{Api, Echo, Guest, LabError, Vm};

use super::conversation::talks;
use super::world::{Failure, Tested, World, address, id};

/// A project with networks that share a router.
pub(crate) struct Routed {
    pub(crate) api: Api,
    pub(crate) router: String,
    networks: Vec<Net>,
}

/// A network with a subnet of each version.
struct Net {
    id: String,
    subnets: [String; 2],
    number: u8,
}

impl Routed {
    /// Makes `networks` networks, each with an interface of one router in both of its subnets.
    pub(crate) fn new(world: &World, networks: u8) -> Result<Self, Failure> {
        let api = world.api.for_project("a0000000000000000000000000000001");
        let router = id(&api.create("routers", json!({"name": "edge"}))?);
        let mut routed = Self { api, router, networks: Vec::new() };
        for number in 1..=networks {
            let network = routed.network(number)?;
            for subnet in &network.subnets {
                routed.attach(subnet)?;
            }
            routed.networks.push(network);
        }
        Ok(routed)
    }

    fn network(&self, number: u8) -> Result<Net, LabError> {
        let network = id(&self.api.create("networks", json!({"name": format!("net{number}")}))?);
        let subnet = |version: u8, cidr: String, gateway: String| -> Result<String, LabError> {
            let asked = json!({"network_id": network, "ip_version": version, "cidr": cidr, "gateway_ip": gateway});
            Ok(id(&self.api.create("subnets", asked)?))
        };
        let v4 = subnet(4, format!("10.{number}.0.0/24"), format!("10.{number}.0.1"))?;
        let v6 = subnet(6, format!("fd00:{number}::/64"), format!("fd00:{number}::1"))?;
        Ok(Net { id: network, subnets: [v4, v6], number })
    }

    fn put(&self, action: &str, body: &Value) -> Result<Value, LabError> {
        self.api.put(&format!("/v2.0/routers/{}/{action}", self.router), body)
    }

    /// Gives the router an interface in a subnet.
    fn attach(&self, subnet: &str) -> Result<Value, LabError> {
        self.put("add_router_interface", &json!({"subnet_id": subnet}))
    }

    /// Takes the interface in a subnet from the router.
    fn detach(&self, subnet: &str) -> Result<Value, LabError> {
        self.put("remove_router_interface", &json!({"subnet_id": subnet}))
    }

    /// Boots a VM in the network `number`, whose addresses end in `last`.
    pub(crate) fn boot(&self, world: &mut World, name: &str, host: &str, number: u8, last: u8) -> Result<Vm, LabError> {
        self.boot_with(world, name, host, (number, last), json!({}))
    }

    /// The same with more attributes of the port.
    pub(crate) fn boot_with(
        &self,
        world: &mut World,
        name: &str,
        host: &str,
        (number, last): (u8, u8),
        more: Value,
    ) -> Result<Vm, LabError> {
        let network = &self.networks[usize::from(number) - 1];
        let [v4, v6] = &network.subnets;
        let mut attributes = json!({
            "name": name,
            "network_id": network.id,
            "binding:host_id": host,
            "device_owner": "compute:nova",
            "device_id": name,
            "fixed_ips": [
                {"subnet_id": v4, "ip_address": format!("10.{}.0.{last}", network.number)},
                {"subnet_id": v6, "ip_address": format!("fd00:{}::{last}", network.number)},
            ],
        });
        if let (Value::Object(attributes), Value::Object(more)) = (&mut attributes, more) {
            attributes.extend(more);
        }
        let port = id(&self.api.create("ports", attributes)?);
        let vm = world.lab.boot(name, host, Guest::of_port(&world.api, &port)?)?;
        world.wait_status(&port, "ACTIVE")?;
        Ok(vm)
    }

    /// The address of the router in a network.
    pub(crate) fn gateway(number: u8, ipv6: bool) -> IpAddr {
        let text = if ipv6 { format!("fd00:{number}::1") } else { format!("10.{number}.0.1") };
        text.parse().expect("an address")
    }
}

/// The TTL of the answer to a ping; none if there is no answer.
fn ttl_of_answer(from: &Vm, to: IpAddr) -> Result<Option<u8>, LabError> {
    let seen = Echo::ask(from.namespace(), to, None)?;
    Ok(if let Echo::Answered { ttl } = seen { Some(ttl) } else { None })
}

/// Waits until an answer comes with a TTL.
fn wait_ttl(world: &World, from: &Vm, to: IpAddr, ttl: u8) -> Result<(), LabError> {
    world.wait(&format!("{} gets an answer of {to} with ttl {ttl}", from.name()), || {
        let found = ttl_of_answer(from, to)?;
        Ok(Look::when(found == Some(ttl), format!("{found:?}")))
    })
}

/// Packets that came out of a hypervisor's tunnel, and that went in.
fn tunnelled(world: &World, host: &str) -> Result<String, LabError> {
    let shown = world.lab.host(host)?.ofctl("dump-ports", "br-tun", &["weir-vxlan"])?;
    Ok(shown.lines().filter(|line| line.contains("pkts=")).collect())
}

#[test]
fn packets_are_routed_where_they_are_sent() -> Tested {
    let mut world = World::new(3)?;
    let routed = Routed::new(&world, 3)?;
    let here = routed.boot(&mut world, "here", "h1", 1, 11)?;
    let beside = routed.boot(&mut world, "beside", "h1", 2, 12)?;
    let away = routed.boot(&mut world, "away", "h2", 2, 13)?;
    // The third hypervisor has a VM of the router's third network, but no part in what the others say.
    routed.boot(&mut world, "third", "h3", 3, 14)?;
    let before = tunnelled(&world, "h3")?;
    for ipv6 in [false, true] {
        wait_ttl(&world, &here, address(&beside, ipv6)?, 63)?;
        wait_ttl(&world, &here, address(&away, ipv6)?, 63)?;
        wait_ttl(&world, &away, address(&here, ipv6)?, 63)?;
        wait_ttl(&world, &beside, address(&away, ipv6)?, 64)?;
        for (from, to) in [(&here, &away), (&away, &here), (&here, &beside), (&beside, &here)] {
            assert!(talks(from, to, 8080, ipv6)?, "{} to {}, ipv6 {ipv6}", from.name(), to.name());
        }
    }
    assert_eq!(tunnelled(&world, "h3")?, before, "nothing of it comes by the third hypervisor");

    // A VM's own gateway answers, and so does the router's address in the other network.
    for ipv6 in [false, true] {
        for number in [1, 2] {
            wait_ttl(&world, &here, Routed::gateway(number, ipv6), 64)?;
        }
    }

    // Without the interface there is no way, neither to the network nor to the gateway.
    let [v4, v6] = &routed.networks[1].subnets;
    routed.detach(v4)?;
    world.wait("the end of the way", || {
        Ok(Look::when(ttl_of_answer(&here, address(&away, false)?)?.is_none(), "there is an answer still"))
    })?;
    assert_eq!(ttl_of_answer(&away, Routed::gateway(2, false))?, None);
    assert_eq!(ttl_of_answer(&here, address(&away, true)?)?, Some(63), "IPv6 goes on");
    routed.detach(v6)?;
    world.wait("the end of the way by IPv6", || {
        Ok(Look::when(ttl_of_answer(&here, address(&away, true)?)?.is_none(), "there is an answer still"))
    })?;
    // The new interfaces have other link-layer addresses than the VM remembers of the gateways: it is told.
    routed.attach(v4)?;
    routed.attach(v6)?;
    for ipv6 in [false, true] {
        wait_ttl(&world, &here, address(&away, ipv6)?, 63)?;
    }
    Ok(())
}

#[test]
fn vms_are_told_of_a_gateway_with_another_address() -> Tested {
    let mut world = World::new(1)?;
    let routed = Routed::new(&world, 2)?;
    let a = routed.boot(&mut world, "a", "h1", 1, 11)?;
    let b = routed.boot(&mut world, "b", "h1", 2, 12)?;
    let remembered = |gateway: IpAddr| -> Result<String, LabError> {
        let shown = a.namespace().tool("ip").args(["neighbour", "show", &gateway.to_string()]).run()?;
        Ok(shown.split("lladdr ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned())
    };
    for (ipv6, subnet) in [false, true].into_iter().zip(&routed.networks[0].subnets) {
        wait_ttl(&world, &a, address(&b, ipv6)?, 63)?;
        let gateway = Routed::gateway(1, ipv6);
        let before = remembered(gateway)?;
        routed.detach(subnet)?;
        routed.attach(subnet)?;
        // Nobody asked: the entry, which is not used meanwhile, changes by what the router says.
        world.wait(&format!("another link-layer address of {gateway}"), || {
            let now = remembered(gateway)?;
            Ok(Look::when(!before.is_empty() && now != before, now))
        })?;
        wait_ttl(&world, &a, address(&b, ipv6)?, 63)?;
    }
    Ok(())
}
