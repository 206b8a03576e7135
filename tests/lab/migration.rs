//! A port that moves to another hypervisor.

use serde_json::json;
use weir::cli::lab::Guest;

use super::switch::{BRIDGES, tables, wait_tables};
use super::world::{Tested, World};

#[test]
fn a_moved_port_is_reached_at_its_new_place_and_leaves_nothing_at_the_old() -> Tested {
    let mut world = World::new(3)?;
    let tenant = world.tenant(1)?;
    let near = world.boot(&tenant, "near", "h2", 11)?;
    let far = world.boot(&tenant, "far", "h3", 12)?;
    let old = world.lab.host("h1")?.clone();
    let untouched = BRIDGES.map(|bridge| tables(&old, bridge));

    let vm = world.boot(&tenant, "mover", "h1", 13)?;
    let port = vm.guest().port.clone();
    world.wait_reach(&near, &vm)?;
    for (bridge, before) in BRIDGES.iter().zip(&untouched) {
        assert_ne!(Some(&tables(&old, bridge)?), before.as_ref().ok(), "{bridge} has flows for the port");
    }

    world.api.update("ports", &port, json!({"binding:host_id": "h2"}))?;
    world.wait_status(&port, "DOWN")?;
    world.lab.shut("mover")?;
    let vm = world.lab.boot("mover", "h2", Guest::of_port(&world.api, &port)?)?;
    world.wait_status(&port, "ACTIVE")?;
    for peer in [&near, &far] {
        world.wait_reach(peer, &vm)?;
        world.wait_reach(&vm, peer)?;
    }
    for (bridge, before) in BRIDGES.iter().zip(untouched) {
        wait_tables(&world, &old, bridge, &before?)?;
    }
    Ok(())
}
