//! A switch made of a few lines, and a session with it.

use bytes::{Bytes, BytesMut};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use weir_openflow::message::{
    BundleControl, BundleControlKind, BundleFlags, ErrorCode, ErrorMessage, Features, FlowEntries, FlowStats, Hello,
    Message, MultipartReply, MultipartRequest, Port,
};
use weir_openflow::session::{Session, SessionConfig, SessionEvent};
use weir_openflow::{
    DatapathId, EncodedEdit, Flow, FlowEdit, Frame, Match, MessageKind, PortNo, TableId, Xid, split_frame,
};

pub(crate) fn config() -> SessionConfig {
    SessionConfig { generation: 3, ..SessionConfig::default() }
}

pub(crate) fn port(number: u32) -> Port {
    Port { number: PortNo(number), address: [2; 6], name: format!("p{number}"), config: 0, state: 4, ethernet: None }
}

pub(crate) fn flow(priority: u16) -> Flow {
    Flow::new(TableId(0), priority, Match::new().metadata(u64::from(priority)))
}

pub(crate) fn edits(count: u16) -> Vec<EncodedEdit> {
    (0..count).map(|priority| EncodedEdit::encode(&FlowEdit::AddFlow(flow(priority))).expect("a short edit")).collect()
}

pub(crate) fn encode(xid: Xid, message: &Message) -> BytesMut {
    let mut out = BytesMut::new();
    message.encode(xid, &mut out).expect("a short message");
    out
}

/// A switch made of a few lines: it answers what a session asks.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// Priorities of flows that are refused as they are added to a bundle, and at its commit.
    pub(crate) refused: BTreeSet<u16>,
    pub(crate) refused_at_commit: BTreeSet<u16>,
    /// Flows of the bundle that is open.
    pub(crate) bundle: Vec<(Xid, u16)>,
    /// Flows that are in force.
    pub(crate) flows: Vec<u16>,
    pub(crate) seen: Vec<MessageKind>,
}

