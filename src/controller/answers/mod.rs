//! Answers to the VMs of a switch, on the task of its connection, from the topology that is published.

mod advertiser;
mod announcer;
mod counters;
mod limiter;
mod question;
mod sayings;
mod schedule;
#[cfg(test)]
mod tests;

pub use counters::AnswerCounts;

use crate::link::openflow::{Answerer, Answerers};
use advertiser::{Advertiser, Station};
use announcer::Announcer;
use arc_swap::ArcSwap;
use bytes::Bytes;
use counters::{Counters, Tally};
use limiter::Limiter;
use sayings::Sayings;
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_answer::Settings;
use weir_model::{HostName, Hypervisor, PortKey, Revision, Topology};
use weir_openflow::message::{PacketIn, PacketOut};
use weir_openflow::{Action, Match, PortNo};

/// How often a switch's routers look whether the topology has changed.
const LOOK: Duration = Duration::from_secs(1);

/// What the answers of all switches share.
#[derive(Clone, Debug)]
pub struct Answers {
    snapshot: Arc<ArcSwap<Topology>>,
    settings: Arc<Settings>,
    tally: Arc<Tally>,
    sayings: Arc<Sayings>,
}

impl Answers {
    /// Answers from the topology that is in `snapshot` when a question comes.
    pub fn new(snapshot: Arc<ArcSwap<Topology>>, settings: Settings) -> Self {
        Self { snapshot, settings: Arc::new(settings), tally: Arc::default(), sayings: Arc::default() }
    }

    /// What has been answered so far, and what not.
    pub fn counts(&self) -> AnswerCounts {
        self.tally.total()
    }

    /// The same of one hypervisor's VMs.
    pub fn counts_of(&self, host: &HostName) -> AnswerCounts {
        self.tally.counts_of(host)
    }

    /// Makes the answerers of connections.
    pub fn answerers(&self) -> Answerers {
        let answers = self.clone();
        Arc::new(move || Box::new(answers.of_switch()))
    }

    fn of_switch(&self) -> SwitchAnswers {
        SwitchAnswers {
            answers: self.clone(),
            counters: self.tally.strangers(),
            datapath: None,
            host: None,
            looked: None,
            look_at: None,
            limiter: Limiter::default(),
            advertiser: Advertiser::default(),
            announcer: Announcer::default(),
            outgoing: VecDeque::new(),
        }
    }
}

/// The answers to the VMs of one switch.
#[derive(Debug)]
struct SwitchAnswers {
    answers: Answers,
    /// Those of its hypervisor, as soon as that is known.
    counters: Arc<Counters>,
    datapath: Option<u64>,
    /// The hypervisor that the switch was of when it was looked for last.
    host: Option<HostName>,
    /// The topology that the routers' advertisements are made of.
    looked: Option<Revision>,
    look_at: Option<Instant>,
    limiter: Limiter,
    advertiser: Advertiser,
    announcer: Announcer,
    outgoing: VecDeque<PacketOut>,
}

impl Answerer for SwitchAnswers {
    fn ready(&mut self, now: Instant, datapath: u64) {
        self.datapath = Some(datapath);
        self.look_at = Some(now);
    }

    fn packet_in(&mut self, now: Instant, packet: &PacketIn) {
        let Some(asked) = question::read(packet) else { return self.counters.unreadable() };
        if !self.limiter.admit(now, asked.asker, asked.question.is_error()) {
            return self.counters.limited();
        }
        let topology = self.answers.snapshot.load_full();
        if !self.is_here(&topology, asked.asker) {
            return self.counters.foreign();
        }
        match weir_answer::answer(&topology, asked.asker, asked.question, &packet.packet, &self.answers.settings) {
            Ok(answer) => {
                self.counters.answered(asked.question);
                self.limiter.charge(asked.asker, asked.question.is_error(), answer.frames.len());
                for omission in &answer.omitted {
                    tracing::debug!(port = asked.asker.0, "left out of an answer: {omission}");
                }
                self.outgoing.extend(answer.frames.into_iter().map(|frame| packet_out(asked.port, frame)));
            }
            Err(silence) => self.counters.silent(silence),
        }
    }

