//! The controller: plain code without waiting.

use super::batch::{Batch, Reply};
use super::comparisons::Comparisons;
use super::dump::Dumps;
use super::flush::Flushes;
use super::followers::Followers;
use super::host::Host;
use super::progress::{Progress, SwitchId};
use super::switches::Connection;
use super::wishes;
use super::withdrawal::Withdrawals;
use crate::api::{ApiRequest, Failure};
use crate::link::ConnectionId;
use crate::metrics::Counts;
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
use weir_compile::{Bridge, Delta, Engine};
use weir_model::{Command, Commit, HostKey, HostName, Liveness, PortId, Request, Revision, Timestamp, Topology};
use weir_reconcile::{Order, Step};

/// How long a switch that belongs to no known hypervisor may stay connected.
const STRANGER: Duration = Duration::from_secs(60);

/// How often a hypervisor that was not accepted is considered again.
const RETRY: Duration = Duration::from_secs(10);

/// Everything the controller knows.
#[derive(Debug)]
pub struct Controller {
    pub(super) topology: Topology,
    /// The revision up to which switches were told everything.
    pub(super) told: Revision,
    pub(super) engine: Engine,
    pub(super) hosts: BTreeMap<HostName, Host>,
    pub(super) progress: Progress,
    pub(super) databases: BTreeMap<ConnectionId, HostName>,
    pub(super) connections: BTreeMap<ConnectionId, Connection>,
    pub(super) comparisons: Comparisons,
    /// Ports whose status may have to change.
    pub(super) unsettled: BTreeSet<PortId>,
    pub(super) dumps: Dumps,
    pub(super) flushes: Flushes,
    pub(super) withdrawals: Withdrawals,
    pub(super) counts: Counts,
    /// When the newest batch began.
    pub(super) now: Instant,
    grace: Duration,
    retried: Instant,
}

impl Controller {
    /// A controller of what was stored; nobody is connected.
    pub fn new(topology: Topology, grace: Duration, now: Instant) -> Self {
        let engine = Engine::load(&topology);
        let hosts = topology.hypervisors().map(|host| (host.name.clone(), Host::new(host.name.clone(), now))).collect();
        let flushes = Flushes::of(&topology);
        Self {
            told: topology.revision(),
            topology,
            engine,
            hosts,
            progress: Progress::default(),
            databases: BTreeMap::new(),
            connections: BTreeMap::new(),
            comparisons: Comparisons::default(),
            unsettled: BTreeSet::new(),
            dumps: Dumps::default(),
            flushes,
            withdrawals: Withdrawals::default(),
            counts: Counts::default(),
            now,
            grace,
            retried: now,
        }
    }

    /// Everything as it is now.
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// What happened, counted.
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    /// A batch to carry out what has arrived by now.
    pub fn begin(&mut self, now: Instant) -> Batch {
        self.now = now;
        Batch::new(self.topology.clone())
    }

    /// Carries out what a client asks, or tells it why not.
    pub fn api(&mut self, batch: &mut Batch, request: ApiRequest, at: Timestamp) {
        match self.topology.transact(Request { command: request.command, at }) {
            Ok((topology, commit, outcome)) => {
                self.topology = topology.clone();
                batch.push(topology, commit, Some(request.id));
                batch.replies.push((request.reply, outcome));
            }
            // A refusal leaves nothing behind; a client that has gone does not need to hear of it.
            Err(rejection) => drop(request.reply.send(Err(Failure::Rejected(rejection)))),
        }
    }

    /// Carries out what the controller itself has found out.
    pub(super) fn command(&mut self, batch: &mut Batch, command: Command, at: Timestamp) -> Result<(), String> {
        let (topology, commit, _) =
            self.topology.transact(Request { command, at }).map_err(|rejection| rejection.to_string())?;
        if !commit.changes.is_empty() {
            self.topology = topology.clone();
            batch.push(topology, commit, None);
        }
        Ok(())
    }

    /// The batch could not be made durable: as if it had never been.
    pub fn abandon(&mut self, batch: Batch, error: &str) {
        self.topology = batch.before;
        for (reply, _) in batch.replies {
            drop(reply.send(Err(Failure::Store(error.to_owned()))));
        }
        // What hypervisors have told, and what followed from it, is taken up again with the next tick.
        for host in self.hosts.values_mut() {
            host.stale = true;
            host.announced = false;
        }
    }

