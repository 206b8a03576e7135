//! Facts about hypervisors and their interfaces.

use crate::allocate::next_key;
use crate::change::Change;
use crate::draft::Draft;
use crate::{
    HostKey, HostName, Hypervisor, HypervisorFact, Liveness, Outcome, Port, PortId, PortStatus, Rejection, Vif, Zone,
    Zones,
};
use std::collections::BTreeSet;
use std::sync::Arc;

fn existing(draft: &Draft, name: &HostName) -> Result<Arc<Hypervisor>, Rejection> {
    let hypervisor = draft.hypervisor(name).cloned();
    hypervisor.ok_or_else(|| Rejection::HypervisorNotFound(name.clone()))
}

/// Refuses what cannot name or reach a hypervisor.
fn check_fact(fact: &HypervisorFact) -> Result<(), Rejection> {
    let invalid = |text: String| Err(Rejection::InvalidInput(text));
    if fact.name.as_str().is_empty() || fact.system_id.is_empty() {
        return invalid("a hypervisor needs a hostname and a system-id".to_owned());
    }
    if fact.encap_ip.is_unspecified() || fact.encap_ip.is_multicast() {
        let HypervisorFact { name, encap_ip, .. } = fact;
        let text = format!("weir-encap-ip {encap_ip} of hypervisor {name} is no host's address");
        return invalid(text);
    }
    Ok(())
}

/// Refuses a name, system id or endpoint by which another hypervisor goes. Names and system ids
/// share one space since `binding:host_id` may be either.
fn check_claims(draft: &Draft, before: Option<&Hypervisor>, fact: &HypervisorFact) -> Result<(), Rejection> {
    let own = before.map(|it| &it.name);
    for text in [fact.name.as_str(), fact.system_id.as_str()] {
        match draft.hypervisor_by_name_or_system_id(text) {
            Some(other) if Some(&other.name) != own => {
                return Err(Rejection::HypervisorNameInUse {
                    name: fact.name.clone(),
                    system_id: fact.system_id.clone(),
                    other: other.name.clone(),
                });
            }
            _ => {}
        }
    }
    match draft.hypervisor_by_encap_ip(fact.encap_ip) {
        Some(other) if Some(&other.name) != own => {
            Err(Rejection::EncapIpInUse { name: fact.name.clone(), encap_ip: fact.encap_ip, other: other.name.clone() })
        }
        _ => Ok(()),
    }
}

pub(super) fn observe_hypervisor(draft: &mut Draft, fact: HypervisorFact) -> Result<Outcome, Rejection> {
    check_fact(&fact)?;
    let before =
        draft.hypervisor_by_name_or_system_id(&fact.system_id).filter(|it| it.system_id == fact.system_id).cloned();
    check_claims(draft, before.as_deref(), &fact)?;
    let key = match &before {
        Some(before) => before.key,
        None => {
            let mut counters = draft.counters();
            let key = next_key(&draft.index.host_by_key, HostKey, |key| key.0, counters.host, HostKey::MAX);
            counters.host = key.ok_or(Rejection::NumbersExhausted("hypervisor"))?;
            draft.write_counters(counters);
            HostKey(counters.host)
        }
    };
    let known = before.as_deref();
    let after = Arc::new(Hypervisor {
        name: fact.name,
        key,
        system_id: fact.system_id,
        encap_ip: fact.encap_ip,
        bridge_mappings: fact.bridge_mappings,
        integration_datapath: fact.integration_datapath.or(known.and_then(|it| it.integration_datapath)),
        tunnel_datapath: fact.tunnel_datapath.or(known.and_then(|it| it.tunnel_datapath)),
    });
    replace(draft, before, Some(after));
    Ok(Outcome::Done)
}

pub(super) fn forget_hypervisor(draft: &mut Draft, name: &HostName) -> Result<Outcome, Rejection> {
    let before = existing(draft, name)?;
    replace(draft, Some(before), None);
    Ok(Outcome::Done)
}

/// Changes a hypervisor and what hangs on its name: interfaces and liveness move or go with it,
/// ports that are not bound by it any more go down.
fn replace(draft: &mut Draft, before: Option<Arc<Hypervisor>>, after: Option<Arc<Hypervisor>>) {
    if before == after {
        return;
    }
    let old_name = before.as_ref().map(|it| it.name.clone());
    let new_name = after.as_ref().map(|it| it.name.clone());
    let mut vifs: Vec<Arc<Vif>> = Vec::new();
    let mut liveness = Liveness::Gone;
    if let Some(old) = old_name.as_ref().filter(|_| old_name != new_name) {
        vifs = draft.vifs_on(old).cloned().collect();
        for vif in &vifs {
            draft.write_vif(Some(vif.clone()), None);
        }
        liveness = draft.liveness(old);
        write_liveness(draft, old.clone(), Liveness::Gone);
    }
    draft.write_hypervisor(before.clone(), after.clone());
    if let Some(new) = new_name.filter(|_| old_name.is_some()) {
        for vif in vifs {
            let mut vif = Vif::clone(&vif);
            vif.host = new.clone();
            draft.write_vif(None, Some(Arc::new(vif)));
        }
        if liveness == Liveness::Alive {
            write_liveness(draft, new, liveness);
        }
    }
    for port in draft.ports_naming(before.as_deref(), after.as_deref()) {
        if port.status != PortStatus::Down && draft.bound_host(&port).is_none() {
            let mut port = Port::clone(&port);
            port.status = PortStatus::Down;
            draft.update_port(port);
        }
    }
}

fn write_liveness(draft: &mut Draft, host: HostName, after: Liveness) {
    let before = draft.liveness(&host);
    if before != after {
        draft.write(Change::Liveness { host, before, after });
    }
}

/// An OpenFlow port is one interface: whatever had the number before has gone, even if its end was not seen.
pub(super) fn observe_vif(draft: &mut Draft, vif: Vif) -> Result<Outcome, Rejection> {
    existing(draft, &vif.host)?;
    let same_number = |other: &&Arc<Vif>| other.ofport == vif.ofport && other.port != vif.port;
    let gone: Vec<_> = draft.vifs_on(&vif.host).filter(same_number).cloned().collect();
    for other in gone {
        draft.write_vif(Some(other), None);
    }
    let before = draft.vif_on(&vif.host, vif.port).cloned();
    let after = Some(Arc::new(vif));
    if before != after {
        draft.write_vif(before, after);
    }
    Ok(Outcome::Done)
}

/// An interface that is not known has gone already.
pub(super) fn forget_vif(draft: &mut Draft, host: &HostName, port: PortId) -> Outcome {
    if let Some(before) = draft.vif_on(host, port).cloned() {
        draft.write_vif(Some(before), None);
    }
    Outcome::Done
}

/// Zones that were not waited for are passed over: the news may be of a hypervisor that is gone.
pub(super) fn zones_flushed(draft: &mut Draft, host: HostKey, flushed: &BTreeSet<Zone>) -> Outcome {
    if let Some(before) = draft.zones_of(host)
        && !before.unflushed.is_disjoint(flushed)
    {
        let mut zones = Zones::clone(before);
        zones.unflushed.retain(|zone| !flushed.contains(zone));
        draft.write_zones(host, Some(zones));
    }
    Outcome::Done
}

pub(super) fn set_liveness(draft: &mut Draft, host: HostName, liveness: Liveness) -> Result<Outcome, Rejection> {
    existing(draft, &host)?;
    write_liveness(draft, host, liveness);
    Ok(Outcome::Done)
}
