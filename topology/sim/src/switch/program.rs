//! Flows and action sets as one list of steps for the translation.

use weir_openflow::{Action, Cookie, Flow, TableId};

/// One thing to do: an action, or an instruction in the shape of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// An action.
    Action(Action),
    /// Empties the action set.
    Clear,
    /// Adds to the action set.
    Write(Vec<Action>),
    /// Writes bits of the metadata.
    Metadata { value: u64, mask: u64 },
    /// Goes on in a later table.
    Goto(TableId),
    /// What follows was part of this flow before the packet was frozen.
    Within { table: TableId, cookie: Option<Cookie> },
}

/// The instructions of a flow in the order in which a switch runs them.
pub(super) fn of_flow(flow: &Flow) -> Vec<Op> {
    let instructions = &flow.instructions;
    let mut ops: Vec<Op> = instructions.apply.iter().cloned().map(Op::Action).collect();
    if instructions.clear {
        ops.push(Op::Clear);
    }
    if !instructions.write.is_empty() {
        ops.push(Op::Write(instructions.write.clone()));
    }
    if let Some((value, mask)) = instructions.write_metadata {
        ops.push(Op::Metadata { value, mask });
    }
    ops.extend(instructions.goto.map(Op::Goto));
    ops
}

/// Where an action of an action set has its place: those of one slot replace each other.
enum Place {
    Slot(usize),
    Set,
    Final(usize),
    Nowhere,
}

fn place(action: &Action) -> Place {
    match action {
        Action::PopVlan => Place::Slot(0),
        Action::PushVlan { .. } => Place::Slot(1),
        Action::DecTtl { .. } => Place::Slot(2),
        Action::SetField { .. } | Action::Load { .. } | Action::Move { .. } | Action::SetQueue(_) => Place::Set,
        Action::Ct(_) => Place::Final(0),
        Action::CtClear => Place::Final(1),
        Action::Resubmit { .. } => Place::Final(2),
        Action::Output { .. } => Place::Final(3),
        Action::Group(_) => Place::Final(4),
        _ => Place::Nowhere,
    }
}

/// An action set, or the actions of a bucket, in the order in which they run (OpenFlow 1.5, section 5.6).
///
/// Without an action that sends the packet anywhere nothing runs at all.
pub(super) fn of_action_set(actions: &[Action]) -> Vec<Op> {
    let mut slots: [Option<&Action>; 3] = [None; 3];
    let mut sets = Vec::new();
    let mut last: Option<(usize, &Action)> = None;
    for action in actions {
        match place(action) {
            Place::Slot(slot) => slots[slot] = Some(action),
            Place::Set => sets.push(action),
            Place::Final(class) if last.is_none_or(|(best, _)| class >= best) => last = Some((class, action)),
            Place::Final(_) | Place::Nowhere => {}
        }
    }
    let Some((_, last)) = last else {
        return Vec::new();
    };
    slots.into_iter().flatten().chain(sets).chain([last]).cloned().map(Op::Action).collect()
}

/// Whether the effect of the actions on the packet can be undone by rewriting it, so that a copy is not needed.
pub(super) fn is_reversible(ops: &[Op]) -> bool {
    !ops.iter().any(|op| matches!(op, Op::Action(Action::Ct(_) | Action::Meter(_))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::{Field, GroupId, PortNo};

    #[test]
    fn an_action_set_runs_in_its_own_order_and_ends_with_one_destination() {
        let set = Action::set(Field::Reg0, 1);
        let actions = [
            Action::output(PortNo(1)),
            set.clone(),
            Action::Group(GroupId(9)),
            Action::PopVlan,
            Action::output(PortNo(2)),
        ];
        let expected = [Action::PopVlan, set.clone(), Action::Group(GroupId(9))].map(Op::Action);
        assert_eq!(of_action_set(&actions), expected);
        assert_eq!(of_action_set(&[set]), []);
    }
}
