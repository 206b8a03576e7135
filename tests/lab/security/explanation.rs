//! Flows that name the rule, group, router, route and port that they come from.

use serde_json::json;
use weir::cli::lab::{Api, LabError, Tool};

use super::super::routing::Routed;
use super::super::world::{Tested, World, id, program};
use super::{allow, group};

/// The ids of the routes of a router are its own.
fn route(api: &Api, router: &str) -> Result<(), LabError> {
    let routes = json!({"routes": [{"destination": "198.51.100.0/24", "nexthop": "10.1.0.11"}]});
    api.update("routers", router, routes).map(drop)
}

#[test]
fn flows_name_what_they_come_from() -> Tested {
    let mut world = World::new(1)?;
    let routed = Routed::new(&world, 2)?;
    let api = routed.api.clone();
    let (web, database) = (group(&api, "web")?, group(&api, "database")?);
    let partners = json!({"name": "partners", "addresses": ["192.0.2.0/24"]});
    let partners = id(&api.create("address-groups", partners)?);
    let plain = allow(&api, &database, json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22}))?;
    let remote = allow(&api, &database, json!({"protocol": "udp", "remote_group_id": web}))?;
    let listed = allow(&api, &database, json!({"protocol": "icmp", "remote_address_group_id": partners}))?;
    route(&api, &routed.router)?;
    let vm = routed.boot_with(&mut world, "vm", "h1", (1, 11), json!({"security_groups": [database]}))?;
    routed.boot_with(&mut world, "peer", "h1", (2, 12), json!({"security_groups": [web]}))?;

    let host = world.lab.host("h1")?.clone();
    let namespace = world.lab.controller()?.namespace().clone();
    let weir = |arguments: &[&str]| -> Tool { namespace.tool(&program().to_string_lossy()).args(arguments) };
    let live = weir(&["flows", "h1"]).run()?;
    let dump = host.ofctl("dump-flows", "br-int", &[])?;
    let explained = weir(&["flows", "explain"]).input(dump).run()?;
    let rule = |rule: &str| format!("rule {rule} of security group database ({database})");
    let expected = [
        ("tp_dst=22", format!("{}: security group rule", rule(&plain))),
        ("conjunction(", format!("{}: security group rule, if the remote address is right", rule(&remote))),
        ("conjunction(", format!("{}: security group rule, if the remote address is right", rule(&listed))),
        ("ct_nw_src=10.2.0.12,", format!("security group web ({web}): address of a remote group's port")),
        ("conj_id=", format!("security group web ({web}): rule with this remote group")),
        ("ct_nw_src=192.0.2.0/24,", format!("address group partners ({partners}): address of an address group")),
        ("conj_id=", format!("address group partners ({partners}): rule with this address group")),
        ("nw_dst=198.51.100.0/24", format!("router edge ({}): extra route", routed.router)),
        (
            "nw_dst=10.2.0.0/24",
            format!(
                "interface 10.2.0.1 of router edge ({}) of network net2: route to the interface's subnet",
                routed.router
            ),
        ),
        ("output:", format!("port vm ({}) of network net1: delivery to the VIF", vm.guest().port)),
    ];
    for text in [&live, &explained] {
        for (flow, owner) in &expected {
            // A flow is on one line, and its owner on the next.
            let lines: Vec<_> = text.lines().collect();
            let named = lines.windows(2).any(|pair| pair[0].contains(flow) && pair[1].trim() == format!("# {owner}"));
            let of_owner: Vec<_> = lines.windows(2).filter(|pair| pair[1].contains(owner.as_str())).collect();
            assert!(named, "no {flow} of {owner}: {of_owner:#?}");
        }
    }
    let unowned = live.lines().filter(|line| line.contains("gone") || line.contains("foreign flow")).count();
    assert_eq!(unowned, 0, "{live}");
    Ok(())
}
