//! DHCP for IPv4.

use std::net::{IpAddr, Ipv4Addr};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::json;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, Lease, Ping, Vm};

use super::super::world::{Failure, Tested, World};
use super::message::{ACK, Client, DECLINE, DISCOVER, INFORM, NAK, OFFER, RELEASE, REQUEST, Said};
use super::{Net, own, router, shown};

const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

/// A network of which everything is told that there is to tell.
fn talkative(world: &World) -> Result<Net, Failure> {
    let ipv4 = json!({
        "cidr": "10.0.0.0/24", "dns_nameservers": ["192.0.2.53", "192.0.2.54"],
        "host_routes": [{"destination": "10.9.0.0/16", "nexthop": "10.0.0.9"}],
    });
    Ok(Net::new(world, json!({"mtu": 1400, "dns_domain": "red.example."}), &[ipv4])?)
}

fn ipv4(vm: &Vm) -> Result<Ipv4Addr, Failure> {
    match own(vm, false)? {
        IpAddr::V4(address) => Ok(address),
        IpAddr::V6(_) => Err("no IPv4 address".into()),
    }
}

#[test]
fn udhcpc_gets_what_the_topology_says() -> Tested {
    let mut world = World::new(2)?;
    let net = talkative(&world)?;
    let a = net.boot(&mut world, "a", "h1", json!({"dns_name": "web"}))?;
    // Neither security groups nor port security stand in the way of DHCP.
    let grouped = net.boot(&mut world, "grouped", "h2", json!({"security_groups": []}))?;
    let open = net.boot(&mut world, "open", "h2", json!({"port_security_enabled": false}))?;
    let lease = world.lab.lease(&a)?;
    let address = ipv4(&a)?.to_string();
    let told = [
        ("ip", address.as_str()),
        ("subnet", "255.255.255.0"),
        ("mask", "24"),
        ("broadcast", "10.0.0.255"),
        ("router", "10.0.0.1"),
        ("dns", "192.0.2.53 192.0.2.54"),
        ("domain", "red.example"),
        ("hostname", "web"),
        ("mtu", "1400"),
        ("lease", "86400"),
        ("serverid", "10.0.0.1"),
    ];
    for (name, value) in told {
        assert_eq!(lease.get(name), Some(value), "{name} of {lease:?}");
    }
    for vm in [&grouped, &open] {
        let lease = world.lab.lease(vm)?;
        assert_eq!(lease.address(), Some(ipv4(vm)?));
    }
    // The addresses that the clients have set are the ones by which they reach each other.
    let ping = Ping::send(a.namespace(), own(&open, false)?, 3, Duration::from_millis(200))?;
    assert!(ping.received >= 2, "{ping:?}");
    Ok(())
}

#[test]
fn a_renewal_tells_what_has_changed() -> Tested {
    let mut world = World::new(1)?;
    let net = talkative(&world)?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    let directory = tempfile::tempdir()?;
    let log = directory.path().join("log");
    let mut client = Lease::client(vm.namespace(), directory.path())?
        .arg("-R")
        .stdin(Stdio::null())
        .stdout(std::fs::File::create(&log)?)
        .stderr(Stdio::null())
        .spawn()?;
    let wait = |event: &str, wanted: &dyn Fn(&Lease) -> bool| {
        world.wait(&format!("{event} of udhcpc"), || {
            let all = Lease::all(&std::fs::read_to_string(&log).unwrap_or_default());
            let last = all.into_iter().rfind(|lease| lease.get("event") == Some(event));
            Ok(Look::when(last.as_ref().is_some_and(wanted), format!("{last:?}")))
        })
    };
    let signal = |signal| kill(Pid::from_raw(client.id().try_into().unwrap_or_default()), signal);
    wait("bound", &|lease| lease.get("mtu") == Some("1400") && lease.get("dns") == Some("192.0.2.53 192.0.2.54"))?;
    let routes = shown(&vm, &["route", "show"])?;
    for route in ["default via 10.0.0.1", "10.9.0.0/16 via 10.0.0.9", "169.254.169.254 via 10.0.0.1"] {
        assert!(routes.contains(route), "{route} in\n{routes}");
    }
    net.api.update("subnets", &net.subnets[0], json!({"dns_nameservers": ["192.0.2.99"]}))?;
    // The client renews: by unicast, to the server whose identifier it has.
    signal(Signal::SIGUSR1)?;
    wait("renew", &|lease| lease.get("dns") == Some("192.0.2.99"))?;
    // It gives its address back and asks for one again: the address is its own still.
    signal(Signal::SIGUSR2)?;
    wait("deconfig", &|_| true)?;
    vm.namespace().ip([format!("address flush dev {DEVICE}")])?;
    signal(Signal::SIGUSR1)?;
    let address = ipv4(&vm)?;
    wait("bound", &|lease| lease.get("dns") == Some("192.0.2.99") && lease.address() == Some(address))?;
    signal(Signal::SIGTERM)?;
    client.wait()?;
    Ok(())
}

