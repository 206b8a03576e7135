//! What ovs-vswitchd writes into the database, and the bridges that follow from it.

use super::OvsdbServer;
use super::store::{Row, Store};
use super::value::{Atom, Value};
use crate::switch::{Bridge, Datapath, PortKind, SwitchPort};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;
use weir_openflow::{DatapathId, PortNo};

/// The number of a bridge's own port, as the database writes it.
const LOCAL: i64 = 65_534;
/// The largest number that is handed out without being asked for.
const AUTOMATIC_MAX: i64 = 32_767;

/// Changes a column that is a set.
pub(super) fn change_set(
    store: &mut Store,
    table: &str,
    uuid: Uuid,
    column: &str,
    change: impl FnOnce(&mut BTreeSet<Atom>),
) {
    if let Some(Value::Set(set)) = store.row(table, uuid).and_then(|row| row.get(column)) {
        let mut set = set.clone();
        change(&mut set);
        store.set(table, uuid, column, Value::Set(set));
    }
}

/// The interfaces of a bridge.
fn interfaces(store: &Store, bridge: &Row) -> Vec<Uuid> {
    let ports = bridge.get("ports").map(Value::uuids).unwrap_or_default();
    ports
        .into_iter()
        .filter_map(|port| store.row("Port", port))
        .flat_map(|port| port.get("interfaces").map(Value::uuids).unwrap_or_default())
        .collect()
}

/// Numbers bridges and interfaces that are new, and confirms the configuration.
pub(super) fn follow(store: &mut Store) {
    let bridges: Vec<(Uuid, Row)> = store.table("Bridge").map(|(uuid, row)| (*uuid, row.clone())).collect();
    for (uuid, bridge) in bridges {
        if bridge.get("datapath_id").is_none_or(Value::is_empty) {
            let number = uuid.as_u128() as u64 & 0xffff_ffff_ffff;
            store.set("Bridge", uuid, "datapath_id", Value::one(format!("{number:016x}").as_str()));
        }
        let name = bridge.get("name").and_then(Value::text).unwrap_or_default().to_owned();
        number_interfaces(store, &name, &interfaces(store, &bridge));
    }
    let roots: Vec<(Uuid, Option<Value>)> =
        store.table("Open_vSwitch").map(|(uuid, row)| (*uuid, row.get("next_cfg").cloned())).collect();
    for (uuid, next) in roots {
        if let Some(next) = next {
            store.set("Open_vSwitch", uuid, "cur_cfg", next);
        }
    }
}

fn number_interfaces(store: &mut Store, bridge: &str, interfaces: &[Uuid]) {
    let numbers = |store: &Store| -> BTreeSet<i64> {
        let rows = interfaces.iter().filter_map(|uuid| store.row("Interface", *uuid));
        rows.filter_map(|row| row.get("ofport")?.integer()).collect()
    };
    for uuid in interfaces {
        let Some(row) = store.row("Interface", *uuid) else {
            continue;
        };
        if row.get("ofport").and_then(Value::integer).is_some() {
            continue;
        }
        let taken = numbers(store);
        let is_local = row.get("name").and_then(Value::text) == Some(bridge);
        let asked = row.get("ofport_request").and_then(Value::integer).filter(|number| !taken.contains(number));
        let free = || (1..=AUTOMATIC_MAX).find(|number| !taken.contains(number));
        let number = if is_local { Some(LOCAL) } else { asked.or_else(free) };
        if let Some(number) = number {
            store.set("Interface", *uuid, "ofport", Value::one(number));
            for column in ["admin_state", "link_state"] {
                store.set("Interface", *uuid, column, Value::one("up"));
            }
        }
    }
}

impl OvsdbServer {
    /// Makes the bridges and ports of a datapath those of the database. Bridges that stay keep their tables.
    pub fn configure(&self, datapath: &mut Datapath) {
        let wanted: BTreeMap<String, &Row> =
            self.rows("Bridge").filter_map(|(_, row)| Some((row.get("name")?.text()?.to_owned(), row))).collect();
        let present: Vec<String> = datapath.bridges().map(|bridge| bridge.name().to_owned()).collect();
        for name in present.iter().filter(|name| !wanted.contains_key(*name)) {
            datapath.remove_bridge(name);
        }
        for (name, row) in wanted {
            if datapath.bridge(&name).is_none() {
                let number = row.get("datapath_id").and_then(Value::text).unwrap_or_default();
                let number = u64::from_str_radix(number, 16).unwrap_or(0);
                datapath.add_bridge(Bridge::new(&name, DatapathId(number)));
            }
            if let Some(bridge) = datapath.bridge_mut(&name) {
                self.configure_ports(bridge, row);
            }
        }
    }

    fn configure_ports(&self, bridge: &mut Bridge, row: &Row) {
        let rows = interfaces(&self.store, row);
        let wanted: BTreeMap<PortNo, SwitchPort> = rows
            .into_iter()
            .filter_map(|uuid| self.store.row("Interface", uuid))
            .filter_map(switch_port)
            .filter(|port| port.number != PortNo::LOCAL)
            .map(|port| (port.number, port))
            .collect();
        let present: Vec<PortNo> = bridge.ports().map(|port| port.number).collect();
        for number in present {
            if number != PortNo::LOCAL && !wanted.contains_key(&number) {
                bridge.remove_port(number);
            }
        }
        for port in wanted.into_values() {
            bridge.set_port(port);
        }
    }

    /// Where a bridge's controllers are, such as `tcp:192.0.2.1:6653`.
    pub fn controllers_of(&self, bridge: &str) -> Vec<String> {
        let Some((_, row)) = self.row_named("Bridge", bridge) else {
            return Vec::new();
        };
        let controllers = row.get("controller").map(Value::uuids).unwrap_or_default();
        controllers
            .into_iter()
            .filter_map(|uuid| self.store.row("Controller", uuid)?.get("target")?.text().map(str::to_owned))
            .collect()
    }
}

/// The port of an interface that has a number.
fn switch_port(interface: &Row) -> Option<SwitchPort> {
    let number = interface.get("ofport")?.integer()?;
    let number = if number == LOCAL { PortNo::LOCAL } else { PortNo(u32::try_from(number).ok()?) };
    let kind = match interface.get("type")?.text()? {
        "patch" => PortKind::Patch { peer: interface.get("options")?.get("peer")?.to_owned() },
        "internal" => PortKind::Internal,
        "vxlan" | "geneve" | "gre" => PortKind::Tunnel,
        _ => PortKind::Device,
    };
    Some(SwitchPort::new(number, interface.get("name")?.text()?, kind))
}
