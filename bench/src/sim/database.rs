//! The database of one hypervisor (RFC 7047), with what ovs-vswitchd writes into it.
//!
//! Weir is its only client: guards always hold, and rows are kept as the JSON that travels. `weir-sim`'s server checks
//! more, but copies its database with every transaction.

use super::hypervisor::INTEGRATION;
use bytes::BytesMut;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use uuid::Uuid;
use weir_sim::ovsdb_server::OvsdbServer;

/// The name of the database.
const DATABASE: &str = "Open_vSwitch";

/// The OpenFlow number of a bridge's own port, as the database writes it.
const LOCAL: i64 = 65_534;

/// Columns of several elements: their changes are told as differences.
const SEVERAL: [&str; 11] = [
    "bridges",
    "manager_options",
    "external_ids",
    "datapath_types",
    "protocols",
    "other_config",
    "ports",
    "controller",
    "flow_tables",
    "interfaces",
    "options",
];

type Row = Map<String, Value>;

/// Rows as they were before a transaction, by table and name; none for a new one.
type Before = BTreeMap<(String, String), Option<Row>>;

/// The database of one hypervisor.
#[derive(Debug)]
pub(crate) struct Database {
    number: u64,
    rows: BTreeMap<String, BTreeMap<String, Row>>,
    root: String,
    integration: String,
    /// The monitor of the client.
    monitor: Option<Value>,
    input: Vec<u8>,
    made: u64,
    vifs: u32,
}

/// What came is not what a client says.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotOvsdb(String);

impl Database {
    /// The database of the hypervisor of this number, with an empty integration bridge as the agent of a cloud's
    /// compute service leaves it.
    pub(crate) fn new(number: u64, hostname: &str, encap_ip: &str) -> Self {
        let mut database = Self {
            number,
            rows: BTreeMap::new(),
            root: String::new(),
            integration: String::new(),
            monitor: None,
            input: Vec::new(),
            made: 0,
            vifs: 0,
        };
        let interface = database.insert("Interface", json!({"name": INTEGRATION, "type": "internal"}));
        let port = database.insert("Port", json!({"name": INTEGRATION, "interfaces": reference(&interface)}));
        let bridge = json!({"name": INTEGRATION, "datapath_type": "system", "ports": reference(&port)});
        database.integration = database.insert("Bridge", bridge);
        let ids = json!([["hostname", hostname], ["system-id", hostname], ["weir-encap-ip", encap_ip]]);
        let root = json!({
            "bridges": reference(&database.integration),
            "external_ids": ["map", ids],
            "ovs_version": "3.1.0",
            "datapath_types": ["set", ["netdev", "system"]],
            "next_cfg": 0,
            "cur_cfg": 0,
        });
        database.root = database.insert(DATABASE, root);
        database.follow(&mut Before::new());
        database
    }

    /// A client connects in place of the one before.
    pub(crate) fn connect(&mut self) {
        self.monitor = None;
        self.input = Vec::new();
    }

    /// Asks whether the client is there. Its answer needs no answer.
    pub(crate) fn probe(out: &mut BytesMut) {
        out.extend_from_slice(br#"{"method":"echo","params":[],"id":"echo"}"#);
    }

    /// Takes bytes from the client and puts the answers.
    pub(crate) fn handle(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), NotOvsdb> {
        self.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut self.input);
        let mut stream = serde_json::Deserializer::from_slice(&input).into_iter::<Value>();
        let mut read = 0;
        loop {
            match stream.next() {
                Some(Ok(request)) => {
                    read = stream.byte_offset();
                    self.answer(&request, out)?;
                }
                None => break,
                Some(Err(error)) if error.is_eof() => break,
                Some(Err(error)) => return Err(NotOvsdb(error.to_string())),
            }
        }
        self.input = input[read..].to_vec();
        Ok(())
    }

