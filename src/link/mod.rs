//! Sockets to sessions and back; nothing here knows what the network is.

pub mod hypervisor;
pub mod openflow;
pub mod ovsdb;
pub mod stream;

use bytes::Buf;
use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// The number of a connection; never used twice in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// Waits until `deadline`, for ever without one.
async fn until(deadline: Option<std::time::Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
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
