//! Flows of a switch for somebody to look at.

use super::core::Controller;
use crate::api::{DumpFailure, DumpRequest, ExplainedFlow};
use std::collections::BTreeMap;
use tokio::sync::oneshot;
use weir_compile::Bridge;
use weir_model::HostName;
use weir_openflow::message::FlowEntries;
use weir_reconcile::{Dump, Order};

/// Dumps that may be on their way at a time.
const DUMPS_MAX: usize = 64;

/// Dumps that are on their way, and those that arrived.
#[derive(Debug, Default)]
pub(super) struct Dumps {
    waiting: BTreeMap<u64, PendingDump>,
    next: u64,
    finished: Vec<FinishedDump>,
}

/// Flows of a switch, on their way to whoever asked.
#[derive(Debug)]
pub struct FinishedDump {
    /// The bridge.
    pub bridge: Bridge,
    /// Its flows with their counters.
    pub flows: Vec<FlowEntries>,
    /// Who asked.
    pub reply: oneshot::Sender<Result<Vec<ExplainedFlow>, DumpFailure>>,
}

#[derive(Debug)]
struct PendingDump {
    bridge: Bridge,
    reply: oneshot::Sender<Result<Vec<ExplainedFlow>, DumpFailure>>,
}

impl Controller {
    /// Asks a switch for its flows.
    pub fn dump(&mut self, request: DumpRequest) {
        let DumpRequest { host, bridge, reply } = request;
        let name = self
            .topology
            .hypervisor_by_name_or_system_id(&host)
            .map_or_else(|| HostName::from(host.as_str()), |hypervisor| hypervisor.name.clone());
        let link = Bridge::from_name(&bridge).and_then(|bridge| Some((self.hosts.get(&name)?, bridge)));
        let Some((link, bridge)) = link else {
            return drop(reply.send(Err(DumpFailure::Unknown { host, bridge })));
        };
        let ticket = self.dumps.next;
        self.dumps.next += 1;
        self.dumps.waiting.retain(|_, dump| !dump.reply.is_closed());
        if self.dumps.waiting.len() >= DUMPS_MAX || !link.switch(bridge).order(Order::Dump { ticket }) {
            return drop(reply.send(Err(DumpFailure::Disconnected)));
        }
        self.dumps.waiting.insert(ticket, PendingDump { bridge, reply });
    }

    pub(super) fn dumped(&mut self, dump: Dump) {
        if let Some(PendingDump { bridge, reply }) = self.dumps.waiting.remove(&dump.ticket) {
            self.dumps.finished.push(FinishedDump { bridge, flows: dump.flows, reply });
        }
    }

    /// Dumps that arrived and have yet to be put into words.
    pub fn take_dumps(&mut self) -> Vec<FinishedDump> {
        std::mem::take(&mut self.dumps.finished)
    }
}
