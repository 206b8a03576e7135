//! Random messages come back as they were, and random bytes do no harm.

use crate::generate::flow;
use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::net::IpAddr;
use std::time::Duration;
use weir_openflow::message::{
    AggregateStats, AsyncConfig, BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId, CtFlush, CtL4,
    CtTuple, ErrorCode, ErrorMessage, Ethernet, EthernetErrors, Features, FlowEntries, FlowFilter, FlowRemoved,
    FlowRemovedReason, FlowStats, FlowUpdate, GroupEntries, GroupStats, Hello, Message, MeterStats, MonitorCommand,
    MonitorFlags, MonitorRequest, MultipartReply, MultipartRequest, NICIRA, PacketIn, PacketInFormat, PacketInReason,
    PacketOut, Port, PortReason, PortStats, PortStatus, ReasonMask, Resume, Role, RoleClaim, RoleReason, RoleStatus,
    SwitchConfig, SwitchDesc, TableDesc, TableStats,
};
use weir_openflow::{
    Action, Band, Bucket, BucketId, Cookie, DatapathId, EncodedEdit, Field, Flow, FlowEdit, FlowFlags, FlowKey, Frame,
    Group, GroupId, GroupKind, Match, Meter, MeterFlags, MeterId, PortNo, Selection, TableId, Xid, split_frame,
};

fn data(most: usize) -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..most).prop_map(Bytes::from)
}

fn matching() -> impl Strategy<Value = Match> {
    let port = option::of(any::<u32>());
    let metadata = option::of((any::<u64>(), 1..=u64::MAX));
    let reg = option::of((0_usize..16, any::<u32>()));
    let ip = option::of(any::<u32>());
    (port, metadata, reg, ip).prop_map(|(port, metadata, reg, ip)| {
        let mut matching = Match::new();
        if let Some(port) = port {
            matching = matching.in_port(PortNo(port));
        }
        if let Some((value, mask)) = metadata {
            matching = matching.with_masked(Field::Metadata, value.into(), mask.into());
        }
        if let Some((n, value)) = reg {
            matching = matching.reg(n, value);
        }
        if let Some(ip) = ip {
            matching = matching.ip().ipv4_dst(ip.into());
        }
        matching
    })
}

fn actions() -> impl Strategy<Value = Vec<Action>> {
    let action = prop_oneof![
        (any::<u32>(), any::<u16>()).prop_map(|(port, max_len)| Action::Output { port: PortNo(port), max_len }),
        any::<u32>().prop_map(|group| Action::Group(GroupId(group))),
        any::<u32>().prop_map(Action::SetQueue),
        Just(Action::PopVlan),
    ];
    vec(action, 0..4)
}

/// A flow as a notice tells it: without flags and importance.
fn told_flow() -> impl Strategy<Value = Flow> {
    flow().prop_map(|flow| Flow { flags: FlowFlags::default(), importance: 0, ..flow })
}

fn group() -> impl Strategy<Value = Group> {
    (any::<u32>(), vec((any::<u16>(), actions()), 0..4)).prop_map(|(id, buckets)| Group {
        id: GroupId(id),
        kind: GroupKind::Select,
        buckets: (0..)
            .zip(buckets)
            .map(|(id, (weight, actions))| Bucket {
                id: BucketId(id),
                weight,
                watch_port: PortNo::ANY,
                watch_group: GroupId::ANY,
                actions,
            })
            .collect(),
        selection: Selection::default(),
    })
}

fn meter() -> impl Strategy<Value = Meter> {
    (any::<u32>(), any::<bool>(), vec(any::<u32>(), 0..3)).prop_map(|(id, stats, rates)| Meter {
        id: MeterId(id),
        flags: MeterFlags { kbps: true, stats, ..MeterFlags::default() },
        bands: rates.into_iter().map(|rate| Band { rate, burst: 0 }).collect(),
    })
}

