//! Whom routers tell, unasked, where their addresses are.

use super::advertiser::Station;
use super::schedule::Schedule;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use weir_model::{NetworkId, PortKey};
use weir_openflow::PortNo;

/// How often each port is told, in case a VM was not listening.
const TIMES: u8 = 2;

/// The time between two times.
const AGAIN: Duration = Duration::from_secs(1);

/// Frames that are announced on a network, the same to each of its ports.
type Said = Arc<BTreeSet<Bytes>>;

/// A port with what was announced to it.
#[derive(Debug)]
struct Listener {
    station: Station,
    /// What it is being told, as long as the network says so; all else that the network says it has heard.
    fresh: Said,
    times_left: u8,
    due: Instant,
}

/// Tells the ports of one switch where the routers of their networks are: when a port comes, and when an address comes
/// or has another link-layer address.
#[derive(Debug, Default)]
pub(super) struct Announcer {
    networks: BTreeMap<NetworkId, Said>,
    listeners: BTreeMap<PortKey, Listener>,
    due: Schedule,
}

impl Announcer {
    /// Takes which ports are plugged in, and what is announced on their networks.
    pub(super) fn learn(
        &mut self,
        now: Instant,
        stations: &BTreeMap<PortKey, Station>,
        networks: &BTreeMap<NetworkId, Said>,
    ) {
        // What is new is the same for all listeners of a network, which have heard what it said before.
        let differs = |(id, said): &(&NetworkId, &Said)| self.networks.get(id) != Some(said);
        let changes: BTreeMap<NetworkId, Said> =
            networks.iter().filter(differs).map(|(id, said)| (*id, self.news(*id, said))).collect();
        let due = &mut self.due;
        self.listeners.retain(|key, listener| {
            let stays = stations.get(key) == Some(&listener.station);
            if !stays {
                due.remove(listener.due, *key);
            }
            stays
        });
        for (key, station) in stations {
            let Some(said) = networks.get(&station.network) else { continue };
            let is_new = !self.listeners.contains_key(key);
            let Some(news) = (if is_new { Some(said) } else { changes.get(&station.network) }) else { continue };
            let listener = self.listeners.entry(*key).or_insert_with(|| Listener {
                station: *station,
                fresh: Said::default(),
                times_left: 0,
                due: now,
            });
            due.remove(listener.due, *key);
            if listener.fresh.is_empty() {
                listener.fresh = Arc::clone(news);
            } else {
                let still = listener.fresh.intersection(said).chain(news.iter());
                listener.fresh = Arc::new(still.cloned().collect());
            }
            if !news.is_empty() {
                listener.times_left = TIMES;
                listener.due = now;
            }
            if listener.fresh.is_empty() {
                listener.times_left = 0;
            }
            if listener.times_left > 0 {
                due.insert(listener.due, *key);
            }
        }
        self.networks.clone_from(networks);
    }

    /// What a network says that it did not say before.
    fn news(&self, network: NetworkId, said: &Said) -> Said {
        match self.networks.get(&network) {
            Some(before) => Arc::new(said.difference(before).cloned().collect()),
            None => Arc::clone(said),
        }
    }

    /// The port that is to be told something now, and what.
    pub(super) fn poll(&mut self, now: Instant) -> Option<(PortNo, Vec<Bytes>)> {
        let key = self.due.poll(now)?;
        let listener = self.listeners.get_mut(&key)?;
        listener.times_left = listener.times_left.saturating_sub(1);
        let frames = if listener.times_left == 0 {
            std::mem::take(&mut listener.fresh)
        } else {
            listener.due = now + AGAIN;
            self.due.insert(listener.due, key);
            Arc::clone(&listener.fresh)
        };
        Some((listener.station.port, frames.iter().cloned().collect()))
    }

    /// When [`poll`](Self::poll) has something to tell.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.due.poll_timeout()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controller::answers::schedule::PACE;
    use uuid::Uuid;

    const NETWORK: NetworkId = NetworkId(Uuid::from_u128(1));
    const STATION: Station = Station { port: PortNo(7), network: NETWORK };

    fn frame(text: &'static str) -> Bytes {
        Bytes::from_static(text.as_bytes())
    }

    /// The announcer of a switch and the time there.
    struct Scene {
        announcer: Announcer,
        now: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { announcer: Announcer::default(), now: Instant::now() }
        }

