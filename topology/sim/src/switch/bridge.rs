//! One OpenFlow switch: ports, tables, groups and meters, and the edits that change them.

use super::port::{PortChange, PortKind, SwitchPort};
use super::refusal::{self, Refusal};
use super::table::{Record, Tables};
use super::{Counters, LookupCounters};
use crate::intern::Interner;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use weir_openflow::message::{FlowRemovedReason, PortReason};
use weir_openflow::{
    Action, Bucket, BucketId, DatapathId, Flow, FlowEdit, FlowKey, FlowTable, Group, GroupId, Meter, MeterId, PortNo,
    TableId,
};

/// What an edit did to the flows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowChange {
    /// A flow came.
    Added(Arc<Flow>),
    /// A flow went.
    Removed {
        /// The flow.
        flow: Arc<Flow>,
        /// Why.
        reason: FlowRemovedReason,
        /// How long it was there.
        duration: Duration,
        /// What it counted.
        counters: Counters,
    },
}

/// A group and what it counted.
#[derive(Clone, Debug)]
pub(super) struct GroupRecord {
    pub(super) group: Arc<Group>,
    pub(super) created: Duration,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    pub(super) buckets: BTreeMap<BucketId, (u64, u64)>,
}

/// A meter and its bands' buckets of tokens.
#[derive(Clone, Debug)]
pub(super) struct MeterRecord {
    pub(super) meter: Meter,
    pub(super) created: Duration,
    pub(super) packets: u64,
    pub(super) bytes: u64,
    /// Millionths of a packet, or of a bit, that each band may still pass, when, and what it dropped.
    pub(super) bands: Vec<BandRecord>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct BandRecord {
    pub(super) tokens: u128,
    pub(super) filled: Duration,
    pub(super) packets: u64,
    pub(super) bytes: u64,
}

/// One step back.
#[derive(Debug)]
enum Undo {
    Flow(FlowKey, Option<(Arc<Flow>, Record)>),
    Group(GroupId, Option<GroupRecord>),
    Meter(MeterId, Option<MeterRecord>),
}

/// The steps back of edits that are not yet kept, newest last.
#[derive(Debug, Default)]
pub struct Journal {
    steps: Vec<Undo>,
}

/// One OpenFlow switch.
#[derive(Debug)]
pub struct Bridge {
    name: String,
    datapath: DatapathId,
    ports: BTreeMap<PortNo, SwitchPort>,
    pub(super) tables: Tables,
    pub(super) groups: BTreeMap<GroupId, GroupRecord>,
    pub(super) meters: BTreeMap<MeterId, MeterRecord>,
    port_changes: VecDeque<PortChange>,
}

impl Bridge {
    /// The most port changes that wait to be told.
    const PORT_CHANGES_MAX: usize = 65_536;

