//! What the benchmarks share: a real switch to measure, a connection to it, and reports.

pub mod cloud;
pub mod connection;
pub mod datapath;
pub mod flows;
pub mod log;
pub mod openvswitch;
pub mod processor;
pub mod report;
pub mod sim;
pub mod switch;

use std::process::ExitCode;

/// A failure of a benchmark, as text.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How the benchmark of this name ends; what went wrong is told to people.
pub fn ended(name: &str, outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