        fn learn(&mut self, stations: &[(PortKey, Station)], said: &[&'static str]) {
            let said = Arc::new(said.iter().map(|text| frame(text)).collect());
            self.announcer.learn(self.now, &stations.iter().copied().collect(), &[(NETWORK, said)].into());
        }

        /// What is told until `time` has passed, and when.
        fn pass(&mut self, time: Duration) -> Vec<(Duration, PortNo, Vec<Bytes>)> {
            let (start, end) = (self.now, self.now + time);
            let mut told = Vec::new();
            while let Some(due) = self.announcer.poll_timeout().filter(|due| *due <= end) {
                let due = due.max(self.now);
                if let Some((port, frames)) = self.announcer.poll(due) {
                    told.push((due - start, port, frames));
                }
            }
            self.now = end;
            told
        }
    }

    #[test]
    fn what_is_new_is_told_twice() {
        let mut scene = Scene::new();
        scene.learn(&[(PortKey(1), STATION)], &[]);
        assert_eq!(scene.pass(Duration::from_secs(5)), []);
        scene.learn(&[(PortKey(1), STATION)], &["a", "b"]);
        let both = vec![frame("a"), frame("b")];
        let told = scene.pass(Duration::from_secs(60));
        assert_eq!(told, [(Duration::ZERO, PortNo(7), both.clone()), (AGAIN, PortNo(7), both)]);
        // Of a change only the news are told; that an address is gone is none.
        scene.learn(&[(PortKey(1), STATION)], &["a", "c"]);
        let told = scene.pass(Duration::from_secs(60));
        assert_eq!(
            told.iter().map(|(_, _, frames)| frames.as_slice()).collect::<Vec<_>>(),
            [[frame("c")], [frame("c")]]
        );
        scene.learn(&[(PortKey(1), STATION)], &["c"]);
        assert_eq!(scene.pass(Duration::from_secs(60)), []);
    }

    #[test]
    fn what_is_no_longer_so_is_not_told_again() {
        let mut scene = Scene::new();
        scene.learn(&[(PortKey(1), STATION)], &["old"]);
        assert_eq!(scene.pass(AGAIN / 2).len(), 1);
        scene.learn(&[(PortKey(1), STATION)], &["new"]);
        let told = scene.pass(Duration::from_secs(60));
        assert_eq!(told.len(), 2);
        assert!(told.iter().all(|(_, _, frames)| *frames == [frame("new")]));
        scene.learn(&[(PortKey(1), STATION)], &["newer"]);
        scene.learn(&[(PortKey(1), STATION)], &[]);
        assert_eq!(scene.pass(Duration::from_secs(60)), []);
    }

    #[test]
    fn another_interface_of_a_port_has_heard_nothing() {
        let mut scene = Scene::new();
        scene.learn(&[(PortKey(1), STATION)], &["a"]);
        scene.pass(Duration::from_secs(60));
        scene.learn(&[(PortKey(1), Station { port: PortNo(8), ..STATION })], &["a"]);
        let told = scene.pass(Duration::from_secs(60));
        assert_eq!(told.iter().map(|(_, port, _)| *port).collect::<Vec<_>>(), [PortNo(8); 2]);
        scene.learn(&[(PortKey(1), STATION)], &["a"]);
        scene.learn(&[], &["a"]);
        assert_eq!(scene.pass(Duration::from_secs(60)), []);
    }

    #[test]
    fn what_is_new_is_found_out_once_for_all_ports_of_a_network() {
        let mut scene = Scene::new();
        let stations: Vec<_> = (1..=300).map(|key| (PortKey(key), Station { port: PortNo(key), ..STATION })).collect();
        scene.learn(&stations, &["a", "b"]);
        scene.pass(Duration::from_secs(60));
        scene.learn(&stations, &["b", "c"]);
        let fresh: BTreeSet<_> = scene.announcer.listeners.values().map(|it| Arc::as_ptr(&it.fresh)).collect();
        assert_eq!(fresh.len(), 1);
        let told = scene.pass(Duration::from_secs(60));
        assert!(told.len() == 600 && told.iter().all(|(_, _, frames)| *frames == [frame("c")]));
    }

    #[test]
    fn a_switch_with_many_ports_tells_them_over_a_while() {
        let mut scene = Scene::new();
        let stations: Vec<_> = (1..=300).map(|key| (PortKey(key), Station { port: PortNo(key), ..STATION })).collect();
        scene.learn(&stations, &["a"]);
        let told = scene.pass(Duration::from_secs(60));
        let mut times: BTreeMap<PortNo, u8> = BTreeMap::new();
        for (_, port, _) in &told {
            *times.entry(*port).or_default() += 1;
        }
        assert!(times.len() == 300 && times.values().all(|count| *count == TIMES));
        assert!(told.windows(2).all(|pair| pair[1].0 >= pair[0].0 + PACE));
    }
}
