//! Routers.

use crate::{ProjectId, RouterId, RouterKey, Timestamp};
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// A route of a router beyond its interfaces (`routes`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// By which address, which is in a subnet of one of the router's interfaces.
    pub nexthop: IpAddr,
}

/// A router. Its interfaces are ports whose `device_id` is its id and whose `device_owner` says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    /// Its id.
    pub id: RouterId,
    /// Its number in flows.
    pub key: RouterKey,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name, not unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether it routes.
    pub admin_state_up: bool,
    /// Routes beyond its interfaces, in the order of the API.
    pub routes: Vec<Route>,
    /// As asked for; every router of Weir is distributed.
    pub distributed: bool,
    /// As asked for; nothing of a distributed router can fail over.
    pub ha: bool,
    /// Wished availability zones.
    pub availability_zone_hints: Vec<String>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}
