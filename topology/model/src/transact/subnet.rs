//! Commands about subnets.

use super::addressing::{Asker, serves};
use super::network::{check_mtu, existing as existing_network};
use super::{check_revision, set};
use crate::allocate::{address, host_range, interface_address, number};
use crate::draft::Draft;
use crate::logical::{is_automatic_owner, is_known_prefix, is_router_interface};
use crate::{
    AllocationPool, FixedIp, HostRoute, Ipv6Mode, NewSubnet, Outcome, Port, RecordKey, Rejection, Subnet, SubnetId,
    SubnetPatch,
};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// Neutron writes a new subnet once.
const FIRST_REVISION: u64 = 0;

fn invalid(text: impl Into<String>) -> Rejection {
    Rejection::InvalidInput(text.into())
}

/// The subnet, if there is one.
pub(super) fn existing(draft: &Draft, id: SubnetId) -> Result<Arc<Subnet>, Rejection> {
    let subnet = draft.subnet(id).cloned();
    subnet.ok_or(Rejection::SubnetNotFound(id))
}

const fn version(cidr: &IpNet) -> u8 {
    match cidr {
        IpNet::V4(_) => 4,
        IpNet::V6(_) => 6,
    }
}

fn mismatch(what: &str, value: impl std::fmt::Display, version: u8) -> Rejection {
    invalid(format!("{what} '{value}' does not match the ip_version '{version}'"))
}

fn check_version(what: &str, address: IpAddr, cidr: &IpNet) -> Result<(), Rejection> {
    if address.is_ipv6() == matches!(cidr, IpNet::V6(_)) { Ok(()) } else { Err(mismatch(what, address, version(cidr))) }
}

/// Refuses prefixes that DHCP cannot serve.
fn check_dhcp(cidr: &IpNet) -> Result<(), Rejection> {
    let longest = if matches!(cidr, IpNet::V4(_)) { 30 } else { 126 };
    if cidr.prefix_len() > longest {
        return Err(invalid("Subnet has a prefix length that is incompatible with DHCP service enabled"));
    }
    let network = cidr.network();
    if network.is_multicast() {
        let text = "Multicast IP subnet is not supported if enable_dhcp is True";
        return Err(invalid(text));
    }
    if network.is_loopback() {
        let text = "Loopback IP subnet is not supported if enable_dhcp is True";
        return Err(invalid(text));
    }
    if network.is_ipv4() && network.is_unspecified() {
        // The full stop of Neutron's own sentence stays, before the one of the fault.
        let text = "First IP '0.0.0.0' of network is not supported if enable_dhcp is True.";
        return Err(invalid(text));
    }
    Ok(())
}

fn check_gateway(cidr: &IpNet, gateway: IpAddr) -> Result<(), Rejection> {
    check_version("gateway_ip", gateway, cidr)?;
    let edge = gateway == cidr.network() || gateway == cidr.broadcast();
    if edge && matches!(cidr, IpNet::V4(_)) {
        return Err(invalid("Gateway is not valid on subnet"));
    }
    Ok(())
}

/// Refuses DNS servers and routes that are too many or of the other address family. `subnet` is
/// what Neutron calls the subnet in its message.
fn check_told(
    draft: &Draft,
    subnet: &str,
    cidr: &IpNet,
    servers: Option<&[IpAddr]>,
    routes: Option<&[HostRoute]>,
) -> Result<(), Rejection> {
    let servers = servers.unwrap_or_default();
    let quota = draft.limits().max_dns_nameservers;
    if servers.len() > quota {
        let subnet = subnet.to_owned();
        return Err(Rejection::DNSNameServersExhausted { subnet, quota });
    }
    for server in servers {
        check_version("dns_nameserver", *server, cidr)?;
    }
    let routes = routes.unwrap_or_default();
    let quota = draft.limits().max_host_routes;
    if routes.len() > quota {
        let subnet = subnet.to_owned();
        return Err(Rejection::HostRoutesExhausted { subnet, quota });
    }
    for route in routes {
        check_version("nexthop", route.nexthop, cidr)?;
        if version(&route.destination) != version(cidr) {
            return Err(mismatch("destination", route.destination, version(cidr)));
        }
    }
    Ok(())
}

