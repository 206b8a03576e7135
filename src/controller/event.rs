//! What links tell the controller.

use crate::link::ConnectionId;
use crate::link::openflow::ConnectionEvent;
use crate::link::ovsdb::DatabaseEvent;

/// What links tell the controller.
#[derive(Debug)]
pub enum Event {
    /// A hypervisor's database tells something.
    Database(DatabaseEvent),
    /// A switch's connection tells something.
    Connection(ConnectionId, ConnectionEvent),
}
