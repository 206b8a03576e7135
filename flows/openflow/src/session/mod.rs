//! The controller's side of one connection, without sockets or clocks.
//!
//! ```text
//! loop {
//!     bytes came        -> session.handle_bytes(now, bytes)
//!     the clock is at t -> session.handle_timeout(now)       where t = session.poll_timeout()
//!     while let Some(event) = session.poll_event() { .. }    until there is none
//!     session.poll_transmit(now, &mut buffer)                then write what the socket takes
//! }
//! ```

mod bundles;
mod config;
mod event;
mod handshake;
mod liveness;
mod outgoing;
mod requests;
mod train;
mod window;

pub use config::SessionConfig;
pub use event::{CloseReason, Rejection, SendError, SessionEvent};

use crate::message::{BundleId, ErrorMessage, Hello, Message, MultipartReply};
use crate::{Edits, Frame, MAX_MESSAGE_LEN, MessageKind, VERSION, Xid, split_frame};
use bundles::{Bundles, Outcome};
use bytes::{Bytes, BytesMut};
use handshake::{Handshake, Progress};
use liveness::{Liveness, Pulse};
use outgoing::{Awaits, Outgoing};
use requests::{Answer, Answered, Requests, Sent};
use std::collections::VecDeque;
use std::time::Instant;
use train::{BundleTrain, EditTooLong};

/// The controller's side of one connection to a switch.
///
/// It agrees on OpenFlow 1.5, becomes master, and tells [`SessionEvent::Ready`]; then it takes messages, requests and
/// bundles. Input is read only as events are taken, so events never pile up; output is produced only as the caller's
/// buffer has room.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    stage: Stage,
    input: BytesMut,
    outgoing: Outgoing,
    liveness: Liveness,
    requests: Requests,
    bundles: Bundles,
    events: VecDeque<SessionEvent>,
    next_xid: u32,
    next_bundle: u32,
    backlogged: bool,
}

#[derive(Debug)]
enum Stage {
    Handshake(Handshake),
    Ready,
    Closed,
}

impl Session {
    /// Begins a session on a connection that was just made or accepted.
    #[must_use]
    pub fn new(now: Instant, config: SessionConfig) -> Self {
        let mut session = Self {
            stage: Stage::Handshake(Handshake::new(now + config.handshake_timeout)),
            input: BytesMut::new(),
            outgoing: Outgoing::new(config.window),
            liveness: Liveness::new(now, config.idle, config.probe_timeout),
            requests: Requests::default(),
            bundles: Bundles::default(),
            events: VecDeque::new(),
            next_xid: 1,
            next_bundle: 1,
            backlogged: false,
            config,
        };
        let xid = session.xids(1);
        session.queue(&Message::Hello(Hello::openflow15()), xid);
        session
    }

