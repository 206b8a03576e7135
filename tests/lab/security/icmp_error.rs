//! Errors about connections: they come to whom the connection is allowed, and to nobody else.

use std::io::ErrorKind;
use std::net::SocketAddr;

use serde_json::json;
use weir::cli::lab::{DEVICE, Vm};

use super::super::conversation::{icmp, packet_arrives, socket};
use super::super::world::{Failure, Tested, World, address};
use super::{allow, group, soon};

/// Whether a datagram to a port at which nobody listens comes back as an error.
fn is_refused(from: &Vm, to: &Vm, port: u16, ipv6: bool) -> Result<bool, Failure> {
    let socket = socket(from, SocketAddr::new(address(from, ipv6)?, 0))?;
    socket.connect(SocketAddr::new(address(to, ipv6)?, port))?;
    socket.send(b"x")?;
    Ok(matches!(socket.recv(&mut [0; 8]), Err(error) if error.kind() == ErrorKind::ConnectionRefused))
}

#[test]
fn an_unreachable_port_is_told_to_whom_it_is_open() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let servers = group(&tenant.api, "servers")?;
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"ethertype": ethertype, "protocol": "udp", "port_range_min": 53, "port_range_max": 53});
        allow(&tenant.api, &servers, rule)?;
    }
    let server = world.boot_with(&tenant, "server", "h1", 11, json!({"security_groups": [servers]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    for (client, ipv6) in [(&near, false), (&near, true), (&far, false), (&far, true)] {
        soon(&world, "port unreachable", || is_refused(client, &server, 53, ipv6))?;
        assert!(!is_refused(client, &server, 54, ipv6)?, "the datagram does not even arrive");
    }

    // An error about a datagram that nobody sent: the server speaks of one from its port 99 to the client's port 99.
    for client in [&near, &far] {
        let (source, target) = (address(client, false)?, address(&server, false)?);
        let mut about = vec![0x45, 0, 0, 28, 0, 0, 0x40, 0, 64, 17, 0, 0];
        for address in [source, target] {
            if let std::net::IpAddr::V4(address) = address {
                about.extend(address.octets());
            }
        }
        about.extend([0, 99, 0, 99, 0, 8, 0, 0]);
        let mut error = vec![0; 4];
        error.extend(&about);
        assert!(!packet_arrives(&server, client, false, 1, &icmp(3, 3, &error))?, "{}", client.name());
    }
    Ok(())
}

/// What `ping` says of packets of 1400 bytes that must not be cut.
fn large_ping(from: &Vm, to: &str) -> Result<String, Failure> {
    let ping =
        from.namespace().tool("ping").args(["-n", "-M", "do", "-s", "1352", "-c", "1", "-W", "1", to]).output()?;
    Ok(String::from_utf8_lossy(&ping.stdout).into_owned() + &String::from_utf8_lossy(&ping.stderr))
}

/// A VM that is a router of its own passes on to a smaller wire; what it says of that is about packets to others.
#[test]
fn packets_that_are_too_big_are_told_by_whoever_finds_out() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let hops = group(&tenant.api, "hops")?;
    let rules = [json!({"protocol": "icmp"}), json!({"protocol": "icmpv6", "ethertype": "IPv6"})];
    let mut ids = Vec::new();
    for rule in rules {
        ids.push(allow(&tenant.api, &hops, rule)?);
    }
    let hop = world.boot_with(&tenant, "hop", "h1", 11, json!({"security_groups": [hops]}))?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    hop.namespace()
        .tool("sysctl")
        .args(["-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.icmp_ratelimit=0"])
        .args(["net.ipv6.icmp.ratelimit=0"])
        .run()?;
    hop.namespace().ip([
        "link add inner mtu 1300 type veth peer name outer".to_owned(),
        "link set inner up".to_owned(),
        "link set outer up".to_owned(),
        "route add 10.0.0.200 dev inner".to_owned(),
        "route add fd00:10::c8 dev inner".to_owned(),
    ])?;
    for client in [&near, &far] {
        for (target, said) in [("10.0.0.200", "(mtu = 1300)"), ("fd00:10::c8", "mtu=1300")] {
            client
                .namespace()
                .ip([format!("neighbour replace {target} lladdr {} nud permanent dev {DEVICE}", hop.guest().mac)])?;
            soon(&world, "too big", || Ok(large_ping(client, target)?.contains(said)))?;
        }
    }
    for id in &ids {
        tenant.api.delete("security-group-rules", id)?;
    }
    world.lab.wait_in_step()?;
    for client in [&near, &far] {
        for target in ["10.0.0.200", "fd00:10::c8"] {
            soon(&world, "no permission, no error", || {
                // What was learnt would answer for the hop.
                for version in ["-4", "-6"] {
                    client.namespace().tool("ip").args([version, "route", "flush", "cache"]).run()?;
                }
                Ok(!large_ping(client, target)?.contains("mtu"))
            })?;
        }
    }
    Ok(())
}
