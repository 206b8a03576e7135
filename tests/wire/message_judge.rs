//! What we write, as `ovs-ofctl ofp-print` reads it.

use bytes::{Bytes, BytesMut};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use weir_openflow::message::{
    AggregateStats, AsyncConfig, BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId, CtFlush, CtL4,
    CtTuple, ErrorMessage, Features, FlowFilter, FlowRemoved, FlowRemovedReason, FlowUpdate, GroupStats, Hello,
    Message, MeterStats, MonitorRequest, MultipartReply, MultipartRequest, PacketIn, PacketInFormat, PacketInReason,
    PacketOut, Port, PortReason, PortStats, PortStatus, Resume, Role, RoleClaim, RoleReason, RoleStatus, SwitchConfig,
    TableStats,
};
use weir_openflow::{Action, Cookie, DatapathId, Flow, FlowEdit, GroupId, Match, MeterId, PortNo, TableId, Xid};

fn print(message: &Message) -> String {
    let mut bytes = BytesMut::new();
    message.encode(Xid(0x1234), &mut bytes).expect("a short message");
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let output = Command::new("ovs-ofctl")
        .args(["ofp-print", &digits])
        .output()
        .unwrap_or_else(|error| panic!("ovs-ofctl cannot be run ({error}): these tests need Open vSwitch"));
    assert!(output.stderr.is_empty(), "{message:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.join("\n").replace(" (OF1.5) (xid=0x1234)", "")
}

fn port() -> Port {
    Port { number: PortNo(5), address: [2, 0, 0, 0, 0, 5], name: "p5".to_owned(), config: 0, state: 4, ethernet: None }
}

fn flow() -> Flow {
    Flow::new(TableId(3), 9, Match::new().metadata(5).ip())
        .cookie(0xabc)
        .apply([Action::Output { port: PortNo(2), max_len: 0 }])
        .goto(TableId(4))
}

fn packet_in() -> PacketIn {
    PacketIn {
        packet: Bytes::from_static(b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5packet"),
        full_len: 100,
        buffer: None,
        table: TableId(7),
        cookie: Some(Cookie(0xabc)),
        reason: PacketInReason::ApplyAction,
        metadata: Match::new().in_port(PortNo(5)).reg(3, 4),
        userdata: Bytes::from_static(&[1, 2, 3]),
        continuation: None,
    }
}

fn messages() -> Vec<Message> {
    let control =
        |kind| Message::BundleControl(BundleControl { bundle: BundleId(7), kind, flags: BundleFlags::ATOMIC_ORDERED });
    let request = |request| Message::MultipartRequest { request, more: false };
    let reply = |reply| Message::MultipartReply { reply, more: false };
    let tuple = CtTuple {
        src: Some([10, 0, 0, 1].into()),
        dst: Some([10, 0, 0, 2].into()),
        l4: CtL4::Ports { src: 1, dst: 80 },
    };
    let second = Duration::new(1, 500_000_000);
    let removed = FlowRemoved {
        key: flow().key,
        cookie: Cookie(0xabc),
        reason: FlowRemovedReason::IdleTimeout,
        idle_timeout: 60,
        hard_timeout: 0,
        duration: second,
        packets: 3,
        bytes: 180,
    };
    vec![
        Message::Hello(Hello::openflow15()),
        Message::Error(ErrorMessage::hello_failed("needs OpenFlow 1.5")),
        Message::FeaturesRequest,
        Message::FeaturesReply(Features {
            datapath: DatapathId(0xabc),
            buffers: 0,
            tables: 254,
            auxiliary: 0,
            capabilities: 0x4f,
        }),
        Message::SetConfig(SwitchConfig { flags: 0, miss_send_len: 0xffff }),
        Message::RoleRequest(RoleClaim { role: Role::Master, generation: 8 }),
        Message::RoleReply(RoleClaim { role: Role::Slave, generation: 8 }),
        Message::RoleStatus(RoleStatus { role: Role::Slave, reason: RoleReason::Config, generation: 8 }),
        Message::PortStatus(PortStatus { reason: PortReason::Added, port: port() }),
        Message::SetAsync(AsyncConfig::all()),
        Message::SetPacketInFormat(PacketInFormat::Nicira2),
        Message::SetControllerId(17),
        Message::PacketIn(packet_in()),
        Message::PacketIn2(packet_in()),
        Message::PacketOut(PacketOut {
            metadata: Match::new().in_port(PortNo(5)).reg(3, 4),
            actions: vec![Action::Output { port: PortNo(2), max_len: 0 }],
            packet: packet_in().packet,
        }),
        Message::Resume(Resume {
            packet: packet_in().packet,
            metadata: Match::new().in_port(PortNo(5)),
            // Four bytes of padding, and the mirrors that have seen the packet.
            continuation: Bytes::from_static(&[0, 0, 0, 0, 0x80, 2, 0, 8, 0, 0, 0, 1]),
        }),
        Message::FlowRemoved(removed),
        Message::Edit(FlowEdit::AddFlow(flow())),
        control(BundleControlKind::OpenRequest),
        control(BundleControlKind::CommitReply),
        Message::BundleAdd(BundleAdd {
            bundle: BundleId(7),
            flags: BundleFlags::ATOMIC_ORDERED,
            xid: Xid(0x1234),
            message: Box::new(Message::Edit(FlowEdit::DeleteFlow(flow().key))),
        }),
        Message::CtFlushZone(5),
        Message::CtFlush(CtFlush { zone: Some(5), protocol: 17, original: tuple, reply: CtTuple::default() }),
        request(MultipartRequest::Flows(FlowFilter::table(TableId(3)))),
        request(MultipartRequest::Groups(GroupId::ALL)),
        request(MultipartRequest::Meters(MeterId::ALL)),
        request(MultipartRequest::Ports(PortNo::ANY)),
        request(MultipartRequest::Monitor(vec![MonitorRequest::changes(3)])),
        reply(MultipartReply::Ports(vec![port()])),
        reply(MultipartReply::Aggregate(AggregateStats { packets: 1, bytes: 2, flows: 3 })),
        reply(MultipartReply::TableStats(vec![TableStats { table: TableId(0), active: 1, lookups: 2, matched: 3 }])),
        reply(MultipartReply::PortStats(vec![PortStats {
            number: PortNo(5),
            duration: second,
            rx_packets: 1,
            tx_packets: 2,
            ..PortStats::default()
        }])),
        reply(MultipartReply::GroupStats(vec![GroupStats {
            group: GroupId(9),
            references: 1,
            packets: 2,
            bytes: 3,
            duration: second,
            buckets: vec![(4, 5), (6, 7)],
        }])),
        reply(MultipartReply::MeterStats(vec![MeterStats {
            meter: MeterId(9),
            flows: 1,
            packets: 2,
            bytes: 3,
            duration: second,
            bands: vec![(4, 5)],
        }])),
        reply(MultipartReply::Monitor(vec![
            FlowUpdate::Added(flow()),
            FlowUpdate::Abbreviated(Xid(9)),
            FlowUpdate::Paused,
        ])),
    ]
}

#[test]
fn the_judge_reads_what_we_mean() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/vectors/judged.txt");
    let text = std::fs::read_to_string(path).expect("the sentences");
    let (_, text) = text.split_once('\n').expect("a first line that tells what it is");
    let sentences: Vec<&str> = text.trim_end().split("\n--\n").collect();
    let messages = messages();
    assert_eq!(sentences.len(), messages.len());
    for (message, sentence) in messages.iter().zip(sentences) {
        assert_eq!(print(message), sentence, "{message:?}");
    }
}