    /// Takes bytes from the peer. Take all events before giving more.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if matches!(self.stage, Stage::Closed) || bytes.is_empty() {
            return;
        }
        self.input.extend_from_slice(bytes);
        self.liveness.heard(now);
    }

    /// Takes the passing of time; to be called at [`Self::poll_timeout`], and harmless at any other time.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &self.stage {
            Stage::Closed => return,
            Stage::Handshake(handshake) if handshake.deadline <= now => {
                let awaited = handshake.awaited();
                return self.end(CloseReason::HandshakeTimeout { awaited });
            }
            Stage::Handshake(_) => return,
            Stage::Ready => {}
        }
        if let Some(reason) = self.requests.overdue(now) {
            return self.end(reason);
        }
        if let Some(xid) = self.bundles.overdue(now) {
            return self.end(CloseReason::RequestTimeout { kind: MessageKind::BUNDLE_CONTROL, xid });
        }
        match self.liveness.check(now) {
            Pulse::Well => {}
            Pulse::Dead => self.end(CloseReason::Silent),
            Pulse::Probe => {
                let xid = self.xids(1);
                self.urge(&Message::EchoRequest(Bytes::new()), xid);
            }
        }
    }

    /// When to call [`Self::handle_timeout`]; none when the session is over.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Closed => None,
            Stage::Handshake(handshake) => Some(handshake.deadline),
            Stage::Ready => [Some(self.liveness.deadline()), self.requests.deadline(), self.bundles.deadline()]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    /// The next event. None means that all input is read.
    pub fn poll_event(&mut self) -> Option<SessionEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if !self.read_frame() {
                return self.events.pop_front();
            }
        }
    }

    /// Appends bytes for the peer to `out`, up to the high-water mark; returns whether it appended any. After the
    /// session is over it still gives the words of parting, which are worth a try to send.
    pub fn poll_transmit(&mut self, now: Instant, out: &mut BytesMut) -> bool {
        let before = out.len();
        let deadline = now + self.config.request_timeout;
        let (requests, bundles) = (&mut self.requests, &mut self.bundles);
        self.outgoing.fill(out, self.config.high_water, |awaits, given| {
            let sent = Sent { given, deadline };
            match awaits {
                Awaits::Request(xid) => requests.start_clock(xid, sent),
                Awaits::Bundle(base) => bundles.start_clock(base, sent),
            }
        });
        if self.backlogged && self.outgoing.bytes() <= self.config.max_queued_bytes / 2 {
            self.backlogged = false;
            if matches!(self.stage, Stage::Ready) {
                self.events.push_back(SessionEvent::Writable);
            }
        }
        out.len() > before
    }

    /// Whether [`Self::poll_transmit`] would append anything to an empty buffer.
    #[must_use]
    pub fn wants_write(&self) -> bool {
        self.outgoing.has_bytes()
    }

    /// Bytes that wait to be sent, edits of bundles included.
    #[must_use]
    pub const fn queued_bytes(&self) -> usize {
        self.outgoing.bytes()
    }

    /// Whether bytes of the peer are welcome; false while as many as the longest message have come and the events
    /// within were not taken.
    #[must_use]
    pub fn wants_read(&self) -> bool {
        !self.is_closed() && self.input.len() <= MAX_MESSAGE_LEN
    }

    /// Whether the session is ready for messages.
    #[must_use]
    pub const fn is_ready(&self) -> bool {
        matches!(self.stage, Stage::Ready)
    }

    /// Whether the session is over.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed)
    }

    /// Ends the session, because the connection ended ([`CloseReason::Disconnected`]) or the user wants it. What came
    /// before is read first.
    pub fn close(&mut self, reason: CloseReason) {
        while self.read_frame() {}
        self.end(reason);
    }

    /// Sends a message that nothing answers but an error. Packet-outs and resumed packets go before all else; other
    /// messages in the order given.
    ///
    /// # Errors
    /// The session is not ready, too much waits to be sent, or the message is too long.
    pub fn send(&mut self, message: impl Into<Message>) -> Result<Xid, SendError> {
        let message = message.into();
        self.admit(0)?;
        let urgent = matches!(message, Message::PacketOut(_) | Message::Resume(_));
        if urgent && self.outgoing.urgent_bytes() >= self.config.max_urgent_bytes {
            self.backlogged = true;
            return Err(SendError::Backlogged);
        }
        let xid = self.xids(1);
        if urgent {
            self.outgoing.push_urgent(&message, xid)?;
        } else {
            self.outgoing.push(&message, xid)?;
        }
        Ok(xid)
    }

    /// Sends a request; the time to answer it counts from when it is taken for sending. Its answer comes as [`SessionEvent::Reply`], or in parts as [`SessionEvent::Part`] each; a
    /// refusal comes as [`SessionEvent::Failed`].
    ///
    /// # Errors
    /// As [`Self::send`]; too many requests await answers; or nothing answers such a message.
    pub fn request(&mut self, message: impl Into<Message>) -> Result<Xid, SendError> {
        let message = message.into();
        let answer = Answer::of(&message).ok_or(SendError::Unanswered)?;
        self.ask(&message, answer)
    }

    /// Sends a request whose parts are gathered into one [`SessionEvent::Collected`]; for small replies.
    ///
    /// # Errors
    /// As [`Self::request`].
    pub fn collect(&mut self, message: impl Into<Message>) -> Result<Xid, SendError> {
        let message = message.into();
        let answer = match Answer::of(&message).ok_or(SendError::Unanswered)? {
            Answer::Parts(kind) => Answer::Collected { kind, parts: Vec::new(), bytes: 0 },
            single => single,
        };
        self.ask(&message, answer)
    }

    fn ask(&mut self, message: &Message, answer: Answer) -> Result<Xid, SendError> {
        self.admit(0)?;
        if self.requests.len() >= self.config.max_requests {
            return Err(SendError::TooManyRequests);
        }
        let xid = self.xids(1);
        self.outgoing.push_request(message, xid)?;
        self.requests.push(xid, message.kind(), answer);
        Ok(xid)
    }

    /// Applies edits as one: wholly and in this order, or not at all. [`SessionEvent::BundleCommitted`] or
    /// [`SessionEvent::BundleRejected`] tells which.
    ///
    /// The bundle is committed only after the switch answered that it took every edit, since Open vSwitch would commit
    /// a bundle without those that it refused. Meters cannot be in a bundle of Open vSwitch: they are set before it
    /// and deleted after it. What is sent later waits until the bundle was committed or discarded, except packet-outs,
    /// resumed packets and echoes.
    ///
    /// # Errors
    /// As [`Self::send`]; too many bundles await their fate.
    pub fn bundle(&mut self, edits: impl Into<Edits>) -> Result<BundleId, SendError> {
        self.admit(0)?;
        if self.bundles.len() >= self.config.max_requests {
            return Err(SendError::TooManyRequests);
        }
        let bundle = BundleId(self.next_bundle);
        let mut train =
            BundleTrain::new(bundle, edits.into()).map_err(|EditTooLong(length)| SendError::TooLong { length })?;
        self.admit(train.bytes())?;
        let base = self.xids(train.xids().count());
        train.number(base);
        self.next_bundle = self.next_bundle.checked_add(1).unwrap_or(1);
        self.bundles.push(bundle, train.xids());
        self.outgoing.push_bundle(train);
        Ok(bundle)
    }

    /// Refuses what may not be sent.
    fn admit(&mut self, bytes: usize) -> Result<(), SendError> {
        if !self.is_ready() {
            return Err(SendError::NotReady);
        }
        let waiting = self.outgoing.bytes();
        if waiting > 0 && waiting + bytes > self.config.max_queued_bytes {
            self.backlogged = true;
            return Err(SendError::Backlogged);
        }
        Ok(())
    }

    /// The first of `count` xids in a row that nothing awaits; 0 is the switch's own.
    fn xids(&mut self, count: u32) -> Xid {
        loop {
            let first = self.next_xid;
            let Some(next) = first.checked_add(count) else {
                self.next_xid = 1;
                continue;
            };
            let last = next - 1;
            if self.requests.overlaps(Xid(first), Xid(last)) || self.bundles.overlaps(Xid(first), Xid(last)) {
                self.next_xid = next;
                continue;
            }
            self.next_xid = next;
            return Xid(first);
        }
    }

    /// Queues a message of the session itself.
    fn queue(&mut self, message: &Message, xid: Xid) {
        self.outgoing.push(message, xid).expect("the session's own messages are short");
    }

    /// Queues a message of the session itself that goes before all others.
    fn urge(&mut self, message: &Message, xid: Xid) {
        self.outgoing.push_urgent(message, xid).expect("the session's own messages are no longer than the peer's");
    }

    fn end(&mut self, reason: CloseReason) {
        if matches!(self.stage, Stage::Closed) {
            return;
        }
        self.stage = Stage::Closed;
        self.input.clear();
        self.outgoing.clear();
        self.events.push_back(SessionEvent::Closed(reason));
    }

    /// Reads one message of the input; false if there is none.
    fn read_frame(&mut self) -> bool {
        if matches!(self.stage, Stage::Closed) {
            return false;
        }
        match split_frame(&mut self.input) {
            Ok(None) => false,
            Ok(Some(frame)) => {
                self.take_frame(frame);
                true
            }
            Err(error) => {
                self.end(CloseReason::Frame(error));
                true
            }
        }
    }

    fn take_frame(&mut self, Frame { header, body }: Frame) {
        let greeting = matches!(header.kind, MessageKind::HELLO | MessageKind::ERROR);
        if header.version != VERSION && !greeting {
            return self.end(CloseReason::WrongVersion { kind: header.kind, version: header.version });
        }
        let message = match Message::decode(header, body) {
            Ok(message) => message,
            Err(error) => {
                return self.end(CloseReason::Decode { kind: header.kind, xid: header.xid, error });
            }
        };
        match &mut self.stage {
            Stage::Closed => {}
            Stage::Handshake(handshake) => {
                let progress = handshake.take(header.xid, message, header.length, &self.config);
                self.advance(header.xid, progress);
            }
            Stage::Ready => self.take_message(header.xid, message, header.length),
        }
    }

    fn advance(&mut self, xid: Xid, progress: Progress) {
        match progress {
            Progress::Wait => {}
            Progress::Echo(reply) => self.urge(&reply, xid),
            Progress::Ask(questions) => {
                let mut steps = Vec::with_capacity(questions.len());
                for (step, question) in questions {
                    let xid = self.xids(1);
                    self.queue(&question, xid);
                    steps.push((xid, step));
                }
                if let Stage::Handshake(handshake) = &mut self.stage {
                    handshake.asked(steps);
                }
            }
            Progress::Ready(event) => {
                self.stage = Stage::Ready;
                self.events.push_back(event);
            }
            Progress::Fail(reason, parting) => {
                self.end(reason);
                if let Some((version, refusal)) = parting {
                    self.outgoing.part(version, &refusal, xid);
                }
            }
        }
    }

    fn take_message(&mut self, xid: Xid, message: Message, length: u16) {
        let event = match message {
            Message::EchoRequest(data) => return self.urge(&Message::EchoReply(data), xid),
            Message::EchoReply(data) => return self.take_echo(xid, data, length),
            Message::Error(error) => return self.take_error(xid, error),
            Message::PacketIn(packet) | Message::PacketIn2(packet) => SessionEvent::PacketIn(packet),
            Message::PortStatus(status) => SessionEvent::PortStatus(status),
            Message::FlowRemoved(removed) => SessionEvent::FlowRemoved(removed),
            Message::RoleStatus(status) => SessionEvent::RoleStatus(status),
            Message::BundleControl(control) => {
                let outcome = self.bundles.controlled(xid, control.kind);
                if outcome == Outcome::NotOurs {
                    return self.take_answer(xid, Message::BundleControl(control), length);
                }
                return self.settle(outcome, MessageKind::BUNDLE_CONTROL);
            }
            Message::BarrierReply => {
                let outcome = self.bundles.barrier(xid);
                if outcome == Outcome::NotOurs {
                    return self.take_answer(xid, Message::BarrierReply, length);
                }
                return self.settle(outcome, MessageKind::BARRIER_REPLY);
            }
            message => return self.take_answer(xid, message, length),
        };
        self.events.push_back(event);
    }

    /// Takes the answer to a mark, a probe or the user's own echo.
    fn take_echo(&mut self, xid: Xid, data: Bytes, length: u16) {
        let Some(read) = self.outgoing.confirm(xid, &data) else {
            return self.take_answer(xid, Message::EchoReply(data), length);
        };
        let deadline = self.liveness.last_heard() + self.config.request_timeout;
        self.requests.confirmed(read, deadline);
        self.bundles.confirmed(read, deadline);
    }

    fn take_answer(&mut self, xid: Xid, message: Message, length: u16) {
        let limit = self.config.max_collected_bytes;
        let deadline = self.liveness.last_heard() + self.config.request_timeout;
        match self.requests.answered(xid, message, length, limit, deadline) {
            Err(reason) => self.end(reason),
            Ok(Answered::Noted) => {}
            Ok(Answered::Event(event)) => self.events.push_back(event),
            Ok(Answered::Unasked(Message::MultipartReply { reply: MultipartReply::Monitor(updates), .. })) => {
                self.events.push_back(SessionEvent::FlowUpdates(updates));
            }
            // The answer to a probe has done its work by coming; a second hello says nothing new.
            Ok(Answered::Unasked(Message::EchoReply(_) | Message::Hello(_))) => {}
            Ok(Answered::Unasked(message)) => self.events.push_back(SessionEvent::Unsolicited { xid, message }),
        }
    }

    fn take_error(&mut self, xid: Xid, error: ErrorMessage) {
        let outcome = self.bundles.failed(xid, &error);
        if outcome != Outcome::NotOurs {
            return self.settle(outcome, MessageKind::ERROR);
        }
        let kind = self.requests.failed(xid).or_else(|| error.cause().map(|header| header.kind));
        self.events.push_back(SessionEvent::Failed { xid, kind, error });
    }

    fn settle(&mut self, outcome: Outcome, kind: MessageKind) {
        match outcome {
            Outcome::NotOurs | Outcome::Noted => {}
            Outcome::Release { base, commit } => self.outgoing.release(base, commit),
            Outcome::Decided(event) => self.events.push_back(event),
            Outcome::Unexpected(awaited) => self.end(CloseReason::Unexpected { kind, awaited }),
        }
    }
}
