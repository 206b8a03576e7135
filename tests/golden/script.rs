//! The text of a case: one command a line.
//!
//! ```text
//! hypervisor NAME ENCAP-IP
//! network NAME
//! subnet NETWORK PREFIX
//! port NAME NETWORK [host=NAME] [mac=MAC] [ip=ADDRESS,...] [pair=PREFIX[@MAC],...] [security=off] [admin=down]
//! plug PORT HOST OFPORT
//! unplug PORT HOST
//! bind PORT HOST|nowhere
//! rename PORT NAME
//! down NETWORK|PORT
//! up NETWORK|PORT
//! delete PORT
//! watch
//! ```
//!
//! After `watch`, every command shows what it rebuilds and what it sends. `#` begins a comment.

use std::collections::BTreeMap;
use uuid::Uuid;
use weir_model::{
    Command, HostName, HypervisorFact, NetworkId, NetworkPatch, NewAddressPair, NewFixedIp, NewNetwork, NewPort,
    NewSubnet, PortId, PortPatch, ProjectId, SubnetId, Vif,
};

/// Ids by name, made in the order in which names appear.
#[derive(Default)]
pub(crate) struct Script {
    networks: BTreeMap<String, NetworkId>,
    ports: BTreeMap<String, PortId>,
    subnets: u128,
}

/// Ids that tell their kind at a glance.
fn uuid(kind: u128, number: u128) -> Uuid {
    Uuid::from_u128(kind << 96 | number)
}

impl Script {
    /// The command of a line, which is neither empty nor `watch`.
    pub(crate) fn command(&mut self, line: &str) -> Command {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["hypervisor", name, encap_ip] => Command::ObserveHypervisor(HypervisorFact {
                name: HostName::from(name),
                system_id: format!("system-of-{name}"),
                encap_ip: encap_ip.parse().expect("an address"),
                bridge_mappings: Vec::new(),
                integration_datapath: None,
                tunnel_datapath: None,
            }),
            ["network", name] => {
                let id = NetworkId(uuid(1, self.networks.len() as u128 + 1));
                self.networks.insert(name.to_owned(), id);
                let mut network = NewNetwork::new(id, project(name));
                network.name = Some(name.to_owned());
                Command::CreateNetworks(vec![network])
            }
            ["subnet", network, prefix] => {
                self.subnets += 1;
                let id = SubnetId(uuid(2, self.subnets));
                let prefix = prefix.parse().expect("a prefix");
                Command::CreateSubnets(vec![NewSubnet::new(id, self.network(network), project(network), prefix)])
            }
            ["port", name, network, ref options @ ..] => self.port(name, network, options),
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
        }
    }

    fn network(&self, name: &str) -> NetworkId {
        self.networks[name]
    }

    fn update(&self, port: &str, patch: PortPatch) -> Command {
        Command::UpdatePort { id: self.ports[port], patch: Box::new(patch), if_revision: None }
    }

    fn administer(&self, name: &str, up: bool) -> Command {
        let up = Some(up);
        match self.networks.get(name) {
            Some(&id) => {
                let patch = NetworkPatch { admin_state_up: up, ..NetworkPatch::default() };
                Command::UpdateNetwork { id, patch, if_revision: None }
            }
            None => self.update(name, PortPatch { admin_state_up: up, ..PortPatch::default() }),
        }
    }

    fn port(&mut self, name: &str, network: &str, options: &[&str]) -> Command {
        let number = self.ports.len() as u128 + 1;
        let id = PortId(uuid(3, number));
        self.ports.insert(name.to_owned(), id);
        let mut port = NewPort::new(id, self.network(network), project(network));
        port.name = Some(name.to_owned());
        port.mac_address = Some(format!("aa:00:00:00:00:{number:02x}").parse().expect("an address"));
        for option in options {
            let (key, value) = option.split_once('=').expect("an option is KEY=VALUE");
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
                _ => panic!("no such option: {option}"),
            }
        }
        Command::CreatePorts(vec![port])
    }
}

/// Every network has a project of its own.
fn project(network: &str) -> ProjectId {
    ProjectId::from(format!("owner-of-{network}").as_str())
}

fn pair(text: &str) -> NewAddressPair {
    let (prefix, mac) = text.split_once('@').map_or((text, None), |(prefix, mac)| (prefix, Some(mac)));
    NewAddressPair {
        ip_address: prefix.parse().expect("a prefix"),
        mac_address: mac.map(|mac| mac.parse().expect("a link-layer address")),
    }
}
