//! A copy of a hypervisor's database, kept by its updates.

use crate::fact::{Fact, HostFact, InterfaceFact};
use crate::table::{Bridge, Controller, FlowTable, Interface, Manager, OpenVswitch, Port, Table};
use crate::update::{Change, RowChange};
use crate::value::{Atom, Datum, DatumError};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

/// The names of the two bridges of a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeNames {
    /// The bridge that VIFs plug into.
    pub integration: String,
    /// The bridge with the tunnels.
    pub tunnel: String,
}

impl Default for BridgeNames {
    fn default() -> Self {
        Self { integration: "br-int".to_owned(), tunnel: "br-tun".to_owned() }
    }
}

/// An update that does not fit what is known: the mirror is worthless, connect anew.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MirrorError {
    /// A row came twice.
    #[error("row {uuid} of table {table} came twice")]
    Twice {
        /// The table.
        table: &'static str,
        /// The row.
        uuid: Uuid,
    },
    /// A change of a row that never came.
    #[error("row {uuid} of table {table} is not known")]
    Unknown {
        /// The table.
        table: &'static str,
        /// The row.
        uuid: Uuid,
    },
    /// A column of another type.
    #[error("row {uuid} of table {table}, column {column}: {source}")]
    Column {
        /// The table.
        table: &'static str,
        /// The row.
        uuid: Uuid,
        /// The column.
        column: String,
        /// What was expected and found.
        source: DatumError,
    },
    /// A table that is not monitored.
    #[error("table {0} is not monitored")]
    Table(&'static str),
}

/// The rows of one table.
type Rows<T> = BTreeMap<Uuid, T>;

/// A copy of the rows Weir reads, and the facts that follow from them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mirror {
    names: BridgeNames,
    rows: Database,
    index: Index,
    /// `None` until the first rows.
    host: Option<HostFact>,
    /// By interface name.
    facts: BTreeMap<String, InterfaceFact>,
}

/// The rows of all tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Database {
    open_vswitch: Rows<OpenVswitch>,
    bridges: Rows<Bridge>,
    ports: Rows<Port>,
    interfaces: Rows<Interface>,
    controllers: Rows<Controller>,
    managers: Rows<Manager>,
    flow_tables: Rows<FlowTable>,
}

/// The references between rows, the other way round. No two rows share a name or a part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    bridge_of_port: BTreeMap<Uuid, Uuid>,
    port_of_interface: BTreeMap<Uuid, Uuid>,
    port_named: BTreeMap<String, Uuid>,
    interface_named: BTreeMap<String, Uuid>,
}

/// What an update may have changed.
#[derive(Default)]
struct Touched {
    host: bool,
    interfaces: BTreeSet<Uuid>,
    names: BTreeSet<String>,
}

impl Mirror {
    /// An empty mirror.
    pub fn new(names: BridgeNames) -> Self {
        Self { names, ..Self::default() }
    }

    /// Takes a fresh dump in place of everything known and tells the differences.
    pub fn replace(&mut self, rows: &[RowChange]) -> Result<Vec<Fact>, MirrorError> {
        let mut fresh = Self::new(self.names.clone());
        fresh.apply(rows)?;
        fresh.observe_host();
        let facts = fresh.facts_since(self);
        *self = fresh;
        Ok(facts)
    }

    /// Takes an update and tells the differences. After an error the mirror is worthless.
    pub fn apply(&mut self, changes: &[RowChange]) -> Result<Vec<Fact>, MirrorError> {
        let mut touched = Touched::default();
        for change in changes {
            self.apply_one(change, &mut touched)?;
        }
        let mut facts = Vec::new();
        if touched.host && self.observe_host() {
            facts.extend(self.host.clone().map(Fact::Host));
        }
        let Touched { interfaces, mut names, .. } = touched;
        names.extend(
            interfaces.iter().filter_map(|uuid| self.rows.interfaces.get(uuid)).map(|interface| interface.name.clone()),
        );
        for name in names {
            let after = self.observe(&name);
            let before = match &after {
                Some(after) => self.facts.insert(name, after.clone()),
                None => self.facts.remove(&name),
            };
            facts.extend(Fact::between(before.as_ref(), after.as_ref()));
        }
        Ok(facts)
    }

    /// What has changed from another mirror of the same hypervisor to this one.
    pub fn facts_since(&self, former: &Self) -> Vec<Fact> {
        let mut facts = Vec::new();
        if self.host != former.host {
            facts.extend(self.host.clone().map(Fact::Host));
        }
        let names: BTreeSet<&String> = self.facts.keys().chain(former.facts.keys()).collect();
        for name in names {
            facts.extend(Fact::between(former.facts.get(name), self.facts.get(name)));
        }
        facts
    }