fn edit() -> impl Strategy<Value = FlowEdit> {
    prop_oneof![
        flow().prop_map(FlowEdit::AddFlow),
        flow().prop_map(|flow| FlowEdit::DeleteFlow(flow.key)),
        group().prop_map(FlowEdit::AddGroup),
        any::<u32>().prop_map(|id| FlowEdit::DeleteGroup(GroupId(id))),
        any::<(u32, u32)>()
            .prop_map(|(group, bucket)| FlowEdit::RemoveBucket { group: GroupId(group), bucket: BucketId(bucket) }),
        meter().prop_map(FlowEdit::AddMeter),
        any::<u32>().prop_map(|id| FlowEdit::DeleteMeter(MeterId(id))),
    ]
}

fn duration() -> impl Strategy<Value = Duration> {
    (any::<u32>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds.into(), nanos))
}

fn role() -> impl Strategy<Value = Role> {
    prop::sample::select(vec![Role::NoChange, Role::Equal, Role::Master, Role::Slave])
}

fn claim() -> impl Strategy<Value = RoleClaim> {
    (role(), any::<u64>()).prop_map(|(role, generation)| RoleClaim { role, generation })
}

fn port() -> impl Strategy<Value = Port> {
    let ethernet = option::of(any::<[u32; 6]>()).prop_map(|words| {
        words.map(|[current, advertised, supported, peer, current_speed, max_speed]| Ethernet {
            current,
            advertised,
            supported,
            peer,
            current_speed,
            max_speed,
        })
    });
    (any::<u32>(), any::<[u8; 6]>(), "[a-z0-9-]{0,15}", any::<(u32, u32)>(), ethernet).prop_map(
        |(number, address, name, (config, state), ethernet)| Port {
            number: PortNo(number),
            address,
            name,
            config,
            state,
            ethernet,
        },
    )
}

fn port_stats() -> impl Strategy<Value = PortStats> {
    let ethernet = option::of(any::<[u64; 4]>()).prop_map(|words| {
        words.map(|[rx_frame_err, rx_over_err, rx_crc_err, collisions]| EthernetErrors {
            rx_frame_err,
            rx_over_err,
            rx_crc_err,
            collisions,
        })
    });
    (any::<u32>(), duration(), any::<[u64; 8]>(), ethernet).prop_map(|(number, duration, counters, ethernet)| {
        let [rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors] = counters;
        PortStats {
            number: PortNo(number),
            duration,
            rx_packets,
            tx_packets,
            rx_bytes,
            tx_bytes,
            rx_dropped,
            tx_dropped,
            rx_errors,
            tx_errors,
            ethernet,
        }
    })
}

fn packet_in_reason() -> impl Strategy<Value = PacketInReason> {
    use PacketInReason::{ActionSet, ApplyAction, Group, InvalidTtl, Other, PacketOut, TableMiss};
    prop_oneof![
        prop::sample::select(vec![TableMiss, ApplyAction, InvalidTtl, ActionSet, Group, PacketOut]),
        (6_u8..).prop_map(Other),
    ]
}

fn packet_in() -> impl Strategy<Value = PacketIn> {
    let buffer = option::of(0..u32::MAX);
    let cookie = option::of((0..u64::MAX).prop_map(Cookie));
    let private = (data(40), option::of(data(40)));
    (data(120), any::<u32>(), buffer, any::<u8>(), cookie, packet_in_reason(), matching(), private).prop_map(
        |(packet, full_len, buffer, table, cookie, reason, metadata, (userdata, continuation))| PacketIn {
            packet,
            full_len,
            buffer,
            table: TableId(table),
            cookie,
            reason,
            metadata,
            userdata,
            continuation,
        },
    )
}

fn removed_reason() -> impl Strategy<Value = FlowRemovedReason> {
    use FlowRemovedReason::{Delete, Eviction, GroupDelete, HardTimeout, IdleTimeout, MeterDelete, Other};
    prop_oneof![
        prop::sample::select(vec![IdleTimeout, HardTimeout, Delete, GroupDelete, MeterDelete, Eviction]),
        (6_u8..).prop_map(Other),
    ]
}

fn flow_removed() -> impl Strategy<Value = FlowRemoved> {
    (flow(), removed_reason(), duration(), any::<(u64, u64)>()).prop_map(
        |(flow, reason, duration, (packets, bytes))| FlowRemoved {
            key: flow.key,
            cookie: flow.cookie,
            reason,
            idle_timeout: flow.idle_timeout,
            hard_timeout: flow.hard_timeout,
            duration,
            packets,
            bytes,
        },
    )
}

