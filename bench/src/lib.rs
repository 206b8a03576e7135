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

/// A failure of a benchmark, as text.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
