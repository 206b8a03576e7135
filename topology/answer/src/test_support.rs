//! A small cloud, and frames of its VMs.

use crate::frame::{self, Link};
use bytes::Bytes;
use smoltcp::wire::IpProtocol;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    Binding, ExtraDhcpOption, FixedIp, HostRoute, Ipv6Mode, Limits, MacAddress, Network, NetworkId, NetworkKey, Port,
    PortId, PortKey, PortStatus, Record, Revision, Router, RouterId, RouterKey, Segment, Subnet, SubnetId, Timestamp,
    Topology, Vni, VnicType,
};

/// The VM's port.
pub(crate) const VM: PortKey = PortKey(1);
/// The VM's link-layer address.
pub(crate) const VM_MAC: MacAddress = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 1]);
/// The interface of the router on the VM's network.
pub(crate) const GATEWAY_MAC: MacAddress = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfe]);
/// The router of the VM's network, and of another one.
pub(crate) const ROUTER: RouterKey = RouterKey(1);
/// The VM's network.
pub(crate) const RED: NetworkKey = NetworkKey(1);
/// The network behind the router.
pub(crate) const BLUE: NetworkKey = NetworkKey(2);
/// Everybody.
pub(crate) const BROADCAST: MacAddress = MacAddress([0xff; 6]);

const IPV4_SUBNET: SubnetId = SubnetId(Uuid::from_u128(0x10));
const IPV6_SUBNET: SubnetId = SubnetId(Uuid::from_u128(0x11));
const BLUE_SUBNET: SubnetId = SubnetId(Uuid::from_u128(0x12));

