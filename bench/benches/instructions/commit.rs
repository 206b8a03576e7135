//! Commands become commits.

use crate::change::Change;
use crate::heap::settled;
use gungraun::library_benchmark;
use weir_model::{Commit, Outcome, Rejection, Request, Timestamp, Topology};

/// What comes of a request.
type Done = Result<(Topology, Commit, Outcome), Rejection>;

fn asked(Change { cloud, command }: Change) -> (Topology, Request) {
    (cloud.topology, Request { command, at: Timestamp(0) })
}

#[library_benchmark]
#[bench::port_created(settled(asked(Change::port_created())))]
#[bench::port_plugged(settled(asked(Change::port_plugged())))]
pub(crate) fn transact((topology, request): (Topology, Request)) -> (Topology, Done) {
    let done = topology.transact(request);
    (topology, done)
}
