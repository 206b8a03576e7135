//! ARP and neighbour discovery: answered where they are asked.

use serde_json::json;
use weir::cli::lab::wait::Look;
use weir::cli::lab::{DEVICE, Guest, LabError, Namespace, Vm};

use super::world::{Tested, World, address};

/// A counter of the namespace's own kernel in `/proc/net/snmp6`.
fn counter(namespace: &Namespace, name: &str) -> Result<u64, LabError> {
    let text = namespace.tool("cat").arg("/proc/net/snmp6").run()?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(found, _)| *found == name)
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or_default())
}

/// The flags that `ip` shows for an address.
fn flags(vm: &Vm) -> Result<String, LabError> {
    let address = address(vm, true)?;
    let shown = vm.namespace().tool("ip").args(["-6", "address", "show", "dev", DEVICE]).run()?;
    Ok(shown.lines().find(|line| line.contains(&format!("{address}/"))).unwrap_or_default().to_owned())
}

/// Gives a VM its IPv6 address the way a guest does, with duplicate address detection.
fn detect_duplicates(world: &World, vm: &Vm) -> Result<String, LabError> {
    let address = address(vm, true)?;
    vm.namespace().ip([format!("link set {DEVICE} up"), format!("address add {address}/64 dev {DEVICE}")])?;
    world.wait("the end of duplicate address detection", || {
        let flags = flags(vm)?;
        let done = flags.contains("dadfailed") || !flags.contains("tentative");
        Ok(if done { Look::Holds(flags) } else { Look::not_yet(flags) })
    })
}

#[test]
fn solicitations_are_answered_by_the_switch_and_duplicates_detected() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let mut vms = Vec::new();
    for (name, host, last) in [("a", "h1", 11), ("b", "h2", 12)] {
        let port = tenant.port(name, host, last)?;
        let vm = world.lab.prepare(name, host, Guest::of_port(&world.api, &port)?)?;
        vm.plug(world.lab.host(host)?)?;
        world.wait_status(&port, "ACTIVE")?;
        let flags = detect_duplicates(&world, &vm)?;
        assert!(!flags.contains("dadfailed"), "its own address is no duplicate: {flags}");
        vms.push(vm);
    }
    let [a, b] = &vms[..] else { unreachable!("two VMs were made") };

    // The one asked for hears nothing of the question.
    let before = counter(b.namespace(), "Icmp6InNeighborSolicits")?;
    world.wait("an answer by IPv6", || Ok(Look::when(world.reaches(a, b, true)?, "")))?;
    let neighbour = a.namespace().tool("ip").args(["-6", "neighbour", "show", &address(b, true)?.to_string()]).run()?;
    assert!(neighbour.contains(&b.guest().mac), "{neighbour}");
    assert_eq!(counter(b.namespace(), "Icmp6InNeighborSolicits")?, before);

    // A third VM, allowed to lie, takes the address of the first.
    let port = tenant.port_with("thief", "h2", 13, json!({"port_security_enabled": false}))?;
    let mut guest = Guest::of_port(&world.api, &port)?;
    guest.addresses.clone_from(&a.guest().addresses);
    let thief = world.lab.prepare("thief", "h2", guest)?;
    thief.plug(world.lab.host("h2")?)?;
    world.wait_status(&port, "ACTIVE")?;
    let flags = detect_duplicates(&world, &thief)?;
    assert!(flags.contains("dadfailed"), "the address is taken: {flags}");
    Ok(())
}

#[test]
fn arp_is_answered_by_the_switch() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    // With its own ARP switched off, the VM asked for cannot answer: only the switch can.
    b.namespace().ip([
        format!("link set {DEVICE} arp off"),
        format!("neighbour replace {} lladdr {} dev {DEVICE}", address(&a, false)?, a.guest().mac),
    ])?;
    world.wait("an answer by IPv4", || Ok(Look::when(world.reaches(&a, &b, false)?, "")))?;
    Ok(())
}
