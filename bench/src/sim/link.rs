//! One side of a TCP connection: bytes in, bytes out, without a buffer of its own while nothing moves.

use bytes::{Buf, BytesMut};
use std::cell::RefCell;
use std::io::{self, ErrorKind};
use std::time::Duration;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// Bytes read at once.
const READ: usize = 64 * 1024;

/// Bytes of output beyond which nothing is read, as a switch does not listen to who does not listen to it.
const OUTPUT_MAX: usize = 4 << 20;

/// How a slow side reads: so many bytes, and then it rests.
const SLOW: (usize, Duration) = (1024, Duration::from_millis(20));

thread_local! {
    /// What was read last by any connection of the thread, so that a waiting one has no buffer.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    /// What waits to be sent.
    pub(crate) output: BytesMut,
    slow: bool,
}

impl Link {
    /// A connection that was just made.
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, output: BytesMut::new(), slow: false })
    }

    /// Whether it reads slowly from now on.
    pub(crate) const fn set_slow(&mut self, slow: bool) {
        self.slow = slow;
    }

    /// Waits until bytes can be read or written, and moves them once: those read go to `take`. The connection is over
    /// with an error; one that the other side closed is `UnexpectedEof`.
    pub(crate) async fn pump(&mut self, take: impl FnOnce(&[u8], &mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let interest = match (self.output.is_empty(), self.output.len() > OUTPUT_MAX) {
            (true, _) => Interest::READABLE,
            (_, true) => Interest::WRITABLE,
            _ => Interest::READABLE | Interest::WRITABLE,
        };
        let ready = self.stream.ready(interest).await?;
        if ready.is_writable() && !self.output.is_empty() {
            match self.stream.try_write(&self.output) {
                Ok(sent) => self.output.advance(sent),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            if self.output.is_empty() {
                self.output = BytesMut::new();
            }
        }
        if ready.is_readable() && self.output.len() <= OUTPUT_MAX {
            if self.slow {
                tokio::time::sleep(SLOW.1).await;
            }
            self.read(take)?;
        }
        Ok(())
    }

    fn read(&mut self, take: impl FnOnce(&[u8], &mut BytesMut) -> io::Result<()>) -> io::Result<()> {
        let room = if self.slow { SLOW.0 } else { READ };
        BUFFER.with_borrow_mut(|buffer| match self.stream.try_read(&mut buffer[..room]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => take(&buffer[..length], &mut self.output),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        })
    }
}
