//! Bundles whose fate is not yet known.

use super::event::{Rejection, SessionEvent};
use super::requests::Sent;
use super::train::{BundleXids, Place};
use crate::Xid;
use crate::message::{BundleControlKind, BundleId, ErrorCode, ErrorMessage};
use std::collections::VecDeque;
use std::time::Instant;

/// Bundles whose fate is not yet known, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Bundles {
    open: VecDeque<OpenBundle>,
}

#[derive(Debug)]
struct OpenBundle {
    bundle: BundleId,
    xids: BundleXids,
    rejection: Option<Rejection>,
    stage: Stage,
    sent: Option<Sent>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Being sent, or awaiting the answer to its closing.
    Filling,
    /// Awaiting the answers to its commit and to the barrier.
    Committing { committed: bool },
    /// Awaiting the answer to its discard.
    Discarding,
}

/// What follows from an answer to a message of a bundle.
#[derive(Debug, PartialEq)]
pub(super) enum Outcome {
    /// The message is of no bundle.
    NotOurs,
    /// Nothing yet.
    Noted,
    /// The gate opens: commit or discard.
    Release { base: Xid, commit: bool },
    /// The bundle's fate.
    Decided(SessionEvent),
    /// The answer contradicts the protocol; what was awaited.
    Unexpected(&'static str),
}

impl Bundles {
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn push(&mut self, bundle: BundleId, xids: BundleXids) {
        self.open.push_back(OpenBundle { bundle, xids, rejection: None, stage: Stage::Filling, sent: None });
    }

    /// Whether a bundle awaits answers to xids from `first` to `last`.
    pub(super) fn overlaps(&self, first: Xid, last: Xid) -> bool {
        self.open.iter().any(|open| first <= open.xids.end() && open.xids.base <= last)
    }

    /// Starts the clock of the bundle that opened with `base`.
    pub(super) fn start_clock(&mut self, base: Xid, sent: Sent) {
        if let Some(open) = self.open.iter_mut().find(|open| open.xids.base == base) {
            open.sent = Some(sent);
        }
    }

    /// The peer has read so many bytes.
    pub(super) fn confirmed(&mut self, read: u64, deadline: Instant) {
        self.open.iter_mut().filter_map(|open| open.sent.as_mut()).for_each(|sent| sent.confirmed(read, deadline));
    }

    /// When the first of the bundles has waited too long.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.open.iter().filter_map(|open| open.sent).map(|sent| sent.deadline).min()
    }

    /// The xid of a bundle that has waited too long.
    pub(super) fn overdue(&self, now: Instant) -> Option<Xid> {
        let late = |open: &&OpenBundle| open.sent.is_some_and(|sent| sent.deadline <= now);
        self.open.iter().find(late).map(|open| open.xids.commit())
    }

    fn find(&mut self, xid: Xid) -> Option<(usize, Place)> {
        self.open.iter().enumerate().find_map(|(at, open)| Some((at, open.xids.place(xid)?)))
    }

    /// Takes a bundle-control reply.
    pub(super) fn controlled(&mut self, xid: Xid, kind: BundleControlKind) -> Outcome {
        let Some((at, place)) = self.find(xid) else {
            return Outcome::NotOurs;
        };
        let open = &mut self.open[at];
        match (kind, place, open.stage) {
            (BundleControlKind::OpenReply, Place::Open, _) => Outcome::Noted,
            (BundleControlKind::CloseReply, Place::Close, Stage::Filling) if open.sent.is_some() => open.gate(),
            (BundleControlKind::CommitReply, Place::Commit, Stage::Committing { .. }) => {
                open.stage = Stage::Committing { committed: true };
                Outcome::Noted
            }
            (BundleControlKind::DiscardReply, Place::End, Stage::Discarding) => self.decide(at),
            _ => Outcome::Unexpected("another answer about a bundle"),
        }
    }

    /// Takes a barrier reply.
    pub(super) fn barrier(&mut self, xid: Xid) -> Outcome {
        let Some((at, Place::End)) = self.find(xid) else {
            return Outcome::NotOurs;
        };
        match self.open[at].stage {
            Stage::Committing { committed } if committed || self.open[at].rejection.is_some() => self.decide(at),
            _ => Outcome::Unexpected("the answer to the commit of a bundle"),
        }
    }

    /// Takes an error.
    pub(super) fn failed(&mut self, xid: Xid, error: &ErrorMessage) -> Outcome {
        let Some((at, place)) = self.find(xid) else {
            return Outcome::NotOurs;
        };
        let open = &mut self.open[at];
        if place == Place::End && open.stage == Stage::Discarding {
            // The switch has already forgotten the bundle.
            return self.decide(at);
        }
        let edit = match place {
            Place::Edit(index) => Some(index),
            _ => None,
        };
        let better = match &open.rejection {
            None => true,
            // An error that names an edit explains one of the bundle as a whole.
            Some(known) => {
                known.edit.is_none() && edit.is_some() && known.error.code == ErrorCode::BUNDLE_MESSAGE_FAILED
            }
        };
        if better {
            let in_force = open.stage == Stage::Committing { committed: true };
            open.rejection = Some(Rejection { edit, error: error.clone(), in_force });
        }
        match (place, open.stage) {
            (Place::Close, Stage::Filling) if open.sent.is_some() => open.gate(),
            _ => Outcome::Noted,
        }
    }

    fn decide(&mut self, at: usize) -> Outcome {
        let Some(open) = self.open.remove(at) else {
            return Outcome::NotOurs;
        };
        let bundle = open.bundle;
        Outcome::Decided(match open.rejection {
            None => SessionEvent::BundleCommitted { bundle, xid: open.xids.commit() },
            Some(rejection) => SessionEvent::BundleRejected { bundle, rejection },
        })
    }
}

impl OpenBundle {
    /// The switch answered the closing: commit if nothing failed.
    fn gate(&mut self) -> Outcome {
        let commit = self.rejection.is_none();
        self.stage = if commit { Stage::Committing { committed: false } } else { Stage::Discarding };
        self.sent = None;
        Outcome::Release { base: self.xids.base, commit }
    }
}
