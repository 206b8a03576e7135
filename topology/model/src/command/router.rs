//! Routers as asked for.

use crate::{PortId, ProjectId, Route, RouterId, SubnetId};
use std::collections::BTreeSet;

/// A router to make. Fields left `None` take Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRouter {
    /// Its id.
    pub id: RouterId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Whether it routes; it does by default.
    pub admin_state_up: Option<bool>,
    /// Whether it is distributed; it is by default.
    pub distributed: Option<bool>,
    /// Whether it fails over; it does not by default.
    pub ha: Option<bool>,
    /// Wished availability zones.
    pub availability_zone_hints: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewRouter {
    /// A router of nothing but defaults.
    pub fn new(id: RouterId, project_id: ProjectId) -> Self {
        Self {
            id,
            project_id,
            name: None,
            description: None,
            admin_state_up: None,
            distributed: None,
            ha: None,
            availability_zone_hints: None,
            tags: None,
        }
    }
}

/// What to change of a router; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouterPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether it routes.
    pub admin_state_up: Option<bool>,
    /// Whether it is distributed.
    pub distributed: Option<bool>,
    /// Whether it fails over.
    pub ha: Option<bool>,
    /// Its routes, all of them.
    pub routes: Option<Vec<Route>>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}

/// An interface to give to a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewInterface {
    /// A new port with the subnet's gateway address.
    Subnet {
        /// The subnet.
        subnet: SubnetId,
        /// The id of the port to make.
        port: PortId,
    },
    /// A port that is there, with its addresses.
    Port(PortId),
}

/// An interface to take from a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OldInterface {
    /// The one in the subnet.
    Subnet(SubnetId),
    /// The port.
    Port(PortId),
    /// The port, which must have an address of the subnet.
    Both(PortId, SubnetId),
}
