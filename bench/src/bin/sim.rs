//! A controller process with 10, 100 and 1,000 simulated hypervisors, or with a few real ones: cold start, restart, mass
//! reconnect, one port, a thousand ports, one rule, one router interface, one more hypervisor.

use clap::Parser as _;
use std::process::ExitCode;
use weir_bench::sim::{self, Arguments};

fn main() -> ExitCode {
    weir_bench::ended("sim", sim::run(Arguments::parse()))
}
