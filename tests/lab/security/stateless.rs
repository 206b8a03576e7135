//! Groups that keep no connections.

use serde_json::json;

use super::super::conversation::{Heard, Talk, talk};
use super::super::world::{Failure, Tested, World, address, id};
use super::{allow, connections_of, expect, soon};

#[test]
fn stateless_groups_judge_each_packet_and_remember_nothing() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let make = |name: &str| -> Result<String, Failure> {
        Ok(id(&tenant.api.create("security-groups", json!({"name": name, "stateful": false}))?))
    };
    let (servers, clients) = (make("servers")?, make("clients")?);
    for ethertype in ["IPv4", "IPv6"] {
        for (protocol, port) in [("tcp", 80), ("udp", 53)] {
            let rule = json!({
                "ethertype": ethertype, "protocol": protocol, "port_range_min": port, "port_range_max": port,
                "remote_group_id": clients,
            });
            allow(&tenant.api, &servers, rule)?;
        }
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot_with(&tenant, "near", "h1", 12, json!({"security_groups": [clients]}))?;
    let far = world.boot_with(&tenant, "far", "h2", 13, json!({"security_groups": [clients]}))?;
    let both = |what: &str, udp: Heard, tcp: Heard| -> Tested {
        for (client, ipv6) in [(&near, false), (&near, true), (&far, false), (&far, true)] {
            let what = format!("{what}, {}, ipv6 {ipv6}", client.name());
            expect(&what, || talk(Talk::Udp(53), client, &server, ipv6), udp)?;
            expect(&what, || talk(Talk::Tcp(80), client, &server, ipv6), tcp)?;
            expect(&what, || talk(Talk::Udp(54), client, &server, ipv6), Heard::Nothing)?;
        }
        Ok(())
    };
    both("no rule for replies", Heard::Question, Heard::Nothing)?;

    let replies = |ethertype: &str, protocol: &str| json!({"ethertype": ethertype, "protocol": protocol, "port_range_min": 1024, "port_range_max": 65535});
    for ethertype in ["IPv4", "IPv6"] {
        for protocol in ["tcp", "udp"] {
            allow(&tenant.api, &clients, replies(ethertype, protocol))?;
        }
    }
    for client in [&near, &far] {
        soon(&world, "replies", || Ok(talk(Talk::Tcp(80), client, &server, true)? == Heard::Both))?;
    }
    both("a rule for replies", Heard::Both, Heard::Both)?;
    for vm in [&server, &near, &far] {
        for ipv6 in [false, true] {
            assert_eq!(connections_of(&world, vm.host(), address(vm, ipv6)?)?, [""; 0]);
        }
    }

    // Of a stateful group's port and a stateless one's the former's hypervisor alone remembers.
    let guarded = world.boot(&tenant, "guarded", "h2", 14)?;
    allow(&tenant.api, &servers, json!({"protocol": "udp", "port_range_min": 55, "port_range_max": 55}))?;
    soon(&world, "a stateful client", || Ok(talk(Talk::Udp(55), &guarded, &server, false)? == Heard::Both))?;
    assert_eq!(connections_of(&world, "h1", address(&guarded, false)?)?, [""; 0]);
    assert!(!connections_of(&world, "h2", address(&guarded, false)?)?.is_empty());
    Ok(())
}
