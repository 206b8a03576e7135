//! Commands about address groups.

use super::{check_revision, set};
use crate::allocate::next_key;
use crate::draft::Draft;
use crate::{
    AddressGroup, AddressGroupId, AddressGroupKey, AddressGroupPatch, NewAddressGroup, Outcome, RecordKey, Rejection,
};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::sync::Arc;

fn existing(draft: &Draft, id: AddressGroupId) -> Result<Arc<AddressGroup>, Rejection> {
    draft.address_group(id).cloned().ok_or(Rejection::AddressGroupNotFound(id))
}

/// Prefixes with host bits zero.
fn truncated(addresses: &BTreeSet<IpNet>) -> BTreeSet<IpNet> {
    addresses.iter().map(IpNet::trunc).collect()
}

pub(super) fn create(draft: &mut Draft, groups: Vec<NewAddressGroup>) -> Result<Outcome, Rejection> {
    let mut made = Vec::with_capacity(groups.len());
    for new in groups {
        made.push(create_one(draft, new)?);
    }
    let made = made.iter().filter_map(|id| draft.address_group(*id).cloned());
    Ok(Outcome::AddressGroups(made.collect()))
}

fn create_one(draft: &mut Draft, new: NewAddressGroup) -> Result<AddressGroupId, Rejection> {
    let id = new.id;
    if draft.address_group(id).is_some() {
        return Err(Rejection::AlreadyExists(RecordKey::AddressGroup(id)));
    }
    let mut counters = draft.counters();
    let taken = &draft.index.address_group_by_key;
    let key = next_key(taken, AddressGroupKey, |key| key.0, counters.address_group, AddressGroupKey::MAX);
    counters.address_group = key.ok_or(Rejection::NumbersExhausted("address group"))?;
    draft.write_counters(counters);
    let addresses = truncated(&new.addresses.unwrap_or_default());
    let at = draft.at();
    let group = AddressGroup {
        id,
        key: AddressGroupKey(counters.address_group),
        project_id: draft.shared_project(new.project_id),
        name: new.name.unwrap_or_default(),
        description: new.description.unwrap_or_default(),
        // Neutron puts the addresses in once the group is there.
        revision_number: u64::from(!addresses.is_empty()),
        addresses,
        tags: new.tags.unwrap_or_default(),
        created_at: at,
        updated_at: at,
    };
    draft.write_address_group(None, Some(Arc::new(group)));
    Ok(id)
}

pub(super) fn update(
    draft: &mut Draft,
    id: AddressGroupId,
    patch: AddressGroupPatch,
    if_revision: Option<u64>,
) -> Result<Outcome, Rejection> {
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    let (add, remove) = (truncated(&patch.add), truncated(&patch.remove));
    let there: Vec<IpNet> = add.intersection(&before.addresses).copied().collect();
    if !there.is_empty() {
        return Err(Rejection::AddressesAlreadyExist { addresses: there, group: id });
    }
    let missing: Vec<IpNet> = remove.difference(&before.addresses).copied().collect();
    if !missing.is_empty() {
        return Err(Rejection::AddressesNotFound { addresses: missing, group: id });
    }
    let mut group = AddressGroup::clone(&before);
    group.addresses.extend(add);
    group.addresses.retain(|address| !remove.contains(address));
    set(&mut group.name, patch.name);
    set(&mut group.description, patch.description);
    set(&mut group.tags, patch.tags);
    draft.update_address_group(group);
    Ok(Outcome::AddressGroups(vec![existing(draft, id)?]))
}

pub(super) fn delete(draft: &mut Draft, id: AddressGroupId, if_revision: Option<u64>) -> Result<Outcome, Rejection> {
    if draft.rules_by_addresses(id).next().is_some() {
        return Err(Rejection::AddressGroupInUse(id));
    }
    let before = existing(draft, id)?;
    check_revision(if_revision, before.revision_number)?;
    draft.write_address_group(Some(before), None);
    Ok(Outcome::Deleted)
}
