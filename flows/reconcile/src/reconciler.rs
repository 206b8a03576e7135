//! Makes one switch hold what it should.

use crate::comparison::Comparison;
use crate::flush::Flushes;
use crate::inspection::{Inspection, active};
use crate::pending::Pending;
use crate::seal::Seal;
use crate::{Desired, Occasion, Order, Refusal, SealPlace, SwitchEvent};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use weir_openflow::message::{
    BundleId, FlowEntries, FlowFilter, FlowUpdate, Message, MonitorRequest, MultipartReply, MultipartRequest,
};
use weir_openflow::session::{Rejection, SendError, Session, SessionEvent};
use weir_openflow::{Digest, Edits, EncodedEdit, GroupId, MeterId, Xid};

/// Edits of one bundle at most. A switch needs memory for an open bundle, so that what is larger goes in several, each
/// atomic by itself.
const BUNDLE_EDITS_MAX: usize = 32_768;

/// How often a switch is asked at most how many flows it holds: it answers for each of its 254 tables.
const COUNT_EVERY: Duration = Duration::from_secs(5);

/// Edits that a switch may refuse in a row before it gets a pause.
const REFUSALS_MAX: u32 = 64;

/// The shortest and the longest pause after something went wrong.
const PAUSE: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long changes by others may gather before they are looked at.
const SETTLE: Duration = Duration::from_millis(100);

/// After this long without a repair the next one does not wait.
const CALM: Duration = Duration::from_secs(30);

/// What one switch should hold, what is on its way, and what is left to do.
#[derive(Debug)]
pub struct Reconciler {
    audit_interval: Duration,
    /// The handshake is done.
    ready: bool,
    /// The switch was compared since it connected, or its seal was right; before, nothing is sent.
    compared: bool,
    /// The switch is asked for its seal.
    inspection: Option<Inspection>,
    seal: Seal,
    /// The digest of what was ordered by now.
    digest: Digest,
    /// The [`SwitchEvent::WantsDesired`] that was told and not answered yet.
    wanting: Option<Occasion>,
    desired: Option<Desired>,
    reading: Option<Reading>,
    pending: Pending,
    queue: VecDeque<Edits>,
    in_flight: Option<Flight>,
    /// What is reached when the queue is empty.
    target: Option<Target>,
    /// The queue comes from a comparison.
    restoring: bool,
    audit_due: Option<Instant>,
    /// The audit that is due is one that cannot wait.
    in_doubt: bool,
    pause: Duration,
    repair_delay: Duration,
    last_repair: Option<Instant>,
    refusals: u32,
    counting: Option<Xid>,
    /// When the switch was asked last how many flows it holds, and when it is to be asked again.
    counted: Option<Instant>,
    count_due: Option<Instant>,
    dump: Option<Dumping>,
    dumps: VecDeque<u64>,
    flushes: Flushes,
    events: VecDeque<SwitchEvent>,
}

/// The switch is telling what it holds.
#[derive(Debug)]
struct Reading {
    comparison: Comparison,
    awaited: Vec<Xid>,
}

/// What a switch holds when it has done all that it was given.
#[derive(Clone, Copy, Debug)]
struct Target {
    revision: u64,
    digest: Digest,
}

/// A bundle without its answer.
#[derive(Debug)]
struct Flight {
    bundle: BundleId,
    edits: Edits,
    /// What the seal says then, if the last of the edits is about it.
    seal: Option<Option<u128>>,
}

/// Flows being read for somebody to look at.
#[derive(Debug)]
struct Dumping {
    ticket: u64,
    xid: Xid,
    flows: Vec<FlowEntries>,
}

/// Dumps that may wait at a time.
const DUMPS_MAX: usize = 16;

