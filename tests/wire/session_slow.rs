//! The session against switches that read slowly, or not at all.

use crate::script::{Pair, config, edits};
use bytes::BytesMut;
use std::time::Duration;
use weir_openflow::message::{FlowFilter, MultipartRequest};
use weir_openflow::session::{CloseReason, SessionConfig, SessionEvent};

/// A wire to a switch that reads so many bytes a second. Sockets on the way take whatever they are given.
struct Slow {
    pair: Pair,
    /// What is on the way, and the most that ever was.
    on_the_way: BytesMut,
    most: usize,
}

/// How often a slow switch reads.
const STEP: Duration = Duration::from_millis(100);

impl Slow {
    fn new(config: SessionConfig) -> Self {
        Self { pair: Pair::ready(config), on_the_way: BytesMut::new(), most: 0 }
    }

    /// One step of time; what the session tells.
    fn step(&mut self, bytes_per_second: usize) -> Vec<SessionEvent> {
        let Self { pair, on_the_way, most } = self;
        pair.now += STEP;
        while pair.session.poll_transmit(pair.now, &mut pair.out) {
            on_the_way.unsplit(pair.out.split());
        }
        *most = (*most).max(on_the_way.len());
        let read = (bytes_per_second / 10).min(on_the_way.len());
        pair.switch.take(&on_the_way.split_to(read));
        let said = pair.switch.output.split();
        pair.session.handle_bytes(pair.now, &said);
        let mut events: Vec<_> = std::iter::from_fn(|| pair.session.poll_event()).collect();
        if pair.session.poll_timeout().is_some_and(|due| due <= pair.now) {
            pair.session.handle_timeout(pair.now);
            events.extend(std::iter::from_fn(|| pair.session.poll_event()));
        }
        events
    }
}

#[test]
fn a_switch_that_reads_slowly_is_not_given_up() {
    // At 10 kB/s it takes three minutes, and what is on the way alone takes longer than any of the bounds.
    let mut slow = Slow::new(config());
    let many = edits(20_000);
    slow.pair.session.bundle(many.clone()).expect("room for it");
    let asked = slow.pair.session.request(MultipartRequest::Flows(FlowFilter::default())).expect("room for it");
    let began = slow.pair.now;
    let mut events = Vec::new();
    while !matches!(events.last(), Some(SessionEvent::Part { more: false, .. })) {
        events.extend(slow.step(10_000));
        assert!(!slow.pair.session.is_closed(), "{events:?} after {:?}", slow.pair.now - began);
    }
    assert!(matches!(&events[0], SessionEvent::BundleCommitted { .. }), "{events:?}");
    assert!(matches!(&events[1], SessionEvent::Part { xid, .. } if *xid == asked), "{events:?}");
    assert!(slow.pair.now - began > Duration::from_secs(120), "it took {:?}", slow.pair.now - began);
    let SessionConfig { window, .. } = config();
    assert!((window / 2..window + 70_000).contains(&slow.most), "{} bytes were on the way", slow.most);
    assert_eq!(slow.pair.switch.flows.len(), 20_000);
}

#[test]
fn a_switch_that_reads_no_more_is_given_up_whatever_is_sent_to_it() {
    let SessionConfig { idle, probe_timeout, window, .. } = config();
    for edits_at_once in [1, 5_000] {
        let mut slow = Slow::new(config());
        for _ in 0..20 {
            assert_eq!(slow.step(1_000_000), []);
        }
        let stopped = slow.pair.now;
        let mut events = Vec::new();
        while events.is_empty() {
            // Sockets take it all: that says nothing of the switch.
            let _ = slow.pair.session.bundle(edits(edits_at_once));
            events = slow.step(0);
            assert!(slow.pair.now - stopped <= idle + probe_timeout + STEP, "it is still believed in");
        }
        assert_eq!(events, [SessionEvent::Closed(CloseReason::Silent)]);
        assert!(slow.most < window + 70_000, "{} bytes were on the way", slow.most);
    }
}
