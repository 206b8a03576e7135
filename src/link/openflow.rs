//! Switches' connections: a socket on one side, a [`Switch`] on the other.

use super::stream::{Acceptor, Stream};
use super::{ConnectionId, Peer};
use bytes::BytesMut;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc};
use weir_openflow::message::{PacketIn, PacketOut};
use weir_openflow::session::CloseReason;
use weir_reconcile::{Order, Switch, SwitchConfig, SwitchEvent};

/// What a connection tells the controller.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// A switch connected; orders for it go into `orders`.
    Opened {
        /// From where.
        peer: SocketAddr,
        /// Takes at most [`ORDERS_MAX`] orders that the switch has not taken yet.
        orders: mpsc::Sender<Order>,
    },
    /// The switch has something to say. [`SwitchEvent::Closed`] is the last.
    Switch(SwitchEvent),
}

/// Who answers the packets that a switch sends to the controller, on the task of its connection: switches are served
/// in parallel, and a flood on one holds up no other, nor the controller.
pub trait Answerer: Send {
    /// The switch said who it is.
    fn ready(&mut self, now: Instant, datapath: u64);

    /// Takes a packet that the switch sent.
    fn packet_in(&mut self, now: Instant, packet: &PacketIn);

    /// Does what is due by now.
    fn handle_timeout(&mut self, now: Instant);

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    fn poll_timeout(&self) -> Option<Instant>;

    /// The next packet for the switch.
    fn poll_transmit(&mut self) -> Option<PacketOut>;

    /// The packet that [`poll_transmit`](Self::poll_transmit) gave last is lost: too much waits for the switch.
    fn dropped(&mut self);
}

/// Makes the answerer of a connection.
pub type Answerers = Arc<dyn Fn() -> Box<dyn Answerer> + Send + Sync>;

/// Where events go.
pub struct Controller<E> {
    /// The controller's queue; a full queue slows the switches down.
    pub queue: mpsc::Sender<E>,
    /// How an event is wrapped.
    pub wrap: fn(ConnectionId, ConnectionEvent) -> E,
}

impl<E> Clone for Controller<E> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), wrap: self.wrap }
    }
}

/// Orders that may wait for one connection. A switch that falls further behind is compared as a whole.
pub const ORDERS_MAX: usize = 256;

/// Connections at a time: two for each of 4,000 hypervisors and some to spare.
const CONNECTIONS_MAX: usize = 10_000;

/// Bytes read at once.
const READ_BYTES: usize = 32 * 1024;

/// Bytes of output that an idle connection may keep room for. Thousands of switches are idle most of the time.
const IDLE_BYTES: usize = 16 * 1024;

/// Accepts switches until the process ends.
pub async fn listen<E: Send + 'static>(
    listener: TcpListener,
    acceptor: Acceptor,
    config: SwitchConfig,
    controller: Controller<E>,
    answerers: Answerers,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let next = AtomicU64::new(1);
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (socket, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a switch");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let id = ConnectionId(next.fetch_add(1, Ordering::Relaxed));
        let (acceptor, config) = (acceptor.clone(), config.clone());
        let (queue, wrap) = (controller.queue.clone(), controller.wrap);
        let answerer = answerers();
        tokio::spawn(async move {
            let _place = place;
            match acceptor.accept(socket).await {
                Ok(stream) => {
                    let (orders, waiting) = mpsc::channel(ORDERS_MAX);
                    if queue.send(wrap(id, ConnectionEvent::Opened { peer, orders })).await.is_ok() {
                        let tell = move |told| wrap(id, ConnectionEvent::Switch(told));
                        let told = queue.clone();
                        let switch = Switch::new(config, Instant::now());
                        let running =
                            tokio::spawn(async move { run(stream, switch, answerer, waiting, &queue, tell).await });
                        // A defect costs this connection only, and the controller hears of its end.
                        if let Err(error) = running.await {
                            let reason = CloseReason::Disconnected(format!("internal error: {error}"));
                            drop(told.send(tell(SwitchEvent::Closed(reason))).await);
                        }
                    }
                }
                Err(error) => tracing::warn!(%peer, %error, "switch refused"),
            }
        });
    }
}

/// How long to wait before accepting again when the process has no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Pumps bytes, orders, events and time until the session is over.
async fn run<E>(
    stream: Stream,
    mut switch: Switch,
    mut answerer: Box<dyn Answerer>,
    mut orders: mpsc::Receiver<Order>,
    queue: &mpsc::Sender<E>,
    tell: impl Fn(SwitchEvent) -> E,
) {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut input = vec![0; READ_BYTES];
    let mut output = BytesMut::new();
    let mut unflushed = false;
    loop {
        while let Some(event) = switch.poll_event(Instant::now()) {
            match &event {
                SwitchEvent::PacketIn(packet) => {
                    answerer.packet_in(Instant::now(), packet);
                    transmit(&mut switch, answerer.as_mut());
                    continue;
                }
                SwitchEvent::Ready { features, .. } => answerer.ready(Instant::now(), features.datapath.0),
                _ => {}
            }
            let last = matches!(event, SwitchEvent::Closed(_));
            if queue.send(tell(event)).await.is_err() || last {
                // What explains the end to the switch is already in the output.
                let _ = tokio::time::timeout(LAST_WORDS, writer.write_all_buf(&mut output)).await;
                return;
            }
        }
        switch.poll_transmit(Instant::now(), &mut output);
        if output.is_empty() && output.capacity() > IDLE_BYTES {
            output = BytesMut::new();
        }
        let deadline = switch.poll_timeout();
        let answer_due = answerer.poll_timeout();
        tokio::select! {
            () = super::until(deadline) => {
                if switch.wants_read() {
                    super::take_what_came(&mut switch, &mut reader, &mut input).await;
                }
                switch.handle_timeout(Instant::now());
            }
            () = super::until(answer_due) => {
                answerer.handle_timeout(Instant::now());
                transmit(&mut switch, answerer.as_mut());
            }
            sent = super::send(&mut writer, &mut output), if unflushed || !output.is_empty() => match sent {
                Ok(flushed) => unflushed = !flushed,
                Err(error) => switch.close(CloseReason::Disconnected(error.to_string())),
            },
            read = reader.read(&mut input), if switch.wants_read() => super::take_in(&mut switch, read, &input),
            order = orders.recv() => match order {
                Some(order) => switch.order(Instant::now(), order),
                None => switch.close(CloseReason::Local),
            },
        }
    }
}

impl Peer for Switch {
    fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.handle_bytes(now, bytes);
    }

    fn lost(&mut self, reason: String) {
        self.close(CloseReason::Disconnected(reason));
    }
}

/// Gives the switch the packets that wait for it.
fn transmit(switch: &mut Switch, answerer: &mut dyn Answerer) {
    while let Some(packet) = answerer.poll_transmit() {
        if switch.packet_out(packet).is_err() {
            answerer.dropped();
        }
    }
}

/// How long the last bytes of a session may take.
const LAST_WORDS: Duration = Duration::from_secs(1);