    /// Plugs VIFs in by one transaction, each an interface with the id of its port, and tells the client; their OpenFlow
    /// numbers.
    pub(crate) fn plug(&mut self, vifs: &[(String, String)], out: &mut Vec<u8>) -> Vec<u32> {
        let mut before = Before::new();
        let mut interfaces = Vec::new();
        let mut ports = Vec::new();
        for (interface, iface_id) in vifs {
            let ids = json!(["map", [["iface-id", iface_id], ["iface-status", "active"]]]);
            let row = self.insert("Interface", json!({"name": interface, "external_ids": ids}));
            let port = self.insert("Port", json!({"name": interface, "interfaces": reference(&row)}));
            before.insert(("Interface".to_owned(), row.clone()), None);
            before.insert(("Port".to_owned(), port.clone()), None);
            interfaces.push(row);
            ports.push(reference(&port));
        }
        let bridge = self.integration.clone();
        self.remember("Bridge", &bridge, &mut before);
        self.mutate("Bridge", &bridge, &json!(["ports", "insert", ["set", ports]]));
        self.tell(&before, out);
        let mut before = Before::new();
        let mut numbers = Vec::new();
        for row in interfaces {
            self.vifs += 1;
            self.set("Interface", &row, "ofport", json!(self.vifs), &mut before);
            numbers.push(self.vifs);
        }
        self.tell(&before, out);
        numbers
    }

    /// Where a bridge's controller is.
    pub(crate) fn controller_of(&self, bridge: &str) -> Option<&str> {
        let (_, row) = self.bridge(bridge)?;
        let controller = elements(row.get("controller")?).first()?.get(1)?.as_str()?.to_owned();
        self.rows.get("Controller")?.get(&controller)?.get("target")?.as_str()
    }

    /// The number of a bridge's datapath.
    pub(crate) fn datapath_of(&self, bridge: &str) -> Option<u64> {
        let (_, row) = self.bridge(bridge)?;
        u64::from_str_radix(row.get("datapath_id")?.as_str()?, 16).ok()
    }

    fn bridge(&self, name: &str) -> Option<(&String, &Row)> {
        self.rows.get("Bridge")?.iter().find(|(_, row)| row.get("name").and_then(Value::as_str) == Some(name))
    }

    fn answer(&mut self, request: &Value, out: &mut Vec<u8>) -> Result<(), NotOvsdb> {
        let Some(method) = request["method"].as_str() else { return Ok(()) };
        let params = &request["params"];
        let result = match method {
            "list_dbs" => json!([DATABASE]),
            "echo" => params.clone(),
            "get_schema" => schema().clone(),
            "monitor_cond" => {
                self.monitor = Some(params[1].clone());
                self.dump(&params[2])
            }
            "transact" => {
                let mut before = Before::new();
                let answers = self.transact(params.as_array().map_or(&[][..], |params| &params[1..]), &mut before)?;
                self.tell(&before, out);
                reply(&request["id"], &answers, out);
                let mut before = Before::new();
                self.follow(&mut before);
                self.tell(&before, out);
                return Ok(());
            }
            other => return Err(NotOvsdb(format!("the simulated database does not know {other}"))),
        };
        if !request["id"].is_null() {
            reply(&request["id"], &result, out);
        }
        Ok(())
    }

    fn dump(&self, wanted: &Value) -> Value {
        let mut tables = Map::new();
        for (table, rows) in &self.rows {
            if !wanted[table].is_null() && !rows.is_empty() {
                let rows = rows.iter().map(|(name, row)| (name.clone(), json!({"initial": row}))).collect();
                tables.insert(table.clone(), Value::Object(rows));
            }
        }
        Value::Object(tables)
    }

    fn transact(&mut self, operations: &[Value], before: &mut Before) -> Result<Value, NotOvsdb> {
        let mut names = BTreeMap::new();
        for operation in operations {
            if let Some(name) = operation["uuid-name"].as_str() {
                names.insert(name.to_owned(), self.next_name());
            }
        }
        let mut answers = Vec::new();
        for operation in operations {
            let table = operation["table"].as_str().unwrap_or_default();
            answers.push(match operation["op"].as_str().unwrap_or_default() {
                "wait" | "comment" => json!({}),
                "insert" => {
                    let given = operation["uuid-name"].as_str().and_then(|name| names.get(name)).cloned();
                    let name = given.unwrap_or_else(|| self.next_name());
                    let Value::Object(row) = resolved(&operation["row"], &names) else {
                        return Err(NotOvsdb("a row is an object".to_owned()));
                    };
                    self.rows.entry(table.to_owned()).or_default().insert(name.clone(), row);
                    before.insert((table.to_owned(), name.clone()), None);
                    json!({"uuid": reference(&name)})
                }
                "update" => {
                    let row = condition(operation)?;
                    for (column, value) in operation["row"].as_object().into_iter().flatten() {
                        self.set(table, &row, column, resolved(value, &names), before);
                    }
                    json!({"count": 1})
                }
                "mutate" => {
                    let row = condition(operation)?;
                    self.remember(table, &row, before);
                    for mutation in operation["mutations"].as_array().into_iter().flatten() {
                        self.mutate(table, &row, &resolved(mutation, &names));
                    }
                    json!({"count": 1})
                }
                "select" => {
                    let row = self.rows.get(table).and_then(|rows| rows.get(&condition(operation).ok()?));
                    json!({"rows": row.into_iter().collect::<Vec<_>>()})
                }
                other => return Err(NotOvsdb(format!("the simulated database does not know {other}"))),
            });
        }
        Ok(Value::Array(answers))
    }

