//! The whole content of one bridge, and the difference of two.

use crate::{Flow, FlowKey, Group, GroupId, Meter, MeterId};
use std::collections::BTreeMap;

/// Everything that one bridge holds: flows of all its tables, groups and meters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FlowTable {
    /// Flows by key.
    pub flows: BTreeMap<FlowKey, Flow>,
    /// Groups by number.
    pub groups: BTreeMap<GroupId, Group>,
    /// Meters by number.
    pub meters: BTreeMap<MeterId, Meter>,
}
