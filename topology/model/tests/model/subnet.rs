//! Subnets.

use crate::cloud::{Cloud, addresses, any_of, exactly, ip, net, sub};
use weir_model::{AllocationPool, Command, HostRoute, Ipv6Mode, NetworkId, NewSubnet, PortPatch, Subnet, SubnetPatch};

fn pool(start: &str, end: &str) -> AllocationPool {
    AllocationPool { start: ip(start), end: ip(end) }
}

fn pools(subnet: &Subnet) -> Vec<String> {
    let texts = subnet.allocation_pools.iter();
    texts.map(|pool| format!("{}-{}", pool.start, pool.end)).collect()
}

fn made(change: impl FnOnce(&mut NewSubnet), cidr: &str) -> std::sync::Arc<Subnet> {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut new = cloud.new_subnet(network, cidr);
    change(&mut new);
    cloud.create_subnet(new)
}

fn refused(change: impl FnOnce(&mut NewSubnet), cidr: &str) -> (&'static str, u16, String) {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut new = cloud.new_subnet(network, cidr);
    change(&mut new);
    cloud.refused(Command::CreateSubnets(vec![new]))
}

fn invalid(text: &str) -> (&'static str, u16, String) {
    ("InvalidInput", 400, format!("Invalid input for operation: {text}."))
}

fn slaac(new: &mut NewSubnet) {
    new.ipv6_ra_mode = Some(Ipv6Mode::Slaac);
    new.ipv6_address_mode = Some(Ipv6Mode::Slaac);
}

fn delete(id: weir_model::SubnetId) -> Command {
    Command::DeleteSubnet { id, if_revision: None }
}

#[test]
fn a_subnet_takes_defaults_and_counts_for_its_network() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let new = cloud.new_subnet(network, "10.1.2.77/24");
    let subnet = cloud.create_subnet(new);
    assert_eq!(subnet.cidr.to_string(), "10.1.2.0/24");
    assert_eq!(subnet.gateway_ip, Some(ip("10.1.2.1")));
    assert_eq!(pools(&subnet), ["10.1.2.2-10.1.2.254"]);
    assert!(subnet.enable_dhcp);
    assert_eq!(subnet.revision_number, 0);
    let network = cloud.topology.network(network).expect("made");
    assert_eq!((network.revision_number, network.updated_at), (2, cloud.now()));
}

#[test]
fn gateways_and_pools_by_default() {
    let odd = |new: &mut NewSubnet| new.enable_dhcp = Some(false);
    let middle = |new: &mut NewSubnet| new.gateway_ip = Some(Some(ip("10.0.0.100")));
    assert_eq!(pools(&made(middle, "10.0.0.0/24")), ["10.0.0.1-10.0.0.99", "10.0.0.101-10.0.0.254"]);
    let none = made(|new| new.gateway_ip = Some(None), "10.0.0.0/24");
    assert_eq!((none.gateway_ip, pools(&none)), (None, vec!["10.0.0.1-10.0.0.254".to_owned()]));
    let far = made(|new| new.gateway_ip = Some(Some(ip("192.0.2.1"))), "10.0.0.0/24");
    assert_eq!(pools(&far), ["10.0.0.1-10.0.0.254"]);
    let pair = made(odd, "10.0.0.0/31");
    assert_eq!((pair.gateway_ip, pools(&pair)), (Some(ip("10.0.0.1")), vec!["10.0.0.0-10.0.0.0".to_owned()]));
    let one = made(odd, "10.0.0.7/32");
    assert_eq!((one.gateway_ip, pools(&one)), (Some(ip("10.0.0.8")), vec!["10.0.0.7-10.0.0.7".to_owned()]));
    let last = made(odd, "255.255.255.255/32");
    assert_eq!(last.gateway_ip, None);
    let six = made(|_| {}, "fd00:1::/64");
    assert_eq!(six.gateway_ip, Some(ip("fd00:1::")));
    assert_eq!(pools(&six), ["fd00:1::1-fd00:1::ffff:ffff:ffff:ffff"]);
    let six = made(|new| new.gateway_ip = Some(Some(ip("fd00:1::1"))), "fd00:1::/64");
    assert_eq!(pools(&six), ["fd00:1::2-fd00:1::ffff:ffff:ffff:ffff"]);
}

