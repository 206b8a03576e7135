//! Networks as asked for.

use crate::{NetworkId, ProjectId, Vni};
use std::collections::BTreeSet;

/// A network to make. Fields left `None` take Neutron's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNetwork {
    /// Its id.
    pub id: NetworkId,
    /// Its owner.
    pub project_id: ProjectId,
    /// Name; empty by default.
    pub name: Option<String>,
    /// Free text; empty by default.
    pub description: Option<String>,
    /// Whether it carries traffic; it does by default.
    pub admin_state_up: Option<bool>,
    /// Bytes of the largest IP packet; by default, or 0, the largest the overlay can carry.
    pub mtu: Option<u16>,
    /// Whether every project may use it.
    pub shared: Option<bool>,
    /// Whether it leads outside.
    pub external: Option<bool>,
    /// The default of its ports; on by default.
    pub port_security_enabled: Option<bool>,
    /// Its VXLAN identifier (`provider:segmentation_id`); the next free of the ranges by default.
    pub vni: Option<Vni>,
    /// Wished availability zones.
    pub availability_zone_hints: Option<Vec<String>>,
    /// DNS domain of its ports.
    pub dns_domain: Option<String>,
    /// Tags.
    pub tags: Option<BTreeSet<String>>,
}

impl NewNetwork {
    /// A network of nothing but defaults.
    pub fn new(id: NetworkId, project_id: ProjectId) -> Self {
        Self {
            id,
            project_id,
            name: None,
            description: None,
            admin_state_up: None,
            mtu: None,
            shared: None,
            external: None,
            port_security_enabled: None,
            vni: None,
            availability_zone_hints: None,
            dns_domain: None,
            tags: None,
        }
    }
}

/// What to change of a network; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPatch {
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Whether it carries traffic.
    pub admin_state_up: Option<bool>,
    /// Bytes of the largest IP packet; 0 for the largest the overlay can carry.
    pub mtu: Option<u16>,
    /// Whether every project may use it.
    pub shared: Option<bool>,
    /// Whether it leads outside.
    pub external: Option<bool>,
    /// The default of ports made from now on.
    pub port_security_enabled: Option<bool>,
    /// DNS domain of its ports.
    pub dns_domain: Option<String>,
    /// Tags, all of them.
    pub tags: Option<BTreeSet<String>>,
}
