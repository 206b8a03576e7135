//! The loop: events in batches to the controller, its batches to the store, its answers to the clients.

use super::answers::{AnswerCounts, Answers};
use super::batch::Batch;
use super::board::Board;
use super::core::Controller;
use super::dump::FinishedDump;
use super::event::Event;
use super::lives::Lives;
use crate::api::{self, Admission, AdmissionLimits, ApiConfig, ApiRequest, Backend, DumpRequest, ServerLimits};
use crate::config::Config;
use crate::link::{openflow, ovsdb, stream};
use crate::log::Losses;
use crate::metrics::{self, Admissions, Hypervisors, LostLines, Page, Queues as Waiting, VmQuestions, count_requests};
use crate::store::{OpenError, Store, StoreError, Writer};
use arc_swap::ArcSwap;
use axum::middleware::from_fn_with_state;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use weir_answer::Settings;
use weir_compile::{Bridge, SEAL_TABLE, seal_cookie, table_names};
use weir_model::{Change, Limits, LoadError, Port, Rejection, Timestamp, Topology};
use weir_openflow::session::SessionConfig;
use weir_reconcile::{SealPlace, SwitchConfig};

/// Events that may wait for the controller. A full queue slows links and clients down.
const EVENTS_MAX: usize = 8_192;

/// Commands of clients that may wait.
const COMMANDS_MAX: usize = 1_024;

/// Events of one batch, and thus commands of one durable commit, at most.
const BATCH_MAX: usize = 512;

/// How often the controller looks at the clock.
const TICK: Duration = Duration::from_millis(250);

/// How often the board is posted at most, and what share of the time that may take: one part in so many.
const POST: Duration = Duration::from_millis(20);
const POST_SHARE: u32 = 20;

/// How often it is told how many questions of VMs were answered.
const TELL_ANSWERS: Duration = Duration::from_secs(60);

/// How long an address may be taken before that is an error, and how often it is tried.
const ADDRESS_PATIENCE: Duration = Duration::from_secs(1);
const ADDRESS_RETRY: Duration = Duration::from_millis(20);

/// Bytes that VXLAN over IPv4 adds to an IP packet.
const VXLAN_OVERHEAD: u16 = 50;

/// A controller that runs.
#[derive(Debug)]
pub struct Started {
    /// Where the API listens.
    pub api: SocketAddr,
    /// Where switches connect to.
    pub openflow: SocketAddr,
    /// Where databases connect to.
    pub ovsdb: SocketAddr,
    /// Where metrics are read.
    pub metrics: Option<SocketAddr>,
    /// Tells everything to end.
    pub stop: watch::Sender<bool>,
    /// Ends when the controller has ended.
    pub ended: JoinHandle<()>,
}

