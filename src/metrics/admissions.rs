//! Who is let in by the API, and who is turned away.

use crate::api::{Admission, Busy};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

/// Reads what the API works on, and whom it turned away.
#[derive(Debug)]
pub struct Admissions(pub Arc<Admission>);

impl Collector for Admissions {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (name, help, count) in [
            ("api_connections", "Connections of the API", self.0.connections()),
            ("api_requests", "Requests that are worked on", self.0.requests()),
            ("api_waiting_lists", "Lists that wait to be put together", self.0.waiting_lists()),
            ("api_untaken_bytes", "Bytes of large answers that clients have yet to take", self.0.untaken_bytes()),
        ] {
            let gauge = ConstGauge::new(u64::try_from(count).unwrap_or(u64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        let counter = ConstCounter::new(self.0.hung_up());
        let help = "Connections without work that were closed because others needed their place";
        counter.encode(encoder.encode_descriptor("api_hung_up", help, None, counter.metric_type())?)?;
        let help = "Requests that were told to come back, by the reason";
        let mut family = encoder.encode_descriptor("api_turned_away", help, None, MetricType::Counter)?;
        for busy in Busy::ALL {
            let count = self.0.turned_away(busy);
            ConstCounter::new(count).encode(family.encode_family(&[("reason", busy.reason())])?)?;
        }
        Ok(())
    }
}
