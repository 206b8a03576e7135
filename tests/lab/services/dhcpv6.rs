//! DHCP for IPv6.

use serde_json::json;
use weir::cli::lab::{DEVICE, Echo, LabError};

use super::super::world::{Tested, World};
use super::dhclient::Dhclient;
use super::{GRACE, Net, own, router, shown, wait_link_local, wait_shown};

fn network(world: &World, mode: &str) -> Result<Net, LabError> {
    let mut ipv6 = json!({"cidr": "fd00:10::/64", "dns_nameservers": ["2001:db8::53"]});
    if !mode.is_empty() {
        ipv6["ipv6_ra_mode"] = json!(mode);
        ipv6["ipv6_address_mode"] = json!(mode);
    }
    Net::new(world, json!({"dns_domain": "red.example."}), &[ipv6])
}

fn text<'a>(event: &'a std::collections::BTreeMap<String, String>, name: &str) -> &'a str {
    event.get(name).map_or("", String::as_str)
}

#[test]
fn a_stateful_subnet_gives_addresses() -> Tested {
    let mut world = World::new(1)?;
    let net = network(&world, "dhcpv6-stateful")?;
    router(&net.api, &net.subnets)?;
    let options = json!({"extra_dhcp_opts": [
        {"opt_name": "domain-search", "opt_value": "blue.example", "ip_version": 6},
    ]});
    let plain = net.boot(&mut world, "a", "h1", json!({}))?;
    let special = net.boot(&mut world, "b", "h1", options)?;
    for (vm, domain) in [(&plain, "red.example."), (&special, "blue.example.")] {
        wait_link_local(&world, vm)?;
        let client = Dhclient::run(vm, &["-6", "-1"], "")?;
        let bound = client.wait(&world, "BOUND6", 1)?;
        let address = own(vm, true)?.to_string();
        assert_eq!(text(&bound, "new_ip6_address"), address, "{bound:?}");
        assert_eq!(text(&bound, "new_dhcp6_name_servers"), "2001:db8::53", "{bound:?}");
        assert_eq!(text(&bound, "new_dhcp6_domain_search"), domain, "{bound:?}");
        assert_eq!(text(&bound, "new_max_life"), "86400", "{bound:?}");
        assert!(shown(vm, &["-6", "address", "show", "dev", DEVICE])?.contains(&address));
        // The router has told the rest: what is on the link, and the way to everywhere.
        let gateway = world.api.show("subnets", &net.subnets[0])?["gateway_ip"].as_str().unwrap_or_default().parse()?;
        assert_eq!(Echo::ask(vm.namespace(), gateway, None)?, Echo::Answered { ttl: 64 });
        wait_shown(&world, vm, &["-6", "route", "show"], "default via fe80:")?;
    }
    Ok(())
}

#[test]
fn a_stateless_subnet_gives_the_rest() -> Tested {
    let mut world = World::new(1)?;
    let net = network(&world, "dhcpv6-stateless")?;
    let vm = net.boot(&mut world, "a", "h1", json!({}))?;
    wait_link_local(&world, &vm)?;
    let client = Dhclient::run(&vm, &["-6", "-S"], "")?;
    // ISC's client calls it so when it has no address to bind.
    let told = client.wait(&world, "RENEW6", 1)?;
    assert_eq!(text(&told, "new_dhcp6_name_servers"), "2001:db8::53", "{told:?}");
    assert_eq!(text(&told, "new_dhcp6_domain_search"), "red.example.", "{told:?}");
    drop(client);
    // It has no address to give.
    let client = Dhclient::run(&vm, &["-6"], "")?;
    std::thread::sleep(GRACE * 3);
    let bound = client.events().into_iter().find(|event| event["reason"] == "BOUND6");
    assert_eq!(bound, None);
    Ok(())
}

#[test]
fn no_other_subnet_is_served() -> Tested {
    let mut world = World::new(1)?;
    for (number, mode) in ["slaac", ""].into_iter().enumerate() {
        let net = network(&world, mode)?;
        let vm = net.boot(&mut world, &format!("a{number}"), "h1", json!({}))?;
        wait_link_local(&world, &vm)?;
        let clients = [Dhclient::run(&vm, &["-6", "-S"], "")?, Dhclient::run(&vm, &["-6"], "")?];
        std::thread::sleep(GRACE * 3);
        for client in clients {
            let informed = client.events().into_iter().find(|event| event["reason"] != "PREINIT6");
            assert_eq!(informed, None, "{mode}");
        }
    }
    Ok(())
}
