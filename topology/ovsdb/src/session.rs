//! One connection to a hypervisor's database, without I/O.

use crate::frame::{Frame, FrameError, FrameLimits, Framer};
use crate::operation::{Operation, OperationKind, OperationResult, TransactError, TransactParams, read_results};
use crate::rpc::{Message, Outgoing, OutgoingReply, Position, RpcError, read_part};
use crate::schema::{SchemaError, SchemaVersion, check_schema};
use crate::table::needed_tables;
use crate::update::{RowChange, read_updates};
use bytes::Bytes;
use serde::Serialize;
use serde::de::IgnoredAny;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The name given to the one monitor of a session.
const MONITOR: &str = "weir";

/// The database of Open vSwitch.
const DATABASE: &str = "Open_vSwitch";

/// The longest transaction, so that one request cannot hold up the server for long.
const MAX_OPERATIONS: usize = 10_000;

/// The deadlines of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Silence before the peer is probed by an echo.
    pub probe: Duration,
    /// Silence after the probe before the peer counts as dead.
    pub dead: Duration,
    /// From the start to the first rows.
    pub handshake: Duration,
    /// From a request to its reply.
    pub reply: Duration,
}

impl Default for Timing {
    /// 5 s to a probe and 5 s more to the end, as Open vSwitch does; 30 s for the first rows,
    /// 60 s for any reply.
    fn default() -> Self {
        Self {
            probe: Duration::from_secs(5),
            dead: Duration::from_secs(5),
            handshake: Duration::from_secs(30),
            reply: Duration::from_secs(60),
        }
    }
}

/// The bounds of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Deadlines.
    pub timing: Timing,
    /// Bounds on one message from the peer.
    pub frames: FrameLimits,
    /// The most transactions without a reply.
    pub outstanding: usize,
    /// The most bytes waiting to be sent.
    pub unsent: usize,
}

impl Default for SessionConfig {
    /// 64 transactions, 64 MiB unsent.
    fn default() -> Self {
        Self { timing: Timing::default(), frames: FrameLimits::default(), outstanding: 64, unsent: 64 << 20 }
    }
}

/// Names a transaction of one session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransactionId(pub u64);

/// What a session tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is done. Every row of every monitored table: replaces what was known.
    Rows {
        /// The version of the peer's schema.
        version: SchemaVersion,
        /// The rows, each [`Change::Initial`](crate::Change::Initial).
        rows: Vec<RowChange>,
    },
    /// Rows changed, all by one transaction. Comes before [`Event::Transacted`] when the
    /// transaction was our own.
    Update(Vec<RowChange>),
    /// A transaction was carried out or failed.
    Transacted {
        /// Which one.
        id: TransactionId,
        /// One result for each operation, or why nothing changed.
        outcome: Result<Vec<OperationResult>, TransactError>,
    },
    /// The session is over: close the connection. The last event.
    Closed(CloseReason),
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The peer sent something that is no stream of JSON objects.
    #[error("malformed stream: {0}")]
    Frame(#[from] FrameError),
    /// The peer sent a message that means nothing.
    #[error("malformed message: {0}")]
    Message(#[from] RpcError),
    /// The peer does not have the database of Open vSwitch.
    #[error("the peer has no database Open_vSwitch (it has: {})", .0.join(", "))]
    NoDatabase(Vec<String>),
    /// The database is not as Weir needs it.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// The peer refused a request of the handshake.
    #[error("the peer refused {method}: {error}")]
    Refused {
        /// The request.
        method: &'static str,
        /// The error as the peer wrote it.
        error: String,
    },
    /// The peer ended the monitor.
    #[error("the peer canceled the monitor")]
    MonitorCanceled,
    /// Nothing came back within the deadline of the probe.
    #[error("the peer did not answer a probe for {0:?}")]
    Dead(Duration),
    /// The handshake took too long.
    #[error("the first rows did not come within {0:?}")]
    Handshake(Duration),
    /// A reply took too long.
    #[error("no reply to {method} within {after:?}")]
    NoReply {
        /// The request.
        method: &'static str,
        /// The deadline.
        after: Duration,
    },
    /// Too many bytes wait to be sent.
    #[error("{0} bytes wait for a peer that does not read")]
    NotReading(usize),
}

/// Why a transaction was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The first rows are not here yet, or the session is over.
    #[error("the session is not ready")]
    NotReady,
    /// Too many transactions wait for their replies.
    #[error("{0} transactions wait for their replies")]
    TooMany(usize),
    /// Too many operations.
    #[error("a transaction of {0} operations is too long")]
    TooLong(usize),
}

/// A request without a reply yet.
#[derive(Debug)]
enum Request {
    ListDatabases,
    GetSchema,
    Monitor(SchemaVersion),
    Transact(Vec<OperationKind>),
    Echo,
}