fn mask() -> impl Strategy<Value = ReasonMask> {
    (option::of(any::<u32>()), option::of(any::<u32>())).prop_map(|(master, slave)| ReasonMask { master, slave })
}

fn async_config() -> impl Strategy<Value = AsyncConfig> {
    (mask(), mask(), mask(), mask(), mask(), mask()).prop_map(
        |(packet_in, port_status, flow_removed, role_status, table_status, request_forward)| AsyncConfig {
            packet_in,
            port_status,
            flow_removed,
            role_status,
            table_status,
            request_forward,
        },
    )
}

fn tuple() -> impl Strategy<Value = CtTuple> {
    let l4 = prop_oneof![
        Just(CtL4::Any),
        any::<(u16, u16)>().prop_map(|(src, dst)| CtL4::Ports { src, dst }),
        any::<(u16, u8, u8)>().prop_map(|(id, kind, code)| CtL4::Icmp { id, kind, code }),
    ];
    // An IPv6 address that maps an IPv4 address is that IPv4 address on the wire.
    let address = any::<IpAddr>().prop_map(|address| address.to_canonical());
    (option::of(address.clone()), option::of(address), l4).prop_map(|(src, dst, l4)| CtTuple { src, dst, l4 })
}

fn filter() -> impl Strategy<Value = FlowFilter> {
    (any::<u8>(), any::<(u32, u32, u64, u64)>(), matching()).prop_map(
        |(table, (out_port, out_group, cookie, cookie_mask), matching)| FlowFilter {
            table: TableId(table),
            out_port: PortNo(out_port),
            out_group: GroupId(out_group),
            cookie: Cookie(cookie),
            cookie_mask,
            matching,
        },
    )
}

fn monitor_request() -> impl Strategy<Value = MonitorRequest> {
    let command = prop::sample::select(vec![MonitorCommand::Add, MonitorCommand::Modify, MonitorCommand::Delete]);
    (filter(), command, any::<u32>(), any::<[bool; 7]>()).prop_map(|(filter, command, id, flags)| {
        let [initial, added, removed, modified, instructions, no_abbrev, only_own] = flags;
        MonitorRequest {
            id,
            command,
            flags: MonitorFlags { initial, added, removed, modified, instructions, no_abbrev, only_own },
            table: filter.table,
            out_port: filter.out_port,
            out_group: filter.out_group,
            matching: filter.matching,
        }
    })
}

fn flow_update() -> impl Strategy<Value = FlowUpdate> {
    prop_oneof![
        told_flow().prop_map(FlowUpdate::Initial),
        told_flow().prop_map(FlowUpdate::Added),
        (told_flow(), removed_reason()).prop_map(|(flow, reason)| FlowUpdate::Removed { flow, reason }),
        told_flow().prop_map(FlowUpdate::Modified),
        any::<u32>().prop_map(|xid| FlowUpdate::Abbreviated(Xid(xid))),
        Just(FlowUpdate::Paused),
        Just(FlowUpdate::Resumed),
    ]
}

fn multipart_request() -> impl Strategy<Value = MultipartRequest> {
    prop_oneof![
        Just(MultipartRequest::Desc),
        filter().prop_map(MultipartRequest::Flows),
        filter().prop_map(MultipartRequest::Aggregate),
        Just(MultipartRequest::TableStats),
        any::<u32>().prop_map(|port| MultipartRequest::PortStats(PortNo(port))),
        any::<u32>().prop_map(|port| MultipartRequest::Ports(PortNo(port))),
        any::<u32>().prop_map(|group| MultipartRequest::GroupStats(GroupId(group))),
        any::<u32>().prop_map(|group| MultipartRequest::Groups(GroupId(group))),
        any::<u32>().prop_map(|meter| MultipartRequest::MeterStats(MeterId(meter))),
        any::<u32>().prop_map(|meter| MultipartRequest::Meters(MeterId(meter))),
        Just(MultipartRequest::TableDesc),
        vec(monitor_request(), 0..3).prop_map(MultipartRequest::Monitor),
        (20_u16.., data(20)).prop_map(|(kind, body)| MultipartRequest::Other { kind, body }),
    ]
}

