//! The tables and columns Weir reads, typed. The one list below is what is monitored, what a
//! hypervisor's schema is checked against, and what a mirror holds.

use crate::value::{Atom, AtomKind, Datum, DatumError};
use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::fmt;
use uuid::Uuid;

/// The shape of a column, as the schema declares it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Exactly one atom.
    Scalar(AtomKind),
    /// One atom or none.
    Optional(AtomKind),
    /// Any number of atoms.
    Set(AtomKind),
    /// Any number of pairs.
    Map(AtomKind, AtomKind),
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scalar(kind) => write!(f, "{kind}"),
            Self::Optional(kind) => write!(f, "optional {kind}"),
            Self::Set(kind) => write!(f, "set of {kind}"),
            Self::Map(key, value) => write!(f, "map of {key} to {value}"),
        }
    }
}

/// A column that Weir needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ColumnNeed {
    /// Its name.
    pub name: &'static str,
    /// Its shape.
    pub shape: Shape,
}

/// A table that Weir needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableNeed {
    /// Its name.
    pub name: &'static str,
    /// The columns needed.
    pub columns: &'static [ColumnNeed],
}

/// A typed column: how it is declared, taken from the wire, and changed by a difference.
pub(crate) trait Field {
    const SHAPE: Shape;

    /// Takes the whole value.
    fn replace(&mut self, datum: &Datum) -> Result<(), DatumError>;

    /// Takes the value of a `modify` (ovsdb-server(7), section 4.1.14): the whole value of a
    /// column of at most one element, else a difference.
    fn modify(&mut self, datum: &Datum) -> Result<(), DatumError> {
        self.replace(datum)
    }
}

/// A Rust type for an atom.
pub(crate) trait Scalar: Sized + Ord {
    const KIND: AtomKind;
    const NAME: &'static str;

    fn read(atom: &Atom) -> Option<Self>;
}

macro_rules! scalar {
    ($type:ty, $kind:ident, $name:literal) => {
        impl Scalar for $type {
            const KIND: AtomKind = AtomKind::$kind;
            const NAME: &'static str = $name;

            fn read(atom: &Atom) -> Option<Self> {
                match atom {
                    Atom::$kind(value) => Some(value.clone()),
                    _ => None,
                }
            }
        }

        impl Field for $type {
            const SHAPE: Shape = Shape::Scalar(AtomKind::$kind);

            fn replace(&mut self, datum: &Datum) -> Result<(), DatumError> {
                *self = datum.atom().and_then(Self::read).ok_or_else(|| datum.mismatch(Self::NAME))?;
                Ok(())
            }
        }
    };
}

scalar!(String, String, "a string");
scalar!(i64, Integer, "an integer");
scalar!(bool, Boolean, "a boolean");

impl Scalar for Uuid {
    const KIND: AtomKind = AtomKind::Uuid;
    const NAME: &'static str = "a uuid";

    fn read(atom: &Atom) -> Option<Self> {
        match atom {
            Atom::Uuid(value) => Some(*value),
            _ => None,
        }
    }
}

impl<T: Scalar> Field for Option<T> {
    const SHAPE: Shape = Shape::Optional(T::KIND);

    fn replace(&mut self, datum: &Datum) -> Result<(), DatumError> {
        *self = match datum {
            Datum::Set(set) if set.as_slice().is_empty() => None,
            _ => {
                let value = datum.atom().and_then(T::read);
                Some(value.ok_or_else(|| datum.mismatch(T::NAME))?)
            }
        };
        Ok(())
    }
}

fn elements<T: Scalar>(datum: &Datum) -> Result<BTreeSet<T>, DatumError> {
    match datum {
        Datum::Set(set) => set.iter().map(|atom| T::read(atom).ok_or_else(|| datum.mismatch(T::NAME))).collect(),
        Datum::Map(_) => Err(datum.mismatch(T::NAME)),
    }
}

