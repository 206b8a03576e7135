//! Commands about ports.

use super::addressing::{Asker, first_addresses, next_addresses};
use super::network::existing as existing_network;
use super::security_group::{default_group, existing as existing_group};
use super::{check_revision, interface, set};
use crate::allocate::{next_key, port_mac};
use crate::draft::Draft;
use crate::logical::is_network_owner;
use crate::{
    AddressPair, Binding, HostName, MacAddress, NetworkId, NewAddressPair, NewPort, Outcome, Port, PortId, PortKey,
    PortPatch, PortStatus, ProjectId, RecordKey, Rejection, SecurityGroupId, VifType,
};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Neutron writes a new port twice.
const FIRST_REVISION: u64 = 1;

/// The port, if there is one.
pub(super) fn existing(draft: &Draft, id: PortId) -> Result<Arc<Port>, Rejection> {
    draft.port_or_gone(id).ok_or(Rejection::PortNotFound(id))
}

pub(super) fn create(draft: &mut Draft, ports: Vec<NewPort>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(ports.len());
    for new in ports {
        let [owner, device_id] = [&new.device_owner, &new.device_id].map(|it| it.as_deref().unwrap_or_default());
        interface::check_create(new.id, owner, device_id)?;
        made.push(create_one(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.port_or_gone(*id));
    Ok(Outcome::Ports(made.collect()))
}

pub(super) fn create_one(draft: &mut Draft, new: NewPort) -> Result<PortId, Rejection> {
    let network = existing_network(draft, new.network_id)?;
    if draft.port(new.id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::Port(new.id)));
    }
    let mac_address = match new.mac_address {
        Some(mac) => {
            check_mac(draft, network.id, mac)?;
            mac
        }
        None => made_mac(draft, network.id, new.id)?,
    };
    let device_owner = new.device_owner.unwrap_or_default();
    let pairs = new.allowed_address_pairs.unwrap_or_default();
    let allowed_address_pairs = address_pairs(draft, mac_address, pairs)?;
    let security = new.port_security_enabled.unwrap_or(network.port_security_enabled);
    let port_security_enabled = security && !is_network_owner(&device_owner);
    check_security(port_security_enabled, &allowed_address_pairs)?;
    let security_groups = first_groups(draft, &new.project_id, port_security_enabled, new.security_groups)?;
    let asker = Asker { port: new.id, network: network.id, owner: &device_owner, mac: mac_address };
    let fixed_ips = first_addresses(draft, asker, new.fixed_ips.as_deref())?;
    let mut counters = draft.counters();
    let key = next_key(&draft.index.port_by_key, PortKey, |key| key.0, counters.port, PortKey::MAX);
    counters.port = key.ok_or(Rejection::NumbersExhausted("port"))?;
    draft.write_counters(counters);
    let at = draft.at();
    draft.create_port(Port {
        id: new.id,
        key: PortKey(counters.port),
        network_id: network.id,
        project_id: new.project_id,
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        admin_state_up: new.admin_state_up.unwrap_or(true),
        mac_address,
        fixed_ips,
        allowed_address_pairs,
        port_security_enabled,
        security_groups,
        device_id: new.device_id.unwrap_or_default(),
        device_owner,
        binding: Binding {
            host: named(new.binding_host),
            vnic_type: new.binding_vnic_type.unwrap_or_default(),
            profile: new.binding_profile.unwrap_or_else(|| "{}".to_owned()),
        },
        extra_dhcp_opts: new.extra_dhcp_opts.unwrap_or_default(),
        dns_name: new.dns_name.unwrap_or_default(),
        status: PortStatus::Down,
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
        revision_number: FIRST_REVISION,
    });
    Ok(new.id)
}

/// An empty name is none.
fn named(host: Option<HostName>) -> Option<HostName> {
    host.filter(|host| !host.as_str().is_empty())
}

