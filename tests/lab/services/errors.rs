//! What routers say of packets that they cannot pass on.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, LabError, Vm};

use super::super::conversation::listen;
use super::super::world::{Failure, Tested, World, id};
use super::{Net, own};

/// Where a VM listens.
const PORT: u16 = 7000;

/// Bytes of a stream.
const STREAM: usize = 1 << 20;

/// Three networks in a row, joined by two routers with routes to what is behind the other.
struct Chain {
    nets: [Net; 3],
}

impl Chain {
    /// Makes them; the networks have these MTUs.
    fn new(world: &World, mtus: [u16; 3]) -> Result<Self, Failure> {
        let net = |number: usize| {
            let subnets = [
                json!({"cidr": format!("10.{number}.0.0/24")}),
                json!({"cidr": format!("fd00:{number}::/64"), "gateway_ip": format!("fd00:{number}::1")}),
            ];
            Net::new(world, json!({"mtu": mtus[number - 1]}), &subnets)
        };
        let nets = [net(1)?, net(2)?, net(3)?];
        let first = super::router(&nets[0].api, nets[0].subnets.iter().chain(&nets[1].subnets))?;
        // The second router is the gateway of the third network, and has addresses of its own in the second.
        let second = super::router(&nets[0].api, &nets[2].subnets)?;
        let fixed_ips: Vec<_> = ["10.2.0.2", "fd00:2::2"]
            .iter()
            .zip(&nets[1].subnets)
            .map(|(address, subnet)| json!({"subnet_id": subnet, "ip_address": address}))
            .collect();
        for fixed_ip in fixed_ips {
            let port = json!({"network_id": nets[1].id, "fixed_ips": [fixed_ip]});
            let port = id(&nets[1].api.create("ports", port)?);
            nets[1].api.put(&format!("/v2.0/routers/{second}/add_router_interface"), &json!({"port_id": port}))?;
        }
        let routes = |router: &str, destination: usize, hop: usize| -> Result<Value, LabError> {
            let routes = json!([
                {"destination": format!("10.{destination}.0.0/24"), "nexthop": format!("10.2.0.{hop}")},
                {"destination": format!("fd00:{destination}::/64"), "nexthop": format!("fd00:2::{hop}")},
            ]);
            let path = format!("/v2.0/routers/{router}/add_extraroutes");
            nets[0].api.put(&path, &json!({"router": {"routes": routes}}))
        };
        routes(&first, 3, 2)?;
        routes(&second, 1, 1)?;
        Ok(Self { nets })
    }

    /// Boots a VM with static addresses in the network `number`.
    fn boot(&self, world: &mut World, name: &str, host: &str, number: usize) -> Result<Vm, LabError> {
        let net = &self.nets[number - 1];
        // Whoever wants to speak with it may.
        let vm = net.boot(world, name, host, json!({"port_security_enabled": false}))?;
        vm.configure()?;
        Ok(vm)
    }
}

/// What `ping` prints of one request with these arguments.
fn ping(from: &Vm, to: &str, arguments: &[&str]) -> Result<String, LabError> {
    let output = from.namespace().tool("ping").args(["-n", "-c", "1", "-W", "1"]).args(arguments).arg(to).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr))
}

/// Waits until `ping` prints something.
fn wait_ping(world: &World, from: &Vm, to: &str, arguments: &[&str], wanted: &[&str]) -> Result<(), LabError> {
    world.wait(&format!("{wanted:?} of {to}"), || {
        let text = ping(from, to, arguments)?;
        Ok(Look::when(wanted.iter().all(|part| text.contains(part)), text))
    })
}

#[test]
fn each_router_of_a_chain_says_who_it_is() -> Tested {
    let mut world = World::new(2)?;
    let chain = Chain::new(&world, [1450; 3])?;
    let near = chain.boot(&mut world, "near", "h1", 1)?;
    let far = chain.boot(&mut world, "far", "h2", 3)?;
    for (ipv6, gateways) in [(false, ["10.1.0.1", "10.2.0.2"]), (true, ["fd00:1::1", "fd00:2::2"])] {
        let to = own(&far, ipv6)?.to_string();
        wait_ping(&world, &near, &to, &[], &["ttl=62"])?;
        for (ttl, gateway) in ["1", "2"].into_iter().zip(gateways) {
            wait_ping(&world, &near, &to, &["-t", ttl], &[&format!("From {gateway}"), "exceeded"])?;
        }
        // The other way round the routers show their other sides.
        let back = own(&near, ipv6)?.to_string();
        let sides = if ipv6 { ["fd00:3::1", "fd00:2::1"] } else { ["10.3.0.1", "10.2.0.1"] };
        for (ttl, side) in ["1", "2"].into_iter().zip(sides) {
            wait_ping(&world, &far, &back, &["-t", ttl], &[&format!("From {side}"), "exceeded"])?;
        }
    }
    // Nobody has the address; nobody knows the network.
    for (to, from, reason) in [
        ("10.2.0.99", "10.1.0.1", "Destination Host Unreachable"),
        ("10.3.0.99", "10.2.0.2", "Destination Host Unreachable"),
        ("192.0.2.200", "10.1.0.1", "Destination Net Unreachable"),
        ("fd00:2::99", "fd00:1::1", "Destination unreachable: Address unreachable"),
        ("fd00:3::99", "fd00:2::2", "Destination unreachable: Address unreachable"),
        ("2001:db8:9::1", "fd00:1::1", "Destination unreachable: No route"),
    ] {
        wait_ping(&world, &near, to, &[], &[&format!("From {from}"), reason])?;
    }
    Ok(())
}