fn multipart_reply() -> impl Strategy<Value = MultipartReply> {
    let desc = ("[ -~]{0,255}", "[ -~]{0,9}", "[ -~]{0,9}", "[ -~]{0,31}", "[ -~]{0,9}").prop_map(
        |(manufacturer, hardware, software, serial, datapath)| SwitchDesc {
            manufacturer,
            hardware,
            software,
            serial,
            datapath,
        },
    );
    let stats = (flow(), duration(), duration(), any::<(u64, u64)>())
        .prop_map(|(flow, duration, idle, (packets, bytes))| FlowStats { flow, duration, idle, packets, bytes });
    let table_stats = any::<(u8, u32, u64, u64)>().prop_map(|(table, active, lookups, matched)| TableStats {
        table: TableId(table),
        active,
        lookups,
        matched,
    });
    let group_stats = (any::<(u32, u32, u64, u64)>(), duration(), vec(any::<(u64, u64)>(), 0..3)).prop_map(
        |((group, references, packets, bytes), duration, buckets)| GroupStats {
            group: GroupId(group),
            references,
            packets,
            bytes,
            duration,
            buckets,
        },
    );
    let meter_stats = (any::<(u32, u32, u64, u64)>(), duration(), vec(any::<(u64, u64)>(), 0..3)).prop_map(
        |((meter, flows, packets, bytes), duration, bands)| MeterStats {
            meter: MeterId(meter),
            flows,
            packets,
            bytes,
            duration,
            bands,
        },
    );
    let table_desc = (any::<(u8, u32)>(), data(16)).prop_map(|((table, config), properties)| TableDesc {
        table: TableId(table),
        config,
        properties,
    });
    prop_oneof![
        desc.prop_map(MultipartReply::Desc),
        vec(stats, 0..3).prop_map(|flows| MultipartReply::Flows(FlowEntries::from_iter(&flows))),
        any::<(u64, u64, u32)>().prop_map(|(packets, bytes, flows)| {
            MultipartReply::Aggregate(AggregateStats { packets, bytes, flows })
        }),
        vec(table_stats, 0..3).prop_map(MultipartReply::TableStats),
        vec(port_stats(), 0..3).prop_map(MultipartReply::PortStats),
        vec(port(), 0..3).prop_map(MultipartReply::Ports),
        vec(group_stats, 0..3).prop_map(MultipartReply::GroupStats),
        vec(group(), 0..3).prop_map(|groups| MultipartReply::Groups(GroupEntries::from_iter(&groups))),
        vec(meter_stats, 0..3).prop_map(MultipartReply::MeterStats),
        vec(meter(), 0..3).prop_map(MultipartReply::Meters),
        vec(table_desc, 0..3).prop_map(MultipartReply::TableDesc),
        vec(flow_update(), 0..3).prop_map(MultipartReply::Monitor),
        (20_u16.., data(20)).prop_map(|(kind, body)| MultipartReply::Other { kind, body }),
    ]
}

fn bundle_control() -> impl Strategy<Value = BundleControl> {
    use BundleControlKind::{
        CloseReply, CloseRequest, CommitReply, CommitRequest, DiscardReply, DiscardRequest, OpenReply, OpenRequest,
    };
    let kind = prop::sample::select(vec![
        OpenRequest,
        OpenReply,
        CloseRequest,
        CloseReply,
        CommitRequest,
        CommitReply,
        DiscardRequest,
        DiscardReply,
    ]);
    (any::<u32>(), kind, any::<(bool, bool)>()).prop_map(|(bundle, kind, (atomic, ordered))| BundleControl {
        bundle: BundleId(bundle),
        kind,
        flags: BundleFlags { atomic, ordered },
    })
}