    /// The hypervisor; `None` before the first rows.
    pub const fn host(&self) -> Option<&HostFact> {
        self.host.as_ref()
    }

    /// The interfaces that name a port, by name.
    pub fn interface_facts(&self) -> impl Iterator<Item = &InterfaceFact> {
        self.facts.values()
    }

    /// The names of the two bridges.
    pub const fn names(&self) -> &BridgeNames {
        &self.names
    }

    /// The row of `Open_vSwitch`.
    pub fn root(&self) -> Option<(Uuid, &OpenVswitch)> {
        self.rows.open_vswitch.iter().next().map(pair)
    }

    /// Whether ovs-vswitchd has carried out the configuration of this number.
    pub fn has_applied(&self, next_cfg: i64) -> bool {
        self.root().is_some_and(|(_, root)| root.cur_cfg >= next_cfg)
    }

    /// The bridges.
    pub fn bridges(&self) -> impl Iterator<Item = (Uuid, &Bridge)> {
        self.rows.bridges.iter().map(pair)
    }

    /// The bridge of this name.
    pub fn bridge(&self, name: &str) -> Option<(Uuid, &Bridge)> {
        self.bridges().find(|(_, bridge)| bridge.name == name)
    }

    /// A port.
    pub fn port(&self, uuid: Uuid) -> Option<&Port> {
        self.rows.ports.get(&uuid)
    }

    /// The port of this name.
    pub fn port_named(&self, name: &str) -> Option<(Uuid, &Port)> {
        let uuid = *self.index.port_named.get(name)?;
        Some((uuid, self.port(uuid)?))
    }

    /// The bridge that a port is on.
    pub fn bridge_of_port(&self, port: Uuid) -> Option<(Uuid, &Bridge)> {
        let uuid = *self.index.bridge_of_port.get(&port)?;
        Some((uuid, self.rows.bridges.get(&uuid)?))
    }

    /// The interface of this name.
    pub fn interface_named(&self, name: &str) -> Option<(Uuid, &Interface)> {
        let uuid = *self.index.interface_named.get(name)?;
        Some((uuid, self.rows.interfaces.get(&uuid)?))
    }

    /// The port that an interface belongs to.
    pub fn port_of_interface(&self, interface: Uuid) -> Option<(Uuid, &Port)> {
        let uuid = *self.index.port_of_interface.get(&interface)?;
        Some((uuid, self.port(uuid)?))
    }

    /// An OpenFlow controller.
    pub fn controller(&self, uuid: Uuid) -> Option<&Controller> {
        self.rows.controllers.get(&uuid)
    }

    /// The managers of the database.
    pub fn managers(&self) -> impl Iterator<Item = &Manager> {
        self.rows.managers.values()
    }

    /// The settings of a table.
    pub fn flow_table(&self, uuid: Uuid) -> Option<&FlowTable> {
        self.rows.flow_tables.get(&uuid)
    }

    fn apply_one(&mut self, change: &RowChange, touched: &mut Touched) -> Result<(), MirrorError> {
        let rows = &mut self.rows;
        let uuid = change.uuid;
        match change.table {
            name if name == OpenVswitch::NEED.name => {
                touched.host = true;
                change_row(&mut rows.open_vswitch, change)?;
            }
            name if name == Bridge::NEED.name => {
                touched.host = true;
                let parts = parts(change, "ports", rows.bridges.get(&uuid).map(|b| &b.ports));
                change_row(&mut rows.bridges, change)?;
                let now = rows.bridges.get(&uuid).map(|bridge| &bridge.ports);
                for port in parts {
                    own(&mut self.index.bridge_of_port, uuid, port, now);
                    if let Some(port) = rows.ports.get(&port) {
                        touched.interfaces.extend(&port.interfaces);
                    }
                }
            }
            name if name == Port::NEED.name => {
                let before = rows.ports.get(&uuid);
                let parts = parts(change, "interfaces", before.map(|port| &port.interfaces));
                let name = before.map(|port| port.name.clone());
                change_row(&mut rows.ports, change)?;
                let now = rows.ports.get(&uuid);
                rename(&mut self.index.port_named, uuid, name.as_deref(), now.map(|port| port.name.as_str()));
                let now = now.map(|port| &port.interfaces);
                for interface in parts {
                    own(&mut self.index.port_of_interface, uuid, interface, now);
                    touched.interfaces.insert(interface);
                }
            }
            name if name == Interface::NEED.name => {
                let name = rows.interfaces.get(&uuid).map(|row| row.name.clone());
                change_row(&mut rows.interfaces, change)?;
                let now = rows.interfaces.get(&uuid).map(|row| row.name.as_str());
                rename(&mut self.index.interface_named, uuid, name.as_deref(), now);
                touched.names.extend(name);
                touched.interfaces.insert(uuid);
            }
            name if name == Controller::NEED.name => change_row(&mut rows.controllers, change)?,
            name if name == Manager::NEED.name => change_row(&mut rows.managers, change)?,
            name if name == FlowTable::NEED.name => change_row(&mut rows.flow_tables, change)?,
            other => return Err(MirrorError::Table(other)),
        }
        Ok(())
    }

