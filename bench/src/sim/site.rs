//! What all hypervisors share.

use super::book::Book;
use super::counts::Counts;
use super::hypervisor::Kind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::watch;

/// What all hypervisors share.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    /// What they are.
    pub(crate) kind: Kind,
    /// The flows of simulated ones.
    pub(crate) book: Arc<Book>,
    /// What simulated ones count.
    pub(crate) counts: Arc<Counts>,
    /// Where the controller takes databases, while it is up.
    pub(crate) gate: Arc<watch::Sender<Option<SocketAddr>>>,
}
