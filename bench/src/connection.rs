//! Weir's session over a blocking socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use weir_openflow::EncodedEdit;
use weir_openflow::session::{Session, SessionConfig, SessionEvent};

use crate::Failure;

/// How long a switch may be silent.
const LIMIT: Duration = Duration::from_secs(120);

/// A session with a switch.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    session: Session,
    input: Vec<u8>,
    output: BytesMut,
}

impl Connection {
    /// Connects and shakes hands.
    ///
    /// # Errors
    /// The switch is not there or does not agree.
    pub fn open(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(LIMIT))?;
        let session = Session::new(Instant::now(), SessionConfig::default());
        let mut connection = Self { stream, session, input: vec![0; 256 << 10], output: BytesMut::new() };
        connection.until(|event| matches!(event, SessionEvent::Ready { .. }).then_some(()))?;
        Ok(connection)
    }

    /// The session.
    pub const fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Sends edits as one atomic bundle and waits until it is in force and a barrier was answered.
    ///
    /// # Errors
    /// The switch refuses it, or goes away.
    pub fn install<'a>(&mut self, edits: impl IntoIterator<Item = &'a EncodedEdit>) -> Result<(), Failure> {
        let bundle = self.session.bundle(edits.into_iter().cloned().collect::<Vec<_>>())?;
        self.until(|event| match event {
            SessionEvent::BundleCommitted { bundle: done, .. } if done == bundle => Some(Ok(())),
            SessionEvent::BundleRejected { rejection, .. } => Some(Err(rejection.to_string().into())),
            _ => None,
        })?
    }

    /// Writes and reads until an event is the one waited for.
    ///
    /// # Errors
    /// The session ends, or the switch is silent too long.
    pub fn until<T>(&mut self, mut wanted: impl FnMut(SessionEvent) -> Option<T>) -> Result<T, Failure> {
        loop {
            while let Some(event) = self.session.poll_event() {
                if let SessionEvent::Closed(reason) = &event {
                    return Err(reason.to_string().into());
                }
                if let Some(value) = wanted(event) {
                    return Ok(value);
                }
            }
            while self.session.wants_write() {
                self.session.poll_transmit(Instant::now(), &mut self.output);
                self.stream.write_all(&self.output)?;
                self.output.clear();
            }
            let length = self.stream.read(&mut self.input)?;
            if length == 0 {
                return Err("the switch hung up".into());
            }
            self.session.handle_bytes(Instant::now(), &self.input[..length]);
        }
    }
}
