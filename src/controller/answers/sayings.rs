//! What routers say on networks, unasked, made once for all switches.

use bytes::Bytes;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use weir_answer::{Advertisement, Settings, advertisements, announcements};
use weir_model::{Network, NetworkId, Topology};

/// How old what is said may be. Every port has asked for itself when it came; this is for what changes afterwards.
const FRESH: Duration = Duration::from_millis(500);

/// What the routers of a network say on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) advertised: Arc<[Advertisement]>,
    pub(super) announced: Arc<BTreeSet<Bytes>>,
}

impl Said {
    fn on(network: &Network, topology: &Topology, settings: &Settings) -> Self {
        Self {
            advertised: advertisements(topology, network, settings).into(),
            announced: Arc::new(announcements(topology, network).into_iter().collect()),
        }
    }
}

/// A topology, and what is said on its networks as far as anybody wanted to know.
#[derive(Debug)]
struct Edition {
    topology: Arc<Topology>,
    since: Instant,
    said: HashMap<NetworkId, Said>,
    /// What was said before: what is the same stays the same in memory.
    before: HashMap<NetworkId, Said>,
}

/// What is said in a cloud. A thousand switches that each made this for themselves, with every change of anything, would
/// keep the controller from its work.
#[derive(Debug, Default)]
pub(super) struct Sayings(Mutex<Option<Edition>>);

impl Sayings {
    /// The topology of which is told now what is said: `newest`, or one that was the newest a moment ago.
    pub(super) fn topology(&self, now: Instant, newest: impl FnOnce() -> Arc<Topology>) -> Arc<Topology> {
        let mut edition = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(edition) = edition.as_ref().filter(|edition| now < edition.since + FRESH) {
            return Arc::clone(&edition.topology);
        }
        let topology = newest();
        match edition.as_mut() {
            Some(edition) if edition.topology.revision() == topology.revision() => edition.since = now,
            _ => {
                let before = edition.take().map(|edition| edition.said).unwrap_or_default();
                let topology = Arc::clone(&topology);
                *edition = Some(Edition { topology, since: now, said: HashMap::new(), before });
            }
        }
        topology
    }

    /// What is said on a network of a topology.
    pub(super) fn on(&self, network: &Network, topology: &Topology, settings: &Settings) -> Said {
        let mut edition = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(edition) = edition.as_mut().filter(|edition| edition.topology.revision() == topology.revision())
        else {
            return Said::on(network, topology, settings);
        };
        if let Some(said) = edition.said.get(&network.id) {
            return said.clone();
        }
        let said = Said::on(network, topology, settings);
        let said = edition.before.remove(&network.id).filter(|before| *before == said).unwrap_or(said);
        edition.said.insert(network.id, said.clone());
        said
    }
}