impl Script {
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while let Some(Frame { header, body }) = split_frame(&mut self.input).expect("frames") {
            let message = Message::decode(header, body).expect("messages of a session");
            self.seen.push(header.kind);
            self.answer(header.xid, message);
        }
    }

    pub(crate) fn say(&mut self, xid: Xid, message: &Message) {
        message.encode(xid, &mut self.output).expect("a short message");
    }

    fn refuse(&mut self, xid: Xid, code: ErrorCode) {
        self.say(xid, &Message::Error(ErrorMessage { code, data: Bytes::new() }));
    }

    fn answer(&mut self, xid: Xid, message: Message) {
        match message {
            Message::Hello(_) => self.say(xid, &Message::Hello(Hello { version: 6, versions: Some(vec![1, 4, 6]) })),
            Message::FeaturesRequest => {
                let features =
                    Features { datapath: DatapathId(9), buffers: 0, tables: 254, auxiliary: 0, capabilities: 0 };
                self.say(xid, &Message::FeaturesReply(features));
            }
            Message::RoleRequest(claim) => self.say(xid, &Message::RoleReply(claim)),
            Message::BarrierRequest => self.say(xid, &Message::BarrierReply),
            Message::EchoRequest(data) => self.say(xid, &Message::EchoReply(data)),
            Message::MultipartRequest { request: MultipartRequest::Ports(_), .. } => {
                for (ports, more) in [(vec![port(2)], true), (vec![port(1)], false)] {
                    self.say(xid, &Message::MultipartReply { reply: MultipartReply::Ports(ports), more });
                }
            }
            Message::MultipartRequest { request: MultipartRequest::Flows(_), .. } => {
                let flows: Vec<FlowStats> = self
                    .flows
                    .iter()
                    .map(|&priority| FlowStats {
                        flow: flow(priority),
                        duration: Duration::ZERO,
                        idle: Duration::ZERO,
                        packets: 0,
                        bytes: 0,
                    })
                    .collect();
                for part in flows.chunks(3) {
                    let reply = MultipartReply::Flows(FlowEntries::from_iter(part));
                    self.say(xid, &Message::MultipartReply { reply, more: true });
                }
                let reply = MultipartReply::Flows(FlowEntries::default());
                self.say(xid, &Message::MultipartReply { reply, more: false });
            }
            Message::BundleControl(control) => self.control(xid, control),
            Message::BundleAdd(add) => {
                assert_eq!(add.xid, xid, "the inner message has the xid of the outer one");
                assert_eq!(add.flags, BundleFlags::ATOMIC_ORDERED);
                let Message::Edit(FlowEdit::AddFlow(flow)) = *add.message else { panic!("no flow") };
                if self.refused.contains(&flow.key.priority) {
                    self.refuse(xid, ErrorCode::standard(3, 2));
                } else {
                    self.bundle.push((xid, flow.key.priority));
                }
            }
            _ => {}
        }
    }

    fn control(&mut self, xid: Xid, control: BundleControl) {
        let kind = match control.kind {
            BundleControlKind::OpenRequest => BundleControlKind::OpenReply,
            BundleControlKind::CloseRequest => BundleControlKind::CloseReply,
            BundleControlKind::CommitRequest => {
                let bundle = std::mem::take(&mut self.bundle);
                let failed = bundle.iter().find(|(_, priority)| self.refused_at_commit.contains(priority));
                if let Some(&(failed, _)) = failed {
                    self.refuse(failed, ErrorCode::standard(2, 9));
                    return self.refuse(xid, ErrorCode::BUNDLE_MESSAGE_FAILED);
                }
                self.flows.extend(bundle.into_iter().map(|(_, priority)| priority));
                BundleControlKind::CommitReply
            }
            BundleControlKind::DiscardRequest => {
                self.bundle.clear();
                BundleControlKind::DiscardReply
            }
            _ => panic!("no request"),
        };
        self.say(xid, &Message::BundleControl(BundleControl { kind, flags: BundleFlags::default(), ..control }));
    }
}

/// A session and its switch, and the bytes between them.
pub(crate) struct Pair {
    pub(crate) session: Session,
    pub(crate) switch: Script,
    pub(crate) now: Instant,
    pub(crate) out: BytesMut,
}

impl Pair {
    pub(crate) fn new(config: SessionConfig) -> Self {
        let now = Instant::now();
        Self { session: Session::new(now, config), switch: Script::default(), now, out: BytesMut::new() }
    }

    pub(crate) fn ready(config: SessionConfig) -> Self {
        let mut pair = Self::new(config);
        let events = pair.settle(&[]);
        assert!(matches!(&events[..], [SessionEvent::Ready { .. }]), "{events:?}");
        pair
    }

    /// Exchanges bytes until both sides are quiet; input comes in pieces of these sizes, over and over.
    pub(crate) fn settle(&mut self, pieces: &[usize]) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        let mut sizes = pieces.iter().copied().cycle();
        for _ in 0..1_000_000 {
            self.session.poll_transmit(self.now, &mut self.out);
            let sent = self.out.split();
            self.switch.take(&sent);
            while !self.switch.output.is_empty() {
                let size = sizes.next().unwrap_or(usize::MAX).clamp(1, self.switch.output.len());
                let piece = self.switch.output.split_to(size);
                self.session.handle_bytes(self.now, &piece);
                events.extend(std::iter::from_fn(|| self.session.poll_event()));
            }
            if !self.session.wants_write() {
                events.extend(std::iter::from_fn(|| self.session.poll_event()));
                return events;
            }
        }
        panic!("the exchange does not end");
    }

    pub(crate) fn say(&mut self, xid: u32, message: &Message) -> Option<SessionEvent> {
        self.session.handle_bytes(self.now, &encode(Xid(xid), message));
        self.session.poll_event()
    }
}
