//! What a rule can say: ports, types, protocols, prefixes and address groups.

use serde_json::{Value, json};
use weir::cli::lab::LabError;

use super::super::conversation::{Connection, Exchange, Heard, Talk, icmp, packet_arrives, sctp, talk};
use super::super::world::{Failure, Tenant, Tested, World, address};
use super::{allow, expect, group, soon};

/// VRRP (RFC 9568).
const VRRP: u8 = 112;

const GRE: u8 = 47;

const SCTP: u8 = 132;

const ICMP: u8 = 1;

#[test]
fn ports_types_and_prefixes_are_held_to() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    let timestamp = icmp(13, 0, &[0; 16]);
    assert!(!packet_arrives(&near, &server, false, ICMP, &timestamp)?);

    for rule in [
        json!({"protocol": "tcp", "port_range_min": 8001, "port_range_max": 8006}),
        json!({"protocol": "udp", "ethertype": "IPv6", "remote_ip_prefix": "fd00:10::d/128"}),
        json!({"protocol": "icmp", "port_range_min": 8, "port_range_max": 0, "remote_ip_prefix": "10.0.0.13"}),
        json!({"protocol": "icmpv6", "ethertype": "IPv6", "port_range_min": 1}),
    ] {
        allow(&tenant.api, &servers, rule)?;
    }
    for client in [&near, &far] {
        soon(&world, "a port of the range", || Ok(talk(Talk::Tcp(8001), client, &server, false)? == Heard::Both))?;
        for (port, expected) in
            [(8000, Heard::Nothing), (8003, Heard::Both), (8006, Heard::Both), (8007, Heard::Nothing)]
        {
            let what = format!("{} to port {port}", client.name());
            expect(&what, || talk(Talk::Tcp(port), client, &server, false), expected)?;
        }
        expect("the other version", || talk(Talk::Tcp(8003), client, &server, true), Heard::Nothing)?;
        expect("another type of ICMPv6", || talk(Talk::Ping, client, &server, true), Heard::Nothing)?;
    }
    // fd00:10::13 is not fd00:10::d, the prefix that is allowed.
    for (client, ping) in [(&near, Heard::Nothing), (&far, Heard::Both)] {
        expect("ping by prefix", || talk(Talk::Ping, client, &server, false), ping)?;
        expect("datagram by prefix", || talk(Talk::Udp(9000), client, &server, true), Heard::Nothing)?;
        assert!(!packet_arrives(client, &server, false, ICMP, &timestamp)?, "another type of ICMP");
    }

    for rule in [
        json!({"protocol": "udp", "ethertype": "IPv6", "remote_ip_prefix": "fd00:10::13/127"}),
        json!({"protocol": "icmp", "port_range_min": 13}),
        json!({"protocol": "icmpv6", "ethertype": "IPv6", "port_range_min": 128}),
    ] {
        allow(&tenant.api, &servers, rule)?;
    }
    soon(&world, "another type of ICMPv6", || Ok(talk(Talk::Ping, &near, &server, true)? == Heard::Both))?;
    for (client, datagram) in [(&near, Heard::Both), (&far, Heard::Both)] {
        expect("datagram by prefix", || talk(Talk::Udp(9000), client, &server, true), datagram)?;
        assert!(packet_arrives(client, &server, false, ICMP, &timestamp)?, "a timestamp request");
    }
    expect("ping by prefix", || talk(Talk::Ping, &near, &server, false), Heard::Nothing)
}

#[test]
fn datagrams_of_several_fragments_are_held_to_ports_too() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let mut rules = Vec::new();
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"ethertype": ethertype, "protocol": "udp", "port_range_min": 9000, "port_range_max": 9003});
        rules.push(allow(&tenant.api, &servers, rule)?);
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    let fragmented = |client, port, ipv6| -> Result<Exchange, Failure> {
        Ok(Exchange::open(client, &server, port, ipv6)?.of_length(4000))
    };
    let mut under_way = Vec::new();
    for (client, port) in [(&near, 9001), (&far, 9002)] {
        for ipv6 in [false, true] {
            let mut exchange = fragmented(client, port, ipv6)?;
            let what = format!("{} to port {port}, IPv6: {ipv6}", client.name());
            soon(&world, &what, || exchange.asks())?;
            soon(&world, &what, || exchange.answers())?;
            under_way.push(exchange);
            assert!(!fragmented(client, 9004, ipv6)?.asks()?, "a port that no rule allows");
        }
    }
    for rule in &rules {
        tenant.api.delete("security-group-rules", rule)?;
    }
    for exchange in &mut under_way {
        soon(&world, "the end", || Ok(!exchange.asks()?))?;
        assert!(!exchange.answers()?);
    }
    Ok(())
}

/// Puts addresses into an address group, or takes them out.
fn change(tenant: &Tenant, group: &str, action: &str, addresses: &[String]) -> Result<(), LabError> {
    let path = format!("/v2.0/address-groups/{group}/{action}");
    let answer = tenant.api.request("PUT", &path, Some(&json!({"addresses": addresses})))?;
    if answer.status == 200 {
        return Ok(());
    }
    Err(LabError::Answer { path, reason: format!("{} {}", answer.status, answer.body) })
}

