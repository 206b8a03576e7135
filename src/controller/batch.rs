//! Commands carried out together, durable together.

use crate::api::{Failure, RequestId};
use tokio::sync::oneshot;
use weir_model::{Commit, Outcome, Topology};

/// Commands carried out in memory and not durable yet.
#[derive(Debug)]
pub struct Batch {
    pub(super) before: Topology,
    /// The topology after each of the commits.
    pub(super) after: Vec<Topology>,
    commits: Vec<Commit>,
    /// Which request asked for each of the commits; none for what the controller found out itself.
    causes: Vec<Option<RequestId>>,
    pub(super) replies: Vec<Reply>,
}

/// A client that waits, and its answer.
pub type Reply = (oneshot::Sender<Result<Outcome, Failure>>, Outcome);

impl Batch {
    /// A batch that begins with `before`.
    pub(super) const fn new(before: Topology) -> Self {
        Self { before, after: Vec::new(), commits: Vec::new(), causes: Vec::new(), replies: Vec::new() }
    }

    /// What must be made durable, in order.
    pub fn take_commits(&mut self) -> Vec<Commit> {
        std::mem::take(&mut self.commits)
    }

    /// Which request asked for each of the commits, in order.
    pub(super) fn take_causes(&mut self) -> Vec<Option<RequestId>> {
        std::mem::take(&mut self.causes)
    }

    /// Whether nothing changed and nobody waits.
    pub fn is_empty(&self) -> bool {
        self.after.is_empty() && self.replies.is_empty()
    }

    pub(super) fn push(&mut self, topology: Topology, commit: Commit, cause: Option<RequestId>) {
        self.after.push(topology);
        self.commits.push(commit);
        self.causes.push(cause);
    }
}
