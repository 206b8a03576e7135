//! A VM that lies about who it is.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Protocol, Socket, Type};
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, LabError, Vm, echo_requests};

use super::world::{Failure, Tested, World, address, id};

/// What a lie is about.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Lie {
    Mac,
    Ipv4,
    Ipv6,
    Arp,
    DhcpServer,
    Router,
}

const LIES: [Lie; 6] = [Lie::Mac, Lie::Ipv4, Lie::Ipv6, Lie::Arp, Lie::DhcpServer, Lie::Router];

/// A router advertisement that says "I am a way to everywhere" and nothing else.
const ADVERTISEMENT: [u8; 16] = [134, 0, 0, 0, 64, 0, 0, 30, 0, 0, 0, 0, 0, 0, 0, 0];

/// Whether the victim got to see a lie of the liar.
fn gets_through(lie: Lie, liar: &Vm, victim: &Vm) -> Result<bool, Failure> {
    match lie {
        Lie::Mac => {
            let own = &liar.guest().mac;
            liar.namespace().ip([format!("link set {DEVICE} address fa:16:3e:66:66:66")])?;
            let seen = echo_seen(liar, victim, address(liar, false)?);
            liar.namespace().ip([format!("link set {DEVICE} address {own}")])?;
            seen
        }
        Lie::Ipv4 | Lie::Ipv6 => {
            let source: IpAddr = if lie == Lie::Ipv4 { "10.0.0.66" } else { "fd00:10::66" }.parse()?;
            let (prefix, option) = if source.is_ipv6() { (64, "nodad") } else { (24, "") };
            liar.namespace().ip([format!("address add {source}/{prefix} dev {DEVICE} {option}")])?;
            let seen = echo_seen(liar, victim, source);
            liar.namespace().ip([format!("address delete {source}/{prefix} dev {DEVICE}")])?;
            seen
        }
        Lie::Arp => {
            // Gratuitous ARP for an address that is not the liar's.
            let claimed = "10.0.0.77";
            liar.namespace().ip([format!("address add {claimed}/32 dev {DEVICE}")])?;
            victim.namespace().tool("sysctl").args(["-q", &format!("net.ipv4.conf.{DEVICE}.arp_accept=1")]).run()?;
            liar.namespace().tool("arping").args(["-q", "-U", "-c", "2", "-w", "1", "-I", DEVICE, claimed]).output()?;
            liar.namespace().ip([format!("address delete {claimed}/32 dev {DEVICE}")])?;
            let neighbours = victim.namespace().tool("ip").args(["neighbour", "show", claimed]).run()?;
            Ok(neighbours.contains(&liar.guest().mac))
        }
        Lie::DhcpServer => datagram_seen(liar, victim, 67),
        Lie::Router => advertisement_seen(liar, victim),
    }
}

/// Whether the victim sees an echo request from a source address, sent to its MAC address without asking for it: an
/// ARP request or neighbour solicitation with a false source would not get out either and hide the packet itself.
fn echo_seen(liar: &Vm, victim: &Vm, source: IpAddr) -> Result<bool, Failure> {
    let target = address(victim, source.is_ipv6())?;
    liar.namespace()
        .ip([format!("neighbour replace {target} lladdr {} nud permanent dev {DEVICE}", victim.guest().mac)])?;
    let before = echo_requests(victim.namespace(), source.is_ipv6())?;
    liar.namespace()
        .tool("ping")
        .args(["-c", "2", "-i", "0.1", "-W", "0.3", "-I", &source.to_string(), &target.to_string()])
        .output()?;
    Ok(echo_requests(victim.namespace(), source.is_ipv6())? > before)
}

/// Whether a UDP datagram from a source port arrives.
fn datagram_seen(from: &Vm, to: &Vm, source_port: u16) -> Result<bool, Failure> {
    let target = (address(to, false)?, 6868);
    let receiver = to.namespace().within(|| UdpSocket::bind(target))??;
    receiver.set_read_timeout(Some(Duration::from_millis(500)))?;
    from.namespace().within(|| UdpSocket::bind(("0.0.0.0", source_port))?.send_to(b"x", target))??;
    Ok(receiver.recv(&mut [0; 8]).is_ok())
}

/// Whether the victim hears a router advertisement of the liar.
fn advertisement_seen(liar: &Vm, victim: &Vm) -> Result<bool, Failure> {
    let open = |vm: &Vm| vm.namespace().within(|| Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)));
    let index = liar.namespace().tool("cat").arg(format!("/sys/class/net/{DEVICE}/ifindex")).run()?;
    let (mouth, mut ear) = (open(liar)??, open(victim)??);
    mouth.set_multicast_hops_v6(255)?;
    let to_all = SocketAddrV6::new("ff02::1".parse()?, 0, 0, index.trim().parse()?);
    mouth.send_to(&ADVERTISEMENT, &to_all.into())?;
    let end = Instant::now() + Duration::from_millis(500);
    let mut buffer = [0; 256];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        ear.set_read_timeout(Some(left))?;
        match ear.read(&mut buffer) {
            Ok(length) if buffer[..length].starts_with(&[134]) => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

#[test]
fn false_sources_do_not_get_out() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let liar = world.boot(&tenant, "liar", "h1", 11)?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    for victim in [&near, &far] {
        world.wait_reach(&liar, victim)?;
        assert!(datagram_seen(&liar, victim, 6767)?, "an honest datagram arrives");
        for lie in LIES {
            assert!(!gets_through(lie, &liar, victim)?, "{lie:?} reached {}", victim.name());
        }
        world.wait_reach(&liar, victim)?;
    }

    // The same lies get through where the operator lifts the protection: they were well told. So is the lie a VM
    // tells with an address that it may use.
    let port = &liar.guest().port;
    world.api.update("ports", port, json!({"allowed_address_pairs": [{"ip_address": "10.0.0.66"}]}))?;
    settle(&world, "an allowed address", || gets_through(Lie::Ipv4, &liar, &far))?;
    assert!(!gets_through(Lie::Ipv6, &liar, &far)?);
    // Without port security the liar has no group any more; its victim takes packets of anybody.
    let group = id(&tenant.api.create("security-groups", json!({"name": "open"}))?);
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": ethertype});
        tenant.api.create("security-group-rules", rule)?;
    }
    world.api.update("ports", &far.guest().port, json!({"security_groups": [group]}))?;
    let unprotected = json!({"allowed_address_pairs": [], "security_groups": [], "port_security_enabled": false});
    world.api.update("ports", port, unprotected)?;
    for lie in LIES {
        settle(&world, &format!("{lie:?} without port security"), || gets_through(lie, &liar, &far))?;
    }
    Ok(())
}

/// Waits until something that a change of a port allows is so.
fn settle(world: &World, what: &str, mut look: impl FnMut() -> Result<bool, Failure>) -> Result<(), LabError> {
    world.wait(what, || match look() {
        Ok(seen) => Ok(Look::when(seen, "it does not arrive")),
        Err(failure) => Ok(Look::not_yet(format!("{failure:?}"))),
    })
}
