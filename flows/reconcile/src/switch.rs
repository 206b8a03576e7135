//! A session with a reconciler on top.

use crate::{Order, Reconciler, SealPlace, SwitchEvent};
use bytes::BytesMut;
use std::time::{Duration, Instant};
use weir_openflow::message::PacketOut;
use weir_openflow::session::{CloseReason, SendError, Session, SessionConfig};

/// How a switch is spoken to.
#[derive(Clone, Debug)]
pub struct SwitchConfig {
    /// The session.
    pub session: SessionConfig,
    /// After what time the switch asks to be compared again with what it should hold.
    pub audit_interval: Duration,
    /// Where it keeps the digest of what it holds.
    pub seal: SealPlace,
}

/// One connected switch.
#[derive(Debug)]
pub struct Switch {
    session: Session,
    reconciler: Reconciler,
}

impl Switch {
    /// A connection that was just made.
    pub fn new(config: SwitchConfig, now: Instant) -> Self {
        Self {
            session: Session::new(now, config.session),
            reconciler: Reconciler::new(config.audit_interval, config.seal),
        }
    }

    /// Takes bytes from the switch.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        self.session.handle_bytes(now, bytes);
        self.advance(now);
    }

    /// Takes an order.
    pub fn order(&mut self, now: Instant, order: Order) {
        match order {
            Order::Send(message) => {
                // Such a message is one packet; a switch that is too slow for it loses it, as a wire does.
                let _ = self.session.send(*message);
            }
            Order::Flush { ticket, messages } => self.reconciler.flush(ticket, messages, &mut self.session),
            Order::Close => self.session.close(CloseReason::Local),
            order => self.reconciler.order(now, order),
        }
        self.advance(now);
    }

    /// Sends a packet before all that waits.
    ///
    /// # Errors
    /// The session is not ready, too many such packets wait, or the packet is too long; it is lost.
    pub fn packet_out(&mut self, packet: PacketOut) -> Result<(), SendError> {
        self.session.send(packet).map(|_| ())
    }

    /// Does what is due by now.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.advance(now);
    }

    /// Ends the session from outside.
    pub fn close(&mut self, reason: CloseReason) {
        self.session.close(reason);
    }

    /// Fills `output` with bytes for the switch.
    pub fn poll_transmit(&mut self, now: Instant, output: &mut BytesMut) {
        self.session.poll_transmit(now, output);
    }

    /// Whether bytes of the switch are welcome; not while too many events wait to be taken.
    pub fn wants_read(&self) -> bool {
        self.session.wants_read()
    }

    /// The next thing that the switch tells.
    pub fn poll_event(&mut self, now: Instant) -> Option<SwitchEvent> {
        self.advance(now);
        self.reconciler.poll_event()
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.session.poll_timeout().into_iter().chain(self.reconciler.poll_timeout()).min()
    }

    fn advance(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.reconciler.session_event(now, event, &mut self.session);
        }
        self.reconciler.advance(now, &mut self.session);
    }
}
