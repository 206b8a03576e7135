//! ISC's client, and what it does over the life of a lease.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::json;
use tempfile::TempDir;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, LabError, Vm};

use super::super::world::{Failure, Tested, World};
use super::{Net, own, shown};

/// What the client runs when something happens.
const SCRIPT: &str = r#"#!/bin/sh
case $reason in
BOUND | RENEW | REBIND | REBOOT)
    ip address replace "$new_ip_address/$new_subnet_mask" dev "$interface"
    ip route replace default via $new_routers dev "$interface" ;;
BOUND6 | RENEW6 | REBIND6)
    if [ -n "$new_ip6_address" ]; then ip address replace "$new_ip6_address/128" dev "$interface"; fi ;;
esac
{ echo "reason=$reason"; env | grep -E '^(new|old)_'; echo; } >> "$(dirname "$0")/log"
"#;

/// What the client asks for.
const CONFIGURATION: &str = "
option routes code 121 = array of unsigned integer 8;
request subnet-mask, routers, domain-name-servers, domain-name, host-name, interface-mtu, routes, dhcp-lease-time,
    dhcp-server-identifier, dhcp6.name-servers, dhcp6.domain-search;
initial-interval 1; retry 2; timeout 30; backoff-cutoff 2;
";

/// A running client, ended when it is dropped.
pub(super) struct Dhclient {
    child: Child,
    directory: TempDir,
}

/// What the client told its script of an event.
type Event = BTreeMap<String, String>;

impl Dhclient {
    /// Runs the client in a VM. `leases` is what it remembers of earlier days.
    pub(super) fn run(vm: &Vm, arguments: &[&str], leases: &str) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let file = |name: &str| directory.path().join(name);
        fs::write(file("script"), SCRIPT)?;
        fs::set_permissions(file("script"), std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        fs::write(file("conf"), CONFIGURATION)?;
        fs::write(file("leases"), leases)?;
        let mut command = vm.namespace().command("dhclient");
        for (option, name) in [("-cf", "conf"), ("-lf", "leases"), ("-pf", "pid"), ("-sf", "script")] {
            command.arg(option).arg(file(name));
        }
        let output = fs::File::create(file("output"))?;
        command.args(["-d", "-v"]).args(arguments).arg(DEVICE);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(output).spawn()?;
        Ok(Self { child, directory })
    }