/// Why a controller cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The state cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The state cannot be read.
    #[error("cannot read the state: {0}")]
    Read(#[from] StoreError),
    /// The state contradicts itself.
    #[error("the state is damaged: {0}")]
    Load(#[from] LoadError),
    /// What the state of an older version lacks cannot be made.
    #[error("the state of an older version cannot be completed: {0}")]
    Complete(#[from] Rejection),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} for {what}: {source}")]
    Listen {
        /// For what.
        what: &'static str,
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] stream::TlsError),
    /// The writer of the store cannot start.
    #[error("cannot start the writer of the state: {0}")]
    Writer(std::io::Error),
}

/// Starts a controller.
///
/// # Errors
/// The state cannot be read, an address cannot be listened on, or the certificates cannot be used.
pub async fn start(config: &Config, losses: Losses) -> Result<Started, StartError> {
    let (acceptor, connector) = stream::endpoints(config.tls.as_ref())?;
    let api_listener = listen("the API", config.api).await?;
    let openflow_listener = listen("OpenFlow", config.openflow).await?;
    let ovsdb_listener = listen("OVSDB", config.ovsdb).await?;
    let metrics_listener = match config.metrics {
        Some(address) => Some(listen("metrics", address).await?),
        None => None,
    };
    let started = Instant::now();
    let mut store = Store::open(&config.data_dir)?;
    let (records, revision) = store.load()?;
    let generation = store.next_generation(milliseconds())?;
    let topology = Topology::load(limits(config), records.into_iter(), revision)?;
    let topology = complete(&mut store, topology)?;
    let controller = Controller::new(topology.clone(), config.host_grace(), Instant::now());
    tracing::info!(
        networks = topology.networks().len(),
        ports = topology.ports().len(),
        hypervisors = topology.hypervisors().len(),
        revision = revision.0,
        milliseconds = started.elapsed().as_millis(),
        "state loaded and compiled"
    );
    let writer = Writer::start(store).map_err(StartError::Writer)?;

    let (events, event_queue) = mpsc::channel(EVENTS_MAX);
    let (commands, command_queue) = mpsc::channel(COMMANDS_MAX);
    let waiting = Waiting::default().with("events", depth(&events)).with("commands", depth(&commands));
    let (dumps, dump_queue) = mpsc::channel(COMMANDS_MAX);
    let (stop, stopped) = watch::channel(false);
    let snapshot = Arc::new(ArcSwap::from_pointee(topology));
    let board = Board::default();

    let addresses = (local(&api_listener)?, local(&openflow_listener)?, local(&ovsdb_listener)?);
    let metrics_address = metrics_listener.as_ref().map(local).transpose()?;
    let tables = [Bridge::Integration, Bridge::Tunnel].map(table_names);
    let [integration_tables, tunnel_tables] = tables;
    let setup = Arc::new(ovsdb::Setup::new(config, addresses.1.port(), integration_tables, tunnel_tables));
    let databases = ovsdb::Controller { queue: events.clone(), wrap: Event::Database };
    let switches = openflow::Controller { queue: events, wrap: Event::Connection };
    let switch_config = SwitchConfig {
        session: SessionConfig { generation, ..SessionConfig::default() },
        audit_interval: config.audit_interval(),
        seal: SealPlace { table: SEAL_TABLE, cookie: seal_cookie() },
    };
    let answers = Answers::new(Arc::clone(&snapshot), settings(config));
    let answerers = answers.answerers();
    tokio::spawn(openflow::listen(openflow_listener, acceptor.clone(), switch_config, switches, answerers));
    tokio::spawn(ovsdb::listen(ovsdb_listener, acceptor, Arc::clone(&setup), databases.clone()));
    for target in &config.ovsdb_dial {
        tokio::spawn(ovsdb::dial(target.clone(), connector.clone(), Arc::clone(&setup), databases.clone()));
    }
    let backend = Backend {
        snapshot: Arc::clone(&snapshot),
        commands,
        progress: Arc::new(board.clone()),
        explain: Arc::new(super::explain::explain_dump),
        dumps,
    };
    let mut api_stop = stopped.clone();
    let api_config = ApiConfig { dns_domain: config.dns_domain.clone(), ..ApiConfig::default() };
    let counts = controller.counts().clone();
    let admission = Arc::new(Admission::new(AdmissionLimits::default()));
    let router = api::router(backend, api_config, Arc::clone(&admission))
        .layer(from_fn_with_state(counts.clone(), count_requests));
    let api =
        tokio::spawn(api::serve(api_listener, router, ServerLimits::default(), Arc::clone(&admission), async move {
            let _ = api_stop.wait_for(|stop| *stop).await;
        }));
    if let Some(listener) = metrics_listener {
        let hypervisors = Hypervisors(Arc::new(board.clone()));
        let vms = answers.clone();
        let page = Page::new(&counts, waiting, hypervisors, VmQuestions(move || vms.counts().into()))
            .with(LostLines(move || losses.count()))
            .with(Admissions(admission));
        let mut metrics_stop = stopped.clone();
        let readers = Arc::new(Admission::new(AdmissionLimits::default()));
        tokio::spawn(api::serve(listener, metrics::router(page), ServerLimits::default(), readers, async move {
            let _ = metrics_stop.wait_for(|stop| *stop).await;
        }));
    }
    let told = (Instant::now(), answers.counts());
    let lives = Lives::default();
    let running = Running {
        controller,
        writer,
        snapshot,
        board,
        posted: Instant::now(),
        unposted: false,
        post_after: POST,
        lives,
        answers,
        told,
    };
    let queues = Queues { events: event_queue, commands: command_queue, dumps: dump_queue };
    let ended = tokio::spawn(async move {
        running.run(queues, stopped).await;
        // Requests that came before the end get their answer.
        if let Ok(Err(error)) = api.await {
            tracing::error!(%error, "the API ended");
        }
    });
    let (api, openflow, ovsdb) = addresses;
    Ok(Started { api, openflow, ovsdb, metrics: metrics_address, stop, ended })
}

/// Makes what a store of an older version lacks, and keeps it.
fn complete(store: &mut Store, topology: Topology) -> Result<Topology, StartError> {
    let (completed, commit) = topology.completed(timestamp())?;
    let secured = commit.changes.iter().filter(|change| is_secured(change)).count();
    if secured > 0 {
        tracing::warn!(
            ports = secured,
            "ports from before there were security groups got the group 'default' of their project: it refuses what \
             ports of other groups begin"
        );
    }
    if !commit.changes.is_empty() {
        tracing::info!(changes = commit.changes.len(), "the state of an older version was completed");
        store.commit(&[commit])?;
    }
    Ok(completed)
}

/// Whether a port got security groups.
fn is_secured(change: &Change) -> bool {
    let groups = |port: &Arc<Port>| !port.security_groups.is_empty();
    match change {
        Change::Port(diff) => !diff.before.as_ref().is_some_and(groups) && diff.after.as_ref().is_some_and(groups),
        _ => false,
    }
}

/// Connections that may wait to be accepted: all hypervisors of a cloud may come at once.
const BACKLOG: u32 = 4_096;

fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Listens on an address. A former controller that was killed a moment ago may hold it for as long as its sockets take
/// to go.
async fn listen(what: &'static str, address: SocketAddr) -> Result<TcpListener, StartError> {
    let started = Instant::now();
    loop {
        match bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && started.elapsed() < ADDRESS_PATIENCE => {
                tokio::time::sleep(ADDRESS_RETRY).await;
            }
            bound => return bound.map_err(|source| StartError::Listen { what, address, source }),
        }
    }
}

