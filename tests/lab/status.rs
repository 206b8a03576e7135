//! The status of a port follows its VIF and its host.

use std::time::Duration;

use nix::sys::signal::Signal;
use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Guest, MANAGEMENT, Ping};

use super::world::{Tested, World, address};

/// How long it may take until a peer that has fallen silent is given up: probes on both kinds of connection.
const SILENCE: Duration = Duration::from_secs(60);

#[test]
fn ports_go_down_and_up_with_their_vif_and_their_host() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let port = tenant.port("a", "h1", 11)?;
    assert_eq!(world.api.show("ports", &port)?["status"], "DOWN", "bound, but not plugged");
    let a = world.lab.boot("a", "h1", Guest::of_port(&world.api, &port)?)?;
    world.wait_status(&port, "ACTIVE")?;
    let b = world.boot(&tenant, "b", "h2", 12)?;

    let host = world.lab.host("h1")?.clone();
    a.unplug(&host)?;
    world.wait_status(&port, "DOWN")?;
    a.plug(&host)?;
    world.wait_status(&port, "ACTIVE")?;
    world.wait_reach(&b, &a)?;

    // A VIF on a host that the port is not bound to is no plug.
    let elsewhere = world.lab.host("h2")?;
    a.unplug(&host)?;
    world.wait_status(&port, "DOWN")?;
    elsewhere.vsctl([
        "add-port",
        "br-int",
        "stray",
        "--",
        "set",
        "Interface",
        "stray",
        "type=internal",
        &format!("external_ids:iface-id={port}"),
        "external_ids:iface-status=active",
    ])?;
    // The stray VIF has been seen when a later one on the same host is in place.
    let c = world.boot(&tenant, "c", "h2", 13)?;
    assert_eq!(world.api.show("ports", &port)?["status"], "DOWN");
    world.lab.host("h2")?.vsctl(["del-port", "br-int", "stray"])?;
    a.plug(&host)?;
    world.wait_status(&port, "ACTIVE")?;
    world.wait_reach(&c, &a)?;

    // A host that is gone takes its ports down after the grace period, and brings them back.
    for process in host.processes() {
        process.signal(Signal::SIGKILL)?;
    }
    world.wait_status(&port, "DOWN")?;
    assert_eq!(world.api.show("ports", &b.guest().port)?["status"], "ACTIVE", "its own host is there");
    host.start_daemons()?;
    world.wait_status(&port, "ACTIVE")?;
    world.wait_reach(&b, &a)?;
    Ok(())
}

/// A host that is cut off from the controller, its connections left half open, goes DOWN, while its VMs keep talking.
#[test]
fn a_host_that_falls_silent_goes_down_and_keeps_forwarding() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    world.wait_reach(&a, &b)?;

    let ping = Ping::begin(a.namespace(), address(&b, false)?, Duration::from_millis(10))?;
    let underlay = world.lab.state().underlay.clone();
    underlay.set_wire(MANAGEMENT, "h1", false)?;
    let port = &a.guest().port;
    wait::until("a silent host is given up", SILENCE, &world.interrupt, || {
        let shown = world.api.show("ports", port)?;
        Ok(Look::when(shown["status"] == "DOWN", &shown["status"]))
    })?;
    assert_eq!(world.api.show("ports", &b.guest().port)?["status"], "ACTIVE", "its own host is there");
    underlay.set_wire(MANAGEMENT, "h1", true)?;
    wait::until("the host is back", SILENCE, &world.interrupt, || {
        let shown = world.api.show("ports", port)?;
        Ok(Look::when(shown["status"] == "ACTIVE", &shown["status"]))
    })?;
    let ping = ping.stop()?;
    assert_eq!(ping.received, ping.sent, "{ping:?}");
    Ok(())
}
