//! What the log lost.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;

/// Reads how many lines of the log were lost.
pub struct LostLines<F>(pub F);

impl<F> fmt::Debug for LostLines<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LostLines").finish_non_exhaustive()
    }
}

impl<F: Fn() -> u64 + Send + Sync + 'static> Collector for LostLines<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counter = ConstCounter::new((self.0)());
        let help = "Lines of the log that were lost because it is read too slowly";
        counter.encode(encoder.encode_descriptor("log_lines_lost", help, None, counter.metric_type())?)
    }
}