/// Refuses an address that no interface can have or that another port of the network has.
fn check_mac(draft: &Draft, network: NetworkId, mac: MacAddress) -> Result<(), Rejection> {
    if mac.is_multicast() || mac.to_u64() == 0 {
        let text = format!("'{mac}' is not a permitted MAC address");
        return Err(Rejection::InvalidInput(text));
    }
    if draft.mac_holder(network, mac).is_some() {
        return Err(Rejection::MacAddressInUse { network, mac });
    }
    Ok(())
}

/// An address that nobody uses on the network, not in an address pair either.
fn made_mac(draft: &Draft, network: NetworkId, id: PortId) -> Result<MacAddress, Rejection> {
    let taken = |mac| draft.index.claims.count(&(network, mac)) > 0;
    let mac = port_mac(draft.limits().base_mac, id, taken);
    mac.ok_or(Rejection::NetworkMacAddressGenerationFailure(network))
}

/// The pairs with the port's own address where they name none.
fn address_pairs(draft: &Draft, own: MacAddress, pairs: Vec<NewAddressPair>) -> Result<Vec<AddressPair>, Rejection> {
    let limit = draft.limits().max_address_pairs;
    if pairs.len() > limit {
        return Err(Rejection::AllowedAddressPairExhausted(limit));
    }
    let mut seen = BTreeSet::new();
    let mut made = Vec::with_capacity(pairs.len());
    for pair in pairs {
        let pair = AddressPair { ip_address: pair.ip_address.trunc(), mac_address: pair.mac_address.unwrap_or(own) };
        if !seen.insert(pair) {
            return Err(Rejection::DuplicateAddressPairInRequest { mac: pair.mac_address, ip: pair.ip_address });
        }
        made.push(pair);
    }
    Ok(made)
}

fn check_security(enabled: bool, pairs: &[AddressPair]) -> Result<(), Rejection> {
    if enabled || pairs.is_empty() { Ok(()) } else { Err(Rejection::AddressPairAndPortSecurityRequired) }
}

/// The security groups of a new port.
fn first_groups(
    draft: &mut Draft,
    project: &ProjectId,
    enabled: bool,
    asked: Option<Vec<SecurityGroupId>>,
) -> Result<Vec<SecurityGroupId>, Rejection> {
    match asked {
        Some(asked) => asked_groups(draft, enabled, asked),
        None if enabled => Ok(vec![default_group(draft, project)?.id]),
        None => Ok(Vec::new()),
    }
}

/// The security groups asked for, each once, if a port can have them together.
fn asked_groups(draft: &Draft, enabled: bool, asked: Vec<SecurityGroupId>) -> Result<Vec<SecurityGroupId>, Rejection> {
    if !enabled && !asked.is_empty() {
        return Err(Rejection::PortSecurityAndIPRequiredForSecurityGroups);
    }
    let mut groups = Vec::with_capacity(asked.len());
    let mut stateful = BTreeSet::new();
    for id in asked {
        stateful.insert(existing_group(draft, id)?.stateful);
        if !groups.contains(&id) {
            groups.push(id);
        }
    }
    if stateful.len() > 1 {
        let text = "Cannot apply both stateful and stateless security groups on the same port at the same time";
        return Err(Rejection::SecurityGroupConflict(text));
    }
    groups.shrink_to_fit();
    Ok(groups)
}

/// The security groups that a port has when its wishes or its port security change.
fn next_groups(
    draft: &Draft,
    port: &Port,
    asked: Option<Vec<SecurityGroupId>>,
) -> Result<Vec<SecurityGroupId>, Rejection> {
    let enabled = port.port_security_enabled;
    match asked {
        Some(asked) => asked_groups(draft, enabled, asked),
        None if is_network_owner(&port.device_owner) => Ok(Vec::new()),
        None if enabled || port.security_groups.is_empty() => Ok(port.security_groups.clone()),
        None => Err(Rejection::PortSecurityPortHasSecurityGroup),
    }
}

