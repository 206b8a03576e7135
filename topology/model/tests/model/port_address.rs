//! Addresses of ports.

use crate::cloud::{Cloud, addresses, any_of, exactly, ip, patched, sub};
use weir_model::{Command, Ipv6Mode, MacAddress, NetworkId, NewFixedIp, PortPatch, SubnetId};

fn mac(last: u8) -> MacAddress {
    MacAddress([0x02, 0, 0, 0, 0, last])
}

fn with_subnet() -> (Cloud, NetworkId, SubnetId) {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let subnet = cloud.subnet(network, "10.0.0.0/24");
    (cloud, network, subnet)
}

fn slaac(cloud: &mut Cloud, network: NetworkId, cidr: &str) -> SubnetId {
    let mut new = cloud.new_subnet(network, cidr);
    new.ipv6_ra_mode = Some(Ipv6Mode::Slaac);
    new.ipv6_address_mode = Some(Ipv6Mode::Slaac);
    cloud.create_subnet(new).id
}

fn wanting(wanted: Vec<NewFixedIp>) -> PortPatch {
    PortPatch { fixed_ips: Some(wanted), ..PortPatch::default() }
}

fn refused(cloud: &mut Cloud, network: NetworkId, wanted: Vec<NewFixedIp>) -> (&'static str, u16, String) {
    let mut new = cloud.new_port(network);
    new.fixed_ips = Some(wanted);
    cloud.refused(Command::CreatePorts(vec![new]))
}

#[test]
fn a_port_asks_for_only_so_many_addresses() {
    let (mut cloud, network, subnet) = with_subnet();
    let automatic = slaac(&mut cloud, network, "fd00::/64");
    let many = || vec![any_of(subnet); 65];
    let text = "Invalid input for operation: Exceeded maximum amount of fixed ips per port..".to_owned();
    let expected = ("InvalidInput", 400, text);
    assert_eq!(refused(&mut cloud, network, many()), expected);
    // What autoconfiguration gives does not count when the port is made, and is not asked for by itself.
    let mut wanted = vec![any_of(subnet); 64];
    wanted.push(any_of(automatic));
    let port = cloud.port_at(network, wanted.clone());
    assert_eq!(addresses(&port).len(), 65);
    let update = |wanted| Command::UpdatePort { id: port.id, patch: Box::new(wanting(wanted)), if_revision: None };
    assert_eq!(cloud.refused(update(many())), expected);
    assert_eq!(cloud.refused(update(wanted)), expected);
    cloud.done(update(vec![any_of(subnet); 64]));
    assert_eq!(cloud.topology.port(port.id).expect("the port").fixed_ips, port.fixed_ips);
    // Ports of the network itself may have more.
    let mut own = cloud.new_port(network);
    own.device_owner = Some("network:dhcp".to_owned());
    own.fixed_ips = Some(many());
    cloud.done(Command::CreatePorts(vec![own]));
}

#[test]
fn the_lowest_free_address_comes_first() {
    let (mut cloud, network, _) = with_subnet();
    let first = cloud.port(network);
    let second = cloud.port(network);
    assert_eq!((addresses(&first), addresses(&second)), (vec!["10.0.0.2".into()], vec!["10.0.0.3".into()]));
    cloud.done(Command::DeletePort { id: first.id, if_revision: None });
    assert_eq!(addresses(&cloud.port(network)), ["10.0.0.2"]);
    assert_eq!(addresses(&cloud.port(network)), ["10.0.0.4"]);
}

#[test]
fn a_port_gets_one_address_of_each_family() {
    let (mut cloud, network, _) = with_subnet();
    cloud.subnet(network, "10.0.1.0/24");
    cloud.subnet(network, "fd00::/64");
    assert_eq!(addresses(&cloud.port(network)), ["10.0.0.2", "fd00::1"]);
}

#[test]
fn the_next_subnet_serves_when_one_is_full() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.subnet(network, "10.0.9.0/30");
    cloud.subnet(network, "10.0.1.0/30");
    assert_eq!(addresses(&cloud.port(network)), ["10.0.9.2"]);
    assert_eq!(addresses(&cloud.port(network)), ["10.0.1.2"]);
    let full = cloud.new_port(network);
    assert_eq!(cloud.refused(Command::CreatePorts(vec![full])).0, "IpAddressGenerationFailure");
}

