//! From a cookie back to the objects of the API.

use crate::cookie::Object;
use crate::{Purpose, Reason, Tag};
use std::fmt;
use weir_model::{
    AddressGroupId, HostName, NetworkId, PortId, RouterId, SecurityGroupId, SecurityGroupRuleId, Topology,
};
use weir_openflow::Cookie;

/// What kind of owner a flow has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum OwnerKind {
    /// The pipeline itself.
    Pipeline,
    /// A port.
    Port,
    /// A network.
    Network,
    /// A hypervisor.
    Hypervisor,
    /// A router.
    Router,
    /// A rule of a security group.
    SecurityGroupRule,
    /// A security group.
    SecurityGroup,
    /// An address group.
    AddressGroup,
    /// An object of Weir's that is not there any more, or not yet.
    Vanished,
    /// Not Weir.
    Foreign,
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pipeline => "pipeline",
            Self::Port => "port",
            Self::Network => "network",
            Self::Hypervisor => "hypervisor",
            Self::Router => "router",
            Self::SecurityGroupRule => "security_group_rule",
            Self::SecurityGroup => "security_group",
            Self::AddressGroup => "address_group",
            Self::Vanished => "vanished",
            Self::Foreign => "foreign",
        })
    }
}

/// Who a flow belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// What kind of owner.
    pub kind: OwnerKind,
    /// What the flow is for; none for foreign ones.
    pub purpose: Option<Purpose>,
    /// Why it drops, if it does.
    pub reason: Option<Reason>,
    /// The port.
    pub port: Option<PortId>,
    /// The network: the owner itself, or that of the port.
    pub network: Option<NetworkId>,
    /// The hypervisor.
    pub host: Option<HostName>,
    /// The router: the owner itself, or the one whose interface the port is.
    pub router: Option<RouterId>,
    /// The rule of a security group.
    pub rule: Option<SecurityGroupRuleId>,
    /// The security group: the owner itself, or that of the rule.
    pub security_group: Option<SecurityGroupId>,
    /// The address group.
    pub address_group: Option<AddressGroupId>,
    /// The names of what is named above, in that order, empty ones left out.
    pub names: Vec<String>,
    /// All of it as one sentence.
    pub sentence: String,
}

