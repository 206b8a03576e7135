//! A session against a scripted database.

use crate::peer::{Peer, handshake, schema};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::time::Duration;
use uuid::Uuid;
use weir_ovsdb::{
    Change, CloseReason, Event, FrameLimits, Operation, OperationResult, Refused, Row, SchemaError, SessionConfig,
    Timing, TransactError, TransactionId, needed_tables,
};

const BRIDGE: &str = "00000000-0000-0000-0000-00000000000b";

fn config() -> SessionConfig {
    SessionConfig { outstanding: 3, unsent: 1 << 20, ..SessionConfig::default() }
}

fn ready() -> Peer {
    Peer::ready(config(), &json!({}))
}

fn note(comment: &str) -> Operation {
    Operation::Comment { comment: comment.to_owned() }
}

fn update(uuid: &str, change: &Value) -> Value {
    let tables = json!({"Bridge": {uuid: change}});
    json!({"id": null, "method": "update2", "params": ["weir", tables]})
}

#[test]
fn the_handshake_asks_for_what_is_needed_and_no_more() {
    let mut peer = Peer::new(config());
    assert_eq!(
        peer.messages(),
        [
            json!({"id": 0, "method": "list_dbs", "params": []}),
            json!({"id": 1, "method": "get_schema", "params": ["Open_vSwitch"]}),
        ]
    );
    let rows = json!({"Bridge": {BRIDGE: {"initial": {"name": "br0"}}}});
    let [databases, schema, monitor] = handshake(&rows);
    peer.tell(&databases);
    assert_eq!(peer.messages(), Vec::<Value>::new());
    peer.tell(&schema);
    let messages = peer.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0]["method"], "monitor_cond");
    assert_eq!(messages[0]["params"][0], "Open_vSwitch");
    assert_eq!(messages[0]["params"][1], "weir");
    let asked = messages[0]["params"][2].as_object().expect("tables");
    assert_eq!(asked.len(), needed_tables().len());
    for table in needed_tables() {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name).collect();
        assert_eq!(asked[table.name], json!([{ "columns": columns }]));
    }
    assert!(!peer.session.is_ready());
    assert_eq!(peer.session.transact(peer.now, &[]), Err(Refused::NotReady));
    peer.tell(&monitor);
    assert!(peer.session.is_ready());
    match peer.events().as_slice() {
        [Event::Rows { version, rows }] => {
            assert_eq!(version.0, "8.3.1");
            assert_eq!(rows.len(), 1);
            assert_eq!(rows[0].table, "Bridge");
            assert_eq!(rows[0].uuid, BRIDGE.parse::<Uuid>().expect("a uuid"));
            assert_eq!(rows[0].change, Change::Initial(Row::new().with("name", "br0")));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn updates_and_replies_come_in_the_order_sent() {
    let mut peer = ready();
    let id = peer.session.transact(peer.now, &[note("x")]).expect("room");
    let sent = peer.messages();
    assert_eq!(
        sent,
        [json!({"id": id.0, "method": "transact",
            "params": ["Open_vSwitch", {"op": "comment", "comment": "x"}]})]
    );
    // Both in one read, as a real server sends them.
    let both = format!(
        "{}{}",
        update(BRIDGE, &json!({"modify": {"fail_mode": "secure"}})),
        json!({"id": id.0, "result": [{}], "error": null})
    );
    peer.tell_bytes(both.as_bytes());
    match peer.events().as_slice() {
        [Event::Update(rows), Event::Transacted { id: answered, outcome }] => {
            let secure = Row::new().with("fail_mode", "secure");
            assert_eq!(rows[0].change, Change::Modify(secure));
            assert_eq!(*answered, id);
            assert_eq!(*outcome, Ok(vec![OperationResult::Done]));
        }
        other => panic!("{other:?}"),
    }
    peer.tell(&update(BRIDGE, &json!({"delete": null})));
    peer.tell(&update(BRIDGE, &json!({"insert": {"name": "b"}})));
    peer.tell(&json!({"id": null, "method": "update3", "params": ["weir", "0f", {}]}));
    peer.tell(&json!({"id": null, "method": "update2", "params": ["other", 5]}));
    let changes: Vec<Vec<Change>> = peer
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Update(rows) => rows.into_iter().map(|row| row.change).collect(),
            other => panic!("{other:?}"),
        })
        .collect();
    let inserted = Change::Insert(Row::new().with("name", "b"));
    assert_eq!(changes, [vec![Change::Delete], vec![inserted], vec![]]);
}