    /// A bridge with its own internal port and empty tables.
    pub fn new(name: &str, datapath: DatapathId) -> Self {
        let local = SwitchPort::new(PortNo::LOCAL, name, PortKind::Internal);
        Self {
            name: name.to_owned(),
            datapath,
            ports: BTreeMap::from([(PortNo::LOCAL, local)]),
            tables: Tables::default(),
            groups: BTreeMap::new(),
            meters: BTreeMap::new(),
            port_changes: VecDeque::new(),
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number by which it names itself.
    pub fn datapath(&self) -> DatapathId {
        self.datapath
    }

    /// Its ports, by number.
    pub fn ports(&self) -> impl Iterator<Item = &SwitchPort> {
        self.ports.values()
    }

    /// A port by number.
    pub fn port(&self, number: PortNo) -> Option<&SwitchPort> {
        self.ports.get(&number)
    }

    /// A port by name.
    pub fn port_named(&self, name: &str) -> Option<&SwitchPort> {
        self.ports.values().find(|port| port.name == name)
    }

    /// Adds or changes a port.
    pub fn set_port(&mut self, port: SwitchPort) {
        let before = self.ports.insert(port.number, port.clone());
        let reason = if before.is_some() { PortReason::Modified } else { PortReason::Added };
        if before.as_ref() != Some(&port) {
            self.note(PortChange { reason, port });
        }
    }

    /// Takes a port away.
    pub fn remove_port(&mut self, number: PortNo) -> Option<SwitchPort> {
        let port = self.ports.remove(&number)?;
        self.note(PortChange { reason: PortReason::Deleted, port: port.clone() });
        Some(port)
    }

    fn note(&mut self, change: PortChange) {
        if self.port_changes.len() == Self::PORT_CHANGES_MAX {
            self.port_changes.pop_front();
        }
        self.port_changes.push_back(change);
    }

    /// Takes the port changes that nobody has been told yet.
    pub fn take_port_changes(&mut self) -> Vec<PortChange> {
        self.port_changes.drain(..).collect()
    }

    /// How many flows there are.
    pub fn flow_count(&self) -> usize {
        self.tables.len()
    }

    /// The flows in the order of their keys.
    pub fn flows(&self) -> impl Iterator<Item = &Arc<Flow>> {
        self.tables.iter().map(|(flow, _)| flow)
    }

    /// A flow, since when it is there, and what it counted.
    pub fn flow(&self, key: &FlowKey) -> Option<(&Arc<Flow>, Duration, Counters)> {
        self.tables.get(key).map(|(flow, record)| (flow, record.created, record.counters()))
    }

    /// A group.
    pub fn group(&self, id: GroupId) -> Option<&Arc<Group>> {
        self.groups.get(&id).map(|record| &record.group)
    }

    /// What the tables counted, by table.
    pub fn lookups(&self) -> &BTreeMap<TableId, LookupCounters> {
        &self.tables.lookups
    }

    /// The whole content.
    pub fn content(&self) -> FlowTable {
        let mut content = FlowTable::default();
        for flow in self.flows() {
            content.insert(Flow::clone(flow));
        }
        content.groups = self.groups.iter().map(|(id, record)| (*id, Group::clone(&record.group))).collect();
        content.meters = self.meters.iter().map(|(id, record)| (*id, record.meter.clone())).collect();
        content
    }

    /// Loses all flows, groups and meters, as a restarted switch.
    pub fn reset(&mut self) {
        self.tables.clear();
        self.groups.clear();
        self.meters.clear();
    }

    /// Applies an edit, or refuses it and changes nothing.
    ///
    /// # Errors
    /// What Open vSwitch would refuse.
    pub fn apply(
        &mut self,
        edit: &FlowEdit,
        now: Duration,
        interner: &mut Interner,
    ) -> Result<Vec<FlowChange>, Refusal> {
        self.apply_journaled(edit, now, interner, &mut Journal::default())
    }

    /// Applies an edit so that [`Bridge::revert`] can take it back.
    ///
    /// # Errors
    /// What Open vSwitch would refuse.
    pub fn apply_journaled(
        &mut self,
        edit: &FlowEdit,
        now: Duration,
        interner: &mut Interner,
        journal: &mut Journal,
    ) -> Result<Vec<FlowChange>, Refusal> {
        match edit {
            FlowEdit::AddFlow(flow) => {
                self.check(flow)?;
                let shared = interner.intern(flow.clone());
                Ok(self.add_flow(shared, now, journal))
            }
            FlowEdit::DeleteFlow(key) => {
                Ok(self.remove_flows(std::slice::from_ref(key), FlowRemovedReason::Delete, now, journal))
            }
            FlowEdit::AddGroup(group) => self.add_group(group, now, journal).map(|()| Vec::new()),
            FlowEdit::DeleteGroup(id) => Ok(self.delete_group(*id, now, journal)),
            FlowEdit::InsertBucket { group, bucket } => {
                self.insert_bucket(*group, bucket, journal).map(|()| Vec::new())
            }
            FlowEdit::RemoveBucket { group, bucket } => {
                self.remove_bucket(*group, *bucket, journal).map(|()| Vec::new())
            }
            FlowEdit::AddMeter(meter) => self.add_meter(meter, now, journal).map(|()| Vec::new()),
            FlowEdit::DeleteMeter(id) => Ok(self.delete_meter(*id, now, journal)),
        }
    }

    /// Takes back every edit of the journal.
    pub fn revert(&mut self, journal: Journal) {
        for step in journal.steps.into_iter().rev() {
            match step {
                Undo::Flow(key, None) => {
                    self.tables.remove(&key);
                }
                Undo::Flow(_, Some((flow, record))) => {
                    self.tables.insert(flow, record);
                }
                Undo::Group(id, before) => put(&mut self.groups, id, before),
                Undo::Meter(id, before) => put(&mut self.meters, id, before),
            }
        }
    }

    fn check(&self, flow: &Flow) -> Result<(), Refusal> {
        refusal::check(flow, |group| self.groups.contains_key(&group), |meter| self.meters.contains_key(&meter))?;
        if flow.flags.check_overlap && self.overlaps(flow) {
            return Err(Refusal::OVERLAP);
        }
        Ok(())
    }

    fn overlaps(&self, flow: &Flow) -> bool {
        self.flows().any(|other| {
            other.key.table == flow.key.table
                && other.key.priority == flow.key.priority
                && other.key.matching != flow.key.matching
                && other.key.matching.iter().all(|part| {
                    let (value, mask) = flow.key.matching.get(part.field).unwrap_or_default();
                    (value ^ part.value) & mask & part.mask == 0
                })
        })
    }

    /// Puts a flow in, learned or added; counters survive unless the flow says otherwise.
    pub(super) fn add_flow(&mut self, flow: Arc<Flow>, now: Duration, journal: &mut Journal) -> Vec<FlowChange> {
        let mut record = Record { created: now, counters: None };
        if !flow.flags.reset_counts
            && let Some((_, before)) = self.tables.get(&flow.key)
        {
            record.counters.clone_from(&before.counters);
        }
        let before = self.tables.insert(Arc::clone(&flow), record);
        journal.steps.push(Undo::Flow(flow.key.clone(), before));
        vec![FlowChange::Added(flow)]
    }

    fn remove_flows(
        &mut self,
        keys: &[FlowKey],
        reason: FlowRemovedReason,
        now: Duration,
        journal: &mut Journal,
    ) -> Vec<FlowChange> {
        let mut changes = Vec::new();
        for key in keys {
            if let Some((flow, record)) = self.tables.remove(key) {
                changes.push(FlowChange::Removed {
                    flow: Arc::clone(&flow),
                    reason,
                    duration: now.saturating_sub(record.created),
                    counters: record.counters(),
                });
                journal.steps.push(Undo::Flow(key.clone(), Some((flow, record))));
            }
        }
        changes
    }

    /// Takes out the flows that `which` names.
    pub fn remove_where(&mut self, now: Duration, which: impl Fn(&Flow) -> bool) -> Vec<FlowChange> {
        let keys: Vec<FlowKey> = self.flows().filter(|flow| which(flow)).map(|flow| flow.key.clone()).collect();
        self.remove_flows(&keys, FlowRemovedReason::Delete, now, &mut Journal::default())
    }

    /// Takes out the flows whose time is over.
    pub fn expire(&mut self, now: Duration) -> Vec<FlowChange> {
        let mut idle = Vec::new();
        let mut hard = Vec::new();
        for (flow, record) in self.tables.iter() {
            let over =
                |since: Duration, seconds: u16| seconds > 0 && since + Duration::from_secs(seconds.into()) <= now;
            if over(record.created, flow.hard_timeout) {
                hard.push(flow.key.clone());
            } else if over(record.counters().used.max(record.created), flow.idle_timeout) {
                idle.push(flow.key.clone());
            }
        }
        let mut journal = Journal::default();
        let mut changes = self.remove_flows(&hard, FlowRemovedReason::HardTimeout, now, &mut journal);
        changes.extend(self.remove_flows(&idle, FlowRemovedReason::IdleTimeout, now, &mut journal));
        changes
    }

    fn add_group(&mut self, group: &Group, now: Duration, journal: &mut Journal) -> Result<(), Refusal> {
        refusal::check_group(group)?;
        let record = GroupRecord {
            group: Arc::new(group.clone()),
            created: now,
            packets: 0,
            bytes: 0,
            buckets: BTreeMap::new(),
        };
        let before = self.groups.insert(group.id, record);
        journal.steps.push(Undo::Group(group.id, before));
        Ok(())
    }

    fn delete_group(&mut self, id: GroupId, now: Duration, journal: &mut Journal) -> Vec<FlowChange> {
        let ids: Vec<GroupId> =
            self.groups.keys().copied().filter(|present| id == GroupId::ALL || *present == id).collect();
        let mut changes = Vec::new();
        for id in ids {
            let keys: Vec<FlowKey> = self
                .flows()
                .filter(|flow| flow.uses(|action| *action == Action::Group(id)))
                .map(|flow| flow.key.clone())
                .collect();
            changes.extend(self.remove_flows(&keys, FlowRemovedReason::GroupDelete, now, journal));
            let before = self.groups.remove(&id);
            journal.steps.push(Undo::Group(id, before));
        }
        changes
    }

    fn insert_bucket(&mut self, id: GroupId, bucket: &Bucket, journal: &mut Journal) -> Result<(), Refusal> {
        let record = self.groups.get_mut(&id).ok_or(Refusal::UNKNOWN_GROUP)?;
        if record.group.buckets.iter().any(|present| present.id == bucket.id) {
            return Err(Refusal::BUCKET_EXISTS);
        }
        journal.steps.push(Undo::Group(id, Some(record.clone())));
        Arc::make_mut(&mut record.group).insert(bucket.clone());
        Ok(())
    }

    fn remove_bucket(&mut self, id: GroupId, bucket: BucketId, journal: &mut Journal) -> Result<(), Refusal> {
        let record = self.groups.get_mut(&id).ok_or(Refusal::UNKNOWN_GROUP)?;
        if !record.group.buckets.iter().any(|present| present.id == bucket) {
            return Err(Refusal::UNKNOWN_BUCKET);
        }
        journal.steps.push(Undo::Group(id, Some(record.clone())));
        Arc::make_mut(&mut record.group).remove(bucket);
        Ok(())
    }

    fn add_meter(&mut self, meter: &Meter, now: Duration, journal: &mut Journal) -> Result<(), Refusal> {
        if meter.id.0 == 0 || meter.id.0 > 0xffff_0000 {
            return Err(Refusal::INVALID_METER);
        }
        let bands = meter.bands.iter().map(|_| BandRecord { filled: now, ..BandRecord::default() }).collect();
        let record = MeterRecord { meter: meter.clone(), created: now, packets: 0, bytes: 0, bands };
        let before = self.meters.insert(meter.id, record);
        journal.steps.push(Undo::Meter(meter.id, before));
        if let Some(record) = self.meters.get_mut(&meter.id) {
            record.fill();
        }
        Ok(())
    }

    fn delete_meter(&mut self, id: MeterId, now: Duration, journal: &mut Journal) -> Vec<FlowChange> {
        let keys: Vec<FlowKey> = self
            .flows()
            .filter(|flow| flow.uses(|action| *action == Action::Meter(id)))
            .map(|flow| flow.key.clone())
            .collect();
        let changes = self.remove_flows(&keys, FlowRemovedReason::MeterDelete, now, journal);
        if let Some(before) = self.meters.remove(&id) {
            journal.steps.push(Undo::Meter(id, Some(before)));
        }
        changes
    }
}

fn put<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => {
            map.insert(key, value);
        }
        None => {
            map.remove(&key);
        }
    }
}

impl MeterRecord {
    /// Fills every band to its burst, as when the meter is new.
    fn fill(&mut self) {
        let flags = self.meter.flags;
        for (band, record) in self.meter.bands.iter().zip(&mut self.bands) {
            record.tokens = capacity(flags.kbps, band.rate, band.burst);
        }
    }

