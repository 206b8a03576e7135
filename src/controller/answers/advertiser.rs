//! When routers advertise themselves to whom, unasked.

use super::schedule::Schedule;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_answer::Advertisement;
use weir_model::{NetworkId, PortKey};
use weir_openflow::PortNo;

/// The shortest time after which a port is told again what it knows.
const INTERVAL: Duration = Duration::from_secs(200);

/// Intervals differ by up to so many seconds from port to port, so that they do not fall together.
const SPREAD_S: u32 = 100;

/// The shortest time between two advertisements to one port (RFC 4861, `MIN_DELAY_BETWEEN_RAS`).
const DELAY_MIN: Duration = Duration::from_secs(3);

/// A port that is plugged in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Station {
    pub(super) port: PortNo,
    pub(super) network: NetworkId,
}

/// What is said on a network, the same to each of its ports.
type Said = Arc<[Advertisement]>;

/// A port with what it has heard.
#[derive(Debug)]
struct Listener {
    station: Station,
    heard: Option<Said>,
    told_at: Option<Instant>,
    due: Instant,
}

/// Tells the ports of one switch what the routers of their networks say: when a port comes, when it changes, and again
/// and again. When a router leaves, those who heard it hear its last words.
#[derive(Debug, Default)]
pub(super) struct Advertiser {
    networks: BTreeMap<NetworkId, Said>,
    listeners: BTreeMap<PortKey, Listener>,
    due: Schedule,
}

impl Advertiser {
    /// Takes which ports are plugged in, and what is said on their networks.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        stations: &BTreeMap<PortKey, Station>,
        mut networks: BTreeMap<NetworkId, Said>,
    ) {
        // What is the same stays the same in memory, so that each port need not look into it.
        for (network, said) in &mut networks {
            if let Some(before) = self.networks.get(network).filter(|before| *before == said) {
                *said = Arc::clone(before);
            }
        }
        self.networks = networks;
        let due = &mut self.due;
        self.listeners.retain(|key, listener| {
            // Another interface of the same port may be that of a VM which has heard nothing.
            let stays = stations.get(key) == Some(&listener.station);
            if !stays {
                due.remove(listener.due, *key);
            }
            stays
        });
        for (key, station) in stations {
            let Some(said) = self.networks.get(&station.network) else { continue };
            match self.listeners.get_mut(key) {
                None if said.is_empty() => {}
                None => {
                    let listener = Listener { station: *station, heard: None, told_at: None, due: now };
                    self.listeners.insert(*key, listener);
                    due.insert(now, *key);
                }
                Some(listener) => {
                    if listener.heard.as_ref().is_some_and(|heard| heard != said) {
                        let soon = listener.told_at.map_or(now, |told_at| (told_at + DELAY_MIN).max(now));
                        due.remove(listener.due, *key);
                        listener.due = listener.due.min(soon);
                        due.insert(listener.due, *key);
                    }
                }
            }
        }
    }

    /// The port that is to be told something now, and what.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(PortNo, Vec<Bytes>)> {
        let key = self.due.poll(now)?;
        let listener = self.listeners.get_mut(&key)?;
        let said = self.networks.get(&listener.station.network).cloned().unwrap_or_default();
        let mut frames: Vec<_> = said.iter().map(|one| one.frame.clone()).collect();
        let left = listener.heard.iter().flat_map(|heard| heard.iter());
        let left = left.filter(|former| !said.iter().any(|one| one.is_of(former)));
        frames.extend(left.map(Advertisement::farewell));
        let port = listener.station.port;
        if said.is_empty() {
            self.listeners.remove(&key);
        } else {
            listener.heard = Some(said);
            listener.told_at = Some(now);
            listener.due = now + INTERVAL + spread(key);
            self.due.insert(listener.due, key);
        }
        Some((port, frames))
    }

    /// When [`poll`](Self::poll) has something to tell.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.poll_timeout()
    }
}

/// Some time that is the same for a port each time.
fn spread(key: PortKey) -> Duration {
    let scattered = key.0.wrapping_mul(0x9e37_79b1) >> 8;
    Duration::from_millis(u64::from(scattered % (SPREAD_S * 1000)))
}
