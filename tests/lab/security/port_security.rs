//! Ports without protection, and addresses that several ports may use.

use std::net::SocketAddr;

use serde_json::json;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, Vm};

use super::super::conversation::{Connection, Heard, Talk, talk};
use super::super::world::{Failure, Tested, World};
use super::{allow, expect, group, soon};

/// The address that two VMs share, and its link-layer address (RFC 9568, section 7.3).
const SHARED: &str = "10.0.0.100";
const SHARED_MAC: &str = "00:00:5e:00:01:64";

/// Makes a VM the one that has the shared addresses, or lets it give them up.
fn take(vm: &Vm, takes: bool) -> Tested {
    let (verb, mac) = if takes { ("add", SHARED_MAC) } else { ("delete", vm.guest().mac.as_str()) };
    vm.namespace()
        .ip([format!("address {verb} {SHARED}/24 dev {DEVICE}"), format!("link set {DEVICE} address {mac}")])?;
    if takes {
        vm.namespace().tool("arping").args(["-q", "-U", "-c", "1", "-w", "1", "-I", DEVICE, SHARED]).output()?;
    }
    Ok(())
}

#[test]
fn a_shared_address_is_protected_by_the_groups_of_whoever_has_it() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let api = &tenant.api;
    let (balancers, clients, servers) = (group(api, "balancers")?, group(api, "clients")?, group(api, "servers")?);
    let https = |remote: &str| json!({"protocol": "tcp", "port_range_min": 443, "port_range_max": 443, "remote_group_id": remote});
    allow(api, &balancers, https(&clients))?;
    allow(api, &servers, https(&balancers))?;
    let pairs = json!([{"ip_address": SHARED, "mac_address": SHARED_MAC}]);
    let balancing = json!({"security_groups": [balancers], "allowed_address_pairs": pairs});
    let one = world.boot_with(&tenant, "one", "h1", 11, balancing.clone())?;
    let two = world.boot_with(&tenant, "two", "h2", 12, balancing)?;
    let near = world.boot_with(&tenant, "near", "h1", 13, json!({"security_groups": [clients]}))?;
    let far = world.boot_with(&tenant, "far", "h2", 14, json!({"security_groups": [clients]}))?;
    let server = world.boot_with(&tenant, "server", "h2", 15, json!({"security_groups": [servers]}))?;
    let stranger = world.boot(&tenant, "stranger", "h1", 16)?;

    let shared = |port: u16| -> Result<SocketAddr, Failure> { Ok(SocketAddr::new(SHARED.parse()?, port)) };
    for (has, had) in [(&one, &two), (&two, &one)] {
        if has.name() == "two" {
            take(had, false)?;
        }
        take(has, true)?;
        for client in [&near, &far] {
            soon(&world, client.name(), || {
                let Some(mut connection) = Connection::try_open(client, has, shared(443)?)? else { return Ok(false) };
                Ok(connection.asks()? && connection.answers()?)
            })?;
            assert!(Connection::try_open(client, has, shared(444)?)?.is_none(), "another port");
        }
        assert!(Connection::try_open(&stranger, has, shared(443)?)?.is_none(), "{}", has.name());
        // What it sends from the shared address comes from a member of its groups.
        soon(&world, "the server", || reaches_from_shared(has, &server))?;
    }
    Ok(())
}

/// Whether a connection from the shared address to a VM can be opened.
fn reaches_from_shared(from: &Vm, to: &Vm) -> Result<bool, Failure> {
    let mut connection = Connection::try_open_from(from, SocketAddr::new(SHARED.parse()?, 0), to, 443)?;
    Ok(match &mut connection {
        Some(connection) => connection.asks()? && connection.answers()?,
        None => false,
    })
}

#[test]
fn protection_that_is_lifted_and_put_back_counts_at_once() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let closed = group(&tenant.api, "closed")?;
    let vm = world.boot_with(&tenant, "vm", "h1", 11, json!({"security_groups": [closed]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    let port = &vm.guest().port;
    for (client, ipv6) in [(&near, false), (&near, true), (&far, false), (&far, true)] {
        expect(client.name(), || talk(Talk::Tcp(80), client, &vm, ipv6), Heard::Nothing)?;
    }
    let lifted = json!({"security_groups": [], "port_security_enabled": false});
    tenant.api.update("ports", port, lifted)?;
    let mut held = Vec::new();
    for (client, ipv6) in [(&near, false), (&near, true), (&far, false), (&far, true)] {
        soon(&world, client.name(), || Ok(talk(Talk::Tcp(80), client, &vm, ipv6)? == Heard::Both))?;
        held.push(Connection::open(client, &vm, 80, ipv6)?);
        expect("the other way", || talk(Talk::Udp(80), &vm, client, ipv6), Heard::Nothing)?;
    }
    tenant.api.update("ports", port, json!({"port_security_enabled": true, "security_groups": [closed]}))?;
    for connection in &mut held {
        soon(&world, "the end of the connection", || Ok(!connection.asks()?))?;
    }
    // The hypervisor of both remembers who began. Where nobody had tracked it, what the VM says next is egress.
    for connection in &mut held[..2] {
        assert!(!connection.answers()?);
    }
    for (client, ipv6) in [(&near, false), (&far, true)] {
        expect(client.name(), || talk(Talk::Udp(80), client, &vm, ipv6), Heard::Nothing)?;
    }
    // What it could always do, it still can.
    let open = json!({"security_groups": [], "port_security_enabled": false});
    tenant.api.update("ports", &far.guest().port, open)?;
    world.wait("egress", || {
        let heard = talk(Talk::Udp(81), &vm, &far, false);
        Ok(Look::when(matches!(heard, Ok(Heard::Both)), format!("{heard:?}")))
    })?;
    Ok(())
}
