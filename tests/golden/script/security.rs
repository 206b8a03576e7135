//! Security groups in the text of a case.

use super::{Script, uuid};
use ipnet::IpNet;
use std::collections::BTreeSet;
use weir_model::{
    AddressGroupId, AddressGroupPatch, Command, Direction, Ethertype, NewAddressGroup, NewSecurityGroup,
    NewSecurityGroupRule, ProjectId, Protocol, Remote, SecurityGroupId, SecurityGroupRuleId, Topology,
};

impl Script {
    /// `group`, `addresses`, `rule` and `unrule`.
    pub(super) fn security(&mut self, words: &[&str], topology: &Topology) -> Command {
        match *words {
            ["group", name, ref options @ ..] => {
                let id = SecurityGroupId(uuid(6, self.groups.len() as u128 + 1));
                self.groups.insert(name.to_owned(), id);
                let mut group = NewSecurityGroup::new(id, self.project());
                group.name = Some(name.to_owned());
                group.stateful = Some(options != ["stateless"]);
                Command::CreateSecurityGroups(vec![group])
            }
            ["addresses", name, addresses] => {
                let addresses = addresses.split(',').map(|address| address.parse().expect("a prefix")).collect();
                self.address_group(name, addresses, topology)
            }
            ["rule", group, ref words @ ..] => {
                Command::CreateSecurityGroupRules(vec![self.rule(group, words, topology)])
            }
            ["unrule", group, ref words @ ..] => {
                let rule = self.rule(group, words, topology);
                let same = topology.rules_of(rule.security_group_id).find(|other| {
                    let number = |protocol: &Option<Protocol>| protocol.as_ref().map(|protocol| protocol.number);
                    other.direction == rule.direction
                        && other.ethertype == rule.ethertype
                        && number(&other.protocol) == number(&rule.protocol)
                        && other.port_range_min == rule.port_range_min
                        && other.port_range_max == rule.port_range_max
                        && other.remote == rule.remote
                });
                let id = same.unwrap_or_else(|| panic!("no such rule: {}", words.join(" "))).id;
                Command::DeleteSecurityGroupRule { id, if_revision: None }
            }
            _ => panic!("no such command: {}", words.join(" ")),
        }
    }

    /// The id of a group; `default` is the one of the project.
    pub(super) fn group(&self, name: &str, project: &ProjectId, topology: &Topology) -> SecurityGroupId {
        if name == "default" {
            return topology.default_security_group(project.as_str()).expect("the group is there").id;
        }
        self.groups[name]
    }

    fn address_group(&mut self, name: &str, addresses: BTreeSet<IpNet>, topology: &Topology) -> Command {
        if let Some(&id) = self.addresses.get(name) {
            let there = &topology.address_group(id).expect("the address group is there").addresses;
            let patch = AddressGroupPatch {
                add: addresses.difference(there).copied().collect(),
                remove: there.difference(&addresses).copied().collect(),
                ..AddressGroupPatch::default()
            };
            return Command::UpdateAddressGroup { id, patch, if_revision: None };
        }
        let id = AddressGroupId(uuid(7, self.addresses.len() as u128 + 1));
        self.addresses.insert(name.to_owned(), id);
        let mut group = NewAddressGroup::new(id, self.project());
        group.name = Some(name.to_owned());
        group.addresses = Some(addresses);
        Command::CreateAddressGroups(vec![group])
    }

    fn rule(&mut self, group: &str, words: &[&str], topology: &Topology) -> NewSecurityGroupRule {
        self.rules += 1;
        let project = self.project();
        let (words, remote) = match *words {
            [ref words @ .., "from" | "to", "group", name] => {
                (words, Remote::Group(self.group(name, &project, topology)))
            }
            [ref words @ .., "from" | "to", "addresses", name] => (words, Remote::Addresses(self.addresses[name])),
            [ref words @ .., "from" | "to", prefix] => (words, Remote::Prefix(prefix.parse().expect("a prefix"))),
            _ => (words, Remote::Anybody),
        };
        let (direction, version, protocol, ports) = match *words {
            [direction, version] => (direction, version, None, None),
            [direction, version, protocol] => (direction, version, Some(protocol), None),
            [direction, version, protocol, ports] => (direction, version, Some(protocol), Some(ports)),
            _ => panic!("no such rule: {}", words.join(" ")),
        };
        let ethertype = if version == "v6" { Ethertype::V6 } else { Ethertype::V4 };
        let number = |text: &str| text.parse().expect("a number");
        let (min, max) = ports.map_or((None, None), |ports| match ports.split_once('-') {
            Some((min, max)) => (Some(number(min)), Some(number(max))),
            // One number is a port, but the type of ICMP without a code.
            None if protocol == Some("icmp") => (Some(number(ports)), None),
            None => (Some(number(ports)), Some(number(ports))),
        });
        NewSecurityGroupRule {
            id: SecurityGroupRuleId(uuid(8, self.rules)),
            security_group_id: self.group(group, &project, topology),
            project_id: project,
            description: None,
            direction: if direction == "ingress" { Direction::Ingress } else { Direction::Egress },
            ethertype,
            protocol: protocol.map(|word| protocol_of(word, ethertype)),
            port_range_min: min,
            port_range_max: max,
            remote,
        }
    }
}

fn protocol_of(word: &str, ethertype: Ethertype) -> Protocol {
    let number = match (word, ethertype) {
        ("tcp", _) => 6,
        ("udp", _) => 17,
        ("icmp", Ethertype::V4) => 1,
        ("icmp", Ethertype::V6) => 58,
        _ => word.parse().expect("a number"),
    };
    Protocol { number, word: word.to_owned() }
}
