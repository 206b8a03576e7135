//! What packets cost on real Open vSwitch with its userspace datapath: Weir's network, the same one by its peers, and
//! switches without any policy, each on hypervisors of its own, taking turns.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;
use weir::cli::lab::{Interrupt, Lab};
use weir_bench::Failure;
use weir_bench::datapath::layout::{Course, Policy};
use weir_bench::datapath::measurement::{Effort, Sample, sample};
use weir_bench::datapath::site::Site;
use weir_bench::datapath::{floor, ml2, ovn, weir as own};
use weir_bench::report::{Report, number_cell};

/// Measures what packets cost on real Open vSwitch; needs root.
#[derive(Debug, Parser)]
struct Arguments {
    /// A network to hold Weir's against; it must be installed
    #[arg(long, value_enum, value_delimiter = ',')]
    peer: Vec<Peer>,
    /// What filters the traffic [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    groups: Vec<Policy>,
    /// Where the server is [default: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    traffic: Vec<Course>,
    /// How often everything is measured; the networks take turns
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// TCP connections opened one after the other
    #[arg(long, default_value_t = 1_000)]
    connections: usize,
    /// Seconds of each stream and each flood of datagrams
    #[arg(long, default_value_t = 1.0)]
    seconds: f64,
    /// One short run of everything, to see whether it works
    #[arg(long)]
    quick: bool,
    /// Leave the labs up to be looked at; `weir lab down --name NAME` removes one
    #[arg(long)]
    keep: bool,
    /// The executable [default: beside this one]
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A network to hold Weir's against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Peer {
    /// Open Virtual Network
    Ovn,
    /// The flows of Neutron's own Open vSwitch agent, within one network
    Ml2,
}

/// Both ends of every connection are files of this process.
const FILES: u64 = 16_384;

fn main() -> ExitCode {
    weir_bench::ended("datapath", measure(Arguments::parse()))
}

fn measure(mut arguments: Arguments) -> Result<(), Failure> {
    if arguments.quick {
        arguments = Arguments { runs: 1, connections: 50, seconds: 0.2, ..arguments };
    }
    if arguments.peer.contains(&Peer::Ovn) {
        ovn::check()?;
    }
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(FILES.min(hard)), hard)?;
    let effort = Effort {
        connections: arguments.connections,
        time: Duration::try_from_secs_f64(arguments.seconds).map_err(|error| format!("--seconds: {error}"))?,
    };
    let program = match arguments.weir {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("weir"),
    };

    let interrupt = Interrupt::on_signals()?;
    Lab::remove_abandoned()?;
    let mut sites = vec![own::build(program, &interrupt)?];
    if arguments.peer.contains(&Peer::Ovn) {
        sites.push(ovn::build(&interrupt)?);
    }
    if arguments.peer.contains(&Peer::Ml2) {
        sites.push(ml2::build(&interrupt)?);
    }
    sites.push(floor::build(&interrupt)?);

    let mut report = Report::new(TITLE, COLUMNS);
    for policy in Policy::ALL.into_iter().filter(|policy| is_wanted(&arguments.groups, policy)) {
        for course in Course::ALL.into_iter().filter(|course| is_wanted(&arguments.traffic, course)) {
            let mut samples: Vec<Vec<Sample>> = vec![Vec::new(); sites.len()];
            for _ in 0..arguments.runs.max(1) {
                for (site, samples) in sites.iter().zip(&mut samples) {
                    if let Some(ends) = site.ends(policy, course) {
                        samples.push(sample(site, ends, effort)?);
                    }
                }
            }
            eprintln!("measured: {}, {}", policy.name(), course.name());
            for (site, theirs) in sites.iter().zip(&samples).filter(|(_, samples)| !samples.is_empty()) {
                report.row(row(policy, course, site, theirs, &samples[0]));
            }
        }
    }
    for mut site in sites {
        if arguments.keep {
            site.lab.keep()?;
            eprintln!("kept: {}", site.lab.name());
        } else {
            site.lab.down()?;
        }
    }
    report.print(arguments.json);
    Ok(())
}

/// Whether something was asked for, by its name or by none at all.
fn is_wanted<T: PartialEq>(asked: &[T], one: &T) -> bool {
    asked.is_empty() || asked.contains(one)
}

const TITLE: &str = "datapath: medians; in the columns \"weir/it\" less is better for costs, more for rates";

const COLUMNS: [&str; 16] = [
    "groups",
    "traffic",
    "network",
    "recirculations",
    "megaflows",
    "masks",
    "upcalls",
    "us/connection",
    "us/upcall",
    "weir/it (us/upcall)",
    "Gbit/s",
    "weir/it (Gbit/s)",
    "kpackets/s",
    "weir/it (kpackets/s)",
    "user ns/packet",
    "weir/it (user ns/packet)",
];

/// A figure of a sample.
type Figure = fn(&Sample) -> f64;

/// The row of a site, held against Weir's.
fn row(policy: Policy, course: Course, site: &Site, theirs: &[Sample], weirs: &[Sample]) -> Vec<(String, Value)> {
    let text = |text: &str| (text.to_owned(), Value::from(text));
    let mut cells = vec![text(policy.name()), text(course.name()), text(site.name)];
    let counts: [Figure; 5] = [
        |sample| sample.recirculations,
        |sample| sample.megaflows,
        |sample| sample.masks,
        |sample| sample.upcalls,
        |sample| sample.connection_cost * 1e6,
    ];
    cells.extend(counts.iter().zip([1, 0, 0, 0, 0]).map(|(of, digits)| number_cell(middle(theirs, of), digits)));
    let compared: [(Figure, usize); 4] = [
        (|sample| sample.upcall_cost * 1e6, 0),
        (|sample| sample.throughput * 8.0 / 1e9, 2),
        (|sample| sample.packet_rate / 1e3, 0),
        (|sample| sample.packet_cost * 1e9, 0),
    ];
    for (of, digits) in compared {
        let figure = middle(theirs, of);
        cells.extend([number_cell(figure, digits), number_cell(middle(weirs, of) / figure, 2)]);
    }
    cells
}

/// The median of a figure.
fn middle(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut figures: Vec<f64> = samples.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