fn check_modes(new: &NewSubnet, cidr: &IpNet, enable_dhcp: bool) -> Result<(), Rejection> {
    let (ra, address) = (new.ipv6_ra_mode, new.ipv6_address_mode);
    if matches!(cidr, IpNet::V4(_)) {
        for (mode, name) in [(ra, "ipv6_ra_mode"), (address, "ipv6_address_mode")] {
            if mode.is_some() {
                let text = format!("{name} is not valid when ip_version is 4");
                return Err(invalid(text));
            }
        }
        return Ok(());
    }
    if (ra.is_some() || address.is_some()) && !enable_dhcp {
        return Err(invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False"));
    }
    if let (Some(ra), Some(address)) = (ra, address)
        && ra != address
    {
        return Err(invalid(format!(
            "ipv6_ra_mode set to '{}' with ipv6_address_mode set to '{}' is not valid. If both \
             attributes are set, they must be the same value",
            mode_name(ra),
            mode_name(address),
        )));
    }
    let auto = |mode| matches!(mode, Some(Ipv6Mode::Slaac | Ipv6Mode::Dhcpv6Stateless));
    if (auto(ra) || auto(address)) && cidr.prefix_len() != 64 {
        return Err(invalid(format!(
            "Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address \
             format, which requires the prefix to be /64"
        )));
    }
    Ok(())
}

const fn mode_name(mode: Ipv6Mode) -> &'static str {
    match mode {
        Ipv6Mode::Slaac => "slaac",
        Ipv6Mode::Dhcpv6Stateful => "dhcpv6-stateful",
        Ipv6Mode::Dhcpv6Stateless => "dhcpv6-stateless",
    }
}

fn check_service_types(types: Option<&[String]>) -> Result<(), Rejection> {
    let unknown = types.unwrap_or_default().iter().find(|owner| !is_known_prefix(owner));
    unknown.map_or(Ok(()), |owner| Err(Rejection::InvalidSubnetServiceType(owner.clone())))
}

/// All host addresses but the gateway.
fn default_pools(cidr: &IpNet, gateway: Option<IpAddr>) -> Vec<AllocationPool> {
    let pool = |first, last| Some(AllocationPool { start: address(cidr, first)?, end: address(cidr, last)? });
    if cidr.prefix_len() == cidr.max_prefix_len() {
        let only = number(cidr.network());
        return pool(only, only).into_iter().collect();
    }
    let (first, last) = host_range(cidr);
    let gateway = gateway.map(number);
    match gateway.filter(|gateway| (first..=last).contains(gateway)) {
        None => pool(first, last).into_iter().collect(),
        Some(gateway) => {
            let below = (first < gateway).then(|| pool(first, gateway - 1));
            let above = (gateway < last).then(|| pool(gateway + 1, last));
            below.into_iter().chain(above).flatten().collect()
        }
    }
}

/// The pools in order, if they are in the prefix and share no address.
fn checked_pools(cidr: &IpNet, pools: Vec<AllocationPool>) -> Result<Vec<AllocationPool>, Rejection> {
    let (first, last) = host_range(cidr);
    let ipv6 = matches!(cidr, IpNet::V6(_));
    for pool in &pools {
        let mixed = pool.start.is_ipv6() != ipv6 || pool.end.is_ipv6() != ipv6;
        if mixed || pool.start > pool.end {
            return Err(Rejection::InvalidAllocationPool(*pool));
        }
        if number(pool.start) < first || number(pool.end) > last {
            let (pool, cidr) = (*pool, *cidr);
            return Err(Rejection::OutOfBoundsAllocationPool { pool, cidr });
        }
    }
    let mut pools = pools;
    pools.sort_unstable();
    for pair in pools.windows(2) {
        if pair[1].start <= pair[0].end {
            return Err(Rejection::OverlappingAllocationPools { first: pair[0], second: pair[1], cidr: *cidr });
        }
    }
    Ok(pools)
}