impl Request {
    const fn method(&self) -> &'static str {
        match self {
            Self::ListDatabases => "list_dbs",
            Self::GetSchema => "get_schema",
            Self::Monitor(_) => "monitor_cond",
            Self::Transact(_) => "transact",
            Self::Echo => "echo",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshake { until: Instant },
    Ready,
    Closed,
}

/// One connection to a hypervisor's database. Feed it bytes and the time; send what
/// [`poll_transmit`](Self::poll_transmit) gives; act on [`poll_event`](Self::poll_event); call
/// [`handle_timeout`](Self::handle_timeout) when [`poll_timeout`](Self::poll_timeout) is due.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    framer: Framer,
    state: State,
    /// By id, so in the order sent.
    requests: BTreeMap<u64, (Instant, Request)>,
    next_id: u64,
    heard: Instant,
    probed: Option<Instant>,
    unsent: VecDeque<Bytes>,
    unsent_bytes: usize,
    events: VecDeque<Event>,
}

impl Session {
    /// A session over a connection that has just been made, by either side.
    pub fn new(now: Instant, config: SessionConfig) -> Self {
        let mut session = Self {
            config,
            framer: Framer::new(config.frames),
            state: State::Handshake { until: now + config.timing.handshake },
            requests: BTreeMap::new(),
            next_id: 0,
            heard: now,
            probed: None,
            unsent: VecDeque::new(),
            unsent_bytes: 0,
            events: VecDeque::new(),
        };
        session.request(now, Request::ListDatabases, json!([]));
        session.request(now, Request::GetSchema, [DATABASE]);
        session
    }

    /// Takes bytes from the peer.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.state == State::Closed {
            return;
        }
        if !bytes.is_empty() {
            self.heard = now;
            self.probed = None;
        }
        self.framer.push(bytes);
        while self.state != State::Closed {
            let outcome = match self.framer.next_frame() {
                Ok(None) => break,
                Ok(Some(frame)) => self.handle_frame(now, &frame),
                Err(error) => Err(error.into()),
            };
            if let Err(reason) = outcome {
                self.close(reason);
            }
        }
    }

    /// Acts on every deadline that has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let timing = self.config.timing;
        match self.state {
            State::Closed => return,
            State::Handshake { until } if now >= until => {
                return self.close(CloseReason::Handshake(timing.handshake));
            }
            State::Handshake { .. } | State::Ready => {}
        }
        let overdue =
            self.requests.values().find_map(|(sent, request)| (now >= *sent + timing.reply).then(|| request.method()));
        if let Some(method) = overdue {
            let after = timing.reply;
            return self.close(CloseReason::NoReply { method, after });
        }
        match self.probed {
            Some(probed) if now >= probed + timing.dead => {
                self.close(CloseReason::Dead(timing.dead));
            }
            None if now >= self.heard + timing.probe => {
                self.probed = Some(now);
                self.request(now, Request::Echo, json!([]));
            }
            _ => {}
        }
    }

    /// When to call [`handle_timeout`](Self::handle_timeout) next; `None` when the session is
    /// over.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let timing = self.config.timing;
        let silence = match self.probed {
            Some(probed) => probed + timing.dead,
            None => self.heard + timing.probe,
        };
        let reply = self.requests.values().next().map(|(sent, _)| *sent + timing.reply);
        let handshake = match self.state {
            State::Closed => return None,
            State::Handshake { until } => Some(until),
            State::Ready => None,
        };
        [Some(silence), reply, handshake].into_iter().flatten().min()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.unsent.pop_front()?;
        self.unsent_bytes -= bytes.len();
        Some(bytes)
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// How many bytes the search for the ends of messages has looked at: each received byte
    /// once at most, however the bytes arrive.
    pub const fn looked_at(&self) -> u64 {
        self.framer.looked_at()
    }

    /// Whether transactions can be sent.
    pub fn is_ready(&self) -> bool {
        self.state == State::Ready
    }

    /// Sends a transaction. Several may be on their way; each is answered by one
    /// [`Event::Transacted`], unless the session ends before.
    pub fn transact(&mut self, now: Instant, operations: &[Operation]) -> Result<TransactionId, Refused> {
        if self.state != State::Ready {
            return Err(Refused::NotReady);
        }
        if operations.len() > MAX_OPERATIONS {
            return Err(Refused::TooLong(operations.len()));
        }
        let waiting = self.requests.values().filter(|(_, request)| matches!(request, Request::Transact(_))).count();
        if waiting >= self.config.outstanding {
            return Err(Refused::TooMany(waiting));
        }
        let kinds = operations.iter().map(Operation::kind).collect();
        let params = TransactParams { database: DATABASE, operations };
        Ok(TransactionId(self.request(now, Request::Transact(kinds), params)))
    }

    /// Asks the peer to give up a transaction that waits. It is still answered by
    /// [`Event::Transacted`].
    pub fn cancel(&mut self, id: TransactionId) {
        if self.state == State::Ready && self.requests.contains_key(&id.0) {
            self.send(&Outgoing { id: None, method: "cancel", params: [id.0] });
        }
    }

    fn request(&mut self, now: Instant, request: Request, params: impl Serialize) -> u64 {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&Outgoing { id: Some(id), method: request.method(), params });
        self.requests.insert(id, (now, request));
        id
    }

    fn send(&mut self, message: &impl Serialize) {
        let text = serde_json::to_vec(message).expect("messages have string keys only and write to memory");
        self.unsent_bytes += text.len();
        self.unsent.push_back(text.into());
        if self.unsent_bytes > self.config.unsent {
            self.close(CloseReason::NotReading(self.unsent_bytes));
        }
    }

    fn close(&mut self, reason: CloseReason) {
        if self.state == State::Closed {
            return;
        }
        self.state = State::Closed;
        self.requests.clear();
        self.unsent.clear();
        self.unsent_bytes = 0;
        self.events.push_back(Event::Closed(reason));
    }
}