/// How much waits in a queue.
fn depth<T: Send + 'static>(queue: &mpsc::Sender<T>) -> impl Fn() -> usize + Send + Sync + 'static {
    // The queue ends with its last sender but this one.
    let queue = queue.downgrade();
    move || queue.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity())
}

fn local(listener: &TcpListener) -> Result<SocketAddr, StartError> {
    listener.local_addr().map_err(|source| StartError::Listen {
        what: "a bound socket",
        address: SocketAddr::from(([0, 0, 0, 0], 0)),
        source,
    })
}

fn limits(config: &Config) -> Limits {
    Limits {
        vni_ranges: config.vni_ranges.iter().map(|(first, last)| *first..=*last).collect(),
        overlay_mtu: config.underlay_mtu - VXLAN_OVERHEAD,
        ..Limits::default()
    }
}

fn settings(config: &Config) -> Settings {
    Settings { dhcp_lease_s: config.dhcp_lease_s, dns_domain: config.dns_domain.clone() }
}

/// Since the Unix epoch, so that a store that was made anew still has a larger number than the switches have seen.
fn milliseconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn timestamp() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

struct Queues {
    events: mpsc::Receiver<Event>,
    commands: mpsc::Receiver<ApiRequest>,
    dumps: mpsc::Receiver<DumpRequest>,
}

struct Running {
    controller: Controller,
    writer: Writer,
    snapshot: Arc<ArcSwap<Topology>>,
    board: Board,
    posted: Instant,
    /// Something happened since then.
    unposted: bool,
    post_after: Duration,
    lives: Lives,
    answers: Answers,
    told: (Instant, AnswerCounts),
}

