//! Commands about the interfaces of routers, and what may be asked of their ports otherwise.

use super::addressing::{Asker, next_addresses};
use super::router::{NEXTHOP_IS_OWN, existing as existing_router};
use super::{port, subnet};
use crate::draft::Draft;
use crate::index::{router_named, router_of};
use crate::logical::router_interface_owner;
use crate::{
    NewFixedIp, NewInterface, NewPort, OldInterface, Outcome, Port, PortId, PortStatus, Rejection, Router, RouterId,
    Subnet, SubnetId,
};
use std::collections::BTreeSet;
use std::sync::Arc;

fn bad(text: impl Into<String>) -> Rejection {
    Rejection::BadRouterRequest(text.into())
}

pub(super) fn add(draft: &mut Draft, id: RouterId, interface: NewInterface) -> Result<Outcome, Rejection> {
    let router = existing_router(draft, id)?;
    match interface {
        NewInterface::Subnet { subnet, port } => add_subnet(draft, &router, subnet, port),
        NewInterface::Port(port) => add_port(draft, &router, port),
    }
}

/// The router, the port as it is now, and what it brought.
fn added(draft: &Draft, router: RouterId, port: PortId, subnets: Vec<SubnetId>) -> Result<Outcome, Rejection> {
    let router = existing_router(draft, router)?;
    Ok(Outcome::RouterInterface { router, port: port::existing(draft, port)?, subnets })
}

fn add_subnet(draft: &mut Draft, router: &Router, id: SubnetId, new: PortId) -> Result<Outcome, Rejection> {
    let subnet = subnet::existing(draft, id)?;
    let Some(gateway) = subnet.gateway_ip else {
        return Err(bad("Subnet for router interface must have a gateway IP"));
    };
    check_address_mode(&subnet)?;
    check_overlaps(draft, router.id, None, std::slice::from_ref(&subnet))?;
    let fixed = NewFixedIp { subnet_id: Some(id), ip_address: Some(gateway) };
    let shared = draft.interfaces_of(router.id).find(|port| port.network_id == subnet.network_id && has_ipv6(port));
    if let Some(shared) = shared.filter(|_| subnet.is_ipv6()).cloned() {
        let asker =
            Asker { port: shared.id, network: shared.network_id, owner: &shared.device_owner, mac: shared.mac_address };
        let wanted: Vec<NewFixedIp> = shared.fixed_ips.iter().map(|fixed| (*fixed).into()).chain([fixed]).collect();
        let fixed_ips = next_addresses(draft, asker, &shared.fixed_ips, Some(&wanted), false)?;
        draft.update_port(Port { fixed_ips, ..Port::clone(&shared) });
        return added(draft, router.id, shared.id, vec![id]);
    }
    let mut port = NewPort::new(new, subnet.network_id, router.project_id.clone());
    port.fixed_ips = Some(vec![fixed]);
    port.port_security_enabled = Some(false);
    port.security_groups = Some(Vec::new());
    port.device_id = Some(router.id.to_string());
    port.device_owner = Some(router_interface_owner(router.distributed).to_owned());
    port::create_one(draft, port)?;
    let mut port = Port::clone(&*port::existing(draft, new)?);
    settle(&mut port);
    draft.update_port(port);
    draft.touch_router(router.id);
    added(draft, router.id, new, vec![id])
}

fn add_port(draft: &mut Draft, router: &Router, id: PortId) -> Result<Outcome, Rejection> {
    let before = port::existing(draft, id)?;
    if !before.device_id.is_empty() {
        return Err(Rejection::PortInUse { port: id, network: before.network_id, device_id: before.device_id.clone() });
    }
    let mut port = Port::clone(&before);
    port.device_id = router.id.to_string();
    port.device_owner = router_interface_owner(router.distributed).to_owned();
    check(draft, router, &port)?;
    settle(&mut port);
    let subnets = subnets_of(&port);
    draft.update_port(port);
    draft.touch_router(router.id);
    added(draft, router.id, id, subnets)
}

/// The subnets of which the port has addresses, in the order of these.
fn subnets_of(port: &Port) -> Vec<SubnetId> {
    let mut seen = BTreeSet::new();
    port.fixed_ips.iter().map(|fixed| fixed.subnet_id).filter(|subnet| seen.insert(*subnet)).collect()
}

