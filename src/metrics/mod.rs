//! What a monitoring system asks: counters, gauges and latencies in the text form of Prometheus (OpenMetrics 1.0).
//!
//! [`Counts`] is written where things happen and costs an atomic addition each time. What is a state rather than an event,
//! such as how far a switch is behind, is read when it is asked for.

mod admissions;
mod counts;
mod hypervisors;
mod lines;
mod page;
mod queues;
mod vms;

pub use admissions::Admissions;
pub use counts::{Counts, count_requests};
pub use hypervisors::Hypervisors;
pub use lines::LostLines;
pub use page::{Page, router};
pub use queues::Queues;
pub use vms::VmQuestions;