fn check_gateway_outside(gateway: IpAddr, pools: &[AllocationPool]) -> Result<(), Rejection> {
    let holding = pools.iter().find(|pool| (pool.start..=pool.end).contains(&gateway));
    holding.map_or(Ok(()), |pool| Err(Rejection::GatewayConflictWithAllocationPools { ip: gateway, pool: *pool }))
}

pub(super) fn create(draft: &mut Draft, subnets: Vec<NewSubnet>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(subnets.len());
    for new in subnets {
        made.push(create_one(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.subnet(*id).cloned());
    Ok(Outcome::Subnets(made.collect()))
}

fn create_one(draft: &mut Draft, new: NewSubnet) -> Result<SubnetId, Rejection> {
    let cidr = new.cidr.trunc();
    if draft.subnet(new.id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::Subnet(new.id)));
    }
    if let Some(asked) = new.ip_version
        && asked != version(&cidr)
    {
        return Err(mismatch("cidr", cidr, asked));
    }
    if cidr.network() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        return Err(invalid("IPv6 subnet '::' is not supported"));
    }
    let enable_dhcp = new.enable_dhcp.unwrap_or(true);
    if enable_dhcp {
        check_dhcp(&cidr)?;
    }
    if let Some(Some(gateway)) = new.gateway_ip {
        check_gateway(&cidr, gateway)?;
    }
    let (servers, routes) = (new.dns_nameservers.as_deref(), new.host_routes.as_deref());
    check_told(draft, "new subnet", &cidr, servers, routes)?;
    check_modes(&new, &cidr, enable_dhcp)?;
    check_service_types(new.service_types.as_deref())?;
    let network = existing_network(draft, new.network_id)?;
    check_mtu(network.id, network.mtu, matches!(cidr, IpNet::V6(_)))?;
    let gateway_ip = new.gateway_ip.unwrap_or_else(|| match cidr {
        IpNet::V4(_) => address(&cidr, number(cidr.network()) + 1),
        IpNet::V6(_) => Some(cidr.network()),
    });
    let allocation_pools = match new.allocation_pools {
        None => default_pools(&cidr, gateway_ip),
        Some(pools) => {
            let pools = checked_pools(&cidr, pools)?;
            if let Some(gateway) = gateway_ip {
                check_gateway_outside(gateway, &pools)?;
            }
            pools
        }
    };
    if cidr.prefix_len() == 0 {
        return Err(invalid("0 is not allowed as CIDR prefix length"));
    }
    let overlaps = |other: &Arc<Subnet>| other.cidr.contains(&cidr) || cidr.contains(&other.cidr);
    if draft.subnets_of(network.id).any(overlaps) {
        return Err(invalid(format!(
            "Requested subnet with cidr: {cidr} for network: {} overlaps with another subnet",
            network.id
        )));
    }
    let at = draft.at();
    let subnet = Subnet {
        id: new.id,
        network_id: network.id,
        project_id: draft.shared_project(new.project_id),
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        cidr,
        gateway_ip,
        enable_dhcp,
        allocation_pools,
        dns_nameservers: new.dns_nameservers.unwrap_or_default(),
        host_routes: new.host_routes.unwrap_or_default(),
        ipv6_ra_mode: new.ipv6_ra_mode,
        ipv6_address_mode: new.ipv6_address_mode,
        service_types: new.service_types.unwrap_or_default(),
        dns_publish_fixed_ip: new.dns_publish_fixed_ip.unwrap_or(false),
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    };
    draft.create_subnet(subnet.clone());
    draft.touch_network(network.id);
    if subnet.is_auto_addressed() {
        add_automatic_addresses(draft, &subnet);
    }
    Ok(new.id)
}

