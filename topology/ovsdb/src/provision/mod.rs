//! What it takes to make a hypervisor's database as Weir wants it, as one transaction.

mod bridge;
mod controller;
mod draft;
mod flow_table;
mod port;
mod removal;

use crate::mirror::Mirror;
use crate::operation::{Operation, OperationResult};
use bridge::WantedBridge;
use draft::Draft;
use port::WantedPort;
use std::collections::BTreeMap;

pub use removal::unprovision;

/// The key in `external_ids` that marks a row as made by Weir.
pub const MARK: &str = "weir";

/// The port of the integration bridge that leads to the tunnel bridge.
pub const PATCH_TO_TUNNEL: &str = "patch-tun";
/// Its OpenFlow port number.
pub const PATCH_TO_TUNNEL_OFPORT: u32 = 65001;
/// The port of the tunnel bridge that leads to the integration bridge.
pub const PATCH_TO_INTEGRATION: &str = "patch-int";
/// Its OpenFlow port number.
pub const PATCH_TO_INTEGRATION_OFPORT: u32 = 65002;
/// The port of the tunnel bridge that leads to the other hypervisors.
pub const VXLAN: &str = "weir-vxlan";
/// Its OpenFlow port number.
pub const VXLAN_OFPORT: u32 = 65003;

/// What Weir wants on every hypervisor. The names of the bridges are the mirror's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// Where the bridges find Weir, such as `tcp:192.0.2.1:6653`.
    pub controller: String,
    /// Idle time before a bridge probes Weir, in milliseconds; `None` leaves the default.
    pub inactivity_probe: Option<u32>,
    /// The longest wait of a bridge between attempts to connect, in milliseconds (at least
    /// 1000); `None` leaves the default of 8000.
    pub max_backoff: Option<u32>,
    /// The names of the integration bridge's tables.
    pub integration_tables: BTreeMap<u8, String>,
    /// The names of the tunnel bridge's tables.
    pub tunnel_tables: BTreeMap<u8, String>,
}

/// What is to be done, and what cannot be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// One transaction; empty when everything is right. It fails as a whole, with an error for
    /// which [`TransactError::is_race`](crate::TransactError::is_race) holds, when the database
    /// has changed since: plan anew after the update.
    pub operations: Vec<Operation>,
    /// What the operations do, one line each for a person.
    pub explanation: Vec<String>,
    /// What is not as it should be and is not repaired.
    pub problems: Vec<Problem>,
}

impl Plan {
    /// Whether there is nothing to do. There may still be problems.
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// The configuration number that the transaction asked for, from its results: wait for
    /// [`Mirror::has_applied`](crate::Mirror::has_applied) with it.
    pub fn next_cfg(&self, results: &[OperationResult]) -> Option<i64> {
        results.iter().rev().find_map(|result| match result {
            OperationResult::Rows(rows) => rows.first()?.integer("next_cfg").ok(),
            _ => None,
        })
    }
}

/// Compares a hypervisor with what is wanted. What is not Weir's stays as it is: other bridges,
/// ports, controllers, keys of maps.
pub fn plan(mirror: &Mirror, wanted: &Wanted) -> Plan {
    let Some((root, _)) = mirror.root() else {
        return Plan { problems: vec![Problem::NoRoot], ..Plan::default() };
    };
    let mut draft = Draft::new(mirror, root);
    let encap_ip = mirror.host().and_then(|host| host.encap_ip);
    if encap_ip.is_none() {
        draft.problem(Problem::NoEncapIp);
    }
    let Some(datapath_type) = draft.datapath_type() else {
        return draft.finish();
    };
    let names = mirror.names();
    let bridges = [
        WantedBridge {
            name: &names.integration,
            datapath_type: &datapath_type,
            ports: vec![
                WantedPort::internal(&names.integration),
                WantedPort::patch(PATCH_TO_TUNNEL, PATCH_TO_INTEGRATION, PATCH_TO_TUNNEL_OFPORT),
            ],
            tables: &wanted.integration_tables,
        },
        WantedBridge {
            name: &names.tunnel,
            datapath_type: &datapath_type,
            ports: vec![
                WantedPort::internal(&names.tunnel),
                WantedPort::patch(PATCH_TO_INTEGRATION, PATCH_TO_TUNNEL, PATCH_TO_INTEGRATION_OFPORT),
                WantedPort::vxlan(encap_ip),
            ],
            tables: &wanted.tunnel_tables,
        },
    ];
    for bridge in &bridges {
        draft.bridge(bridge, wanted);
    }
    draft.finish()
}

/// Something that is not as it should be and that Weir leaves alone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Nothing can be done without the root row.
    #[error("the database has no Open_vSwitch row; run ovs-vsctl init")]
    NoRoot,
    /// No tunnel can end here.
    #[error("external_ids:weir-encap-ip is not set to an IP address, so no tunnel leads here")]
    NoEncapIp,
    /// ovs-vswitchd does not know the datapath type wished for.
    #[error(
        "external_ids:weir-datapath-type is '{wanted}', but ovs-vswitchd supports only: {}",
        supported.join(", ")
    )]
    UnsupportedDatapathType {
        /// The type wished for.
        wanted: String,
        /// The types there are.
        supported: Vec<String>,
    },
    /// A bridge with other ports on it is of another datapath type; a change would cut them off.
    #[error(
        "bridge {bridge} has datapath type '{found}' instead of '{wanted}' and carries ports that are not Weir's, so it is left as it is"
    )]
    DatapathType {
        /// The bridge.
        bridge: String,
        /// Its type.
        found: String,
        /// The type it should have.
        wanted: String,
    },
    /// The name is taken by something that is not Weir's.
    #[error("{name} is needed for {purpose}, but the name belongs to {found}")]
    NameTaken {
        /// The name.
        name: String,
        /// What it is needed for.
        purpose: String,
        /// What has it.
        found: String,
    },
    /// A controller that is not Weir is set on a bridge of Weir's.
    #[error("bridge {bridge} is also set to controller {target}, which may change its flows")]
    ForeignController {
        /// The bridge.
        bridge: String,
        /// The controller.
        target: String,
    },
    /// ovs-vswitchd gave another port number than the one asked for.
    #[error("port {name} has OpenFlow port number {found} instead of {wanted}")]
    Ofport {
        /// The port.
        name: String,
        /// Its number; -1 when it could not be made.
        found: i64,
        /// The number it should have.
        wanted: u32,
    },
    /// ovs-vswitchd could not make a port.
    #[error("port {name} could not be made: {error}")]
    PortFailed {
        /// The port.
        name: String,
        /// What ovs-vswitchd says.
        error: String,
    },
    /// Someone else has made settings for a table, its name among them.
    #[error("table {table} of bridge {bridge} has settings that are not Weir's (name '{found}')")]
    TableNamed {
        /// The bridge.
        bridge: String,
        /// The table.
        table: u8,
        /// Its name; empty for none.
        found: String,
    },
    /// A bridge made by Weir is not removed because of what else is on it.
    #[error("bridge {bridge} stays because it carries ports that are not Weir's: {}", ports.join(", "))]
    BridgeInUse {
        /// The bridge.
        bridge: String,
        /// The other ports.
        ports: Vec<String>,
    },
}

impl Problem {
    /// Whether it keeps the hypervisor from carrying traffic to and from the others.
    pub const fn is_severe(&self) -> bool {
        !matches!(self, Self::ForeignController { .. } | Self::TableNamed { .. } | Self::BridgeInUse { .. })
    }
}
