//! Multipart messages: descriptions and statistics in parts (OpenFlow 1.5, section 7.3.5).

use super::{FlowUpdate, MonitorRequest, Port, PortStats};
use crate::{Cookie, Flow, Group, GroupId, Match, Meter, MeterId, PortNo, TableId};
use bytes::Bytes;
use std::time::Duration;

/// Which flows a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowFilter {
    /// The table; [`TableId::ALL`] for all.
    pub table: TableId,
    /// Only flows that output here; [`PortNo::ANY`] for no such bound.
    pub out_port: PortNo,
    /// Only flows that output to this group; [`GroupId::ANY`] for no such bound.
    pub out_group: GroupId,
    /// Only flows whose cookie has these bits.
    pub cookie: Cookie,
    /// The bits of the cookie that are looked at.
    pub cookie_mask: u64,
    /// Only flows that match this or more narrowly.
    pub matching: Match,
}

impl Default for FlowFilter {
    /// Every flow.
    fn default() -> Self {
        Self {
            table: TableId::ALL,
            out_port: PortNo::ANY,
            out_group: GroupId::ANY,
            cookie: Cookie(0),
            cookie_mask: 0,
            matching: Match::default(),
        }
    }
}

/// A multipart request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MultipartRequest {
    /// Who made the switch.
    Desc,
    /// Flows with their counters (`OFPMP_FLOW_DESC`).
    Flows(FlowFilter),
    /// The sum of flows' counters.
    Aggregate(FlowFilter),
    /// Counters of the tables.
    TableStats,
    /// Counters of a port; [`PortNo::ANY`] for all.
    PortStats(PortNo),
    /// A port; [`PortNo::ANY`] for all.
    Ports(PortNo),
    /// Counters of a group; [`GroupId::ALL`] for all.
    GroupStats(GroupId),
    /// A group; [`GroupId::ALL`] for all.
    Groups(GroupId),
    /// Counters of a meter; [`MeterId::ALL`] for all.
    MeterStats(MeterId),
    /// A meter; [`MeterId::ALL`] for all.
    Meters(MeterId),
    /// How the tables are configured.
    TableDesc,
    /// Starts, changes or ends monitors.
    Monitor(Vec<MonitorRequest>),
    /// A kind that is not decoded.
    Other {
        /// `OFPMP_*`.
        kind: u16,
        /// What follows the multipart header.
        body: Bytes,
    },
}

/// One part of a multipart reply.
#[derive(Clone, Debug, PartialEq)]
pub enum MultipartReply {
    /// Who made the switch.
    Desc(SwitchDesc),
    /// Flows with their counters.
    Flows(Vec<FlowStats>),
    /// The sum of flows' counters.
    Aggregate(AggregateStats),
    /// Counters of the tables.
    TableStats(Vec<TableStats>),
    /// Counters of ports.
    PortStats(Vec<PortStats>),
    /// Ports.
    Ports(Vec<Port>),
    /// Counters of groups.
    GroupStats(Vec<GroupStats>),
    /// Groups.
    Groups(Vec<Group>),
    /// Counters of meters.
    MeterStats(Vec<MeterStats>),
    /// Meters.
    Meters(Vec<Meter>),
    /// How the tables are configured.
    TableDesc(Vec<TableDesc>),
    /// Notices of monitors.
    Monitor(Vec<FlowUpdate>),
    /// A kind that is not decoded.
    Other {
        /// `OFPMP_*`.
        kind: u16,
        /// What follows the multipart header.
        body: Bytes,
    },
}

/// Who made a switch; each text is cut at the length that the standard gives it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SwitchDesc {
    /// Manufacturer, up to 255 bytes.
    pub manufacturer: String,
    /// Hardware, up to 255 bytes.
    pub hardware: String,
    /// Software, up to 255 bytes.
    pub software: String,
    /// Serial number, up to 31 bytes.
    pub serial: String,
    /// The datapath's description, up to 255 bytes.
    pub datapath: String,
}

/// A flow and its counters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowStats {
    /// The flow.
    pub flow: Flow,
    /// How long it has been there.
    pub duration: Duration,
    /// How long it has matched nothing.
    pub idle: Duration,
    /// Packets that it matched.
    pub packets: u64,
    /// Bytes that it matched.
    pub bytes: u64,
}

/// The sum of flows' counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AggregateStats {
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// Flows.
    pub flows: u32,
}

/// Counters of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableStats {
    /// The table.
    pub table: TableId,
    /// Flows in it.
    pub active: u32,
    /// Packets looked up.
    pub lookups: u64,
    /// Packets that matched.
    pub matched: u64,
}

/// How a table is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableDesc {
    /// The table.
    pub table: TableId,
    /// `OFPTC_*` bits.
    pub config: u32,
    /// Properties, as they came.
    pub properties: Bytes,
}

/// Counters of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupStats {
    /// The group.
    pub group: GroupId,
    /// Flows and groups that name it.
    pub references: u32,
    /// Packets.
    pub packets: u64,
    /// Bytes.
    pub bytes: u64,
    /// How long it has been there.
    pub duration: Duration,
    /// `(packets, bytes)` of each bucket, in the group's order.
    pub buckets: Vec<(u64, u64)>,
}

/// Counters of a meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeterStats {
    /// The meter.
    pub meter: MeterId,
    /// Flows that name it.
    pub flows: u32,
    /// Packets that came in.
    pub packets: u64,
    /// Bytes that came in.
    pub bytes: u64,
    /// How long it has been there.
    pub duration: Duration,
    /// `(packets, bytes)` of each band.
    pub bands: Vec<(u64, u64)>,
}
