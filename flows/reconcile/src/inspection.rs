//! The look at a switch that has just connected: its seal, and how many flows it has.

use crate::SealPlace;
use weir_openflow::message::{FlowFilter, MultipartReply, MultipartRequest, TableStats};
use weir_openflow::session::Session;
use weir_openflow::{Digest, Xid};

/// An inspection in progress.
#[derive(Debug)]
pub(crate) struct Inspection {
    place: SealPlace,
    /// The request for the seal, while it is not answered.
    seal: Option<Xid>,
    /// The request for the numbers of flows, while it is not answered.
    count: Option<Xid>,
    sum: Option<u128>,
    flows: Option<u64>,
}

impl Inspection {
    /// Asks the switch; none if it cannot be asked.
    pub(crate) fn start(place: SealPlace, session: &mut Session) -> Option<Self> {
        let seal = session.request(MultipartRequest::Flows(FlowFilter::table(place.table))).ok()?;
        let count = session.request(MultipartRequest::TableStats).ok()?;
        Some(Self { place, seal: Some(seal), count: Some(count), sum: None, flows: None })
    }

    /// Whether it waits for the answer to a request.
    pub(crate) fn takes(&self, xid: Xid) -> bool {
        self.seal == Some(xid) || self.count == Some(xid)
    }

    /// Takes a part of an answer.
    pub(crate) fn part(&mut self, xid: Xid, reply: &MultipartReply, more: bool) {
        match reply {
            MultipartReply::Flows(flows) if self.seal == Some(xid) => {
                let mut seals = flows.raw().filter_map(|flow| self.place.read(&flow));
                self.sum = self.sum.or_else(|| seals.next());
            }
            MultipartReply::TableStats(tables) if self.count == Some(xid) => {
                *self.flows.get_or_insert_default() += active(tables);
            }
            _ => {}
        }
        if !more {
            self.end(xid);
        }
    }

    /// There is no further answer to a request.
    pub(crate) fn end(&mut self, xid: Xid) {
        self.seal = self.seal.filter(|seal| *seal != xid);
        self.count = self.count.filter(|count| *count != xid);
    }

    /// Whether everything was answered.
    pub(crate) const fn is_done(&self) -> bool {
        self.seal.is_none() && self.count.is_none()
    }

    /// What the seal says.
    pub(crate) const fn sum(&self) -> Option<u128> {
        self.sum
    }

    /// The digest of what the switch holds besides its seal; none without a seal.
    pub(crate) fn held(&self) -> Option<Digest> {
        Some(Digest { sum: self.sum?, flows: self.flows?.checked_sub(1)? })
    }
}

/// How many flows there are.
pub(crate) fn active(tables: &[TableStats]) -> u64 {
    tables.iter().map(|table| u64::from(table.active)).sum()
}
