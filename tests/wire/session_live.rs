//! The session against a real Open vSwitch.

use crate::link::{Link, listen};
use crate::vswitchd::OpenVSwitch;
use bytes::Bytes;
use weir_openflow::message::{
    CtFlush, CtL4, CtTuple, FlowFilter, FlowRemovedReason, FlowUpdate, Message, MonitorRequest, MultipartReply,
    MultipartRequest, PacketInReason, PacketOut, Role, RoleClaim,
};
use weir_openflow::session::{CloseReason, Rejection, SessionConfig, SessionEvent};
use weir_openflow::{
    Action, Band, Controller, EncodedEdit, Field, Flow, FlowEdit, Group, GroupId, GroupKind, Match, Meter, MeterFlags,
    MeterId, PortNo, Selection, TableId,
};

fn encode(edits: &[FlowEdit]) -> Vec<EncodedEdit> {
    edits.iter().map(|edit| EncodedEdit::encode(edit).expect("a short edit")).collect()
}

fn connect(ovs: &OpenVSwitch) -> Link {
    let (listener, target) = listen();
    ovs.vsctl(&["set-controller", "br0", &target]);
    let mut link = Link::accept(&listener, SessionConfig { generation: 7, ..SessionConfig::default() });
    let ports = link.ready();
    let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
    assert_eq!(names, ["p1", "p2", "br0"], "the ports by number, the local one last");
    link
}

/// Applies a bundle; the error that the switch refuses it with.
fn apply(link: &mut Link, edits: &[FlowEdit]) -> Result<(), Rejection> {
    let sent = link.session.bundle(encode(edits)).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::BundleCommitted { bundle, .. } if bundle == sent => Some(Ok(())),
        SessionEvent::BundleRejected { bundle, rejection } if bundle == sent => Some(Err(rejection)),
        _ => None,
    })
}

fn read_back(link: &mut Link) -> Vec<Flow> {
    let asked = link.session.request(MultipartRequest::Flows(FlowFilter::default()));
    let asked = asked.expect("a session that is ready");
    let mut flows = Vec::new();
    link.until(|event| match event {
        SessionEvent::Part { xid, reply: MultipartReply::Flows(entries), more } if xid == asked => {
            flows.extend(entries.decode().expect("flows of our own").into_iter().map(|stats| stats.flow));
            (!more).then_some(())
        }
        _ => None,
    });
    flows.sort();
    flows
}

fn barrier(link: &mut Link) {
    let asked = link.session.request(Message::BarrierRequest).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::Reply { xid, message: Message::BarrierReply } if xid == asked => Some(()),
        SessionEvent::Failed { error, .. } => panic!("the switch refused: {}", error.code),
        _ => None,
    });
}

fn flow(table: u8, priority: u16) -> Flow {
    Flow::new(TableId(table), priority, Match::new().metadata(u64::from(priority)))
        .cookie(0xabcd_0000 + u64::from(priority))
}

const PACKET: &[u8] = b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01\x88\xb5 a packet of an experimental type, padded to sixty";

#[test]
fn bundles_are_applied_wholly_or_not_at_all() {
    let ovs = OpenVSwitch::start();
    ovs.bridge("br0", &["p1", "p2"], "OpenFlow10,OpenFlow13,OpenFlow15");
    let mut link = connect(&ovs);
    let claim = RoleClaim { role: Role::NoChange, generation: 0 };
    let asked = link.session.request(Message::RoleRequest(claim)).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::Reply { xid, message: Message::RoleReply(claim) } if xid == asked => {
            assert_eq!(claim, RoleClaim { role: Role::Master, generation: 7 });
            Some(())
        }
        _ => None,
    });

    let group = Group { id: GroupId(9), kind: GroupKind::All, buckets: Vec::new(), selection: Selection::default() };
    let meter = Meter {
        id: MeterId(3),
        flags: MeterFlags { kbps: true, ..MeterFlags::default() },
        bands: vec![Band { rate: 1000, burst: 0 }],
    };
    let first = flow(0, 1).apply([Action::Meter(MeterId(3)), Action::Group(GroupId(9))]).goto(TableId(1));
    let second = flow(1, 2).apply([Action::Output { port: PortNo(2), max_len: 0 }]);
    let edits = [
        FlowEdit::AddMeter(meter),
        FlowEdit::AddGroup(group),
        FlowEdit::AddFlow(first.clone()),
        FlowEdit::AddFlow(second.clone()),
    ];
    assert_eq!(apply(&mut link, &edits), Ok(()));
    assert_eq!(read_back(&mut link), [first.clone(), second.clone()]);

    // The switch refuses this one as it comes: the goto leads nowhere later.
    let bad_goto = [
        FlowEdit::AddFlow(flow(2, 3)),
        FlowEdit::AddFlow(flow(2, 4).goto(TableId(1))),
        FlowEdit::DeleteFlow(first.key.clone()),
    ];
    let rejection = apply(&mut link, &bad_goto).expect_err("a flow that leads back");
    assert_eq!((rejection.edit, rejection.error.code.name()), (Some(1), Some("OFPBIC_BAD_TABLE_ID")));
    assert_eq!(read_back(&mut link), [first.clone(), second.clone()], "nothing of the bundle is in force");

    // The switch refuses this one only at the commit: there is no such group.
    let no_group = [
        FlowEdit::DeleteFlow(second.key.clone()),
        FlowEdit::AddFlow(flow(2, 5)),
        FlowEdit::AddFlow(flow(2, 6).apply([Action::Group(GroupId(77))])),
    ];
    let rejection = apply(&mut link, &no_group).expect_err("a flow into no group");
    assert_eq!((rejection.edit, rejection.error.code.name()), (Some(2), Some("OFPBAC_BAD_OUT_GROUP")));
    assert_eq!(read_back(&mut link), [first.clone(), second.clone()]);

    let undo = [
        FlowEdit::DeleteFlow(first.key.clone()),
        FlowEdit::DeleteFlow(second.key.clone()),
        FlowEdit::DeleteGroup(GroupId(9)),
        FlowEdit::DeleteMeter(MeterId(3)),
    ];
    assert_eq!(apply(&mut link, &undo), Ok(()));
    assert_eq!(read_back(&mut link), []);
    assert_eq!(apply(&mut link, &[]), Ok(()), "an empty bundle is one too");
    let meters = ovs.ofctl("br0", &["dump-meters", "{bridge}"]);
    assert!(!meters.contains("meter="), "{meters}");
}

