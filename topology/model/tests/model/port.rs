//! Ports: identity, link-layer addresses, pairs, binding, status.

use crate::cloud::{Cloud, exactly, host, net, patched, prt};
use weir_model::{
    Command, MacAddress, NetworkId, NewAddressPair, Outcome, PortKey, PortPatch, PortStatus, VifType, VnicType,
};

fn mac(text: &str) -> MacAddress {
    text.parse().expect("a test's address")
}

fn pair(ip: &str, mac_address: Option<&str>) -> NewAddressPair {
    NewAddressPair { ip_address: ip.parse().expect("a test's prefix"), mac_address: mac_address.map(mac) }
}

fn bound_to(name: Option<&str>) -> PortPatch {
    PortPatch { binding_host: Some(name.map(host)), ..PortPatch::default() }
}

fn cloud() -> (Cloud, NetworkId) {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    (cloud, network)
}

#[test]
fn a_port_takes_defaults() {
    let (mut cloud, network) = cloud();
    let port = cloud.port(network);
    assert_eq!(port.key, PortKey(1));
    assert_eq!(&port.mac_address.to_string()[..8], "fa:16:3e");
    assert_eq!(port.status, PortStatus::Down);
    assert_eq!(port.fixed_ips, []);
    assert!(port.admin_state_up && port.port_security_enabled);
    assert_eq!((port.binding.profile.as_str(), port.binding.vnic_type), ("{}", VnicType::Normal));
    assert_eq!(port.revision_number, 1);
    assert_eq!(cloud.topology.vif_type(&port), VifType::Unbound);
    assert_eq!(cloud.topology.port_by_key(PortKey(1)), Some(&port));
    let network = cloud.topology.network(network).expect("made");
    assert_eq!(network.revision_number, 1, "a port does not count for its network");
}

#[test]
fn made_link_layer_addresses_depend_on_the_id_alone_and_avoid_what_is_used() {
    let (mut one, network) = cloud();
    let (mut two, _) = cloud();
    let first = one.port(network);
    assert_eq!(first.mac_address, two.port(network).mac_address);
    let mut taken = two.new_port(network);
    taken.id = prt(500);
    two.done(Command::DeletePort { id: first.id, if_revision: None });
    taken.mac_address = Some(first.mac_address);
    two.create_port(taken);
    let mut again = two.new_port(network);
    again.id = first.id;
    let again = two.create_port(again);
    assert_eq!(again.mac_address.to_u64(), first.mac_address.to_u64() + 1);
}

#[test]
fn a_link_layer_address_is_used_once_in_a_network() {
    let (mut cloud, network) = cloud();
    let mut new = cloud.new_port(network);
    new.mac_address = Some(mac("02:00:00:00:00:01"));
    cloud.create_port(new.clone());
    new.id = prt(900);
    let text = format!(
        "Unable to complete operation for network {network}. The mac address 02:00:00:00:00:01 is \
         in use."
    );
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new.clone()])), ("MacAddressInUse", 409, text));
    new.network_id = cloud.network();
    cloud.create_port(new.clone());
    for bad in ["01:00:5e:00:00:01", "00:00:00:00:00:00"] {
        new.id = prt(901);
        new.mac_address = Some(mac(bad));
        assert_eq!(
            cloud.refused(Command::CreatePorts(vec![new.clone()])),
            ("InvalidInput", 400, format!("Invalid input for operation: '{bad}' is not a permitted MAC address."))
        );
    }
}