impl Owner {
    /// The ids of what the flow belongs to, each with the kind of object.
    pub fn ids(&self) -> impl Iterator<Item = (&'static str, String)> {
        let port = self.port.map(|id| ("port", id.to_string()));
        let network = self.network.map(|id| ("network", id.to_string()));
        let host = self.host.as_ref().map(|name| ("hypervisor", name.to_string()));
        let router = self.router.map(|id| ("router", id.to_string()));
        let rule = self.rule.map(|id| ("security_group_rule", id.to_string()));
        let group = self.security_group.map(|id| ("security_group", id.to_string()));
        let addresses = self.address_group.map(|id| ("address_group", id.to_string()));
        [port, network, host, router, rule, group, addresses].into_iter().flatten()
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

fn what(tag: Tag) -> String {
    match tag.reason {
        Some(reason) => format!("drop: {}", reason.phrase()),
        None => tag.purpose.phrase().to_owned(),
    }
}

/// A name for people, with the id in case the name is not unique.
fn called(name: &str, id: impl fmt::Display) -> String {
    if name.is_empty() { id.to_string() } else { format!("{name} ({id})") }
}

/// Tells who a flow belongs to by its cookie.
#[must_use]
pub fn explain(cookie: Cookie, topology: &Topology) -> Owner {
    let mut owner = Owner {
        kind: OwnerKind::Foreign,
        purpose: None,
        reason: None,
        port: None,
        network: None,
        host: None,
        router: None,
        rule: None,
        security_group: None,
        address_group: None,
        names: Vec::new(),
        sentence: format!("foreign flow: cookie {:#x} is not Weir's", cookie.0),
    };
    let Some(tag) = Tag::decode(cookie) else { return owner };
    owner.purpose = Some(tag.purpose);
    owner.reason = tag.reason;
    let what = what(tag);
    let (kind, whose) = match tag.object {
        Object::Nothing => (OwnerKind::Pipeline, None),
        Object::Port(key) => match topology.port_by_key(key) {
            Some(port) => {
                owner.port = Some(port.id);
                owner.network = Some(port.network_id);
                let network = topology.network(port.network_id);
                let network_name = network.map_or("", |network| network.name.as_str());
                owner.names = [port.name.clone(), network_name.to_owned()].into();
                let network =
                    if network_name.is_empty() { port.network_id.to_string() } else { network_name.to_owned() };
                let port = match topology.router_of(port) {
                    Some(router) => {
                        owner.router = Some(router.id);
                        owner.names.push(router.name.clone());
                        let addresses: Vec<_> =
                            port.fixed_ips.iter().map(|fixed| fixed.ip_address.to_string()).collect();
                        format!("interface {} of router {}", addresses.join(" "), called(&router.name, router.id))
                    }
                    None => format!("port {}", called(&port.name, port.id)),
                };
                (OwnerKind::Port, Some(format!("{port} of network {network}")))
            }
            None => (OwnerKind::Vanished, Some(format!("port {key}, which is gone"))),
        },
        Object::Network(key) => match topology.network_by_key(key) {
            Some(network) => {
                owner.network = Some(network.id);
                owner.names = vec![network.name.clone()];
                (OwnerKind::Network, Some(format!("network {}", called(&network.name, network.id))))
            }
            None => (OwnerKind::Vanished, Some(format!("network {key}, which is gone"))),
        },
        Object::Host(key) => match topology.hypervisor_by_key(key) {
            Some(host) => {
                owner.host = Some(host.name.clone());
                owner.names = vec![host.name.to_string()];
                (OwnerKind::Hypervisor, Some(format!("hypervisor {}", host.name)))
            }
            None => (OwnerKind::Vanished, Some(format!("hypervisor {key}, which is gone"))),
        },
        Object::Router(key) => match topology.router_by_key(key) {
            Some(router) => {
                owner.router = Some(router.id);
                owner.names = vec![router.name.clone()];
                (OwnerKind::Router, Some(format!("router {}", called(&router.name, router.id))))
            }
            None => (OwnerKind::Vanished, Some(format!("router {key}, which is gone"))),
        },
        Object::Rule(key) => match topology.rule_by_key(key) {
            Some(rule) => {
                owner.rule = Some(rule.id);
                owner.security_group = Some(rule.security_group_id);
                let group = topology.security_group(rule.security_group_id).map_or("", |group| group.name.as_str());
                owner.names = vec![group.to_owned()];
                let group = called(group, rule.security_group_id);
                (OwnerKind::SecurityGroupRule, Some(format!("rule {} of security group {group}", rule.id)))
            }
            None => (OwnerKind::Vanished, Some(format!("rule {key}, which is gone"))),
        },
        Object::Group(key) => match topology.security_group_by_key(key) {
            Some(group) => {
                owner.security_group = Some(group.id);
                owner.names = vec![group.name.clone()];
                (OwnerKind::SecurityGroup, Some(format!("security group {}", called(&group.name, group.id))))
            }
            None => (OwnerKind::Vanished, Some(format!("security group {key}, which is gone"))),
        },
        Object::AddressGroup(key) => match topology.address_group_by_key(key) {
            Some(group) => {
                owner.address_group = Some(group.id);
                owner.names = vec![group.name.clone()];
                (OwnerKind::AddressGroup, Some(format!("address group {}", called(&group.name, group.id))))
            }
            None => (OwnerKind::Vanished, Some(format!("address group {key}, which is gone"))),
        },
    };
    owner.kind = kind;
    owner.names.retain(|name| !name.is_empty());
    owner.sentence = match whose {
        Some(whose) => format!("{whose}: {what}"),
        None => what,
    };
    owner
}