    /// Derives the hypervisor anew; true when it differs.
    fn observe_host(&mut self) -> bool {
        let root = self.root().map(|(_, root)| root);
        let integration = self.bridge(&self.names.integration).map(|(_, bridge)| bridge);
        let tunnel = self.bridge(&self.names.tunnel).map(|(_, bridge)| bridge);
        let host = Some(HostFact::read(root, integration, tunnel));
        let differs = self.host != host;
        self.host = host;
        differs
    }

    /// Derives what an interface says.
    fn observe(&self, name: &str) -> Option<InterfaceFact> {
        let (uuid, interface) = self.interface_named(name)?;
        let bridge = self
            .port_of_interface(uuid)
            .and_then(|(port, _)| self.bridge_of_port(port))
            .map(|(_, bridge)| bridge.name.as_str());
        InterfaceFact::read(uuid, interface, bridge, &self.names.integration)
    }
}

fn pair<'a, T>((uuid, row): (&Uuid, &'a T)) -> (Uuid, &'a T) {
    (*uuid, row)
}

/// The parts that a change of their owner may give or take: for a `modify` just the difference.
fn parts(change: &RowChange, column: &str, before: Option<&BTreeSet<Uuid>>) -> Vec<Uuid> {
    match &change.change {
        Change::Initial(row) | Change::Insert(row) | Change::Modify(row) => match row.get(column) {
            Some(Datum::Set(set)) => set
                .iter()
                .filter_map(|atom| match atom {
                    Atom::Uuid(uuid) => Some(*uuid),
                    _ => None,
                })
                .collect(),
            Some(Datum::Map(_)) | None => Vec::new(),
        },
        Change::Delete => before.into_iter().flatten().copied().collect(),
    }
}

/// Notes whether `owner` has `part` now. Another owner's claim is left alone: a part can move
/// within one update, in which the two owners come in any order.
fn own(index: &mut BTreeMap<Uuid, Uuid>, owner: Uuid, part: Uuid, now: Option<&BTreeSet<Uuid>>) {
    if now.is_some_and(|parts| parts.contains(&part)) {
        index.insert(part, owner);
    } else if index.get(&part) == Some(&owner) {
        index.remove(&part);
    }
}

/// Moves a row from one name to another; a name that passed to another row stays there.
fn rename(index: &mut BTreeMap<String, Uuid>, uuid: Uuid, before: Option<&str>, now: Option<&str>) {
    if before == now {
        return;
    }
    if let Some(name) = before.filter(|name| index.get(*name) == Some(&uuid)) {
        index.remove(name);
    }
    if let Some(name) = now {
        index.insert(name.to_owned(), uuid);
    }
}

fn change_row<T: Table>(rows: &mut Rows<T>, change: &RowChange) -> Result<(), MirrorError> {
    let RowChange { table, uuid, .. } = *change;
    let column_error = |column: &str, source| MirrorError::Column { table, uuid, column: column.to_owned(), source };
    match &change.change {
        Change::Initial(columns) | Change::Insert(columns) => {
            let mut row = T::default();
            for (column, datum) in columns.iter() {
                row.replace(column, datum).map_err(|source| column_error(column, source))?;
            }
            if rows.insert(uuid, row).is_some() {
                return Err(MirrorError::Twice { table, uuid });
            }
        }
        Change::Modify(columns) => {
            let row = rows.get_mut(&uuid).ok_or(MirrorError::Unknown { table, uuid })?;
            for (column, datum) in columns.iter() {
                row.modify(column, datum).map_err(|source| column_error(column, source))?;
            }
        }
        Change::Delete => {
            rows.remove(&uuid).ok_or(MirrorError::Unknown { table, uuid })?;
        }
    }
    Ok(())
}
