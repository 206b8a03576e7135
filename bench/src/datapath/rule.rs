//! The rules of the larger group, as data that each network puts in its own words.

use serde_json::{Value, json};

/// An ingress rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// The protocol.
    pub protocol: &'static str,
    /// The first and the last destination port.
    pub ports: Option<(u16, u16)>,
    /// The senders.
    pub prefix: Option<&'static str>,
}

/// The TCP ports of the servers; all are of one rule's range.
pub const SERVER_PORTS: [u16; 8] = [5_000, 5_001, 5_100, 5_255, 5_256, 5_512, 5_900, 5_999];

/// The UDP port of the servers.
pub const DATAGRAM_PORT: u16 = 6_500;

const fn rule(protocol: &'static str, ports: (u16, u16), prefix: Option<&'static str>) -> Rule {
    Rule { protocol, ports: Some(ports), prefix }
}

/// Twenty ingress rules such as tenants have. The servers' ports are allowed by the second and the third.
pub const RULES: [Rule; 20] = [
    Rule { protocol: "icmp", ports: None, prefix: Some("10.0.0.0/8") },
    rule("tcp", (5_000, 5_999), Some("10.0.0.0/8")),
    rule("udp", (6_000, 6_999), Some("10.0.0.0/8")),
    rule("tcp", (22, 22), Some("192.168.0.0/16")),
    rule("tcp", (80, 80), None),
    rule("tcp", (443, 443), None),
    rule("tcp", (1_024, 2_047), Some("172.16.0.0/12")),
    rule("tcp", (3_306, 3_306), Some("10.31.0.0/24")),
    rule("tcp", (4_200, 4_300), Some("10.30.0.0/25")),
    rule("tcp", (6_379, 6_379), Some("10.31.0.0/25")),
    rule("tcp", (8_080, 8_099), Some("10.0.0.0/8")),
    rule("tcp", (9_000, 9_999), Some("172.16.0.0/12")),
    rule("tcp", (11_211, 11_211), Some("10.31.0.0/24")),
    rule("tcp", (30_000, 32_767), Some("10.31.0.0/16")),
    rule("udp", (53, 53), None),
    rule("udp", (123, 123), None),
    rule("udp", (161, 162), Some("192.168.10.0/24")),
    rule("udp", (514, 514), Some("192.168.0.0/16")),
    rule("udp", (4_789, 4_789), Some("172.16.5.0/24")),
    rule("udp", (33_434, 33_534), None),
];

impl Rule {
    /// The attributes of the rule in Neutron's API.
    pub fn attributes(&self, group: &str) -> Value {
        let mut attributes = json!({
            "security_group_id": group,
            "direction": "ingress",
            "ethertype": "IPv4",
            "protocol": self.protocol,
        });
        if let Some((first, last)) = self.ports {
            attributes["port_range_min"] = first.into();
            attributes["port_range_max"] = last.into();
        }
        if let Some(prefix) = self.prefix {
            attributes["remote_ip_prefix"] = prefix.into();
        }
        attributes
    }

    /// The match of an OVN ACL that says the same of packets to the ports of a port group.
    pub fn acl_match(&self, port_group: &str) -> String {
        let protocol = if self.protocol == "icmp" { "icmp4" } else { self.protocol };
        let mut text = format!("outport == @{port_group} && ip4 && {protocol}");
        if let Some(prefix) = self.prefix {
            text.push_str(&format!(" && ip4.src == {prefix}"));
        }
        match self.ports {
            Some((first, last)) if first == last => text.push_str(&format!(" && {protocol}.dst == {first}")),
            Some((first, last)) => {
                text.push_str(&format!(" && {protocol}.dst >= {first} && {protocol}.dst <= {last}"));
            }
            None => {}
        }
        text
    }
}
