//! The session against a switch made of a few lines.

use crate::script::{Pair, Script, config, edits, encode, flow, port};
use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use std::time::Duration;
use weir_openflow::message::{
    ErrorCode, ErrorMessage, FlowFilter, Hello, Message, MultipartReply, MultipartRequest, PacketOut, PortReason,
    PortStatus, RoleClaim,
};
use weir_openflow::session::{CloseReason, SendError, SessionConfig, SessionEvent};
use weir_openflow::{
    DatapathId, EncodedEdit, FlowEdit, Frame, Match, MessageKind, Meter, MeterFlags, MeterId, PortNo, Xid, split_frame,
};

#[test]
fn the_handshake_asks_all_at_once() {
    let mut pair = Pair::new(SessionConfig { controller_id: 5, ..config() });
    let events = pair.settle(&[]);
    let [SessionEvent::Ready { features, ports }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(features.datapath, DatapathId(9));
    assert_eq!(ports, &[port(1), port(2)]);
    let asked = [
        MessageKind::HELLO,
        MessageKind::FEATURES_REQUEST,
        MessageKind::ROLE_REQUEST,
        MessageKind::EXPERIMENTER,
        MessageKind::SET_ASYNC,
        MessageKind::SET_CONFIG,
        MessageKind::EXPERIMENTER,
        MessageKind::MULTIPART_REQUEST,
        MessageKind::BARRIER_REQUEST,
    ];
    assert_eq!(pair.switch.seen, asked);
}

#[test]
fn ports_that_change_during_the_handshake_are_told_as_they_are() {
    let mut pair = Pair::new(config());
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let hello = pair.out.split();
    pair.switch.take(&hello);
    let greeting = pair.switch.output.split();
    pair.session.handle_bytes(pair.now, &greeting);
    for (reason, number) in [(PortReason::Deleted, 1), (PortReason::Added, 3)] {
        assert_eq!(pair.say(0, &Message::PortStatus(PortStatus { reason, port: port(number) })), None);
    }
    let events = pair.settle(&[]);
    let [SessionEvent::Ready { ports, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(ports, &[port(2), port(3)]);
}

#[test]
fn a_stale_generation_ends_the_session() {
    let mut pair = Pair::new(config());
    pair.session.handle_bytes(pair.now, &encode(Xid(1), &Message::Hello(Hello::openflow15())));
    assert_eq!(pair.session.poll_event(), None);
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let role = std::iter::from_fn(|| split_frame(&mut pair.out).expect("frames"))
        .find(|frame| frame.header.kind == MessageKind::ROLE_REQUEST)
        .expect("a role request");
    let error = ErrorMessage { code: ErrorCode::standard(11, 0), data: Bytes::new() };
    let event = pair.say(role.header.xid.0, &Message::Error(error));
    let Some(SessionEvent::Closed(reason)) = event else { panic!("{event:?}") };
    let words =
        "the switch refused the role request: OFPRRFC_STALE: the generation is older than one that the switch has seen";
    assert_eq!(reason.to_string(), words);
}

#[test]
fn a_switch_that_makes_us_no_master_ends_the_session() {
    let mut pair = Pair::new(config());
    pair.session.handle_bytes(pair.now, &encode(Xid(1), &Message::Hello(Hello::openflow15())));
    assert_eq!(pair.session.poll_event(), None);
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let role = std::iter::from_fn(|| split_frame(&mut pair.out).expect("frames"))
        .find(|frame| frame.header.kind == MessageKind::ROLE_REQUEST)
        .expect("a role request");
    let claim = RoleClaim { role: weir_openflow::message::Role::Slave, generation: 3 };
    let event = pair.say(role.header.xid.0, &Message::RoleReply(claim));
    assert!(matches!(event, Some(SessionEvent::Closed(CloseReason::Unexpected { .. }))), "{event:?}");
}

#[test]
fn an_old_switch_is_told_why_in_its_own_version() {
    let mut pair = Pair::new(config());
    pair.session.poll_transmit(pair.now, &mut pair.out);
    pair.out.clear();
    let event = pair.say(4, &Message::Hello(Hello { version: 4, versions: None }));
    assert_eq!(event, Some(SessionEvent::Closed(CloseReason::Version { offered: vec![4] })));
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let Frame { header, body } = split_frame(&mut pair.out).expect("a frame").expect("a whole frame");
    assert_eq!(header.version, 4);
    let Message::Error(error) = Message::decode(header, body).expect("an error") else { panic!("no error") };
    assert_eq!(error.code, ErrorCode::INCOMPATIBLE);
    assert!(error.text().contains("OpenFlow15"), "{}", error.text());
    assert_eq!(pair.session.poll_timeout(), None);
    assert_eq!(pair.session.send(Message::BarrierRequest), Err(SendError::NotReady));
}

#[test]
fn a_switch_that_refuses_our_hello_is_quoted() {
    let mut pair = Pair::new(config());
    let event = pair.say(1, &Message::Error(ErrorMessage::hello_failed("no version in common")));
    assert_eq!(event, Some(SessionEvent::Closed(CloseReason::Refused { text: "no version in common".to_owned() })));
}

#[test]
fn errors_of_a_bundle_name_the_edit() {
    let mut pair = Pair::ready(config());
    pair.switch.refused.insert(2);
    let refused = pair.session.bundle(edits(4)).expect("a session that is ready");
    let events = pair.settle(&[]);
    let [SessionEvent::BundleRejected { bundle, rejection }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*bundle, rejection.edit, rejection.in_force), (refused, Some(2), false));
    assert_eq!(rejection.to_string(), "edit 2: OFPBIC_BAD_TABLE_ID: the table of the instruction is not valid");
    assert_eq!(pair.switch.flows, [], "a bundle with a refused edit is never committed");

    pair.switch.refused.clear();
    pair.switch.refused_at_commit.insert(3);
    let refused = pair.session.bundle(edits(5)).expect("a session that is ready");
    let events = pair.settle(&[]);
    let [SessionEvent::BundleRejected { bundle, rejection }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*bundle, rejection.edit), (refused, Some(3)));
    assert_eq!(rejection.error.code.name(), Some("OFPBAC_BAD_OUT_GROUP"));

    pair.switch.refused_at_commit.clear();
    let taken = pair.session.bundle(edits(5)).expect("a session that is ready");
    let events = pair.settle(&[]);
    assert!(matches!(&events[..], [SessionEvent::BundleCommitted { bundle, .. }] if *bundle == taken), "{events:?}");
    assert_eq!(pair.switch.flows, [0, 1, 2, 3, 4]);
}

#[test]
fn meters_are_set_before_a_bundle_and_deleted_after_it() {
    let mut pair = Pair::ready(config());
    pair.switch.seen.clear();
    let meter = Meter { id: MeterId(1), flags: MeterFlags::default(), bands: Vec::new() };
    let edits: Vec<EncodedEdit> =
        [FlowEdit::DeleteMeter(MeterId(2)), FlowEdit::AddFlow(flow(1)), FlowEdit::AddMeter(meter)]
            .iter()
            .map(|edit| EncodedEdit::encode(edit).expect("a short edit"))
            .collect();
    pair.session.bundle(edits.clone()).expect("a session that is ready");
    let events = pair.settle(&[]);
    assert!(matches!(&events[..], [SessionEvent::BundleCommitted { .. }]), "{events:?}");
    let order = [
        MessageKind::METER_MOD,
        MessageKind::BUNDLE_CONTROL,
        MessageKind::BUNDLE_ADD_MESSAGE,
        MessageKind::BUNDLE_CONTROL,
        MessageKind::BUNDLE_CONTROL,
        MessageKind::METER_MOD,
        MessageKind::BARRIER_REQUEST,
    ];
    assert_eq!(pair.switch.seen, order);
}

#[test]
fn a_slow_switch_makes_nothing_grow() {
    let config = SessionConfig { high_water: 4096, max_queued_bytes: 2_000_000, ..config() };
    let mut pair = Pair::ready(config);
    let many = edits(20_000);
    let size: usize = many.iter().map(|edit| edit.message().len()).sum();
    pair.session.bundle(many.clone()).expect("room for it, since nothing waits");
    assert_eq!(pair.session.queued_bytes(), size);
    assert_eq!(pair.session.bundle(many.clone()), Err(SendError::Backlogged));
    pair.session.poll_transmit(pair.now, &mut pair.out);
    assert!((4096..4096 + 256).contains(&pair.out.len()), "{} bytes", pair.out.len());
    assert!(!pair.session.poll_transmit(pair.now, &mut pair.out), "a buffer that is full stays as it is");

    // What is urgent goes before the rest of the bundle.
    let packet = PacketOut { metadata: Match::new().in_port(PortNo(1)), actions: Vec::new(), packet: Bytes::new() };
    pair.session.send(packet).expect("room for it");
    pair.out.clear();
    pair.switch = Script::default();
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let first = split_frame(&mut pair.out).expect("a frame").expect("a whole frame");
    assert_eq!(first.header.kind, MessageKind::PACKET_OUT);
    assert_eq!(pair.session.poll_event(), None);

    let events = pair.settle(&[]);
    assert!(matches!(&events[..], [SessionEvent::Writable, SessionEvent::BundleCommitted { .. }]), "{events:?}");
    assert_eq!(pair.session.queued_bytes(), 0);
}

#[test]
fn a_flood_of_urgent_packets_is_bounded() {
    let mut pair = Pair::ready(SessionConfig { high_water: 4096, max_urgent_bytes: 8192, ..config() });
    let packet = PacketOut {
        metadata: Match::new().in_port(PortNo(1)),
        actions: Vec::new(),
        packet: Bytes::from_static(&[0; 1000]),
    };
    let flood = |pair: &mut Pair| (0..1000).filter(|_| pair.session.send(packet.clone()).is_ok()).count();
    assert_eq!(flood(&mut pair), 8);
    assert_eq!(pair.session.send(packet.clone()), Err(SendError::Backlogged));
    pair.session.poll_transmit(pair.now, &mut pair.out);
    assert_eq!(flood(&mut pair), 8);
    let full = pair.out.len();
    assert!(!pair.session.poll_transmit(pair.now, &mut pair.out), "a buffer that is full stays as it is");
    assert_eq!(pair.out.len(), full);
    pair.session.send(Message::BarrierRequest).expect("room for what is not urgent");
}

#[test]
fn what_follows_a_bundle_waits_for_its_fate() {
    let mut pair = Pair::ready(config());
    pair.switch.seen.clear();
    pair.session.bundle(edits(2)).expect("a session that is ready");
    let asked = pair.session.request(MultipartRequest::Flows(FlowFilter::default()));
    let asked = asked.expect("a session that is ready");
    let events = pair.settle(&[]);
    let [
        SessionEvent::BundleCommitted { .. },
        SessionEvent::Part { xid, reply, more: true },
        SessionEvent::Part { .. },
    ] = &events[..]
    else {
        panic!("{events:?}")
    };
    let MultipartReply::Flows(flows) = reply else { panic!("{reply:?}") };
    assert_eq!((*xid, flows.raw().count()), (asked, 2), "the flows of the bundle are read back");
}

#[test]
fn a_silent_switch_is_probed_and_then_given_up() {
    let mut pair = Pair::ready(config());
    let idle = pair.session.poll_timeout().expect("a clock");
    assert_eq!(idle, pair.now + Duration::from_secs(5));
    pair.session.handle_timeout(idle);
    assert_eq!(pair.session.poll_event(), None);
    pair.now = idle;
    assert_eq!(pair.settle(&[]), [], "the answer to the probe is not told");
    assert_eq!(pair.switch.seen.last(), Some(&MessageKind::ECHO_REQUEST));
    let idle = pair.session.poll_timeout().expect("a clock");
    pair.session.handle_timeout(idle);
    let end = pair.session.poll_timeout().expect("a clock");
    assert_eq!(end, idle + Duration::from_secs(10));
    pair.session.handle_timeout(end);
    assert_eq!(pair.session.poll_event(), Some(SessionEvent::Closed(CloseReason::Silent)));
    assert_eq!((pair.session.poll_event(), pair.session.poll_timeout()), (None, None));
}

#[test]
fn a_request_without_an_answer_ends_the_session() {
    let config = SessionConfig { idle: Duration::from_secs(1000), ..config() };
    let mut pair = Pair::ready(config);
    let xid = pair.session.request(Message::GetConfigRequest).expect("a session that is ready");
    // The time counts from when it is taken for sending.
    assert_eq!(pair.session.poll_timeout(), Some(pair.now + Duration::from_secs(1000)));
    pair.session.poll_transmit(pair.now, &mut pair.out);
    let late = pair.session.poll_timeout().expect("a clock");
    assert_eq!(late, pair.now + Duration::from_secs(60));
    pair.session.handle_timeout(late);
    let reason = CloseReason::RequestTimeout { kind: MessageKind::GET_CONFIG_REQUEST, xid };
    assert_eq!(pair.session.poll_event(), Some(SessionEvent::Closed(reason)));

    let mut pair = Pair::new(SessionConfig::default());
    let late = pair.session.poll_timeout().expect("a clock");
    pair.session.handle_timeout(late);
    let reason = CloseReason::HandshakeTimeout { awaited: "hello" };
    assert_eq!(pair.session.poll_event(), Some(SessionEvent::Closed(reason)));
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let cases: [(&[u8], &str); 5] = [
        (
            &[6, 12, 0, 16, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0],
            "port-status, xid 0x0: at byte 8: the value is out of range",
        ),
        (&[6, 11, 0, 10, 0, 0, 0, 7, 0, 0], "flow-removed, xid 0x7: at byte 10: the bytes end too early"),
        (&[6, 10, 0, 4, 0, 0, 0, 0], "packet-in with a length of 4 bytes, less than its header"),
        (&[4, 10, 0, 8, 0, 0, 0, 0], "packet-in of version 0x04 after OpenFlow 1.5 was agreed"),
        (&[6, 21, 0, 9, 0, 0, 0, 0, 0], "barrier reply, xid 0x0: at byte 8: bytes are left over"),
    ];
    for (bytes, words) in cases {
        let mut pair = Pair::ready(config());
        pair.session.handle_bytes(pair.now, bytes);
        let event = pair.session.poll_event();
        let Some(SessionEvent::Closed(reason)) = event else { panic!("{words}: {event:?}") };
        assert_eq!(reason.to_string(), words);
        assert!(pair.session.is_closed());
    }
}

#[test]
fn a_reply_that_is_gathered_has_a_bound() {
    let mut pair = Pair::ready(SessionConfig { max_collected_bytes: 300, ..config() });
    pair.switch.flows = (0..20).collect();
    let xid = pair.session.collect(MultipartRequest::Flows(FlowFilter::default())).expect("a ready session");
    let events = pair.settle(&[]);
    assert_eq!(events, [SessionEvent::Closed(CloseReason::TooLarge { xid, limit: 300 })]);

    let mut pair = Pair::ready(config());
    pair.switch.flows = (0..20).collect();
    let asked = pair.session.collect(MultipartRequest::Flows(FlowFilter::default())).expect("a ready session");
    let events = pair.settle(&[]);
    let [SessionEvent::Collected { xid, parts }] = &events[..] else { panic!("{events:?}") };
    assert_eq!((*xid, parts.len()), (asked, 8));
}

#[test]
fn an_answer_of_another_kind_ends_the_session() {
    let mut pair = Pair::ready(config());
    let asked = pair.session.request(Message::GetConfigRequest).expect("a session that is ready");
    let event = pair.say(asked.0, &Message::BarrierReply);
    assert!(matches!(event, Some(SessionEvent::Closed(CloseReason::Unexpected { .. }))), "{event:?}");
}

#[test]
fn an_error_is_tied_to_its_message() {
    let mut pair = Pair::ready(config());
    let asked = pair.session.request(Message::GetConfigRequest).expect("a session that is ready");
    let error = ErrorMessage { code: ErrorCode::standard(1, 5), data: Bytes::new() };
    let event = pair.say(asked.0, &Message::Error(error.clone()));
    let kind = Some(MessageKind::GET_CONFIG_REQUEST);
    assert_eq!(event, Some(SessionEvent::Failed { xid: asked, kind, error }));
    let quoting =
        ErrorMessage { code: ErrorCode::standard(1, 5), data: Bytes::from_static(&[6, 13, 0, 99, 0, 0, 0, 9]) };
    let event = pair.say(9, &Message::Error(quoting.clone()));
    let kind = Some(MessageKind::PACKET_OUT);
    assert_eq!(event, Some(SessionEvent::Failed { xid: Xid(9), kind, error: quoting }));
}

/// What a user of a session may do at any time.
#[derive(Clone, Debug)]
enum Step {
    Bundle(u16),
    Flows,
    Collect,
    Barrier,
    Packet,
    Exchange,
    Notice,
    Refuse(u16),
    RefuseAtCommit(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u16..40).prop_map(Step::Bundle),
        Just(Step::Flows),
        Just(Step::Collect),
        Just(Step::Barrier),
        Just(Step::Packet),
        Just(Step::Exchange),
        Just(Step::Notice),
        (0_u16..40).prop_map(Step::Refuse),
        (0_u16..40).prop_map(Step::RefuseAtCommit),
    ]
}

