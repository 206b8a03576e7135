//! Who is let in: how many requests are worked on, how many lists are put together and how many answers wait to be taken, of
//! all clients and of each.
//!
//! A client is an address. Its bounds are below those of all, so that one client with many connections leaves room for
//! others; behind a proxy all are one.

use super::fault::Fault;
use axum::body::Body;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds on what is worked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AdmissionLimits {
    /// Requests that are worked on, once their body is here.
    pub requests: usize,
    /// Such requests of one client.
    pub requests_of_client: usize,
    /// Lists that are put together at a time; others wait their turn.
    pub lists: usize,
    /// How long a list may wait for its turn.
    pub list_patience: Duration,
    /// Bytes of large answers (over 64 KiB) that clients have yet to take.
    pub answers: usize,
    /// Such bytes of one client.
    pub answers_of_client: usize,
}

impl Default for AdmissionLimits {
    fn default() -> Self {
        // A list is a computation without a pause, of a second in a large cloud. It may not keep all threads from the rest.
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            requests: 1024,
            requests_of_client: 512,
            lists: (threads / 2).max(1),
            list_patience: Duration::from_secs(10),
            answers: 512 << 20,
            answers_of_client: 256 << 20,
        }
    }
}

/// Why a request is turned away until later.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Busy {
    /// Too many requests are worked on.
    Requests,
    /// Too many requests of this client are worked on.
    ClientRequests,
    /// Too many commands wait for the controller.
    Commands,
    /// Too many wait to see what switches hold.
    Dumps,
    /// Large bodies have no memory left.
    Bodies,
    /// A list has waited too long for its turn.
    Lists,
    /// Too much of large answers has yet to be taken.
    Answers,
}

impl Busy {
    /// All reasons.
    pub const ALL: [Self; 7] =
        [Self::Requests, Self::ClientRequests, Self::Commands, Self::Dumps, Self::Bodies, Self::Lists, Self::Answers];

    /// The reason in words.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Requests => "too many requests",
            Self::ClientRequests => "too many requests of one client",
            Self::Commands => "too many commands",
            Self::Dumps => "too many dumps",
            Self::Bodies => "too many large bodies",
            Self::Lists => "too many lists",
            Self::Answers => "too many large answers",
        }
    }

    /// What the client is told.
    pub(crate) const fn message(self) -> &'static str {
        match self {
            Self::Commands | Self::Dumps => "The controller is busy; try again.",
            Self::Requests => "Too many requests at a time; try again.",
            Self::ClientRequests => "Too many requests of one client at a time; try again.",
            Self::Bodies => "Too many large requests at a time; try again.",
            Self::Lists => "Too many lists at a time; try again.",
            Self::Answers => "Too many large answers at a time; try again.",
        }
    }
}

/// Bytes of an answer that need no share of what large answers have.
const FREE: usize = 64 << 10;

/// What is worked on now, and who was turned away.
#[derive(Debug)]
pub struct Admission {
    limits: AdmissionLimits,
    requests: AtomicUsize,
    lists: Arc<Semaphore>,
    waiting_lists: AtomicUsize,
    answers: Arc<Semaphore>,
    turned_away: [AtomicU64; Busy::ALL.len()],
    pub(super) connections: AtomicUsize,
    pub(super) hung_up: AtomicU64,
}

/// What one client has under way.
#[derive(Debug)]
pub(crate) struct Client {
    requests: AtomicUsize,
    lists: Semaphore,
    answers: Arc<Semaphore>,
}

/// A request that is worked on.
#[derive(Debug)]
pub(crate) struct Admitted<'a>(&'a AtomicUsize, &'a AtomicUsize);

impl Drop for Admitted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts one more, unless there are as many as there may be.
fn enter(count: &AtomicUsize, limit: usize) -> bool {
    count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < limit).then_some(now + 1)).is_ok()
}