impl Running {
    async fn run(mut self, mut queues: Queues, mut stopped: watch::Receiver<bool>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut events = Vec::with_capacity(BATCH_MAX);
        let mut commands = Vec::with_capacity(BATCH_MAX);
        loop {
            let mut ticked = false;
            tokio::select! {
                _ = queues.events.recv_many(&mut events, BATCH_MAX) => {}
                _ = queues.commands.recv_many(&mut commands, BATCH_MAX) => {}
                Some(request) = queues.dumps.recv() => self.controller.dump(request),
                _ = tick.tick() => ticked = true,
                // What happened last is to be seen as soon as it may, even if nothing happens for a while.
                () = tokio::time::sleep_until((self.posted + self.post_after).into()), if self.unposted => {
                    self.post();
                    continue;
                }
                _ = stopped.wait_for(|stop| *stop) => break,
            }
            // What came meanwhile on the other queues shares the durable commit.
            while commands.len() < BATCH_MAX
                && let Ok(request) = queues.commands.try_recv()
            {
                commands.push(request);
            }
            while events.len() < BATCH_MAX
                && let Ok(event) = queues.events.try_recv()
            {
                events.push(event);
            }
            let (now, at) = (Instant::now(), timestamp());
            let mut batch = self.controller.begin(now);
            for event in events.drain(..) {
                match event {
                    Event::Database(event) => self.controller.database(&mut batch, event, now, at),
                    Event::Connection(id, event) => self.controller.connection(&mut batch, id, event, now, at),
                }
            }
            for request in commands.drain(..) {
                self.controller.api(&mut batch, request, at);
            }
            if ticked {
                self.controller.tick(&mut batch, now, at);
            }
            self.carry_out(batch).await;
            for dump in self.controller.take_dumps() {
                put_into_words(dump, self.snapshot.load_full());
            }
            self.unposted = true;
            if self.posted.elapsed() >= self.post_after {
                self.post();
            }
            if ticked && self.told.0.elapsed() >= TELL_ANSWERS {
                self.tell_answers();
            }
        }
        self.writer.close().await;
    }

    fn post(&mut self) {
        let begun = Instant::now();
        let mut posted = self.controller.report(begun);
        posted.put_answers(|host| self.answers.counts_of(host).into());
        self.board.post(posted);
        self.posted = Instant::now();
        self.unposted = false;
        self.post_after = POST.max(begun.elapsed() * POST_SHARE);
    }

    fn tell_answers(&mut self) {
        let counts = self.answers.counts();
        if counts != self.told.1 {
            tracing::debug!("questions of VMs so far: {counts}");
        }
        self.told = (Instant::now(), counts);
    }

    /// Makes the batch durable, tells of it, and goes on with what follows from it.
    async fn carry_out(&mut self, batch: Batch) {
        let mut next = Some(batch);
        while let Some(mut batch) = next.take() {
            if !batch.is_empty() {
                let begun = Instant::now();
                let (commits, written) = self.writer.commit(batch.take_commits()).await;
                self.controller.counts().committed(begun.elapsed(), written.is_ok());
                if let Err(error) = written {
                    tracing::error!(%error, "the state cannot be written: requests are refused");
                    return self.controller.abandon(batch, &error.to_string());
                }
                let now = Instant::now();
                for (commit, cause) in commits.iter().zip(batch.take_causes()) {
                    self.lives.tell(commit, cause, now);
                }
                let replies = self.controller.commit(batch, commits);
                self.snapshot.store(Arc::new(self.controller.topology().clone()));
                for (reply, outcome) in replies {
                    // A client that has gone does not need its answer.
                    drop(reply.send(Ok(outcome)));
                }
            }
            next = Some(self.controller.follow_up(Instant::now(), timestamp())).filter(|batch| !batch.is_empty());
        }
    }
}

/// Printing a hundred thousand flows takes long: not on the loop.
fn put_into_words(dump: FinishedDump, topology: Arc<Topology>) {
    tokio::task::spawn_blocking(move || {
        let FinishedDump { bridge, flows, reply } = dump;
        drop(reply.send(Ok(super::explain::explain_flows(&topology, bridge, &flows))));
    });
}