/// Sends a stream from one VM to another and returns how much arrived.
fn stream(from: &Vm, to: &Vm, ipv6: bool) -> Result<usize, Failure> {
    let target = SocketAddr::new(own(to, ipv6)?, PORT);
    let listener = listen(to, target, Duration::from_secs(5))?;
    let mut sender = from.namespace().connect(target, Duration::from_secs(5))?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
    sender.set_write_timeout(Some(Duration::from_secs(10)))?;
    let arrived = std::thread::spawn(move || receiver.read_to_end(&mut Vec::new()));
    sender.write_all(&vec![7; STREAM])?;
    drop(sender);
    Ok(arrived.join().map_err(|_| "the reader failed")??)
}

#[test]
fn what_is_too_long_for_a_network_on_the_way_is_sent_shorter() -> Tested {
    let mut world = World::new(2)?;
    // The networks at both ends take more than the one between them, so no end knows.
    let chain = Chain::new(&world, [1450, 1300, 1450])?;
    let near = chain.boot(&mut world, "near", "h1", 1)?;
    let far = chain.boot(&mut world, "far", "h2", 3)?;
    for (ipv6, gateway, reason) in
        [(false, "10.1.0.1", "Frag needed and DF set (mtu = 1300)"), (true, "fd00:1::1", "Packet too big: mtu=1300")]
    {
        let to = own(&far, ipv6)?.to_string();
        wait_ping(&world, &near, &to, &[], &["ttl=62"])?;
        wait_ping(&world, &near, &to, &["-M", "do", "-s", "1350"], &[&format!("From {gateway}"), reason])?;
        // Both kernels have to find out by themselves; streams go both ways.
        for vm in [&near, &far] {
            for family in ["-4", "-6"] {
                vm.namespace().tool("ip").args([family, "route", "flush", "cache"]).run()?;
            }
        }
        assert_eq!(stream(&near, &far, ipv6)?, STREAM, "IPv6: {ipv6}");
        assert_eq!(stream(&far, &near, ipv6)?, STREAM, "IPv6: {ipv6}");
        let learnt = near.namespace().tool("ip").args(["route", "get", &to]).run()?;
        assert!(learnt.contains("mtu 1300"), "{learnt}");
    }
    Ok(())
}

#[test]
fn a_flood_of_questions_keeps_nobody_else_waiting() -> Tested {
    let mut world = World::new(1)?;
    let chain = Chain::new(&world, [1450; 3])?;
    let flooder = chain.boot(&mut world, "flooder", "h1", 1)?;
    let victim = chain.nets[1].boot(&mut world, "victim", "h1", json!({}))?;
    let beside = chain.nets[0].boot(&mut world, "beside", "h1", json!({}))?;
    // All of it asks something of the controller: packets at the end of their lives, to nobody, and without a way, and
    // what looks like questions of a DHCP client.
    let targets: [IpAddr; 3] = ["10.2.0.50".parse()?, "10.2.0.99".parse()?, "192.0.2.200".parse()?];
    let socket = flooder.namespace().within(|| UdpSocket::bind(("0.0.0.0", 0)))??;
    socket.set_ttl(1)?;
    let through = flooder.namespace().within(|| UdpSocket::bind(("0.0.0.0", 0)))??;
    let asking = flooder.namespace().within(|| UdpSocket::bind(("0.0.0.0", 68)))??;
    asking.set_broadcast(true)?;
    let (stop, sent) = (AtomicBool::new(false), std::sync::atomic::AtomicU64::new(0));
    let took = std::thread::scope(|scope| -> Result<Duration, Failure> {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for target in targets {
                    // Errors are what this is about.
                    drop(socket.send_to(b"x", (target, 9)));
                    drop(through.send_to(b"x", (target, 9)));
                    drop(asking.send_to(&[1; 300], ("255.255.255.255", 67)));
                    sent.fetch_add(3, Ordering::Relaxed);
                }
            }
        });
        let asked = world
            .wait("a flood", || {
                let count = sent.load(Ordering::Relaxed);
                Ok(Look::when(count > 5000, count))
            })
            .and_then(|()| {
                let start = Instant::now();
                for vm in [&victim, &beside] {
                    world.lab.lease(vm)?;
                }
                Ok(start.elapsed())
            });
        stop.store(true, Ordering::Relaxed);
        Ok(asked?)
    })?;
    for vm in [&victim, &beside] {
        let addresses = super::shown(vm, &["address", "show", "dev", DEVICE])?;
        assert!(addresses.contains(&own(vm, false)?.to_string()), "{addresses}");
    }
    assert!(took < Duration::from_secs(5), "{took:?} for two leases");
    world.wait("answers, and fewer of them than questions", || {
        let answers = world.api.request("GET", "/weir/v1/hosts", None)?.body["hosts"][0]["answers"].take();
        let answered = |kind: &str| answers["answered"][kind].as_u64().unwrap_or_default();
        let both = answered("dhcpv4") >= 4 && (1..2000).contains(&answered("time_exceeded"));
        let unread = answers["silent"]["the packet cannot be read"].as_u64().is_some_and(|count| count < 2000);
        Ok(Look::when(both && unread && answers["limited"].as_u64() > Some(0), answers))
    })?;
    println!("{} packets; two leases took {took:?}", sent.into_inner());
    Ok(())
}
