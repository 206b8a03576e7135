//! Networks.

use crate::{NetworkId, NetworkKey, ProjectId, Timestamp, Vni};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// How a network travels between hypervisors.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Segment {
    /// Inside VXLAN with this identifier.
    Vxlan {
        /// The identifier on the wire.
        vni: Vni,
    },
}

/// A network: one broadcast domain of one project.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// Its id.
    pub id: NetworkId,
    /// Its number in flows.
    pub key: NetworkKey,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name, not unique.
    pub name: String,
    /// Free text.
    pub description: String,
    /// Whether it carries traffic.
    pub admin_state_up: bool,
    /// Bytes of the largest IP packet.
    pub mtu: u16,
    /// Whether every project may use it.
    pub shared: bool,
    /// Whether it leads outside (`router:external`).
    pub external: bool,
    /// The default of its ports.
    pub port_security_enabled: bool,
    /// How it travels.
    pub segment: Segment,
    /// Wished availability zones.
    pub availability_zone_hints: Vec<String>,
    /// DNS domain of its ports.
    pub dns_domain: String,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
    /// Counts its changes.
    pub revision_number: u64,
}
