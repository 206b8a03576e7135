//! A flow: match, priority and what to do.

use crate::{Action, Cookie, Match, TableId};

/// What names a flow within a bridge: a switch holds at most one flow of each key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// The table.
    pub table: TableId,
    /// The priority; higher wins.
    pub priority: u16,
    /// The match.
    pub matching: Match,
}

/// Flags that a flow is added with (OpenFlow 1.5, section 7.3.4.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowFlags {
    /// Tells the controller when the flow goes.
    pub send_flow_removed: bool,
    /// Refuses the flow if an overlapping one of the same priority exists.
    pub check_overlap: bool,
    /// Starts the counters anew.
    pub reset_counts: bool,
    /// Packets need not be counted.
    pub no_packet_counts: bool,
    /// Bytes need not be counted.
    pub no_byte_counts: bool,
}

/// The instructions of a flow, in the order in which a switch runs them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instructions {
    /// Actions run at once.
    pub apply: Vec<Action>,
    /// Empties the action set.
    pub clear: bool,
    /// Actions added to the action set.
    pub write: Vec<Action>,
    /// `(value, mask)` written to the metadata.
    pub write_metadata: Option<(u64, u64)>,
    /// The table where the search goes on.
    pub goto: Option<TableId>,
}

/// A flow as a table holds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Table, priority and match.
    pub key: FlowKey,
    /// The owner.
    pub cookie: Cookie,
    /// Flags.
    pub flags: FlowFlags,
    /// Seconds without traffic until the flow ends; 0 never.
    pub idle_timeout: u16,
    /// Seconds until the flow ends; 0 never.
    pub hard_timeout: u16,
    /// Eviction precedence.
    pub importance: u16,
    /// What is done with a packet.
    pub instructions: Instructions,
}

impl FlowKey {
    /// The key of a flow.
    #[must_use]
    pub const fn new(table: TableId, priority: u16, matching: Match) -> Self {
        Self { table, priority, matching }
    }
}

impl Flow {
    /// A flow that drops what it matches: no instructions, no timeouts, cookie 0.
    #[must_use]
    pub fn new(table: TableId, priority: u16, matching: Match) -> Self {
        Self {
            key: FlowKey::new(table, priority, matching),
            cookie: Cookie(0),
            flags: FlowFlags::default(),
            idle_timeout: 0,
            hard_timeout: 0,
            importance: 0,
            instructions: Instructions::default(),
        }
    }

    /// Sets the owner.
    #[must_use]
    pub fn cookie(mut self, cookie: impl Into<Cookie>) -> Self {
        self.cookie = cookie.into();
        self
    }

    /// Appends actions that run at once.
    #[must_use]
    pub fn apply(mut self, actions: impl IntoIterator<Item = Action>) -> Self {
        self.instructions.apply.extend(actions);
        self
    }

    /// Sets the bits of `value` under `mask` in the metadata.
    #[must_use]
    pub fn write_metadata(mut self, value: u64, mask: u64) -> Self {
        self.instructions.write_metadata = Some((value & mask, mask));
        self
    }

    /// Goes on in a later table.
    #[must_use]
    pub fn goto(mut self, table: TableId) -> Self {
        self.instructions.goto = Some(table);
        self
    }
}

impl Instructions {
    /// The form in which a switch hands the instructions back: see [`Action::canonical`].
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.apply = self.apply.into_iter().map(Action::canonical).collect();
        self.write = self.write.into_iter().map(Action::canonical).collect();
        self.write_metadata =
            self.write_metadata.map(|(value, mask)| (value & mask, mask)).filter(|&(_, mask)| mask != 0);
        self
    }
}

impl Flow {
    /// The form in which a switch hands the flow back: its actions in their canonical form, and without the flags
    /// `check_overlap` and `reset_counts`, which say only how the flow is added.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.instructions = self.instructions.canonical();
        self.flags.check_overlap = false;
        self.flags.reset_counts = false;
        self
    }

    /// Whether any action of the flow, also within another action, is as asked.
    pub fn uses(&self, asked: impl Fn(&Action) -> bool) -> bool {
        let Instructions { apply, write, .. } = &self.instructions;
        apply.iter().chain(write).any(|action| action.any(&asked))
    }
}
