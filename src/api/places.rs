//! The connections that are open, and which of them makes room for another.

use super::admission::{Admission, Client};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, Id};

/// The connections that are open.
///
/// When there are as many as there may be, the client with the most of them loses the one that has gone longest without
/// work: one that is silent, or sends a request or takes an answer slowly.
#[derive(Debug)]
pub(super) struct Places {
    limit: usize,
    admission: Arc<Admission>,
    places: HashMap<Id, Place>,
    clients: HashMap<IpAddr, (Arc<Client>, usize)>,
    started: Instant,
    idle: Arc<Notify>,
}

#[derive(Debug)]
struct Place {
    address: IpAddr,
    standing: Arc<Standing>,
    task: AbortHandle,
}

/// A connection as its requests see it.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) client: Arc<Client>,
    standing: Arc<Standing>,
}

/// Whether a connection's request is worked on.
#[derive(Debug)]
struct Standing {
    /// Since when, in microseconds, none is; or one of the two below.
    state: AtomicU64,
    started: Instant,
    idle: Arc<Notify>,
}

/// A request is worked on.
const AT_WORK: u64 = u64::MAX;

/// The connection is being closed.
const HUNG_UP: u64 = u64::MAX - 1;

impl Standing {
    fn new(started: Instant, idle: Arc<Notify>) -> Arc<Self> {
        let mut standing = Self { state: AtomicU64::new(0), started, idle };
        *standing.state.get_mut() = standing.now();
        Arc::new(standing)
    }

    fn now(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_micros()).unwrap_or(HUNG_UP - 1)
    }

    /// Since when no request is worked on; none if one is.
    fn idle_since(&self) -> Option<u64> {
        Some(self.state.load(Ordering::Relaxed)).filter(|state| *state < HUNG_UP)
    }

    /// Closes the connection, unless a request has come since.
    fn hang_up(&self, since: u64) -> bool {
        self.state.compare_exchange(since, HUNG_UP, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }
}

/// A request that is worked on: its connection keeps its place.
#[derive(Debug)]
pub(super) struct Work<'a>(&'a Standing);

impl Drop for Work<'_> {
    fn drop(&mut self) {
        self.0.state.store(self.0.now(), Ordering::Relaxed);
        self.0.idle.notify_one();
    }
}

impl Peer {
    /// A connection that is nobody's.
    pub(super) fn unknown(admission: &Admission) -> Self {
        Self { client: Arc::new(admission.client()), standing: Standing::new(Instant::now(), Arc::default()) }
    }

    /// Begins to work on a request; none if the connection is being closed.
    pub(super) fn work(&self) -> Option<Work<'_>> {
        let begin = |state| (state != HUNG_UP).then_some(AT_WORK);
        let begun = self.standing.state.fetch_update(Ordering::Relaxed, Ordering::Relaxed, begin);
        begun.is_ok().then(|| Work(&self.standing))
    }
}

impl Places {
    pub(super) fn new(limit: usize, admission: Arc<Admission>) -> Self {
        let (places, clients) = (HashMap::new(), HashMap::new());
        Self { limit, admission, places, clients, started: Instant::now(), idle: Arc::default() }
    }

    /// A connection from an address; it gets its place with [`Self::take`].
    pub(super) fn peer(&self, address: IpAddr) -> Peer {
        let client = self.clients.get(&address).map(|(client, _)| Arc::clone(client));
        let client = client.unwrap_or_else(|| Arc::new(self.admission.client()));
        Peer { client, standing: Standing::new(self.started, Arc::clone(&self.idle)) }
    }

    /// Gives a connection, which this task serves, its place.
    pub(super) fn take(&mut self, address: IpAddr, peer: &Peer, task: AbortHandle) {
        self.clients.entry(address).or_insert_with(|| (Arc::clone(&peer.client), 0)).1 += 1;
        self.places.insert(task.id(), Place { address, standing: Arc::clone(&peer.standing), task });
        self.admission.connections.store(self.places.len(), Ordering::Relaxed);
    }

    /// The task of a connection has ended.
    pub(super) fn vacate(&mut self, task: Id) {
        let Some(place) = self.places.remove(&task) else { return };
        if let Some((_, connections)) = self.clients.get_mut(&place.address) {
            *connections -= 1;
            if *connections == 0 {
                self.clients.remove(&place.address);
            }
        }
        self.admission.connections.store(self.places.len(), Ordering::Relaxed);
    }

    /// Whether there is room for another connection; if not, one that has no work makes room.
    pub(super) fn has_room(&mut self) -> bool {
        while self.places.len() >= self.limit {
            let Some((task, since)) = self.longest_idle() else { return false };
            let place = &self.places[&task];
            if place.standing.hang_up(since) {
                place.task.abort();
                self.admission.hung_up.fetch_add(1, Ordering::Relaxed);
                self.vacate(task);
            }
        }
        true
    }

    fn longest_idle(&self) -> Option<(Id, u64)> {
        let largest = self.clients.iter().max_by_key(|(_, (_, connections))| connections).map(|(address, _)| *address);
        let idle = || self.places.iter().filter_map(|(id, place)| Some((id, place, place.standing.idle_since()?)));
        let longest = idle().filter(|(_, place, _)| Some(place.address) == largest).min_by_key(|(.., since)| *since);
        longest.or_else(|| idle().min_by_key(|(.., since)| *since)).map(|(id, _, since)| (*id, since))
    }

    /// Waits until a connection has no work any more.
    pub(super) async fn turned_idle(&self) {
        self.idle.notified().await;
    }
}
