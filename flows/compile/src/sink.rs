//! Where features put what they build.

use crate::cookie::Object;
use crate::{Bridge, Reason, Table, Tag};
use weir_model::NetworkKey;
use weir_openflow::{
    Action, Band, Bucket, Flow, FlowEdit, Group, GroupId, GroupKind, Match, Meter, MeterFlags, MeterId,
};

/// Collects the flows, groups and buckets of one unit and holds each to the declaration of its table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sink {
    integration: Vec<FlowEdit>,
    tunnel: Vec<FlowEdit>,
}

/// The group through which a network's broadcast and multicast go, in either bridge.
pub(crate) const fn group_of(network: NetworkKey) -> GroupId {
    GroupId(network.0)
}

impl Sink {
    /// Adds a flow that leads to another table.
    pub(crate) fn lead(
        &mut self,
        table: Table,
        priority: impl Into<u16>,
        matching: Match,
        tag: Tag,
        actions: impl IntoIterator<Item = Action>,
        next: Table,
    ) {
        let flow = Flow::new(table.id(), priority.into(), matching).cookie(tag.cookie());
        self.push(table, flow.apply(actions).goto(next.id()));
    }

    /// Adds a flow after which the packet is done.
    pub(crate) fn end(
        &mut self,
        table: Table,
        priority: impl Into<u16>,
        matching: Match,
        tag: Tag,
        actions: impl IntoIterator<Item = Action>,
    ) {
        let flow = Flow::new(table.id(), priority.into(), matching).cookie(tag.cookie());
        self.push(table, flow.apply(actions));
    }

    /// Adds a flow that drops.
    pub(crate) fn refuse(
        &mut self,
        table: Table,
        priority: impl Into<u16>,
        matching: Match,
        reason: Reason,
        object: Object,
    ) {
        let spec = table.spec();
        assert!(
            spec.drops.contains(&reason) || spec.miss == crate::pipeline::Miss::Drop(reason),
            "table {} of {} does not drop because of {reason:?}",
            spec.name,
            spec.bridge
        );
        let tag = Tag::drop(reason, object);
        self.push(table, Flow::new(table.id(), priority.into(), matching).cookie(tag.cookie()));
    }

    fn push(&mut self, table: Table, flow: Flow) {
        table.spec().check_flow(&flow);
        self.edits_mut(table.bridge()).push(FlowEdit::AddFlow(flow));
    }

    /// Adds a meter that drops packets beyond a rate, in packets a second.
    pub(crate) fn meter(&mut self, bridge: Bridge, id: MeterId, rate: u32, burst: u32) {
        let flags = MeterFlags { pktps: true, burst: true, ..MeterFlags::default() };
        let meter = Meter { id, flags, bands: vec![Band { rate, burst }] };
        self.edits_mut(bridge).push(FlowEdit::AddMeter(meter));
    }

    /// Adds the empty group of a network.
    pub(crate) fn group(&mut self, bridge: Bridge, network: NetworkKey) {
        let group = Group::new(group_of(network), GroupKind::All);
        self.edits_mut(bridge).push(FlowEdit::AddGroup(group));
    }

    /// Adds a bucket to the group of a network, to which `table` sends packets.
    pub(crate) fn bucket(&mut self, table: Table, network: NetworkKey, bucket: Bucket) {
        table.spec().check_bucket(&bucket);
        let group = group_of(network);
        self.edits_mut(table.bridge()).push(FlowEdit::InsertBucket { group, bucket });
    }

    /// What was built for a bridge: additions only.
    #[must_use]
    pub fn edits(&self, bridge: Bridge) -> &[FlowEdit] {
        match bridge {
            Bridge::Integration => &self.integration,
            Bridge::Tunnel => &self.tunnel,
        }
    }

    fn edits_mut(&mut self, bridge: Bridge) -> &mut Vec<FlowEdit> {
        match bridge {
            Bridge::Integration => &mut self.integration,
            Bridge::Tunnel => &mut self.tunnel,
        }
    }
}