    fn handle_timeout(&mut self, now: Instant) {
        if self.look_at.is_some_and(|due| due <= now) {
            self.look(now);
        }
        while let Some((port, frames)) = self.advertiser.poll(now) {
            self.counters.advertised(frames.len());
            self.outgoing.extend(frames.into_iter().map(|frame| packet_out(port, frame)));
        }
        while let Some((port, frames)) = self.announcer.poll(now) {
            self.counters.announced(frames.len());
            self.outgoing.extend(frames.into_iter().map(|frame| packet_out(port, frame)));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let told = self.advertiser.poll_timeout().into_iter().chain(self.announcer.poll_timeout());
        told.chain(self.look_at).min()
    }

    fn poll_transmit(&mut self) -> Option<PacketOut> {
        self.outgoing.pop_front()
    }

    fn dropped(&mut self) {
        self.counters.dropped();
    }
}

impl SwitchAnswers {
    /// Whether a port is bound to the hypervisor of this switch: no switch speaks for another's VMs.
    fn is_here(&mut self, topology: &Topology, asker: PortKey) -> bool {
        let host = topology.port_by_key(asker).and_then(|port| topology.bound_host(port));
        let here = host
            .filter(|host| host.integration_datapath.is_some() && host.integration_datapath == self.datapath)
            .map(|host| &host.name);
        if here.is_some() && here != self.host.as_ref() {
            self.belong(here.cloned(), topology);
        }
        here.is_some()
    }

    /// Takes note of whose switch it is.
    fn belong(&mut self, host: Option<HostName>, topology: &Topology) {
        self.counters = match &host {
            Some(host) => self.answers.tally.of(host, topology),
            None => self.answers.tally.strangers(),
        };
        self.host = host;
    }

    /// Looks what routers have to say to whom, if the topology has changed.
    fn look(&mut self, now: Instant) {
        let topology = self.answers.sayings.topology(now, || self.answers.snapshot.load_full());
        self.look_at = Some(now + LOOK);
        if self.looked.replace(topology.revision()) == Some(topology.revision()) {
            return;
        }
        let is_it = |host: &&Arc<Hypervisor>| {
            self.datapath.is_some() && [host.integration_datapath, host.tunnel_datapath].contains(&self.datapath)
        };
        let known = self.host.as_ref().and_then(|name| topology.hypervisor(name)).filter(is_it);
        let host = known.or_else(|| topology.hypervisors().find(is_it));
        self.belong(host.map(|host| host.name.clone()), &topology);
        if host.is_some_and(|host| host.tunnel_datapath == self.datapath) {
            // No VM is plugged into this bridge, now or ever.
            self.look_at = None;
            return;
        }
        let mut advertised = BTreeMap::new();
        let mut announced = BTreeMap::new();
        let mut stations = BTreeMap::new();
        for vif in self.host.iter().flat_map(|host| topology.vifs_on(host)) {
            let Some(port) = topology.port(vif.port).filter(|port| port.admin_state_up) else { continue };
            let Some(network) = topology.network(port.network_id).filter(|network| network.admin_state_up) else {
                continue;
            };
            if vif.ofport == 0 || topology.bound_host(port).is_none_or(|host| host.name != vif.host) {
                continue;
            }
            if let Entry::Vacant(of_network) = advertised.entry(network.id) {
                let said = self.answers.sayings.on(network, &topology, &self.answers.settings);
                of_network.insert(said.advertised);
                announced.insert(network.id, said.announced);
            }
            stations.insert(port.key, Station { port: PortNo(vif.ofport), network: network.id });
        }
        self.advertiser.learn(now, &stations, advertised);
        self.announcer.learn(now, &stations, &announced);
    }
}

/// Sends a frame out of a port, past all tables.
fn packet_out(port: PortNo, packet: Bytes) -> PacketOut {
    let actions = vec![Action::Output { port, max_len: 0 }];
    PacketOut { metadata: Match::new().in_port(PortNo::CONTROLLER), actions, packet }
}