/// A router's interface is nowhere in particular, is not filtered, and works from the moment it is there.
fn settle(port: &mut Port) {
    port.binding.host = None;
    port.port_security_enabled = false;
    port.security_groups.clear();
    port.allowed_address_pairs.clear();
    port.status = if port.admin_state_up { PortStatus::Active } else { PortStatus::Down };
}

fn has_ipv6(port: &Port) -> bool {
    port.fixed_ips.iter().any(|fixed| fixed.ip_address.is_ipv6())
}

/// Whether the router can have the port with its addresses as an interface.
fn check(draft: &Draft, router: &Router, port: &Port) -> Result<(), Rejection> {
    if port.fixed_ips.is_empty() {
        return Err(bad("Router port must have at least one fixed IP"));
    }
    let subnets: Vec<Arc<Subnet>> =
        port.fixed_ips.iter().filter_map(|fixed| draft.subnet(fixed.subnet_id).cloned()).collect();
    for subnet in &subnets {
        check_address_mode(subnet)?;
    }
    // As in Neutron, distributed routers may have several interfaces with IPv6 on a network.
    if !router.distributed && has_ipv6(port) {
        let mut others = draft.interfaces_of(router.id).filter(|other| other.id != port.id);
        if let Some(other) = others.find(|other| other.network_id == port.network_id && has_ipv6(other)) {
            return Err(bad(format!(
                "Router already contains IPv6 port {} belonging to network id {}. Only one IPv6 port from the same \
                 network subnet can be connected to a router.",
                other.id, other.network_id
            )));
        }
    }
    check_overlaps(draft, router.id, Some(port.id), &subnets)?;
    if subnets.iter().filter(|subnet| !subnet.is_ipv6()).count() > 1 {
        return Err(bad("Cannot have multiple IPv4 subnets on router port"));
    }
    Ok(())
}

/// A subnet that hears advertisements of somebody else's router takes none of Neutron's.
fn check_address_mode(subnet: &Subnet) -> Result<(), Rejection> {
    if subnet.is_ipv6() && subnet.ipv6_ra_mode.is_none() && subnet.ipv6_address_mode.is_some() {
        return Err(bad(format!(
            "IPv6 subnet {} configured to receive RAs from an external router cannot be added to Neutron Router.",
            subnet.id
        )));
    }
    Ok(())
}

/// Refuses subnets that share addresses with those the router is connected to, `own` port aside.
fn check_overlaps(
    draft: &Draft,
    router: RouterId,
    own: Option<PortId>,
    subnets: &[Arc<Subnet>],
) -> Result<(), Rejection> {
    let connected = || draft.connected(router).filter(|(port, ..)| Some(port.id) != own).map(|(_, subnet, _)| subnet);
    if let Some(subnet) = connected().find(|subnet| subnets.iter().any(|new| new.id == subnet.id)) {
        return Err(bad(format!("Router already has a port on subnet {}", subnet.id)));
    }
    for subnet in connected() {
        let overlaps = |new: &&Arc<Subnet>| subnet.cidr.contains(&new.cidr) || new.cidr.contains(&subnet.cidr);
        if let Some(new) = subnets.iter().find(overlaps) {
            return Err(bad(format!(
                "Cidr {} of subnet {} overlaps with cidr {} of subnet {}",
                new.cidr, new.id, subnet.cidr, subnet.id
            )));
        }
    }
    Ok(())
}

pub(super) fn remove(draft: &mut Draft, id: RouterId, interface: OldInterface) -> Result<Outcome, Rejection> {
    let router = existing_router(draft, id)?;
    match interface {
        OldInterface::Subnet(subnet) => remove_subnet(draft, &router, subnet),
        OldInterface::Port(port) => remove_port(draft, &router, port, None),
        OldInterface::Both(port, subnet) => remove_port(draft, &router, port, Some(subnet)),
    }
}

/// The router as it is now, the port as it was, and what went with it.
fn removed(draft: &Draft, router: RouterId, port: Arc<Port>, subnets: Vec<SubnetId>) -> Result<Outcome, Rejection> {
    Ok(Outcome::RouterInterface { router: existing_router(draft, router)?, port, subnets })
}

