//! Two tenants with the same addresses on two hypervisors.

use std::time::Duration;

use weir::cli::lab::{Matrix, Outcome, Ping, Vm, echo_requests};

use super::switch::{BRIDGES, all_tables, wait_tables};
use super::world::{Tested, World, address, id};

fn same_tenant(from: &Vm, to: &Vm) -> bool {
    from.name().split('-').next() == to.name().split('-').next()
}

#[test]
fn tenants_with_the_same_addresses_never_meet() -> Tested {
    let mut world = World::new(2)?;
    let untouched = all_tables(&world)?;
    assert!(untouched.values().all(|lines| !lines.is_empty()), "the pipeline is there before the first port");

    let (red, blue) = (world.tenant(1)?, world.tenant(2)?);
    let vms = [
        world.boot(&red, "red-a", "h1", 11)?,
        world.boot(&red, "red-b", "h2", 12)?,
        world.boot(&red, "red-c", "h1", 13)?,
        world.boot(&blue, "blue-a", "h1", 11)?,
        world.boot(&blue, "blue-b", "h2", 12)?,
        world.boot(&blue, "blue-c", "h2", 23)?,
    ];
    let matrix = Matrix::probe(&vms, same_tenant, &world.interrupt)?;
    let mut reached = 0;
    for (probe, outcome) in &matrix.seen {
        let same = probe.from.split('-').next() == probe.to.split('-').next();
        match outcome {
            Outcome::Reached(_) if same => reached += 1,
            Outcome::Isolated if !same => {}
            _ => return Err(format!("{probe:?}: {outcome:?}").into()),
        }
    }
    assert_eq!((matrix.seen.len(), reached), (52, 24), "pairs asked, pairs of one tenant, both families");

    // Also when the own peer is gone: nobody answers, and above all not the other tenant's VM with that address.
    let [red_a, red_b, .., blue_b, _] = &vms;
    world.api.delete("ports", &red_b.guest().port)?;
    world.lab.shut("red-b")?;
    for ipv6 in [false, true] {
        let before = echo_requests(blue_b.namespace(), ipv6)?;
        let ping = Ping::send(red_a.namespace(), address(red_b, ipv6)?, 3, Duration::from_millis(50))?;
        assert_eq!((ping.sent, ping.received), (3, 0), "IPv6: {ipv6}");
        assert_eq!(echo_requests(blue_b.namespace(), ipv6)?, before, "IPv6: {ipv6}");
    }

    // Deleting everything leaves the tables as they were.
    for vm in vms.iter().filter(|vm| vm.name() != "red-b") {
        world.lab.shut(vm.name())?;
    }
    for collection in ["ports", "subnets", "networks"] {
        for resource in world.api.list(collection, "")? {
            world.api.delete(collection, &id(&resource))?;
        }
    }
    for host in &world.lab.state().hypervisors {
        for bridge in BRIDGES {
            wait_tables(&world, host, bridge, &untouched[&format!("{} {bridge}", host.name())])?;
        }
    }
    Ok(())
}