#[test]
fn a_link_layer_address_changes_only_unbound_and_not_on_the_networks_own_ports() {
    let (mut cloud, network) = cloud();
    cloud.hypervisor("h1", 1);
    let port = cloud.port(network);
    let to = |text: &str| PortPatch { mac_address: Some(mac(text)), ..PortPatch::default() };
    let changed = cloud.update_port(port.id, to("02:00:00:00:00:05"));
    assert_eq!(changed.mac_address, mac("02:00:00:00:00:05"));
    cloud.update_port(port.id, bound_to(Some("h1")));
    let text = format!(
        "Unable to complete operation on port {}, port is already bound, port type: ovs, old_mac \
         02:00:00:00:00:05, new_mac 02:00:00:00:00:06.",
        port.id
    );
    assert_eq!(cloud.refused(patched(port.id, to("02:00:00:00:00:06"))), ("PortBound", 409, text));
    cloud.update_port(port.id, to("02:00:00:00:00:05"));
    assert!(cloud.commit.changes.is_empty());
    let mut dhcp = cloud.new_port(network);
    dhcp.device_owner = Some("network:dhcp".into());
    let dhcp = cloud.create_port(dhcp);
    let text =
        format!("Operation mac address update is not supported for device_owner network:dhcp on port {}.", dhcp.id);
    assert_eq!(cloud.refused(patched(dhcp.id, to("02:00:00:00:00:07"))), ("UnsupportedPortDeviceOwner", 409, text));
}

#[test]
fn address_pairs_take_the_ports_own_address_and_need_port_security() {
    let (mut cloud, network) = cloud();
    let mut new = cloud.new_port(network);
    new.allowed_address_pairs = Some(vec![pair("10.0.0.99/32", None), pair("10.5.3.2/16", Some("00:00:5e:00:01:07"))]);
    let port = cloud.create_port(new);
    let pairs: Vec<_> =
        port.allowed_address_pairs.iter().map(|pair| (pair.ip_address.to_string(), pair.mac_address)).collect();
    assert_eq!(
        pairs,
        [("10.0.0.99/32".to_owned(), port.mac_address), ("10.5.0.0/16".to_owned(), mac("00:00:5e:00:01:07")),]
    );
    let required = "Port Security must be enabled in order to have allowed address pairs on a port.";
    let open = PortPatch { port_security_enabled: Some(false), ..PortPatch::default() };
    assert_eq!(
        cloud.refused(patched(port.id, open.clone())),
        ("AddressPairAndPortSecurityRequired", 409, required.to_owned())
    );
    let both = PortPatch { allowed_address_pairs: Some(Vec::new()), security_groups: Some(Vec::new()), ..open };
    let opened = cloud.update_port(port.id, both);
    assert!(!opened.port_security_enabled && opened.allowed_address_pairs.is_empty());
    let close = PortPatch { allowed_address_pairs: Some(vec![pair("10.0.0.9/32", None)]), ..PortPatch::default() };
    assert_eq!(cloud.refused(patched(port.id, close)).0, "AddressPairAndPortSecurityRequired");
}

#[test]
fn address_pairs_are_bounded_and_distinct() {
    let (mut cloud, network) = cloud();
    let mut new = cloud.new_port(network);
    let own = mac("02:00:00:00:00:01");
    new.mac_address = Some(own);
    new.allowed_address_pairs = Some(vec![pair("10.0.0.9/32", None), pair("10.0.0.9/32", Some("02:00:00:00:00:01"))]);
    assert_eq!(
        cloud.refused(Command::CreatePorts(vec![new.clone()])),
        (
            "DuplicateAddressPairInRequest",
            400,
            "Request contains duplicate address pair: mac_address 02:00:00:00:00:01 ip_address \
             10.0.0.9."
                .to_owned()
        )
    );
    let many = (0..11).map(|last| pair(&format!("10.0.0.{last}/32"), None));
    new.allowed_address_pairs = Some(many.collect());
    assert_eq!(
        cloud.refused(Command::CreatePorts(vec![new])),
        ("AllowedAddressPairExhausted", 400, "The number of allowed address pair exceeds the maximum 10.".to_owned())
    );
}