/// Records to change before the topology is made.
pub(crate) struct Cloud {
    pub(crate) network: Network,
    pub(crate) ipv4: Subnet,
    pub(crate) ipv6: Subnet,
    pub(crate) vm: Port,
    pub(crate) router: Router,
    /// The interfaces of the router: with IPv4 and with IPv6 on the VM's network, with IPv4 behind.
    pub(crate) interfaces: Vec<Port>,
    pub(crate) subnets: Vec<Subnet>,
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn network(key: NetworkKey) -> Network {
    Network {
        id: NetworkId(Uuid::from_u128(key.0.into())),
        key,
        project_id: "red".into(),
        name: String::new(),
        description: String::new(),
        admin_state_up: true,
        mtu: 1450,
        shared: false,
        external: false,
        port_security_enabled: true,
        segment: Segment::Vxlan { vni: Vni(key.0) },
        availability_zone_hints: Vec::new(),
        dns_domain: String::new(),
        tags: Default::default(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision_number: 0,
    }
}

pub(crate) fn subnet(id: SubnetId, of: NetworkKey, cidr: &str, gateway: Option<&str>) -> Subnet {
    Subnet {
        id,
        network_id: NetworkId(Uuid::from_u128(of.0.into())),
        project_id: "red".into(),
        name: String::new(),
        description: String::new(),
        cidr: cidr.parse().expect("a prefix"),
        gateway_ip: gateway.map(address),
        enable_dhcp: true,
        allocation_pools: Vec::new(),
        dns_nameservers: Vec::new(),
        host_routes: Vec::new(),
        ipv6_ra_mode: None,
        ipv6_address_mode: None,
        service_types: Vec::new(),
        dns_publish_fixed_ip: false,
        tags: Default::default(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision_number: 0,
    }
}

pub(crate) fn port(key: PortKey, of: NetworkKey, mac: MacAddress, fixed: &[(SubnetId, &str)]) -> Port {
    let fixed = fixed.iter().map(|(subnet_id, ip)| FixedIp { subnet_id: *subnet_id, ip_address: address(ip) });
    Port {
        id: PortId(Uuid::from_u128(key.0.into())),
        key,
        network_id: NetworkId(Uuid::from_u128(of.0.into())),
        project_id: "red".into(),
        name: String::new(),
        description: String::new(),
        admin_state_up: true,
        mac_address: mac,
        fixed_ips: fixed.collect(),
        allowed_address_pairs: Vec::new(),
        port_security_enabled: true,
        security_groups: Vec::new(),
        device_id: String::new(),
        device_owner: String::new(),
        binding: Binding { host: None, vnic_type: VnicType::Normal, profile: "{}".to_owned() },
        extra_dhcp_opts: Vec::new(),
        dns_name: String::new(),
        status: PortStatus::Down,
        tags: Default::default(),
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        revision_number: 0,
    }
}

pub(crate) fn options(options: &[(&str, &str)], ip_version: u8) -> Vec<ExtraDhcpOption> {
    let option = |(name, value): &(&str, &str)| ExtraDhcpOption {
        name: (*name).to_owned(),
        value: (*value).to_owned(),
        ip_version,
    };
    options.iter().map(option).collect()
}

pub(crate) fn port_with_options(named: &[(&str, &str)], ip_version: u8) -> Port {
    let extra_dhcp_opts = options(named, ip_version);
    Port { extra_dhcp_opts, ..port(VM, RED, VM_MAC, &[]) }
}

impl Cloud {
    pub(crate) fn new() -> Self {
        let router_id = RouterId(Uuid::from_u128(0x99));
        let mut ipv6 = subnet(IPV6_SUBNET, RED, "2001:db8:1::/64", Some("2001:db8:1::1"));
        ipv6.ipv6_ra_mode = Some(Ipv6Mode::Dhcpv6Stateful);
        ipv6.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateful);
        ipv6.dns_nameservers = vec![address("2001:db8::53")];
        let mut ipv4 = subnet(IPV4_SUBNET, RED, "10.0.0.0/24", Some("10.0.0.1"));
        ipv4.dns_nameservers = vec![address("192.0.2.53"), address("192.0.2.54")];
        ipv4.host_routes =
            vec![HostRoute { destination: "10.9.0.0/16".parse().expect("a prefix"), nexthop: address("10.0.0.9") }];
        let interface = |key, of, mac, fixed: (SubnetId, &str)| Port {
            device_owner: "network:router_interface_distributed".to_owned(),
            device_id: router_id.to_string(),
            ..port(PortKey(key), of, mac, &[fixed])
        };
        let second = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfd]);
        let behind = MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfc]);
        Self {
            network: network(RED),
            ipv4,
            ipv6,
            vm: port(VM, RED, VM_MAC, &[(IPV4_SUBNET, "10.0.0.5"), (IPV6_SUBNET, "2001:db8:1::5")]),
            router: Router {
                id: router_id,
                key: ROUTER,
                project_id: "red".into(),
                name: String::new(),
                description: String::new(),
                admin_state_up: true,
                routes: Vec::new(),
                distributed: true,
                ha: false,
                availability_zone_hints: Vec::new(),
                tags: Default::default(),
                created_at: Timestamp(0),
                updated_at: Timestamp(0),
                revision_number: 0,
            },
            interfaces: vec![
                interface(11, RED, GATEWAY_MAC, (IPV4_SUBNET, "10.0.0.1")),
                interface(12, RED, second, (IPV6_SUBNET, "2001:db8:1::1")),
                interface(13, BLUE, behind, (BLUE_SUBNET, "10.1.0.1")),
            ],
            subnets: vec![subnet(BLUE_SUBNET, BLUE, "10.1.0.0/24", Some("10.1.0.1"))],
        }
    }

    pub(crate) fn topology(&self) -> Topology {
        let mut blue = network(BLUE);
        blue.mtu = 1000;
        let subnets = [&self.ipv4, &self.ipv6].into_iter().chain(&self.subnets);
        let ports = self.interfaces.iter().chain([&self.vm]);
        let records = [Record::Network(Arc::new(self.network.clone())), Record::Network(Arc::new(blue))]
            .into_iter()
            .chain(subnets.map(|subnet| Record::Subnet(Arc::new(subnet.clone()))))
            .chain([Record::Router(Arc::new(self.router.clone()))])
            .chain(ports.map(|port| Record::Port(Arc::new(port.clone()))));
        Topology::load(Limits::default(), records, Revision(1)).expect("records that agree")
    }
}

pub(crate) const fn from_vm(destination: MacAddress) -> Link {
    Link { source: VM_MAC, destination }
}

/// A message of a DHCP client of the VM.
pub(crate) fn dhcpv4_frame(source: Ipv4Addr, destination: Ipv4Addr, payload: &[u8]) -> Bytes {
    let segment = frame::udp_datagram((source.into(), 68), (destination.into(), 67), payload).expect("short");
    frame::ipv4(from_vm(BROADCAST), source, destination, IpProtocol::Udp, 0, &segment).expect("short")
}

/// A message of a DHCPv6 client of the VM.
pub(crate) fn dhcpv6_frame(destination: Ipv6Addr, payload: &[u8]) -> Bytes {
    let source = VM_MAC.link_local();
    let segment = frame::udp_datagram((source.into(), 546), (destination.into(), 547), payload).expect("short");
    frame::ipv6(from_vm(MacAddress([0x33, 0x33, 0, 1, 0, 2])), source, destination, IpProtocol::Udp, 1, &segment)
        .expect("short")
}
