//! What `device_owner` of a port says of it.

/// Owners of router interfaces that Neutron keeps from being taken away under the router.
const ROUTER_INTERFACES: [&str; 3] =
    ["network:router_interface", "network:ha_router_replicated_interface", "network:router_interface_distributed"];

/// Owners of ports that go with their network.
const AUTOMATIC: [&str; 3] = ["network:dhcp", "network:distributed", "network:floatingip_agent_gateway"];

/// Owner of the port by which a router translates addresses centrally.
const ROUTER_SNAT: &str = "network:router_centralized_snat";

/// Owner of a router's way out.
const ROUTER_GATEWAY: &str = "network:router_gateway";

/// Whether the port belongs to the network itself.
pub(crate) fn is_network_owner(owner: &str) -> bool {
    owner.starts_with("network:")
}

/// Whether the port goes with its network and never holds a subnet.
pub(crate) fn is_automatic_owner(owner: &str) -> bool {
    AUTOMATIC.contains(&owner)
}

/// Whether the port is a router's interface in a subnet.
pub(crate) fn is_router_interface(owner: &str) -> bool {
    ROUTER_INTERFACES.contains(&owner)
}

/// The owner of a router's interfaces.
pub(crate) fn router_interface_owner(distributed: bool) -> &'static str {
    if distributed { "network:router_interface_distributed" } else { "network:router_interface" }
}

/// Whether the port is a router's, so that it gets no address by autoconfiguration.
pub(crate) fn is_router_interface_or_snat(owner: &str) -> bool {
    is_router_interface(owner) || owner == ROUTER_SNAT
}

/// Whether the port is a router's of any kind.
pub(crate) fn is_router_port(owner: &str) -> bool {
    is_router_interface_or_snat(owner) || owner == ROUTER_GATEWAY
}

/// Whether some service may have this owner, so that a subnet can be kept for it.
pub(crate) fn is_known_prefix(owner: &str) -> bool {
    ["network:", "neutron:", "compute:", "baremetal:", "manila:"].iter().any(|prefix| owner.starts_with(prefix))
}