#[test]
fn address_groups_are_followed_by_connections_under_way() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let partners = tenant.api.create("address-groups", json!({"name": "partners", "addresses": ["192.0.2.0/24"]}))?;
    let partners = super::super::world::id(&partners);
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"ethertype": ethertype, "protocol": "tcp", "remote_address_group_id": partners});
        allow(&tenant.api, &servers, rule)?;
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    for ipv6 in [false, true] {
        for client in [&near, &far] {
            expect(client.name(), || talk(Talk::Tcp(443), client, &server, ipv6), Heard::Nothing)?;
        }
    }
    let own = |vm| -> Result<Vec<String>, LabError> {
        Ok(vec![format!("{}/32", address(vm, false)?), format!("{}/128", address(vm, true)?)])
    };
    change(&tenant, &partners, "add_addresses", &own(&near)?)?;
    change(&tenant, &partners, "add_addresses", &own(&far)?)?;
    let mut held = Vec::new();
    for client in [&near, &far] {
        for ipv6 in [false, true] {
            soon(&world, client.name(), || Ok(talk(Talk::Tcp(443), client, &server, ipv6)? == Heard::Both))?;
            held.push(Connection::open(client, &server, 443, ipv6)?);
        }
    }
    change(&tenant, &partners, "remove_addresses", &own(&far)?)?;
    let (stay, go) = held.split_at_mut(2);
    for connection in go {
        soon(&world, "the end of the connection", || Ok(!connection.answers()?))?;
        assert!(!connection.asks()?);
    }
    for connection in stay {
        assert!(connection.asks()? && connection.answers()?);
    }
    expect("who is out", || talk(Talk::Tcp(443), &far, &server, false), Heard::Nothing)?;

    // A prefix that has them all, and the one that is everything.
    change(&tenant, &partners, "add_addresses", &["10.0.0.0/28".to_owned()])?;
    soon(&world, "a prefix", || Ok(talk(Talk::Tcp(443), &far, &server, false)? == Heard::Both))?;
    change(&tenant, &partners, "remove_addresses", &["10.0.0.0/28".to_owned()])?;
    soon(&world, "no prefix", || Ok(talk(Talk::Tcp(443), &far, &server, false)? == Heard::Nothing))?;
    change(&tenant, &partners, "add_addresses", &["0.0.0.0/0".to_owned()])?;
    soon(&world, "all addresses", || Ok(talk(Talk::Tcp(443), &far, &server, false)? == Heard::Both))?;
    expect("the other version", || talk(Talk::Tcp(443), &far, &server, true), Heard::Nothing)
}

#[test]
fn protocols_by_number_pass_alone() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    // VRRPv3, and GRE without options that carries IPv4: the checksums are for the receiver to look at.
    let vrrp = [0x31, 7, 100, 1, 0, 100, 0, 0, 10, 0, 0, 100];
    let gre = [0, 0, 8, 0, 0x45, 0, 0, 20, 0, 0, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
    let packets: [(u8, &[u8]); 4] = [(VRRP, &vrrp), (GRE, &gre), (SCTP, &sctp(5005)), (SCTP, &sctp(5011))];
    // What arrives of them, and whether a rule may name SCTP's ports.
    let arrives = |ipv6: bool| -> Result<[[bool; 4]; 2], Failure> {
        let mut seen = [[false; 4]; 2];
        for (client, seen) in [&near, &far].into_iter().zip(&mut seen) {
            // Those that do not arrive are waited for together.
            std::thread::scope(|scope| -> Result<(), Failure> {
                let tries = packets.map(|(protocol, payload)| {
                    let server = &server;
                    scope.spawn(move || packet_arrives(client, server, ipv6, protocol, payload))
                });
                for (one, seen) in tries.into_iter().zip(seen) {
                    *seen = one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
                }
                Ok(())
            })?;
        }
        Ok(seen)
    };
    for ipv6 in [false, true] {
        assert_eq!(arrives(ipv6)?, [[false; 4]; 2], "ipv6 {ipv6}");
    }
    let rule = |ipv6: bool, mut rule: Value| {
        rule["ethertype"] = json!(if ipv6 { "IPv6" } else { "IPv4" });
        allow(&tenant.api, &servers, rule)
    };
    for ipv6 in [false, true] {
        rule(ipv6, json!({"protocol": "112"}))?;
        soon(&world, "VRRP", || Ok(arrives(ipv6)? == [[true, false, false, false]; 2]))?;
        rule(ipv6, json!({"protocol": "sctp", "port_range_min": 5000, "port_range_max": 5010}))?;
        soon(&world, "SCTP by its port", || Ok(arrives(ipv6)? == [[true, false, true, false]; 2]))?;
        rule(ipv6, json!({"protocol": 47}))?;
        soon(&world, "GRE", || Ok(arrives(ipv6)? == [[true, true, true, false]; 2]))?;
        // What has no ports has replies all the same.
        for client in [&near, &far] {
            assert!(packet_arrives(&server, client, ipv6, VRRP, &vrrp)?, "{}", client.name());
        }
    }
    Ok(())
}