#[test]
fn addresses_may_be_asked_for_by_subnet_and_by_name() {
    let (mut cloud, network, subnet) = with_subnet();
    let other = cloud.subnet(network, "10.0.1.0/24");
    let both = NewFixedIp { subnet_id: Some(other), ip_address: Some(ip("10.0.1.77")) };
    // An address asked for by name is not given away to a wish for just any.
    let port = cloud.port_at(network, vec![any_of(subnet), exactly("10.0.0.2"), both]);
    assert_eq!(addresses(&port), ["10.0.0.2", "10.0.1.77", "10.0.0.3"]);
    assert_eq!(addresses(&cloud.port_at(network, Vec::new())), [] as [&str; 0]);
    let out_of_pools = cloud.port_at(network, vec![exactly("10.0.0.1")]);
    assert_eq!(addresses(&out_of_pools), ["10.0.0.1"], "as Neutron lets a VM be the gateway");
    let of: Vec<_> = cloud.topology.ports_of_subnet(subnet).map(|port| port.id).collect();
    assert_eq!(of, [port.id, out_of_pools.id]);
    assert_eq!(cloud.topology.address_holder(other, ip("10.0.1.77")), Some(port.id));
}

#[test]
fn addresses_that_cannot_be() {
    let (mut cloud, network, subnet) = with_subnet();
    cloud.port(network);
    let taken = format!("IP address 10.0.0.2 already allocated in subnet {subnet}");
    assert_eq!(refused(&mut cloud, network, vec![exactly("10.0.0.2")]), ("IpAddressAlreadyAllocated", 409, taken));
    for outside in ["10.9.0.2", "10.0.0.0", "10.0.0.255", "fd00::1"] {
        assert_eq!(
            refused(&mut cloud, network, vec![exactly(outside)]),
            (
                "InvalidIpForNetwork",
                400,
                format!(
                    "IP address {outside} is not a valid IP for any of the subnets on the \
                     specified network."
                )
            )
        );
    }
    let wrong = NewFixedIp { subnet_id: Some(subnet), ip_address: Some(ip("10.9.0.2")) };
    assert_eq!(
        refused(&mut cloud, network, vec![wrong]),
        ("InvalidIpForSubnet", 400, "IP address 10.9.0.2 is not a valid IP for the specified subnet.".to_owned())
    );
    assert_eq!(
        refused(&mut cloud, network, vec![any_of(sub(99))]),
        ("SubnetNotFound", 404, format!("Subnet {} could not be found.", sub(99)))
    );
    let elsewhere = cloud.network();
    let foreign = cloud.subnet(elsewhere, "10.8.0.0/24");
    assert_eq!(
        refused(&mut cloud, network, vec![any_of(foreign)]),
        (
            "InvalidInput",
            400,
            format!(
                "Invalid input for operation: Failed to create port on network {network}, because \
                 fixed_ips included invalid subnet {foreign}."
            )
        )
    );
    let bare = cloud.network();
    assert_eq!(
        refused(&mut cloud, bare, vec![exactly("10.0.0.9")]),
        ("InvalidInput", 400, "Invalid input for operation: IP allocation requires subnets for network.".to_owned())
    );
    assert_eq!(
        refused(&mut cloud, network, vec![NewFixedIp::default()]),
        (
            "InvalidInput",
            400,
            "Invalid input for operation: IP allocation requires subnet_id or ip_address.".to_owned()
        )
    );
}

#[test]
fn the_anycast_address_of_ipv6_is_for_routers() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.subnet(network, "fd00::/64");
    let mut new = cloud.new_port(network);
    new.fixed_ips = Some(vec![exactly("fd00::")]);
    new.device_owner = Some("compute:nova".into());
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new.clone()])).0, "InvalidIpForNetwork");
    new.device_owner = Some("network:router_interface".into());
    assert_eq!(addresses(&cloud.create_port(new)), ["fd00::"]);
}

#[test]
fn autoconfiguration_adds_addresses_made_of_the_link_layer_address() {
    let (mut cloud, network, subnet) = with_subnet();
    let auto = slaac(&mut cloud, network, "fd00::/64");
    let mut new = cloud.new_port(network);
    new.mac_address = Some(mac(1));
    let port = cloud.create_port(new.clone());
    assert_eq!(addresses(&port), ["10.0.0.2", "fd00::ff:fe00:1"]);
    for wanted in [vec![any_of(subnet)], vec![any_of(auto), any_of(subnet)]] {
        new = cloud.new_port(network);
        new.mac_address = Some(mac(new.id.0.as_u128() as u8));
        new.fixed_ips = Some(wanted);
        assert_eq!(cloud.create_port(new.clone()).fixed_ips.len(), 2);
    }
    let mut new = cloud.new_port(network);
    new.mac_address = Some(mac(9));
    new.fixed_ips = Some(vec![exactly("fd00::9")]);
    let text = format!(
        "IPv6 address fd00::9 cannot be directly assigned to a port on subnet {auto} as the \
         subnet is configured for automatic addresses"
    );
    assert_eq!(cloud.refused(Command::CreatePorts(vec![new.clone()])), ("AllocationOnAutoAddressSubnet", 400, text));
    new.fixed_ips = Some(vec![exactly("fd00::ff:fe00:9")]);
    assert_eq!(addresses(&cloud.create_port(new)), ["fd00::ff:fe00:9"]);
    let mut snat = cloud.new_port(network);
    snat.device_owner = Some("network:router_centralized_snat".into());
    assert_eq!(cloud.create_port(snat).fixed_ips.len(), 1, "routers are not autoconfigured");
}

