//! Router advertisements: what the kernel makes of them, and what they say.

use std::io::Read as _;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use socket2::{Domain, Protocol, Socket, Type};
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, Ping, Vm};

use super::super::world::{Failure, Tested, World};
use super::{GRACE, Net, own, router, shown, wait_link_local, wait_shown};

const SOLICITATION: [u8; 8] = [133, 0, 0, 0, 0, 0, 0, 0];

/// What a router says.
struct Advertisement(Vec<u8>);

impl Advertisement {
    fn flags(&self) -> u8 {
        self.0[5]
    }

    /// Seconds for which the router is a way to everywhere.
    fn lifetime(&self) -> u16 {
        u16::from_be_bytes([self.0[6], self.0[7]])
    }

    /// An option without its number and length.
    fn option(&self, wanted: u8) -> Option<&[u8]> {
        let mut rest = self.0.get(16..)?;
        while let [kind, units, ..] = rest {
            let length = usize::from(*units) * 8;
            if *kind == wanted {
                return rest.get(2..length);
            }
            rest = rest.get(length..).filter(|_| length > 0)?;
        }
        None
    }
}

/// A socket that hears and says what is said between routers and hosts.
fn socket(vm: &Vm) -> Result<Socket, Failure> {
    let index = vm.namespace().tool("cat").arg(format!("/sys/class/net/{DEVICE}/ifindex")).run()?;
    let index: u32 = index.trim().parse()?;
    let socket = vm.namespace().within(|| Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6)))??;
    socket.set_multicast_hops_v6(255)?;
    socket.set_multicast_if_v6(index)?;
    Ok(socket)
}

/// Asks the routers of a VM's network, and returns what the first one says, if any.
fn solicit(vm: &Vm) -> Result<Option<Advertisement>, Failure> {
    let mut socket = socket(vm)?;
    let all_routers = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 2), 0, 0, 0);
    socket.send_to(&SOLICITATION, &all_routers.into())?;
    let end = Instant::now() + GRACE;
    let mut buffer = [0; 1500];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(None);
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut buffer) {
            Ok(length) if buffer[0] == 134 && length >= 16 => {
                return Ok(Some(Advertisement(buffer[..length].to_vec())));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
}

fn subnet(number: u8, mode: &str) -> Value {
    json!({
        "cidr": format!("fd00:{number}::/64"), "dns_nameservers": ["2001:db8::53"], "ipv6_ra_mode": mode,
        "ipv6_address_mode": mode,
    })
}

#[test]
fn each_mode_says_its_own() -> Tested {
    const PREFIX: u8 = 3;
    const MTU: u8 = 5;
    const DNS_SERVERS: u8 = 25;
    let mut world = World::new(1)?;
    let modes = [("slaac", 0, 0xc0), ("dhcpv6-stateless", 0x40, 0xc0), ("dhcpv6-stateful", 0x80, 0x80)];
    let mut nets = Vec::new();
    for ((mode, ..), number) in modes.into_iter().zip(1..) {
        nets.push(Net::new(&world, json!({"mtu": 1400}), &[subnet(number, mode)])?);
    }
    router(&nets[0].api, nets.iter().flat_map(|net| &net.subnets))?;
    let mut vms = Vec::new();
    for (net, (mode, flags, prefix_flags)) in nets.iter().zip(modes) {
        let vm = net.boot(&mut world, mode.trim_start_matches("dhcpv6-"), "h1", json!({}))?;
        wait_link_local(&world, &vm)?;
        let said = solicit(&vm)?.ok_or_else(|| format!("{mode}: no advertisement"))?;
        assert_eq!((said.flags(), said.lifetime()), (flags, 1800), "{mode}");
        assert_eq!(said.option(MTU), Some(&[0, 0, 0, 0, 5, 120][..]), "{mode}");
        assert_eq!(said.option(PREFIX).map(|prefix| (prefix[0], prefix[1])), Some((64, prefix_flags)), "{mode}");
        let server: Ipv6Addr = "2001:db8::53".parse()?;
        assert_eq!(said.option(DNS_SERVERS).and_then(|servers| servers.get(6..)), Some(&server.octets()[..]), "{mode}");
        vms.push(vm);
    }
    // What the kernels make of it.
    for (vm, (mode, ..)) in vms.iter().zip(modes) {
        wait_shown(&world, vm, &["-6", "route", "show"], "default via fe80:")?;
        let mtu = vm.namespace().tool("sysctl").args(["-n", &format!("net.ipv6.conf.{DEVICE}.mtu")]).run()?;
        assert_eq!(mtu.trim(), "1400", "{mode}");
        let addresses = ["-6", "address", "show", "dev", DEVICE, "scope", "global"];
        if mode == "dhcpv6-stateful" {
            assert_eq!(shown(vm, &addresses)?, "");
        } else {
            wait_shown(&world, vm, &addresses, &own(vm, true)?.to_string())?;
        }
    }
    // By the default route from one network to the other.
    let target = own(&vms[1], true)?;
    world.wait("the other network", || {
        let ping = Ping::send(vms[0].namespace(), target, 1, Duration::ZERO)?;
        Ok(Look::when(ping.received == 1, format!("{ping:?}")))
    })?;
    Ok(())
}

#[test]
fn without_a_router_nobody_advertises() -> Tested {
    let mut world = World::new(1)?;
    let net = Net::new(&world, json!({}), &[subnet(1, "slaac")])?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    wait_link_local(&world, &vm)?;
    assert!(solicit(&vm)?.is_none(), "an advertisement of nobody");
    let addresses = ["-6", "address", "show", "dev", DEVICE, "scope", "global"];
    assert_eq!(shown(&vm, &addresses)?, "");
    // The VM hears of the router that comes, and of its end.
    let id = router(&net.api, &net.subnets)?;
    wait_shown(&world, &vm, &addresses, &own(&vm, true)?.to_string())?;
    wait_shown(&world, &vm, &["-6", "route", "show"], "default via fe80:")?;
    let path = format!("/v2.0/routers/{id}/remove_router_interface");
    net.api.put(&path, &json!({"subnet_id": net.subnets[0]}))?;
    world.wait("the end of the default route", || {
        let routes = shown(&vm, &["-6", "route", "show"])?;
        Ok(Look::when(!routes.contains("default"), routes))
    })?;
    Ok(())
}
