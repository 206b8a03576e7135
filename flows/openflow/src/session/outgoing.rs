//! What waits to be sent.

use super::SendError;
use super::train::BundleTrain;
use super::window::Window;
use crate::Xid;
use crate::message::Message;
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;

/// Messages are gathered into pieces of this size: sent whole, they make urgent messages wait for little.
const PIECE: usize = 16 * 1024;

/// What waits to be sent: urgent messages, which go first, and all others in the order given. A bundle stands in that
/// order too, and holds back what follows it until its fate is decided.
///
/// No more is given than the [`Window`] allows, but for urgent messages.
#[derive(Debug)]
pub(super) struct Outgoing {
    urgent: BytesMut,
    queue: VecDeque<Queued>,
    bytes: usize,
    window: Window,
}

#[derive(Debug)]
enum Queued {
    /// Whole messages, and the xids of the requests among them.
    Messages(BytesMut, Vec<Xid>),
    /// A bundle.
    Bundle(BundleTrain),
}

/// What awaits an answer from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Awaits {
    /// The request of this xid.
    Request(Xid),
    /// The bundle that opened with this xid.
    Bundle(Xid),
}

/// The xid of marks. Nothing else of ours has it.
const MARK: Xid = Xid(0);

impl Outgoing {
    /// Nothing yet, for a peer that may have been given so many bytes without having confirmed them.
    pub(super) fn new(window: usize) -> Self {
        Self { urgent: BytesMut::new(), queue: VecDeque::new(), bytes: 0, window: Window::new(window) }
    }

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
        let may_go = |first: &Queued| match first {
            Queued::Messages(..) => true,
            Queued::Bundle(train) => !train.at_gate(),
        };
        !self.urgent.is_empty() || (self.window.is_open() && self.queue.front().is_some_and(may_go))
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
        self.place(message, xid).map(|_| ())
    }

    /// Queues a request behind all others.
    pub(super) fn push_request(&mut self, message: &Message, xid: Xid) -> Result<(), SendError> {
        self.place(message, xid)?.push(xid);
        Ok(())
    }

    /// Puts a message behind all others; the requests that go with it.
    fn place(&mut self, message: &Message, xid: Xid) -> Result<&mut Vec<Xid>, SendError> {
        let has_room = |last: &Queued| matches!(last, Queued::Messages(piece, _) if piece.len() < PIECE);
        let mut encoded = BytesMut::new();
        message.encode(xid, &mut encoded)?;
        if !self.queue.back().is_some_and(has_room) {
            self.queue.push_back(Queued::Messages(BytesMut::new(), Vec::new()));
        }
        self.bytes += encoded.len();
        match self.queue.back_mut() {
            Some(Queued::Messages(piece, requests)) => {
                piece.unsplit(encoded);
                Ok(requests)
            }
            _ => unreachable!("messages are last"),
        }
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

    /// Moves bytes to `out` until it holds `high_water` bytes or nothing more may go. `sent` is told of what awaits an
    /// answer from now on, and how many bytes were given by then.
    pub(super) fn fill(&mut self, out: &mut BytesMut, high_water: usize, mut sent: impl FnMut(Awaits, u64)) {
        if out.len() < high_water {
            out.put_slice(&self.urgent);
            self.bytes -= self.urgent.len();
            self.window.give(self.urgent.len());
            self.urgent.clear();
            self.mark(out);
        }
        while out.len() < high_water && self.window.is_open() {
            let before = out.len();
            let next_mark = before + self.window.until_mark();
            let mut awaits = None;
            match self.queue.front_mut() {
                None => break,
                Some(Queued::Messages(piece, requests)) => {
                    out.put_slice(piece);
                    self.bytes -= piece.len();
                    let given = self.window.given() + piece.len() as u64;
                    requests.iter().for_each(|xid| sent(Awaits::Request(*xid), given));
                    self.queue.pop_front();
                }
                Some(Queued::Bundle(train)) => {
                    if train.at_gate() {
                        break;
                    }
                    let waiting = train.bytes();
                    train.fill(out, high_water.min(next_mark));
                    self.bytes -= waiting - train.bytes();
                    if train.at_gate() || train.is_done() {
                        awaits = Some(Awaits::Bundle(train.base()));
                    }
                    if train.is_done() {
                        self.queue.pop_front();
                    }
                }
            }
            self.window.give(out.len() - before);
            if let Some(awaits) = awaits {
                sent(awaits, self.window.given());
            }
            self.mark(out);
        }
    }

    /// Puts a mark if one is due.
    fn mark(&mut self, out: &mut BytesMut) {
        if self.window.until_mark() == 0 {
            let before = out.len();
            let mark = Message::EchoRequest(self.window.mark());
            mark.encode(MARK, out).expect("a mark is short");
            self.window.give(out.len() - before);
        }
    }

    /// Takes the answer to a mark; how many of the bytes given the peer has read.
    pub(super) fn confirm(&mut self, xid: Xid, said: &[u8]) -> Option<u64> {
        if xid == MARK { self.window.confirm(said) } else { None }
    }

    /// Queues a message for a peer that does not know our version; the session ends with it.
    pub(super) fn part(&mut self, version: u8, message: &Message, xid: Xid) {
        message.encode_as(version, xid, &mut self.urgent).expect("a refusal is short");
        self.bytes = self.urgent.len();
    }

    /// Forgets all that waits.
    pub(super) fn clear(&mut self) {
        self.urgent.clear();
        self.queue.clear();
        self.bytes = 0;
    }
}
