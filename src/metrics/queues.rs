//! How much waits for the controller.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;

/// A queue's name and how many wait in it.
type Depth = (&'static str, Box<dyn Fn() -> usize + Send + Sync>);

/// Queues in front of the controller, all of them bounded.
#[derive(Default)]
pub struct Queues(Vec<Depth>);

impl fmt::Debug for Queues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

impl Queues {
    /// Adds a queue.
    #[must_use]
    pub fn with(mut self, name: &'static str, depth: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        self.0.push((name, Box::new(depth)));
        self
    }
}

impl Collector for Queues {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, depth) in &self.0 {
            let gauge = ConstGauge::new(u64::try_from(depth()).unwrap_or(u64::MAX));
            let help = format!("{name} that wait for the controller");
            let name = format!("waiting_{name}");
            gauge.encode(encoder.encode_descriptor(&name, &help, None, gauge.metric_type())?)?;
        }
        Ok(())
    }
}