#[test]
fn claims_of_a_link_layer_address_are_those_of_bound_ports() {
    let (mut cloud, network) = cloud();
    cloud.hypervisor("h1", 1);
    let vrrp = "00:00:5e:00:01:07";
    let mut ports = Vec::new();
    for name in [Some("h1"), Some("id-of-h1"), Some("nowhere"), None] {
        let mut new = cloud.new_port(network);
        new.binding_host = name.map(host);
        new.allowed_address_pairs = Some(vec![pair("10.0.0.9/32", Some(vrrp)), pair("10.0.0.8/32", Some(vrrp))]);
        ports.push(cloud.create_port(new));
    }
    let claims: Vec<_> = cloud.topology.mac_claims(network, mac(vrrp)).collect();
    assert_eq!(claims, [ports[0].id, ports[1].id]);
    let types: Vec<_> = ports.iter().map(|port| cloud.topology.vif_type(port)).collect();
    use VifType::{BindingFailed, Ovs, Unbound};
    assert_eq!(types, [Ovs, Ovs, BindingFailed, Unbound]);
    let own: Vec<_> = cloud.topology.mac_claims(network, ports[0].mac_address).collect();
    assert_eq!(own, [ports[0].id]);
    let on: Vec<_> = cloud.topology.ports_on(&host("h1")).map(|port| port.id).collect();
    assert_eq!(on, [ports[0].id, ports[1].id]);
    let hosts: Vec<_> = cloud.topology.hosts_of(network).collect();
    assert_eq!(hosts, [(&host("h1"), 2)]);
    cloud.hypervisor("nowhere", 2);
    assert_eq!(cloud.topology.mac_claims(network, mac(vrrp)).count(), 3);
    assert_eq!(cloud.topology.vif_type(&ports[2]), Ovs);
}

#[test]
fn a_port_goes_down_when_it_moves_or_is_switched_off() {
    let (mut cloud, network) = cloud();
    cloud.hypervisor("h1", 1);
    cloud.hypervisor("h2", 2);
    let port = cloud.port(network);
    cloud.update_port(port.id, bound_to(Some("h1")));
    let active = Command::SetPortStatus(vec![(port.id, PortStatus::Active), (prt(99), PortStatus::Active)]);
    assert_eq!(cloud.done(active.clone()), Outcome::Done);
    let up = cloud.topology.port(port.id).expect("made").clone();
    assert_eq!((up.status, up.revision_number, up.updated_at), (PortStatus::Active, 3, cloud.now()));
    let named = PortPatch { name: Some("vm".into()), ..PortPatch::default() };
    assert_eq!(cloud.update_port(port.id, named).status, PortStatus::Active);
    assert_eq!(cloud.update_port(port.id, bound_to(Some("h1"))).status, PortStatus::Active);
    assert_eq!(cloud.update_port(port.id, bound_to(Some("h2"))).status, PortStatus::Down);
    cloud.done(active.clone());
    let off = PortPatch { admin_state_up: Some(false), ..PortPatch::default() };
    assert_eq!(cloud.update_port(port.id, off).status, PortStatus::Down);
    cloud.done(active.clone());
    assert!(cloud.commit.changes.is_empty(), "the port is switched off");
    let on = PortPatch { admin_state_up: Some(true), ..PortPatch::default() };
    cloud.update_port(port.id, on);
    cloud.done(active.clone());
    assert_eq!(cloud.update_port(port.id, bound_to(Some(""))).binding.host, None);
    cloud.done(active);
    assert_eq!(cloud.topology.port(port.id).expect("made").status, PortStatus::Down);
}

#[test]
fn the_kind_of_device_stays_while_bound() {
    let (mut cloud, network) = cloud();
    cloud.hypervisor("h1", 1);
    let mut new = cloud.new_port(network);
    new.binding_host = Some(host("h1"));
    new.device_id = Some("vm-1".into());
    let port = cloud.create_port(new);
    let direct = PortPatch { binding_vnic_type: Some(VnicType::Direct), ..PortPatch::default() };
    let text = format!(
        "Unable to complete operation on port {} for network {network}. Port already has an \
         attached device vm-1.",
        port.id
    );
    assert_eq!(cloud.refused(patched(port.id, direct.clone())), ("PortInUse", 409, text));
    cloud.update_port(port.id, bound_to(None));
    cloud.update_port(port.id, direct);
    let bound = cloud.update_port(port.id, bound_to(Some("h1")));
    assert_eq!(cloud.topology.vif_type(&bound), VifType::BindingFailed);
    assert_eq!(cloud.topology.bound_count(network, &host("h1")), 0);
}

