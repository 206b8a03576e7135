//! What waits to be sent.

use super::SendError;
use super::train::BundleTrain;
use crate::Xid;
use crate::message::Message;
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;

/// Messages are gathered into pieces of this size: sent whole, they make urgent messages wait for little.
const PIECE: usize = 16 * 1024;

/// What waits to be sent: urgent messages, which go first, and all others in the order given. A bundle stands in that
/// order too, and holds back what follows it until its fate is decided.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    urgent: BytesMut,
    queue: VecDeque<Queued>,
    bytes: usize,
}

#[derive(Debug)]
enum Queued {
    /// Whole messages.
    Messages(BytesMut),
    /// A bundle.
    Bundle(BundleTrain),
}

impl Outgoing {
    /// How many bytes wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many bytes of urgent messages wait.
    pub(super) fn urgent_bytes(&self) -> usize {
        self.urgent.len()
    }

    /// Whether [`Self::fill`] would give bytes.
    pub(super) fn has_bytes(&self) -> bool {
        !self.urgent.is_empty()
            || self.queue.front().is_some_and(|first| match first {
                Queued::Messages(_) => true,
                Queued::Bundle(train) => !train.at_gate(),
            })
    }

    /// Queues a message that goes before all others.
    pub(super) fn push_urgent(&mut self, message: &Message, xid: Xid) -> Result<(), SendError> {
        let before = self.urgent.len();
        message.encode(xid, &mut self.urgent)?;
        self.bytes += self.urgent.len() - before;
        Ok(())
    }

    /// Queues a message behind all others.
    pub(super) fn push(&mut self, message: &Message, xid: Xid) -> Result<(), SendError> {
        if let Some(Queued::Messages(piece)) = self.queue.back_mut()
            && piece.len() < PIECE
        {
            let before = piece.len();
            message.encode(xid, piece)?;
            self.bytes += piece.len() - before;
            return Ok(());
        }
        let mut piece = BytesMut::new();
        message.encode(xid, &mut piece)?;
        self.bytes += piece.len();
        self.queue.push_back(Queued::Messages(piece));
        Ok(())
    }

    /// Queues a bundle behind all others.
    pub(super) fn push_bundle(&mut self, train: BundleTrain) {
        self.bytes += train.bytes();
        self.queue.push_back(Queued::Bundle(train));
    }

    /// Lets the bundle that opened with `base` go on from its gate, to be committed or discarded.
    pub(super) fn release(&mut self, base: Xid, commit: bool) {
        if let Some(Queued::Bundle(train)) = self.queue.front_mut()
            && train.base() == base
        {
            train.release(commit);
        }
    }

    /// Moves bytes to `out` until it holds `high_water` bytes or nothing more may go. `stopped` is told of each bundle
    /// that now awaits an answer.
    pub(super) fn fill(&mut self, out: &mut BytesMut, high_water: usize, mut stopped: impl FnMut(Xid)) {
        if out.len() < high_water {
            out.put_slice(&self.urgent);
            self.bytes -= self.urgent.len();
            self.urgent.clear();
        }
        while out.len() < high_water {
            match self.queue.front_mut() {
                None => break,
                Some(Queued::Messages(piece)) => {
                    out.put_slice(piece);
                    self.bytes -= piece.len();
                    self.queue.pop_front();
                }
                Some(Queued::Bundle(train)) => {
                    if train.at_gate() {
                        break;
                    }
                    let waiting = train.bytes();
                    train.fill(out, high_water);
                    self.bytes -= waiting - train.bytes();
                    if train.at_gate() {
                        stopped(train.base());
                    } else if train.is_done() {
                        stopped(train.base());
                        self.queue.pop_front();
                    }
                }
            }
        }
    }

    /// Queues a message for a peer that does not know our version; the session ends with it.
    pub(super) fn part(&mut self, version: u8, message: &Message, xid: Xid) {
        message.encode_as(version, xid, &mut self.urgent).expect("a refusal is short");
        self.bytes = self.urgent.len();
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