#[test]
fn an_update_keeps_what_is_asked_for_again() {
    let (mut cloud, network, subnet) = with_subnet();
    let auto = slaac(&mut cloud, network, "fd00::/64");
    let mut new = cloud.new_port(network);
    new.mac_address = Some(mac(1));
    new.fixed_ips = Some(vec![exactly("10.0.0.50")]);
    let port = cloud.create_port(new);
    let same = cloud.update_port(port.id, wanting(vec![any_of(subnet)]));
    assert_eq!(addresses(&same), ["10.0.0.50", "fd00::ff:fe00:1"]);
    assert!(cloud.commit.changes.is_empty());
    let more = cloud.update_port(port.id, wanting(vec![exactly("10.0.0.50"), any_of(subnet)]));
    assert_eq!(addresses(&more), ["10.0.0.50", "fd00::ff:fe00:1", "10.0.0.2"]);
    let other = cloud.update_port(port.id, wanting(vec![exactly("10.0.0.60")]));
    assert_eq!(addresses(&other), ["fd00::ff:fe00:1", "10.0.0.60"]);
    assert_eq!(cloud.topology.address_holder(subnet, ip("10.0.0.50")), None);
    let none = cloud.update_port(port.id, wanting(Vec::new()));
    assert_eq!(addresses(&none), ["fd00::ff:fe00:1"], "autoconfiguration stays");
    let holder = cloud.port_at(network, vec![exactly("10.0.0.70")]);
    assert_eq!(cloud.refused(patched(port.id, wanting(vec![exactly("10.0.0.70")]))).0, "IpAddressAlreadyAllocated");
    cloud.done(Command::DeletePort { id: holder.id, if_revision: None });
    let taken_over = cloud.update_port(port.id, wanting(vec![exactly("10.0.0.70"), any_of(auto)]));
    assert_eq!(addresses(&taken_over), ["fd00::ff:fe00:1", "10.0.0.70"]);
}

#[test]
fn a_new_link_layer_address_makes_new_autoconfigured_addresses() {
    let (mut cloud, network, _) = with_subnet();
    let auto = slaac(&mut cloud, network, "fd00::/64");
    let mut new = cloud.new_port(network);
    new.mac_address = Some(mac(1));
    let port = cloud.create_port(new);
    let patch = PortPatch { mac_address: Some(mac(2)), ..PortPatch::default() };
    let changed = cloud.update_port(port.id, patch);
    assert_eq!(addresses(&changed), ["10.0.0.2", "fd00::ff:fe00:2"]);
    assert_eq!(cloud.topology.address_holder(auto, ip("fd00::ff:fe00:1")), None);
    // The old addresses sent along, as a client does that puts back what it was shown.
    let patch = PortPatch {
        mac_address: Some(mac(3)),
        fixed_ips: Some(changed.fixed_ips.iter().map(|fixed| (*fixed).into()).collect()),
        ..PortPatch::default()
    };
    let changed = cloud.update_port(port.id, patch);
    assert_eq!(addresses(&changed), ["10.0.0.2", "fd00::ff:fe00:3"]);
}

#[test]
fn subnets_kept_for_a_service_serve_that_service_first() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut kept = cloud.new_subnet(network, "10.0.0.0/24");
    kept.service_types = Some(vec!["compute:nova".into()]);
    cloud.create_subnet(kept);
    let stranger = cloud.new_port(network);
    let text = format!("No valid service subnet for the given device owner, network {network}, service type .");
    assert_eq!(
        cloud.refused(Command::CreatePorts(vec![stranger.clone()])),
        ("IpAddressGenerationFailureNoMatchingSubnet", 409, text)
    );
    cloud.subnet(network, "10.0.1.0/24");
    assert_eq!(addresses(&cloud.create_port(stranger)), ["10.0.1.2"]);
    for owner in ["compute:nova", "network:dhcp"] {
        let mut new = cloud.new_port(network);
        new.device_owner = Some(owner.into());
        assert!(addresses(&cloud.create_port(new))[0].starts_with("10.0.0."), "{owner}");
    }
}

#[test]
fn large_prefixes_are_as_quick_as_small_ones() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.subnet(network, "10.0.0.0/8");
    cloud.subnet(network, "fd00::/64");
    let ports: Vec<_> = (0..600).map(|_| cloud.new_port(network)).collect();
    cloud.done(Command::CreatePorts(ports));
    assert_eq!(addresses(&cloud.port(network)), ["10.0.2.90", "fd00::259"]);
}