#[test]
fn every_message_of_a_client_is_answered_as_it_must_be() -> Tested {
    let mut world = World::new(1)?;
    let net = talkative(&world)?;
    let vm = net.boot(&mut world, "a", "h1", json!({"dns_name": "web"}))?;
    let (own, foreign) = (ipv4(&vm)?, Ipv4Addr::new(10, 0, 0, 222));
    let mut client = Client::new(&vm)?;

    let offer = client.ask(&Said::new(DISCOVER))?;
    assert_eq!((offer.kind(), offer.yours(), offer.from), (OFFER, own, SERVER));
    let ack = client.ask(&Said::new(REQUEST).wanting(own).of_server(SERVER))?;
    assert_eq!((ack.kind(), ack.yours(), ack.from), (ACK, own, SERVER));
    for reply in [&offer, &ack] {
        let told: [(u8, &[u8]); 10] = [
            (1, &[255, 255, 255, 0]),
            (3, &[10, 0, 0, 1]),
            (6, &[192, 0, 2, 53, 192, 0, 2, 54]),
            (26, &1400_u16.to_be_bytes()),
            (28, &[10, 0, 0, 255]),
            (51, &86_400_u32.to_be_bytes()),
            (54, &[10, 0, 0, 1]),
            (58, &43_200_u32.to_be_bytes()),
            (59, &75_600_u32.to_be_bytes()),
            (121, &[16, 10, 9, 10, 0, 0, 9, 32, 169, 254, 169, 254, 10, 0, 0, 1, 0, 10, 0, 0, 1]),
        ];
        for (code, value) in told {
            assert_eq!(reply.option(code), Some(value), "option {code}");
        }
        assert_eq!(reply.option(249), reply.option(121));
        assert_eq!((reply.text(12), reply.text(15)), ("web".to_owned(), "red.example".to_owned()));
    }
    // Who comes back with an address that is not its own must not use it.
    let nak = client.ask(&Said::new(REQUEST).wanting(foreign))?;
    assert_eq!((nak.kind(), nak.yours()), (NAK, Ipv4Addr::UNSPECIFIED));
    assert_eq!(client.ask(&Said::new(REQUEST).wanting(own))?.kind(), ACK);
    // Another server's client is none of ours; what is given back stays; a client may find its address in use.
    assert!(client.is_ignored(&Said::new(REQUEST).wanting(own).of_server(Ipv4Addr::new(10, 0, 0, 77)))?);
    assert!(client.is_ignored(&Said::new(DECLINE).wanting(own).of_server(SERVER))?);
    assert!(client.is_ignored(&Said::new(RELEASE).having(own).of_server(SERVER))?);
    assert_eq!(client.ask(&Said::new(DISCOVER))?.yours(), own);

    // With its address it asks the server itself (renewing), or everybody (rebinding).
    vm.namespace().ip([format!("address add {own}/24 dev {DEVICE}")])?;
    for to in [SERVER, Ipv4Addr::BROADCAST] {
        let ack = client.ask(&Said::new(REQUEST).having(own).to(to))?;
        assert_eq!((ack.kind(), ack.yours(), ack.from), (ACK, own, SERVER));
    }
    let inform = client.ask(&Said::new(INFORM).having(own))?;
    assert_eq!((inform.kind(), inform.yours(), inform.option(51)), (ACK, Ipv4Addr::UNSPECIFIED, None));
    assert_eq!(inform.text(15), "red.example");

    // The same with a router, whose interface speaks for the server then.
    router(&net.api, &net.subnets)?;
    world.wait("an answer of the router's interface", || {
        let renewed = client.ask(&Said::new(REQUEST).having(own).to(SERVER)).map(|ack| ack.kind());
        Ok(Look::when(matches!(renewed, Ok(ACK)), format!("{renewed:?}")))
    })?;
    Ok(())
}

