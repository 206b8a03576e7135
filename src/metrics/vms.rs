//! What VMs were answered.

use crate::api::AnswerReport;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use std::fmt;

/// Reads how many packets of VMs were answered, and why others were not.
pub struct VmQuestions<F>(pub F);

impl<F> fmt::Debug for VmQuestions<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VmQuestions").finish_non_exhaustive()
    }
}

impl<F: Fn() -> AnswerReport + Send + Sync + 'static> Collector for VmQuestions<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts = (self.0)();
        let help = "Packets that switches sent for VMs, by what came of them";
        let mut family = encoder.encode_descriptor("packet_ins", help, None, MetricType::Counter)?;
        let answered = counts.answered.iter().map(|(kind, count)| ("answered", kind.as_str(), *count));
        let silent = counts.silent.iter().map(|(reason, count)| ("not answered", reason.as_str(), *count));
        let others = [
            ("not answered", "the port asks too often", counts.limited),
            ("not answered", "the port is bound elsewhere", counts.foreign),
            ("not answered", "not readable", counts.unreadable),
            ("lost", "the switch was behind", counts.dropped),
        ];
        for (outcome, what, count) in answered.chain(silent).chain(others) {
            let labels = [("outcome", outcome), ("what", what)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)?;
        }
        let sent = [("advertisement", counts.advertised), ("announcement", counts.announced)];
        let help = "Packets that routers send unasked";
        let mut family = encoder.encode_descriptor("packet_outs", help, None, MetricType::Counter)?;
        for (kind, count) in sent {
            ConstCounter::new(count).encode(family.encode_family(&[("kind", kind)])?)?;
        }
        Ok(())
    }
}