impl Session {
    fn handle_frame(&mut self, now: Instant, frame: &Frame) -> Result<(), CloseReason> {
        match Message::read(frame)? {
            Message::Request { id, method, params } => {
                let echo = method == "echo";
                self.send(&OutgoingReply {
                    id,
                    result: echo.then_some(params),
                    error: (!echo).then_some("unknown method"),
                });
                Ok(())
            }
            Message::Notification { method, params } => self.notified(frame, &method, params),
            Message::Reply { id, outcome } => {
                // A reply that nothing waits for can be the late answer to a cancelled request.
                let request = id
                    .get()
                    .parse()
                    .ok()
                    .and_then(|id: u64| self.requests.remove(&id).map(|(_, request)| (id, request)));
                match request {
                    Some((id, request)) => self.replied(now, frame, id, request, outcome),
                    None => Ok(()),
                }
            }
        }
    }

    fn notified(&mut self, frame: &Frame, method: &str, params: &RawValue) -> Result<(), CloseReason> {
        let (monitor, updates): (&RawValue, &RawValue) = match method {
            "update2" => read_part(frame, params)?,
            "update3" => {
                let (monitor, _transaction, updates): (&RawValue, IgnoredAny, &RawValue) = read_part(frame, params)?;
                (monitor, updates)
            }
            "monitor_canceled" => {
                let [monitor]: [&RawValue; 1] = read_part(frame, params)?;
                return if is_ours(monitor) { Err(CloseReason::MonitorCanceled) } else { Ok(()) };
            }
            // Notes about locks and the like concern nothing that was asked for.
            _ => return Ok(()),
        };
        if !is_ours(monitor) {
            return Ok(());
        }
        let rows = read_updates(frame, updates)?;
        if self.state != State::Ready {
            let fault = "an update before the first rows".to_owned();
            let position = Position { message: frame.offset, within: 0 };
            return Err(RpcError { position, fault }.into());
        }
        self.events.push_back(Event::Update(rows));
        Ok(())
    }

    fn replied(
        &mut self,
        now: Instant,
        frame: &Frame,
        id: u64,
        request: Request,
        outcome: Result<Option<&RawValue>, &RawValue>,
    ) -> Result<(), CloseReason> {
        let outcome = outcome.map(|result| result.unwrap_or(RawValue::NULL));
        if let Request::Transact(kinds) = request {
            let outcome = match outcome {
                Ok(result) => read_results(&kinds, result),
                Err(error) => Err(TransactError::Refused(excerpt(error))),
            };
            let id = TransactionId(id);
            self.events.push_back(Event::Transacted { id, outcome });
            return Ok(());
        }
        if matches!(request, Request::Echo) {
            return Ok(());
        }
        let result =
            outcome.map_err(|error| CloseReason::Refused { method: request.method(), error: excerpt(error) })?;
        match request {
            Request::ListDatabases => {
                let names: Vec<String> = read_part(frame, result)?;
                if !names.iter().any(|name| name == DATABASE) {
                    return Err(CloseReason::NoDatabase(names));
                }
            }
            Request::GetSchema => {
                let version = check_schema(result.get())?;
                let tables: serde_json::Map<_, _> = needed_tables()
                    .iter()
                    .map(|table| {
                        let columns: Vec<_> = table.columns.iter().map(|c| c.name).collect();
                        (table.name.to_owned(), json!([{ "columns": columns }]))
                    })
                    .collect();
                self.request(now, Request::Monitor(version), (DATABASE, MONITOR, tables));
            }
            Request::Monitor(version) => {
                let rows = read_updates(frame, result)?;
                self.state = State::Ready;
                self.events.push_back(Event::Rows { version, rows });
            }
            Request::Transact(_) | Request::Echo => {}
        }
        Ok(())
    }
}

/// Whether a notification is about the session's own monitor.
fn is_ours(monitor: &RawValue) -> bool {
    serde_json::from_str(monitor.get()).is_ok_and(|name: Cow<'_, str>| name == MONITOR)
}

/// The beginning of what the peer wrote, for a message.
fn excerpt(text: &RawValue) -> String {
    text.get().chars().take(200).collect()
}
