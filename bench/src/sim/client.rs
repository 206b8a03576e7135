//! A client of a real hypervisor's database (RFC 7047), as the agent of a compute service is one.

use serde::Deserialize as _;
use serde_json::{Value, json};
use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::hypervisor::{INTEGRATION, interface_of};
use crate::Failure;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the database.
#[derive(Debug)]
pub(crate) struct Client {
    stream: BufReader<UnixStream>,
    asked: u64,
}

impl Client {
    /// Connects by the database's socket.
    pub(crate) fn connect(socket: &Path) -> Result<Self, Failure> {
        let stream = UnixStream::connect(socket).map_err(|error| format!("{}: {error}", socket.display()))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { stream: BufReader::new(stream), asked: 0 })
    }

    /// Does all of these operations or none.
    pub(crate) fn transact(&mut self, operations: Vec<Value>) -> Result<(), Failure> {
        self.asked += 1;
        let mut params = vec![json!("Open_vSwitch")];
        params.extend(operations);
        let request = json!({"method": "transact", "params": params, "id": self.asked});
        self.stream.get_mut().write_all(request.to_string().as_bytes())?;
        let reply = Value::deserialize(&mut serde_json::Deserializer::from_reader(&mut self.stream))?;
        let refused = |result: &Value| !result["error"].is_null();
        if reply["id"] != self.asked
            || refused(&reply)
            || reply["result"].as_array().is_none_or(|all| all.iter().any(refused))
        {
            return Err(format!("the database refused a transaction: {reply}").into());
        }
        Ok(())
    }
}

/// What plugs VIFs in for ports, in one transaction.
pub(crate) fn plugging(ports: &[String]) -> Vec<Value> {
    let mut operations = Vec::new();
    let mut plugged = Vec::new();
    for (place, port) in ports.iter().enumerate() {
        let (interface, row) = (format!("interface{place}"), format!("port{place}"));
        let name = interface_of(port);
        let ids = json!(["map", [["iface-id", port], ["iface-status", "active"]]]);
        operations.extend([
            json!({"op": "insert", "table": "Interface", "uuid-name": interface, "row": {"name": name, "external_ids": ids}}),
            json!({"op": "insert", "table": "Port", "uuid-name": row, "row": {"name": name, "interfaces": named(&interface)}}),
        ]);
        plugged.push(named(&row));
    }
    operations.extend([
        json!({
            "op": "mutate",
            "table": "Bridge",
            "where": [["name", "==", INTEGRATION]],
            "mutations": [["ports", "insert", ["set", plugged]]],
        }),
        in_root(&json!(["next_cfg", "+=", 1])),
    ]);
    operations
}

/// What names a controller to the database.
pub(crate) fn manager(target: &str) -> Vec<Value> {
    vec![
        json!({"op": "insert", "table": "Manager", "uuid-name": "manager", "row": {"target": target}}),
        in_root(&json!(["manager_options", "insert", named("manager")])),
    ]
}

/// A mutation of the database's only row for the whole of it.
fn in_root(mutation: &Value) -> Value {
    json!({"op": "mutate", "table": "Open_vSwitch", "where": [], "mutations": [mutation]})
}

/// A row that the same transaction makes.
fn named(name: &str) -> Value {
    json!(["named-uuid", name])
}