/// Does the steps; input comes in pieces of these sizes. Returns all events and the flows in force.
fn play(steps: &[Step], pieces: &[usize], high_water: usize) -> (Vec<SessionEvent>, Vec<u16>) {
    let mut pair = Pair::new(SessionConfig { high_water, ..config() });
    let mut events = pair.settle(pieces);
    for step in steps {
        match step {
            Step::Bundle(count) => drop(pair.session.bundle(edits(*count)).expect("room for it")),
            Step::Flows => {
                pair.session.request(MultipartRequest::Flows(FlowFilter::default())).expect("room for it");
            }
            Step::Collect => {
                pair.session.collect(MultipartRequest::Flows(FlowFilter::default())).expect("room for it");
            }
            Step::Barrier => drop(pair.session.request(Message::BarrierRequest).expect("room for it")),
            Step::Packet => {
                let metadata = Match::new().in_port(PortNo(1));
                let packet = PacketOut { metadata, actions: Vec::new(), packet: Bytes::from_static(b"packet") };
                pair.session.send(packet).expect("room for it");
            }
            Step::Exchange => events.extend(pair.settle(pieces)),
            Step::Notice => {
                let status = PortStatus { reason: PortReason::Modified, port: port(1) };
                pair.switch.say(Xid(0), &Message::PortStatus(status));
            }
            Step::Refuse(priority) => drop(pair.switch.refused.insert(*priority)),
            Step::RefuseAtCommit(priority) => drop(pair.switch.refused_at_commit.insert(*priority)),
        }
    }
    events.extend(pair.settle(pieces));
    assert!(!pair.session.is_closed() && !pair.session.wants_write());
    assert_eq!(pair.session.queued_bytes(), 0);
    (events, pair.switch.flows)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn how_bytes_are_cut_changes_nothing(
        steps in vec(step(), 0..12),
        pieces in vec(1_usize..200, 1..8),
        high_water in 64_usize..100_000,
    ) {
        let (whole, flows) = play(&steps, &[], 1 << 20);
        let (cut, cut_flows) = play(&steps, &pieces, high_water);
        prop_assert_eq!(flows, cut_flows);
        prop_assert_eq!(&cut, &whole);
        let fates = |event: &&SessionEvent| {
            matches!(event, SessionEvent::BundleCommitted { .. } | SessionEvent::BundleRejected { .. })
        };
        let bundles = steps.iter().filter(|step| matches!(step, Step::Bundle(_))).count();
        prop_assert_eq!(whole.iter().filter(fates).count(), bundles, "every bundle has one fate");
    }

    #[test]
    fn whatever_comes_nothing_hangs_or_grows(
        inputs in vec((crate::message_random::message(), 0_u32..12, 0_u64..4), 0..20),
        garbage in vec(any::<u8>(), 0..40),
        ready in any::<bool>(),
    ) {
        let mut pair = if ready { Pair::ready(config()) } else { Pair::new(config()) };
        if ready {
            pair.session.bundle(edits(3)).expect("room for it");
            pair.session.request(MultipartRequest::Flows(FlowFilter::default())).expect("room for it");
        }
        for (message, xid, seconds) in inputs {
            pair.now += Duration::from_secs(seconds);
            pair.session.handle_timeout(pair.now);
            pair.session.handle_bytes(pair.now, &encode(Xid(xid), &message));
            let mut events = 0;
            while let Some(event) = pair.session.poll_event() {
                events += 1;
                prop_assert!(events <= 4, "one message tells little");
                if matches!(event, SessionEvent::Closed(_)) {
                    prop_assert_eq!(pair.session.poll_event(), None);
                }
            }
            pair.session.poll_transmit(pair.now, &mut pair.out);
            pair.out.clear();
            prop_assert_eq!(pair.session.is_closed(), pair.session.poll_timeout().is_none());
        }
        pair.session.handle_bytes(pair.now, &garbage);
        while pair.session.poll_event().is_some() {}
        pair.session.close(CloseReason::Local);
        while pair.session.poll_event().is_some() {}
        prop_assert!(pair.session.is_closed() && pair.session.poll_timeout().is_none());
        prop_assert!(pair.session.queued_bytes() < 1000, "only words of parting are left");
    }
}
