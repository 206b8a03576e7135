//! Connections that the switch is to forget.

use crate::SwitchEvent;
use std::collections::BTreeMap;
use weir_openflow::Xid;
use weir_openflow::message::Message;
use weir_openflow::session::Session;

/// Flushes without their answer: a switch answers none of them, but the barrier behind them.
#[derive(Debug, Default)]
pub(crate) struct Flushes {
    barriers: BTreeMap<Xid, u64>,
    /// The messages before the barriers, with the tickets that they belong to.
    parts: BTreeMap<Xid, u64>,
}

impl Flushes {
    /// Sends the messages and a barrier behind them; the answer if that cannot be done.
    pub(crate) fn start(&mut self, ticket: u64, messages: Vec<Message>, session: &mut Session) -> Option<SwitchEvent> {
        let sent: Result<Vec<Xid>, _> = messages.into_iter().map(|message| session.send(message)).collect();
        match sent.and_then(|sent| Ok((sent, session.request(Message::BarrierRequest)?))) {
            Ok((sent, barrier)) => {
                self.parts.extend(sent.into_iter().map(|xid| (xid, ticket)));
                self.barriers.insert(barrier, ticket);
                None
            }
            Err(_) => Some(SwitchEvent::Flushed { ticket, done: false }),
        }
    }

    /// Takes a reply: the answer, if it is that of a barrier behind a flush.
    pub(crate) fn replied(&mut self, xid: Xid) -> Option<SwitchEvent> {
        let ticket = self.barriers.remove(&xid)?;
        self.parts.retain(|_, of| *of != ticket);
        Some(SwitchEvent::Flushed { ticket, done: true })
    }

    /// Whether a message is part of a flush.
    pub(crate) fn is_part(&self, xid: Xid) -> bool {
        self.parts.contains_key(&xid) || self.barriers.contains_key(&xid)
    }

    /// Takes an error about a part of a flush.
    pub(crate) fn failed(&mut self, xid: Xid) -> Option<SwitchEvent> {
        let ticket = self.parts.remove(&xid).or_else(|| self.barriers.remove(&xid))?;
        self.parts.retain(|_, of| *of != ticket);
        self.barriers.retain(|_, of| *of != ticket);
        Some(SwitchEvent::Flushed { ticket, done: false })
    }
}