    fn mutate(&mut self, table: &str, row: &str, mutation: &Value) {
        let (Some(column), Some(mutator)) = (mutation[0].as_str(), mutation[1].as_str()) else { return };
        let Some(row) = self.rows.get_mut(table).and_then(|rows| rows.get_mut(row)) else { return };
        let present = row.get(column).cloned().unwrap_or_else(|| json!(["set", []]));
        let given = &mutation[2];
        let changed = match (mutator, pairs(&present).or_else(|| pairs(given))) {
            ("+=", _) => json!(present.as_i64().unwrap_or(0) + given.as_i64().unwrap_or(0)),
            ("insert", Some(_)) => {
                let mut all = pairs(&present).unwrap_or_default();
                for (key, value) in pairs(given).unwrap_or_default() {
                    if all.iter().all(|(present, _)| *present != key) {
                        all.push((key, value));
                    }
                }
                json!(["map", all])
            }
            ("insert", None) => {
                let mut all = elements(&present);
                for element in elements(given) {
                    if !all.contains(&element) {
                        all.push(element);
                    }
                }
                json!(["set", all])
            }
            (_, Some(mut all)) => {
                let keys = match pairs(given) {
                    Some(pairs) => pairs.into_iter().map(|(key, _)| key).collect(),
                    None => elements(given),
                };
                all.retain(|(key, _)| !keys.contains(key));
                json!(["map", all])
            }
            (_, None) => {
                let mut all = elements(&present);
                let gone = elements(given);
                all.retain(|element| !gone.contains(element));
                json!(["set", all])
            }
        };
        row.insert(column.to_owned(), changed);
    }

    /// What ovs-vswitchd does: numbers bridges and interfaces, and confirms the configuration.
    fn follow(&mut self, before: &mut Before) {
        let bridges: Vec<(String, Row)> =
            self.rows.get("Bridge").into_iter().flatten().map(|(name, row)| (name.clone(), row.clone())).collect();
        for (place, (name, row)) in bridges.iter().enumerate() {
            if row.get("datapath_id").is_none() {
                let number = (self.number + 1) << 8 | (place as u64 + self.made) & 0xff;
                self.set("Bridge", name, "datapath_id", json!(format!("{number:016x}")), before);
            }
        }
        let unnumbered: Vec<(String, Value)> = self
            .rows
            .get("Interface")
            .into_iter()
            .flatten()
            .filter(|(_, row)| row.get("ofport").is_none())
            .map(|(name, row)| {
                let number = row.get("ofport_request").and_then(|request| elements(request).first().cloned());
                (name.clone(), number.unwrap_or_else(|| json!(LOCAL)))
            })
            .collect();
        for (name, number) in unnumbered {
            self.set("Interface", &name, "ofport", number, before);
            for column in ["admin_state", "link_state"] {
                self.set("Interface", &name, column, json!("up"), before);
            }
        }
        let root = self.root.clone();
        let next = self.rows.get(DATABASE).and_then(|rows| rows.get(&root)?.get("next_cfg").cloned());
        self.set(DATABASE, &root, "cur_cfg", next.unwrap_or_else(|| json!(0)), before);
    }

    /// Tells the client what changed.
    fn tell(&self, before: &Before, out: &mut Vec<u8>) {
        let Some(monitor) = &self.monitor else { return };
        let mut tables: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for ((table, name), old) in before {
            let Some(new) = self.rows.get(table).and_then(|rows| rows.get(name)) else { continue };
            let told = match old {
                None => json!({"insert": new}),
                Some(old) => {
                    let changed: Row = new
                        .iter()
                        .filter(|(column, value)| old.get(*column) != Some(value))
                        .map(|(column, value)| (column.clone(), difference(column, old.get(column), value)))
                        .collect();
                    if changed.is_empty() {
                        continue;
                    }
                    json!({"modify": changed})
                }
            };
            tables.entry(table).or_default().insert(name.clone(), told);
        }
        if !tables.is_empty() {
            let notice = json!({"method": "update2", "params": [monitor, tables], "id": null});
            out.extend_from_slice(notice.to_string().as_bytes());
        }
    }

