//! A controller process with 10, 100 and 1,000 simulated hypervisors: cold start, restart, mass reconnect, one port, a
//! thousand ports, one rule, one router interface, one more hypervisor.

use clap::Parser as _;
use weir_bench::Failure;
use weir_bench::sim::{self, Arguments};

fn main() -> Result<(), Failure> {
    sim::run(Arguments::parse())
}
