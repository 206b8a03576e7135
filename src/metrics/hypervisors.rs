//! How far the hypervisors are.

use crate::api::{HostReport, LinkState, Progress};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use std::fmt;
use std::sync::Arc;
use weir_model::Liveness;

/// Reads how far the hypervisors are from where the controller posts it.
pub struct Hypervisors(pub Arc<dyn Progress>);

impl fmt::Debug for Hypervisors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hypervisors").finish_non_exhaustive()
    }
}

/// A gauge with a line for each of some labels.
struct Lines(Vec<(Vec<(&'static str, String)>, u64)>);

impl EncodeMetric for Lines {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        for (labels, value) in &self.0 {
            encoder.encode_family(labels)?.encode_gauge(value)?;
        }
        Ok(())
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Gauge
    }
}

const fn word(state: LinkState) -> &'static str {
    match state {
        LinkState::Up => "up",
        LinkState::Synchronizing => "synchronizing",
        LinkState::Down => "down",
    }
}

/// How many hypervisors are in each state.
fn liveness(hosts: &[HostReport]) -> Lines {
    let of = |liveness| hosts.iter().filter(|host| host.liveness == liveness).count() as u64;
    let states = [("alive", Liveness::Alive), ("gone", Liveness::Gone)];
    Lines(states.map(|(word, liveness)| (vec![("state", word.to_owned())], of(liveness))).into())
}

/// How many sessions of each kind are in each state.
fn sessions(hosts: &[HostReport]) -> Lines {
    let mut lines = Vec::new();
    for state in [LinkState::Up, LinkState::Synchronizing, LinkState::Down] {
        let databases = hosts.iter().filter(|host| host.ovsdb == state).count();
        let switches = hosts.iter().flat_map(|host| &host.switches).filter(|switch| switch.openflow == state).count();
        for (protocol, count) in [("ovsdb", databases), ("openflow", switches)] {
            lines.push((vec![("protocol", protocol.to_owned()), ("state", word(state).to_owned())], count as u64));
        }
    }
    Lines(lines)
}

impl Collector for Hypervisors {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let hosts = self.0.hosts();
        let mut put = |name: &str, help: &str, lines: Lines| {
            lines.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        put("hypervisors", "Hypervisors, by whether all their sessions are up", liveness(&hosts))?;
        put("sessions", "Sessions of hypervisors, by protocol and state", sessions(&hosts))?;
        let (mut lag, mut flows, mut compared) = (Vec::new(), Vec::new(), Vec::new());
        for host in &hosts {
            for switch in &host.switches {
                let labels = vec![("host", host.name.to_string()), ("bridge", switch.bridge.clone())];
                let behind = switch.wanted_revision.saturating_sub(switch.acknowledged_revision);
                lag.push((labels.clone(), behind));
                compared.extend(switch.compared_at.map(|at| (labels.clone(), at)));
                flows.push((labels, switch.flows));
            }
        }
        put("switch_lag_revisions", "Revisions that a switch has yet to acknowledge", Lines(lag))?;
        put("switch_flows", "Flows that a switch says it holds", Lines(flows))?;
        let help = "When a switch was last read back and compared with what it should hold; none if it was not yet";
        put("switch_compared_timestamp_seconds", help, Lines(compared))
    }
}
