//! Many VMs at once.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{Guest, Lease, Vm};

use super::super::world::{Failure, Tested, World, id};
use super::{Net, own};

/// VMs that boot at once.
const VMS: usize = 100;

/// How long all of them may take, from the first question to the last address.
const LIMIT: Duration = Duration::from_secs(15);

#[test]
fn a_hundred_vms_get_their_addresses_at_once() -> Tested {
    let start = Instant::now();
    let mut world = World::new(3)?;
    let net = Net::new(&world, json!({}), &[json!({"cidr": "10.0.0.0/24"}), json!({"cidr": "10.0.1.0/24"})])?;
    let wanted: Vec<_> = (0..VMS)
        .map(|number| {
            let subnet = &net.subnets[number % 2];
            json!({
                "name": format!("vm{number}"), "network_id": net.id, "binding:host_id": format!("h{}", number % 3 + 1),
                "device_owner": "compute:nova", "device_id": "vm", "fixed_ips": [{"subnet_id": subnet}],
            })
        })
        .collect();
    let made = net.api.request("POST", "/v2.0/ports", Some(&json!({"ports": wanted})))?;
    assert_eq!(made.status, 201, "{}", made.body);
    let ports: Vec<_> = made.body["ports"].as_array().map_or(&[][..], Vec::as_slice).iter().collect();
    let mut vms: Vec<Vm> = Vec::new();
    for (number, port) in ports.iter().enumerate() {
        let guest = Guest::of_port(&world.api, &id(port))?;
        vms.push(world.lab.boot_bare(&format!("vm{number}"), &format!("h{}", number % 3 + 1), guest)?);
    }
    let plugged = start.elapsed();
    world.wait("all ports ACTIVE", || {
        let ports = net.api.list("ports", "?status=DOWN&fields=id")?;
        Ok(Look::when(ports.is_empty(), ports.len()))
    })?;
    let active = start.elapsed();
    let directory = tempfile::tempdir()?;
    let leases = std::thread::scope(|scope| {
        let clients: Vec<_> =
            vms.iter().map(|vm| scope.spawn(|| Lease::ask(vm.namespace(), directory.path()))).collect();
        let leases = clients.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        leases.collect::<Result<Vec<_>, _>>()
    })?;
    let took = start.elapsed() - active;
    println!("{VMS} plugged in after {plugged:?}, ACTIVE after {active:?}; their leases took {took:?}");
    let mut addresses = BTreeSet::new();
    for (vm, lease) in vms.iter().zip(&leases) {
        let address = lease.address().ok_or_else(|| Failure::from(format!("{}: {lease:?}", vm.name())))?;
        assert_eq!(own(vm, false)?, address);
        assert!(addresses.insert(address));
    }
    assert_eq!(addresses.len(), VMS);
    assert!(took < LIMIT, "{took:?}");
    Ok(())
}