/// Gives the ports that are on the network already the addresses of a new subnet with
/// autoconfiguration. An address that is somehow taken is passed over, as in Neutron.
fn add_automatic_addresses(draft: &mut Draft, subnet: &Subnet) {
    let ports: Vec<Arc<Port>> = draft.ports_of(subnet.network_id).cloned().collect();
    for port in ports {
        let asker = Asker { port: port.id, network: port.network_id, owner: &port.device_owner, mac: port.mac_address };
        let ip_address = interface_address(&subnet.cidr, port.mac_address);
        let taken = draft.address_holder(subnet.id, ip_address).is_some();
        if !taken && asker.is_automatic_in(subnet) && serves(subnet, &port.device_owner) {
            let mut port = Port::clone(&port);
            port.fixed_ips.push(FixedIp { subnet_id: subnet.id, ip_address });
            draft.update_port(port);
        }
    }
}

pub(super) fn update(
    draft: &mut Draft,
    id: SubnetId,
    patch: SubnetPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let mut subnet = Subnet::clone(&before);
    let cidr = subnet.cidr;
    if patch.enable_dhcp == Some(true) && !before.enable_dhcp {
        check_dhcp(&cidr)?;
    }
    if let Some(gateway) = patch.gateway_ip {
        if let Some(gateway) = gateway {
            check_gateway(&cidr, gateway)?;
        }
        if gateway != before.gateway_ip {
            check_gateway_unused(draft, &before)?;
        }
    }
    let (servers, routes) = (patch.dns_nameservers.as_deref(), patch.host_routes.as_deref());
    check_told(draft, &id.to_string(), &cidr, servers, routes)?;
    let has_mode = before.ipv6_ra_mode.is_some() || before.ipv6_address_mode.is_some();
    if patch.enable_dhcp == Some(false) && has_mode {
        return Err(invalid("Cannot disable enable_dhcp with ipv6 attributes set"));
    }
    check_service_types(patch.service_types.as_deref())?;
    let pools_given = patch.allocation_pools.is_some();
    if let Some(pools) = patch.allocation_pools {
        subnet.allocation_pools = checked_pools(&cidr, pools)?;
    }
    set(&mut subnet.gateway_ip, patch.gateway_ip);
    if let Some(gateway) = subnet.gateway_ip
        && (pools_given || subnet.gateway_ip != before.gateway_ip)
    {
        check_gateway_outside(gateway, &subnet.allocation_pools)?;
    }
    set(&mut subnet.name, patch.name);
    set(&mut subnet.description, patch.description);
    set(&mut subnet.enable_dhcp, patch.enable_dhcp);
    set(&mut subnet.dns_nameservers, patch.dns_nameservers);
    set(&mut subnet.host_routes, patch.host_routes);
    set(&mut subnet.service_types, patch.service_types);
    set(&mut subnet.dns_publish_fixed_ip, patch.dns_publish_fixed_ip);
    set(&mut subnet.tags, patch.tags);
    draft.update_subnet(subnet);
    Ok(Outcome::Subnets(vec![existing(draft, id)?]))
}

/// The gateway stays while a router's interface has its address.
fn check_gateway_unused(draft: &Draft, subnet: &Subnet) -> Result<(), Rejection> {
    let Some(ip) = subnet.gateway_ip else {
        return Ok(());
    };
    let holder = draft.address_holder(subnet.id, ip);
    let port = holder.and_then(|holder| draft.port(holder));
    match port {
        Some(port) if is_router_interface(&port.device_owner) => Err(Rejection::GatewayIpInUse { ip, port: port.id }),
        _ => Ok(()),
    }
}

pub(super) fn delete(draft: &mut Draft, id: SubnetId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    let subnet = existing(draft, id)?;
    check_revision(if_revision, subnet.revision_number)?;
    let ports: Vec<Arc<Port>> = draft.ports_of_subnet(id).cloned().collect();
    let holds = |port: &Arc<Port>| {
        let automatic = subnet.is_auto_addressed() || is_automatic_owner(&port.device_owner);
        !automatic || is_router_interface(&port.device_owner)
    };
    if ports.iter().any(holds) {
        return Err(Rejection::SubnetInUse(id));
    }
    for port in ports {
        let mut port = Port::clone(&port);
        port.fixed_ips.retain(|fixed| fixed.subnet_id != id);
        draft.update_port(port);
    }
    draft.delete_subnet(id);
    draft.touch_network(subnet.network_id);
    Ok(Outcome::Deleted)
}
