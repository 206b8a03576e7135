//! A session, from the first byte or after a good handshake, with the mirror and the plan behind it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use weir_ovsdb::{
    AtomKind, Event, FrameLimits, Mirror, Operation, Session, SessionConfig, Shape, Wanted, needed_tables, plan,
    unprovision,
};

fn declared(shape: Shape) -> Value {
    let one = |kind: AtomKind| json!({ "type": kind.to_string() });
    match shape {
        Shape::Scalar(kind) => json!(kind.to_string()),
        Shape::Optional(kind) => json!({"key": one(kind), "min": 0, "max": 1}),
        Shape::Set(kind) => json!({"key": one(kind), "min": 0, "max": "unlimited"}),
        Shape::Map(key, value) => json!({"key": one(key), "value": one(value), "min": 0, "max": "unlimited"}),
    }
}

fn handshake() -> String {
    let mut tables = json!({});
    for table in needed_tables() {
        for column in table.columns {
            tables[table.name]["columns"][column.name] = json!({ "type": declared(column.shape) });
        }
    }
    let schema = json!({"name": "Open_vSwitch", "version": "8.3.1", "cksum": "", "tables": tables});
    let databases = json!({"id": 0, "result": ["Open_vSwitch"], "error": null});
    format!("{databases}{}", json!({"id": 1, "result": schema, "error": null}))
}

fuzz_target!(|input: (bool, u8, &[u8])| {
    let (shaken, chunk, bytes) = input;
    let now = Instant::now();
    let config = SessionConfig {
        frames: FrameLimits { message: 1 << 20, depth: 16 },
        outstanding: 4,
        unsent: 1 << 16,
        ..SessionConfig::default()
    };
    let mut session = Session::new(now, config);
    let mut fed = 0;
    if shaken {
        let text = handshake();
        fed += text.len() as u64;
        session.handle_bytes(now, text.as_bytes());
    }
    let mut mirror = Some(Mirror::default());
    let mut closed = false;
    for part in bytes.chunks(usize::from(chunk) + 1) {
        session.handle_bytes(now, part);
        fed += part.len() as u64;
        while let Some(event) = session.poll_event() {
            assert!(!closed, "nothing after the end");
            match event {
                Event::Rows { rows, .. } => {
                    mirror = mirror.and_then(|mut mirror| mirror.replace(&rows).is_ok().then_some(mirror));
                    let _ = session.transact(now, &[Operation::Abort]);
                }
                Event::Update(rows) => {
                    mirror = mirror.and_then(|mut mirror| mirror.apply(&rows).is_ok().then_some(mirror));
                }
                Event::Transacted { .. } => {}
                Event::Closed(_) => closed = true,
            }
        }
        while session.poll_transmit().is_some() {}
    }
    assert!(session.looked_at() <= fed);
    if let Some(mirror) = mirror {
        let wanted = Wanted {
            controller: "tcp:192.0.2.1:6653".to_owned(),
            inactivity_probe: None,
            max_backoff: None,
            integration_tables: BTreeMap::from([(0, "classify".to_owned())]),
            tunnel_tables: BTreeMap::new(),
        };
        plan(&mirror, &wanted);
        unprovision(&mirror);
    }
    session.handle_timeout(now + Duration::from_secs(3600));
});
