//! Messages as real `ovs-vswitchd` and `ovs-ofctl` 3.1 send them.

use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use std::path::Path;
use weir_openflow::message::{
    BundleControlKind, CtFlush, CtL4, CtTuple, ErrorCode, FlowRemovedReason, FlowUpdate, Message, MultipartReply,
    PacketInReason, PortReason, Role, RoleClaim, RoleReason, RoleStatus,
};
use weir_openflow::{
    Action, Cookie, DecodeError, Field, FlowEdit, Frame, GroupId, Match, MeterId, PortNo, TableId, Xid, split_frame,
};

/// Messages that are written otherwise than they were read, and why.
const WRITTEN_OTHERWISE: [(&str, &str); 4] = [
    ("meter-config-reply", "a burst without its flag has no meaning, and is passed over"),
    ("meter-mod-modify", "an edit does not tell whether the meter is there"),
    ("port-stats-reply", "the statistics of an experimenter are passed over"),
    ("resume", "table and reason are left out, since the switch takes them from the continuation"),
];

fn vectors() -> BTreeMap<String, Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("wire/vectors/messages");
    let mut vectors = BTreeMap::new();
    for entry in std::fs::read_dir(directory).expect("the vectors") {
        let path = entry.expect("a vector").path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a vector");
        let digits: String = text.lines().filter(|line| !line.starts_with('#')).collect();
        vectors.insert(name, unhex(&digits));
    }
    assert!(vectors.len() > 60, "the vectors are there");
    vectors
}

fn unhex(digits: &str) -> Vec<u8> {
    assert!(digits.len().is_multiple_of(2), "whole bytes");
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hex digits")).collect()
}

fn decode(bytes: &[u8]) -> Result<(Xid, Message), DecodeError> {
    let mut buffer = BytesMut::from(bytes);
    let Frame { header, body } = split_frame(&mut buffer).expect("a length").expect("a whole message");
    Message::decode(header, body).map(|message| (header.xid, message))
}

fn encode(xid: Xid, message: &Message) -> Bytes {
    let mut out = BytesMut::new();
    message.encode(xid, &mut out).expect("a short message");
    out.freeze()
}

fn vector(name: &str) -> Message {
    let bytes = vectors().remove(name).unwrap_or_else(|| panic!("no vector {name}"));
    decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}")).1
}

#[test]
fn what_open_vswitch_sends_is_read_and_written_the_same() {
    for (name, bytes) in vectors() {
        let (xid, message) = decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let written = encode(xid, &message);
        if WRITTEN_OTHERWISE.iter().all(|(other, _)| *other != name) {
            assert_eq!(hex(&written), hex(&bytes), "{name}: {message:?}");
        }
        assert_eq!(decode(&written), Ok((xid, message)), "{name}");
    }
}

