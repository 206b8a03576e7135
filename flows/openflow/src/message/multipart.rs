//! Multipart messages: descriptions and statistics in parts (OpenFlow 1.5, section 7.3.5).

use super::entries::{FlowEntries, GroupEntries, entries};
use super::port::{parse_duration, parse_text, put_duration, put_text};
use super::{FlowUpdate, MonitorRequest, Port, PortStats};
use crate::wire::{self, Counters, Parsed};
use crate::{Cookie, DecodeError, Flow, GroupId, Match, Meter, MeterId, PortNo, TableId};
use bytes::{BufMut, Bytes, BytesMut};
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
    Flows(FlowEntries),
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
    Groups(GroupEntries),
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

/// `OFPMP_*`.
mod multipart_type {
    pub(super) const DESC: u16 = 0;
    pub(super) const FLOW_DESC: u16 = 1;
    pub(super) const AGGREGATE_STATS: u16 = 2;
    pub(super) const TABLE_STATS: u16 = 3;
    pub(super) const PORT_STATS: u16 = 4;
    pub(super) const GROUP_STATS: u16 = 6;
    pub(super) const GROUP_DESC: u16 = 7;
    pub(super) const METER_STATS: u16 = 9;
    pub(super) const METER_DESC: u16 = 10;
    pub(super) const PORT_DESC: u16 = 13;
    pub(super) const TABLE_DESC: u16 = 14;
    pub(super) const FLOW_MONITOR: u16 = 16;
}

/// `OFPMPF_*_MORE`: another part follows.
const MORE: u16 = 1;

/// Bytes of a multipart message before its body.
const MULTIPART_HEADER: usize = 8;

/// The kind, the flag and the body of a multipart message.
fn split(body: &Bytes) -> Result<(u16, bool, Bytes), DecodeError> {
    wire::decode(body, |input| {
        let (input, kind) = wire::u16(input)?;
        let (input, flags) = wire::u16(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let (input, rest) = wire::take(input, input.len())?;
        Ok((input, (kind, flags & MORE != 0, body.slice_ref(rest))))
    })
}

fn put_split(out: &mut BytesMut, kind: u16, more: bool) {
    out.put_u16(kind);
    out.put_u16(if more { MORE } else { 0 });
    out.put_bytes(0, 4);
}

/// A number of 32 bits and four bytes of padding.
fn selector(input: &[u8]) -> Parsed<'_, u32> {
    let (input, number) = wire::u32(input)?;
    let (input, ()) = wire::skip(input, 4)?;
    Ok((input, number))
}

fn put_selector(out: &mut BytesMut, number: u32) {
    out.put_u32(number);
    out.put_bytes(0, 4);
}

