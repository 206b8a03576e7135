//! Restarts: of the controller without anybody noticing, of a switch with traffic soon again.

use std::time::Duration;

use weir::cli::lab::{Ping, Process};

use super::switch::{BRIDGES, FlowWatch, all_tables, durations};
use super::world::{Tested, World, address};
use weir::cli::lab::wait::Look;

#[test]
fn a_killed_controller_comes_back_without_touching_a_flow() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    world.wait_reach(&a, &b)?;

    let tables = all_tables(&world)?;
    let mut before = Vec::new();
    let mut watches = Vec::new();
    for host in &world.lab.state().hypervisors {
        for bridge in BRIDGES {
            before.push((host.clone(), bridge, durations(host, bridge)?));
            watches.push(FlowWatch::begin(host, bridge)?);
        }
    }
    let ping = Ping::begin(a.namespace(), address(&b, false)?, Duration::from_millis(10))?;
    world.lab.kill_controller()?;
    world.lab.start_controller()?;
    world.lab.wait_in_step()?;
    // A new port needs every switch concerned to be in step again: what the controller had to say was said by then.
    let c = world.boot(&tenant, "c", "h2", 13)?;
    let ping = ping.stop()?;
    assert!(ping.sent > 50, "{ping:?}");
    assert_eq!(ping.received, ping.sent, "{ping:?}");
    world.wait_reach(&a, &c)?;
    world.wait_reach(&b, &c)?;

    // The flows that were there before are the same ones still: none was written again.
    for (host, bridge, before) in &before {
        let after = durations(host, bridge)?;
        for (flow, duration) in before {
            let now = after.get(flow).ok_or_else(|| format!("{} {bridge}: gone: {flow}", host.name()))?;
            assert!(now > duration, "{} {bridge}: installed anew: {flow}", host.name());
        }
    }
    // And what was changed at all is the new port's.
    for watch in watches {
        for change in watch.end()? {
            assert!(change.starts_with("event=ADDED"), "{change}");
        }
    }
    world.lab.shut("c")?;
    world.api.delete("ports", &c.guest().port)?;
    world.wait("the tables as before", || {
        let seen = all_tables(&world)?;
        Ok(Look::when(seen == tables, format!("{seen:#?}")))
    })?;
    Ok(())
}

#[test]
fn a_restarted_switch_carries_traffic_again() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    world.wait_reach(&a, &b)?;
    let tables = all_tables(&world)?;
    let controller = world.lab.controller()?.process();

    let host = world.lab.host("h2")?.clone();
    let old = host.vswitchd().map(Process::pid);
    host.restart_vswitchd()?;
    assert_ne!(host.vswitchd().map(Process::pid), old);
    world.wait_reach(&a, &b)?;
    world.wait_status(&b.guest().port, "ACTIVE")?;
    world.wait("the tables as before", || {
        let seen = all_tables(&world)?;
        Ok(Look::when(seen == tables, format!("{seen:#?}")))
    })?;
    assert_eq!(world.lab.controller()?.process(), controller);
    Ok(())
}
