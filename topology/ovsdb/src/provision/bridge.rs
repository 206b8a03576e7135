//! One of the two bridges.

use super::draft::{Draft, full_datapath_type, mark, set_key, strings, uuids};
use super::port::WantedPort;
use super::{MARK, Problem, Wanted};
use crate::operation::{Mutation, Mutator};
use crate::row::Row;
use crate::table::Bridge;
use crate::value::{Atom, Datum};
use std::collections::BTreeMap;
use uuid::Uuid;

/// Weir speaks 1.5; the older ones stay on so that `ovs-ofctl` works as its users know it.
const PROTOCOLS: [&str; 6] = ["OpenFlow10", "OpenFlow11", "OpenFlow12", "OpenFlow13", "OpenFlow14", "OpenFlow15"];
const FAIL_MODE: &str = "secure";
const DISABLE_IN_BAND: (&str, &str) = ("disable-in-band", "true");

/// A bridge as it should be.
pub(super) struct WantedBridge<'a> {
    pub(super) name: &'a str,
    pub(super) datapath_type: &'a str,
    pub(super) ports: Vec<WantedPort<'a>>,
    pub(super) tables: &'a BTreeMap<u8, String>,
}

impl Draft<'_> {
    /// Makes a bridge as it should be.
    pub(super) fn bridge(&mut self, bridge: &WantedBridge<'_>, wanted: &Wanted) {
        match self.mirror.bridge(bridge.name) {
            Some((uuid, row)) => self.repair_bridge(uuid, row, bridge, wanted),
            None => self.create_bridge(bridge, wanted),
        }
    }

    fn create_bridge(&mut self, bridge: &WantedBridge<'_>, wanted: &Wanted) {
        // Every bridge has a port and an interface of its own name.
        if let Some(found) = self.holder(bridge.name) {
            return self.problem(Problem::NameTaken {
                name: bridge.name.to_owned(),
                purpose: "a bridge".to_owned(),
                found,
            });
        }
        self.explain(format!(
            "create bridge {} (datapath type {}, fail mode {FAIL_MODE}, controller {}, {} named tables)",
            bridge.name,
            bridge.datapath_type,
            wanted.controller,
            bridge.tables.len()
        ));
        let ports: Vec<Atom> = bridge.ports.iter().filter_map(|port| self.port(port, None)).collect();
        let controller = self.insert_controller(wanted);
        let tables: Vec<(i64, Atom)> =
            bridge.tables.iter().map(|(id, name)| (i64::from(*id), self.insert_table(name))).collect();
        let row = Row::new()
            .with("name", bridge.name)
            .with("datapath_type", bridge.datapath_type)
            .with("fail_mode", FAIL_MODE)
            .with("protocols", Datum::set(PROTOCOLS))
            .with("other_config", Datum::map([DISABLE_IN_BAND]))
            .with("external_ids", mark("bridge"))
            .with("ports", Datum::set(ports))
            .with("controller", controller)
            .with("flow_tables", Datum::map(tables));
        let reference = self.insert::<Bridge>(row);
        self.mutate_bridges(Mutator::Insert, reference.into());
    }

    fn repair_bridge(&mut self, uuid: Uuid, row: &Bridge, bridge: &WantedBridge<'_>, wanted: &Wanted) {
        let mut columns = Row::new();
        let mut mutations = Vec::new();
        let name = bridge.name;
        self.repair_datapath_type(uuid, row, bridge, &mut columns);
        if row.fail_mode.as_deref() != Some(FAIL_MODE) {
            self.explain(format!("set fail mode {FAIL_MODE} on bridge {name}"));
            columns.insert("fail_mode", FAIL_MODE);
        }
        if !row.protocols.contains("OpenFlow15") {
            self.explain(format!("allow OpenFlow 1.0 to 1.5 on bridge {name}"));
            columns.insert("protocols", Datum::set(PROTOCOLS));
        }
        let (key, value) = DISABLE_IN_BAND;
        let in_band = set_key("other_config", &row.other_config, key, value);
        if !in_band.is_empty() {
            self.explain(format!("disable in-band control on bridge {name}"));
        }
        mutations.extend(in_band);
        let ports: Vec<Atom> = bridge.ports.iter().filter_map(|port| self.port(port, Some(uuid))).collect();
        if !ports.is_empty() {
            mutations.push(Mutation::new("ports", Mutator::Insert, Datum::set(ports)));
        }
        mutations.extend(self.controller(row, wanted));
        mutations.extend(self.tables(row, bridge.tables));
        if !columns.is_empty() || !mutations.is_empty() {
            self.guard::<Bridge>(uuid, settings(row));
        }
        self.update::<Bridge>(uuid, columns);
        self.mutate::<Bridge>(uuid, mutations);
    }

    /// Changing the type makes the datapath anew: done only where no one else is connected.
    fn repair_datapath_type(&mut self, uuid: Uuid, row: &Bridge, bridge: &WantedBridge<'_>, columns: &mut Row) {
        let found = full_datapath_type(&row.datapath_type);
        if found == bridge.datapath_type {
            return;
        }
        if self.foreign_ports(row).is_empty() {
            self.explain(format!(
                "change bridge {} from datapath type {found} to {}",
                bridge.name, bridge.datapath_type
            ));
            columns.insert("datapath_type", bridge.datapath_type);
            self.guard::<Bridge>(uuid, Row::new().with("ports", uuids(&row.ports)));
        } else {
            self.problem(Problem::DatapathType {
                bridge: bridge.name.to_owned(),
                found: found.to_owned(),
                wanted: bridge.datapath_type.to_owned(),
            });
        }
    }

    /// The names of the ports on a bridge that Weir did not make.
    pub(super) fn foreign_ports(&self, bridge: &Bridge) -> Vec<String> {
        let mut names: Vec<String> = bridge
            .ports
            .iter()
            .filter_map(|port| self.mirror.port(*port))
            .filter(|port| port.name != bridge.name && !port.external_ids.contains_key(MARK))
            .map(|port| port.name.clone())
            .collect();
        names.sort();
        names
    }
}

/// The columns of a bridge that a change relies on. Ports are not among them: VIFs come and go.
pub(super) fn settings(row: &Bridge) -> Row {
    let tables = row.flow_tables.iter().map(|(id, uuid)| (*id, *uuid));
    Row::new()
        .with("datapath_type", row.datapath_type.as_str())
        .with("fail_mode", Datum::optional(row.fail_mode.as_deref()))
        .with("protocols", Datum::set(row.protocols.iter().map(String::as_str)))
        .with("other_config", strings(&row.other_config))
        .with("external_ids", strings(&row.external_ids))
        .with("controller", uuids(&row.controller))
        .with("flow_tables", Datum::map(tables))
}
