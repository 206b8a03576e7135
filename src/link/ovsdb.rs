//! Hypervisors' databases: accepted or dialled sockets on one side, a [`Hypervisor`] on the other.

use super::hypervisor::{Hypervisor, HypervisorEvent};
use super::stream::{Acceptor, Connector, Stream};
use super::{ConnectionId, Peer};
use crate::config::Config;
use bytes::{Buf, Bytes};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore, mpsc};
use weir_ovsdb::{Backoff, Wanted};

/// What a database tells the controller, and from where.
#[derive(Debug)]
pub struct DatabaseEvent {
    /// The connection.
    pub connection: ConnectionId,
    /// The other end.
    pub peer: SocketAddr,
    /// What it tells.
    pub event: HypervisorEvent,
    /// Ends the connection when notified.
    pub hang_up: Arc<Notify>,
}

/// What every hypervisor is set up with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The address that switches are told to connect to; by default the one by which the hypervisor reached us.
    pub advertise: Option<IpAddr>,
    /// The port that switches connect to.
    pub openflow_port: u16,
    /// Whether switches are told to use TLS.
    pub tls: bool,
    /// The names of the integration bridge's tables.
    pub integration_tables: BTreeMap<u8, String>,
    /// The names of the tunnel bridge's tables.
    pub tunnel_tables: BTreeMap<u8, String>,
}

/// Where events go.
pub struct Controller<E> {
    /// The controller's queue; a full queue slows the databases down.
    pub queue: mpsc::Sender<E>,
    /// How an event is wrapped.
    pub wrap: fn(DatabaseEvent) -> E,
}

impl<E> Clone for Controller<E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), wrap: self.wrap }
    }
}

/// Databases at a time.
const CONNECTIONS_MAX: usize = 5_000;

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;

/// How long to wait before accepting again when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The number of the next connection, of either kind.
static NEXT: AtomicU64 = AtomicU64::new(1);

impl Setup {
    /// What `config` says, with the names of the tables.
    pub fn new(
        config: &Config,
        openflow_port: u16,
        integration_tables: BTreeMap<u8, String>,
        tunnel_tables: BTreeMap<u8, String>,
    ) -> Self {
        Self {
            advertise: config.advertise,
            openflow_port,
            tls: config.tls.is_some(),
            integration_tables,
            tunnel_tables,
        }
    }

    /// What a hypervisor that reached us at `local` is set up with.
    fn wanted(&self, local: IpAddr) -> Wanted {
        let scheme = if self.tls { "ssl" } else { "tcp" };
        let address = SocketAddr::new(self.advertise.unwrap_or(local).to_canonical(), self.openflow_port);
        Wanted {
            controller: format!("{scheme}:{address}"),
            inactivity_probe: None,
            max_backoff: Some(1000),
            integration_tables: self.integration_tables.clone(),
            tunnel_tables: self.tunnel_tables.clone(),
        }
    }
}

/// Accepts databases until the process ends.
pub async fn listen<E: Send + 'static>(
    listener: TcpListener,
    acceptor: Acceptor,
    setup: Arc<Setup>,
    controller: Controller<E>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a database");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (acceptor, setup) = (acceptor.clone(), Arc::clone(&setup));
        let (queue, wrap) = (controller.queue.clone(), controller.wrap);
        tokio::spawn(async move {
            let _place = place;
            match acceptor.accept(socket).await {
                Ok(stream) => supervise(stream, peer, setup, queue, wrap).await,
                Err(error) => tracing::warn!(%peer, %error, "database refused"),
            }
        });
    }
}

/// Dials one database, again and again, until the process ends.
pub async fn dial<E: Send + 'static>(
    target: String,
    connector: Connector,
    setup: Arc<Setup>,
    controller: Controller<E>,
) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(8));
    loop {
        match connector.connect(&target).await.and_then(|stream| Ok((stream.socket().peer_addr()?, stream))) {
            Ok((peer, stream)) => {
                backoff.succeed();
                supervise(stream, peer, Arc::clone(&setup), controller.queue.clone(), controller.wrap).await;
            }
            Err(error) => tracing::warn!(%target, %error, "cannot reach the database"),
        }
        if controller.queue.is_closed() {
            return;
        }
        tokio::time::sleep(backoff.fail(0)).await;
    }
}

/// Runs a connection such that a defect costs this connection only, and the controller hears of its end.
async fn supervise<E: Send + 'static>(
    stream: Stream,
    peer: SocketAddr,
    setup: Arc<Setup>,
    queue: mpsc::Sender<E>,
    wrap: fn(DatabaseEvent) -> E,
) {
    let connection = ConnectionId(NEXT.fetch_add(1, Ordering::Relaxed));
    let told = queue.clone();
    let running = tokio::spawn(async move { run(stream, (connection, peer), &setup, &queue, wrap).await });
    if let Err(error) = running.await {
        let event = HypervisorEvent::Closed(format!("internal error: {error}"));
        let event = DatabaseEvent { connection, peer, event, hang_up: Arc::default() };
        drop(told.send(wrap(event)).await);
    }
}

/// Pumps bytes, events and time until the session is over.
async fn run<E>(
    stream: Stream,
    (connection, peer): (ConnectionId, SocketAddr),
    setup: &Setup,
    queue: &mpsc::Sender<E>,
    wrap: fn(DatabaseEvent) -> E,
) {
    let local = match stream.socket().local_addr() {
        Ok(local) => local.ip(),
        Err(error) => return tracing::warn!(%peer, %error, "database lost"),
    };
    let mut hypervisor = Hypervisor::new(Instant::now(), setup.wanted(local));
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut input = vec![0; READ_BYTES];
    let mut output = Bytes::new();
    let mut unflushed = false;
    let hang_up = Arc::new(Notify::new());
    loop {
        while let Some(event) = hypervisor.poll_event() {
            let last = matches!(event, HypervisorEvent::Closed(_));
            let event = DatabaseEvent { connection, peer, event, hang_up: Arc::clone(&hang_up) };
            if queue.send(wrap(event)).await.is_err() || last {
                return;
            }
        }
        if !output.has_remaining() {
            output = hypervisor.poll_transmit().unwrap_or_default();
        }
        let deadline = hypervisor.poll_timeout();
        tokio::select! {
            () = super::until(deadline) => {
                super::take_what_came(&mut hypervisor, &mut reader, &mut input).await;
                hypervisor.handle_timeout(Instant::now());
            }
            () = hang_up.notified() => hypervisor.close("closed by the controller".to_owned()),
            sent = super::send(&mut writer, &mut output), if unflushed || output.has_remaining() => match sent {
                Ok(flushed) => unflushed = !flushed,
                Err(error) => hypervisor.close(error.to_string()),
            },
            read = reader.read(&mut input) => super::take_in(&mut hypervisor, read, &input),
        }
    }
}

impl Peer for Hypervisor {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.handle_bytes(now, bytes);
    }

    fn lost(&mut self, reason: String) {
        self.close(reason);
    }
}