impl Reconciler {
    /// A switch that is not connected yet, which asks to be compared each `audit_interval`.
    pub fn new(audit_interval: Duration, seal: SealPlace) -> Self {
        Self {
            audit_interval,
            ready: false,
            compared: false,
            inspection: None,
            seal: Seal::new(seal),
            digest: Digest::default(),
            wanting: None,
            desired: None,
            reading: None,
            pending: Pending::default(),
            queue: VecDeque::new(),
            in_flight: None,
            target: None,
            restoring: false,
            audit_due: None,
            in_doubt: false,
            pause: PAUSE.0,
            repair_delay: SETTLE,
            last_repair: None,
            refusals: 0,
            counting: None,
            counted: None,
            count_due: None,
            dump: None,
            dumps: VecDeque::new(),
            flushes: Flushes::default(),
            events: VecDeque::new(),
        }
    }

    /// Takes an order that concerns tables.
    pub(crate) fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Apply(steps) => {
                for step in &steps {
                    self.pending.merge(step.revision, &step.edits);
                    self.digest += step.change;
                }
            }
            Order::Desired(desired) => {
                // What was ordered before is part of it.
                self.pending.clear();
                self.wanting = None;
                self.digest = desired.digest;
                self.desired = Some(desired);
            }
            Order::Sealed { revision, digest } => {
                self.pending.clear();
                self.wanting = None;
                self.digest = digest;
                self.compared = true;
                self.target = Some(Target { revision, digest });
                self.audit_due.get_or_insert(now + self.audit_interval);
            }
            Order::Audit => (self.audit_due, self.in_doubt) = (Some(now), true),
            Order::Dump { ticket } if self.dumps.len() < DUMPS_MAX => self.dumps.push_back(ticket),
            Order::Dump { ticket } => {
                self.events.push_back(SwitchEvent::Dumped(crate::Dump { ticket, flows: Vec::new() }));
            }
            Order::Send(_) | Order::Flush { .. } | Order::Close => {}
        }
    }

    /// Makes the switch forget connections.
    pub(crate) fn flush(&mut self, ticket: u64, messages: Vec<Message>, session: &mut Session) {
        self.events.extend(self.flushes.start(ticket, messages, session));
    }

    /// Takes what the session tells. What is not about tables is passed on.
    pub(crate) fn session_event(&mut self, now: Instant, event: SessionEvent, session: &mut Session) {
        match event {
            SessionEvent::Ready { features, ports } => {
                self.ready = true;
                if let Err(error) = session.request(MultipartRequest::Monitor(vec![MonitorRequest::changes(1)])) {
                    self.refuse_bundle("the flow monitor", &error.to_string());
                }
                self.events.push_back(SwitchEvent::Ready { features, ports });
                match Inspection::start(self.seal.place(), session) {
                    Some(inspection) => self.inspection = Some(inspection),
                    None => self.want(Occasion::Connected { held: None }),
                }
            }
            SessionEvent::Part { xid, reply, more } => self.part(now, xid, reply, more),
            SessionEvent::FlowUpdates(updates) => {
                if updates.iter().any(is_foreign) {
                    self.doubt(now, self.settle_time(now));
                }
            }
            SessionEvent::BundleCommitted { bundle, .. } => {
                if let Some(flight) = self.in_flight.take_if(|flight| flight.bundle == bundle) {
                    if let Some(sum) = flight.seal {
                        self.seal.hold(sum);
                    }
                    self.refusals = 0;
                    self.pause = PAUSE.0;
                }
            }
            SessionEvent::BundleRejected { bundle, rejection } => {
                if let Some(flight) = self.in_flight.take_if(|flight| flight.bundle == bundle) {
                    self.rejected(now, flight, &rejection);
                }
            }
            SessionEvent::Reply { xid, .. } => self.events.extend(self.flushes.replied(xid)),
            SessionEvent::Failed { xid, .. } if self.flushes.is_part(xid) => {
                self.events.extend(self.flushes.failed(xid));
            }
            SessionEvent::Failed { xid, error, .. } => self.failed(now, xid, &error.code.to_string()),
            SessionEvent::PortStatus(status) => self.events.push_back(SwitchEvent::Port(status)),
            SessionEvent::PacketIn(packet) => self.events.push_back(SwitchEvent::PacketIn(Box::new(packet))),
            SessionEvent::Closed(reason) => self.events.push_back(SwitchEvent::Closed(reason)),
            SessionEvent::FlowRemoved(_) => self.doubt(now, self.settle_time(now)),
            SessionEvent::RoleStatus(_)
            | SessionEvent::Collected { .. }
            | SessionEvent::Unsolicited { .. }
            | SessionEvent::Writable => {}
        }
    }

    /// Starts whatever can be started now.
    pub(crate) fn advance(&mut self, now: Instant, session: &mut Session) {
        if !self.ready {
            return;
        }
        self.start_dump(session);
        while self.reading.is_none() && self.in_flight.is_none() {
            if let Some(desired) = self.desired.take() {
                self.queue.clear();
                self.target = None;
                self.compare(now, &desired, session);
            } else if self.queue.is_empty() && self.target.is_some() && self.seal_edit().is_none() {
                self.reached(now);
            } else if !self.queue.is_empty() || self.target.is_some() {
                if !self.send(now, session) {
                    break;
                }
            } else if self.compared && self.pending.revision().is_some() {
                let (revision, edits) = self.pending.take();
                self.target = revision.map(|revision| Target { revision, digest: self.digest });
                self.restoring = false;
                self.enqueue(edits.into());
            } else if !(self.seal.is_false() && self.send(now, session)) {
                break;
            }
        }
        if self.count_due.take_if(|due| *due <= now).is_some() {
            self.count(now, session);
        }
        if self.is_free_to_want() && self.audit_due.take_if(|due| *due <= now).is_some() {
            let occasion = if std::mem::take(&mut self.in_doubt) { Occasion::Doubt } else { Occasion::Routine };
            self.want(occasion);
        }
    }

    /// When [`advance`](Self::advance) has something to do without anything arriving.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let audit = self.audit_due.filter(|_| self.ready && self.is_free_to_want());
        audit.into_iter().chain(self.count_due.filter(|_| self.ready)).min()
    }

    /// The next thing to tell.
    pub(crate) fn poll_event(&mut self) -> Option<SwitchEvent> {
        self.events.pop_front()
    }

    /// Whether a comparison can be asked for: one in routine may have to wait long, and does not keep doubts waiting.
    fn is_free_to_want(&self) -> bool {
        let is_free = match self.wanting {
            None => true,
            Some(Occasion::Routine) => self.in_doubt,
            Some(_) => false,
        };
        is_free && self.reading.is_none() && self.inspection.is_none()
    }

    fn want(&mut self, occasion: Occasion) {
        self.wanting = Some(occasion);
        self.events.push_back(SwitchEvent::WantsDesired(occasion));
    }

    /// The edit of the seal that goes with what is sent next, and what the seal says then.
    fn seal_edit(&self) -> Option<(EncodedEdit, Option<u128>)> {
        let is_last = self.queue.len() <= 1;
        self.seal.edit(self.target.filter(|_| is_last).map(|target| target.digest))
    }

    /// Sends the next edits with the seal that belongs to them, or the seal alone. False if it has to wait.
    fn send(&mut self, now: Instant, session: &mut Session) -> bool {
        let seal = self.seal_edit();
        let edits = self.queue.pop_front().unwrap_or_default();
        let mut sealed = edits.clone();
        if let Some((edit, _)) = &seal {
            sealed.push(vec![edit.clone()]);
        }
        match session.bundle(sealed.clone()) {
            Ok(bundle) => {
                self.in_flight = Some(Flight { bundle, edits: sealed, seal: seal.map(|(_, says)| says) });
            }
            Err(SendError::Backlogged | SendError::TooManyRequests) => {
                if !edits.is_empty() {
                    self.queue.push_front(edits);
                }
                return false;
            }
            Err(error) => self.start_over(now, "a bundle", &error.to_string()),
        }
        true
    }

    /// The switch holds what it was to hold.
    fn reached(&mut self, now: Instant) {
        let Some(Target { revision, .. }) = self.target.take() else { return };
        self.events.push_back(SwitchEvent::Acknowledged { revision });
        let due = self.counted.map_or(now, |last| now.max(last + COUNT_EVERY));
        self.count_due.get_or_insert(due);
    }

    fn compare(&mut self, now: Instant, desired: &Desired, session: &mut Session) {
        let requests = [
            MultipartRequest::Groups(GroupId::ALL),
            MultipartRequest::Meters(MeterId::ALL),
            MultipartRequest::Flows(FlowFilter::default()),
        ];
        let mut awaited = Vec::new();
        for request in requests {
            match session.request(request) {
                Ok(xid) => awaited.push(xid),
                Err(error) => return self.start_over(now, "the request to read back", &error.to_string()),
            }
        }
        self.inspection = None;
        self.seal.mend();
        self.reading = Some(Reading { comparison: Comparison::new(desired, self.seal.place()), awaited });
    }

    fn part(&mut self, now: Instant, xid: Xid, reply: MultipartReply, more: bool) {
        if let Some(inspection) = &mut self.inspection
            && inspection.takes(xid)
        {
            inspection.part(xid, &reply, more);
            return self.finish_inspection();
        }
        if self.counting == Some(xid) {
            if let MultipartReply::TableStats(tables) = reply {
                self.events.push_back(SwitchEvent::Flows(active(&tables)));
            }
            self.counting = self.counting.filter(|_| more);
            return;
        }
        if let Some(dump) = self.dump.as_mut().filter(|dump| dump.xid == xid) {
            if let MultipartReply::Flows(flows) = reply {
                dump.flows.push(flows);
            }
            if !more {
                self.finish_dump();
            }
            return;
        }
        let Some(reading) = self.reading.as_mut().filter(|reading| reading.awaited.contains(&xid)) else { return };
        match reply {
            MultipartReply::Flows(flows) => reading.comparison.flows(&flows),
            MultipartReply::Groups(groups) => reading.comparison.groups(&groups),
            MultipartReply::Meters(meters) => reading.comparison.meters(meters),
            _ => {}
        }
        if !more {
            reading.awaited.retain(|awaited| *awaited != xid);
        }
        if reading.awaited.is_empty()
            && let Some(reading) = self.reading.take()
        {
            self.finish_reading(now, reading.comparison);
        }
    }

    fn finish_reading(&mut self, now: Instant, comparison: Comparison) {
        self.target = Some(Target { revision: comparison.revision, digest: comparison.digest });
        self.seal.hold(comparison.sealed);
        let (edits, repair) = comparison.finish();
        if self.compared && !repair.is_clean() {
            self.repaired(now);
        }
        if !repair.is_clean() {
            self.events.push_back(SwitchEvent::Repaired(repair));
        }
        self.compared = true;
        self.restoring = true;
        if !self.in_doubt {
            self.audit_due = Some(now + self.audit_interval);
        }
        self.enqueue(edits);
    }

    fn finish_inspection(&mut self) {
        if let Some(inspection) = self.inspection.take_if(|inspection| inspection.is_done()) {
            let held = inspection.held();
            self.seal.hold(inspection.sum());
            self.want(Occasion::Connected { held });
        }
    }

    /// Somebody who keeps changing our flows must not keep us busy: repairs in quick succession wait longer and longer.
    fn repaired(&mut self, now: Instant) {
        let calm = self.last_repair.is_none_or(|last| now.duration_since(last) > CALM);
        self.repair_delay = if calm { SETTLE } else { (self.repair_delay * 2).min(PAUSE.1) };
        self.last_repair = Some(now);
    }

    /// How long changes by others may gather now.
    fn settle_time(&self, now: Instant) -> Duration {
        let calm = self.last_repair.is_none_or(|last| now.duration_since(last) > CALM);
        if calm { SETTLE } else { self.repair_delay }
    }

    fn enqueue(&mut self, mut edits: Edits) {
        while !edits.is_empty() {
            self.queue.push_back(edits.take_first(BUNDLE_EDITS_MAX));
        }
    }

    /// The switch refused a bundle: goes on without the edit that caused it, or compares anew after a pause. It does not
    /// hold what it should now, and must not say so.
    fn rejected(&mut self, now: Instant, flight: Flight, rejection: &Rejection) {
        let error = rejection.error.code.to_string();
        let Flight { mut edits, seal, .. } = flight;
        self.seal.break_up();
        let sealed = edits.len();
        let Some((index, refused)) = rejection.edit.and_then(|index| Some((index, edits.remove(index)?))) else {
            return self.start_over(now, "a bundle", &error);
        };
        if seal.is_some() && index + 1 != sealed {
            edits.remove(sealed - 2);
        }
        self.refuse(&refused, error);
        self.refusals += 1;
        if !self.restoring {
            // A step from a state that the switch should be in was refused: perhaps it is in another.
            self.doubt(now, self.settle_time(now));
        }
        if self.refusals > REFUSALS_MAX {
            self.start_over(now, "too many edits", "the switch refuses one after the other");
        } else if !edits.is_empty() {
            self.queue.push_front(edits);
        }
    }

    fn failed(&mut self, now: Instant, xid: Xid, error: &str) {
        if let Some(inspection) = &mut self.inspection
            && inspection.takes(xid)
        {
            inspection.end(xid);
            self.finish_inspection();
        } else if self.counting == Some(xid) {
            self.counting = None;
        } else if self.dump.as_ref().is_some_and(|dump| dump.xid == xid) {
            self.finish_dump();
        } else if let Some(reading) = self.reading.as_mut().filter(|reading| reading.awaited.contains(&xid)) {
            reading.awaited.clear();
            self.reading = None;
            self.start_over(now, "the request to read back", error);
        }
    }

    /// Compares anew after a pause that grows each time.
    fn start_over(&mut self, now: Instant, what: &str, error: &str) {
        self.refuse_bundle(what, error);
        self.queue.clear();
        self.target = None;
        self.refusals = 0;
        self.seal.break_up();
        self.in_doubt = true;
        self.audit_due = Some(now + self.pause);
        self.pause = (self.pause * 2).min(PAUSE.1);
    }

    fn refuse(&mut self, edit: &EncodedEdit, error: String) {
        let text = edit.decode().map_or_else(|error| error.to_string(), |edit| format!("{edit:?}"));
        self.events.push_back(SwitchEvent::Refused(Refusal { cookie: edit.cookie(), edit: text, error }));
    }

    fn refuse_bundle(&mut self, what: &str, error: &str) {
        let refusal = Refusal { cookie: None, edit: what.to_owned(), error: error.to_owned() };
        self.events.push_back(SwitchEvent::Refused(refusal));
    }

    /// The switch may hold something else than it should: it is compared soon, and its seal is broken until then.
    fn doubt(&mut self, now: Instant, delay: Duration) {
        let due = now + delay;
        self.audit_due = Some(self.audit_due.map_or(due, |already| already.min(due)));
        self.in_doubt = true;
        self.seal.break_up();
    }

    fn count(&mut self, now: Instant, session: &mut Session) {
        self.counted = Some(now);
        if self.counting.is_none() {
            self.counting = session.request(MultipartRequest::TableStats).ok();
        }
    }

    fn start_dump(&mut self, session: &mut Session) {
        if self.dump.is_some() {
            return;
        }
        let Some(ticket) = self.dumps.front().copied() else { return };
        if let Ok(xid) = session.request(MultipartRequest::Flows(FlowFilter::default())) {
            self.dumps.pop_front();
            self.dump = Some(Dumping { ticket, xid, flows: Vec::new() });
        }
    }

    fn finish_dump(&mut self) {
        if let Some(Dumping { ticket, flows, .. }) = self.dump.take() {
            self.events.push_back(SwitchEvent::Dumped(crate::Dump { ticket, flows }));
        }
    }
}

/// Whether somebody else changed flows; our own changes come abbreviated.
const fn is_foreign(update: &FlowUpdate) -> bool {
    !matches!(update, FlowUpdate::Initial(_) | FlowUpdate::Abbreviated(_) | FlowUpdate::Paused)
}
