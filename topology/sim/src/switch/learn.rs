//! The learn action: a flow made from the packet.

use super::bridge::Journal;
use super::translate::Translation;
use crate::packet::Fields;
use std::sync::Arc;
use weir_openflow::{
    Action, Cookie, Flow, FlowFlags, FlowKey, Instructions, Learn, LearnSource, LearnTarget, Match, PortNo,
};

/// `NX_LEARN_F_SEND_FLOW_REM`.
const SEND_FLOW_REMOVED: u16 = 1;
/// `NX_LEARN_F_WRITE_RESULT`.
const WRITE_RESULT: u16 = 4;

/// The flow that the action makes of a packet.
fn learned_flow(learn: &Learn, fields: &Fields) -> Flow {
    let mut matching = Match::new();
    let mut apply = Vec::new();
    for spec in &learn.specs {
        let ones = low_bits(spec.bits);
        let value = match spec.source {
            LearnSource::Field { field, offset } => fields.get(field) >> offset & ones,
            LearnSource::Constant(value) => value & ones,
        };
        match spec.target {
            LearnTarget::Match { field, offset } => matching.insert(field, value << offset, ones << offset),
            LearnTarget::Load { field, offset } => {
                apply.push(Action::SetField { field, value: value << offset, mask: ones << offset });
            }
            LearnTarget::Output => {
                let port = PortNo::from_openflow10(value as u16);
                apply.push(Action::Output { port, max_len: 0 });
            }
        }
    }
    Flow {
        key: FlowKey { table: learn.table, priority: learn.priority, matching },
        cookie: Cookie(learn.cookie),
        flags: FlowFlags { send_flow_removed: learn.flags & SEND_FLOW_REMOVED != 0, ..FlowFlags::default() },
        idle_timeout: learn.idle_timeout,
        hard_timeout: learn.hard_timeout,
        importance: 0,
        instructions: Instructions { apply, ..Instructions::default() },
    }
}

fn low_bits(bits: u16) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

impl Translation<'_> {
    /// Learns a flow, unless the action has learned its limit already.
    pub(super) fn learn(&mut self, learn: &Learn) {
        let flow = learned_flow(learn, &self.fields);
        let bridge = &mut self.datapath.bridges[self.bridge];
        let known = bridge.flow(&flow.key).is_some();
        let taught = bridge
            .flows()
            .filter(|present| present.key.table == learn.table && present.cookie.0 == learn.cookie)
            .count();
        let allowed = known || learn.limit == 0 || taught < learn.limit as usize;
        if allowed {
            let changes = bridge.add_flow(Arc::new(flow), self.now, &mut Journal::default());
            let name = bridge.name().to_owned();
            self.datapath.learned.extend(changes.into_iter().map(|change| (name.clone(), change)));
        }
        if let Some(result) = learn.result.filter(|_| learn.flags & WRITE_RESULT != 0) {
            let mask = result.mask();
            self.fields.set(result.field, u128::from(allowed) << result.offset, mask);
        }
    }
}
