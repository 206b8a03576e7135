//! Networks.

use crate::cloud::{Cloud, net, prt, sub};
use weir_model::{Change, Command, Limits, NetworkKey, NetworkPatch, Outcome, RecordKey, Segment, Vni};

fn vni(cloud: &Cloud, id: u128) -> u32 {
    let Segment::Vxlan { vni } = cloud.topology.network(net(id)).expect("made").segment;
    vni.0
}

fn delete(id: u128) -> Command {
    Command::DeleteNetwork { id: net(id), if_revision: None }
}

#[test]
fn a_network_takes_defaults() {
    let mut cloud = Cloud::default();
    let new = cloud.new_network();
    let network = cloud.create_network(new);
    assert_eq!(network.key, NetworkKey(1));
    assert_eq!(network.segment, Segment::Vxlan { vni: Vni(1) });
    assert_eq!((network.mtu, network.revision_number), (1450, 1));
    assert!(network.admin_state_up && network.port_security_enabled);
    assert!(!network.shared && !network.external);
    assert_eq!((network.created_at, network.updated_at), (cloud.now(), cloud.now()));
    assert_eq!(cloud.topology.network_by_key(NetworkKey(1)), Some(&network));
    assert_eq!(cloud.topology.network_by_vni(Vni(1)), Some(&network));
    assert_eq!(cloud.commit.revision.0, 1);
    let keys: Vec<_> = cloud.commit.changes.iter().filter_map(Change::record).collect();
    assert_eq!(keys[0].0, RecordKey::Network(network.id));
    assert_eq!(keys[1].0, RecordKey::Counters);
}

#[test]
fn numbers_go_round_and_skip_what_is_taken() {
    let limits = Limits { vni_ranges: vec![20..=21, 10..=11], ..Limits::default() };
    let mut cloud = Cloud::new(limits);
    for _ in 0..3 {
        cloud.network();
    }
    assert_eq!([vni(&cloud, 1), vni(&cloud, 2), vni(&cloud, 3)], [10, 11, 20]);
    cloud.done(delete(1));
    let fourth = cloud.new_network();
    cloud.create_network(fourth);
    assert_eq!(vni(&cloud, 4), 21);
    let fifth = cloud.new_network();
    cloud.create_network(fifth);
    assert_eq!(vni(&cloud, 5), 10);
    let sixth = cloud.new_network();
    let refused = cloud.refused(Command::CreateNetworks(vec![sixth]));
    let text = "Unable to create the network. No project network is available for allocation.";
    assert_eq!(refused, ("NoNetworkAvailable", 503, text.to_owned()));
    let keys: Vec<u32> = cloud.topology.networks().map(|network| network.key.0).collect();
    assert_eq!(keys, [2, 3, 4, 5]);
}

#[test]
fn an_identifier_may_be_asked_for_outside_the_ranges_but_not_twice() {
    let limits = Limits { vni_ranges: vec![10..=19], ..Limits::default() };
    let mut cloud = Cloud::new(limits);
    let mut new = cloud.new_network();
    new.vni = Some(Vni(5000));
    let network = cloud.create_network(new.clone());
    assert_eq!(network.segment, Segment::Vxlan { vni: Vni(5000) });
    new.id = net(77);
    let refused = cloud.refused(Command::CreateNetworks(vec![new.clone()]));
    let text = "Unable to create the network. The tunnel ID 5000 is in use.";
    assert_eq!(refused, ("TunnelIdInUse", 409, text.to_owned()));
    new.vni = Some(Vni(1 << 24));
    let refused = cloud.refused(Command::CreateNetworks(vec![new]));
    assert_eq!(
        refused,
        (
            "InvalidInput",
            400,
            "Invalid input for operation: segmentation_id out of range (1 through 16777215).".to_owned()
        )
    );
}

#[test]
fn a_bulk_is_all_or_nothing() {
    let mut cloud = Cloud::default();
    let first = cloud.new_network();
    let mut second = cloud.new_network();
    second.mtu = Some(9000);
    let refused = cloud.refused(Command::CreateNetworks(vec![first.clone(), second]));
    assert_eq!(
        refused,
        ("InvalidInput", 400, "Invalid input for operation: Requested MTU is too big, maximum is 1450.".to_owned())
    );
    assert_eq!(cloud.topology.networks().len(), 0);
    assert_eq!(cloud.topology.revision().0, 0);
    let third = cloud.new_network();
    let made = cloud.done(Command::CreateNetworks(vec![third.clone(), first.clone()]));
    let Outcome::Networks(made) = made else { panic!("{made:?}") };
    assert_eq!([made[0].id, made[1].id], [third.id, first.id]);
    let refused = cloud.refused(Command::CreateNetworks(vec![first]));
    let text = format!("Network {} already exists.", net(1));
    assert_eq!(refused, ("Conflict", 409, text));
}