impl<T: Scalar> Field for BTreeSet<T> {
    const SHAPE: Shape = Shape::Set(T::KIND);

    fn replace(&mut self, datum: &Datum) -> Result<(), DatumError> {
        *self = elements(datum)?;
        Ok(())
    }

    /// The symmetric difference: what is in both goes, what is in one stays.
    fn modify(&mut self, datum: &Datum) -> Result<(), DatumError> {
        for element in elements(datum)? {
            if !self.remove(&element) {
                self.insert(element);
            }
        }
        Ok(())
    }
}

fn pairs<K: Scalar, V: Scalar>(datum: &Datum) -> Result<BTreeMap<K, V>, DatumError> {
    match datum {
        Datum::Map(map) => map
            .iter()
            .map(|(key, value)| K::read(key).zip(V::read(value)))
            .collect::<Option<_>>()
            .ok_or_else(|| datum.mismatch("a map of other types")),
        Datum::Set(_) => Err(datum.mismatch("a map")),
    }
}

impl<K: Scalar, V: Scalar> Field for BTreeMap<K, V> {
    const SHAPE: Shape = Shape::Map(K::KIND, V::KIND);

    fn replace(&mut self, datum: &Datum) -> Result<(), DatumError> {
        *self = pairs(datum)?;
        Ok(())
    }

    /// A pair as it was goes, a pair with another value takes its place, a new one comes.
    fn modify(&mut self, datum: &Datum) -> Result<(), DatumError> {
        for (key, value) in pairs::<K, V>(datum)? {
            match self.entry(key) {
                btree_map::Entry::Vacant(entry) => {
                    entry.insert(value);
                }
                btree_map::Entry::Occupied(entry) if *entry.get() == value => {
                    entry.remove();
                }
                btree_map::Entry::Occupied(mut entry) => {
                    entry.insert(value);
                }
            }
        }
        Ok(())
    }
}

/// A row of a table that Weir reads.
pub trait Table: Default + Clone + PartialEq {
    /// The table and the columns read.
    const NEED: TableNeed;

    /// Sets one column from its whole value.
    fn replace(&mut self, column: &str, datum: &Datum) -> Result<(), DatumError>;

    /// Changes one column by a `modify`: a difference on sets and maps, else the whole value.
    fn modify(&mut self, column: &str, datum: &Datum) -> Result<(), DatumError>;
}