    fn insert(&mut self, table: &str, row: Value) -> String {
        let name = self.next_name();
        if let Value::Object(row) = row {
            self.rows.entry(table.to_owned()).or_default().insert(name.clone(), row);
        }
        name
    }

    fn set(&mut self, table: &str, name: &str, column: &str, value: Value, before: &mut Before) {
        self.remember(table, name, before);
        if let Some(row) = self.rows.get_mut(table).and_then(|rows| rows.get_mut(name)) {
            row.insert(column.to_owned(), value);
        }
    }

    fn remember(&self, table: &str, name: &str, before: &mut Before) {
        if let Some(row) = self.rows.get(table).and_then(|rows| rows.get(name)) {
            before.entry((table.to_owned(), name.to_owned())).or_insert_with(|| Some(row.clone()));
        }
    }

    fn next_name(&mut self) -> String {
        self.made += 1;
        let number = u128::from(self.number + 1) << 96 | u128::from(self.made);
        Uuid::from_u128(number | 0x4000 << 64 | 0x8000 << 48).to_string()
    }
}

/// The schema, which is that of `weir-sim`'s server.
fn schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let mut server = OvsdbServer::new(0, &[]);
        let client = server.connect();
        let request = json!({"method": "get_schema", "params": [DATABASE], "id": 0}).to_string();
        let taken = server.handle(client, request.as_bytes());
        debug_assert!(taken.is_ok(), "the request is JSON");
        let reply = serde_json::from_slice::<Value>(&server.poll_transmit(client));
        reply.map(|mut reply| reply["result"].take()).unwrap_or_default()
    })
}

fn reply(id: &Value, result: &Value, out: &mut Vec<u8>) {
    let reply = json!({"id": id, "result": result, "error": null});
    out.extend_from_slice(reply.to_string().as_bytes());
}

fn reference(name: &str) -> Value {
    json!(["uuid", name])
}

/// The row that an operation is about.
fn condition(operation: &Value) -> Result<String, NotOvsdb> {
    match operation["where"][0][2][1].as_str() {
        Some(name) if operation["where"][0][0] == "_uuid" => Ok(name.to_owned()),
        _ => Err(NotOvsdb("the simulated database finds rows by their names only".to_owned())),
    }
}

/// The value with the names of new rows in place.
fn resolved(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::Array(list) => match list.as_slice() {
            [Value::String(kind), Value::String(name)] if kind == "named-uuid" => {
                reference(names.get(name).unwrap_or(name))
            }
            list => list.iter().map(|value| resolved(value, names)).collect(),
        },
        Value::Object(row) => row.iter().map(|(column, value)| (column.clone(), resolved(value, names))).collect(),
        other => other.clone(),
    }
}

/// The elements of a set; a scalar is its own only element.
fn elements(value: &Value) -> Vec<Value> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(kind), Value::Array(list)]) if kind == "set" => list.clone(),
        _ => vec![value.clone()],
    }
}

/// The pairs of a map; none if it is no map.
fn pairs(value: &Value) -> Option<Vec<(Value, Value)>> {
    match value.as_array().map(Vec::as_slice) {
        Some([Value::String(kind), Value::Array(list)]) if kind == "map" => {
            Some(list.iter().map(|pair| (pair[0].clone(), pair[1].clone())).collect())
        }
        _ => None,
    }
}

/// How `update2` tells a change of a column.
fn difference(column: &str, old: Option<&Value>, new: &Value) -> Value {
    let Some(old) = old.filter(|_| SEVERAL.contains(&column)) else { return new.clone() };
    match pairs(new) {
        Some(new) => {
            let old = pairs(old).unwrap_or_default();
            let gone = old.iter().filter(|(key, _)| new.iter().all(|(other, _)| other != key));
            let come = new.iter().filter(|pair| !old.contains(pair));
            json!(["map", gone.chain(come).collect::<Vec<_>>()])
        }
        None => {
            let (old, new) = (elements(old), elements(new));
            let gone = old.iter().filter(|element| !new.contains(element));
            let come = new.iter().filter(|element| !old.contains(element));
            json!(["set", gone.chain(come).collect::<Vec<_>>()])
        }
    }
}
