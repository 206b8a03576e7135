//! Names of tables and ports.

use crate::{PortNo, TableId};
use std::collections::BTreeMap;
use std::fmt;

/// Names of tables and ports, in place of their numbers in text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    tables: BTreeMap<TableId, String>,
    ports: BTreeMap<PortNo, String>,
}

/// The reserved ports that have names.
const RESERVED: &[(PortNo, &str)] = &[
    (PortNo::IN_PORT, "IN_PORT"),
    (PortNo::TABLE, "TABLE"),
    (PortNo::NORMAL, "NORMAL"),
    (PortNo::FLOOD, "FLOOD"),
    (PortNo::ALL, "ALL"),
    (PortNo::CONTROLLER, "CONTROLLER"),
    (PortNo::LOCAL, "LOCAL"),
    (PortNo::ANY, "ANY"),
    (PortNo::UNSET, "UNSET"),
];

impl Names {
    /// No names.
    pub(super) const NONE: &'static Self = &Self { tables: BTreeMap::new(), ports: BTreeMap::new() };

    /// Names of tables.
    #[must_use]
    pub fn of_tables<S: Into<String>>(tables: impl IntoIterator<Item = (TableId, S)>) -> Self {
        let tables = tables.into_iter().map(|(table, name)| (table, name.into())).collect();
        Self { tables, ports: BTreeMap::new() }
    }

    /// Adds names of ports.
    #[must_use]
    pub fn and_ports<S: Into<String>>(mut self, ports: impl IntoIterator<Item = (PortNo, S)>) -> Self {
        self.ports.extend(ports.into_iter().map(|(port, name)| (port, name.into())));
        self
    }

    /// The table of a name.
    #[must_use]
    pub fn table(&self, name: &str) -> Option<TableId> {
        let name = unquoted(name);
        self.tables.iter().find(|(_, present)| **present == name).map(|(&table, _)| table)
    }

    /// The port of a name, reserved names included.
    #[must_use]
    pub fn port(&self, name: &str) -> Option<PortNo> {
        let reserved = RESERVED.iter().find(|(_, present)| present.eq_ignore_ascii_case(name)).map(|&(port, _)| port);
        let none = || name.eq_ignore_ascii_case("NONE").then_some(PortNo::ANY);
        let name = unquoted(name);
        let named = || self.ports.iter().find(|(_, present)| **present == name).map(|(&port, _)| port);
        reserved.or_else(none).or_else(named)
    }

    pub(super) fn put_table(&self, f: &mut dyn fmt::Write, table: TableId) -> fmt::Result {
        match self.tables.get(&table) {
            Some(name) => put_name(f, name),
            None => write!(f, "{}", table.0),
        }
    }

    /// Whether the table has a name.
    pub(super) fn names_table(&self, table: TableId) -> bool {
        self.tables.contains_key(&table)
    }

    pub(super) fn put_port(&self, f: &mut dyn fmt::Write, port: PortNo) -> fmt::Result {
        if let Some((_, name)) = RESERVED.iter().find(|&&(reserved, _)| reserved == port) {
            return f.write_str(name);
        }
        match self.ports.get(&port) {
            Some(name) => put_name(f, name),
            None => write!(f, "{}", port.0),
        }
    }
}

/// Names that are not letters and digits stand in quotation marks.
fn put_name(f: &mut dyn fmt::Write, name: &str) -> fmt::Result {
    let plain = name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if plain { f.write_str(name) } else { write!(f, "\"{name}\"") }
}

fn unquoted(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

/// A value that prints tables and ports by name.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a, T> {
    /// What is printed.
    pub value: &'a T,
    /// The names.
    pub names: &'a Names,
}

impl<'a, T> Named<'a, T> {
    /// Prints `value` with `names`.
    pub const fn new(value: &'a T, names: &'a Names) -> Self {
        Self { value, names }
    }
}