#[test]
fn prefixes_that_dhcp_cannot_serve() {
    let length = "Subnet has a prefix length that is incompatible with DHCP service enabled";
    assert_eq!(refused(|_| {}, "10.0.0.0/31"), invalid(length));
    assert_eq!(refused(|_| {}, "fd00::/127"), invalid(length));
    assert_eq!(refused(|_| {}, "224.0.0.0/24"), invalid("Multicast IP subnet is not supported if enable_dhcp is True"));
    assert_eq!(refused(|_| {}, "127.0.0.0/24"), invalid("Loopback IP subnet is not supported if enable_dhcp is True"));
    assert_eq!(
        refused(|_| {}, "0.0.0.0/24"),
        invalid("First IP '0.0.0.0' of network is not supported if enable_dhcp is True.")
    );
    assert_eq!(
        refused(|new| new.enable_dhcp = Some(false), "0.0.0.0/0"),
        invalid("0 is not allowed as CIDR prefix length")
    );
    assert_eq!(refused(|_| {}, "::/64"), invalid("IPv6 subnet '::' is not supported"));
    assert_eq!(
        refused(|new| new.ip_version = Some(6), "10.0.0.0/24"),
        invalid("cidr '10.0.0.0/24' does not match the ip_version '6'")
    );
}

#[test]
fn a_gateway_suits_the_prefix() {
    let with = |gateway: &'static str| move |new: &mut NewSubnet| new.gateway_ip = Some(Some(ip(gateway)));
    let edge = invalid("Gateway is not valid on subnet");
    assert_eq!(refused(with("10.0.0.0"), "10.0.0.0/24"), edge);
    assert_eq!(refused(with("10.0.0.255"), "10.0.0.0/24"), edge);
    assert_eq!(
        refused(with("fd00::1"), "10.0.0.0/24"),
        invalid("gateway_ip 'fd00::1' does not match the ip_version '4'")
    );
}

#[test]
fn pools_are_in_the_prefix_and_apart() {
    let with = |list: Vec<AllocationPool>| move |new: &mut NewSubnet| new.allocation_pools = Some(list);
    assert_eq!(
        refused(with(vec![pool("10.0.0.9", "10.0.0.2")]), "10.0.0.0/24"),
        (
            "InvalidAllocationPool",
            400,
            "The allocation pool {'start': '10.0.0.9', 'end': '10.0.0.2'} is not valid.".to_owned()
        )
    );
    assert_eq!(
        refused(with(vec![pool("10.0.0.9", "10.0.1.2")]), "10.0.0.0/24"),
        (
            "OutOfBoundsAllocationPool",
            400,
            "The allocation pool 10.0.0.9-10.0.1.2 spans beyond the subnet cidr 10.0.0.0/24.".to_owned()
        )
    );
    assert_eq!(refused(with(vec![pool("10.0.0.0", "10.0.0.9")]), "10.0.0.0/24").0, "OutOfBoundsAllocationPool");
    assert_eq!(
        refused(with(vec![pool("10.0.0.20", "10.0.0.30"), pool("10.0.0.5", "10.0.0.20")]), "10.0.0.0/24"),
        (
            "OverlappingAllocationPools",
            409,
            "Found overlapping allocation pools: 10.0.0.5-10.0.0.20 10.0.0.20-10.0.0.30 for \
             subnet 10.0.0.0/24."
                .to_owned()
        )
    );
    assert_eq!(
        refused(with(vec![pool("10.0.0.1", "10.0.0.20")]), "10.0.0.0/24"),
        (
            "GatewayConflictWithAllocationPools",
            409,
            "Gateway ip 10.0.0.1 conflicts with allocation pool 10.0.0.1-10.0.0.20.".to_owned()
        )
    );
    let sorted = made(with(vec![pool("10.0.0.20", "10.0.0.30"), pool("10.0.0.5", "10.0.0.9")]), "10.0.0.0/24");
    assert_eq!(pools(&sorted), ["10.0.0.5-10.0.0.9", "10.0.0.20-10.0.0.30"]);
}

