//! Requests that await their answers.

use super::event::{CloseReason, SessionEvent};
use crate::message::{Message, MultipartReply};
use crate::{HEADER_LEN, MessageKind, Xid};
use std::collections::BTreeMap;
use std::time::Instant;

/// Requests that await their answers, by xid.
#[derive(Debug, Default)]
pub(super) struct Requests {
    pending: BTreeMap<Xid, Pending>,
}

#[derive(Debug)]
struct Pending {
    kind: MessageKind,
    answer: Answer,
    sent: Option<Sent>,
}

/// When and where a request left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// How many bytes had been given to the peer with it.
    pub(super) given: u64,
    /// Until when the answer must come.
    pub(super) deadline: Instant,
}

impl Sent {
    /// The peer has read so many bytes. What it has yet to read its way to has all the time again.
    pub(super) fn confirmed(&mut self, read: u64, deadline: Instant) {
        if self.given > read {
            self.deadline = deadline;
        }
    }
}

impl Pending {
    /// A part of the answer is here: the next one has time until then.
    fn wait_on(&mut self, deadline: Instant) {
        if let Some(sent) = &mut self.sent {
            sent.deadline = deadline;
        }
    }
}

/// How the answer of a request is handed on.
#[derive(Debug)]
pub(super) enum Answer {
    /// It comes in one piece of this type.
    Single(MessageKind),
    /// It comes in parts of this multipart type; each is handed on.
    Parts(u16),
    /// It comes in parts of this multipart type, which are gathered.
    Collected { kind: u16, parts: Vec<MultipartReply>, bytes: usize },
}

impl Answer {
    /// What answers this message; none if nothing does.
    pub(super) const fn of(message: &Message) -> Option<Self> {
        Some(match message {
            Message::EchoRequest(_) => Self::Single(MessageKind::ECHO_REPLY),
            Message::FeaturesRequest => Self::Single(MessageKind::FEATURES_REPLY),
            Message::GetConfigRequest => Self::Single(MessageKind::GET_CONFIG_REPLY),
            Message::RoleRequest(_) => Self::Single(MessageKind::ROLE_REPLY),
            Message::BarrierRequest => Self::Single(MessageKind::BARRIER_REPLY),
            Message::GetAsyncRequest => Self::Single(MessageKind::GET_ASYNC_REPLY),
            Message::BundleControl(_) => Self::Single(MessageKind::BUNDLE_CONTROL),
            Message::MultipartRequest { request, .. } => Self::Parts(request.kind()),
            _ => return None,
        })
    }
}

impl Requests {
    pub(super) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether a request awaits the answer to an xid from `first` to `last`.
    pub(super) fn overlaps(&self, first: Xid, last: Xid) -> bool {
        self.pending.range(first..=last).next().is_some()
    }

    pub(super) fn push(&mut self, xid: Xid, kind: MessageKind, answer: Answer) {
        self.pending.insert(xid, Pending { kind, answer, sent: None });
    }

    /// Starts the clock of a request.
    pub(super) fn start_clock(&mut self, xid: Xid, sent: Sent) {
        if let Some(pending) = self.pending.get_mut(&xid) {
            pending.sent = Some(sent);
        }
    }

    /// The peer has read so many bytes.
    pub(super) fn confirmed(&mut self, read: u64, deadline: Instant) {
        self.pending
            .values_mut()
            .filter_map(|pending| pending.sent.as_mut())
            .for_each(|sent| sent.confirmed(read, deadline));
    }

    /// When the first of the requests has waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.pending.values().filter_map(|pending| pending.sent).map(|sent| sent.deadline).min()
    }

    /// A request that has waited too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<CloseReason> {
        let late = |pending: &Pending| pending.sent.is_some_and(|sent| sent.deadline <= now);
        let (&xid, pending) = self.pending.iter().find(|(_, pending)| late(pending))?;
        Some(CloseReason::RequestTimeout { kind: pending.kind, xid })
    }

    /// Takes the request that an error answers; its type.
    pub(super) fn failed(&mut self, xid: Xid) -> Option<MessageKind> {
        self.pending.remove(&xid).map(|pending| pending.kind)
    }

    /// Takes an answer of `length` bytes. None hands the message back: it answers no request.
    pub(super) fn answered(
        &mut self,
        xid: Xid,
        message: Message,
        length: u16,
        limit: usize,
        deadline: Instant,
    ) -> Result<Answered, CloseReason> {
        let Some(pending) = self.pending.get_mut(&xid) else {
            return Ok(Answered::Unasked(message));
        };
        match (&mut pending.answer, message) {
            (Answer::Single(kind), message) if message.kind() == *kind => {
                self.pending.remove(&xid);
                Ok(Answered::Event(SessionEvent::Reply { xid, message }))
            }
            (Answer::Parts(kind), Message::MultipartReply { reply, more }) if reply.kind() == *kind => {
                pending.wait_on(deadline);
                if !more {
                    self.pending.remove(&xid);
                }
                Ok(Answered::Event(SessionEvent::Part { xid, reply, more }))
            }
            (Answer::Collected { kind, parts, bytes }, Message::MultipartReply { reply, more })
                if reply.kind() == *kind =>
            {
                *bytes += usize::from(length) - HEADER_LEN;
                if *bytes > limit {
                    return Err(CloseReason::TooLarge { xid, limit });
                }
                parts.push(reply);
                if more {
                    pending.wait_on(deadline);
                    return Ok(Answered::Noted);
                }
                let parts = std::mem::take(parts);
                self.pending.remove(&xid);
                Ok(Answered::Event(SessionEvent::Collected { xid, parts }))
            }
            (_, message) => Err(CloseReason::Unexpected { kind: message.kind(), awaited: "the answer to a request" }),
        }
    }
}

/// What became of an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Answered {
    /// It answers no request.
    Unasked(Message),
    /// More parts are to come.
    Noted,
    /// It is to be told.
    Event(SessionEvent),
}
