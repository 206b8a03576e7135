//! What a switch tells of itself: descriptions and statistics.

use super::super::Bridge;
use super::connection::Connection;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_openflow::message::{
    AggregateStats, FlowFilter, FlowStats, GroupStats, MeterStats, MultipartReply, MultipartRequest, PortStats,
    SwitchDesc, TableDesc, TableStats,
};
use weir_openflow::{Action, Flow, Group, GroupId, Match, Message, Meter, MeterId, PortNo, TableId, Xid};

/// How many tables a bridge has.
pub(super) const TABLES: u8 = 254;

/// Whether every packet that meets `matching` meets `wider` too.
pub(super) fn is_narrower(matching: &Match, wider: &Match) -> bool {
    wider.iter().all(|part| {
        let (value, mask) = matching.get(part.field).unwrap_or_default();
        part.mask & !mask == 0 && value & part.mask == part.value
    })
}

pub(super) fn outputs_to_port(flow: &Flow, wanted: PortNo) -> bool {
    flow.uses(|action| matches!(action, Action::Output { port, .. } if *port == wanted))
}

pub(super) fn outputs_to_group(flow: &Flow, wanted: GroupId) -> bool {
    flow.uses(|action| *action == Action::Group(wanted))
}

fn selected(filter: &FlowFilter, flow: &Flow) -> bool {
    (filter.table == TableId::ALL || filter.table == flow.key.table)
        && (flow.cookie.0 ^ filter.cookie.0) & filter.cookie_mask == 0
        && (filter.out_port == PortNo::ANY || outputs_to_port(flow, filter.out_port))
        && (filter.out_group == GroupId::ANY || outputs_to_group(flow, filter.out_group))
        && is_narrower(&flow.key.matching, &filter.matching)
}

fn flow_stats(bridge: &Bridge, filter: &FlowFilter, now: Duration) -> Vec<FlowStats> {
    bridge
        .flows()
        .filter(|flow| selected(filter, flow))
        .filter_map(|flow| bridge.flow(&flow.key))
        .map(|(flow, created, counters)| FlowStats {
            flow: Flow::clone(flow),
            duration: now.saturating_sub(created),
            idle: now.saturating_sub(counters.used.max(created)),
            packets: counters.packets,
            bytes: counters.bytes,
        })
        .collect()
}

