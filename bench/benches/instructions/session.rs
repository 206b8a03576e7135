//! The session of a switch: what it sends, and what it reads.

use crate::heap::settled;
use crate::switch::{READ_BYTES, SimulatedSwitch};
use bytes::{Bytes, BytesMut};
use gungraun::library_benchmark;
use std::time::Instant;
use weir_bench::flows;
use weir_openflow::message::{PacketIn, PacketInReason};
use weir_openflow::session::{SessionConfig, SessionEvent};
use weir_openflow::{Cookie, Edits, Field, Match, Message, PortNo, Session, TableId, Xid};

/// A session after the handshake.
pub(crate) struct Ready {
    session: Session,
    now: Instant,
    output: BytesMut,
}

impl Ready {
    fn new() -> Self {
        let mut switch = SimulatedSwitch::connect();
        let now = Instant::now();
        let mut ready = Self {
            session: Session::new(now, SessionConfig::default()),
            now,
            output: BytesMut::with_capacity(1 << 20),
        };
        while !ready.session.is_ready() {
            ready.write();
            ready.read(&switch.answer(&ready.output));
        }
        ready
    }

    /// Fills the buffer for the socket once.
    fn write(&mut self) {
        self.output.clear();
        self.session.poll_transmit(self.now, &mut self.output);
    }

    /// Takes bytes as they come from the socket; what they tell.
    fn read(&mut self, bytes: &[u8]) -> Vec<SessionEvent> {
        let mut events = Vec::new();
        for piece in bytes.chunks(READ_BYTES) {
            self.session.handle_bytes(self.now, piece);
            while let Some(event) = self.session.poll_event() {
                events.push(event);
            }
        }
        events
    }

    fn send(mut self, edits: Edits) -> (Self, Edits) {
        self.session.bundle(edits.clone()).expect("the session is ready and nothing waits");
        while self.session.wants_write() {
            self.write();
        }
        (self, edits)
    }
}

fn bundle(count: usize) -> (Ready, Edits) {
    (Ready::new(), flows::encoded(count).expect("the flows are small").into())
}

/// Packets that a switch sends to the controller.
fn packets(count: usize) -> (Ready, Bytes) {
    let mut stream = BytesMut::new();
    for number in 0..count {
        let packet = PacketIn {
            packet: Bytes::from_static(&[0; 342]),
            full_len: 342,
            buffer: None,
            table: TableId(10),
            cookie: Some(Cookie(number as u64)),
            reason: PacketInReason::ApplyAction,
            metadata: Match::new().in_port(PortNo(1)).with(Field::Reg0, number as u128).with(Field::Reg2, 1 << 24),
            userdata: Bytes::new(),
            continuation: None,
        };
        Message::PacketIn2(packet).encode(Xid(0), &mut stream).expect("a short message");
    }
    (Ready::new(), stream.freeze())
}

#[library_benchmark]
#[bench::of_4000(settled(bundle(4_000)))]
pub(crate) fn send_bundle((ready, edits): (Ready, Edits)) -> (Ready, Edits) {
    ready.send(edits)
}

#[library_benchmark]
#[bench::of_1000(settled(packets(1_000)))]
pub(crate) fn read_packet_ins((mut ready, stream): (Ready, Bytes)) -> (Ready, Vec<SessionEvent>) {
    let events = ready.read(&stream);
    (ready, events)
}
