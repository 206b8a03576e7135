//! What happened since the controller started.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;
use std::time::{Duration, Instant};

/// Requests of one kind: few kinds, whatever clients send.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestKind {
    method: &'static str,
    status: u16,
}

/// Latencies from a quarter of a millisecond to half a minute.
fn latencies() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 2.0, 18))
}

/// Counters, shared by their copies.
#[derive(Clone, Debug)]
pub struct Counts {
    units: Counter,
    edits: Counter,
    comparisons: Counter,
    trusted: Counter,
    acknowledgements: Counter,
    repairs: Counter,
    refusals: Counter,
    behind: Histogram,
    commits: Histogram,
    failed_commits: Counter,
    requests: Family<RequestKind, Histogram>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            units: Counter::default(),
            edits: Counter::default(),
            comparisons: Counter::default(),
            trusted: Counter::default(),
            acknowledgements: Counter::default(),
            repairs: Counter::default(),
            refusals: Counter::default(),
            behind: latencies(),
            commits: latencies(),
            failed_commits: Counter::default(),
            requests: Family::new_with_constructor(latencies),
        }
    }
}

impl Counts {
    /// A change was compiled by building so many units.
    pub fn built(&self, units: usize) {
        self.units.inc_by(units as u64);
    }

    /// A switch was given so many edits.
    pub fn gave(&self, edits: usize) {
        self.edits.inc_by(edits as u64);
    }

    /// A switch was told to compare itself with what it should hold.
    pub fn compared(&self) {
        self.comparisons.inc();
    }

    /// A switch connected whose seal says that it holds what it should.
    pub fn trusted(&self) {
        self.trusted.inc();
    }

    /// A switch acknowledged a revision.
    pub fn acknowledged(&self) {
        self.acknowledgements.inc();
    }

    /// A switch holds everything again that it should, after so long.
    pub fn caught_up(&self, after: Duration) {
        self.behind.observe(after.as_secs_f64());
    }

    /// A switch held something else than it should, and was mended.
    pub fn repaired(&self) {
        self.repairs.inc();
    }

    /// A switch did not take an edit.
    pub fn refused(&self) {
        self.refusals.inc();
    }

    /// The store took so long to make a batch durable, or could not.
    pub fn committed(&self, time: Duration, durable: bool) {
        self.commits.observe(time.as_secs_f64());
        if !durable {
            self.failed_commits.inc();
        }
    }

    /// Puts the counters on a page.
    pub fn register(&self, registry: &mut Registry) {
        registry.register("units_rebuilt", "Units of flows that changes had built anew", self.units.clone());
        registry.register("edits", "Edits of flows, groups and meters given to switches", self.edits.clone());
        registry.register("comparisons", "Switches that were compared as a whole", self.comparisons.clone());
        let help = "Switches that connected and by their seal held what they should";
        registry.register("seals_trusted", help, self.trusted.clone());
        registry.register("acknowledgements", "Revisions that switches acknowledged", self.acknowledgements.clone());
        registry.register("repairs", "Times that a switch held something else than it should", self.repairs.clone());
        registry.register("refusals", "Edits that switches did not take", self.refusals.clone());
        let help =
            "How long switches were behind, from the change to the acknowledgement of all that was wanted by then";
        registry.register("switch_behind_seconds", help, self.behind.clone());
        registry.register("store_commit_seconds", "Time to make a batch durable", self.commits.clone());
        registry.register("store_failures", "Batches that could not be made durable", self.failed_commits.clone());
        registry.register("api_request_seconds", "Time to answer requests of the API", self.requests.clone());
    }
}

/// The methods of requests that are told apart.
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "DELETE", "PATCH"];

/// Counts a request and the time that its answer took, by method and status.
pub async fn count_requests(State(counts): State<Counts>, request: Request, next: Next) -> Response {
    let method = METHODS.into_iter().find(|method| *method == request.method().as_str()).unwrap_or("other");
    let begun = Instant::now();
    let response = next.run(request).await;
    let kind = RequestKind { method, status: response.status().as_u16() };
    counts.requests.get_or_create(&kind).observe(begun.elapsed().as_secs_f64());
    response
}
