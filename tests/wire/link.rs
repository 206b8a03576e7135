//! A session over a real socket.

use bytes::BytesMut;
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};
use weir_openflow::session::{Session, SessionConfig, SessionEvent};

/// How long anything may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(10);

/// A session over a real socket.
pub(crate) struct Link {
    pub(crate) session: Session,
    socket: TcpStream,
    output: BytesMut,
}

/// A listener for one switch, and the target by which the switch reaches it.
pub(crate) fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let target = format!("tcp:{}", listener.local_addr().expect("an address"));
    (listener, target)
}

impl Link {
    /// Takes the connection of a switch.
    pub(crate) fn accept(listener: &TcpListener, config: SessionConfig) -> Self {
        listener.set_nonblocking(false).expect("a blocking listener");
        let (socket, _) = listener.accept().expect("a switch that connects");
        socket.set_nodelay(true).expect("a socket without delay");
        Self { session: Session::new(Instant::now(), config), socket, output: BytesMut::new() }
    }

    /// Exchanges bytes until an event is one that `wanted` takes; others are dropped.
    pub(crate) fn until<T>(&mut self, mut wanted: impl FnMut(SessionEvent) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut input = vec![0; 1 << 16];
        self.socket.set_read_timeout(Some(Duration::from_millis(2))).expect("a read timeout");
        loop {
            while let Some(event) = self.session.poll_event() {
                let text = format!("{event:?}");
                if let Some(found) = wanted(event) {
                    return found;
                }
                assert!(!self.session.is_closed(), "the session ended: {text}");
            }
            assert!(Instant::now() < deadline, "the event did not come");
            while self.session.poll_transmit(Instant::now(), &mut self.output) {
                let _ = self.socket.write_all(&self.output);
                self.output.clear();
            }
            match self.socket.read(&mut input) {
                Ok(0) => {
                    self.session.close(weir_openflow::session::CloseReason::Disconnected("end of stream".to_owned()));
                }
                Ok(length) => self.session.handle_bytes(Instant::now(), &input[..length]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    self.session.handle_timeout(Instant::now());
                }
                Err(error) => panic!("the socket failed: {error}"),
            }
        }
    }

    /// Exchanges bytes until the switch is ready.
    pub(crate) fn ready(&mut self) -> Vec<weir_openflow::message::Port> {
        self.until(|event| match event {
            SessionEvent::Ready { ports, .. } => Some(ports),
            _ => None,
        })
    }
}
