//! Restarts: of the controller without anybody noticing, of a switch with traffic soon again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{Hypervisor, Ping, Process};
use weir_compile::SEAL_TABLE;

use super::switch::{BRIDGES, FlowWatch, all_tables, durations};
use super::tools::metrics;
use super::world::{Failure, Tested, World, address, id};

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
    let ping = ping.stop()?;
    assert_eq!(ping.received, ping.sent, "{ping:?}");
    // Seals were trusted, and nothing was touched.
    let page = metrics(world.lab.controller()?.namespace())?;
    assert!(page.contains("weir_seals_trusted_total 4\n"), "{page}");
    for watch in watches {
        assert_eq!(watch.end()?, Vec::<String>::new());
    }
    assert_same_flows(&before, |_| true)?;
    let c = world.boot(&tenant, "c", "h2", 13)?;
    world.wait_reach(&a, &c)?;
    world.wait_reach(&b, &c)?;

    // The flows that were there before are the same ones still, but for the seal, which tells of the new port's.
    assert_same_flows(&before, |flow| !flow.contains(&format!("table={}", SEAL_TABLE.0)))?;
    world.lab.shut("c")?;
    world.api.delete("ports", &c.guest().port)?;
    world.wait("the tables as before", || {
        let seen = all_tables(&world)?;
        Ok(Look::when(seen == tables, format!("{seen:#?}")))
    })?;
    Ok(())
}

/// The flows that were there are there still, and none was written again.
fn assert_same_flows(before: &[(Hypervisor, &str, BTreeMap<String, f64>)], is_meant: impl Fn(&str) -> bool) -> Tested {
    for (host, bridge, before) in before {
        let after = durations(host, bridge)?;
        for (flow, duration) in before.iter().filter(|(flow, _)| is_meant(flow)) {
            let now = after.get(flow).ok_or_else(|| format!("{} {bridge}: gone: {flow}", host.name()))?;
            assert!(now > duration, "{} {bridge}: installed anew: {flow}", host.name());
        }
    }
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

/// A switch that restarts while there is no controller forwards nothing, for it has no flows and fails secure; it is
/// filled when the controller is back. What changed in between is right then too.
#[test]
fn a_switch_that_restarted_without_a_controller_is_filled_afterwards() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    let c = world.boot(&tenant, "c", "h2", 13)?;
    world.wait_reach(&a, &b)?;

    world.lab.kill_controller()?;
    let host = world.lab.host("h2")?.clone();
    host.restart_vswitchd()?;
    c.unplug(&host)?;
    assert!(!world.reaches(&a, &b, false)?, "fail_mode is secure");
    world.lab.start_controller()?;
    world.wait_reach(&a, &b)?;
    world.wait_status(&b.guest().port, "ACTIVE")?;
    world.wait_status(&c.guest().port, "DOWN")?;
    Ok(())
}

/// What the API has answered is there after the controller was killed while it was answering.
#[test]
fn nothing_that_was_answered_is_lost_by_a_kill() -> Tested {
    let mut world = World::new(1)?;
    let tenant = world.tenant(1)?;
    let mut answered: Vec<String> = Vec::new();
    for round in 0..3 {
        let enough = AtomicUsize::new(0);
        let created = std::thread::scope(|scope| -> Result<Vec<String>, Failure> {
            let callers: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        let body = json!({"network_id": tenant.network});
                        let mut ids = Vec::new();
                        // The first request that fails is the one that the kill cut off.
                        while let Ok(port) = tenant.api.create("ports", body.clone()) {
                            ids.push(id(&port));
                            enough.fetch_add(1, Ordering::Relaxed);
                        }
                        ids
                    })
                })
                .collect();
            let killed = world
                .wait("some ports", || {
                    let count = enough.load(Ordering::Relaxed);
                    Ok(Look::when(count >= 20, count))
                })
                .and_then(|()| world.lab.kill_controller());
            let ids: Vec<_> = callers
                .into_iter()
                .flat_map(|caller| caller.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect();
            killed?;
            Ok(ids)
        })?;
        assert!(created.len() >= 20, "round {round}: {}", created.len());
        answered.extend(created);
        world.lab.start_controller()?;
        let kept: BTreeSet<_> = world.api.list("ports", "?fields=id")?.iter().map(id).collect();
        let lost: Vec<_> = answered.iter().filter(|port| !kept.contains(*port)).collect();
        assert!(lost.is_empty(), "round {round}: lost {lost:?}");
    }
    // Addresses are not given twice either.
    let mut addresses = BTreeSet::new();
    for port in world.api.list("ports", "")? {
        for fixed_ip in port["fixed_ips"].as_array().map_or(&[][..], Vec::as_slice) {
            assert!(addresses.insert(fixed_ip["ip_address"].to_string()), "{} is given twice", fixed_ip["ip_address"]);
        }
    }
    Ok(())
}