#[test]
fn pipelined_transactions_are_bounded_and_answered_by_id() {
    let mut peer = ready();
    let ids: Vec<TransactionId> =
        (0..3).map(|_| peer.session.transact(peer.now, &[note("n")]).expect("room")).collect();
    assert_eq!(peer.session.transact(peer.now, &[]), Err(Refused::TooMany(3)));
    let long = vec![Operation::Abort; 10_001];
    assert_eq!(peer.session.transact(peer.now, &long), Err(Refused::TooLong(10_001)));
    peer.session.cancel(ids[1]);
    assert_eq!(peer.messages().last(), Some(&json!({"id": null, "method": "cancel", "params": [ids[1].0]})));
    peer.tell(&json!({"id": ids[2].0, "result": [{}], "error": null}));
    peer.tell(&json!({"id": ids[1].0, "result": null, "error": "canceled"}));
    peer.tell(&json!({"id": ids[1].0, "result": [{}], "error": null}));
    peer.tell(&json!({"id": "stranger", "result": [], "error": null}));
    peer.tell(&json!({"id": 99, "result": [], "error": null}));
    let answered: Vec<(TransactionId, bool)> = peer
        .events()
        .into_iter()
        .map(|event| match event {
            Event::Transacted { id, outcome } => (id, outcome.is_ok()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(answered, [(ids[2], true), (ids[1], false)]);
    assert!(peer.session.transact(peer.now, &[]).is_ok());
}

#[test]
fn answers_are_tied_to_their_operations() {
    let insert = || Operation::Insert { table: "Port".into(), row: Row::new(), uuid_name: None };
    let select = || Operation::Select { table: "Port".into(), conditions: Vec::new(), columns: None };
    let delete = || Operation::Delete { table: "Port".into(), conditions: Vec::new() };
    let mut peer = ready();
    let mut outcome = |operations: &[Operation], reply: Value| {
        let id = peer.session.transact(peer.now, operations).expect("room");
        let (result, error) = match reply {
            Value::String(error) => (Value::Null, json!(error)),
            result => (result, Value::Null),
        };
        peer.tell(&json!({"id": id.0, "result": result, "error": error}));
        match peer.events().pop() {
            Some(Event::Transacted { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    };
    let operations = [insert(), select(), delete(), note("n")];
    assert_eq!(
        outcome(&operations, json!([{"uuid": ["uuid", BRIDGE]}, {"rows": [{"name": "p"}]}, {"count": 2}, {}])),
        Ok(vec![
            OperationResult::Inserted(BRIDGE.parse().expect("a uuid")),
            OperationResult::Rows(vec![Row::new().with("name", "p")]),
            OperationResult::Count(2),
            OperationResult::Done,
        ])
    );
    let failed =
        outcome(&operations, json!([{"uuid": ["uuid", BRIDGE]}, {"error": "bad", "details": "why"}, null, null]));
    assert_eq!(failed.map_err(|error| error.to_string()), Err("operation 1 (select): bad: why".to_owned()));
    let commit = outcome(&[note("n")], json!([{}, {"error": "constraint violation"}]));
    assert_eq!(commit, Err(TransactError::Commit { error: "constraint violation".to_owned(), details: None }));
    let refused = outcome(&[note("n")], json!("unknown database"));
    assert_eq!(refused, Err(TransactError::Refused("\"unknown database\"".to_owned())));
    for nonsense in [json!(7), json!([]), json!([null]), json!([{}, {}]), json!([{"error": 5}])] {
        let outcome = outcome(&[note("n")], nonsense.clone());
        assert!(matches!(outcome, Err(TransactError::Answer(_))), "{nonsense}: {outcome:?}");
    }
    for (operation, nonsense) in [
        (insert(), json!([{}])),
        (insert(), json!([{"uuid": "x"}])),
        (select(), json!([{}])),
        (delete(), json!([{"rows": []}])),
    ] {
        let outcome = outcome(&[operation], nonsense.clone());
        assert!(matches!(outcome, Err(TransactError::Answer(_))), "{nonsense}: {outcome:?}");
    }
}

#[test]
fn echoes_are_answered_at_any_time_and_other_requests_refused() {
    let mut peer = Peer::new(config());
    peer.messages();
    peer.tell(&json!({"id": "echo", "method": "echo", "params": [1, {"a": "ü"}]}));
    peer.tell(&json!({"id": [5], "method": "steal", "params": []}));
    assert_eq!(
        peer.messages(),
        [
            json!({"id": "echo", "result": [1, {"a": "ü"}], "error": null}),
            json!({"id": [5], "result": null, "error": "unknown method"}),
        ]
    );
    assert_eq!(peer.close_reason(), None);
}

#[test]
fn silence_is_probed_and_then_ends_the_session() {
    let mut peer = ready();
    let seconds = Duration::from_secs;
    peer.pass(seconds(5) - Duration::from_millis(1));
    assert_eq!(peer.messages(), Vec::<Value>::new());
    peer.pass(Duration::from_millis(1));
    let probe = peer.messages();
    assert_eq!(probe.len(), 1);
    assert_eq!(probe[0]["method"], "echo");
    peer.pass(seconds(4));
    peer.tell(&json!({"id": probe[0]["id"], "result": [], "error": null}));
    peer.pass(seconds(5));
    assert_eq!(peer.messages().len(), 1, "a second probe");
    peer.pass(seconds(5));
    assert_eq!(peer.close_reason(), Some(CloseReason::Dead(seconds(5))));
    assert_eq!(peer.session.poll_timeout(), None);
    assert_eq!(peer.session.poll_transmit(), None);
    assert_eq!(peer.session.transact(peer.now, &[]), Err(Refused::NotReady));
}

#[test]
fn a_peer_that_only_echoes_does_not_last() {
    let talk = |peer: &mut Peer| {
        for _ in 0..100 {
            peer.pass(Duration::from_secs(1));
            peer.tell(&json!({"id": 1000, "result": [], "error": null}));
        }
        peer.close_reason()
    };
    let seconds = Duration::from_secs;
    let mut peer = Peer::new(config());
    assert_eq!(talk(&mut peer), Some(CloseReason::Handshake(seconds(30))));
    let mut peer = ready();
    peer.session.transact(peer.now, &[]).expect("room");
    assert_eq!(talk(&mut peer), Some(CloseReason::NoReply { method: "transact", after: seconds(60) }));
}

#[test]
fn a_peer_that_does_not_read_does_not_fill_the_memory() {
    let mut peer = Peer::new(SessionConfig { unsent: 10_000, timing: Timing::default(), ..config() });
    for _ in 0..1000 {
        peer.tell(&json!({"id": "echo", "method": "echo", "params": []}));
    }
    let reason = peer.close_reason();
    assert!(matches!(reason, Some(CloseReason::NotReading(10_001..10_100))), "{reason:?}");
}

fn refusal(messages: &[Value]) -> Option<CloseReason> {
    let mut peer = Peer::new(config());
    for message in messages {
        peer.tell(message);
    }
    peer.close_reason()
}

#[test]
fn an_unfit_database_is_refused() {
    assert_eq!(
        refusal(&[json!({"id": 0, "result": ["OVN_Northbound"], "error": null})]),
        Some(CloseReason::NoDatabase(vec!["OVN_Northbound".to_owned()]))
    );
    assert_eq!(
        refusal(&[json!({"id": 1, "result": null, "error": "unknown database"})]).map(|reason| reason.to_string()),
        Some("the peer refused get_schema: \"unknown database\"".to_owned())
    );
    let mut old = schema();
    old["version"] = json!("5.0.0");
    old["tables"]["Bridge"]["columns"].as_object_mut().expect("columns").remove("flow_tables");
    let reason = refusal(&[json!({"id": 1, "result": old, "error": null})]);
    assert!(
        matches!(&reason, Some(CloseReason::Schema(SchemaError::MissingColumn { column: "flow_tables", version, .. })) if version.0 == "5.0.0"),
        "{reason:?}"
    );
    let mut messages = handshake(&json!({})).to_vec();
    messages.push(json!({"id": null, "method": "monitor_canceled", "params": ["weir"]}));
    assert_eq!(refusal(&messages), Some(CloseReason::MonitorCanceled));
}

#[test]
fn faults_are_told_with_their_position() {
    let mut peer = ready();
    let before = handshake(&json!({})).iter().map(|m| m.to_string().len()).sum::<usize>();
    let bad = r#"{"id":null,"method":"update2","params":["weir",{"Bridge":{"x":{}}}]}"#;
    peer.tell_bytes(bad.as_bytes());
    let reason = peer.close_reason().expect("malformed").to_string();
    let fault = before + bad.find(r#""x""#).expect("there") + 2;
    let expected = format!("malformed message: byte {fault}: UUID parsing failed");
    assert!(reason.starts_with(&expected), "{reason}; expected {expected}");

    for (message, fault) in [
        (r#"{"id":1,"id":2}"#, "duplicate field"),
        (r#"{"id":null,"result":1,"error":null}"#, "neither a request"),
        (r#"{"id":1,"result":1,"error":1}"#, "both result and error"),
        (r#"{"id":1,"method":"echo"}"#, "without params"),
        (r#"{"id":1,"method":5,"params":[]}"#, "invalid type: integer"),
        (r#"{"id":1 "method"}"#, "expected `,` or `}`"),
        (r#"{"id":null,"method":"update2","params":["weir"]}"#, "invalid length 1"),
        (r#"{"id":null,"method":"update2","params":["weir",{"Mirror":{}}]}"#, "'Mirror' is not monitored"),
        (
            r#"{"id":null,"method":"update2","params":["weir",{"Port":{"00000000-0000-0000-0000-000000000001":{"insert":{"qos":1}}}}]}"#,
            "'qos' of table Port is not monitored",
        ),
        (
            r#"{"id":null,"method":"update2","params":["weir",{"Port":{"00000000-0000-0000-0000-000000000001":{"moved":{}}}}]}"#,
            "unknown variant `moved`",
        ),
        (
            r#"{"id":null,"method":"update2","params":["weir",{"Port":{"00000000-0000-0000-0000-000000000001":{}}}]}"#,
            "a change without its kind",
        ),
        (
            r#"{"id":null,"method":"update2","params":["weir",{"Port":{"00000000-0000-0000-0000-000000000001":{"delete":null,"insert":{}}}}]}"#,
            "two changes of one row",
        ),
        ("{\"id\":null,\"method\":\"\u{1}\",\"params\":[]}", "control character"),
    ] {
        let mut peer = ready();
        peer.tell_bytes(message.as_bytes());
        let reason = peer.close_reason().expect(message).to_string();
        assert!(reason.contains(fault), "{message}: {reason}");
        peer.tell(&json!({"id": "echo", "method": "echo", "params": []}));
        assert_eq!(peer.messages(), Vec::<Value>::new(), "nothing after the end");
    }
}

#[test]
fn text_that_is_no_utf8_is_refused() {
    let mut peer = ready();
    peer.tell_bytes(b"{\"id\":1,\"method\":\"\xff\",\"params\":[]}");
    let reason = peer.close_reason().expect("malformed").to_string();
    assert!(reason.contains("invalid unicode code point"), "{reason}");
}

#[test]
fn an_update_before_the_first_rows_is_refused() {
    let reason = refusal(&[update(BRIDGE, &json!({"delete": null}))]);
    assert!(matches!(reason, Some(CloseReason::Message(_))), "{reason:?}");
}

/// A stream with every kind of message in it: the handshake, and what follows.
fn transcript() -> (Vec<u8>, Vec<u8>) {
    let rows = json!({
        "Bridge": {BRIDGE: {"initial": {"name": "br0", "other_config": ["map", [["a", "b"]]]}}},
        "Open_vSwitch": {BRIDGE: {"initial": {"bridges": ["uuid", BRIDGE], "next_cfg": 4}}},
    });
    let later = [
        json!({"id": "echo", "method": "echo", "params": []}),
        update(BRIDGE, &json!({"modify": {"protocols": ["set", ["OpenFlow15"]]}})),
        json!({"id": 3, "result": [{}], "error": null}),
        update(BRIDGE, &json!({"delete": null})),
    ];
    let join = |messages: &[Value]| {
        let lines: Vec<String> = messages.iter().map(Value::to_string).collect();
        lines.join("\n").into_bytes()
    };
    (join(&handshake(&rows)), join(&later))
}

/// Plays a stream; a transaction is sent between its two parts.
fn run((first, later): &(Vec<u8>, Vec<u8>), chunk: usize) -> (Vec<Event>, Vec<Value>) {
    let mut peer = Peer::new(config());
    for bytes in first.chunks(chunk) {
        peer.tell_bytes(bytes);
    }
    // Refused when the first part was corrupt.
    let _ = peer.session.transact(peer.now, &[note("n")]);
    for bytes in later.chunks(chunk) {
        peer.tell_bytes(bytes);
    }
    (peer.events(), peer.messages())
}

#[test]
fn nothing_is_told_before_it_is_complete() {
    let stream = transcript();
    let (whole, _) = run(&stream, usize::MAX);
    assert_eq!(whole.len(), 4);
    assert!(!whole.iter().any(|event| matches!(event, Event::Closed(_))));
    // Each step is the stream cut at that byte.
    let mut peer = Peer::new(config());
    let mut told = 0;
    for byte in stream.0.iter().chain(&stream.1) {
        peer.tell_bytes(&[*byte]);
        for event in peer.events() {
            assert_eq!(event, whole[told]);
            assert!(matches!(byte, b'}'), "the end of a message");
            told += 1;
            if told == 1 {
                peer.session.transact(peer.now, &[note("n")]).expect("room");
            }
        }
    }
    assert_eq!(told, whole.len());
}

#[test]
fn every_corrupted_byte_is_harmless() {
    let stream = transcript();
    let total = stream.0.len() + stream.1.len();
    for at in 0..total {
        let mut corrupt = stream.clone();
        let byte = corrupt.0.iter_mut().chain(&mut corrupt.1).nth(at).expect("a byte");
        *byte = [b'"', b'{', b']', b'\\', b'0', 0xff, 0][at % 7];
        let (events, _) = run(&corrupt, 1000);
        let ended = events.iter().position(|event| matches!(event, Event::Closed(_)));
        assert!(ended.is_none_or(|at| at + 1 == events.len()), "nothing after the end");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn chunks_make_no_difference(chunk in 1_usize..700) {
        let stream = transcript();
        prop_assert_eq!(run(&stream, chunk), run(&stream, usize::MAX));
    }
}

#[test]
fn a_large_first_dump_is_looked_at_once() {
    let mut interfaces = serde_json::Map::new();
    let padding = "x".repeat(1600);
    for number in 0..5000_u128 {
        let row = json!({"initial": {
            "name": format!("tap{number}"),
            "external_ids": ["map", [
                ["iface-id", Uuid::from_u128(number).to_string()],
                ["note", padding],
            ]],
            "ofport": number as u64,
        }});
        interfaces.insert(Uuid::from_u128(number + 1).to_string(), row);
    }
    let messages = handshake(&json!({ "Interface": interfaces }));
    let stream: Vec<u8> = messages.iter().flat_map(|m| m.to_string().into_bytes()).collect();
    assert!(stream.len() > 8_800_000, "{}", stream.len());
    let mut peer = Peer::new(SessionConfig { frames: FrameLimits::default(), ..config() });
    for chunk in stream.chunks(1448) {
        peer.tell_bytes(chunk);
    }
    assert_eq!(peer.session.looked_at(), stream.len() as u64);
    match peer.events().as_slice() {
        [Event::Rows { rows, .. }] => assert_eq!(rows.len(), 5000),
        other => panic!("{} events", other.len()),
    }
}
