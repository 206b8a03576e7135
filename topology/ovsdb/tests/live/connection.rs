//! A socket, a session and a mirror, driven by blocking reads.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use weir_ovsdb::{
    BridgeNames, CloseReason, Event, Fact, FrameLimits, Framer, Message, Mirror, Operation, OperationResult, Plan,
    Session, SessionConfig, TransactError, TransactionId, Wanted, plan,
};

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(10);

trait Stream: Read + Write {
    fn limit(&self, timeout: Duration);
}

impl Stream for UnixStream {
    fn limit(&self, timeout: Duration) {
        self.set_read_timeout(Some(timeout)).expect("a time-out");
    }
}

impl Stream for std::net::TcpStream {
    fn limit(&self, timeout: Duration) {
        self.set_read_timeout(Some(timeout)).expect("a time-out");
    }
}

type Outcome = Result<Vec<OperationResult>, TransactError>;

pub(crate) struct Connection {
    stream: Box<dyn Stream>,
    session: Session,
    pub(crate) mirror: Mirror,
    pub(crate) facts: Vec<Fact>,
    outcomes: BTreeMap<TransactionId, Outcome>,
    pub(crate) closed: Option<CloseReason>,
    /// How often the peer has asked for an echo, by its own framing.
    listener: Framer,
    pub(crate) echoes_asked: usize,
    pub(crate) echoes_answered: usize,
    /// The peer has closed the connection.
    pub(crate) ended: bool,
}

impl Connection {
    /// Dials the database's socket.
    pub(crate) fn dial(socket: &Path) -> Self {
        Self::dial_with(socket, Mirror::default(), SessionConfig::default())
    }

    /// Dials the database's socket and compares with what was known before.
    pub(crate) fn dial_with(socket: &Path, former: Mirror, config: SessionConfig) -> Self {
        let stream = UnixStream::connect(socket).expect("the database listens");
        Self::over(Box::new(stream), former, config)
    }

    /// Accepts the database's own connection.
    pub(crate) fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("the database dials");
        Self::over(Box::new(stream), Mirror::new(BridgeNames::default()), SessionConfig::default())
    }

    fn over(stream: Box<dyn Stream>, mirror: Mirror, config: SessionConfig) -> Self {
        Self {
            stream,
            session: Session::new(Instant::now(), config),
            mirror,
            facts: Vec::new(),
            outcomes: BTreeMap::new(),
            closed: None,
            listener: Framer::new(FrameLimits::default()),
            echoes_asked: 0,
            echoes_answered: 0,
            ended: false,
        }
    }

    /// Moves bytes until something is found.
    pub(crate) fn until<T>(&mut self, what: &str, mut found: impl FnMut(&mut Self) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.settle();
            if let Some(value) = found(self) {
                return value;
            }
            assert!(!self.ended, "the connection ended while waiting for {what}");
            assert!(self.closed.is_none(), "{:?} while waiting for {what}", self.closed);
            assert!(Instant::now() < deadline, "waited in vain for {what}");
            self.read(deadline);
        }
    }

    pub(crate) fn until_ready(&mut self) {
        self.until("the first rows", |connection| {
            connection.mirror.host().filter(|_| connection.session.is_ready()).map(|_| ())
        });
    }

    pub(crate) fn send(&mut self, operations: &[Operation]) -> TransactionId {
        self.session.transact(Instant::now(), operations).expect("the session takes it")
    }

    pub(crate) fn transact(&mut self, operations: &[Operation]) -> Outcome {
        let id = self.send(operations);
        self.outcome(id)
    }

    pub(crate) fn outcome(&mut self, id: TransactionId) -> Outcome {
        self.until("a reply", |connection| connection.outcomes.remove(&id))
    }

    /// Carries a plan out and waits for ovs-vswitchd to have done the same.
    pub(crate) fn provision(&mut self, wanted: &Wanted) -> Plan {
        let plan = plan(&self.mirror, wanted);
        self.carry_out(&plan);
        plan
    }

    pub(crate) fn carry_out(&mut self, plan: &Plan) {
        let results = self.transact(&plan.operations).unwrap_or_else(|error| panic!("{error}; plan: {plan:#?}"));
        assert_eq!(results.len(), plan.operations.len());
        let next_cfg = plan.next_cfg(&results).expect("a configuration number");
        self.until("ovs-vswitchd", |connection| connection.mirror.has_applied(next_cfg).then_some(()));
    }

    fn settle(&mut self) {
        self.session.handle_timeout(Instant::now());
        while let Some(bytes) = self.session.poll_transmit() {
            // A peer that has gone is noticed by the next read.
            let _ = self.stream.write_all(&bytes);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Rows { rows, .. } => {
                    let facts = self.mirror.replace(&rows).expect("rows that fit");
                    self.facts.extend(facts);
                }
                Event::Update(rows) => {
                    let facts = self.mirror.apply(&rows).expect("rows that fit");
                    self.facts.extend(facts);
                }
                Event::Transacted { id, outcome } => {
                    self.outcomes.insert(id, outcome);
                }
                Event::Closed(reason) => self.closed = Some(reason),
            }
        }
    }

    fn read(&mut self, deadline: Instant) {
        let due = self.session.poll_timeout().map_or(deadline, |due| due.min(deadline));
        let wait = due.saturating_duration_since(Instant::now());
        self.stream.limit(wait.max(Duration::from_millis(1)));
        let mut bytes = [0; 65536];
        match self.stream.read(&mut bytes) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.listen(&bytes[..count]);
                self.session.handle_bytes(Instant::now(), &bytes[..count]);
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => self.ended = true,
        }
    }

    fn listen(&mut self, bytes: &[u8]) {
        self.listener.push(bytes);
        while let Ok(Some(frame)) = self.listener.next_frame() {
            match Message::read(&frame) {
                Ok(Message::Request { method, .. }) if method == "echo" => self.echoes_asked += 1,
                Ok(Message::Reply { outcome: Ok(Some(result)), .. }) if result.get() == "[]" => {
                    self.echoes_answered += 1;
                }
                _ => {}
            }
        }
    }
}
