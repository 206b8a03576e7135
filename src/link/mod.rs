//! Sockets to sessions and back; nothing here knows what the network is.

pub mod hypervisor;
pub mod openflow;
pub mod ovsdb;
pub mod stream;

use bytes::Buf;
use std::io;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The number of a connection; never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Waits until `deadline`, for ever without one.
async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

/// What the bytes of a connection go to.
trait Peer {
    /// Takes bytes.
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]);

    /// The connection is over.
    fn lost(&mut self, reason: String);
}

/// Takes what was read.
fn take_in(peer: &mut impl Peer, read: io::Result<usize>, input: &[u8]) {
    match read {
        Ok(0) => peer.lost("closed by the other side".to_owned()),
        Ok(length) => peer.handle_bytes(Instant::now(), &input[..length]),
        Err(error) => peer.lost(error.to_string()),
    }
}

/// Takes what came while the task had to wait for its turn: it is a sign of life.
async fn take_what_came(peer: &mut impl Peer, reader: &mut (impl AsyncRead + Unpin), input: &mut [u8]) {
    if let Ok(read) = tokio::time::timeout(Duration::ZERO, reader.read(input)).await {
        take_in(peer, read, input);
    }
}

/// Writes some of `output`, or flushes when it is empty; tells whether everything is on its way. Safe to be dropped
/// before it is done: nothing is lost or written twice.
async fn send(writer: &mut (impl AsyncWrite + Unpin), output: &mut impl Buf) -> io::Result<bool> {
    if output.has_remaining() {
        writer.write_buf(output).await?;
        Ok(false)
    } else {
        writer.flush().await?;
        Ok(true)
    }
}