#[test]
fn an_update_counts_a_revision_only_if_it_changes_something() {
    let mut cloud = Cloud::default();
    let id = cloud.network();
    let patch = NetworkPatch { name: Some("blue".into()), ..NetworkPatch::default() };
    let network = cloud.update_network(id, patch.clone());
    assert_eq!((network.name.as_str(), network.revision_number), ("blue", 2));
    assert_eq!(network.updated_at, cloud.now());
    let revision = cloud.topology.revision();
    let again = cloud.update_network(id, patch.clone());
    assert_eq!(again, network);
    assert!(cloud.commit.changes.is_empty());
    assert_eq!(cloud.topology.revision(), revision);
    let stale = Command::UpdateNetwork { id, patch, if_revision: Some(1) };
    assert_eq!(
        cloud.refused(stale),
        ("RevisionNumberConstraintFailed", 412, "Constrained to 1, but current revision is 2".to_owned())
    );
    let unknown = Command::UpdateNetwork { id: net(99), patch: NetworkPatch::default(), if_revision: Some(1) };
    let text = format!("Network {} could not be found.", net(99));
    assert_eq!(cloud.refused(unknown), ("NetworkNotFound", 404, text));
}

#[test]
fn the_mtu_suits_the_subnets() {
    let mut cloud = Cloud::default();
    let id = cloud.network();
    let small = NetworkPatch { mtu: Some(1000), ..NetworkPatch::default() };
    assert_eq!(cloud.update_network(id, small.clone()).mtu, 1000);
    let six = cloud.new_subnet(id, "fd00::/64");
    let text = format!("MTU of {id} is not valid, subnet requires a minimum of 1280");
    let refused = cloud.refused(Command::CreateSubnets(vec![six.clone()]));
    assert_eq!(refused, ("NetworkMTUSubnetConflict", 409, text.clone()));
    let largest = NetworkPatch { mtu: Some(0), ..NetworkPatch::default() };
    assert_eq!(cloud.update_network(id, largest).mtu, 1450);
    cloud.create_subnet(six);
    let refused = cloud.refused(Command::UpdateNetwork { id, patch: small, if_revision: None });
    assert_eq!(refused, ("NetworkMTUSubnetConflict", 409, text));
}

#[test]
fn a_network_stays_shared_while_others_use_it() {
    let mut cloud = Cloud::default();
    let mut new = cloud.new_network();
    new.shared = Some(true);
    new.name = Some("plaza".into());
    let id = cloud.create_network(new).id;
    let mut port = cloud.new_port(id);
    port.project_id = "beta".into();
    let port = cloud.create_port(port);
    let patch = NetworkPatch { shared: Some(false), ..NetworkPatch::default() };
    let unshare = Command::UpdateNetwork { id, patch, if_revision: None };
    let text = "Unable to reconfigure sharing settings for network plaza. Multiple projects are \
                using it.";
    assert_eq!(cloud.refused(unshare.clone()), ("InvalidSharedSetting", 409, text.to_owned()));
    cloud.done(Command::DeletePort { id: port.id, if_revision: None });
    cloud.done(unshare);
}

#[test]
fn a_network_goes_with_its_subnets_and_own_ports_but_not_with_others() {
    let mut cloud = Cloud::default();
    let id = cloud.network();
    let subnet = cloud.subnet(id, "10.0.0.0/24");
    let mut dhcp = cloud.new_port(id);
    dhcp.device_owner = Some("network:dhcp".into());
    cloud.create_port(dhcp);
    let port = cloud.port(id);
    let other = cloud.port(id);
    let text = format!(
        "Unable to complete operation on network {id}. There are one or more ports still in use \
         on the network, id for these ports is: {},{}.",
        port.id, other.id
    );
    assert_eq!(cloud.refused(delete(1)), ("NetworkInUse", 409, text));
    cloud.done(Command::DeletePort { id: port.id, if_revision: None });
    cloud.done(Command::DeletePort { id: other.id, if_revision: None });
    assert_eq!(cloud.done(delete(1)), Outcome::Deleted);
    let keys: Vec<_> = cloud.commit.changes.iter().filter_map(Change::record).collect();
    assert_eq!(
        keys,
        [(RecordKey::Port(prt(3)), None), (RecordKey::Subnet(sub(2)), None), (RecordKey::Network(id), None),]
    );
    assert_eq!(cloud.topology.subnet(subnet), None);
    let text = format!("Network {id} could not be found.");
    assert_eq!(cloud.refused(delete(1)), ("NetworkNotFound", 404, text));
}
