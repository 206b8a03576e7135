//! Flows that somebody changes by hand.

use super::switch::{BRIDGES, tables, wait_tables};
use super::world::{Tested, World};

#[test]
fn deleted_altered_and_foreign_flows_and_groups_are_repaired() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    let host = world.lab.host("h1")?;

    for bridge in BRIDGES {
        let right = tables(host, bridge)?;
        assert!(right.iter().any(|line| line.contains("group_id=")), "{bridge} has a group: {right:#?}");
        let wrong: [&[(&str, &str)]; 5] = [
            &[("del-flows", "")],
            &[("del-flows", "table=0")],
            &[("add-flow", "table=0,priority=65535,actions=drop"), ("add-flow", "table=77,cookie=5,actions=NORMAL")],
            &[("mod-flows", "actions=drop")],
            &[("del-groups", "")],
        ];
        for commands in wrong {
            for (command, argument) in commands {
                let arguments = if argument.is_empty() { &[][..] } else { &[*argument][..] };
                host.ofctl(command, bridge, arguments)?;
            }
            wait_tables(&world, host, bridge, &right)?;
        }
    }
    world.wait_reach(&a, &b)?;
    Ok(())
}