#[test]
fn ports_are_found_by_device_project_and_network() {
    let (mut cloud, network) = cloud();
    let mut new = cloud.new_port(network);
    new.device_id = Some("vm-1".into());
    let port = cloud.create_port(new);
    cloud.port(network);
    let of_device: Vec<_> = cloud.topology.ports_of_device("vm-1").map(|port| port.id).collect();
    assert_eq!(of_device, [port.id]);
    assert_eq!(cloud.topology.ports_of_device("").count(), 0);
    assert_eq!(cloud.topology.ports_of_project("alpha").count(), 2);
    assert_eq!((cloud.topology.ports_of(network).count(), cloud.topology.port_count(network)), (2, 2));
    let patch = PortPatch { device_id: Some("vm-2".into()), ..PortPatch::default() };
    cloud.update_port(port.id, patch);
    assert_eq!(cloud.topology.ports_of_device("vm-1").count(), 0);
    assert_eq!(cloud.topology.ports_of_device("vm-2").count(), 1);
}

#[test]
fn ports_that_are_not_there() {
    let (mut cloud, network) = cloud();
    let text = format!("Port {} could not be found.", prt(9));
    let missing = ("PortNotFound", 404, text);
    assert_eq!(cloud.refused(patched(prt(9), PortPatch::default())), missing);
    assert_eq!(cloud.refused(Command::DeletePort { id: prt(9), if_revision: None }), missing);
    let lost = cloud.new_port(net(77));
    assert_eq!(cloud.refused(Command::CreatePorts(vec![lost])).0, "NetworkNotFound");
    let port = cloud.port(network);
    let stale = Command::DeletePort { id: port.id, if_revision: Some(0) };
    assert_eq!(
        cloud.refused(stale),
        ("RevisionNumberConstraintFailed", 412, "Constrained to 0, but current revision is 1".to_owned())
    );
    let mut again = cloud.new_port(network);
    again.id = port.id;
    let text = format!("Port {} already exists.", port.id);
    assert_eq!(cloud.refused(Command::CreatePorts(vec![again])), ("Conflict", 409, text));
}

#[test]
fn a_bulk_of_ports_is_all_or_nothing() {
    let (mut cloud, network) = cloud();
    cloud.subnet(network, "10.0.0.0/29");
    let before = cloud.topology.clone();
    let mut wanted: Vec<_> = (0..5).map(|_| cloud.new_port(network)).collect();
    let last = cloud.new_port(network);
    let overfull = wanted.iter().cloned().chain([last.clone()]).collect();
    let text = format!("No more IP addresses available on network {network}.");
    assert_eq!(cloud.refused(Command::CreatePorts(overfull)), ("IpAddressGenerationFailure", 409, text));
    assert_eq!(cloud.topology, before);
    wanted[4].fixed_ips = Some(vec![exactly("10.0.0.2")]);
    assert_eq!(
        cloud.refused(Command::CreatePorts(wanted.clone())).0,
        "IpAddressAlreadyAllocated",
        "ports of a bulk see each other"
    );
    wanted[4].fixed_ips = None;
    let Outcome::Ports(made) = cloud.done(Command::CreatePorts(wanted)) else { panic!("ports are answered") };
    let keys: Vec<_> = made.iter().map(|port| port.key.0).collect();
    assert_eq!(keys, [1, 2, 3, 4, 5]);
    assert_eq!(cloud.topology.revision().0, before.revision().0 + 1);
}