    fn text(&self, file: &str) -> String {
        let path: PathBuf = self.directory.path().join(file);
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Everything that has happened.
    pub(super) fn events(&self) -> Vec<Event> {
        let text = self.text("log");
        // The last one may be half written.
        let complete = text.rsplit_once("\n\n").map_or("", |(complete, _)| complete);
        let blocks = complete.split("\n\n").filter(|block| !block.is_empty());
        let pairs = |block: &str| -> Event {
            let told = block.lines().filter_map(|line| line.split_once('='));
            told.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        blocks.map(pairs).collect()
    }

    /// Waits until something has happened `times` times, and returns the last time.
    pub(super) fn wait(&self, world: &World, reason: &str, times: usize) -> Result<Event, LabError> {
        world.wait(&format!("{reason} of dhclient, {times} times"), || {
            let all: Vec<_> = self.events().into_iter().filter(|event| event["reason"] == reason).collect();
            match all.get(times - 1) {
                Some(event) => Ok(Look::Holds(event.clone())),
                None => Ok(Look::not_yet(self.text("output"))),
            }
        })
    }
}

impl Drop for Dhclient {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Options of a port that let its lease end within seconds.
fn short() -> serde_json::Value {
    json!({"extra_dhcp_opts": [
        {"opt_name": "51", "opt_value": "12"}, {"opt_name": "58", "opt_value": "2"}, {"opt_name": "59", "opt_value": "5"},
    ]})
}

fn network(world: &World) -> Result<Net, LabError> {
    let ipv4 = json!({"cidr": "10.0.0.0/24", "dns_nameservers": ["192.0.2.53"]});
    Net::new(world, json!({}), &[ipv4])
}

#[test]
fn dhclient_gets_a_lease_and_renews_it_with_the_server() -> Tested {
    let mut world = World::new(1)?;
    let net = network(&world)?;
    let vm = net.boot(&mut world, "a", "h1", short())?;
    let client = Dhclient::run(&vm, &[], "")?;
    let bound = client.wait(&world, "BOUND", 1)?;
    let address = own(&vm, false)?.to_string();
    for (name, value) in [
        ("new_ip_address", address.as_str()),
        ("new_subnet_mask", "255.255.255.0"),
        ("new_routers", "10.0.0.1"),
        ("new_domain_name_servers", "192.0.2.53"),
        ("new_domain_name", "openstacklocal"),
        ("new_interface_mtu", "1450"),
        ("new_dhcp_lease_time", "12"),
        ("new_dhcp_server_identifier", "10.0.0.1"),
        ("new_routes", "32 169 254 169 254 10 0 0 1 0 10 0 0 1"),
    ] {
        assert_eq!(bound.get(name).map(String::as_str), Some(value), "{name} of {bound:?}");
    }
    net.api.update("subnets", &net.subnets[0], json!({"dns_nameservers": ["192.0.2.99"]}))?;
    client.wait(&world, "RENEW", 1)?;
    world.wait("the new DNS server", || {
        let renewals: Vec<_> = client.events().into_iter().filter(|event| event["reason"] == "RENEW").collect();
        let seen = renewals.iter().any(|event| event["new_domain_name_servers"] == "192.0.2.99");
        Ok(Look::when(seen, format!("{renewals:?}")))
    })?;
    let output = client.text("output");
    assert!(output.contains("to 10.0.0.1 port 67\nDHCPACK"), "asked by unicast\n{output}");
    // Without a way to the server it asks everybody.
    vm.namespace().ip(["route replace blackhole 10.0.0.1/32"])?;
    let before = client.text("output").len();
    world.wait("an answer to everybody's question", || {
        let output = client.text("output").split_off(before);
        let answered = output.contains("to 255.255.255.255 port 67\nDHCPACK");
        Ok(Look::when(answered, format!("{output} {:?}", client.events())))
    })?;
    Ok(())
}

#[test]
fn an_address_of_elsewhere_is_refused_and_replaced() -> Tested {
    let mut world = World::new(1)?;
    let net = network(&world)?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    let leases = format!(
        "lease {{ interface \"{DEVICE}\"; fixed-address 10.0.0.222; option subnet-mask 255.255.255.0;\n\
         option dhcp-server-identifier 10.0.0.1; option dhcp-lease-time 86400;\n\
         renew 4 2037/01/01 00:00:00; rebind 4 2037/01/01 00:00:00; expire 4 2037/01/01 00:00:00; }}\n"
    );
    let client = Dhclient::run(&vm, &[], &leases)?;
    let bound = client.wait(&world, "BOUND", 1)?;
    assert_eq!(bound.get("new_ip_address"), Some(&own(&vm, false)?.to_string()));
    assert!(client.text("output").contains("DHCPNAK"), "{}", client.text("output"));
    assert!(client.events().iter().all(|event| event["reason"] != "REBOOT"));
    Ok(())
}

#[test]
fn a_lease_outlives_the_controller() -> Tested {
    let mut world = World::new(1)?;
    let net = network(&world)?;
    let vm = net.boot(&mut world, "a", "h1", short())?;
    let client = Dhclient::run(&vm, &[], "")?;
    client.wait(&world, "BOUND", 1)?;
    world.lab.kill_controller()?;
    // It asks in vain: a request in the output behind the last acknowledgement.
    world.wait("a renewal in vain", || {
        let output = client.text("output");
        let pending = output.rsplit("DHCPACK").next().is_some_and(|rest| rest.contains("DHCPREQUEST"));
        Ok(Look::when(pending, output))
    })?;
    let before = client.events().len();
    world.lab.start_controller()?;
    world.wait("a renewal", || {
        let events = client.events();
        let renewed = events[before..].iter().any(|event| matches!(&*event["reason"], "RENEW" | "REBIND"));
        Ok(Look::when(renewed, format!("{events:?}")))
    })?;
    // The address was never lost.
    assert!(client.events().iter().all(|event| event["reason"] != "EXPIRE"), "{:?}", client.events());
    assert!(shown(&vm, &["address", "show", "dev", DEVICE])?.contains(&own(&vm, false)?.to_string()));
    Ok(())
}
