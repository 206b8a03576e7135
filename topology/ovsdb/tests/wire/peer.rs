//! The database's side of a session, scripted.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir_ovsdb::{AtomKind, CloseReason, Event, FrameLimits, Framer, Session, SessionConfig, Shape, needed_tables};

/// A schema with just what Weir needs.
pub(crate) fn schema() -> Value {
    let one = |kind: AtomKind| json!({ "type": kind.to_string() });
    let mut tables = json!({});
    for table in needed_tables() {
        let mut columns = json!({});
        for column in table.columns {
            let declared = match column.shape {
                Shape::Scalar(kind) => json!(kind.to_string()),
                Shape::Optional(kind) => json!({"key": one(kind), "min": 0, "max": 1}),
                Shape::Set(kind) => json!({"key": one(kind), "min": 0, "max": "unlimited"}),
                Shape::Map(key, value) => {
                    json!({"key": one(key), "value": one(value), "min": 0, "max": "unlimited"})
                }
            };
            columns[column.name] = json!({ "type": declared });
        }
        tables[table.name] = json!({ "columns": columns });
    }
    json!({"name": "Open_vSwitch", "version": "8.3.1", "cksum": "1 2", "tables": tables})
}

/// A session and the clock it lives by.
pub(crate) struct Peer {
    pub(crate) session: Session,
    pub(crate) now: Instant,
    sent: Framer,
}

impl Peer {
    pub(crate) fn new(config: SessionConfig) -> Self {
        let now = Instant::now();
        Self { session: Session::new(now, config), now, sent: Framer::new(FrameLimits::default()) }
    }

    /// A session that has received these rows.
    pub(crate) fn ready(config: SessionConfig, rows: &Value) -> Self {
        let mut peer = Self::new(config);
        for message in handshake(rows) {
            peer.tell(&message);
        }
        assert_eq!(peer.messages().len(), 3);
        match peer.session.poll_event() {
            Some(Event::Rows { .. }) => peer,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn tell(&mut self, message: &Value) {
        self.tell_bytes(message.to_string().as_bytes());
    }

    pub(crate) fn tell_bytes(&mut self, bytes: &[u8]) {
        self.session.handle_bytes(self.now, bytes);
    }

    /// What the session has sent since.
    pub(crate) fn messages(&mut self) -> Vec<Value> {
        while let Some(bytes) = self.session.poll_transmit() {
            self.sent.push(&bytes);
        }
        let mut messages = Vec::new();
        while let Some(frame) = self.sent.next_frame().expect("whole messages") {
            messages.push(serde_json::from_slice(&frame.bytes).expect("JSON"));
        }
        messages
    }

    pub(crate) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.session.poll_event()).collect()
    }

    pub(crate) fn close_reason(&mut self) -> Option<CloseReason> {
        self.events().into_iter().find_map(|event| match event {
            Event::Closed(reason) => Some(reason),
            _ => None,
        })
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= end) {
            self.now = due;
            self.session.handle_timeout(due);
        }
        self.now = end;
    }
}

/// The database's part of a handshake.
pub(crate) fn handshake(rows: &Value) -> [Value; 3] {
    [
        json!({"id": 0, "result": ["Open_vSwitch", "_Server"], "error": null}),
        json!({"id": 1, "result": schema(), "error": null}),
        json!({"id": 2, "result": rows, "error": null}),
    ]
}
