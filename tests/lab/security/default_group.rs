//! What ports have that nobody said anything about: egress, replies, and their own group.

use serde_json::json;
use weir::cli::lab::Vm;

use super::super::conversation::{Heard, Talk, talk};
use super::super::routing::Routed;
use super::super::world::{Failure, Tested, World};
use super::{expect, group};

/// Ways to talk, each with a port of its own, so that many can be tried at once.
fn ways(port: u16) -> [Talk; 3] {
    [Talk::Tcp(port), Talk::Udp(port), Talk::Ping]
}

/// Tries every way between pairs of VMs, by both versions of IP, and wants the same of all.
fn all(pairs: &[(&Vm, &Vm)], expected: Heard) -> Tested {
    // What nobody answers is waited for at once. Pings are counted by who gets them, one after the other.
    std::thread::scope(|scope| {
        let tries: Vec<_> = (6000..)
            .zip(pairs)
            .map(|(port, (from, to))| {
                scope.spawn(move || -> Result<(), Failure> {
                    for (ipv6, way) in [false, true].into_iter().flat_map(|ipv6| ways(port).map(|way| (ipv6, way))) {
                        let what = format!("{} to {}, {way:?}, ipv6 {ipv6}", from.name(), to.name());
                        expect(&what, || talk(way, from, to, ipv6), expected)?;
                    }
                    Ok(())
                })
            })
            .collect();
        tries.into_iter().try_for_each(|one| one.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

#[test]
fn strangers_stay_out_and_replies_come_in() -> Tested {
    let mut world = World::new(2)?;
    let routed = Routed::new(&world, 2)?;
    let vm = routed.boot(&mut world, "vm", "h1", 1, 11)?;
    let member = routed.boot(&mut world, "member", "h2", 2, 12)?;
    // Who is not protected takes everything and answers it: in the network and beyond the router, here and there.
    let unprotected = json!({"port_security_enabled": false});
    let mut open = Vec::new();
    for (name, host, number) in [("near", "h1", 1), ("far", "h2", 1), ("beside", "h1", 2), ("away", "h2", 2)] {
        open.push(routed.boot_with(&mut world, name, host, (number, 21 + open.len() as u8), unprotected.clone())?);
    }
    let others = json!({"security_groups": [group(&routed.api, "others")?]});
    let other = routed.boot_with(&mut world, "other", "h2", (1, 31), others)?;
    let bare = routed.boot_with(&mut world, "bare", "h1", (1, 32), json!({"security_groups": []}))?;

    all(&open.iter().map(|to| (&vm, to)).collect::<Vec<_>>(), Heard::Both)?;
    all(&[(&vm, &member), (&member, &vm), (&other, &open[0])], Heard::Both)?;
    let strangers = open.iter().chain([&other, &bare]);
    all(&strangers.map(|from| (from, &vm)).collect::<Vec<_>>(), Heard::Nothing)?;
    // Another group's ports have rules of their own, and a port without groups has none at all.
    all(&[(&vm, &other), (&vm, &bare), (&bare, &open[0]), (&open[1], &bare)], Heard::Nothing)
}
