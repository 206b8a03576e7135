//! Values in JSON and back.

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use uuid::Uuid;
use weir_ovsdb::{Atom, Condition, Datum, Function, Mutation, Mutator, Operation, Row, RowError, Until};

fn atom() -> impl Strategy<Value = Atom> {
    prop_oneof![
        any::<i64>().prop_map(Atom::Integer),
        // With few digits, so that the decimal form is exact.
        any::<i32>().prop_map(|number| Atom::Real(f64::from(number) / 256.0)),
        any::<bool>().prop_map(Atom::Boolean),
        "\\PC{0,20}".prop_map(Atom::String),
        any::<u128>().prop_map(|bits| Atom::Uuid(Uuid::from_u128(bits))),
        "[a-z_][a-z0-9_]{0,8}".prop_map(Atom::NamedUuid),
    ]
}

fn datum() -> impl Strategy<Value = Datum> {
    prop_oneof![
        atom().prop_map(Datum::from),
        btree_set(atom(), 0..6).prop_map(Datum::set),
        btree_map(atom(), atom(), 0..6).prop_map(Datum::map),
    ]
}

proptest! {
    #[test]
    fn values_survive_the_wire(datum in datum()) {
        let text = serde_json::to_string(&datum).expect("text");
        let back: Datum = serde_json::from_str(&text).expect("the same value");
        prop_assert_eq!(back, datum);
    }

    #[test]
    fn truncated_values_are_refused(datum in datum(), cut in any::<prop::sample::Index>()) {
        let text = serde_json::to_string(&(datum,)).expect("text");
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(serde_json::from_str::<(Datum,)>(&text[..end]).is_err());
    }
}

fn read(text: &str) -> Result<Datum, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn write(datum: &Datum) -> String {
    serde_json::to_string(datum).expect("text")
}