macro_rules! table {
    (
        $(#[$doc:meta])*
        $row:ident = $table:literal {
            $( $(#[$field_doc:meta])* $field:ident: $type:ty = $column:literal, )*
        }
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $row {
            $( $(#[$field_doc])* pub $field: $type, )*
        }

        impl Table for $row {
            const NEED: TableNeed = TableNeed {
                name: $table,
                columns: &[
                    $( ColumnNeed { name: $column, shape: <$type as Field>::SHAPE }, )*
                ],
            };

            fn replace(&mut self, column: &str, datum: &Datum) -> Result<(), DatumError> {
                match column {
                    $( $column => Field::replace(&mut self.$field, datum), )*
                    _ => Err(datum.mismatch("no such column")),
                }
            }

            fn modify(&mut self, column: &str, datum: &Datum) -> Result<(), DatumError> {
                match column {
                    $( $column => Field::modify(&mut self.$field, datum), )*
                    _ => Err(datum.mismatch("no such column")),
                }
            }
        }
    };
}

table! {
    /// The one row of `Open_vSwitch`.
    OpenVswitch = "Open_vSwitch" {
        /// The bridges.
        bridges: BTreeSet<Uuid> = "bridges",
        /// The managers.
        manager_options: BTreeSet<Uuid> = "manager_options",
        /// Names and settings of the host.
        external_ids: BTreeMap<String, String> = "external_ids",
        /// Counts the configurations asked for.
        next_cfg: i64 = "next_cfg",
        /// The configuration that ovs-vswitchd has carried out.
        cur_cfg: i64 = "cur_cfg",
        /// The version of Open vSwitch.
        ovs_version: Option<String> = "ovs_version",
        /// The datapath types that ovs-vswitchd supports.
        datapath_types: BTreeSet<String> = "datapath_types",
    }
}

table! {
    /// A bridge.
    Bridge = "Bridge" {
        /// Its name.
        name: String = "name",
        /// The kind of datapath; empty for `system`.
        datapath_type: String = "datapath_type",
        /// The datapath id in 16 hexadecimal digits, once ovs-vswitchd has made the bridge.
        datapath_id: Option<String> = "datapath_id",
        /// `standalone` or `secure`.
        fail_mode: Option<String> = "fail_mode",
        /// The OpenFlow versions; none means the defaults.
        protocols: BTreeSet<String> = "protocols",
        /// Settings.
        other_config: BTreeMap<String, String> = "other_config",
        /// Marks of whoever uses the bridge.
        external_ids: BTreeMap<String, String> = "external_ids",
        /// The ports.
        ports: BTreeSet<Uuid> = "ports",
        /// The OpenFlow controllers.
        controller: BTreeSet<Uuid> = "controller",
        /// The settings of tables, by number.
        flow_tables: BTreeMap<i64, Uuid> = "flow_tables",
    }
}

table! {
    /// A port of a bridge: one interface, or several in a bond.
    Port = "Port" {
        /// Its name.
        name: String = "name",
        /// The interfaces.
        interfaces: BTreeSet<Uuid> = "interfaces",
        /// Marks of whoever uses the port.
        external_ids: BTreeMap<String, String> = "external_ids",
    }
}

table! {
    /// An interface of a port.
    Interface = "Interface" {
        /// Its name.
        name: String = "name",
        /// `internal`, `patch`, `vxlan`, ...; empty for a device of the system.
        kind: String = "type",
        /// Settings of its type.
        options: BTreeMap<String, String> = "options",
        /// Marks of whoever plugged it in.
        external_ids: BTreeMap<String, String> = "external_ids",
        /// The OpenFlow port number; -1 when it could not be made.
        ofport: Option<i64> = "ofport",
        /// The OpenFlow port number wished for.
        ofport_request: Option<i64> = "ofport_request",
        /// `up` or `down`.
        admin_state: Option<String> = "admin_state",
        /// `up` or `down`.
        link_state: Option<String> = "link_state",
        /// Why it could not be made.
        error: Option<String> = "error",
    }
}

table! {
    /// An OpenFlow controller of a bridge.
    Controller = "Controller" {
        /// Where it listens.
        target: String = "target",
        /// `in-band` or `out-of-band`.
        connection_mode: Option<String> = "connection_mode",
        /// Idle time before a probe, in milliseconds.
        inactivity_probe: Option<i64> = "inactivity_probe",
        /// The longest wait between attempts to connect, in milliseconds.
        max_backoff: Option<i64> = "max_backoff",
        /// Marks of whoever set it.
        external_ids: BTreeMap<String, String> = "external_ids",
        /// Whether the connection is up.
        is_connected: bool = "is_connected",
    }
}

table! {
    /// A client or listener of the database itself.
    Manager = "Manager" {
        /// Where it listens or is listened for.
        target: String = "target",
        /// Whether a connection is up.
        is_connected: bool = "is_connected",
    }
}

table! {
    /// The settings of an OpenFlow table.
    FlowTable = "Flow_Table" {
        /// Its name.
        name: Option<String> = "name",
        /// Marks of whoever named it.
        external_ids: BTreeMap<String, String> = "external_ids",
    }
}

/// Every table and column that Weir reads.
pub const fn needed_tables() -> [TableNeed; 7] {
    [OpenVswitch::NEED, Bridge::NEED, Port::NEED, Interface::NEED, Controller::NEED, Manager::NEED, FlowTable::NEED]
}
