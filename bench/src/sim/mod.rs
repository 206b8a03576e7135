//! Many hypervisors against a real controller process: real connections, real OpenFlow and OVSDB.
//!
//! ```text
//!  weir serve <- OVSDB ---- Database \
//!             <- OpenFlow - Agent     > Hypervisor, a thousand of them in this process
//!             <- OpenFlow - Agent    /
//!             <- REST ----- Caller, load
//! ```
//!
//! A simulated switch holds numbers of flows, whose bytes are kept once for all of them. So that one can tell what its
//! figures mean, real hypervisors can take the place of the simulated ones. Their OpenFlow passes a tap that counts it, and so
//! does that of the simulated ones they are held against:
//!
//! ```text
//!  weir serve <- OVSDB ----------- ovsdb-server \
//!             <- OpenFlow - Tap <- ovs-vswitchd  > Real
//! ```

mod agent;
mod book;
mod bundle;
mod caller;
mod client;
mod cloud;
mod controller;
mod counts;
mod course;
mod database;
mod entry;
mod fault;
mod flood;
mod groups;
mod hash;
mod held;
mod hypervisor;
mod input;
mod ledger;
mod link;
mod load;
mod measurement;
mod monitor;
mod progress;
mod real;
mod simulated;
mod site;
mod table;
mod tables;
mod tap;
mod usage;
mod watch;
mod wire;
mod world;

#[cfg(test)]
mod tests;

pub use caller::Caller;
pub use controller::Controller;
pub use usage::Usage;

use cloud::Cloud;
use held::Held;
use hypervisor::Kind;
use measurement::Measurements;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;
use weir::cli::lab::{Interrupt, open_vswitch};
use world::World;

use crate::Failure;

/// Measures a controller with simulated or real hypervisors.
#[derive(Debug, clap::Parser)]
pub struct Arguments {
    /// How many hypervisors, with 100 ports each
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100])]
    hosts: Vec<usize>,
    /// A cloud described in JSON, in place of --hosts
    #[arg(long, conflicts_with = "hosts")]
    cloud: Option<PathBuf>,
    /// What the hypervisors are; of several kinds each cloud is measured with all, one after the other, and the ratio is to
    /// the first
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = [Kind::Simulated])]
    switches: Vec<Kind>,
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
    /// Simulated hypervisors lose what they say (not by default)
    Mute,
    /// Connections are cut again and again (not by default)
    Storm,
    /// Clients ask the API as much as they can (not by default)
    Flood,
    /// Simulated hypervisors read slowly from now on: the last part (not by default)
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
    let tapped = arguments.switches.contains(&Kind::Real);
    if tapped {
        open_vswitch()?;
        if let Some(part) = arguments.parts.iter().find(|part| matches!(part, Part::Mute | Part::Slow)) {
            return Err(format!("--parts {part} is about simulated hypervisors, --switches names real ones").into());
        }
    }
    let interrupt = Interrupt::on_signals()?;
    let mut measurements = Measurements::new();
    let measured = clouds.iter().try_for_each(|cloud| {
        let mut first = None;
        arguments.switches.iter().try_for_each(|kind| {
            let advertise = if tapped { tap::ADDRESS } else { IpAddr::V4(Ipv4Addr::LOCALHOST) };
            let controller = Controller::start(program.clone(), &arguments.directory, arguments.audit, advertise)?;
            let world = World::new(cloud.clone(), controller, *kind, tapped, interrupt.clone())?;
            measure(world, &arguments, &mut first, &mut measurements)
        })
    });
    // What was measured until something failed is worth telling.
    measurements.print(arguments.json);
    measured
}

fn measure(
    mut world: World,
    arguments: &Arguments,
    first: &mut Option<Held>,
    measurements: &mut Measurements,
) -> Result<(), Failure> {
    world.load(measurements)?;
    world.cold_start(measurements)?;
    if arguments.switches.len() > 1 {
        let held = world.held()?;
        first.get_or_insert_with(|| held.clone()).compare(&held)?;
    }
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