#[test]
fn subnets_of_a_network_do_not_overlap() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    cloud.subnet(network, "10.0.0.0/16");
    let inside = cloud.new_subnet(network, "10.0.3.0/24");
    let text = format!(
        "Requested subnet with cidr: 10.0.3.0/24 for network: {network} overlaps with another \
         subnet"
    );
    assert_eq!(cloud.refused(Command::CreateSubnets(vec![inside])), invalid(&text));
    let around = cloud.new_subnet(network, "10.0.0.0/8");
    assert_eq!(cloud.refused(Command::CreateSubnets(vec![around])).0, "InvalidInput");
    cloud.subnet(network, "10.1.0.0/16");
    let other = cloud.network();
    cloud.subnet(other, "10.0.0.0/16");
    let lost = cloud.new_subnet(net(99), "10.0.0.0/16");
    let text = format!("Network {} could not be found.", net(99));
    assert_eq!(cloud.refused(Command::CreateSubnets(vec![lost])), ("NetworkNotFound", 404, text));
}

#[test]
fn what_is_told_to_vms_is_bounded_and_of_the_family() {
    let servers = |new: &mut NewSubnet| new.dns_nameservers = Some(vec![ip("9.9.9.9"); 6]);
    assert_eq!(
        refused(servers, "10.0.0.0/24"),
        (
            "DNSNameServersExhausted",
            400,
            "Unable to complete operation for new subnet. The number of DNS nameservers exceeds \
             the limit 5."
                .to_owned()
        )
    );
    let route = |destination: &str, nexthop: &str| HostRoute {
        destination: destination.parse().expect("a test's prefix"),
        nexthop: ip(nexthop),
    };
    let routes = |new: &mut NewSubnet| new.host_routes = Some(vec![route("10.9.0.0/16", "10.0.0.9"); 21]);
    assert_eq!(
        refused(routes, "10.0.0.0/24"),
        (
            "HostRoutesExhausted",
            400,
            "Unable to complete operation for new subnet. The number of host routes exceeds the \
             limit 20."
                .to_owned()
        )
    );
    assert_eq!(
        refused(|new| new.dns_nameservers = Some(vec![ip("fd00::9")]), "10.0.0.0/24"),
        invalid("dns_nameserver 'fd00::9' does not match the ip_version '4'")
    );
    assert_eq!(
        refused(|new| new.host_routes = Some(vec![route("10.9.0.0/16", "fd00::1")]), "10.0.0.0/24"),
        invalid("nexthop 'fd00::1' does not match the ip_version '4'")
    );
    assert_eq!(
        refused(|new| new.host_routes = Some(vec![route("fd00::/64", "10.0.0.1")]), "10.0.0.0/24"),
        invalid("destination 'fd00::/64' does not match the ip_version '4'")
    );
    assert_eq!(
        refused(|new| new.service_types = Some(vec!["toaster:bread".into()]), "10.0.0.0/24"),
        (
            "InvalidSubnetServiceType",
            400,
            "Subnet service type toaster:bread does not correspond to a valid device owner.".to_owned()
        )
    );
}

#[test]
fn ipv6_modes_agree_with_each_other_and_the_prefix() {
    assert_eq!(refused(slaac, "10.0.0.0/24"), invalid("ipv6_ra_mode is not valid when ip_version is 4"));
    assert_eq!(
        refused(|new| new.ipv6_address_mode = Some(Ipv6Mode::Slaac), "10.0.0.0/24"),
        invalid("ipv6_address_mode is not valid when ip_version is 4")
    );
    assert_eq!(
        refused(
            |new| {
                slaac(new);
                new.enable_dhcp = Some(false);
            },
            "fd00::/64"
        ),
        invalid("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    );
    assert_eq!(
        refused(
            |new| {
                slaac(new);
                new.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateful);
            },
            "fd00::/64"
        ),
        invalid(
            "ipv6_ra_mode set to 'slaac' with ipv6_address_mode set to 'dhcpv6-stateful' is not \
             valid. If both attributes are set, they must be the same value"
        )
    );
    assert_eq!(
        refused(slaac, "fd00::/56"),
        invalid(
            "Invalid CIDR fd00::/56 for IPv6 address mode. OpenStack uses the EUI-64 address \
             format, which requires the prefix to be /64"
        )
    );
    let stateful = |new: &mut NewSubnet| new.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateful);
    assert_eq!(made(stateful, "fd00::/56").ipv6_address_mode, Some(Ipv6Mode::Dhcpv6Stateful));
}

