//! The compiler.

use crate::change::{Change, cloud};
use crate::heap::settled;
use gungraun::library_benchmark;
use weir_compile::{Applied, Engine};
use weir_model::{Commit, Topology};

#[library_benchmark]
#[bench::of_1000_ports(settled(cloud().topology))]
pub(crate) fn load(topology: Topology) -> (Topology, Engine) {
    let engine = Engine::load(&topology);
    (topology, engine)
}

/// A commit and the engine that is yet to follow it.
pub(crate) struct Committed {
    engine: Engine,
    commit: Commit,
    old: Topology,
    new: Topology,
}

fn committed(Change { mut cloud, command }: Change) -> Committed {
    let engine = Engine::load(&cloud.topology);
    let old = cloud.topology.clone();
    let commit = cloud.command(command).expect("the model takes it");
    Committed { engine, commit, old, new: cloud.topology }
}

#[library_benchmark]
#[bench::port_created(settled(committed(Change::port_created())))]
#[bench::port_plugged(settled(committed(Change::port_plugged())))]
#[bench::rule_added(settled(committed(Change::rule_added())))]
#[bench::interface_added(settled(committed(Change::interface_added())))]
pub(crate) fn follow(mut committed: Committed) -> (Committed, Applied) {
    let Committed { engine, commit, old, new } = &mut committed;
    let applied = engine.apply(commit, old, new, |_| true);
    (committed, applied)
}