impl MultipartRequest {
    /// `OFPMP_*`.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        use multipart_type as ty;
        match self {
            Self::Desc => ty::DESC,
            Self::Flows(_) => ty::FLOW_DESC,
            Self::Aggregate(_) => ty::AGGREGATE_STATS,
            Self::TableStats => ty::TABLE_STATS,
            Self::PortStats(_) => ty::PORT_STATS,
            Self::Ports(_) => ty::PORT_DESC,
            Self::GroupStats(_) => ty::GROUP_STATS,
            Self::Groups(_) => ty::GROUP_DESC,
            Self::MeterStats(_) => ty::METER_STATS,
            Self::Meters(_) => ty::METER_DESC,
            Self::TableDesc => ty::TABLE_DESC,
            Self::Monitor(_) => ty::FLOW_MONITOR,
            Self::Other { kind, .. } => *kind,
        }
    }

    pub(super) fn parse(body: &Bytes) -> Result<(Self, bool), DecodeError> {
        use multipart_type as ty;
        let (kind, more, rest) = split(body)?;
        let empty = |input| Ok((input, ()));
        let request = match kind {
            ty::DESC => wire::decode(&rest, empty).map(|()| Self::Desc),
            ty::FLOW_DESC => wire::decode(&rest, FlowFilter::parse).map(Self::Flows),
            ty::AGGREGATE_STATS => wire::decode(&rest, FlowFilter::parse).map(Self::Aggregate),
            ty::TABLE_STATS => wire::decode(&rest, empty).map(|()| Self::TableStats),
            ty::PORT_STATS => wire::decode(&rest, selector).map(|port| Self::PortStats(PortNo(port))),
            ty::PORT_DESC => wire::decode(&rest, selector).map(|port| Self::Ports(PortNo(port))),
            ty::GROUP_STATS => wire::decode(&rest, selector).map(|group| Self::GroupStats(GroupId(group))),
            ty::GROUP_DESC => wire::decode(&rest, selector).map(|group| Self::Groups(GroupId(group))),
            ty::METER_STATS => wire::decode(&rest, selector).map(|meter| Self::MeterStats(MeterId(meter))),
            ty::METER_DESC => wire::decode(&rest, selector).map(|meter| Self::Meters(MeterId(meter))),
            ty::TABLE_DESC => wire::decode(&rest, empty).map(|()| Self::TableDesc),
            ty::FLOW_MONITOR => wire::decode(&rest, |input| wire::all(input, MonitorRequest::parse)).map(Self::Monitor),
            _ => Ok(Self::Other { kind, body: rest }),
        };
        match request {
            Ok(request) => Ok((request, more)),
            Err(error) => Err(DecodeError { offset: error.offset + MULTIPART_HEADER, ..error }),
        }
    }

    pub(super) fn put(&self, out: &mut BytesMut, more: bool) {
        put_split(out, self.kind(), more);
        match self {
            Self::Desc | Self::TableStats | Self::TableDesc => {}
            Self::Flows(filter) | Self::Aggregate(filter) => filter.put(out),
            Self::PortStats(port) | Self::Ports(port) => put_selector(out, port.0),
            Self::GroupStats(group) | Self::Groups(group) => put_selector(out, group.0),
            Self::MeterStats(meter) | Self::Meters(meter) => put_selector(out, meter.0),
            Self::Monitor(requests) => requests.iter().for_each(|request| request.put(out)),
            Self::Other { body, .. } => out.put_slice(body),
        }
    }
}

impl MultipartReply {
    /// `OFPMP_*`.
    #[must_use]
    pub const fn kind(&self) -> u16 {
        use multipart_type as ty;
        match self {
            Self::Desc(_) => ty::DESC,
            Self::Flows(_) => ty::FLOW_DESC,
            Self::Aggregate(_) => ty::AGGREGATE_STATS,
            Self::TableStats(_) => ty::TABLE_STATS,
            Self::PortStats(_) => ty::PORT_STATS,
            Self::Ports(_) => ty::PORT_DESC,
            Self::GroupStats(_) => ty::GROUP_STATS,
            Self::Groups(_) => ty::GROUP_DESC,
            Self::MeterStats(_) => ty::METER_STATS,
            Self::Meters(_) => ty::METER_DESC,
            Self::TableDesc(_) => ty::TABLE_DESC,
            Self::Monitor(_) => ty::FLOW_MONITOR,
            Self::Other { kind, .. } => *kind,
        }
    }

