//! What joins the hypervisors and the controller: two bridges in a namespace of their own, one for management
//! (OVSDB and OpenFlow connections) and one for the tunnels.
//!
//! Management has a wire of its own because the tunnels' wire hangs on the switch under test: it is gone whenever
//! ovs-vswitchd is, and the controller shall see that, not share it.

use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};

use super::namespace::veth;
use super::{LabError, Namespace};

/// The device by which a namespace of the lab reaches the management network.
pub const MANAGEMENT: &str = "mgmt";
/// The device by which a hypervisor reaches the network of the tunnels.
pub const TUNNELS: &str = "underlay";

/// The controller's address on the management network. All addresses of the lab's own networks are of the ranges for
/// documentation (RFC 5737), so that they collide with nothing; they exist only within the lab's namespaces.
pub const CONTROLLER: IpAddr = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1));

/// The prefix length of both networks.
const PREFIX: u8 = 24;

/// The address of hypervisor `number`, counted from 1, on the management network.
pub(super) fn management_address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 10 + number))
}

/// The tunnel endpoint of hypervisor `number`, counted from 1.
pub(super) fn tunnel_address(number: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 10 + number))
}

/// The namespace with the two bridges.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Underlay {
    namespace: Namespace,
}

impl Underlay {
    /// The underlay of the lab `lab`; it need not exist.
    pub fn of(lab: &str) -> Self {
        Self { namespace: Namespace::of(lab, "underlay") }
    }

    /// Makes the namespace and its bridges.
    pub fn create(&self) -> Result<(), LabError> {
        self.namespace.create()?;
        self.namespace.ip([MANAGEMENT, TUNNELS].into_iter().flat_map(|bridge| {
            [format!("link add {bridge} type bridge stp_state 0 forward_delay 0"), format!("link set {bridge} up")]
        }))
    }

    /// Connects a namespace to one of the two networks by a device of the network's name. `plug` names the other end,
    /// on the bridge.
    pub fn connect(&self, network: &str, plug: &str, namespace: &Namespace) -> Result<(), LabError> {
        let end = format!("{plug}-{network}");
        veth((namespace, network), (&self.namespace, &end))?;
        self.namespace.ip([format!("link set {end} master {network}")])
    }

    /// Cuts or restores the wire of `plug` to one of the two networks.
    pub fn set_wire(&self, network: &str, plug: &str, intact: bool) -> Result<(), LabError> {
        let state = if intact { "up" } else { "down" };
        self.namespace.ip([format!("link set {plug}-{network} {state}")])
    }
}

/// Gives a device of a namespace its address on one of the lab's networks.
pub(super) fn address(namespace: &Namespace, device: &str, address: IpAddr) -> Result<(), LabError> {
    namespace.ip([format!("address replace {address}/{PREFIX} dev {device}"), format!("link set {device} up")])
}
