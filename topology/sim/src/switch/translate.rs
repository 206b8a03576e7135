//! The translation of one packet: from tables to what the datapath does with it.
//!
//! As in Open vSwitch, a translation works on fields only and gathers steps; the steps then run on the bytes. Header
//! changes become a step only when something is about to look at the packet.

use super::outcome::{Abort, Drop};
use super::program::{self, Op};
use super::step::{Frozen, Notice, Step, TrackStep};
use super::{Bridge, Datapath, PortKind, select};
use crate::packet::{Fields, LATER_FRAGMENT, Tunnel};
use std::sync::Arc;
use std::time::Duration;
use weir_openflow::message::PacketInReason;
use weir_openflow::{
    Action, Controller, Cookie, Field, Flow, GroupId, GroupKind, PortNo, Subfield, TableId, ZoneSource,
};

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
    Thaw(Frozen),
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
            Start::Thaw(state) => self.run_frozen(state),
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
        match found {
            Some(flow) => {
                self.resubmits += usize::from(counted);
                self.run_flow(&flow, deepens, last, cloned);
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
        let outer = (self.cookie, self.is_miss_flow);
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
        (self.cookie, self.is_miss_flow) = outer;
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

    fn output(&mut self, port: PortNo, mode: Mode) {
        match port {
            PortNo::IN_PORT => self.send(self.fields.in_port, mode.last),
            PortNo::TABLE => self.run_table(self.fields.in_port, TableId(0), false, false, false),
            PortNo::FLOOD | PortNo::ALL | PortNo::NORMAL => {
                let in_port = self.fields.in_port;
                let ports: Vec<PortNo> = self.bridge().ports().map(|port| port.number).collect();
                for port in ports.into_iter().filter(|port| *port != in_port) {
                    self.send(port, false);
                }
            }
            PortNo::CONTROLLER => {
                let reason = if self.in_packet_out {
                    PacketInReason::PacketOut
                } else if mode.bucket {
                    PacketInReason::Group
                } else if self.in_action_set {
                    PacketInReason::ActionSet
                } else {
                    PacketInReason::ApplyAction
                };
                self.punt(reason, 0, u16::MAX, &[], None);
            }
            PortNo::ANY => {}
            port if port == self.fields.in_port => self.say(|| "skipping output to input port".to_owned()),
            port => self.send(port, mode.last),
        }
    }

    /// Sends the packet out of a port, whichever it came in on.
    fn send(&mut self, port: PortNo, last: bool) {
        let Some(found) = self.bridge().port(port) else {
            self.say(|| format!("nonexistent output port {}", port.0));
            return;
        };
        match found.kind.clone() {
            PortKind::Patch { peer } => self.cross(&peer, last),
            PortKind::Tunnel => {
                let tunnel = self.fields.tunnel;
                if tunnel.is_set() && (tunnel.dst == 0 || tunnel.dst != self.own_address) {
                    self.emit(port, Some(tunnel));
                } else {
                    self.say(|| "no tunnel destination, or the own address".to_owned());
                }
            }
            PortKind::Device | PortKind::Internal => self.emit(port, None),
        }
    }

    fn emit(&mut self, port: PortNo, tunnel: Option<Tunnel>) {
        self.commit();
        self.steps.push(Step::Output { bridge: self.bridge, port, tunnel });
    }

    /// Goes through a patch port: the other bridge sees the packet and its mark, not what this bridge noted of it.
    fn cross(&mut self, peer: &str, last: bool) {
        let found = self
            .datapath
            .bridges
            .iter()
            .enumerate()
            .find_map(|(place, bridge)| bridge.port_named(peer).map(|port| (place, port.number)));
        let Some((place, in_port)) = found else {
            self.say(|| format!("the peer {peer} is not there"));
            return;
        };
        let outer_fields = self.fields.clone();
        let outer_bridge = std::mem::replace(&mut self.bridge, place);
        let outer_stack = std::mem::take(&mut self.stack);
        let outer_set = std::mem::take(&mut self.action_set);
        let (outer_tracked, outer_table) = (self.conntracked, self.table);
        self.fields.in_port = in_port;
        self.fields.metadata = 0;
        self.fields.tunnel = Tunnel::default();
        self.fields.regs = [0; 16];
        self.fields.clear_action_set_output();
        self.fields.clear_tracking();
        self.conntracked = false;
        self.run_table(in_port, TableId(0), false, last, true);
        if !self.freezing {
            self.run_action_set();
        }
        if self.freezing {
            self.freeze(None);
        }
        self.fields = outer_fields;
        self.bridge = outer_bridge;
        self.stack = outer_stack;
        self.action_set = outer_set;
        (self.conntracked, self.table) = (outer_tracked, outer_table);
        // What ends or fails in the other bridge does not concern this one.
        self.exit = false;
        self.error = None;
    }

    fn run_clone(&mut self, ops: &[Op], last: bool) {
        let outer_fields = self.fields.clone();
        let outer_stack = self.stack.clone();
        let outer_set = self.action_set.clone();
        if program::is_reversible(ops) || last {
            self.run_branch(ops, last);
        } else {
            self.commit();
            let outer_base = self.base.clone();
            let tracked = self.conntracked;
            let outer_steps = std::mem::take(&mut self.steps);
            self.run_branch(ops, true);
            let inner = std::mem::replace(&mut self.steps, outer_steps);
            self.steps.push(Step::Clone(inner));
            self.conntracked = tracked;
            self.base = outer_base;
        }
        self.fields = outer_fields;
        self.stack = outer_stack;
        self.action_set = outer_set;
    }

    fn run_branch(&mut self, ops: &[Op], last: bool) {
        self.run(ops, Mode { last, bucket: false });
        if !self.freezing {
            self.run_action_set();
        }
        if self.freezing {
            self.freeze(None);
        }
    }

    /// Runs the rest of the list, and the action set, with the bit that tells whether the packet is longer.
    ///
    /// Open vSwitch translates both answers and lets the datapath choose; whatever gives a translation up counts in
    /// both, and the first answer uses the action set up.
    fn check_length(&mut self, length: u16, dst: Subfield, rest: &[Op]) {
        let outer_fields = self.fields.clone();
        let outer_stack = self.stack.clone();
        let outer_set = self.action_set.clone();
        self.commit();
        let outer_base = self.base.clone();
        let tracked = self.conntracked;
        let larger = self.length + 4 * self.fields.tags() > usize::from(length) + 4 * self.tags;
        let outer_steps = std::mem::take(&mut self.steps);
        let mut exit = false;
        let mut taken = Vec::new();
        for answer in [true, false] {
            self.say(|| format!("if {}longer than {length}:", if answer { "" } else { "not " }));
            self.exit = false;
            self.write(dst, u128::from(answer));
            self.run_branch(rest, true);
            exit |= answer && self.exit;
            let steps = std::mem::take(&mut self.steps);
            if answer == larger {
                taken = steps;
            }
            self.fields = outer_fields.clone();
            self.base = outer_base.clone();
            self.conntracked = tracked;
        }
        self.steps = outer_steps;
        self.steps.push(Step::Clone(taken));
        self.stack = outer_stack;
        self.action_set = outer_set;
        self.exit = exit;
    }

    /// Sends the packet through a group; false ends the list, as a group that is not there does.
    fn group(&mut self, id: GroupId, last: bool) -> bool {
        if !self.within_limits() {
            return true;
        }
        let Some(record) = self.datapath.bridges[self.bridge].groups.get_mut(&id) else {
            self.say(|| format!("nonexistent group {}", id.0));
            return false;
        };
        record.packets += 1;
        record.bytes += self.length as u64;
        let group = Arc::clone(&record.group);
        let chosen: Vec<usize> = match group.kind {
            GroupKind::All | GroupKind::Indirect => (0..group.buckets.len()).collect(),
            GroupKind::Select => {
                select::by_hash(self.bridge(), &group, select::hash(&self.fields)).into_iter().collect()
            }
            GroupKind::FastFailover => select::first_alive(self.bridge(), &group).into_iter().collect(),
        };
        if chosen.is_empty() {
            self.dropped(self.cookie);
        }
        for (at, place) in chosen.iter().enumerate() {
            let bucket = &group.buckets[*place];
            if let Some(record) = self.datapath.bridges[self.bridge].groups.get_mut(&id) {
                let counted = record.buckets.entry(bucket.id).or_default();
                counted.0 += 1;
                counted.1 += self.length as u64;
            }
            self.say(|| format!("group {} bucket {}", id.0, bucket.id.0));
            let outer = self.fields.clone();
            self.depth += 1;
            let last = last && at + 1 == chosen.len();
            self.run(&program::of_action_set(&bucket.actions), Mode { last, bucket: true });
            self.depth -= 1;
            if self.freezing {
                self.freeze(None);
            }
            self.fields = outer;
            self.exit = false;
        }
        true
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

    fn track(&mut self, ct: &weir_openflow::Ct, last: bool) {
        let zone = match ct.zone {
            ZoneSource::Constant(zone) => zone,
            ZoneSource::Field(part) => self.read(part) as u16,
        };
        self.commit();
        // Mark and label are set on the connection, and the masks tell which of their bits.
        let mut wanted = [(0_u128, 0_u128); 2];
        for action in &ct.exec {
            if self.act(action, Mode { last, bucket: false })
                && let Some((field, mask)) = target(action)
            {
                let place = usize::from(field == Field::CtLabel);
                wanted[place].1 |= mask;
            }
        }
        wanted[0].0 = u128::from(self.fields.ct.mark) & wanted[0].1;
        wanted[1].0 = self.fields.ct.label & wanted[1].1;
        self.steps.push(Step::Track(Box::new(TrackStep {
            zone,
            tags: self.base.tags().max(1),
            commit: ct.flags.commit,
            force: ct.flags.force,
            mark: (wanted[0].1 != 0).then_some((wanted[0].0 as u32, wanted[0].1 as u32)),
            label: (wanted[1].1 != 0).then_some(wanted[1]),
            nat: ct.nat,
        })));
        if let Some(table) = ct.table {
            self.conntracked = true;
            self.freeze(Some(table));
        }
        self.fields.clear_tracking();
        // Mark and label are the tracker's to write.
        self.base.ct = self.fields.ct;
        self.conntracked = false;
    }

    /// Stops here with a copy of the packet that goes on later: in `table`, or with the actions that were kept.
    fn freeze(&mut self, table: Option<TableId>) {
        self.commit();
        let rest = std::mem::take(&mut self.frozen);
        let state = Frozen {
            bridge: self.bridge,
            table: table.unwrap_or(self.table),
            metadata: self.fields.metadata,
            regs: self.fields.regs,
            in_port: self.fields.in_port,
            tunnel: self.fields.tunnel,
            stack: self.stack.clone(),
            action_set: self.action_set.clone(),
            conntracked: self.conntracked,
            rest: table.is_none().then_some(rest),
        };
        match self.pause.take() {
            Some(controller) => {
                let reason = reason_of(controller.reason);
                self.punt(reason, controller.controller, controller.max_len, &controller.userdata, Some(state));
            }
            None => self.steps.push(Step::Recirculate(Box::new(state))),
        }
        self.freezing = false;
        self.exit = false;
    }

    fn punt(
        &mut self,
        reason: PacketInReason,
        controller: u16,
        max_len: u16,
        userdata: &[u8],
        continuation: Option<Frozen>,
    ) {
        self.commit();
        let reason =
            if reason == PacketInReason::ApplyAction && self.is_miss_flow { PacketInReason::TableMiss } else { reason };
        self.steps.push(Step::Punt(Box::new(Notice {
            bridge: self.bridge,
            table: self.table,
            cookie: self.cookie,
            reason,
            controller,
            max_len,
            userdata: userdata.to_vec(),
            fields: self.fields.clone(),
            continuation,
        })));
    }
}

/// The field and the bits that an action writes.
fn target(action: &Action) -> Option<(Field, u128)> {
    match action {
        Action::SetField { field, mask, .. } => Some((*field, *mask)),
        Action::Load { dst, .. } | Action::Move { dst, .. } => Some((dst.field, dst.mask())),
        _ => None,
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
