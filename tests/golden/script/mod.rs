//! The text of a case: one command a line.
//!
//! ```text
//! hypervisor NAME ENCAP-IP
//! project NAME
//! network NAME [mtu=BYTES]
//! subnet NETWORK PREFIX [dhcp=off] [gateway=ADDRESS|none] [ra=slaac|dhcpv6-stateful|dhcpv6-stateless]
//! port NAME NETWORK [host=NAME] [mac=MAC] [ip=ADDRESS,...] [pair=PREFIX[@MAC],...] [security=off] [admin=down]
//!     [groups=GROUP,...|none]
//! plug PORT HOST OFPORT
//! unplug PORT HOST
//! bind PORT HOST|nowhere
//! rename PORT NAME
//! down NETWORK|PORT|ROUTER
//! up NETWORK|PORT|ROUTER
//! delete PORT
//! router NAME [admin=down]
//! interface ROUTER NETWORK [PREFIX]
//! interface ROUTER port PORT
//! without ROUTER NETWORK [PREFIX]
//! route ROUTER PREFIX via ADDRESS
//! group NAME [stateless]
//! addresses NAME PREFIX,...
//! rule GROUP ingress|egress v4|v6 [tcp|udp|icmp|NUMBER [MIN[-MAX]]] [from|to PREFIX|group NAME|addresses NAME]
//! unrule ...
//! watch
//! ```
//!
//! After `watch`, every command shows what it rebuilds and what it sends. `#` begins a comment.
//!
//! A network has a project of its own unless there was a `project` line, which goes for everything after it; routers,
//! groups and addresses need one. An interface has the gateway's address, and without a prefix there is one for each
//! subnet. The group `default` is the project's. `unrule` takes the words of a `rule` and deletes that one; a second
//! line for an address group replaces what is in it.

mod routing;
mod security;

use std::collections::BTreeMap;
use uuid::Uuid;
use weir_model::{
    AddressGroupId, Command, HostName, HypervisorFact, Ipv6Mode, NetworkId, NetworkPatch, NewAddressPair, NewFixedIp,
    NewNetwork, NewPort, NewSubnet, PortId, PortPatch, ProjectId, RouterId, RouterPatch, SecurityGroupId, SubnetId,
    Topology, Vif,
};

/// Ids by name, made in the order in which names appear.
#[derive(Default)]
pub(crate) struct Script {
    project: Option<ProjectId>,
    networks: BTreeMap<String, NetworkId>,
    ports: BTreeMap<String, PortId>,
    routers: BTreeMap<String, RouterId>,
    groups: BTreeMap<String, SecurityGroupId>,
    addresses: BTreeMap<String, AddressGroupId>,
    subnets: u128,
    interfaces: u128,
    rules: u128,
}

/// Ids that tell their kind at a glance.
fn uuid(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(kind << 96 | number)
}

