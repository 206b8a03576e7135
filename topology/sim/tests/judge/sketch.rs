//! Topologies made by hand, record by record.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use uuid::Uuid;
use weir_model::{
    AddressGroup, AddressGroupId, AddressGroupKey, AddressPair, Binding, Command, Direction, Ethertype, FixedIp,
    Generation, GroupKey, HostKey, HostName, Hypervisor, Ipv6Mode, Limits, MacAddress, Network, NetworkId, NetworkKey,
    Port, PortId, PortKey, PortStatus, ProjectId, Protocol, Record, Remote, Request, Revision, Route, Router, RouterId,
    RouterKey, RuleKey, SecurityGroup, SecurityGroupId, SecurityGroupRule, SecurityGroupRuleId, SecuritySet, Segment,
    SetKey, Subnet, SubnetId, Timestamp, Topology, Vif, Vni, VnicType,
};

/// What a topology will have. Everything has a number, of which its id, its key and its addresses are made.
#[derive(Clone, Default)]
pub(crate) struct Sketch {
    pub(crate) networks: Vec<Network>,
    pub(crate) subnets: Vec<Subnet>,
    pub(crate) ports: Vec<Port>,
    pub(crate) routers: Vec<Router>,
    pub(crate) groups: Vec<SecurityGroup>,
    pub(crate) rules: Vec<SecurityGroupRule>,
    pub(crate) address_groups: Vec<AddressGroup>,
    pub(crate) unplugged: BTreeSet<PortId>,
}

const NEVER: Timestamp = Timestamp(0);

fn uuid(kind: u64, number: u32) -> Uuid {
    Uuid::from_u64_pair(kind, number.into())
}

pub(crate) fn port_id(number: u32) -> PortId {
    PortId(uuid(1, number))
}

pub(crate) fn network_id(number: u32) -> NetworkId {
    NetworkId(uuid(2, number))
}

pub(crate) fn group_id(number: u32) -> SecurityGroupId {
    SecurityGroupId(uuid(3, number))
}

pub(crate) fn mac(number: u32) -> MacAddress {
    MacAddress([0xfa, 0x16, 0x3e, 0, 0, number as u8])
}

/// `10.0.net.host`.
pub(crate) fn v4(net: u32, host: u32) -> IpAddr {
    [10, 0, net as u8, host as u8].into()
}

/// `fd00:net::host`.
pub(crate) fn v6(net: u32, host: u32) -> IpAddr {
    [0xfd00, net as u16, 0, 0, 0, 0, 0, host as u16].into()
}

fn project() -> ProjectId {
    ProjectId::from("project")
}

fn host_name(number: u32) -> HostName {
    HostName::from(format!("host{number}").as_str())
}

/// The network's subnets have the numbers of the network, IPv4 and IPv6.
fn subnet_id(net: u32, is_v6: bool) -> SubnetId {
    SubnetId(uuid(4 + u64::from(is_v6), net))
}

