//! Where the controller posts how far the hypervisors are, for others to read without asking it.

use super::core::Controller;
use super::host::{Host, SwitchLink};
use crate::api::{AnswerReport, HostReport, LinkState, PortProgress, SwitchReport};
use arc_swap::ArcSwap;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;
use weir_compile::Bridge;
use weir_model::{HostName, Liveness, PortId, Timestamp};

/// Where the controller posts how far the hypervisors are.
#[derive(Clone, Debug, Default)]
pub struct Board {
    posted: Arc<ArcSwap<Posted>>,
}

/// What is posted.
#[derive(Debug, Default)]
pub struct Posted {
    hosts: Vec<HostReport>,
    waiting: BTreeMap<PortId, Arc<[HostName]>>,
}

impl Posted {
    /// Adds what the VMs of each hypervisor were answered.
    pub fn put_answers(&mut self, of: impl Fn(&HostName) -> AnswerReport) {
        for host in &mut self.hosts {
            host.answers = of(&host.name);
        }
    }
}

impl Board {
    /// Posts in place of what was posted before.
    pub fn post(&self, posted: Posted) {
        self.posted.store(Arc::new(posted));
    }
}

impl crate::api::Progress for Board {
    fn port(&self, port: PortId) -> PortProgress {
        let waiting_for = self.posted.load().waiting.get(&port).map(|hosts| hosts.to_vec()).unwrap_or_default();
        PortProgress { waiting_for }
    }

    fn hosts(&self) -> Vec<HostReport> {
        self.posted.load().hosts.clone()
    }
}

impl Controller {
    /// How far the hypervisors are.
    pub fn report(&self, now: Instant) -> Posted {
        Posted {
            hosts: self.hosts.values().map(|host| self.report_host(host, now)).collect(),
            waiting: self
                .progress
                .waiting()
                .flat_map(|(network, since, ports)| {
                    let hosts: Arc<[HostName]> = self.waited_for(network, since).collect();
                    ports.iter().map(move |port| (*port, Arc::clone(&hosts)))
                })
                .collect(),
        }
    }

    fn report_host(&self, host: &Host, now: Instant) -> HostReport {
        let stored = self.topology.hypervisor(&host.name);
        let fact = host.fact.as_ref();
        HostReport {
            name: host.name.clone(),
            system_id: fact
                .and_then(|fact| fact.system_id.clone())
                .or_else(|| stored.map(|stored| stored.system_id.clone()))
                .unwrap_or_default(),
            encap_ip: fact.and_then(|fact| fact.encap_ip).or_else(|| stored.map(|stored| stored.encap_ip)),
            liveness: if host.is_connected() { Liveness::Alive } else { Liveness::Gone },
            ovsdb: if host.database.is_some() { LinkState::Up } else { LinkState::Down },
            switches: Bridge::ALL.map(|bridge| report_switch(bridge, host.switch(bridge))).into(),
            answers: AnswerReport::default(),
            last_error: host.refusal.clone().or_else(|| host.problems.first().cloned()),
            since: now.duration_since(host.away_since.unwrap_or(host.since)).as_secs(),
        }
    }
}

fn report_switch(bridge: Bridge, link: &SwitchLink) -> SwitchReport {
    SwitchReport {
        bridge: bridge.name().to_owned(),
        openflow: match (&link.connection, link.acknowledged) {
            (None, _) => LinkState::Down,
            (Some(_), None) => LinkState::Synchronizing,
            (Some(_), Some(_)) => LinkState::Up,
        },
        wanted_revision: link.wanted.0,
        acknowledged_revision: link.acknowledged.unwrap_or_default().0,
        flows: link.flows,
        compared_at: link.compared_at.map(Timestamp::seconds),
        last_error: link.last_error.clone(),
    }
}