impl Script {
    /// The commands of a line, which is neither empty nor `watch`.
    pub(crate) fn commands(&mut self, line: &str, topology: &Topology) -> Vec<Command> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let one = match words[..] {
            ["project", name] => {
                self.project = Some(ProjectId::from(name));
                return Vec::new();
            }
            ["interface" | "without", ..] => return self.interface(&words, topology),
            ["router" | "route", ..] => self.routing(&words),
            ["group" | "addresses" | "rule" | "unrule", ..] => self.security(&words, topology),
            ["hypervisor", name, encap_ip] => Command::ObserveHypervisor(HypervisorFact {
                name: HostName::from(name),
                system_id: format!("system-of-{name}"),
                encap_ip: encap_ip.parse().expect("an address"),
                bridge_mappings: Vec::new(),
                integration_datapath: None,
                tunnel_datapath: None,
            }),
            ["network", name, ref options @ ..] => self.new_network(name, options),
            ["subnet", network, prefix, ref options @ ..] => self.new_subnet(network, prefix, options, topology),
            ["port", name, network, ref options @ ..] => self.new_port(name, network, options, topology),
            ["plug", port, host, ofport] => Command::ObserveVif(Vif {
                host: HostName::from(host),
                port: self.ports[port],
                interface: format!("tap-{port}"),
                ofport: ofport.parse().expect("a number"),
            }),
            ["unplug", port, host] => Command::ForgetVif { host: HostName::from(host), port: self.ports[port] },
            ["bind", port, host] => {
                let host = (host != "nowhere").then(|| HostName::from(host));
                self.update(port, PortPatch { binding_host: Some(host), ..PortPatch::default() })
            }
            ["rename", port, name] => {
                self.update(port, PortPatch { name: Some(name.to_owned()), ..PortPatch::default() })
            }
            ["up", name] => self.administer(name, true),
            ["down", name] => self.administer(name, false),
            ["delete", port] => Command::DeletePort { id: self.ports[port], if_revision: None },
            _ => panic!("no such command: {line}"),
        };
        vec![one]
    }

    fn update(&self, port: &str, patch: PortPatch) -> Command {
        Command::UpdatePort { id: self.ports[port], patch: Box::new(patch), if_revision: None }
    }

    fn administer(&self, name: &str, up: bool) -> Command {
        let up = Some(up);
        if let Some(&id) = self.networks.get(name) {
            let patch = NetworkPatch { admin_state_up: up, ..NetworkPatch::default() };
            return Command::UpdateNetwork { id, patch, if_revision: None };
        }
        if let Some(&id) = self.routers.get(name) {
            let patch = RouterPatch { admin_state_up: up, ..RouterPatch::default() };
            return Command::UpdateRouter { id, patch, if_revision: None };
        }
        self.update(name, PortPatch { admin_state_up: up, ..PortPatch::default() })
    }

    fn new_network(&mut self, name: &str, options: &[&str]) -> Command {
        let id = NetworkId(uuid(1, self.networks.len() as u128 + 1));
        self.networks.insert(name.to_owned(), id);
        let own = || ProjectId::from(format!("owner-of-{name}").as_str());
        let mut network = NewNetwork::new(id, self.project.clone().unwrap_or_else(own));
        network.name = Some(name.to_owned());
        for (key, value) in options.iter().map(|option| key_and_value(option)) {
            match key {
                "mtu" => network.mtu = Some(value.parse().expect("a number of bytes")),
                _ => panic!("no such option: {key}"),
            }
        }
        Command::CreateNetworks(vec![network])
    }

    fn new_subnet(&mut self, network: &str, prefix: &str, options: &[&str], topology: &Topology) -> Command {
        self.subnets += 1;
        let id = SubnetId(uuid(2, self.subnets));
        let prefix = prefix.parse().expect("a prefix");
        let owner = self.owner(network, topology);
        let mut subnet = NewSubnet::new(id, self.networks[network], owner, prefix);
        for (key, value) in options.iter().map(|option| key_and_value(option)) {
            match (key, value) {
                ("dhcp", "off") => subnet.enable_dhcp = Some(false),
                ("gateway", "none") => subnet.gateway_ip = Some(None),
                ("gateway", address) => subnet.gateway_ip = Some(Some(address.parse().expect("an address"))),
                ("ra", mode) => {
                    let mode = match mode {
                        "slaac" => Ipv6Mode::Slaac,
                        "dhcpv6-stateful" => Ipv6Mode::Dhcpv6Stateful,
                        "dhcpv6-stateless" => Ipv6Mode::Dhcpv6Stateless,
                        _ => panic!("no such mode: {mode}"),
                    };
                    (subnet.ipv6_ra_mode, subnet.ipv6_address_mode) = (Some(mode), Some(mode));
                }
                _ => panic!("no such option: {key}={value}"),
            }
        }
        Command::CreateSubnets(vec![subnet])
    }

    fn new_port(&mut self, name: &str, network: &str, options: &[&str], topology: &Topology) -> Command {
        let number = self.ports.len() as u128 + 1;
        let id = PortId(uuid(3, number));
        self.ports.insert(name.to_owned(), id);
        let owner = self.owner(network, topology);
        let mut port = NewPort::new(id, self.networks[network], owner.clone());
        port.name = Some(name.to_owned());
        port.mac_address = Some(format!("aa:00:00:00:00:{number:02x}").parse().expect("an address"));
        for (key, value) in options.iter().map(|option| key_and_value(option)) {
            match key {
                "host" => port.binding_host = Some(HostName::from(value)),
                "mac" => port.mac_address = Some(value.parse().expect("a link-layer address")),
                "ip" => {
                    let fixed = |address: &str| NewFixedIp {
                        subnet_id: None,
                        ip_address: Some(address.parse().expect("an address")),
                    };
                    port.fixed_ips = Some(value.split(',').map(fixed).collect());
                }
                "pair" => port.allowed_address_pairs = Some(value.split(',').map(pair).collect()),
                "security" => port.port_security_enabled = Some(value != "off"),
                "admin" => port.admin_state_up = Some(value != "down"),
                "groups" => {
                    let groups = value.split(',').filter(|group| *group != "none");
                    port.security_groups = Some(groups.map(|group| self.group(group, &owner, topology)).collect());
                }
                _ => panic!("no such option: {key}"),
            }
        }
        Command::CreatePorts(vec![port])
    }

    /// The project that a network is of.
    fn owner(&self, network: &str, topology: &Topology) -> ProjectId {
        topology.network(self.networks[network]).expect("the network is there").project_id.clone()
    }

    /// The project of what is no part of a network.
    fn project(&self) -> ProjectId {
        self.project.clone().expect("a line says the project")
    }
}

fn key_and_value(option: &str) -> (&str, &str) {
    option.split_once('=').expect("an option is KEY=VALUE")
}

fn pair(text: &str) -> NewAddressPair {
    let (prefix, mac) = text.split_once('@').map_or((text, None), |(prefix, mac)| (prefix, Some(mac)));
    NewAddressPair {
        ip_address: prefix.parse().expect("a prefix"),
        mac_address: mac.map(|mac| mac.parse().expect("a link-layer address")),
    }
}