    /// Whether a packet of `length` bytes may pass at `now`.
    pub(super) fn admit(&mut self, length: usize, now: Duration) -> bool {
        self.packets += 1;
        self.bytes += length as u64;
        let kbps = self.meter.flags.kbps;
        let mut dropped_by = None;
        for (place, (band, record)) in self.meter.bands.iter().zip(&mut self.bands).enumerate() {
            let micros = now.saturating_sub(record.filled).as_micros();
            record.filled = now;
            // A rate in kilobits a second is a thousandth of a bit a microsecond; one in packets, a millionth.
            let per_micro = u128::from(band.rate) * if kbps { 1000 } else { 1 };
            record.tokens = (record.tokens + micros * per_micro).min(capacity(kbps, band.rate, band.burst));
            let needed = if kbps { length as u128 * 8 * 1_000_000 } else { 1_000_000 };
            if record.tokens >= needed {
                record.tokens -= needed;
            } else {
                dropped_by = Some(place);
            }
        }
        if let Some(record) = dropped_by.and_then(|place| self.bands.get_mut(place)) {
            record.packets += 1;
            record.bytes += length as u64;
        }
        dropped_by.is_none()
    }
}

/// The most tokens of a band, in millionths; without a burst it is one second's worth.
fn capacity(kbps: bool, rate: u32, burst: u32) -> u128 {
    let units = if burst > 0 { burst } else { rate };
    u128::from(units) * 1_000_000 * if kbps { 1000 } else { 1 }
}
