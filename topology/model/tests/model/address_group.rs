//! Address groups.

use crate::cloud::{Cloud, agr, project};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::sync::Arc;
use weir_model::{
    AddressGroup, AddressGroupId, AddressGroupKey, AddressGroupPatch, Command, NewAddressGroup, Outcome, Remote,
};

fn prefixes<const N: usize>(texts: [&str; N]) -> BTreeSet<IpNet> {
    texts.iter().map(|text| text.parse().expect("a test's prefix")).collect()
}

fn create(cloud: &mut Cloud, addresses: Option<BTreeSet<IpNet>>) -> Arc<AddressGroup> {
    let new = NewAddressGroup { addresses, ..NewAddressGroup::new(agr(cloud.id()), project()) };
    match cloud.done(Command::CreateAddressGroups(vec![new])) {
        Outcome::AddressGroups(made) => made[0].clone(),
        other => panic!("{other:?}"),
    }
}

fn patched(id: AddressGroupId, patch: AddressGroupPatch) -> Command {
    Command::UpdateAddressGroup { id, patch, if_revision: None }
}

fn deleted(id: AddressGroupId) -> Command {
    Command::DeleteAddressGroup { id, if_revision: None }
}

#[test]
fn an_address_group_holds_prefixes() {
    let mut cloud = Cloud::default();
    let group = create(&mut cloud, Some(prefixes(["10.0.0.5/24", "10.0.0.9/24", "fd00::1/128"])));
    assert_eq!(group.addresses, prefixes(["10.0.0.0/24", "fd00::1/128"]));
    assert_eq!((group.key, group.revision_number), (AddressGroupKey(1), 1));
    assert_eq!(create(&mut cloud, None).revision_number, 0);
    assert_eq!(cloud.topology.address_group_by_key(AddressGroupKey(1)), Some(&group));
    assert_eq!(cloud.topology.address_groups_of_project("alpha").count(), 2);
    let again = NewAddressGroup::new(group.id, project());
    assert_eq!(
        cloud.refused(Command::CreateAddressGroups(vec![again])),
        ("Conflict", 409, format!("Address group {} already exists.", group.id))
    );
}

#[test]
fn addresses_come_and_go() {
    let mut cloud = Cloud::default();
    let id = create(&mut cloud, Some(prefixes(["10.0.0.0/24"]))).id;
    let patch = AddressGroupPatch {
        name: Some("office".into()),
        description: Some("ours".into()),
        add: prefixes(["10.0.1.7/24", "fd00::/64"]),
        remove: prefixes(["10.0.0.1/24"]),
        tags: Some(["blue".to_owned()].into()),
    };
    let Outcome::AddressGroups(changed) = cloud.done(patched(id, patch)) else { panic!("groups are answered") };
    assert_eq!(changed[0].addresses, prefixes(["10.0.1.0/24", "fd00::/64"]));
    assert_eq!((changed[0].name.as_str(), changed[0].description.as_str()), ("office", "ours"));
    assert_eq!((changed[0].revision_number, changed[0].updated_at), (2, cloud.now()));
    let again = AddressGroupPatch { add: prefixes(["10.0.1.0/24", "fd00::/64", "10.3.0.0/16"]), ..Default::default() };
    assert_eq!(
        cloud.refused(patched(id, again)),
        (
            "AddressesAlreadyExist",
            400,
            format!("Addresses ['10.0.1.0/24', 'fd00::/64'] already exist in the address group {id}.")
        )
    );
    let lost = AddressGroupPatch { remove: prefixes(["10.0.1.0/24", "10.3.0.0/16"]), ..Default::default() };
    assert_eq!(
        cloud.refused(patched(id, lost)),
        ("AddressesNotFound", 404, format!("Addresses ['10.3.0.0/16'] not found in the address group {id}."))
    );
    cloud.done(patched(id, AddressGroupPatch::default()));
    assert!(cloud.commit.changes.is_empty());
}

#[test]
fn an_address_group_that_rules_name_stays() {
    let mut cloud = Cloud::default();
    let id = create(&mut cloud, None).id;
    let group = cloud.group();
    let rule = cloud.rule(group, |rule| rule.remote = Remote::Addresses(id)).id;
    assert_eq!(cloud.topology.rules_by_addresses(id).count(), 1);
    assert_eq!(
        cloud.refused(deleted(id)),
        ("AddressGroupInUse", 409, format!("Address group {id} is in use on one or more security group rules."))
    );
    cloud.done(Command::DeleteSecurityGroupRule { id: rule, if_revision: None });
    let stale = Command::DeleteAddressGroup { id, if_revision: Some(5) };
    assert_eq!(cloud.refused(stale).0, "RevisionNumberConstraintFailed");
    cloud.done(deleted(id));
    let missing = ("AddressGroupNotFound", 404, format!("Address group {id} could not be found."));
    assert_eq!(cloud.refused(deleted(id)), missing);
    assert_eq!(cloud.refused(patched(id, AddressGroupPatch::default())), missing);
}
