//! Ports created by the REST API, each durable on disk before its reply.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use weir_bench::Failure;
use weir_bench::report::{Report, count_cell, median, number_cell, time_cell, timed};
use weir_bench::sim::{Caller, Controller};

/// The project of everything.
const PROJECT: &str = "bench";

/// Seconds between two comparisons of a switch; there are none.
const AUDIT_S: u64 = 60;

/// Creates ports by the API of a controller of its own.
#[derive(Debug, Parser)]
struct Arguments {
    /// How many callers at once
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    callers: Vec<usize>,
    /// How many ports each number of callers creates in all
    #[arg(long, default_value_t = 4_000)]
    ports: usize,
    /// Where the controller keeps its state: a directory on the disk whose fsync is to be measured
    #[arg(long, default_value = ".")]
    directory: PathBuf,
    /// The executable [default: beside this one]
    #[arg(long)]
    weir: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let program = match arguments.weir {
        Some(program) => program,
        None => std::env::current_exe()?.with_file_name("weir"),
    };
    let mut report = Report::new(
        "api: POST /v2.0/ports, each reply after fsync",
        ["callers", "ports", "creates/s", "median reply", "99 % reply"],
    );
    for callers in arguments.callers {
        // A controller with an empty store for each, so that no row is slower for what an earlier one left.
        let loopback = Ipv4Addr::LOCALHOST.into();
        let controller = Controller::start(program.clone(), &arguments.directory, AUDIT_S, loopback)?;
        let caller = Caller::new(controller.api);
        let network = caller.create(PROJECT, "network", &json!({"name": "bench"}))?;
        let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/12"});
        caller.create(PROJECT, "subnet", &subnet)?;
        let body = json!({"network_id": network["id"], "binding:host_id": "h1"});

        let share = arguments.ports.div_ceil(callers);
        let (replies, time) = timed(|| {
            std::thread::scope(|scope| {
                let threads: Vec<_> = (0..callers)
                    .map(|_| {
                        scope.spawn(|| {
                            let caller = Caller::new(controller.api);
                            (0..share)
                                .map(|_| {
                                    let (created, time) = timed(|| caller.create(PROJECT, "port", &body));
                                    created.map(|_| time)
                                })
                                .collect::<Result<Vec<Duration>, Failure>>()
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect::<Result<Vec<_>, Failure>>()
            })
        });
        let mut replies = replies?.concat();
        let middle = median(&mut replies);
        report.row([
            count_cell(callers),
            count_cell(replies.len()),
            number_cell(replies.len() as f64 / time.as_secs_f64(), 0),
            time_cell(middle),
            time_cell(replies[replies.len() * 99 / 100]),
        ]);
    }
    report.print(arguments.json);
    Ok(())
}