    pub(super) fn parse(body: &Bytes) -> Result<(Self, bool), DecodeError> {
        use multipart_type as ty;
        let (kind, more, rest) = split(body)?;
        let reply = match kind {
            ty::DESC => wire::decode(&rest, SwitchDesc::parse).map(Self::Desc),
            ty::FLOW_DESC => FlowEntries::parse(rest).map(Self::Flows),
            ty::AGGREGATE_STATS => wire::decode(&rest, AggregateStats::parse).map(Self::Aggregate),
            ty::TABLE_STATS => wire::decode(&rest, |input| wire::all(input, TableStats::parse)).map(Self::TableStats),
            ty::PORT_STATS => wire::decode(&rest, |input| entries(input, 0, PortStats::parse)).map(Self::PortStats),
            ty::PORT_DESC => wire::decode(&rest, |input| entries(input, 4, Port::parse)).map(Self::Ports),
            ty::GROUP_STATS => wire::decode(&rest, |input| entries(input, 0, GroupStats::parse)).map(Self::GroupStats),
            ty::GROUP_DESC => GroupEntries::parse(rest).map(Self::Groups),
            ty::METER_STATS => wire::decode(&rest, |input| entries(input, 4, MeterStats::parse)).map(Self::MeterStats),
            ty::METER_DESC => wire::decode(&rest, |input| wire::all(input, wire::meter_config)).map(Self::Meters),
            ty::TABLE_DESC => wire::decode(&rest, |input| entries(input, 0, |entry| TableDesc::parse(&rest, entry)))
                .map(Self::TableDesc),
            ty::FLOW_MONITOR => wire::decode(&rest, |input| entries(input, 0, |entry| FlowUpdate::parse(&rest, entry)))
                .map(Self::Monitor),
            _ => Ok(Self::Other { kind, body: rest.clone() }),
        };
        match reply {
            Ok(reply) => Ok((reply, more)),
            Err(error) => Err(DecodeError { offset: error.offset + MULTIPART_HEADER, ..error }),
        }
    }

    pub(super) fn put(&self, out: &mut BytesMut, more: bool) {
        put_split(out, self.kind(), more);
        match self {
            Self::Desc(desc) => desc.put(out),
            Self::Flows(flows) => out.put_slice(flows.bytes()),
            Self::Aggregate(stats) => stats.put(out),
            Self::TableStats(tables) => tables.iter().for_each(|table| table.put(out)),
            Self::PortStats(ports) => ports.iter().for_each(|port| port.put(out)),
            Self::Ports(ports) => ports.iter().for_each(|port| port.put(out)),
            Self::GroupStats(groups) => groups.iter().for_each(|group| group.put(out)),
            Self::Groups(groups) => out.put_slice(groups.bytes()),
            Self::MeterStats(meters) => meters.iter().for_each(|meter| meter.put(out)),
            Self::Meters(meters) => meters.iter().for_each(|meter| wire::put_meter_config(out, meter)),
            Self::TableDesc(tables) => tables.iter().for_each(|table| table.put(out)),
            Self::Monitor(updates) => updates.iter().for_each(|update| update.put(out)),
            Self::Other { body, .. } => out.put_slice(body),
        }
    }
}

impl FlowFilter {
    /// The flows of one table.
    #[must_use]
    pub fn table(table: TableId) -> Self {
        Self { table, ..Self::default() }
    }

    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, table) = wire::u8(input)?;
        let (input, ()) = wire::skip(input, 3)?;
        let (input, out_port) = wire::u32(input)?;
        let (input, out_group) = wire::u32(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let (input, cookie) = wire::u64(input)?;
        let (input, cookie_mask) = wire::u64(input)?;
        let (input, matching) = wire::matching(input)?;
        let filter = Self {
            table: TableId(table),
            out_port: PortNo(out_port),
            out_group: GroupId(out_group),
            cookie: Cookie(cookie),
            cookie_mask,
            matching,
        };
        Ok((input, filter))
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.table.0);
        out.put_bytes(0, 3);
        out.put_u32(self.out_port.0);
        out.put_u32(self.out_group.0);
        out.put_bytes(0, 4);
        out.put_u64(self.cookie.0);
        out.put_u64(self.cookie_mask);
        wire::put_metadata(out, &self.matching);
    }
}

/// Lengths of the texts of a switch's description.
const DESC_LEN: usize = 256;
const SERIAL_LEN: usize = 32;

impl SwitchDesc {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, manufacturer) = parse_text(input, DESC_LEN)?;
        let (input, hardware) = parse_text(input, DESC_LEN)?;
        let (input, software) = parse_text(input, DESC_LEN)?;
        let (input, serial) = parse_text(input, SERIAL_LEN)?;
        let (input, datapath) = parse_text(input, DESC_LEN)?;
        Ok((input, Self { manufacturer, hardware, software, serial, datapath }))
    }

    fn put(&self, out: &mut BytesMut) {
        put_text(out, &self.manufacturer, DESC_LEN);
        put_text(out, &self.hardware, DESC_LEN);
        put_text(out, &self.software, DESC_LEN);
        put_text(out, &self.serial, SERIAL_LEN);
        put_text(out, &self.datapath, DESC_LEN);
    }
}

