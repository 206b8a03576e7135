//! Which databases are refused, and with what words.

use crate::peer::schema;
use serde_json::{Value, json};
use weir_ovsdb::{AtomKind, SchemaError, SchemaVersion, Shape, check_schema, needed_tables};

fn check(schema: &Value) -> Result<SchemaVersion, SchemaError> {
    check_schema(&schema.to_string())
}

#[test]
fn the_schema_it_needs_is_taken() {
    assert_eq!(check(&schema()), Ok(SchemaVersion("8.3.1".to_owned())));
}

#[test]
fn what_weir_does_not_need_does_not_matter() {
    let mut schema = schema();
    schema["tables"]["Odd"] = json!(17);
    schema["tables"]["Bridge"]["columns"]["odd"] = json!({"type": {"key": "colour"}, "new": 1});
    schema["tables"]["Bridge"]["columns"]["name"]["new-in-version-9"] = json!(true);
    schema["future"] = json!([]);
    assert_eq!(check(&schema), Ok(SchemaVersion("8.3.1".to_owned())));
}

#[test]
fn every_missing_table_and_column_is_named() {
    for table in needed_tables() {
        let mut whole = schema();
        whole["tables"].as_object_mut().expect("tables").remove(table.name);
        let version = SchemaVersion("8.3.1".to_owned());
        assert_eq!(check(&whole), Err(SchemaError::MissingTable { table: table.name, version: version.clone() }));
        for column in table.columns {
            let mut whole = schema();
            whole["tables"][table.name]["columns"].as_object_mut().expect("columns").remove(column.name);
            assert_eq!(
                check(&whole),
                Err(SchemaError::MissingColumn { table: table.name, column: column.name, version: version.clone() })
            );
        }
    }
}

#[test]
fn another_type_is_refused() {
    let mut schema = schema();
    schema["tables"]["Interface"]["columns"]["ofport"] = json!({"type": "string"});
    let error = check(&schema).expect_err("another type");
    assert_eq!(
        error,
        SchemaError::WrongType {
            table: "Interface",
            column: "ofport",
            expected: Shape::Optional(AtomKind::Integer),
            found: Shape::Scalar(AtomKind::String),
            version: SchemaVersion("8.3.1".to_owned()),
        }
    );
    assert_eq!(
        error.to_string(),
        "in the database schema, version 8.3.1, column ofport of table Interface is a string; \
         Weir needs a optional integer"
    );
}

#[test]
fn what_is_no_schema_is_refused() {
    let broken: [fn(&mut Value); 9] = [
        |schema| *schema = json!([]),
        |schema| schema["version"] = json!(8),
        |schema| schema["tables"] = json!([]),
        |schema| schema["tables"]["Bridge"] = json!("Bridge"),
        |schema| schema["tables"]["Bridge"]["columns"] = json!(["name"]),
        |schema| schema["tables"]["Bridge"]["columns"]["name"] = json!("string"),
        |schema| schema["tables"]["Bridge"]["columns"]["name"] = json!({"type": {"key": "text"}}),
        |schema| schema["tables"]["Bridge"]["columns"]["ports"]["type"]["max"] = json!("lots"),
        |schema| schema["tables"]["Bridge"]["columns"]["ports"]["type"]["min"] = json!([1]),
    ];
    for (index, break_it) in broken.into_iter().enumerate() {
        let mut schema = schema();
        break_it(&mut schema);
        let outcome = check(&schema);
        assert!(matches!(outcome, Err(SchemaError::Malformed(_))), "{index}: {outcome:?}");
    }
}
