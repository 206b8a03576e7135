//! What a port's connections leave behind when it goes.

use serde_json::{Value, json};
use weir::cli::lab::Vm;

use super::super::conversation::Exchange;
use super::super::routing::Routed;
use super::super::world::{Failure, Tested, World, address};
use super::{allow, connections_of, group, soon};

/// The first port of the peers, which all listen to the one that goes.
const PORT: u16 = 4000;

/// Lets a VM begin to talk to peers that answer, and returns both ends.
fn begin(vm: &Vm, peers: &[Vm]) -> Result<Vec<Exchange>, Failure> {
    let mut exchanges = Vec::new();
    for ipv6 in [false, true] {
        for (port, peer) in (PORT..).zip(peers) {
            let mut exchange = Exchange::open(vm, peer, port, ipv6)?;
            if !exchange.asks()? || !exchange.answers()? {
                return Err(format!("{} and {} do not talk, ipv6 {ipv6}", vm.name(), peer.name()).into());
            }
            exchanges.push(exchange);
        }
    }
    Ok(exchanges)
}

/// A port that takes over the addresses of one that is gone does not hear what the latter had asked for.
#[test]
fn the_next_port_with_the_addresses_inherits_no_connection() -> Tested {
    let mut world = World::new(2)?;
    let routed = Routed::new(&world, 2)?;
    let peers = group(&routed.api, "peers")?;
    let open = |ethertype: &str| json!({"ethertype": ethertype, "protocol": "udp"});
    for ethertype in ["IPv4", "IPv6"] {
        allow(&routed.api, &peers, open(ethertype))?;
    }
    let their = json!({"security_groups": [peers]});
    let mut all = Vec::new();
    for (name, host, number) in [("near", "h1", 1), ("far", "h2", 1), ("beside", "h1", 2), ("away", "h2", 2)] {
        all.push(routed.boot_with(&mut world, name, host, (number, 21 + all.len() as u8), their.clone())?);
    }
    let closed = json!({"security_groups": [group(&routed.api, "closed")?]});
    let mut vm = routed.boot_with(&mut world, "vm", "h1", (1, 11), closed.clone())?;
    // Once where it was, and once on the other hypervisor, whose ports have talked to it too.
    for host in ["h1", "h2"] {
        let mut exchanges = begin(&vm, &all)?;
        let left = vm.host().to_owned();
        world.api.delete("ports", &vm.guest().port)?;
        world.lab.shut("vm")?;
        for ipv6 in [false, true] {
            soon(&world, "connections forgotten", || {
                Ok(connections_of(&world, &left, address(&vm, ipv6)?)?.is_empty())
            })?;
        }
        let same: Value = json!({"mac_address": vm.guest().mac});
        let mut attributes = closed.clone();
        if let (Value::Object(attributes), Value::Object(same)) = (&mut attributes, same) {
            attributes.extend(same);
        }
        vm = routed.boot_with(&mut world, "vm", host, (1, 11), attributes)?;
        let heard: Vec<bool> = std::thread::scope(|scope| {
            let tries: Vec<_> = exchanges.iter_mut().map(|exchange| scope.spawn(|| exchange.taken_over(&vm))).collect();
            tries
                .into_iter()
                .map(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                .collect::<Result<_, _>>()
        })?;
        assert_eq!(heard, [false; 8], "who is heard by the port that came after {left} on {host}");
    }
    Ok(())
}
