//! An OpenFlow session, from the first byte or after a good handshake, with a bundle and requests under way.
#![no_main]

use bytes::{Bytes, BytesMut};
use libfuzzer_sys::fuzz_target;
use std::time::{Duration, Instant};
use weir_openflow::message::{Features, FlowFilter, Hello, MultipartReply, MultipartRequest};
use weir_openflow::session::{CloseReason, Session, SessionConfig, SessionEvent};
use weir_openflow::{DatapathId, EncodedEdit, Flow, FlowEdit, Match, Message, TableId, split_frame};

fn answer(message: Message) -> Option<Message> {
    Some(match message {
        Message::Hello(_) => Message::Hello(Hello::openflow15()),
        Message::FeaturesRequest => Message::FeaturesReply(Features {
            datapath: DatapathId(1),
            buffers: 0,
            tables: 254,
            auxiliary: 0,
            capabilities: 0,
        }),
        Message::RoleRequest(claim) => Message::RoleReply(claim),
        Message::MultipartRequest { .. } => {
            Message::MultipartReply { reply: MultipartReply::Ports(Vec::new()), more: false }
        }
        Message::BarrierRequest => Message::BarrierReply,
        _ => return None,
    })
}

fn shake_hands(session: &mut Session, now: Instant) {
    let mut out = BytesMut::new();
    for _ in 0..2 {
        session.poll_transmit(now, &mut out);
        while let Some(frame) = split_frame(&mut out).expect("our own frames") {
            let asked = Message::decode(frame.header, frame.body).expect("our own messages");
            let mut reply = BytesMut::new();
            if let Some(message) = answer(asked) {
                message.encode(frame.header.xid, &mut reply).expect("a short message");
            }
            session.handle_bytes(now, &reply);
            while session.poll_event().is_some() {}
        }
    }
    assert!(session.is_ready());
    let edits = [Flow::new(TableId(0), 1, Match::new()), Flow::new(TableId(1), 1, Match::new())]
        .map(|flow| EncodedEdit::encode(&FlowEdit::AddFlow(flow)).expect("a short edit"));
    session.bundle(edits.to_vec()).expect("a session that is ready");
    session.request(MultipartRequest::Flows(FlowFilter::default())).expect("a session that is ready");
    session.collect(MultipartRequest::Desc).expect("a session that is ready");
    session.send(Message::EchoRequest(Bytes::new())).expect("a session that is ready");
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (shaken, piece, bytes) = input;
    let mut now = Instant::now();
    let config = SessionConfig { max_collected_bytes: 1 << 12, high_water: 1 << 10, ..SessionConfig::default() };
    let mut session = Session::new(now, config);
    if shaken {
        shake_hands(&mut session, now);
    }
    let mut out = BytesMut::new();
    for piece in bytes.chunks(usize::from(piece).max(1)) {
        now += Duration::from_millis(10);
        session.handle_bytes(now, piece);
        while let Some(event) = session.poll_event() {
            if matches!(event, SessionEvent::Closed(_)) {
                assert_eq!(session.poll_event(), None, "nothing comes after the end");
            }
        }
        session.poll_transmit(now, &mut out);
        assert!(out.len() < 1 << 18, "the buffer keeps its bound");
        out.clear();
        session.handle_timeout(now);
        assert_eq!(session.is_closed(), session.poll_timeout().is_none());
    }
    session.close(CloseReason::Local);
    while session.poll_event().is_some() {}
    assert!(session.is_closed());
});