    /// The batch with these commits is durable: the switches hear of it, and the clients are to.
    pub fn commit(&mut self, batch: Batch, commits: Vec<Commit>) -> Vec<Reply> {
        let mut steps: BTreeMap<SwitchId, Vec<Step>> = BTreeMap::new();
        let mut followers = Followers::default();
        let mut old = batch.before;
        for (new, commit) in batch.after.into_iter().zip(commits) {
            let mut given: BTreeMap<(HostKey, Bridge), (HostName, Step)> = BTreeMap::new();
            let is_told = |key| followers.of(key, &self.hosts, &old, &new).is_some();
            let applied = self.engine.apply(&commit, &old, &new, is_told);
            self.counts.built(applied.rebuilt.len());
            wishes::tell(&applied.unexpressed, &old);
            for Delta { unit, recipients, bridge, edits, change, can_wait } in applied.deltas {
                for key in recipients.iter() {
                    let follower = followers.of(key, &self.hosts, &old, &new);
                    let Some(name) = follower.and_then(|follower| follower.name(bridge)) else { continue };
                    if can_wait {
                        let switch = SwitchId { host: name.clone(), bridge };
                        self.withdrawals.put_off(switch, unit, (edits.clone(), change));
                        continue;
                    }
                    let before = self.withdrawals.recall(name, bridge, &unit);
                    let (_, step) =
                        given.entry((key, bridge)).or_insert_with(|| (name.clone(), Step::to(commit.revision.0)));
                    for (edits, change) in before.into_iter().chain([(edits.clone(), change)]) {
                        step.push(edits, change);
                    }
                }
            }
            for ((_, bridge), (host, step)) in given {
                steps.entry(SwitchId { host, bridge }).or_default().push(step);
            }
            self.unsettle(&commit);
            self.hand_over(&commit, &old, &new);
            self.told = commit.revision;
            old = new;
        }
        for (switch, steps) in steps {
            self.give(&switch, steps);
        }
        self.flush_idle();
        batch.replies
    }

    /// What follows from what happened: comparisons start, statuses change, hypervisors are gone or back.
    pub fn follow_up(&mut self, now: Instant, at: Timestamp) -> Batch {
        let mut batch = self.begin(now);
        self.compare();
        self.watch(&mut batch, now, at);
        let statuses = self.settle();
        if !statuses.is_empty()
            && let Err(error) = self.command(&mut batch, Command::SetPortStatus(statuses), at)
        {
            tracing::error!(error, "port statuses not accepted");
        }
        batch
    }

    /// Notices hypervisors that are gone or back, and takes up what could not be done before.
    fn watch(&mut self, batch: &mut Batch, now: Instant, at: Timestamp) {
        let mut turned = Vec::new();
        for host in self.hosts.values_mut() {
            if host.is_connected() {
                host.away_since = None;
                if host.gone || !host.announced {
                    (host.gone, host.announced, host.since) = (false, true, now);
                    turned.push((host.name.clone(), Liveness::Alive));
                }
            } else {
                let since = *host.away_since.get_or_insert(now);
                if !host.gone && now.duration_since(since) >= self.grace {
                    (host.gone, host.announced, host.since) = (true, true, now);
                    turned.push((host.name.clone(), Liveness::Gone));
                }
            }
        }
        for (name, liveness) in turned {
            tracing::info!(host = %name, "hypervisor {}", if liveness == Liveness::Gone { "gone" } else { "connected" });
            self.stir(&name);
            self.unsettle_host(&name);
            if self.topology.hypervisor(&name).is_some()
                && let Err(error) = self.command(batch, Command::SetLiveness(name.clone(), liveness), at)
            {
                tracing::error!(host = %name, error, "liveness not accepted");
            }
        }
    }

    /// Does what only time brings about.
    pub fn tick(&mut self, batch: &mut Batch, now: Instant, at: Timestamp) {
        self.withdraw();
        let retry = now.duration_since(self.retried) >= RETRY;
        if retry {
            self.retried = now;
        }
        let mut stale = Vec::new();
        for host in self.hosts.values_mut() {
            if std::mem::take(&mut host.stale) || (retry && host.refusal.is_some()) {
                stale.push(host.name.clone());
            }
        }
        for name in stale {
            if let Some(fact) = self.hosts.get(&name).and_then(|host| host.fact.clone()) {
                self.introduce(batch, &name, fact, at);
            }
            self.plug(batch, &name, at);
            self.unsettle_host(&name);
        }
        for (id, connection) in &mut self.connections {
            if connection.switch.is_none() && now.duration_since(connection.since) > STRANGER {
                let datapath = connection.datapath.unwrap_or_default();
                tracing::warn!(
                    connection = id.0,
                    "switch {datapath:016x} belongs to no known hypervisor: disconnected"
                );
                connection.since = now;
                drop(connection.orders.try_send(Order::Close));
            }
        }
    }
}
