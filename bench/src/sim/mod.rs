//! Many simulated hypervisors against a real controller process: real connections, real OpenFlow and OVSDB.
//!
//! ```text
//!  weir serve <- OVSDB ---- Database \
//!             <- OpenFlow - Agent     > Hypervisor, a thousand of them in this process
//!             <- OpenFlow - Agent    /
//!             <- REST ----- Caller, load
//! ```
//!
//! A switch holds numbers of flows, whose bytes are kept once for all of them.

mod agent;
mod book;
mod caller;
mod cloud;
mod controller;
mod counts;
mod course;
mod database;
mod entry;
mod fault;
mod flood;
mod hash;
mod hypervisor;
mod link;
mod load;
mod measurement;
mod monitor;
mod progress;
mod tables;
mod world;

#[cfg(test)]
mod tests;

pub use caller::Caller;
pub use controller::{Controller, Usage};

use cloud::Cloud;
use measurement::Measurements;
use std::path::PathBuf;
use std::time::Duration;
use world::World;

use crate::Failure;

/// Measures a controller with simulated hypervisors.
#[derive(Debug, clap::Parser)]
pub struct Arguments {
    /// How many hypervisors, with 100 ports each
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100])]
    hosts: Vec<usize>,
    /// A cloud described in JSON, in place of --hosts
    #[arg(long, conflicts_with = "hosts")]
    cloud: Option<PathBuf>,
    /// What is measured besides the cold start
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Part::DEFAULT)]
    parts: Vec<Part>,
    /// How many single ports are created
    #[arg(long, default_value_t = 200)]
    runs: usize,
    /// How many seconds are watched in which nothing happens
    #[arg(long, default_value_t = 60)]
    idle: u64,
    /// Seconds between two comparisons of a switch (`audit_interval_s`)
    #[arg(long, default_value_t = 60)]
    audit: u64,
    /// How many hypervisors are slow or lose what they say, in the parts that are about that
    #[arg(long, default_value_t = 2)]
    faulty: usize,
    /// Where the controller keeps its state: a directory on a disk
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// The executable [default: beside this one]
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A part of what is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// The controller is killed and started again
    Restart,
    /// All OpenFlow connections are cut
    Reconnect,
    /// One port after the other
    Port,
    /// A network of 1,000 ports, a rule, a router interface, lists
    Large,
    /// One more hypervisor
    Join,
    /// Nothing
    Idle,
    /// Hypervisors lose what they say (not by default)
    Mute,
    /// Connections are cut again and again (not by default)
    Storm,
    /// Clients ask the API as much as they can (not by default)
    Flood,
    /// Hypervisors read slowly from now on: the last part (not by default)
    Slow,
}

impl Part {
    const DEFAULT: [Self; 6] = [Self::Restart, Self::Reconnect, Self::Port, Self::Large, Self::Join, Self::Idle];
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        use clap::ValueEnum as _;
        self.to_possible_value().map_or(Ok(()), |value| f.write_str(value.get_name()))
    }
}

/// Measures, and prints what came out.
///
/// # Errors
/// The controller or a hypervisor fails, or something takes too long.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let program = match &arguments.weir {
        Some(program) => program.clone(),
        None => std::env::current_exe()?.with_file_name("weir"),
    };
    allow_sockets()?;
    let clouds = match &arguments.cloud {
        Some(path) => vec![Cloud::read(path)?],
        None => arguments.hosts.iter().map(|hosts| Cloud::of_hosts(*hosts)).collect(),
    };
    let mut measurements = Measurements::new();
    for cloud in clouds {
        if let Err(error) = measure(cloud, &program, &arguments, &mut measurements) {
            // What was measured until then is worth telling.
            measurements.print(arguments.json);
            return Err(error);
        }
    }
    measurements.print(arguments.json);
    Ok(())
}

fn measure(
    cloud: Cloud,
    program: &std::path::Path,
    arguments: &Arguments,
    measurements: &mut Measurements,
) -> Result<(), Failure> {
    let data = tempfile::Builder::new().prefix("weir-bench-sim").tempdir_in(&arguments.directory)?;
    let controller = Controller::start(program.to_owned(), data.path(), arguments.audit)?;
    let mut world = World::new(cloud, controller)?;
    world.load(measurements)?;
    world.cold_start(measurements)?;
    let faulty = arguments.faulty.clamp(1, world.cloud.hosts);
    for part in &arguments.parts {
        match part {
            Part::Restart => world.restart(measurements)?,
            Part::Reconnect => world.reconnect(measurements)?,
            Part::Port => world.one_port("", arguments.runs.max(1), measurements)?,
            Part::Large => world.large_network(measurements)?,
            Part::Join => world.join(measurements)?,
            Part::Mute => world.mute(faulty, measurements)?,
            Part::Flood => world.flood(arguments.runs.max(1), measurements)?,
            Part::Storm => world.storm(measurements)?,
            Part::Slow => world.slow_down(faulty, measurements)?,
            Part::Idle => world.idle(Duration::from_secs(arguments.idle), measurements)?,
        }
    }
    Ok(())
}

/// Every hypervisor has three sockets, and the controller, which inherits this, has as many.
fn allow_sockets() -> Result<(), Failure> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok(())
}
