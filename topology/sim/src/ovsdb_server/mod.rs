//! A simulated ovsdb-server with the ovs-vswitchd behind it: the database of one hypervisor, and who is told of it.

mod monitor;
mod schema;
mod store;
mod transact;
mod value;
mod vswitchd;

pub use store::Row;
pub use value::{Atom, Value};

use bytes::BytesMut;
use monitor::Monitor;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use store::Store;
use uuid::Uuid;

/// A connection of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

/// What came is not JSON; the connection is over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON-RPC: {0}")]
pub struct ProtocolError(String);

#[derive(Debug, Default)]
struct Client {
    input: Vec<u8>,
    output: BytesMut,
    monitors: Vec<Monitor>,
    probes: u64,
}

impl Client {
    fn send(&mut self, message: &Json) {
        self.output.extend_from_slice(message.to_string().as_bytes());
    }
}

/// The database of one hypervisor.
#[derive(Debug)]
pub struct OvsdbServer {
    store: Store,
    clients: BTreeMap<ClientId, Client>,
    last: u64,
}

/// The name of the database.
const DATABASE: &str = "Open_vSwitch";

impl OvsdbServer {
    /// The database of a fresh hypervisor with these external ids, such as `hostname` and `weir-encap-ip`. `seed` makes
    /// the names of its rows differ from those of another.
    pub fn new(seed: u64, external_ids: &[(&str, &str)]) -> Self {
        let mut store = Store::new(seed);
        store.insert(
            DATABASE,
            [
                ("external_ids".to_owned(), Value::texts(external_ids)),
                ("ovs_version".to_owned(), Value::one("3.1.0")),
                ("db_version".to_owned(), Value::one("8.3.1")),
                ("datapath_types".to_owned(), Value::Set(["netdev", "system"].map(Atom::from).into())),
            ],
        );
        Self { store, clients: BTreeMap::new(), last: 0 }
    }

    /// A client connects.
    pub fn connect(&mut self) -> ClientId {
        self.last += 1;
        self.clients.insert(ClientId(self.last), Client::default());
        ClientId(self.last)
    }

    /// A client is gone, and its monitors with it.
    pub fn disconnect(&mut self, client: ClientId) {
        self.clients.remove(&client);
    }

    /// Takes what waits to be sent to a client.
    pub fn poll_transmit(&mut self, client: ClientId) -> bytes::Bytes {
        self.clients.get_mut(&client).map(|client| client.output.split().freeze()).unwrap_or_default()
    }

    /// Probes a client, as ovsdb-server does after 5 seconds of silence.
    pub fn probe(&mut self, client: ClientId) {
        if let Some(client) = self.clients.get_mut(&client) {
            client.probes += 1;
            client.send(&json!({"method": "echo", "params": [], "id": "echo"}));
        }
    }

    /// Bytes from a client.
    ///
    /// # Errors
    /// They are not JSON.
    pub fn handle(&mut self, client: ClientId, bytes: &[u8]) -> Result<(), ProtocolError> {
        let Some(found) = self.clients.get_mut(&client) else {
            return Ok(());
        };
        found.input.extend_from_slice(bytes);
        let input = std::mem::take(&mut found.input);
        let mut stream = serde_json::Deserializer::from_slice(&input).into_iter::<Json>();
        let mut requests = Vec::new();
        let mut read = 0;
        loop {
            match stream.next() {
                Some(Ok(request)) => {
                    requests.push(request);
                    read = stream.byte_offset();
                }
                None => break,
                Some(Err(error)) if error.is_eof() => break,
                Some(Err(error)) => return Err(ProtocolError(error.to_string())),
            }
        }
        if let Some(found) = self.clients.get_mut(&client) {
            found.input = input[read..].to_vec();
        }
        for request in requests {
            self.answer(client, &request);
        }
        Ok(())
    }

    fn answer(&mut self, client: ClientId, request: &Json) {
        let Some(method) = request["method"].as_str() else {
            return;
        };
        let params = &request["params"];
        let result = match method {
            "list_dbs" => Ok(json!([DATABASE])),
            "echo" => Ok(params.clone()),
            "get_schema" if params[0] == DATABASE => {
                Ok(serde_json::from_str(schema::TEXT).expect("the schema of the simulator is JSON"))
            }
            "monitor_cond" if params[0] == DATABASE => self.monitor(client, params),
            "monitor_cancel" => self.cancel(client, &params[0]),
            "transact" if params[0] == DATABASE => Ok(self.transact(params)),
            "get_schema" | "monitor_cond" | "transact" => {
                Err(json!({"error": "unknown database", "syntax": params[0]}))
            }
            _ => Err(json!("unknown method")),
        };
        if let (Some(found), false) = (self.clients.get_mut(&client), request["id"].is_null()) {
            found.send(&match result {
                Ok(result) => json!({"id": request["id"], "result": result, "error": null}),
                Err(error) => json!({"id": request["id"], "result": null, "error": error}),
            });
        }
    }