#[test]
fn a_new_subnet_with_autoconfiguration_reaches_the_ports_already_there() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut vm = cloud.new_port(network);
    vm.mac_address = Some("fa:16:3e:00:00:01".parse().expect("a test's address"));
    let vm = cloud.create_port(vm);
    let mut router = cloud.new_port(network);
    router.device_owner = Some("network:router_interface".into());
    let router = cloud.create_port(router);
    let mut new = cloud.new_subnet(network, "fd00::/64");
    slaac(&mut new);
    let subnet = cloud.create_subnet(new);
    let port = cloud.topology.port(vm.id).expect("made").clone();
    assert_eq!(addresses(&port), ["fd00::f816:3eff:fe00:1"]);
    assert_eq!((port.revision_number, port.updated_at), (2, cloud.now()));
    assert_eq!(cloud.topology.port(router.id), Some(&router));
    let later = cloud.port(network);
    assert_eq!(later.fixed_ips.len(), 1);
    cloud.done(delete(subnet.id));
    let port = cloud.topology.port(vm.id).expect("made");
    assert_eq!((port.fixed_ips.len(), port.revision_number), (0, 3));
    assert_eq!(cloud.topology.ports_of_subnet(subnet.id).count(), 0);
}

fn with_subnet() -> (Cloud, NetworkId, weir_model::SubnetId) {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let subnet = cloud.subnet(network, "10.0.0.0/24");
    (cloud, network, subnet)
}

#[test]
fn new_pools_leave_given_addresses_alone() {
    let (mut cloud, network, subnet) = with_subnet();
    let first = cloud.port(network);
    assert_eq!(addresses(&first), ["10.0.0.2"]);
    let patch = SubnetPatch { allocation_pools: Some(vec![pool("10.0.0.50", "10.0.0.51")]), ..SubnetPatch::default() };
    let after = cloud.update_subnet(subnet, patch);
    assert_eq!((after.revision_number, pools(&after)), (1, vec!["10.0.0.50-10.0.0.51".to_owned()]));
    assert_eq!(addresses(&cloud.port(network)), ["10.0.0.50"]);
    assert_eq!(addresses(&cloud.port(network)), ["10.0.0.51"]);
    let full = cloud.new_port(network);
    let text = format!("No more IP addresses available on network {network}.");
    assert_eq!(cloud.refused(Command::CreatePorts(vec![full.clone()])), ("IpAddressGenerationFailure", 409, text));
    let patch = SubnetPatch { allocation_pools: Some(vec![pool("10.0.0.2", "10.0.0.60")]), ..SubnetPatch::default() };
    cloud.update_subnet(subnet, patch);
    assert_eq!(addresses(&cloud.create_port(full)), ["10.0.0.3"]);
}

#[test]
fn a_gateway_changes_unless_a_router_has_it_or_pools_hold_it() {
    let (mut cloud, network, subnet) = with_subnet();
    let gateway = |gateway: Option<&str>| SubnetPatch { gateway_ip: Some(gateway.map(ip)), ..SubnetPatch::default() };
    let update = |patch| Command::UpdateSubnet { id: subnet, patch, if_revision: None };
    assert_eq!(
        cloud.refused(update(gateway(Some("10.0.0.9")))),
        (
            "GatewayConflictWithAllocationPools",
            409,
            "Gateway ip 10.0.0.9 conflicts with allocation pool 10.0.0.2-10.0.0.254.".to_owned()
        )
    );
    let mut router = cloud.new_port(network);
    router.device_owner = Some("network:router_interface".into());
    router.fixed_ips = Some(vec![exactly("10.0.0.1")]);
    let router = cloud.create_port(router);
    let in_use = format!("Current gateway ip 10.0.0.1 already in use by port {}. Unable to update.", router.id);
    assert_eq!(cloud.refused(update(gateway(None))), ("GatewayIpInUse", 409, in_use));
    cloud.done(update(gateway(Some("10.0.0.1"))));
    cloud.done(Command::DeletePort { id: router.id, if_revision: None });
    assert_eq!(cloud.update_subnet(subnet, gateway(None)).gateway_ip, None);
}

