//! A switch that connects is read back and compared: one that holds everything, and an empty one.
//!
//! What the simulated switch answers is recorded in a first run and played back in the second one, which is measured,
//! so that its own work is not counted.

use crate::heap::settled;
use crate::switch::{READ_BYTES, SimulatedSwitch};
use bytes::{Bytes, BytesMut};
use gungraun::library_benchmark;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use weir_bench::flows;
use weir_openflow::session::SessionConfig;
use weir_openflow::{Cookie, Digest, EditRun, EncodedEdit, TableId};
use weir_reconcile::{Desired, Order, SealPlace, Switch, SwitchConfig, SwitchEvent};

/// Where the switch's seal is.
const SEAL: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(1) };

/// A connection that waits to be told what the switch should hold.
pub(crate) struct Connected {
    switch: Switch,
    now: Instant,
    output: BytesMut,
    desired: Desired,
    answers: VecDeque<Bytes>,
}

impl Connected {
    fn new(now: Instant, units: &[EditRun], answer: impl FnMut(&[u8]) -> Bytes) -> Self {
        let (session, audit_interval) = (SessionConfig::default(), Duration::from_secs(3600));
        let digest = units.iter().map(|unit| Digest::of(&**unit)).sum();
        let config = SwitchConfig { session, audit_interval, seal: SEAL };
        let mut connected = Self {
            switch: Switch::new(config, now),
            now,
            output: BytesMut::with_capacity(1 << 20),
            desired: Desired { revision: 1, additions: units.to_vec(), digest },
            answers: VecDeque::new(),
        };
        connected.run(answer, |event| matches!(event, SwitchEvent::WantsDesired(_)));
        connected
    }

    /// Carries bytes both ways until the switch's side tells what is waited for.
    fn run(&mut self, mut answer: impl FnMut(&[u8]) -> Bytes, until: impl Fn(&SwitchEvent) -> bool) {
        loop {
            while let Some(event) = self.switch.poll_event(self.now) {
                assert!(!matches!(event, SwitchEvent::Closed(_) | SwitchEvent::Refused(_)), "{event:?}");
                if until(&event) {
                    return;
                }
            }
            self.output.clear();
            self.switch.poll_transmit(self.now, &mut self.output);
            for piece in answer(&self.output).chunks(READ_BYTES) {
                self.switch.handle_bytes(self.now, piece);
            }
        }
    }

    /// Makes the switch hold what it should.
    fn settle(&mut self, answer: impl FnMut(&[u8]) -> Bytes) {
        self.switch.order(self.now, Order::Desired(self.desired.clone()));
        self.run(answer, |event| matches!(event, SwitchEvent::Acknowledged { .. }));
    }

    /// The same by what was recorded.
    fn play_back(mut self) -> Self {
        let mut answers = std::mem::take(&mut self.answers);
        self.settle(|_| answers.pop_front().unwrap_or_default());
        assert!(answers.is_empty(), "the second run is as the first");
        self
    }
}

fn connected(units: &[EditRun], mut switch: SimulatedSwitch) -> Connected {
    let now = Instant::now();
    let mut answers = VecDeque::new();
    let mut answer = |bytes: &[u8]| {
        answers.push_back(switch.answer(bytes));
        answers.back().cloned().unwrap_or_default()
    };
    Connected::new(now, units, &mut answer).settle(&mut answer);
    let mut connected = Connected::new(now, units, |_| answers.pop_front().unwrap_or_default());
    connected.answers = answers;
    connected
}

/// Flows by tables, as what hypervisors share is kept.
fn units(count: usize) -> Vec<EditRun> {
    let mut edits = flows::encoded(count).expect("the flows are small");
    edits.sort_by_key(EncodedEdit::table);
    vec![edits.into()]
}

fn empty(count: usize) -> Connected {
    connected(&units(count), SimulatedSwitch::connect())
}

fn full(count: usize) -> Connected {
    let units = units(count);
    let mut switch = SimulatedSwitch::connect();
    Connected::new(Instant::now(), &units, |bytes| switch.answer(bytes)).settle(|bytes| switch.answer(bytes));
    switch.reconnect();
    connected(&units, switch)
}

#[library_benchmark]
#[bench::empty_of_2000(settled(empty(2_000)))]
#[bench::full_of_2000(settled(full(2_000)))]
pub(crate) fn compare(connected: Connected) -> Connected {
    connected.play_back()
}