impl AggregateStats {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, counters) = wire::stats(input)?;
        let Counters { packets, bytes, flows, .. } = counters;
        Ok((input, Self { packets, bytes, flows: flows.unwrap_or_default() }))
    }

    fn put(&self, out: &mut BytesMut) {
        let Self { packets, bytes, flows } = *self;
        wire::put_sums(out, packets, bytes, flows);
    }
}

impl TableStats {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, table) = wire::u8(input)?;
        let (input, ()) = wire::skip(input, 3)?;
        let (input, active) = wire::u32(input)?;
        let (input, lookups) = wire::u64(input)?;
        let (input, matched) = wire::u64(input)?;
        Ok((input, Self { table: TableId(table), active, lookups, matched }))
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_u8(self.table.0);
        out.put_bytes(0, 3);
        out.put_u32(self.active);
        out.put_u64(self.lookups);
        out.put_u64(self.matched);
    }
}

impl TableDesc {
    fn parse<'a>(body: &Bytes, input: &'a [u8]) -> Parsed<'a, Self> {
        let (input, ()) = wire::skip(input, 2)?;
        let (input, table) = wire::u8(input)?;
        let (input, ()) = wire::skip(input, 1)?;
        let (input, config) = wire::u32(input)?;
        let (input, properties) = wire::take(input, input.len())?;
        Ok((input, Self { table: TableId(table), config, properties: body.slice_ref(properties) }))
    }

    fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u16(0);
        out.put_u8(self.table.0);
        out.put_u8(0);
        out.put_u32(self.config);
        out.put_slice(&self.properties);
        wire::put_length(out, start, start);
    }
}

/// A pair of counters: packets and bytes.
fn counters(input: &[u8]) -> Parsed<'_, (u64, u64)> {
    let (input, packets) = wire::u64(input)?;
    let (input, bytes) = wire::u64(input)?;
    Ok((input, (packets, bytes)))
}

fn put_counters(out: &mut BytesMut, (packets, bytes): (u64, u64)) {
    out.put_u64(packets);
    out.put_u64(bytes);
}

impl GroupStats {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, ()) = wire::skip(input, 4)?;
        let (input, group) = wire::u32(input)?;
        let (input, references) = wire::u32(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let (input, (packets, bytes)) = counters(input)?;
        let (input, duration) = parse_duration(input)?;
        let (input, buckets) = wire::all(input, counters)?;
        Ok((input, Self { group: GroupId(group), references, packets, bytes, duration, buckets }))
    }

    fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_bytes(0, 4);
        out.put_u32(self.group.0);
        out.put_u32(self.references);
        out.put_bytes(0, 4);
        put_counters(out, (self.packets, self.bytes));
        put_duration(out, self.duration);
        self.buckets.iter().for_each(|&bucket| put_counters(out, bucket));
        wire::put_length(out, start, start);
    }
}

impl MeterStats {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, meter) = wire::u32(input)?;
        let (input, ()) = wire::skip(input, 8)?;
        let (input, flows) = wire::u32(input)?;
        let (input, (packets, bytes)) = counters(input)?;
        let (input, duration) = parse_duration(input)?;
        let (input, bands) = wire::all(input, counters)?;
        Ok((input, Self { meter: MeterId(meter), flows, packets, bytes, duration, bands }))
    }

    fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(self.meter.0);
        out.put_bytes(0, 8);
        out.put_u32(self.flows);
        put_counters(out, (self.packets, self.bytes));
        put_duration(out, self.duration);
        self.bands.iter().for_each(|&band| put_counters(out, band));
        wire::put_length(out, start, start + 4);
    }
}
