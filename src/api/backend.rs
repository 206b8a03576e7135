//! What the API is given to work with: a snapshot to read, a queue to write, and how far the hypervisors are.

use arc_swap::ArcSwap;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use weir_model::{Command, HostName, Liveness, Outcome, PortId, Rejection, Topology};

/// A command on its way to the controller, and where to answer it.
///
/// The answer comes after the command is durable, or not at all when the controller ends.
#[derive(Debug)]
pub struct ApiRequest {
    /// Which request asks it.
    pub id: RequestId,
    /// What is asked.
    pub command: Command,
    /// Who waits for the answer; gone when the client has gone.
    pub reply: oneshot::Sender<Result<Outcome, Failure>>,
}

/// What tells a request from all others: its answer has it as `X-Openstack-Request-Id`, and the log names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(Uuid);

impl RequestId {
    /// One that no other request has.
    #[must_use]
    pub fn random() -> Self {
        Self(Uuid::new_v4())
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "req-{}", self.0)
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The model refused it; nothing has changed.
    #[error("{0}")]
    Rejected(Rejection),
    /// It could not be made durable; nothing has changed.
    #[error("the store cannot be written: {0}")]
    Store(String),
    /// The controller is ending.
    #[error("the controller is shutting down")]
    ShuttingDown,
}

/// Where a port's flows have yet to arrive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PortProgress {
    /// The hosts that have not acknowledged the newest flows of the port, in order of name.
    pub waiting_for: Vec<HostName>,
}

/// How a session with a hypervisor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// No session.
    #[default]
    Down,
    /// Connected; what the peer holds is being read.
    Synchronizing,
    /// In step.
    Up,
}

/// One bridge of a hypervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SwitchReport {
    /// The bridge's name.
    pub bridge: String,
    /// Its OpenFlow session.
    pub openflow: LinkState,
    /// The revision that it should show.
    pub wanted_revision: u64,
    /// The revision that it has acknowledged.
    pub acknowledged_revision: u64,
    /// Flows that it holds.
    pub flows: u64,
    /// When it was last read back and compared with what it should hold, in seconds since the Unix epoch; `None` if it
    /// was taken at the word of its seal since the controller started.
    pub compared_at: Option<u64>,
    /// Its newest error; `None` when there was none since it connected.
    pub last_error: Option<String>,
}

/// How many questions of a hypervisor's VMs were answered since the controller started, and why others were not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct AnswerReport {
    /// Answered, by what was asked.
    pub answered: BTreeMap<String, u64>,
    /// Not answered, by the reason.
    pub silent: BTreeMap<String, u64>,
    /// Router advertisements that nobody asked for.
    pub advertised: u64,
    /// Announcements of where routers are.
    pub announced: u64,
    /// Not answered, because the port asks too often.
    pub limited: u64,
    /// Answered, but lost because the switch was behind.
    pub dropped: u64,
    /// Asked by a switch that the port is not bound to.
    pub foreign: u64,
    /// Packets that ask nothing that the pipeline asks.
    pub unreadable: u64,
}

/// One hypervisor as the controller sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostReport {
    /// Its name, as `binding:host_id` uses it.
    pub name: HostName,
    /// `external_ids:system-id` of its database.
    pub system_id: String,
    /// Its tunnel endpoint; `None` if it has not named one.
    pub encap_ip: Option<IpAddr>,
    /// Whether its sessions are up.
    #[serde(serialize_with = "liveness")]
    pub liveness: Liveness,
    /// Its database session.
    pub ovsdb: LinkState,
    /// Its bridges.
    pub switches: Vec<SwitchReport>,
    /// What its VMs were answered.
    pub answers: AnswerReport,
    /// Its newest error outside of any bridge.
    pub last_error: Option<String>,
    /// Seconds since `liveness` changed last.
    pub since: u64,
}

fn liveness<S: serde::Serializer>(liveness: &Liveness, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match liveness {
        Liveness::Alive => "alive",
        Liveness::Gone => "gone",
    })
}

/// How far the hypervisors are; asked from request tasks, so it must not block.
pub trait Progress: Send + Sync {
    /// The hosts that a port still waits for.
    fn port(&self, port: PortId) -> PortProgress;

    /// Every known hypervisor, in order of name.
    fn hosts(&self) -> Vec<HostReport>;
}

/// A flow as `ovs-ofctl` prints it, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ExplainedFlow {
    /// The flow.
    pub flow: String,
    /// The objects that it comes from and what it is for; `None` if it is not Weir's.
    pub owner: Option<String>,
}

/// Names the owner of every flow of a dump. It may take long: it is not called on the runtime's threads.
pub type Explain = dyn Fn(&Topology, &str) -> Vec<ExplainedFlow> + Send + Sync;

/// A wish to see what a switch holds.
#[derive(Debug)]
pub struct DumpRequest {
    /// The hypervisor, by name or system id as the client gave it.
    pub host: String,
    /// The bridge.
    pub bridge: String,
    /// Who waits for the answer.
    pub reply: oneshot::Sender<Result<Vec<ExplainedFlow>, DumpFailure>>,
}

/// Why a switch's flows cannot be shown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DumpFailure {
    /// No such hypervisor, or no such bridge on it.
    #[error("no switch {bridge} on a hypervisor {host} is known")]
    Unknown {
        /// As asked for.
        host: String,
        /// As asked for.
        bridge: String,
    },
    /// The switch is not connected.
    #[error("the switch is not connected")]
    Disconnected,
}

/// What the API works with.
#[derive(Clone)]
pub struct Backend {
    /// The newest topology that is durable.
    pub snapshot: Arc<ArcSwap<Topology>>,
    /// To the controller; when full, the client is told to come back.
    pub commands: mpsc::Sender<ApiRequest>,
    /// How far the hypervisors are.
    pub progress: Arc<dyn Progress>,
    /// Names the owners of flows.
    pub explain: Arc<Explain>,
    /// To whoever reads switches.
    pub dumps: mpsc::Sender<DumpRequest>,
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend").finish_non_exhaustive()
    }
}
