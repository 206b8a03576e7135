//! What a session asks of its switch, and its bounds.

use crate::message::{AsyncConfig, PacketInFormat};
use std::time::Duration;

/// What a session asks of its switch, and its bounds.
#[derive(Clone, Debug)]
pub struct SessionConfig {
    /// The number of this controller's election: the switch refuses a master with a smaller one than it has seen.
    pub generation: u64,
    /// The format of packet-ins.
    pub packet_in_format: PacketInFormat,
    /// The number by which `controller` actions name this connection.
    pub controller_id: u16,
    /// Which messages come unasked.
    pub asynchronous: AsyncConfig,
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may be silent until it is probed by an echo request.
    pub idle: Duration,
    /// How long a probed peer may stay silent until the session ends.
    pub probe_timeout: Duration,
    /// How long a request may go without an answer, or an answer in parts without its next part, until the session
    /// ends. Its clock starts when its last byte was taken for sending, and anew whenever the peer confirms that it has read
    /// some of what goes before it; that of a bundle starts again at its commit.
    pub request_timeout: Duration,
    /// The most bytes that the peer may have been given without having confirmed that it has read them. Only urgent
    /// messages may go beyond that. A sixteenth of it is the most that a peer may need to read to be heard again.
    pub window: usize,
    /// `poll_transmit` adds to the buffer of the caller as long as that holds less than this many bytes. The buffer
    /// never grows beyond this by more than the urgent messages and the longest message, 64 KiB.
    pub high_water: usize,
    /// The most bytes that wait to be sent, counting messages and the edits of bundles. A message or bundle that would
    /// pass it is refused, unless nothing else waits.
    pub max_queued_bytes: usize,
    /// The most bytes of packet-outs and resumed packets that wait to be sent, which go before all others: a flood of
    /// packets to answer must not hold up the tables, or fill the memory.
    pub max_urgent_bytes: usize,
    /// The most bytes of a reply in parts that [`collect`](super::Session::collect) gathers, and of the handshake's
    /// list of ports.
    pub max_collected_bytes: usize,
    /// The most requests without an answer, and the most bundles.
    pub max_requests: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            generation: 0,
            packet_in_format: PacketInFormat::Nicira2,
            controller_id: 0,
            asynchronous: AsyncConfig::all(),
            handshake_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            window: 1024 * 1024,
            high_water: 256 * 1024,
            max_queued_bytes: 128 * 1024 * 1024,
            max_urgent_bytes: 256 * 1024,
            max_collected_bytes: 16 * 1024 * 1024,
            max_requests: 1024,
        }
    }
}
