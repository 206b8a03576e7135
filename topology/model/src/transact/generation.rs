//! The generations of sets' rules, kept in step with the rules that go.

use crate::change::{Change, Diff};
use crate::draft::Draft;
use crate::{SetKey, Topology};
use std::collections::BTreeSet;

/// Gives a new generation to the sets that a command took a rule from. Looks at nothing but what changed.
pub(super) fn follow(draft: &mut Draft, before: &Topology) {
    let mut sets = BTreeSet::new();
    for change in draft.changes() {
        if let Change::SecurityGroupRule(Diff { before: Some(rule), after }) = change
            && after.as_ref() != Some(rule)
        {
            sets.extend(draft.sets_of_group(rule.security_group_id).map(|set| set.key));
        }
    }
    // A set of this command has allowed nothing yet.
    sets.retain(|key: &SetKey| before.security_set(*key).is_some());
    for key in sets {
        draft.renew_set(key);
    }
}