#[test]
fn dhcp_stays_on_with_ipv6_modes() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut new = cloud.new_subnet(network, "fd00::/64");
    slaac(&mut new);
    let id = cloud.create_subnet(new).id;
    let patch = SubnetPatch { enable_dhcp: Some(false), ..SubnetPatch::default() };
    assert_eq!(
        cloud.refused(Command::UpdateSubnet { id, patch, if_revision: None }),
        invalid("Cannot disable enable_dhcp with ipv6 attributes set")
    );
    let patch = SubnetPatch { dns_nameservers: Some(vec![ip("fd00::53"); 6]), ..SubnetPatch::default() };
    assert_eq!(
        cloud.refused(Command::UpdateSubnet { id, patch, if_revision: None }).2,
        format!(
            "Unable to complete operation for {id}. The number of DNS nameservers exceeds the \
             limit 5."
        )
    );
}

#[test]
fn a_subnet_stays_while_ports_use_it() {
    let (mut cloud, network, subnet) = with_subnet();
    let port = cloud.port(network);
    let text = format!(
        "Unable to complete operation on subnet {subnet}: One or more ports have an IP allocation \
         from this subnet."
    );
    assert_eq!(cloud.refused(delete(subnet)), ("SubnetInUse", 409, text.clone()));
    cloud.update_port(port.id, PortPatch { fixed_ips: Some(Vec::new()), ..PortPatch::default() });
    let mut dhcp = cloud.new_port(network);
    dhcp.device_owner = Some("network:dhcp".into());
    let dhcp = cloud.create_port(dhcp);
    cloud.done(delete(subnet));
    assert_eq!(cloud.topology.port(dhcp.id).expect("stays").fixed_ips, []);
    let text = format!("Subnet {subnet} could not be found.");
    assert_eq!(cloud.refused(delete(subnet)), ("SubnetNotFound", 404, text));
}

#[test]
fn a_router_holds_even_a_subnet_with_autoconfiguration() {
    let mut cloud = Cloud::default();
    let network = cloud.network();
    let mut new = cloud.new_subnet(network, "fd00::/64");
    slaac(&mut new);
    let subnet = cloud.create_subnet(new).id;
    let mut router = cloud.new_port(network);
    router.device_owner = Some("network:router_interface".into());
    router.fixed_ips = Some(vec![any_of(subnet)]);
    let router = cloud.create_port(router);
    assert_eq!(addresses(&router), ["fd00::1"]);
    assert_eq!(cloud.refused(delete(subnet)).0, "SubnetInUse");
}

#[test]
fn subnets_are_made_and_changed_at_their_revision() {
    let (mut cloud, _, subnet) = with_subnet();
    let patch = SubnetPatch { name: Some("s".into()), ..SubnetPatch::default() };
    let stale = Command::UpdateSubnet { id: subnet, patch: patch.clone(), if_revision: Some(3) };
    assert_eq!(
        cloud.refused(stale),
        ("RevisionNumberConstraintFailed", 412, "Constrained to 3, but current revision is 0".to_owned())
    );
    cloud.done(Command::UpdateSubnet { id: subnet, patch, if_revision: Some(0) });
    let gone = Command::DeleteSubnet { id: subnet, if_revision: Some(0) };
    assert_eq!(cloud.refused(gone).0, "RevisionNumberConstraintFailed");
    let mut twice = cloud.new_subnet(net(1), "10.9.0.0/24");
    twice.id = subnet;
    let text = format!("Subnet {} already exists.", sub(2));
    assert_eq!(cloud.refused(Command::CreateSubnets(vec![twice])), ("Conflict", 409, text));
}
