//! A controller of nothing but model and store.

use crate::client::Client;
use arc_swap::ArcSwap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot};
use weir::api::{
    Admission, AdmissionLimits, ApiConfig, ApiRequest, Backend, DumpFailure, DumpRequest, ExplainedFlow, Failure,
    HostReport, PortProgress, Progress, RequestId, ServerLimits,
};
use weir::store::{Store, Writer};
use weir_model::{Command, HostName, HypervisorFact, Limits, PortId, Request, Timestamp, Topology};

/// Progress as a test sets it.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) waiting_for: Mutex<Vec<HostName>>,
    pub(crate) hosts: Mutex<Vec<HostReport>>,
}

impl Progress for Told {
    fn port(&self, _: PortId) -> PortProgress {
        PortProgress { waiting_for: self.waiting_for.lock().unwrap().clone() }
    }

    fn hosts(&self) -> Vec<HostReport> {
        self.hosts.lock().unwrap().clone()
    }
}

/// Commands that wait for the controller.
const QUEUE: usize = 1024;

/// A running API.
pub(crate) struct Controller {
    runtime: Runtime,
    stop: oneshot::Sender<()>,
    served: tokio::task::JoinHandle<std::io::Result<()>>,
    looped: tokio::task::JoinHandle<()>,
    pub(crate) address: SocketAddr,
    pub(crate) told: Arc<Told>,
    pub(crate) admission: Arc<Admission>,
    pub(crate) commands: mpsc::Sender<ApiRequest>,
    pub(crate) snapshot: Arc<ArcSwap<Topology>>,
}

/// What a test may set.
#[derive(Clone, Default)]
pub(crate) struct Settings {
    pub(crate) api: ApiConfig,
    pub(crate) server: ServerLimits,
    pub(crate) admission: AdmissionLimits,
    /// Commands queue up and nobody takes them.
    pub(crate) idle: bool,
}

impl Controller {
    /// An API over an empty store that goes with it.
    pub(crate) fn start() -> (TempDir, Self) {
        Self::start_with(Settings::default())
    }

    pub(crate) fn start_with(settings: Settings) -> (TempDir, Self) {
        let directory = tempfile::tempdir().unwrap();
        let controller = Self::over(directory.path(), settings);
        (directory, controller)
    }

    /// An API over the store in a directory.
    pub(crate) fn over(directory: &Path, settings: Settings) -> Self {
        let mut store = Store::open(directory).unwrap();
        let (records, revision) = store.load().unwrap();
        let topology = Topology::load(Limits::default(), records.into_iter(), revision).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let snapshot = Arc::new(ArcSwap::from_pointee(topology));
        let (commands, queue) = mpsc::channel(if settings.idle { 1 } else { QUEUE });
        let (dumps, dump_queue) = mpsc::channel(4);
        let told = Arc::new(Told::default());
        let backend = Backend {
            snapshot: Arc::clone(&snapshot),
            commands: commands.clone(),
            progress: told.clone(),
            explain: Arc::new(explain),
            dumps,
        };
        let writer = Writer::start(store).unwrap();
        let looped = if settings.idle {
            runtime.spawn(async move {
                let _queue = queue;
                std::future::pending::<()>().await;
            })
        } else {
            runtime.spawn(run(queue, writer, Arc::clone(&snapshot)))
        };
        runtime.spawn(answer_dumps(dump_queue));
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let admission = Arc::new(Admission::new(settings.admission));
        let router = weir::api::router(backend, settings.api, Arc::clone(&admission));
        let counted = Arc::clone(&admission);
        let served = runtime.spawn(async move {
            let shutdown = async {
                let _ = stopped.await;
            };
            weir::api::serve(listener, router, settings.server, counted, shutdown).await
        });
        Self { runtime, stop, served, looped, address, told, admission, commands, snapshot }
    }

    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    /// Carries out a command that does not come over the API.
    pub(crate) fn command(&self, command: Command) {
        let (reply, answer) = oneshot::channel();
        self.commands.blocking_send(ApiRequest { id: RequestId::random(), command, reply }).unwrap();
        answer.blocking_recv().unwrap().unwrap();
    }

    /// Lets a hypervisor introduce itself.
    pub(crate) fn hypervisor(&self, name: &str, encap_ip: &str) {
        self.command(Command::ObserveHypervisor(HypervisorFact {
            name: HostName::from(name),
            system_id: format!("system-{name}"),
            encap_ip: encap_ip.parse().unwrap(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        }));
    }

    /// Ends as `SIGTERM` does: running requests are answered, the store is closed.
    pub(crate) fn stop(self) {
        drop(self.stop);
        self.runtime.block_on(self.served).unwrap().unwrap();
        drop(self.commands);
        self.runtime.block_on(self.looped).unwrap();
    }
}

/// Takes what has queued up, carries it out, makes it durable in one go, publishes it, answers.
async fn run(mut queue: mpsc::Receiver<ApiRequest>, writer: Writer, snapshot: Arc<ArcSwap<Topology>>) {
    let mut requests = Vec::new();
    while queue.recv_many(&mut requests, 64).await > 0 {
        let mut topology = Topology::clone(&snapshot.load());
        let mut commits = Vec::new();
        let mut replies = Vec::new();
        for ApiRequest { command, reply, .. } in requests.drain(..) {
            let micros = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
            let at = Timestamp(u64::try_from(micros).unwrap());
            let result = match topology.transact(Request { command, at }) {
                Ok((after, commit, outcome)) => {
                    topology = after;
                    commits.push(commit);
                    Ok(outcome)
                }
                Err(rejection) => Err(Failure::Rejected(rejection)),
            };
            replies.push((reply, result));
        }
        let (_, stored) = writer.commit(commits).await;
        if stored.is_ok() {
            snapshot.store(Arc::new(topology));
        }
        for (reply, result) in replies {
            let result = match &stored {
                Err(error) if result.is_ok() => Err(Failure::Store(error.to_string())),
                _ => result,
            };
            let _ = reply.send(result);
        }
    }
    writer.close().await;
}

/// Names the network of every line that has its key as cookie.
fn explain(topology: &Topology, dump: &str) -> Vec<ExplainedFlow> {
    dump.lines()
        .map(|flow| {
            let owner = topology
                .networks()
                .find(|network| flow.contains(&format!("cookie=0x{:x},", network.key.0)))
                .map(|network| format!("network {}", network.id));
            ExplainedFlow { flow: flow.trim().to_owned(), owner }
        })
        .collect()
}

async fn answer_dumps(mut queue: mpsc::Receiver<DumpRequest>) {
    while let Some(DumpRequest { host, bridge, reply }) = queue.recv().await {
        let answer = match (host.as_str(), bridge.as_str()) {
            ("far away", "br-int") => Ok(vec![ExplainedFlow { flow: "priority=0 actions=drop".into(), owner: None }]),
            ("cut off", _) => Err(DumpFailure::Disconnected),
            _ => Err(DumpFailure::Unknown { host, bridge }),
        };
        let _ = reply.send(answer);
    }
}