impl Sketch {
    /// A network with `10.0.number.0/24` and `fd00:number::/64`, whose gateways are `.1` and `::1`.
    pub(crate) fn network(&mut self, number: u32) -> &mut Network {
        for is_v6 in [false, true] {
            let cidr = if is_v6 { format!("fd00:{number:x}::/64") } else { format!("10.0.{number}.0/24") };
            self.subnets.push(Subnet {
                id: subnet_id(number, is_v6),
                network_id: network_id(number),
                project_id: project(),
                name: String::new(),
                description: String::new(),
                cidr: cidr.parse().unwrap(),
                gateway_ip: Some(if is_v6 { v6(number, 1) } else { v4(number, 1) }),
                enable_dhcp: false,
                allocation_pools: Vec::new(),
                dns_nameservers: Vec::new(),
                host_routes: Vec::new(),
                ipv6_ra_mode: None,
                ipv6_address_mode: None,
                service_types: Vec::new(),
                dns_publish_fixed_ip: false,
                tags: BTreeSet::new(),
                created_at: NEVER,
                updated_at: NEVER,
                revision_number: 0,
            });
        }
        self.networks.push(Network {
            id: network_id(number),
            key: NetworkKey(number),
            project_id: project(),
            name: String::new(),
            description: String::new(),
            admin_state_up: true,
            mtu: 1450,
            shared: false,
            external: false,
            port_security_enabled: true,
            segment: Segment::Vxlan { vni: Vni(number) },
            availability_zone_hints: Vec::new(),
            dns_domain: String::new(),
            tags: BTreeSet::new(),
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        self.networks.last_mut().unwrap()
    }

    /// Serves DHCP and advertises routers in both subnets of a network.
    pub(crate) fn serve(&mut self, net: u32) {
        for subnet in self.subnets.iter_mut().filter(|subnet| subnet.network_id == network_id(net)) {
            subnet.enable_dhcp = true;
            let mode = subnet.is_ipv6().then_some(Ipv6Mode::Dhcpv6Stateful);
            (subnet.ipv6_ra_mode, subnet.ipv6_address_mode) = (mode, mode);
        }
    }

    /// The port `number` of a VM on a hypervisor, with the addresses that end in its number.
    pub(crate) fn vm(&mut self, number: u32, net: u32, host: u32) -> &mut Port {
        self.port(number, net, number).binding.host = Some(host_name(host));
        self.ports.last_mut().unwrap()
    }

    /// The interface of a router in a network, with the addresses that end in `host`.
    pub(crate) fn interface(&mut self, number: u32, router: u32, net: u32, host: u32) -> &mut Port {
        let port = self.port(number, net, host);
        port.device_id = RouterId(uuid(6, router)).to_string();
        port.device_owner = "network:router_interface_distributed".to_owned();
        (port.port_security_enabled, port.security_groups) = (false, Vec::new());
        port
    }

    fn port(&mut self, number: u32, net: u32, host: u32) -> &mut Port {
        let fixed = |is_v6, ip_address| FixedIp { subnet_id: subnet_id(net, is_v6), ip_address };
        self.ports.push(Port {
            id: port_id(number),
            key: PortKey(number),
            network_id: network_id(net),
            project_id: project(),
            name: String::new(),
            description: String::new(),
            admin_state_up: true,
            mac_address: mac(number),
            fixed_ips: vec![fixed(false, v4(net, host)), fixed(true, v6(net, host))],
            allowed_address_pairs: Vec::new(),
            port_security_enabled: true,
            security_groups: vec![group_id(1)],
            device_id: String::new(),
            device_owner: String::new(),
            binding: Binding { host: None, vnic_type: VnicType::Normal, profile: "{}".to_owned() },
            extra_dhcp_opts: Vec::new(),
            dns_name: String::new(),
            status: PortStatus::Down,
            tags: BTreeSet::new(),
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        self.ports.last_mut().unwrap()
    }

    pub(crate) fn pair(&mut self, ip_address: &str, mac_address: MacAddress) {
        let pair = AddressPair { ip_address: ip_address.parse().unwrap(), mac_address };
        self.ports.last_mut().unwrap().allowed_address_pairs.push(pair);
    }

    /// A router with routes by next hops.
    pub(crate) fn router(&mut self, number: u32, routes: &[(&str, IpAddr)]) -> &mut Router {
        let route = |(net, nexthop): &(&str, IpAddr)| Route { destination: net.parse().unwrap(), nexthop: *nexthop };
        self.routers.push(Router {
            id: RouterId(uuid(6, number)),
            key: RouterKey(number),
            project_id: project(),
            name: String::new(),
            description: String::new(),
            admin_state_up: true,
            routes: routes.iter().map(route).collect(),
            distributed: true,
            ha: false,
            availability_zone_hints: Vec::new(),
            tags: BTreeSet::new(),
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        self.routers.last_mut().unwrap()
    }

    pub(crate) fn group(&mut self, number: u32) -> &mut SecurityGroup {
        self.groups.push(SecurityGroup {
            id: group_id(number),
            key: GroupKey(number),
            project_id: project(),
            name: format!("group {number}"),
            description: String::new(),
            stateful: true,
            tags: BTreeSet::new(),
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        self.groups.last_mut().unwrap()
    }

    /// A rule of a group for IPv4, about any protocol and anybody.
    pub(crate) fn rule(&mut self, group: u32, direction: Direction) -> &mut SecurityGroupRule {
        let number = self.rules.len() as u32 + 1;
        self.rules.push(SecurityGroupRule {
            id: SecurityGroupRuleId(uuid(7, number)),
            key: RuleKey(number),
            security_group_id: group_id(group),
            project_id: project(),
            description: String::new(),
            direction,
            ethertype: Ethertype::V4,
            protocol: None,
            port_range_min: None,
            port_range_max: None,
            remote: Remote::Anybody,
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        self.rules.last_mut().unwrap()
    }

    /// A rule about ports, or type and code, of a protocol.
    pub(crate) fn about(&mut self, group: u32, direction: Direction, number: u8, range: (u16, u16)) {
        let rule = self.rule(group, direction);
        rule.protocol = Some(Protocol { number, word: number.to_string() });
        (rule.port_range_min, rule.port_range_max) = (Some(range.0), Some(range.1));
    }

    pub(crate) fn address_group(&mut self, number: u32, addresses: &[&str]) -> AddressGroupId {
        let id = AddressGroupId(uuid(8, number));
        self.address_groups.push(AddressGroup {
            id,
            key: AddressGroupKey(number),
            project_id: project(),
            name: String::new(),
            description: String::new(),
            addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
            tags: BTreeSet::new(),
            created_at: NEVER,
            updated_at: NEVER,
            revision_number: 0,
        });
        id
    }

    /// One set for each combination of groups.
    fn sets(&self) -> Vec<SecuritySet> {
        let ports = self.ports.iter().filter(|port| port.port_security_enabled);
        let combinations: BTreeSet<BTreeSet<_>> =
            ports.map(|port| port.security_groups.iter().copied().collect()).collect();
        (1..)
            .zip(combinations)
            .map(|(key, groups)| SecuritySet { key: SetKey(key), groups, generation: Some(Generation(key)) })
            .collect()
    }

    /// The topology, with every port plugged where it is bound.
    pub(crate) fn topology(&self) -> Topology {
        let hosts = (1..=3).map(|number| Hypervisor {
            name: host_name(number),
            key: HostKey(number),
            system_id: format!("system{number}"),
            encap_ip: [192, 0, 2, number as u8].into(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        });
        let records = hosts
            .map(|it| Record::Hypervisor(Arc::new(it)))
            .chain(self.networks.iter().cloned().map(|it| Record::Network(Arc::new(it))))
            .chain(self.subnets.iter().cloned().map(|it| Record::Subnet(Arc::new(it))))
            .chain(self.ports.iter().cloned().map(|it| Record::Port(Arc::new(it))))
            .chain(self.routers.iter().cloned().map(|it| Record::Router(Arc::new(it))))
            .chain(self.groups.iter().cloned().map(|it| Record::SecurityGroup(Arc::new(it))))
            .chain(self.rules.iter().cloned().map(|it| Record::SecurityGroupRule(Arc::new(it))))
            .chain(self.sets().into_iter().map(|it| Record::SecuritySet(Arc::new(it))))
            .chain(self.address_groups.iter().cloned().map(|it| Record::AddressGroup(Arc::new(it))));
        let mut topology = Topology::load(Limits::default(), records, Revision(1)).unwrap();
        for (ofport, port) in (1..).zip(&self.ports) {
            let Some(host) = port.binding.host.clone().filter(|_| !self.unplugged.contains(&port.id)) else { continue };
            let vif = Vif { host, port: port.id, interface: format!("tap{ofport}"), ofport };
            let request = Request { command: Command::ObserveVif(vif), at: NEVER };
            (topology, _, _) = topology.transact(request).unwrap();
        }
        topology
    }
}