/// Counts a list that waits.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Admission {
    /// Nothing yet.
    pub fn new(limits: AdmissionLimits) -> Self {
        Self {
            limits,
            requests: AtomicUsize::new(0),
            lists: Arc::new(Semaphore::new(limits.lists)),
            waiting_lists: AtomicUsize::new(0),
            answers: Arc::new(Semaphore::new(limits.answers >> 10)),
            turned_away: [const { AtomicU64::new(0) }; Busy::ALL.len()],
            connections: AtomicUsize::new(0),
            hung_up: AtomicU64::new(0),
        }
    }

    /// A client that has nothing under way.
    pub(super) fn client(&self) -> Client {
        Client {
            requests: AtomicUsize::new(0),
            lists: Semaphore::new(self.limits.lists),
            answers: Arc::new(Semaphore::new(self.limits.answers_of_client >> 10)),
        }
    }

    /// Lets a request in.
    ///
    /// # Errors
    /// 503 when as many are worked on as may be, of this client or of all.
    pub(crate) fn enter<'a>(&'a self, client: &'a Client) -> Result<Admitted<'a>, Fault> {
        if !enter(&client.requests, self.limits.requests_of_client) {
            return Err(Fault::busy(Busy::ClientRequests));
        }
        if !enter(&self.requests, self.limits.requests) {
            client.requests.fetch_sub(1, Ordering::Relaxed);
            return Err(Fault::busy(Busy::Requests));
        }
        Ok(Admitted(&client.requests, &self.requests))
    }

    /// Waits until a list may be put together, which it may as long as what is returned is kept. Clients take turns.
    ///
    /// # Errors
    /// 503 when that takes too long.
    pub(crate) async fn turn<'a>(&'a self, client: &'a Client) -> Result<impl Sized + use<'a>, Fault> {
        let _waiting = Waiting::new(&self.waiting_lists);
        let turns = async {
            // Of each client only so many wait here at a time, so that nobody waits behind all lists of another.
            let own = client.lists.acquire().await;
            (own, self.lists.acquire().await)
        };
        match tokio::time::timeout(self.limits.list_patience, turns).await {
            Ok((Ok(own), Ok(all))) => Ok((own, all)),
            _ => Err(Fault::busy(Busy::Lists)),
        }
    }

    /// Makes an answer of bytes. A large one is counted until the client has taken it.
    ///
    /// # Errors
    /// 503 when too much of large answers has yet to be taken, by this client or by all.
    pub(crate) fn answer(&self, client: &Client, bytes: Vec<u8>) -> Result<Body, Fault> {
        let Some(large) = bytes.len().checked_sub(FREE).filter(|large| *large > 0) else {
            return Ok(Body::from(bytes));
        };
        // One that is larger than the bound has all of it for itself.
        let bound = self.limits.answers_of_client.min(self.limits.answers);
        let kibibytes = u32::try_from((large.div_ceil(1 << 10)).min(bound >> 10)).unwrap_or(u32::MAX);
        let take = |all: &Arc<Semaphore>| Arc::clone(all).try_acquire_many_owned(kibibytes);
        let (Ok(own), Ok(all)) = (take(&client.answers), take(&self.answers)) else {
            return Err(Fault::busy(Busy::Answers));
        };
        Ok(Body::from(Bytes::from_owner(Taken { bytes, _shares: [own, all] })))
    }

    /// Counts one that was turned away.
    pub(crate) fn turn_away(&self, busy: Busy) {
        self.turned_away[busy as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How many were turned away for a reason.
    pub fn turned_away(&self, busy: Busy) -> u64 {
        self.turned_away[busy as usize].load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections that were closed because others needed their place.
    pub fn hung_up(&self) -> u64 {
        self.hung_up.load(Ordering::Relaxed)
    }

    /// Requests that are worked on.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }

    /// Lists that wait for their turn.
    pub fn waiting_lists(&self) -> usize {
        self.waiting_lists.load(Ordering::Relaxed)
    }

    /// Bytes of large answers that clients have yet to take.
    pub fn untaken_bytes(&self) -> usize {
        ((self.limits.answers >> 10) - self.answers.available_permits()) << 10
    }
}

/// A large answer with its shares, given back as its bytes are freed.
struct Taken {
    bytes: Vec<u8>,
    _shares: [OwnedSemaphorePermit; 2],
}

impl AsRef<[u8]> for Taken {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission(limits: AdmissionLimits) -> Admission {
        Admission::new(limits)
    }

    #[test]
    fn requests_are_bounded_for_all_and_for_each() {
        let admission = admission(AdmissionLimits { requests: 3, requests_of_client: 2, ..AdmissionLimits::default() });
        let (one, other) = (admission.client(), admission.client());
        let first = admission.enter(&one).unwrap();
        let second = admission.enter(&one).unwrap();
        assert_eq!(admission.enter(&one).unwrap_err().busy, Some(Busy::ClientRequests));
        let third = admission.enter(&other).unwrap();
        assert_eq!(admission.enter(&other).unwrap_err().busy, Some(Busy::Requests));
        drop(first);
        assert_eq!(admission.requests(), 2);
        let fourth = admission.enter(&other).unwrap();
        drop((second, third, fourth));
        assert_eq!((admission.requests(), one.requests.into_inner(), other.requests.into_inner()), (0, 0, 0));
    }

    #[test]
    fn clients_take_turns_with_their_lists() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let admission = Arc::new(admission(AdmissionLimits { lists: 1, ..AdmissionLimits::default() }));
            let (many, few) = (Arc::new(admission.client()), Arc::new(admission.client()));
            let held = admission.turn(&many).await.unwrap();
            let (said, mut turns) = tokio::sync::mpsc::unbounded_channel();
            for (name, client) in [("many", &many), ("many", &many), ("few", &few), ("many", &many)] {
                let (admission, client, said) = (Arc::clone(&admission), Arc::clone(client), said.clone());
                tokio::spawn(async move {
                    let _turn = admission.turn(&client).await.unwrap();
                    said.send(name).unwrap();
                });
                tokio::task::yield_now().await;
            }
            assert_eq!(admission.waiting_lists(), 4);
            drop((held, said));
            let mut order = Vec::new();
            while let Some(name) = turns.recv().await {
                order.push(name);
            }
            assert_eq!(order, ["few", "many", "many", "many"]);
        });
    }

    #[test]
    fn a_list_does_not_wait_for_ever() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let limits = AdmissionLimits { lists: 1, list_patience: Duration::ZERO, ..AdmissionLimits::default() };
            let admission = admission(limits);
            let (one, other) = (admission.client(), admission.client());
            let held = admission.turn(&one).await.unwrap();
            let late = admission.turn(&other).await.err().and_then(|fault| fault.busy);
            assert_eq!((late, admission.waiting_lists()), (Some(Busy::Lists), 0));
            drop(held);
            assert!(admission.turn(&other).await.is_ok());
        });
    }

    #[test]
    fn an_answer_is_counted_until_it_is_taken() {
        let admission =
            admission(AdmissionLimits { answers: 3 << 20, answers_of_client: 2 << 20, ..AdmissionLimits::default() });
        let (one, other) = (admission.client(), admission.client());
        let small = admission.answer(&one, vec![0; FREE]).unwrap();
        assert_eq!(admission.untaken_bytes(), 0);
        // One that is larger than the bound has all of it.
        let large = admission.answer(&one, vec![0; 9 << 20]).unwrap();
        assert_eq!(admission.untaken_bytes(), 2 << 20);
        assert_eq!(admission.answer(&one, vec![0; FREE + 1]).unwrap_err().busy, Some(Busy::Answers));
        let second = admission.answer(&other, vec![0; FREE + (1 << 20)]).unwrap();
        assert_eq!(admission.answer(&other, vec![0; FREE + 1]).unwrap_err().busy, Some(Busy::Answers));
        drop((small, large));
        assert_eq!(admission.untaken_bytes(), 1 << 20);
        drop(second);
        assert_eq!(admission.untaken_bytes(), 0);
    }
}