#[test]
fn packets_come_with_what_their_flow_gave_and_go_on_when_resumed() {
    let ovs = OpenVSwitch::start();
    ovs.bridge("br0", &["p1", "p2"], "OpenFlow15");
    let mut link = connect(&ovs);
    let controller = |pause| {
        Action::Controller(Controller {
            max_len: u16::MAX,
            controller: 0,
            reason: 1,
            userdata: vec![1, 2, 3, 4, 5],
            pause,
            meter: None,
        })
    };
    let reg = |value| Action::SetField { field: Field::Reg0, value, mask: u128::from(u32::MAX) };
    let punt = flow(0, 0);
    let punt = Flow { key: weir_openflow::FlowKey::new(TableId(0), 5, Match::new().eth_type(0x88b5)), ..punt }
        .apply([reg(0x1234), controller(false)]);
    let paused = Flow { key: weir_openflow::FlowKey::new(TableId(0), 6, Match::new().eth_type(0x88b6)), ..flow(0, 0) }
        .apply([reg(0x5678), controller(true), Action::Output { port: PortNo(2), max_len: 0 }]);
    assert_eq!(apply(&mut link, &[FlowEdit::AddFlow(punt), FlowEdit::AddFlow(paused)]), Ok(()));

    let packet_out = |packet: Bytes| PacketOut {
        metadata: Match::new().in_port(PortNo(1)),
        actions: vec![Action::Output { port: PortNo::TABLE, max_len: 0 }],
        packet,
    };
    link.session.send(packet_out(Bytes::from_static(PACKET))).expect("a session that is ready");
    let seen = link.until(|event| match event {
        SessionEvent::PacketIn(packet) => Some(packet),
        SessionEvent::Failed { error, .. } => panic!("{}", error.code),
        _ => None,
    });
    assert_eq!(seen.packet, PACKET);
    assert_eq!(seen.full_len as usize, PACKET.len());
    assert_eq!((seen.table, seen.reason, seen.buffer), (TableId(0), PacketInReason::ApplyAction, None));
    assert_eq!(seen.cookie.map(|cookie| cookie.0), Some(0xabcd_0000));
    assert_eq!(&seen.userdata[..], [1, 2, 3, 4, 5]);
    assert_eq!(seen.metadata.exact(Field::InPortOxm), Some(1));
    assert_eq!(seen.metadata.exact(Field::Reg0), Some(0x1234));
    assert_eq!(seen.resume(), None, "the packet was not paused");

    let mut other = PACKET.to_vec();
    other[13] = 0xb6;
    link.session.send(packet_out(Bytes::from(other.clone()))).expect("a session that is ready");
    let seen = link.until(|event| match event {
        SessionEvent::PacketIn(packet) => Some(packet),
        _ => None,
    });
    let mut resume = seen.resume().expect("the packet was paused");
    assert_eq!(seen.metadata.exact(Field::Reg0), Some(0x5678));
    other[20] = b'X';
    resume.packet = Bytes::from(other);
    link.session.send(resume).expect("a session that is ready");
    barrier(&mut link);
    let asked = link.session.collect(MultipartRequest::PortStats(PortNo(2))).expect("a ready session");
    let sent = link.until(|event| match event {
        SessionEvent::Collected { xid, parts } if xid == asked => Some(parts),
        _ => None,
    });
    let [MultipartReply::PortStats(ports)] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!(ports.iter().map(|port| (port.number, port.tx_packets)).collect::<Vec<_>>(), [(PortNo(2), 1)]);
}