fn plain_message() -> impl Strategy<Value = Message> {
    let hello = option::of(prop::collection::btree_set(0_u8..64, 0..5)).prop_map(|versions| {
        Message::Hello(Hello { version: 6, versions: versions.map(|versions| versions.into_iter().collect()) })
    });
    let code = prop_oneof![
        (0_u16..0xffff, any::<u16>()).prop_map(|(kind, code)| ErrorCode::standard(kind, code)),
        any::<u16>().prop_map(ErrorCode::nicira),
    ];
    let error = (code, data(80)).prop_map(|(code, data)| Message::Error(ErrorMessage { code, data }));
    let features = any::<(u64, u32, u8, u8, u32)>().prop_map(|(datapath, buffers, tables, auxiliary, capabilities)| {
        Message::FeaturesReply(Features { datapath: DatapathId(datapath), buffers, tables, auxiliary, capabilities })
    });
    let config = any::<(u16, u16)>().prop_map(|(flags, miss_send_len)| SwitchConfig { flags, miss_send_len });
    let role_reason =
        prop::sample::select(vec![RoleReason::MasterRequest, RoleReason::Config, RoleReason::Experimenter]);
    let role_status = (role(), role_reason, any::<u64>())
        .prop_map(|(role, reason, generation)| Message::RoleStatus(RoleStatus { role, reason, generation }));
    let port_reason = prop::sample::select(vec![PortReason::Added, PortReason::Deleted, PortReason::Modified]);
    let port_status = (port_reason, port()).prop_map(|(reason, port)| Message::PortStatus(PortStatus { reason, port }));
    // The standard's packet-in tells no user data and no continuation, and a length of 16 bits.
    let standard_packet = packet_in().prop_map(|packet| {
        Message::PacketIn(PacketIn {
            full_len: packet.full_len & 0xffff,
            userdata: Bytes::new(),
            continuation: None,
            ..packet
        })
    });
    let packet_out = (matching(), actions(), data(100))
        .prop_map(|(metadata, actions, packet)| Message::PacketOut(PacketOut { metadata, actions, packet }));
    let resume = (data(100), matching(), data(40))
        .prop_map(|(packet, metadata, continuation)| Message::Resume(Resume { packet, metadata, continuation }));
    let format = prop::sample::select(vec![PacketInFormat::Standard, PacketInFormat::Nicira, PacketInFormat::Nicira2]);
    let flush = (option::of(any::<u16>()), any::<u8>(), tuple(), tuple())
        .prop_map(|(zone, protocol, original, reply)| Message::CtFlush(CtFlush { zone, protocol, original, reply }));
    prop_oneof![
        hello,
        error,
        data(30).prop_map(Message::EchoRequest),
        data(30).prop_map(Message::EchoReply),
        prop::sample::select(vec![
            Message::FeaturesRequest,
            Message::GetConfigRequest,
            Message::BarrierRequest,
            Message::BarrierReply,
            Message::GetAsyncRequest,
        ]),
        features,
        config.clone().prop_map(Message::GetConfigReply),
        config.prop_map(Message::SetConfig),
        claim().prop_map(Message::RoleRequest),
        claim().prop_map(Message::RoleReply),
        role_status,
        port_status,
        standard_packet,
        packet_in().prop_map(Message::PacketIn2),
        packet_out,
        resume,
        flow_removed().prop_map(Message::FlowRemoved),
        edit().prop_map(Message::Edit),
        bundle_control().prop_map(Message::BundleControl),
        async_config().prop_map(Message::SetAsync),
        async_config().prop_map(Message::GetAsyncReply),
        format.prop_map(Message::SetPacketInFormat),
        any::<u16>().prop_map(Message::SetControllerId),
        any::<u16>().prop_map(Message::CtFlushZone),
        flush,
        (multipart_request(), any::<bool>()).prop_map(|(request, more)| Message::MultipartRequest { request, more }),
        (multipart_reply(), any::<bool>()).prop_map(|(reply, more)| Message::MultipartReply { reply, more }),
        (any::<u32>(), data(20)).prop_map(|(kind, body)| Message::Experimenter {
            experimenter: NICIRA ^ 1,
            kind,
            body,
        }),
    ]
}

pub(crate) fn message() -> impl Strategy<Value = Message> {
    let plain = plain_message().boxed();
    let inner = (any::<u32>(), any::<u32>(), plain.clone()).prop_map(|(bundle, xid, message)| {
        Message::BundleAdd(BundleAdd {
            bundle: BundleId(bundle),
            flags: BundleFlags::ATOMIC_ORDERED,
            xid: Xid(xid),
            message: Box::new(message),
        })
    });
    prop_oneof![9 => plain, 1 => inner]
}

