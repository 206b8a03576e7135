//! The translation of one packet: from tables to what the datapath does with it.
//!
//! As in Open vSwitch, a translation works on fields only and gathers steps; the steps then run on the bytes. Header
//! changes become a step only when something is about to look at the packet.

mod branch;
mod output;

use super::outcome::{Abort, Drop};
use super::program::{self, Op};
use super::step::{Frozen, Step};
use super::{Bridge, Datapath};
use crate::packet::{Fields, LATER_FRAGMENT};
use std::sync::Arc;
use std::time::Duration;
use weir_openflow::message::PacketInReason;
use weir_openflow::{Action, Controller, Cookie, Flow, PortNo, Subfield, TableId};

/// The deepest nesting of tables (`MAX_DEPTH`).
const DEPTH_MAX: usize = 64;
/// The most lookups of one translation (`MAX_RESUBMITS`).
const RESUBMITS_MAX: usize = 64 * DEPTH_MAX;
/// The most values on the stack: 64 kB.
const STACK_MAX: usize = 65_536 / 16;

pub(super) struct Translation<'a> {
    pub(super) datapath: &'a mut Datapath,
    pub(super) now: Duration,
    pub(super) bridge: usize,
    pub(super) fields: Fields,
    /// The fields as the steps so far leave them.
    base: Fields,
    /// Bytes of the packet before any VLAN tag came or went, and its tags then.
    length: usize,
    tags: usize,
    pub(super) table: TableId,
    cookie: Option<Cookie>,
    is_miss_flow: bool,
    started: bool,
    depth: usize,
    pub(super) resubmits: usize,
    stack: Vec<u128>,
    action_set: Vec<Action>,
    in_action_set: bool,
    in_packet_out: bool,
    pub(super) conntracked: bool,
    exit: bool,
    freezing: bool,
    pause: Option<Controller>,
    frozen: Vec<Op>,
    own_address: u32,
    error: Option<Abort>,
    pub(super) aborts: Vec<Abort>,
    pub(super) steps: Vec<Step>,
}

/// Where a translation begins.
pub(super) enum Start<'a> {
    /// In table 0, with a packet that came in on a port.
    Arrival,
    /// With the actions of a packet-out.
    Actions(&'a [Action]),
    /// Where a packet was frozen.
    Thaw(Box<Frozen>),
}

/// How a list of actions is run.
#[derive(Clone, Copy, Debug, Default)]
struct Mode {
    /// Nothing follows it in the translation.
    last: bool,
    /// It is a bucket's.
    bucket: bool,
}

