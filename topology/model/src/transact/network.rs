//! Commands about networks.

use super::{check_revision, set};
use crate::allocate::{next_in_ranges, next_key};
use crate::draft::Draft;
use crate::logical::{is_automatic_owner, is_network_owner};
use crate::{
    Network, NetworkId, NetworkKey, NetworkPatch, NewNetwork, Outcome, PortId, RecordKey, Rejection, Segment, SubnetId,
    Vni,
};
use std::sync::Arc;

/// The least MTU that IPv4 works with (RFC 791, section 3.2).
const IPV4_MIN_MTU: u16 = 68;
/// The least MTU that IPv6 works with (RFC 8200, section 5).
const IPV6_MIN_MTU: u16 = 1280;
/// Neutron writes a new network twice.
const FIRST_REVISION: u64 = 1;

/// The network, if there is one.
pub(super) fn existing(draft: &Draft, id: NetworkId) -> Result<Arc<Network>, Rejection> {
    let network = draft.network(id).cloned();
    network.ok_or(Rejection::NetworkNotFound(id))
}

pub(super) fn create(draft: &mut Draft, networks: Vec<NewNetwork>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(networks.len());
    for new in networks {
        made.push(create_one(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.network(*id).cloned());
    Ok(Outcome::Networks(made.collect()))
}

fn create_one(draft: &mut Draft, new: NewNetwork) -> Result<NetworkId, Rejection> {
    if draft.network(new.id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::Network(new.id)));
    }
    let mtu = mtu(draft, new.mtu.unwrap_or(0))?;
    let mut counters = draft.counters();
    let vni = match new.vni {
        Some(vni) => wanted_vni(draft, vni)?,
        None => {
            let vni =
                next_in_ranges(&draft.index.network_by_vni, Vni, |vni| vni.0, counters.vni, &draft.limits().vni_ranges);
            counters.vni = vni.ok_or(Rejection::NoNetworkAvailable)?;
            Vni(counters.vni)
        }
    };
    let key = next_key(&draft.index.network_by_key, NetworkKey, |key| key.0, counters.network, NetworkKey::MAX);
    counters.network = key.ok_or(Rejection::NumbersExhausted("network"))?;
    let at = draft.at();
    let id = new.id;
    let project_id = draft.shared_project(new.project_id);
    draft.create_network(Network {
        id,
        key: NetworkKey(counters.network),
        project_id,
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        admin_state_up: new.admin_state_up.unwrap_or(true),
        mtu,
        shared: new.shared.unwrap_or(false),
        external: new.external.unwrap_or(false),
        port_security_enabled: new.port_security_enabled.unwrap_or(true),
        segment: Segment::Vxlan { vni },
        availability_zone_hints: new.availability_zone_hints.unwrap_or_default(),
        dns_domain: new.dns_domain.unwrap_or_default(),
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    });
    draft.write_counters(counters);
    Ok(id)
}

/// An identifier that was asked for need not be of the ranges, as in Neutron, but must be free.
fn wanted_vni(draft: &Draft, vni: Vni) -> Result<Vni, Rejection> {
    if vni.0 == 0 || vni.0 > Vni::MAX {
        let range = format!("segmentation_id out of range (1 through {})", Vni::MAX);
        return Err(Rejection::InvalidInput(range));
    }
    if draft.network_by_vni(vni).is_some() {
        return Err(Rejection::TunnelIdInUse(vni));
    }
    Ok(vni)
}

/// The MTU that a network has if it asks for this one; 0 asks for the largest.
fn mtu(draft: &Draft, asked: u16) -> Result<u16, Rejection> {
    let largest = draft.limits().overlay_mtu;
    match asked {
        0 => Ok(largest),
        asked if asked > largest => {
            Err(Rejection::InvalidInput(format!("Requested MTU is too big, maximum is {largest}")))
        }
        asked if asked < IPV4_MIN_MTU => {
            Err(Rejection::InvalidInput(format!("Requested MTU is too small, minimum is {IPV4_MIN_MTU}")))
        }
        asked => Ok(asked),
    }
}

/// Refuses an MTU that a subnet of this address family cannot work with.
pub(super) fn check_mtu(network: NetworkId, mtu: u16, ipv6: bool) -> Result<(), Rejection> {
    let least = if ipv6 { IPV6_MIN_MTU } else { IPV4_MIN_MTU };
    if mtu < least {
        return Err(Rejection::NetworkMTUSubnetConflict { network, mtu: least });
    }
    Ok(())
}

pub(super) fn update(
    draft: &mut Draft,
    id: NetworkId,
    patch: NetworkPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let mut network = Network::clone(&before);
    if let Some(asked) = patch.mtu {
        network.mtu = mtu(draft, asked)?;
        for subnet in draft.subnets_of(id) {
            check_mtu(id, network.mtu, subnet.is_ipv6())?;
        }
    }
    if before.shared && patch.shared == Some(false) {
        check_unshare(draft, &before)?;
    }
    set(&mut network.name, patch.name);
    set(&mut network.description, patch.description);
    set(&mut network.admin_state_up, patch.admin_state_up);
    set(&mut network.shared, patch.shared);
    set(&mut network.external, patch.external);
    set(&mut network.port_security_enabled, patch.port_security_enabled);
    set(&mut network.dns_domain, patch.dns_domain);
    set(&mut network.tags, patch.tags);
    draft.update_network(network);
    Ok(Outcome::Networks(vec![existing(draft, id)?]))
}

/// A network stays shared while other projects have subnets or ports of their own on it.
fn check_unshare(draft: &Draft, network: &Network) -> Result<(), Rejection> {
    let owner = &network.project_id;
    let foreign_subnet = draft.subnets_of(network.id).any(|subnet| subnet.project_id != *owner);
    let foreign_port =
        || draft.ports_of(network.id).any(|port| port.project_id != *owner && !is_network_owner(&port.device_owner));
    if foreign_subnet || foreign_port() {
        return Err(Rejection::InvalidSharedSetting(network.name.clone()));
    }
    Ok(())
}

pub(super) fn delete(draft: &mut Draft, id: NetworkId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    check_revision(if_revision, existing(draft, id)?.revision_number)?;
    let in_the_way = draft.ports_of(id).filter(|port| !is_automatic_owner(&port.device_owner));
    let ports: Vec<PortId> = in_the_way.map(|port| port.id).collect();
    if !ports.is_empty() {
        return Err(Rejection::NetworkInUse { network: id, ports });
    }
    let ports: Vec<PortId> = draft.ports_of(id).map(|port| port.id).collect();
    for port in ports {
        draft.delete_port(port);
    }
    let subnets: Vec<SubnetId> = draft.subnets_of(id).map(|subnet| subnet.id).collect();
    for subnet in subnets {
        draft.delete_subnet(subnet);
    }
    draft.delete_network(id);
    Ok(Outcome::Deleted)
}