#[test]
fn values_look_as_the_rfc_says() {
    let uuid = "550e8400-e29b-41d4-a716-446655440000";
    let row: Uuid = uuid.parse().expect("a uuid");
    assert_eq!(write(&row.into()), format!(r#"["uuid","{uuid}"]"#));
    assert_eq!(write(&Datum::named("row1")), r#"["named-uuid","row1"]"#);
    assert_eq!(write(&Datum::empty()), r#"["set",[]]"#);
    assert_eq!(write(&Datum::set(["b", "a", "b"])), r#"["set",["a","b"]]"#);
    assert_eq!(write(&Datum::set(["a"])), r#""a""#);
    assert_eq!(write(&Datum::map([("k", 1_i64)])), r#"["map",[["k",1]]]"#);
    assert_eq!(write(&Datum::empty_map()), r#"["map",[]]"#);
    assert_eq!(write(&Datum::optional(None::<i64>)), r#"["set",[]]"#);
    assert_eq!(write(&Datum::from(Atom::Real(1.0))), "1.0");
    // A server may write a set of one either way.
    assert_eq!(read(r#"["set",["a"]]"#), read(r#""a""#));
    assert_eq!(read(&format!(r#"["map",[[0,["uuid","{uuid}"]]]]"#)), Ok(Datum::map([(0_i64, row)])));
}

#[test]
fn what_is_no_value_is_refused() {
    for (text, fault) in [
        ("null", "invalid type: null"),
        ("{}", "invalid type: map"),
        ("[]", "a tag is missing"),
        (r#"["uuid"]"#, "a uuid is missing"),
        (r#"["uuid","x"]"#, "UUID parsing failed"),
        (r#"["uuid","550e8400-e29b-41d4-a716-446655440000",1]"#, "more elements"),
        (r#"["list",[]]"#, "unknown variant `list`"),
        (r#"["set",{}]"#, "invalid type: map"),
        (r#"["set",[["set",[]]]]"#, "where an atom belongs"),
        (r#"["map",[["a"]]]"#, "invalid length 1"),
        (r#"["map",[["a",1],["a",2]]]"#, "a key twice"),
        ("9223372036854775808", "exceeds 64 bits"),
        (r#""\ud800""#, "unexpected end of hex escape"),
    ] {
        let error = read(text).expect_err(text);
        assert!(error.contains(fault), "{text}: {error}");
    }
}

#[test]
fn rows_are_read_by_type() {
    let uuid = Uuid::from_u128(7);
    let row = Row::new()
        .with("name", "br0")
        .with("tag", 5_i64)
        .with("up", true)
        .with("rate", Atom::Real(0.5))
        .with("none", Datum::empty())
        .with("me", uuid)
        .with("ports", Datum::set([uuid]))
        .with("ids", Datum::map([("a", "b")]));
    assert_eq!(row.string("name"), Ok("br0"));
    assert_eq!(row.integer("tag"), Ok(5));
    assert_eq!(row.boolean("up"), Ok(true));
    assert_eq!(row.real("rate"), Ok(0.5));
    assert_eq!(row.real("tag"), Ok(5.0));
    assert_eq!(row.optional_string("none"), Ok(None));
    assert_eq!(row.optional_string("name"), Ok(Some("br0")));
    assert_eq!(row.uuid("me"), Ok(uuid));
    assert_eq!(row.uuids("ports").map(|set| set.len()), Ok(1));
    assert_eq!(row.strings("ids").map(|map| map["a"]), Ok("b"));
    assert_eq!(row.integer("what"), Err(RowError::Missing("what".to_owned())));
    assert_eq!(
        row.integer("ids").map_err(|error| error.to_string()),
        Err("column 'ids': expected an integer, found a map of 1".to_owned())
    );
}

#[test]
fn operations_look_as_the_rfc_says() {
    let uuid = Uuid::nil();
    let is_row = vec![Condition::is_row(uuid)];
    let at = r#"[["_uuid","==",["uuid","00000000-0000-0000-0000-000000000000"]]]"#;
    let cases = [
        (
            Operation::Insert {
                table: "Port".into(),
                row: Row::new().with("name", "p"),
                uuid_name: Some("new".to_owned()),
            },
            r#"{"op":"insert","table":"Port","row":{"name":"p"},"uuid-name":"new"}"#.to_owned(),
        ),
        (
            Operation::Select {
                table: "Port".into(),
                conditions: vec![Condition::new("name", Function::NotEqual, "q")],
                columns: None,
            },
            r#"{"op":"select","table":"Port","where":[["name","!=","q"]]}"#.to_owned(),
        ),
        (
            Operation::Update {
                table: "Port".into(),
                conditions: is_row.clone(),
                row: Row::new().with("tag", Datum::empty()),
            },
            format!(r#"{{"op":"update","table":"Port","where":{at},"row":{{"tag":["set",[]]}}}}"#),
        ),
        (
            Operation::Mutate {
                table: "Port".into(),
                conditions: is_row.clone(),
                mutations: vec![
                    Mutation::new("tag", Mutator::Add, 1_i64),
                    Mutation::new("external_ids", Mutator::Delete, Datum::set(["k"])),
                ],
            },
            format!(
                r#"{{"op":"mutate","table":"Port","where":{at},"mutations":[["tag","+=",1],["external_ids","delete","k"]]}}"#
            ),
        ),
        (
            Operation::Delete { table: "Port".into(), conditions: Vec::new() },
            r#"{"op":"delete","table":"Port","where":[]}"#.to_owned(),
        ),
        (
            Operation::Wait {
                table: "Port".into(),
                conditions: Vec::new(),
                columns: vec!["name".into()],
                until: Until::NotEqual,
                rows: Vec::new(),
                timeout: Some(std::time::Duration::from_millis(20)),
            },
            r#"{"op":"wait","timeout":20,"table":"Port","where":[],"columns":["name"],"until":"!=","rows":[]}"#
                .to_owned(),
        ),
        (Operation::Commit { durable: true }, r#"{"op":"commit","durable":true}"#.to_owned()),
        (Operation::Abort, r#"{"op":"abort"}"#.to_owned()),
        (Operation::Comment { comment: "c".to_owned() }, r#"{"op":"comment","comment":"c"}"#.to_owned()),
        (Operation::Assert { lock: "l".to_owned() }, r#"{"op":"assert","lock":"l"}"#.to_owned()),
    ];
    for (operation, expected) in cases {
        assert_eq!(serde_json::to_string(&operation).expect("text"), expected);
    }
}
