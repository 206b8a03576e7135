//! The page that a monitoring system reads.

use super::{Counts, Hypervisors, Queues};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use std::sync::Arc;

/// Where the text form of OpenMetrics 1.0 is named (section 7 of its specification).
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything that is told.
#[derive(Debug)]
pub struct Page(Registry);

impl Page {
    /// A page of what happened, of the queues, the hypervisors and the questions of VMs.
    pub fn new(counts: &Counts, queues: Queues, hypervisors: Hypervisors, vms: impl Collector) -> Self {
        let mut registry = Registry::with_prefix("weir");
        counts.register(&mut registry);
        registry.register_collector(Box::new(queues));
        registry.register_collector(Box::new(hypervisors));
        registry.register_collector(Box::new(vms));
        Self(registry)
    }

    /// Adds what something else tells.
    #[must_use]
    pub fn with(mut self, told: impl Collector) -> Self {
        self.0.register_collector(Box::new(told));
        self
    }

    /// The page as text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.0).expect("a string takes everything");
        text
    }
}

/// Serves the page as `/metrics`.
pub fn router(page: Page) -> Router {
    let page = Arc::new(page);
    let tell = move || {
        let page = Arc::clone(&page);
        async move { read(&page) }
    };
    Router::new().route("/metrics", get(tell))
}

fn read(page: &Page) -> Response {
    ([(CONTENT_TYPE, OPEN_METRICS)], page.text()).into_response()
}

#[cfg(test)]
mod tests {
    use super::super::{Admissions, LostLines, VmQuestions};
    use super::*;
    use crate::api::{
        Admission, AdmissionLimits, AnswerReport, HostReport, LinkState, PortProgress, Progress, SwitchReport,
    };
    use std::time::Duration;
    use weir_model::{HostName, Liveness, PortId};

    struct OneHost;

    impl Progress for OneHost {
        fn port(&self, _: PortId) -> PortProgress {
            PortProgress::default()
        }

        fn hosts(&self) -> Vec<HostReport> {
            let switch = |bridge: &str, acknowledged| SwitchReport {
                bridge: bridge.to_owned(),
                openflow: LinkState::Up,
                wanted_revision: 12,
                acknowledged_revision: acknowledged,
                flows: 90,
                compared_at: (bridge == "br-int").then_some(1_700_000_000),
                last_error: None,
            };
            vec![HostReport {
                name: HostName::from("h\"1"),
                system_id: "h1".to_owned(),
                encap_ip: None,
                liveness: Liveness::Alive,
                ovsdb: LinkState::Up,
                switches: vec![switch("br-int", 12), switch("br-tun", 9)],
                answers: AnswerReport::default(),
                last_error: None,
                since: 1,
            }]
        }
    }

    #[test]
    fn the_page_tells_what_happened_and_how_things_are() {
        let counts = Counts::default();
        counts.built(7);
        counts.gave(40);
        counts.gave(2);
        counts.committed(Duration::from_millis(3), false);
        counts.caught_up(Duration::from_millis(10));
        let queues = Queues::default().with("events", || 5);
        let vms = VmQuestions(|| AnswerReport { limited: 3, announced: 2, ..AnswerReport::default() });
        let page = Page::new(&counts, queues, Hypervisors(Arc::new(OneHost)), vms).with(LostLines(|| 4));
        let text = page.with(Admissions(Arc::new(Admission::new(AdmissionLimits::default())))).text();
        for line in [
            "weir_units_rebuilt_total 7",
            "weir_edits_total 42",
            "weir_refusals_total 0",
            "weir_store_failures_total 1",
            "weir_store_commit_seconds_count 1",
            "weir_switch_behind_seconds_bucket{le=\"0.016\"} 1",
            "weir_switch_behind_seconds_bucket{le=\"0.008\"} 0",
            "weir_waiting_events 5",
            "weir_hypervisors{state=\"alive\"} 1",
            "weir_sessions{protocol=\"openflow\",state=\"up\"} 2",
            "weir_switch_lag_revisions{host=\"h\\\"1\",bridge=\"br-tun\"} 3",
            "weir_switch_flows{host=\"h\\\"1\",bridge=\"br-int\"} 90",
            "weir_switch_compared_timestamp_seconds{host=\"h\\\"1\",bridge=\"br-int\"} 1700000000",
            "weir_packet_ins_total{outcome=\"not answered\",what=\"the port asks too often\"} 3",
            "weir_packet_outs_total{kind=\"announcement\"} 2",
            "weir_log_lines_lost_total 4",
            "weir_api_requests 0",
            "weir_api_hung_up_total 0",
            "weir_api_turned_away_total{reason=\"too many commands\"} 0",
        ] {
            assert!(text.lines().any(|told| told == line), "{line}\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