fn decode(bytes: &[u8]) -> Option<(Xid, Message)> {
    let Frame { header, body } = split_frame(&mut BytesMut::from(bytes)).ok()??;
    Message::decode(header, body).ok().map(|message| (header.xid, message))
}

fn encode(xid: Xid, message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(xid, &mut out).expect("a short message");
    out
}

proptest! {
    #[test]
    fn edits_of_one_piece_are_as_those_of_many(edits in vec(edit(), 0..12)) {
        let one_by_one: Result<std::sync::Arc<[_]>, _> = edits.iter().map(EncodedEdit::encode).collect();
        prop_assert_eq!(EncodedEdit::encode_all(&edits), one_by_one);
    }

    #[test]
    fn a_message_comes_back_as_it_was(xid in any::<u32>(), message in message()) {
        let bytes = encode(Xid(xid), &message);
        prop_assert_eq!(decode(&bytes), Some((Xid(xid), message)));
    }

    #[test]
    fn a_damaged_message_is_refused_or_means_something(
        message in message(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut bytes = encode(Xid(1), &message);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let cut = cut.index(bytes.len()) + 1;
        bytes.truncate(cut);
        if let Some(length) = bytes.get_mut(2..4) {
            length.copy_from_slice(&(cut as u16).to_be_bytes());
        }
        // What can be read can be written, and then it is read the same.
        if let Some((xid, message)) = decode(&bytes) {
            let mut again = BytesMut::new();
            if message.encode(xid, &mut again).is_ok() {
                prop_assert_eq!(decode(&again), Some((xid, message)));
            }
        }
    }

    #[test]
    fn random_bytes_do_no_harm(kind in 0_u8..40, body in vec(any::<u8>(), 0..200)) {
        let length = (8 + body.len() as u16).to_be_bytes();
        let mut bytes = vec![6, kind, length[0], length[1], 0, 0, 0, 1];
        bytes.extend(body);
        if let Some((xid, message)) = decode(&bytes) {
            prop_assert_eq!(decode(&encode(xid, &message)), Some((xid, message)));
        }
    }
}

#[test]
fn a_message_longer_than_its_header_can_tell_is_refused() {
    let mut out = BytesMut::from(&b"before"[..]);
    let packet = Message::EchoRequest(Bytes::from(vec![0; 65_528]));
    let error = packet.encode(Xid(1), &mut out).expect_err("65536 bytes");
    assert_eq!(error.length, 65_536);
    assert_eq!(&out[..], b"before", "nothing is left of it");
    let key = FlowKey::new(TableId(0), 0, Match::new());
    let long = Flow { key, ..Flow::new(TableId(0), 0, Match::new()) }
        .apply(std::iter::repeat_n(Action::Output { port: PortNo(1), max_len: 0 }, 4096));
    assert!(Message::Edit(FlowEdit::AddFlow(long)).encode(Xid(1), &mut out).is_err());
    assert_eq!(&out[..], b"before");
}

/// Inputs that fuzzing found to be read otherwise the second time.
#[test]
fn a_message_is_read_the_same_after_it_was_written() {
    // A serial number without a zero at its end.
    let mut desc = vec![6, 19, 4, 48, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    desc.resize(16 + 768, 0);
    desc.extend([b'x'; 32]);
    desc.resize(16 + 1056, 0);
    // A time of more than a second's nanoseconds, on top of as many seconds as there can be.
    let mut meter = vec![6, 19, 0, 56, 0, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 40];
    meter.resize(16 + 32, 0);
    meter.extend([0xff; 8]);
    for bytes in [desc, meter] {
        let (xid, message) = decode(&bytes).expect("a message that can be read");
        assert_eq!(decode(&encode(xid, &message)), Some((xid, message)));
    }
    // A way to choose buckets that has a parameter but no name.
    let mut group = vec![6, 15, 0, 64, 0, 0, 0, 1, 0x80, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    group.extend([0xff, 0xff, 0, 40, 0, 0, 0x15, 0x4d, 0, 0, 0, 1, 0, 0, 0, 0]);
    group.resize(64, 0);
    assert_eq!(decode(&group), None);
    group[40] = b'h';
    assert!(decode(&group).is_some(), "with a name it is good");
}