impl<'a> Translation<'a> {
    pub(super) fn new(datapath: &'a mut Datapath, now: Duration, bridge: usize, fields: Fields, length: usize) -> Self {
        let tags = fields.tags();
        Self {
            datapath,
            now,
            bridge,
            own_address: fields.tunnel.dst,
            base: fields.clone(),
            fields,
            length,
            tags,
            table: TableId(0),
            cookie: None,
            is_miss_flow: false,
            started: false,
            depth: 0,
            resubmits: 0,
            stack: Vec::new(),
            action_set: Vec::new(),
            in_action_set: false,
            in_packet_out: false,
            conntracked: false,
            exit: false,
            freezing: false,
            pause: None,
            frozen: Vec::new(),
            error: None,
            aborts: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Runs the whole translation.
    pub(super) fn run_from(&mut self, start: Start<'_>) {
        match start {
            Start::Arrival => {
                let in_port = self.fields.in_port;
                self.run_table(in_port, TableId(0), false, true, false);
            }
            Start::Actions(actions) => self.run_packet_out(actions),
            Start::Thaw(state) => self.run_frozen(*state),
        }
        self.finish();
    }

    fn run_packet_out(&mut self, actions: &[Action]) {
        self.in_packet_out = true;
        self.started = true;
        let ops: Vec<Op> = actions.iter().cloned().map(Op::Action).collect();
        self.run(&ops, Mode { last: true, bucket: false });
    }

    fn run_frozen(&mut self, state: Frozen) {
        self.table = state.table;
        self.stack = state.stack;
        self.action_set = state.action_set;
        self.conntracked = state.conntracked;
        if !self.conntracked {
            self.fields.clear_tracking();
        }
        match state.rest {
            Some(ops) => {
                self.started = true;
                self.run(&ops, Mode { last: true, bucket: false });
            }
            None => {
                let in_port = self.fields.in_port;
                self.run_table(in_port, state.table, false, true, false);
            }
        }
    }

    fn finish(&mut self) {
        if self.error.is_none() {
            if !self.freezing {
                self.run_action_set();
            }
            if self.freezing {
                self.freeze(None);
            }
        }
        if self.error.is_some() {
            self.steps.clear();
        }
    }

    fn bridge(&self) -> &Bridge {
        &self.datapath.bridges[self.bridge]
    }

    fn say(&mut self, text: impl FnOnce() -> String) {
        let depth = self.depth;
        self.datapath.trace.line(depth, text);
    }

    /// Whether the translation may go deeper.
    fn within_limits(&mut self) -> bool {
        let abort = if self.depth >= DEPTH_MAX {
            Abort::TooDeep
        } else if self.resubmits >= RESUBMITS_MAX {
            Abort::TooManyResubmits
        } else if self.stack.len() >= STACK_MAX {
            Abort::StackTooDeep
        } else {
            return true;
        };
        self.say(|| format!("{abort}"));
        self.aborts.push(abort);
        self.error = Some(abort);
        false
    }

    /// Looks a table up as if the packet came in on `in_port`, and runs the flow. `cloned` protects the packet of the
    /// caller from what the flow does.
    fn run_table(&mut self, in_port: PortNo, table: TableId, tuple: bool, last: bool, cloned: bool) {
        if !self.within_limits() {
            return;
        }
        let before = self.table;
        // The first lookup is not counted.
        let counted = std::mem::replace(&mut self.started, true);
        let deepens = counted && table <= before;
        self.table = table;
        let mut seen = self.fields.clone();
        seen.in_port = in_port;
        if seen.nw_frag != 0 && seen.is_ip() {
            // The ports of a fragment are not looked at, whatever the first one shows.
            (seen.tp_src, seen.tp_dst) = (0, 0);
        }
        if tuple {
            if seen.ct.nw_proto == 0 || !seen.is_ip() {
                self.say(|| "resubmit(ct) of a packet that is not tracked".to_owned());
                self.table = before;
                return;
            }
            swap_tuple(&mut seen);
        }
        let length = self.length;
        let now = self.now;
        let bridge = self.bridge;
        let found = self.datapath.bridges[bridge].tables.lookup(table, &seen, length, now);
        // A miss counts too.
        self.resubmits += usize::from(counted);
        match found {
            Some(flow) => {
                let outer = (self.cookie, self.is_miss_flow);
                self.run_flow(&flow, deepens, last, cloned);
                // A packet that pauses names the flow that it met first.
                if counted {
                    (self.cookie, self.is_miss_flow) = outer;
                }
            }
            None => {
                self.say(|| format!("{}. no match, drop", table.0));
                self.dropped(None);
            }
        }
        self.table = before;
    }

    fn run_flow(&mut self, flow: &Arc<Flow>, deepens: bool, last: bool, cloned: bool) {
        let name = self.bridge().name().to_owned();
        self.say(|| {
            let key = &flow.key;
            format!("{name} {}. {}, priority {}, cookie {:#x}", key.table.0, key.matching, key.priority, flow.cookie.0)
        });
        self.cookie = Some(flow.cookie);
        self.is_miss_flow = flow.key.priority == 0 && flow.key.matching.is_empty();
        self.depth += usize::from(deepens);
        let ops = program::of_flow(flow);
        if ops.is_empty() {
            self.dropped(Some(flow.cookie));
        }
        if cloned {
            self.run_clone(&ops, last);
        } else {
            self.run(&ops, Mode { last, bucket: false });
        }
        self.depth -= usize::from(deepens);
    }

    fn dropped(&mut self, cookie: Option<Cookie>) {
        let drop = Drop { bridge: self.bridge().name().to_owned(), table: self.table, cookie };
        self.steps.push(Step::Drop(drop));
    }

    fn run(&mut self, ops: &[Op], mode: Mode) {
        for (at, op) in ops.iter().enumerate() {
            if self.error.is_some() {
                return;
            }
            if self.exit {
                if self.freezing {
                    self.keep_for_later(&ops[at..]);
                }
                return;
            }
            let rest = &ops[at + 1..];
            let last = mode.last && rest.is_empty() && self.action_set.is_empty();
            if let Op::Action(action) = op {
                self.say(|| action.to_string());
            }
            match op {
                Op::Action(Action::Resubmit { port, table, ct }) => {
                    let in_port = port.filter(|port| *port != PortNo::IN_PORT).unwrap_or(self.fields.in_port);
                    let table = table.unwrap_or(self.table);
                    self.run_table(in_port, table, *ct, last, false);
                    continue;
                }
                Op::Goto(table) => {
                    self.run_table(self.fields.in_port, *table, false, last, false);
                    continue;
                }
                Op::Action(Action::CheckPktLarger { length, dst }) => {
                    self.check_length(*length, *dst, rest);
                    return;
                }
                Op::Action(action) => {
                    if !self.act(action, Mode { last, ..mode }) {
                        return;
                    }
                }
                Op::Clear => {
                    self.action_set.clear();
                    self.fields.clear_action_set_output();
                }
                Op::Write(actions) => self.write_actions(actions),
                Op::Metadata { value, mask } => {
                    self.fields.metadata = (self.fields.metadata & !mask) | (value & mask);
                }
                Op::Within { table, cookie } => {
                    self.table = *table;
                    self.cookie = *cookie;
                }
            }
            if self.error.is_none() && self.exit && self.freezing && self.frozen.is_empty() {
                self.keep_for_later(rest);
                return;
            }
        }
    }

    fn keep_for_later(&mut self, ops: &[Op]) {
        if !ops.is_empty() {
            self.frozen.push(Op::Within { table: self.table, cookie: self.cookie });
            self.frozen.extend_from_slice(ops);
        }
    }

    fn write_actions(&mut self, actions: &[Action]) {
        self.action_set.extend_from_slice(actions);
        let has_group = self.action_set.iter().any(|action| matches!(action, Action::Group(_)));
        self.fields.clear_action_set_output();
        let output = self.action_set.iter().rev().find_map(|action| match action {
            Action::Output { port, .. } => Some(*port),
            _ => None,
        });
        if let Some(port) = output.filter(|_| !has_group) {
            self.fields.actset_output = port;
        }
    }

    fn run_action_set(&mut self) {
        let ops = program::of_action_set(&std::mem::take(&mut self.action_set));
        if !ops.is_empty() {
            self.in_action_set = true;
            self.run(&ops, Mode { last: true, bucket: false });
            self.in_action_set = false;
        }
    }

    /// Runs one action; false ends the list.
    fn act(&mut self, action: &Action, mode: Mode) -> bool {
        match action {
            Action::Output { port, .. } => self.output(*port, mode),
            Action::OutputReg { src, .. } => {
                let value = self.read(*src);
                if let Ok(number) = u16::try_from(value) {
                    self.output(PortNo::from_openflow10(number), mode);
                }
            }
            Action::Group(group) => return self.group(*group, mode.last),
            Action::Meter(meter) => {
                self.commit();
                self.steps.push(Step::Meter { bridge: self.bridge, meter: *meter });
            }
            Action::SetField { field, value, mask } => {
                if self.fields.has(*field) {
                    self.fields.set(*field, *value, *mask);
                }
            }
            Action::Move { src, dst } => {
                if self.fields.has(src.field) && self.fields.has(dst.field) {
                    let value = self.read(*src);
                    self.write(*dst, value);
                }
            }
            Action::Load { value, dst } => {
                if self.fields.has(dst.field) {
                    self.write(*dst, u128::from(*value));
                }
            }
            Action::PushVlan { ethertype } => self.fields.push_vlan(*ethertype),
            Action::PopVlan => self.fields.pop_vlan(),
            Action::SetQueue(queue) => self.fields.skb_priority = *queue,
            Action::DecTtl { controllers } => return self.decrement_ttl(controllers),
            Action::Ct(ct) => self.track(ct, mode.last),
            Action::CtClear => {
                if self.conntracked {
                    self.commit();
                    self.steps.push(Step::ClearTracking);
                    self.fields.clear_tracking();
                    self.conntracked = false;
                }
            }
            Action::Learn(learn) => self.learn(learn),
            Action::Controller(controller) if controller.pause => {
                self.pause = Some(controller.clone());
                self.exit = true;
                self.freezing = true;
            }
            Action::Controller(controller) => {
                let reason = reason_of(controller.reason);
                self.punt(reason, controller.controller, controller.max_len, &controller.userdata, None);
            }
            Action::Clone(actions) => {
                let ops: Vec<Op> = actions.iter().cloned().map(Op::Action).collect();
                self.run_clone(&ops, mode.last);
            }
            Action::Push(src) => {
                let value = self.read(*src);
                self.stack.push(value);
            }
            Action::Pop(dst) => {
                if let Some(value) = self.stack.pop() {
                    self.write(*dst, value);
                }
            }
            Action::Exit => self.exit = true,
            // Clauses are for the search only; tunnel metadata is not modelled, a note says nothing.
            Action::Conjunction { .. } | Action::DeleteField(_) | Action::Note(_) => {}
            // These are run by the caller.
            Action::Resubmit { .. } | Action::CheckPktLarger { .. } => {}
        }
        true
    }

    fn read(&self, part: Subfield) -> u128 {
        (self.fields.get(part.field) & part.mask()) >> part.offset
    }

    fn write(&mut self, part: Subfield, value: u128) {
        let mask = part.mask();
        self.fields.set(part.field, value << part.offset & mask, mask);
    }

    /// Makes the changes of the fields so far a step.
    fn commit(&mut self) {
        if !self.base.same_packet(&self.fields) {
            let before = std::mem::replace(&mut self.base, self.fields.clone());
            self.steps.push(Step::Rewrite(Box::new((before, self.fields.clone()))));
        }
    }

    /// False ends the list: the TTL is used up.
    fn decrement_ttl(&mut self, controllers: &[u16]) -> bool {
        if !self.fields.is_ip() {
            return true;
        }
        if self.fields.nw_ttl > 1 {
            self.fields.nw_ttl -= 1;
            return true;
        }
        self.say(|| "the TTL is used up".to_owned());
        for controller in controllers {
            self.punt(PacketInReason::InvalidTtl, *controller, u16::MAX, &[], None);
        }
        self.dropped(self.cookie);
        false
    }
}

fn reason_of(number: u8) -> PacketInReason {
    match number {
        0 => PacketInReason::TableMiss,
        1 => PacketInReason::ApplyAction,
        2 => PacketInReason::InvalidTtl,
        3 => PacketInReason::ActionSet,
        4 => PacketInReason::Group,
        5 => PacketInReason::PacketOut,
        other => PacketInReason::Other(other),
    }
}

/// Exchanges addresses and ports with those of the connection's original direction.
fn swap_tuple(fields: &mut Fields) {
    let ct = &mut fields.ct;
    std::mem::swap(&mut fields.nw_proto, &mut ct.nw_proto);
    std::mem::swap(&mut fields.nw_src, &mut ct.nw_src);
    std::mem::swap(&mut fields.nw_dst, &mut ct.nw_dst);
    std::mem::swap(&mut fields.ipv6_src, &mut ct.ipv6_src);
    std::mem::swap(&mut fields.ipv6_dst, &mut ct.ipv6_dst);
    if fields.nw_frag & LATER_FRAGMENT == 0 {
        std::mem::swap(&mut fields.tp_src, &mut ct.tp_src);
        std::mem::swap(&mut fields.tp_dst, &mut ct.tp_dst);
    }
}