    fn monitor(&mut self, client: ClientId, params: &Json) -> Result<Json, Json> {
        let monitor = Monitor::read(params[1].clone(), &params[2], &self.store)
            .ok_or_else(|| json!({"error": "syntax error", "details": "no such table or column"}))?;
        let initial = monitor.initial(&self.store);
        if let Some(found) = self.clients.get_mut(&client) {
            found.monitors.push(monitor);
        }
        Ok(initial)
    }

    fn cancel(&mut self, client: ClientId, id: &Json) -> Result<Json, Json> {
        let monitors = self.clients.get_mut(&client).map(|found| &mut found.monitors);
        match monitors.and_then(|monitors| Some((monitors.iter().position(|each| each.id == *id)?, monitors))) {
            Some((place, monitors)) => {
                monitors.remove(place);
                Ok(json!({}))
            }
            None => Err(json!({"error": "unknown monitor"})),
        }
    }

    fn transact(&mut self, params: &Json) -> Json {
        let operations = params.as_array().map_or(&[][..], |params| params.get(1..).unwrap_or_default());
        let (answers, done) = transact::transact(&self.store, operations);
        if let Some(after) = done {
            // The notice of one's own transaction comes before its answer; ovs-vswitchd follows with its own.
            self.become_known(after);
            self.run_vswitchd();
        }
        Json::Array(answers)
    }

    /// Puts a new state in place and tells the monitors.
    fn become_known(&mut self, after: Store) {
        let before = std::mem::replace(&mut self.store, after);
        for client in self.clients.values_mut() {
            let told: Vec<Json> = client
                .monitors
                .iter()
                .filter_map(|monitor| Some((monitor.id.clone(), monitor.update(&before, &self.store)?)))
                .map(|(id, update)| json!({"method": "update2", "params": [id, update], "id": null}))
                .collect();
            for message in told {
                client.send(&message);
            }
        }
    }

    fn run_vswitchd(&mut self) {
        let mut after = self.store.clone();
        vswitchd::follow(&mut after);
        self.become_known(after);
    }

    /// A row by its table and name.
    pub fn row_named(&self, table: &str, name: &str) -> Option<(Uuid, &Row)> {
        let uuid = self.store.named(table, name)?;
        Some((uuid, self.store.row(table, uuid)?))
    }

    /// The rows of a table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (&Uuid, &Row)> {
        self.store.table(table)
    }

    /// Plugs a VIF into a bridge, as os-vif does; its OpenFlow number. None if there is no such bridge.
    pub fn plug(&mut self, bridge: &str, interface: &str, iface_id: Uuid) -> Option<u32> {
        let mut after = self.store.clone();
        let bridge = after.named("Bridge", bridge)?;
        let iface_id = iface_id.to_string();
        let name = || ("name".to_owned(), Value::one(interface));
        let ids = Value::texts(&[("iface-id", &iface_id), ("iface-status", "active")]);
        let row = after.insert("Interface", [name(), ("external_ids".to_owned(), ids)]);
        let port = after.insert("Port", [name(), ("interfaces".to_owned(), Value::one(Atom::Uuid(row)))]);
        vswitchd::change_set(&mut after, "Bridge", bridge, "ports", |ports| {
            ports.insert(Atom::Uuid(port));
        });
        self.become_known(after);
        self.run_vswitchd();
        let number = self.store.row("Interface", row)?.get("ofport")?.integer()?;
        u32::try_from(number).ok()
    }

    /// Unplugs a VIF; whether it was there.
    pub fn unplug(&mut self, interface: &str) -> bool {
        let Some(port) = self.store.named("Port", interface) else {
            return false;
        };
        let mut after = self.store.clone();
        let bridges: Vec<Uuid> = after.table("Bridge").map(|(uuid, _)| *uuid).collect();
        for bridge in bridges {
            vswitchd::change_set(&mut after, "Bridge", bridge, "ports", |ports| {
                ports.remove(&Atom::Uuid(port));
            });
        }
        let settled = after.settle();
        debug_assert!(settled.is_ok(), "a port less breaks no rule: {settled:?}");
        self.become_known(after);
        self.run_vswitchd();
        true
    }
}