#[test]
fn a_message_cut_short_anywhere_is_an_error_or_a_shorter_message() {
    for (name, bytes) in vectors() {
        for length in 0..bytes.len() {
            let mut buffer = BytesMut::from(&bytes[..length]);
            assert_eq!(split_frame(&mut buffer), Ok(None), "{name} cut to {length} is no whole message");
            if length < 8 {
                continue;
            }
            let mut cut = bytes[..length].to_vec();
            cut[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            match decode(&cut) {
                Err(error) => assert!(error.offset <= length, "{name} cut to {length}: {error}"),
                // Properties of a packet-in that are missing have a default, which is written out.
                Ok((xid, message)) if name.starts_with("packet-in2") => {
                    assert_eq!(decode(&encode(xid, &message)), Ok((xid, message)), "{name} cut to {length}");
                }
                // What ends in free bytes, or in a list, may be shorter; then it is that shorter message.
                Ok((xid, message)) if WRITTEN_OTHERWISE.iter().all(|(other, _)| *other != name) => {
                    assert_eq!(hex(&encode(xid, &message)), hex(&cut), "{name} cut to {length}: {message:?}");
                }
                Ok(_) => {}
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_greeting_and_the_role() {
    let Message::Hello(hello) = vector("hello-switch") else { panic!("no hello") };
    assert_eq!(hello.versions, Some(vec![1, 4, 6]));
    assert!(hello.speaks(6) && !hello.speaks(5));
    let Message::FeaturesReply(features) = vector("features-reply") else { panic!("no features") };
    assert_eq!((features.tables, features.buffers, features.auxiliary), (254, 0, 0));
    assert_eq!(vector("role-request"), Message::RoleRequest(RoleClaim { role: Role::Master, generation: 3 }));
    let status = RoleStatus { role: Role::Slave, reason: RoleReason::MasterRequest, generation: 4 };
    assert_eq!(vector("role-status"), Message::RoleStatus(status));
    let Message::GetAsyncReply(config) = vector("get-async-reply") else { panic!("no configuration") };
    assert_eq!(config.port_status.slave, Some(7));
    assert_eq!(config.packet_in.slave, Some(0));
}

#[test]
fn errors_have_names_and_quote_their_cause() {
    let cases = [
        ("error-stale", "OFPRRFC_STALE", 24),
        ("error-bad-group", "OFPBAC_BAD_OUT_GROUP", 14),
        ("error-bundle-failed", "OFPBFC_MSG_FAILED", 33),
        ("error-nicira", "NXBRC_MUST_BE_ZERO", 4),
    ];
    for (name, code, cause) in cases {
        let Message::Error(error) = vector(name) else { panic!("{name} is no error") };
        assert_eq!(error.code.name(), Some(code));
        assert_eq!(error.cause().map(|header| header.kind.0), Some(cause), "{name}");
    }
    let words = "NXR_STALE: the continuation is of another bridge or of a former run of the switch";
    assert_eq!(ErrorCode::nicira(35).to_string(), words);
    assert_eq!(ErrorCode::standard(13, 2).to_string(), "error of type 13, code 2");
}

#[test]
fn packets_for_the_controller() {
    let Message::PacketIn2(packet) = vector("packet-in2-userdata") else { panic!("no packet-in") };
    assert_eq!((packet.packet.len(), packet.full_len), (94, 94));
    assert_eq!((packet.table, packet.cookie), (TableId(0), Some(Cookie(0))));
    assert_eq!(packet.reason, PacketInReason::ApplyAction);
    assert_eq!(packet.metadata, Match::new().reg(3, 0x12).in_port(PortNo(1)));
    assert_eq!(&packet.userdata[..], [1, 2, 3, 4, 5]);
    assert_eq!(packet.resume(), None);

    let Message::PacketIn2(paused) = vector("packet-in2-continuation") else { panic!("no packet-in") };
    assert_eq!(paused.cookie, None);
    assert_eq!(&paused.userdata[..], [10, 11]);
    let resume = paused.resume().expect("a continuation");
    assert_eq!(vector("resume"), Message::Resume(resume));

    let Message::PacketIn(standard) = vector("packet-in") else { panic!("no packet-in") };
    assert_eq!(standard.packet, packet.packet);
    assert_eq!(standard.metadata, packet.metadata);
}

#[test]
fn replies_in_parts() {
    let Message::MultipartReply { reply: MultipartReply::Flows(flows), more: false } = vector("flow-stats-reply")
    else {
        panic!("no flows")
    };
    assert_eq!(flows.raw().count(), 3);
    let flows = flows.decode().expect("flows that we know");
    let Message::Edit(FlowEdit::AddFlow(first)) = vector("flow-mod-add") else { panic!("no flow-mod") };
    assert_eq!(flows[0].flow, first, "the switch gives back what ovs-ofctl sent");
    assert_eq!(first.importance, 7);
    let Message::MultipartReply { reply: MultipartReply::Groups(groups), .. } = vector("group-desc-reply") else {
        panic!("no groups")
    };
    let groups = groups.decode().expect("groups that we know");
    assert_eq!(groups.iter().map(|group| group.id).collect::<Vec<_>>(), [GroupId(9)]);
    assert_eq!(
        groups[0].buckets.iter().map(|bucket| (bucket.id.0, bucket.weight)).collect::<Vec<_>>(),
        [(1, 10), (3, 5)]
    );
    let Message::MultipartReply { reply: MultipartReply::Meters(meters), .. } = vector("meter-config-reply") else {
        panic!("no meters")
    };
    assert_eq!((meters[0].id, meters[0].flags.pktps, meters[0].bands[0].rate), (MeterId(3), true, 50));
    let Message::MultipartReply { reply: MultipartReply::Ports(ports), .. } = vector("port-desc-reply") else {
        panic!("no ports")
    };
    let named: BTreeMap<&str, PortNo> = ports.iter().map(|port| (port.name.as_str(), port.number)).collect();
    assert_eq!(named, BTreeMap::from([("br0", PortNo::LOCAL), ("p1", PortNo(2)), ("p2", PortNo(1))]));
    let Message::MultipartReply { reply: MultipartReply::Desc(desc), .. } = vector("desc-reply") else {
        panic!("no description")
    };
    assert_eq!((desc.manufacturer.as_str(), desc.software.as_str()), ("Nicira, Inc.", "3.1.0"));
    let Message::MultipartReply { reply: MultipartReply::Aggregate(sums), .. } = vector("aggregate-reply") else {
        panic!("no sums")
    };
    assert_eq!(sums.flows, 1);
}

#[test]
fn notices_of_changes() {
    let flow_update = |name| match vector(name) {
        Message::MultipartReply { reply: MultipartReply::Monitor(mut updates), more: false } => updates.pop(),
        other => panic!("{other:?}"),
    };
    let Some(FlowUpdate::Added(added)) = flow_update("flow-monitor-added") else { panic!("nothing added") };
    assert_eq!((added.key.table, added.key.priority), (TableId(7), 3));
    assert_eq!(added.key.matching, Match::new().metadata(6));
    assert_eq!(added.instructions.apply, [Action::Output { port: PortNo(2), max_len: 0 }]);
    let Some(FlowUpdate::Removed { flow, reason: FlowRemovedReason::Delete }) = flow_update("flow-monitor-removed")
    else {
        panic!("nothing removed")
    };
    assert_eq!(flow.key, added.key);
    let Message::FlowRemoved(removed) = vector("flow-removed") else { panic!("no notice") };
    assert_eq!(removed.cookie, Cookie(0x1122_3344_5566_7788));
    assert_eq!((removed.idle_timeout, removed.hard_timeout, removed.key.priority), (30, 3600, 100));
    assert_eq!(removed.key.matching.get(Field::Metadata), Some((5, 0xff)));
    let reasons = [
        ("port-status-added", PortReason::Added),
        ("port-status-modified", PortReason::Modified),
        ("port-status-deleted", PortReason::Deleted),
    ];
    for (name, reason) in reasons {
        let Message::PortStatus(status) = vector(name) else { panic!("no notice") };
        assert_eq!((status.reason, status.port.name.as_str(), status.port.number), (reason, "p3", PortNo(3)));
    }
}

#[test]
fn bundles_and_flushes() {
    let Message::BundleControl(open) = vector("bundle-open") else { panic!("no bundle") };
    assert_eq!(open.kind, BundleControlKind::OpenRequest);
    assert!(open.flags.atomic && open.flags.ordered);
    let Message::BundleAdd(add) = vector("bundle-add-delete") else { panic!("no bundle") };
    assert!(matches!(*add.message, Message::Edit(FlowEdit::DeleteFlow(ref key)) if key.priority == 6), "{add:?}");
    let tuple = CtTuple {
        src: Some([10, 0, 0, 1].into()),
        dst: Some([10, 0, 0, 2].into()),
        l4: CtL4::Ports { src: 1000, dst: 80 },
    };
    let flush = CtFlush { zone: Some(5), protocol: 6, original: tuple, reply: CtTuple::default() };
    assert_eq!(vector("ct-flush"), Message::CtFlush(flush));
    let Message::CtFlush(flush) = vector("ct-flush-icmp6") else { panic!("no flush") };
    assert_eq!(flush.original.l4, CtL4::Icmp { id: 7, kind: 128, code: 0 });
    assert_eq!(flush.reply.src, Some("fd00::2".parse().expect("an address")));
    assert_eq!(vector("ct-flush-zone"), Message::CtFlushZone(5));
}
