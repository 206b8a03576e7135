//! What a session asks of its switch, and its bounds.

use crate::message::PacketInFormat;
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
    /// How long the handshake may take.
    pub handshake_timeout: Duration,
    /// How long a peer may be silent until it is probed by an echo request.
    pub idle: Duration,
    /// How long a probed peer may stay silent until the session ends.
    pub probe_timeout: Duration,
    /// How long a request may go without an answer, or an answer in parts without its next part, until the session
    /// ends. A bundle's clock starts when its last byte was taken for sending.
    pub request_timeout: Duration,
    /// `poll_transmit` fills the buffer of the caller up to this many bytes.
    pub high_water: usize,
    /// The most bytes that wait to be sent, counting messages and the edits of bundles. A message that would pass it
    /// is refused.
    pub max_queued_bytes: usize,
    /// The most bytes of a reply in parts that [`collect`](super::Session::collect) gathers.
    pub max_collected_bytes: usize,
    /// The most events that wait to be taken. More make [`wants_read`](super::Session::wants_read) false.
    pub max_events: usize,
    /// The most requests without an answer.
    pub max_requests: usize,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            generation: 0,
            packet_in_format: PacketInFormat::Nicira2,
            controller_id: 0,
            handshake_timeout: Duration::from_secs(10),
            idle: Duration::from_secs(5),
            probe_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            high_water: 256 * 1024,
            max_queued_bytes: 128 * 1024 * 1024,
            max_collected_bytes: 16 * 1024 * 1024,
            max_events: 4096,
            max_requests: 1024,
        }
    }
}