fn remove_port(draft: &mut Draft, router: &Router, id: PortId, subnet: Option<SubnetId>) -> Result<Outcome, Rejection> {
    let found = draft.port_or_gone(id).filter(|port| router_of(port) == Some(router.id));
    let port = found.ok_or(Rejection::RouterInterfaceNotFound { router: router.id, port: id })?;
    let subnets = subnets_of(&port);
    if let Some(subnet) = subnet.filter(|subnet| !subnets.contains(subnet)) {
        return Err(Rejection::SubnetMismatchForPort { port: id, subnet });
    }
    for subnet in &subnets {
        check_unused(draft, router, *subnet)?;
    }
    draft.delete_port(id);
    draft.touch_router(router.id);
    removed(draft, router.id, port, subnets)
}

fn remove_subnet(draft: &mut Draft, router: &Router, id: SubnetId) -> Result<Outcome, Rejection> {
    let subnet = subnet::existing(draft, id)?;
    let on_network: Vec<Arc<Port>> =
        draft.interfaces_of(router.id).filter(|port| port.network_id == subnet.network_id).cloned().collect();
    if !on_network.is_empty() {
        check_unused(draft, router, id)?;
    }
    let found = on_network.into_iter().find(|port| port.fixed_ips.iter().any(|fixed| fixed.subnet_id == id));
    let port = found.ok_or(Rejection::RouterInterfaceNotFoundForSubnet { router: router.id, subnet: id })?;
    let mut left = Port::clone(&port);
    left.fixed_ips.retain(|fixed| fixed.subnet_id != id);
    if left.fixed_ips.is_empty() {
        draft.delete_port(port.id);
        draft.touch_router(router.id);
    } else {
        draft.update_port(left);
    }
    removed(draft, router.id, port, vec![id])
}

/// Refuses to take a subnet from a router with a route that leads by it.
fn check_unused(draft: &Draft, router: &Router, id: SubnetId) -> Result<(), Rejection> {
    let cidr = subnet::existing(draft, id)?.cidr;
    if router.routes.iter().any(|route| cidr.contains(&route.nexthop)) {
        return Err(Rejection::RouterInterfaceInUseByRoute { router: router.id, subnet: id });
    }
    Ok(())
}

/// Refuses a port that would be a router's interface by its device alone, past everything that is checked of one.
pub(super) fn check_create(id: PortId, owner: &str, device_id: &str) -> Result<(), Rejection> {
    refuse_device(router_named(owner, device_id).is_some(), id, owner, "port create")
}

/// Refuses to delete a router's interface by way of its port.
pub(super) fn check_delete(draft: &Draft, port: &Port) -> Result<(), Rejection> {
    match draft.interface_of(port) {
        Some(_) => Err(Rejection::ServicePortInUse { port: port.id, owner: port.device_owner.clone() }),
        None => Ok(()),
    }
}

/// What becomes of a port by a change of it: a router's interface stays one that the router can have, and nothing else
/// becomes one.
pub(super) fn follow_update(draft: &Draft, before: &Port, mut after: Port) -> Result<Port, Rejection> {
    let was = draft.interface_of(before);
    let owner = if was.is_some() { &before.device_owner } else { &after.device_owner };
    let named_anew = router_of(&after).is_some_and(|named| router_of(before) != Some(named));
    let changed = was.is_some() && (router_of(&after) != was || before.device_owner != after.device_owner);
    refuse_device(named_anew || changed, after.id, owner, "device update")?;
    let Some(id) = was else {
        return Ok(after);
    };
    if after.fixed_ips != before.fixed_ips {
        let router = existing_router(draft, id)?;
        check(draft, &router, &after)?;
        for fixed in &before.fixed_ips {
            if after.fixed_ips.iter().all(|other| other.subnet_id != fixed.subnet_id) {
                check_unused(draft, &router, fixed.subnet_id)?;
            }
        }
        let is_own = |nexthop| after.fixed_ips.iter().any(|fixed| fixed.ip_address == nexthop);
        if router.routes.iter().any(|route| is_own(route.nexthop)) {
            return Err(Rejection::InvalidRoutes { routes: router.routes.clone(), reason: NEXTHOP_IS_OWN });
        }
    }
    settle(&mut after);
    Ok(after)
}

fn refuse_device(refused: bool, port: PortId, owner: &str, operation: &'static str) -> Result<(), Rejection> {
    if refused {
        return Err(Rejection::UnsupportedPortDeviceOwner { operation, owner: owner.to_owned(), port });
    }
    Ok(())
}