#[test]
fn monitors_tell_what_others_change() {
    let ovs = OpenVSwitch::start();
    ovs.bridge("br0", &["p1", "p2"], "OpenFlow15");
    let mut link = connect(&ovs);
    let kept = flow(0, 1).apply([Action::Output { port: PortNo(1), max_len: 0 }]);
    assert_eq!(apply(&mut link, &[FlowEdit::AddFlow(kept.clone())]), Ok(()));
    let monitor = MultipartRequest::Monitor(vec![MonitorRequest::changes(1)]);
    let asked = link.session.request(monitor).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::Part { xid, reply: MultipartReply::Monitor(updates), more: false } if xid == asked => {
            assert_eq!(updates, [], "no flow was asked for at the start");
            Some(())
        }
        _ => None,
    });
    let updates = |link: &mut Link| {
        link.until(|event| match event {
            SessionEvent::FlowUpdates(updates) => Some(updates),
            _ => None,
        })
    };
    ovs.ofctl("br0", &["add-flow", "{bridge}", "table=3,priority=9,metadata=0x5,actions=output:2"]);
    let added =
        Flow::new(TableId(3), 9, Match::new().metadata(5)).apply([Action::Output { port: PortNo(2), max_len: 0 }]);
    assert_eq!(updates(&mut link), [FlowUpdate::Added(added.clone())]);
    ovs.ofctl("br0", &["add-flow", "{bridge}", "table=3,priority=8,actions=bundle(eth_src,0,hrw,ofport,slaves:1,2)"]);
    let strange = updates(&mut link);
    assert!(matches!(&strange[..], [FlowUpdate::Unread { table: TableId(3), .. }]), "{strange:?}");
    ovs.ofctl("br0", &["del-flows", "{bridge}", "metadata=0x1"]);
    let gone = Flow { instructions: added.instructions.clone(), ..kept.clone() };
    let told = updates(&mut link);
    let [FlowUpdate::Removed { flow, reason: FlowRemovedReason::Delete }] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&flow.key, flow.cookie), (&gone.key, gone.cookie));

    // A dump with the strange flow still names it, so that it can be deleted.
    let asked = link.session.request(MultipartRequest::Flows(FlowFilter::table(TableId(3))));
    let asked = asked.expect("a session that is ready");
    let deletions = link.until(|event| match event {
        SessionEvent::Part { xid, reply: MultipartReply::Flows(entries), .. } if xid == asked => {
            assert!(entries.decode().is_err(), "the strange flow cannot be read");
            Some(entries.raw().map(|flow| flow.key.deletion()).collect::<Vec<_>>())
        }
        _ => None,
    });
    assert_eq!(deletions.len(), 2);
    let sent = link.session.bundle(deletions.clone()).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::BundleCommitted { bundle, .. } if bundle == sent => Some(()),
        _ => None,
    });
    assert_eq!(read_back(&mut link), []);
}

#[test]
fn connections_are_flushed_by_zone_and_by_tuple() {
    let ovs = OpenVSwitch::start();
    ovs.bridge("br0", &["p1", "p2"], "OpenFlow15");
    let mut link = connect(&ovs);
    link.session.send(Message::CtFlushZone(5)).expect("a session that is ready");
    let tuple = CtTuple {
        src: Some([10, 0, 0, 1].into()),
        dst: Some([10, 0, 0, 2].into()),
        l4: CtL4::Ports { src: 1000, dst: 80 },
    };
    let flush = CtFlush { zone: Some(5), protocol: 6, original: tuple, reply: CtTuple::default() };
    link.session.send(flush).expect("a session that is ready");
    barrier(&mut link);
    // A flush that the switch cannot read is told by its own xid.
    let bad =
        Message::Experimenter { experimenter: 0x2320, kind: 32, body: Bytes::from_static(&[6, 1, 0, 0, 0, 0, 0, 0]) };
    let sent = link.session.send(bad).expect("a session that is ready");
    link.until(|event| match event {
        SessionEvent::Failed { xid, error, .. } if xid == sent => {
            assert_eq!(error.code.name(), Some("NXBRC_MUST_BE_ZERO"));
            Some(())
        }
        _ => None,
    });
}

#[test]
fn an_older_switch_is_told_what_it_lacks() {
    let ovs = OpenVSwitch::start();
    ovs.bridge("br0", &["p1", "p2"], "OpenFlow13");
    let (listener, target) = listen();
    ovs.vsctl(&["set-controller", "br0", &target]);
    let mut link = Link::accept(&listener, SessionConfig::default());
    let reason = link.until(|event| match event {
        SessionEvent::Closed(reason) => Some(reason),
        _ => None,
    });
    assert_eq!(reason, CloseReason::Version { offered: vec![4] });
    assert_eq!(reason.to_string(), "the switch does not speak OpenFlow 1.5 (0x06), but 1.3 (0x04)");
}