/// Answers a multipart request other than one about monitors; false for a kind that the switch does not know.
pub(super) fn answer(
    connection: &mut Connection,
    bridge: &Bridge,
    xid: Xid,
    request: &MultipartRequest,
    now: Duration,
) -> bool {
    let one = |connection: &mut Connection, reply| {
        connection.send(xid, &Message::MultipartReply { reply, more: false });
    };
    match request {
        MultipartRequest::Desc => one(connection, MultipartReply::Desc(description())),
        MultipartRequest::Flows(filter) => {
            connection.reply_in_parts(xid, &flow_stats(bridge, filter, now), |part| {
                MultipartReply::Flows(part.iter().collect())
            });
        }
        MultipartRequest::Aggregate(filter) => {
            let mut sum = AggregateStats::default();
            for stats in flow_stats(bridge, filter, now) {
                sum.flows += 1;
                sum.packets += stats.packets;
                sum.bytes += stats.bytes;
            }
            one(connection, MultipartReply::Aggregate(sum));
        }
        MultipartRequest::TableStats => {
            connection.reply_in_parts(xid, &table_stats(bridge), MultipartReply::TableStats);
        }
        MultipartRequest::PortStats(wanted) => {
            let all: Vec<PortStats> = bridge
                .ports()
                .filter(|port| *wanted == PortNo::ANY || *wanted == port.number)
                .map(|port| PortStats { number: port.number, ..PortStats::default() })
                .collect();
            connection.reply_in_parts(xid, &all, MultipartReply::PortStats);
        }
        MultipartRequest::Ports(wanted) => {
            let all: Vec<_> = bridge
                .ports()
                .filter(|port| *wanted == PortNo::ANY || *wanted == port.number)
                .map(super::super::SwitchPort::description)
                .collect();
            connection.reply_in_parts(xid, &all, MultipartReply::Ports);
        }
        MultipartRequest::GroupStats(wanted) => {
            connection.reply_in_parts(xid, &group_stats(bridge, *wanted, now), MultipartReply::GroupStats);
        }
        MultipartRequest::Groups(wanted) => {
            let all: Vec<Group> = bridge
                .groups
                .iter()
                .filter(|(id, _)| *wanted == GroupId::ALL || wanted == *id)
                .map(|(_, record)| Group::clone(&record.group))
                .collect();
            connection.reply_in_parts(xid, &all, |part| MultipartReply::Groups(part.iter().collect()));
        }
        MultipartRequest::MeterStats(wanted) => {
            connection.reply_in_parts(xid, &meter_stats(bridge, *wanted, now), MultipartReply::MeterStats);
        }
        MultipartRequest::Meters(wanted) => {
            let all: Vec<Meter> = bridge
                .meters
                .iter()
                .filter(|(id, _)| *wanted == MeterId::ALL || wanted == *id)
                .map(|(_, record)| record.meter.clone())
                .collect();
            connection.reply_in_parts(xid, &all, MultipartReply::Meters);
        }
        MultipartRequest::TableDesc => {
            let all: Vec<TableDesc> = (0..TABLES)
                .map(|table| TableDesc { table: TableId(table), config: 0, properties: bytes::Bytes::new() })
                .collect();
            connection.reply_in_parts(xid, &all, MultipartReply::TableDesc);
        }
        MultipartRequest::Monitor(_) | MultipartRequest::Other { .. } => return false,
    }
    true
}

fn description() -> SwitchDesc {
    SwitchDesc {
        manufacturer: "Weir".to_owned(),
        hardware: "simulated switch".to_owned(),
        software: env!("CARGO_PKG_VERSION").to_owned(),
        serial: "None".to_owned(),
        datapath: "None".to_owned(),
    }
}

fn table_stats(bridge: &Bridge) -> Vec<TableStats> {
    let mut active: BTreeMap<TableId, u32> = BTreeMap::new();
    for flow in bridge.flows() {
        *active.entry(flow.key.table).or_default() += 1;
    }
    (0..TABLES)
        .map(|table| {
            let table = TableId(table);
            let counted = bridge.lookups().get(&table).copied().unwrap_or_default();
            TableStats {
                table,
                active: active.get(&table).copied().unwrap_or(0),
                lookups: counted.lookups,
                matched: counted.matched,
            }
        })
        .collect()
}

fn group_stats(bridge: &Bridge, wanted: GroupId, now: Duration) -> Vec<GroupStats> {
    bridge
        .groups
        .iter()
        .filter(|(id, _)| wanted == GroupId::ALL || wanted == **id)
        .map(|(id, record)| GroupStats {
            group: *id,
            references: bridge.flows().filter(|flow| outputs_to_group(flow, *id)).count() as u32,
            packets: record.packets,
            bytes: record.bytes,
            duration: now.saturating_sub(record.created),
            buckets: record
                .group
                .buckets
                .iter()
                .map(|bucket| record.buckets.get(&bucket.id).copied().unwrap_or_default())
                .collect(),
        })
        .collect()
}

fn meter_stats(bridge: &Bridge, wanted: MeterId, now: Duration) -> Vec<MeterStats> {
    bridge
        .meters
        .iter()
        .filter(|(id, _)| wanted == MeterId::ALL || wanted == **id)
        .map(|(id, record)| MeterStats {
            meter: *id,
            flows: bridge.flows().filter(|flow| flow.uses(|action| *action == Action::Meter(*id))).count() as u32,
            packets: record.packets,
            bytes: record.bytes,
            duration: now.saturating_sub(record.created),
            bands: record.bands.iter().map(|band| (band.packets, band.bytes)).collect(),
        })
        .collect()
}