pub(super) fn update(
    draft: &mut Draft,
    id: PortId,
    patch: PortPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let mut port = Port::clone(&before);
    let vif_type = draft.vif_type(&before);
    if let Some(vnic_type) = patch.binding_vnic_type
        && vnic_type != before.binding.vnic_type
        && vif_type != VifType::Unbound
    {
        return Err(Rejection::PortInUse { port: id, network: before.network_id, device_id: before.device_id.clone() });
    }
    set(&mut port.device_owner, patch.device_owner);
    let new_mac = patch.mac_address.filter(|mac| *mac != before.mac_address);
    if let Some(mac) = new_mac {
        check_mac_change(draft, &before, &port.device_owner, vif_type, mac)?;
        port.mac_address = mac;
    }
    if let Some(pairs) = patch.allowed_address_pairs {
        port.allowed_address_pairs = address_pairs(draft, port.mac_address, pairs)?;
    }
    set(&mut port.port_security_enabled, patch.port_security_enabled);
    port.port_security_enabled &= !is_network_owner(&port.device_owner);
    check_security(port.port_security_enabled, &port.allowed_address_pairs)?;
    port.security_groups = next_groups(draft, &port, patch.security_groups)?;
    let asker = Asker { port: id, network: port.network_id, owner: &port.device_owner, mac: port.mac_address };
    port.fixed_ips = next_addresses(draft, asker, &before.fixed_ips, patch.fixed_ips.as_deref(), new_mac.is_some())?;
    set(&mut port.name, patch.name);
    set(&mut port.description, patch.description);
    set(&mut port.admin_state_up, patch.admin_state_up);
    set(&mut port.device_id, patch.device_id);
    set(&mut port.binding.host, patch.binding_host.map(named));
    set(&mut port.binding.vnic_type, patch.binding_vnic_type);
    set(&mut port.binding.profile, patch.binding_profile);
    set(&mut port.extra_dhcp_opts, patch.extra_dhcp_opts);
    set(&mut port.dns_name, patch.dns_name);
    set(&mut port.tags, patch.tags);
    let moved = port.binding.host != before.binding.host || port.binding.vnic_type != before.binding.vnic_type;
    if moved || !port.admin_state_up {
        port.status = PortStatus::Down;
    }
    draft.update_port(interface::follow_update(draft, &before, port)?);
    Ok(Outcome::Ports(vec![existing(draft, id)?]))
}

/// Refuses another link-layer address while the port is bound or the network's own.
fn check_mac_change(
    draft: &Draft,
    before: &Port,
    owner: &str,
    vif_type: VifType,
    new: MacAddress,
) -> Result<(), Rejection> {
    if vif_type == VifType::Ovs {
        return Err(Rejection::PortBound { port: before.id, vif_type, old: before.mac_address, new });
    }
    if is_network_owner(owner) {
        return Err(Rejection::UnsupportedPortDeviceOwner {
            operation: "mac address update",
            owner: owner.to_owned(),
            port: before.id,
        });
    }
    check_mac(draft, before.network_id, new)
}

pub(super) fn delete(draft: &mut Draft, id: PortId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    let port = existing(draft, id)?;
    check_revision(if_revision, port.revision_number)?;
    interface::check_delete(draft, &port)?;
    draft.delete_port(id);
    Ok(Outcome::Deleted)
}

pub(super) fn set_status(draft: &mut Draft, statuses: Vec<(PortId, PortStatus)>) -> Outcome {
    for (id, status) in statuses {
        let Some(before) = draft.port_or_gone(id).filter(|port| draft.interface_of(port).is_none()) else {
            continue;
        };
        let carries = before.admin_state_up && draft.bound_host(&before).is_some();
        if before.status != status && (carries || status == PortStatus::Down) {
            let mut port = Port::clone(&before);
            port.status = status;
            draft.update_port(port);
        }
    }
    Outcome::Done
}