#[test]
fn a_subnet_without_a_gateway_is_served_from_the_metadata_address() -> Tested {
    let mut world = World::new(1)?;
    let net = Net::new(&world, json!({}), &[json!({"cidr": "10.0.0.0/24", "gateway_ip": null})])?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    let server = Ipv4Addr::new(169, 254, 169, 254);
    let mut client = Client::new(&vm)?;
    let offer = client.ask(&Said::new(DISCOVER))?;
    assert_eq!((offer.from, offer.option(54), offer.option(3)), (server, Some(&server.octets()[..]), None));
    assert_eq!(offer.option(121), Some(&[32, 169, 254, 169, 254, 0, 0, 0, 0][..]));
    // The server is on the link, so that renewals by unicast find it.
    assert_eq!(world.lab.lease(&vm)?.address(), Some(ipv4(&vm)?));
    let ack = client.ask(&Said::new(REQUEST).having(ipv4(&vm)?).to(server))?;
    assert_eq!((ack.kind(), ack.from), (ACK, server));
    Ok(())
}

#[test]
fn ports_say_more_and_boot_by_pxe() -> Tested {
    let mut world = World::new(1)?;
    let net = talkative(&world)?;
    let options = json!([
        {"opt_name": "bootfile-name", "opt_value": "pxelinux.0"},
        {"opt_name": "tftp-server", "opt_value": "192.0.2.69"},
        {"opt_name": "server-ip-address", "opt_value": "192.0.2.69"},
        {"opt_name": "domain-name", "opt_value": "blue.example"},
        {"opt_name": "router", "opt_value": ""},
    ]);
    let vm = net.boot(&mut world, "a", "h1", json!({"extra_dhcp_opts": options}))?;
    let mut client = Client::new(&vm)?;
    let offer = client.ask(&Said::new(DISCOVER))?;
    assert_eq!((offer.next_server(), offer.file()), (Ipv4Addr::new(192, 0, 2, 69), "pxelinux.0".to_owned()));
    assert_eq!((offer.text(66), offer.text(67)), ("192.0.2.69".to_owned(), "pxelinux.0".to_owned()));
    assert_eq!(offer.text(15), "blue.example");
    drop(client);
    let lease = world.lab.lease(&vm)?;
    assert_eq!((lease.get("siaddr"), lease.get("boot_file")), (Some("192.0.2.69"), Some("pxelinux.0")), "{lease:?}");
    Ok(())
}

#[test]
fn a_subnet_without_dhcp_is_not_served() -> Tested {
    let mut world = World::new(1)?;
    let net = Net::new(&world, json!({}), &[json!({"cidr": "10.0.0.0/24", "enable_dhcp": false})])?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    let mut client = Client::new(&vm)?;
    assert!(client.is_ignored(&Said::new(DISCOVER))?);
    assert!(client.is_ignored(&Said::new(REQUEST).wanting(ipv4(&vm)?))?);
    net.api.update("subnets", &net.subnets[0], json!({"enable_dhcp": true}))?;
    world.wait("an offer", || {
        let offered = client.ask(&Said::new(DISCOVER)).map(|offer| offer.kind());
        Ok(Look::when(matches!(offered, Ok(OFFER)), format!("{offered:?}")))
    })?;
    Ok(())
}
