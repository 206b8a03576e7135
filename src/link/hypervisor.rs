//! A hypervisor's database: a session, the mirror of its rows, and what it takes to set it up.

use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use weir_ovsdb::{
    Backoff, BridgeNames, Event, Fact, HostFact, InterfaceFact, Mirror, Problem, Session, SessionConfig, TransactError,
    TransactionId, Wanted, plan,
};

/// Transactions in a row that may leave something to do before there is a pause.
const ATTEMPTS_MAX: u32 = 5;

/// One connected database.
#[derive(Debug)]
pub struct Hypervisor {
    session: Session,
    mirror: Mirror,
    wanted: Wanted,
    /// The first rows are here.
    synced: bool,
    in_flight: Option<TransactionId>,
    attempts: u32,
    backoff: Backoff,
    retry: Option<Instant>,
    problems: Vec<String>,
    events: VecDeque<HypervisorEvent>,
    closed: bool,
}

/// What a hypervisor's database tells.
#[derive(Clone, Debug, PartialEq)]
pub enum HypervisorEvent {
    /// The first rows are here: what the hypervisor is, and everything plugged into it.
    Synced {
        /// The hypervisor.
        host: HostFact,
        /// The interfaces that name ports.
        interfaces: Vec<InterfaceFact>,
    },
    /// Something changed.
    Facts(Vec<Fact>),
    /// A transaction set something up; one line each.
    Provisioned(Vec<String>),
    /// What is not as it should be; replaces what was told before.
    Problems(Vec<String>),
    /// The session is over. Nothing comes after this.
    Closed(String),
}

impl Hypervisor {
    /// A connection that was just made.
    pub fn new(now: Instant, wanted: Wanted) -> Self {
        Self {
            session: Session::new(now, SessionConfig::default()),
            mirror: Mirror::new(BridgeNames::default()),
            wanted,
            synced: false,
            in_flight: None,
            attempts: 0,
            backoff: Backoff::new(Duration::from_secs(1), Duration::from_secs(60)),
            retry: None,
            problems: Vec::new(),
            events: VecDeque::new(),
            closed: false,
        }
    }

    /// Takes bytes from the database.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.session.handle_bytes(now, bytes);
        self.advance(now);
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        if self.retry.is_some_and(|retry| retry <= now) {
            self.retry = None;
            self.attempts = 0;
            self.provision(now);
        }
        self.advance(now);
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout().into_iter().chain(self.retry).min()
    }

    /// The next bytes for the database.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        self.session.poll_transmit()
    }

    /// The next thing that the database tells.
    pub fn poll_event(&mut self) -> Option<HypervisorEvent> {
        self.events.pop_front()
    }

    /// Ends the session from outside.
    pub fn close(&mut self, reason: String) {
        if !self.closed {
            self.closed = true;
            self.events.push_back(HypervisorEvent::Closed(reason));
        }
    }

    fn advance(&mut self, now: Instant) {
        let mut changed = false;
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Rows { rows, version } => {
                    tracing::debug!(?version, rows = rows.len(), "database dumped");
                    match self.mirror.replace(&rows) {
                        Ok(_) => self.sync(),
                        Err(error) => self.close(error.to_string()),
                    }
                    changed = true;
                }
                Event::Update(rows) => {
                    match self.mirror.apply(&rows) {
                        Ok(facts) if facts.is_empty() => {}
                        Ok(facts) => self.events.push_back(HypervisorEvent::Facts(facts)),
                        Err(error) => self.close(error.to_string()),
                    }
                    changed = true;
                }
                Event::Transacted { id, outcome } if self.in_flight == Some(id) => {
                    self.in_flight = None;
                    self.transacted(now, outcome.err());
                    changed = true;
                }
                Event::Transacted { .. } => {}
                Event::Closed(reason) => self.close(reason.to_string()),
            }
        }
        if changed {
            self.provision(now);
        }
    }

    fn sync(&mut self) {
        self.synced = true;
        self.events.push_back(HypervisorEvent::Synced {
            host: self.mirror.host().cloned().unwrap_or_default(),
            interfaces: self.mirror.interface_facts().cloned().collect(),
        });
    }

    fn transacted(&mut self, now: Instant, error: Option<TransactError>) {
        match error {
            None => {}
            Some(error) if error.is_race() && self.attempts < ATTEMPTS_MAX => {}
            Some(error) => {
                self.problems.push(format!("setting up the bridges: {error}"));
                self.events.push_back(HypervisorEvent::Problems(self.problems.clone()));
                self.retry = Some(now + self.backoff.fail(0));
            }
        }
    }

    /// Sends what it takes to set the hypervisor up, unless nothing is missing or something is on its way.
    fn provision(&mut self, now: Instant) {
        if !self.synced || self.closed || self.in_flight.is_some() || self.retry.is_some() {
            return;
        }
        let plan = plan(&self.mirror, &self.wanted);
        let problems: Vec<_> = plan.problems.iter().map(Problem::to_string).collect();
        if problems != self.problems {
            self.problems.clone_from(&problems);
            self.events.push_back(HypervisorEvent::Problems(problems));
        }
        if plan.is_empty() {
            self.attempts = 0;
            self.backoff.succeed();
            return;
        }
        if self.attempts >= ATTEMPTS_MAX {
            // Somebody undoes what we do, or the database does not keep it: no hot loop.
            self.retry = Some(now + self.backoff.fail(0));
            return;
        }
        self.attempts += 1;
        match self.session.transact(now, &plan.operations) {
            Ok(id) => {
                self.in_flight = Some(id);
                self.events.push_back(HypervisorEvent::Provisioned(plan.explanation));
            }
            Err(error) => {
                self.problems.push(format!("setting up the bridges: {error}"));
                self.events.push_back(HypervisorEvent::Problems(self.problems.clone()));
                self.retry = Some(now + self.backoff.fail(0));
            }
        }
    }
}
