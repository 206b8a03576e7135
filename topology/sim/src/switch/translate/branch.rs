//! Where a translation forks: copies, questions about the length, connection tracking, pauses.

use super::{Mode, Translation, reason_of};
use crate::switch::program::{self, Op};
use crate::switch::step::{Frozen, Notice, Step, TrackStep};
use weir_openflow::message::PacketInReason;
use weir_openflow::{Action, Ct, Field, Subfield, TableId, ZoneSource};

impl Translation<'_> {
    pub(super) fn run_clone(&mut self, ops: &[Op], last: bool) {
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

    pub(super) fn run_branch(&mut self, ops: &[Op], last: bool) {
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
    pub(super) fn check_length(&mut self, length: u16, dst: Subfield, rest: &[Op]) {
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

    pub(super) fn track(&mut self, ct: &Ct, last: bool) {
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
    pub(super) fn freeze(&mut self, table: Option<TableId>) {
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

    pub(super) fn punt(
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
