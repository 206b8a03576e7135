//! What a hypervisor's database says about the hypervisor and about what is plugged into it.

use crate::table::{Bridge, Interface, OpenVswitch};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use uuid::Uuid;

/// A change of what is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The hypervisor is, or has become, this.
    Host(HostFact),
    /// An interface that names a port appeared.
    Appeared(InterfaceFact),
    /// An interface that names a port changed.
    Changed {
        /// As it was.
        before: InterfaceFact,
        /// As it is.
        after: InterfaceFact,
    },
    /// An interface that named a port is gone, or names none any more.
    Vanished(InterfaceFact),
}

/// A physical network and the bridge that leads to it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BridgeMapping {
    /// The physical network.
    pub physical_network: String,
    /// The bridge on the hypervisor.
    pub bridge: String,
}

/// A hypervisor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostFact {
    /// `external_ids:hostname`.
    pub hostname: Option<String>,
    /// `external_ids:system-id`.
    pub system_id: Option<String>,
    /// `external_ids:weir-encap-ip`: its tunnel endpoint.
    pub encap_ip: Option<IpAddr>,
    /// `external_ids:weir-datapath-type`.
    pub datapath_type: Option<String>,
    /// `external_ids:weir-bridge-mappings`, such as `physnet1:br-ex,physnet2:br-sto`, sorted.
    pub bridge_mappings: Vec<BridgeMapping>,
    /// The version of Open vSwitch.
    pub ovs_version: Option<String>,
    /// The datapath id of the integration bridge, once made.
    pub integration_datapath: Option<u64>,
    /// The datapath id of the tunnel bridge, once made.
    pub tunnel_datapath: Option<u64>,
    /// What is wrong with the above.
    pub problems: Vec<HostProblem>,
}

impl HostFact {
    /// The name that `binding:host_id` uses: the host name, else the system id.
    pub fn name(&self) -> Option<&str> {
        self.hostname.as_deref().or(self.system_id.as_deref())
    }
}

/// What is wrong with a hypervisor's settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostProblem {
    /// The database has no `Open_vSwitch` row.
    #[error("the database has no Open_vSwitch row; run ovs-vsctl init")]
    NoRoot,
    /// Neither name is set.
    #[error("neither external_ids:hostname nor external_ids:system-id is set")]
    NoName,
    /// No tunnel endpoint.
    #[error("external_ids:weir-encap-ip is not set, so no tunnel leads here")]
    NoEncapIp,
    /// The tunnel endpoint is no address that a tunnel can end at.
    #[error("external_ids:weir-encap-ip is '{0}', which is not a unicast IP address")]
    BadEncapIp(String),
    /// An entry of the bridge mappings is not `NETWORK:BRIDGE`.
    #[error("external_ids:weir-bridge-mappings has '{0}', which is not NETWORK:BRIDGE")]
    BadBridgeMapping(String),
    /// A physical network is mapped twice.
    #[error("external_ids:weir-bridge-mappings maps network '{0}' twice")]
    DoubleBridgeMapping(String),
    /// A datapath id is not 16 hexadecimal digits.
    #[error("bridge {bridge} has datapath id '{text}', which is not 16 hexadecimal digits")]
    BadDatapathId {
        /// The bridge.
        bridge: String,
        /// What the column holds.
        text: String,
    },
}

/// Whether an interface works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkState {
    /// Whether the device is switched on; `None` when not known.
    pub admin_up: Option<bool>,
    /// Whether it has a carrier; `None` when not known.
    pub link_up: Option<bool>,
}

/// An interface with `external_ids:iface-id`, by which it names a port of Weir.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceFact {
    /// Its name, unique on the hypervisor.
    pub name: String,
    /// Its row.
    pub uuid: Uuid,
    /// The bridge it is on.
    pub bridge: Option<String>,
    /// Whether that is the integration bridge; elsewhere it is not plugged.
    pub on_integration: bool,
    /// `external_ids:iface-id`; `None` when that is not the id of a port.
    pub iface_id: Option<Uuid>,
    /// `external_ids:attached-mac`.
    pub attached_mac: Option<[u8; 6]>,
    /// `external_ids:iface-status`.
    pub iface_status: Option<String>,
    /// `external_ids:vm-uuid`, else `external_ids:vm-id`.
    pub vm_uuid: Option<String>,
    /// The OpenFlow port number as the database has it, which is late by up to a quarter of a
    /// second on a large bridge: PORT_STATUS of OpenFlow tells it earlier.
    pub ofport: Option<u32>,
    /// Whether the device is up.
    pub state: LinkState,
    /// What is wrong with it.
    pub problems: Vec<InterfaceProblem>,
}

/// What is wrong with an interface.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InterfaceProblem {
    /// The iface-id is no uuid.
    #[error("external_ids:iface-id is '{0}', which is not the id of a port")]
    BadIfaceId(String),
    /// The MAC address is none.
    #[error("external_ids:attached-mac is '{0}', which is not a MAC address")]
    BadMac(String),
    /// ovs-vswitchd could not make the interface.
    #[error("ovs-vswitchd reports: {0}")]
    Failed(String),
    /// The port number is none.
    #[error("the OpenFlow port number is {0}")]
    BadOfport(i64),
    /// It is on another bridge.
    #[error("it is plugged into bridge {found}, not into {expected}")]
    OtherBridge {
        /// The bridge it is on.
        found: String,
        /// The integration bridge.
        expected: String,
    },
}

impl Fact {
    /// The change from one state of an interface to another.
    pub(crate) fn between(before: Option<&InterfaceFact>, after: Option<&InterfaceFact>) -> Option<Self> {
        match (before.cloned(), after.cloned()) {
            (None, Some(after)) => Some(Self::Appeared(after)),
            (Some(before), None) => Some(Self::Vanished(before)),
            (Some(before), Some(after)) if before != after => Some(Self::Changed { before, after }),
            _ => None,
        }
    }
}

impl HostFact {
    /// What the rows say about the hypervisor.
    pub(crate) fn read(root: Option<&OpenVswitch>, integration: Option<&Bridge>, tunnel: Option<&Bridge>) -> Self {
        let mut host = Self::default();
        let Some(root) = root else {
            host.problems.push(HostProblem::NoRoot);
            return host;
        };
        let text = |key| present(&root.external_ids, key);
        host.hostname = text("hostname");
        host.system_id = text("system-id");
        if host.name().is_none() {
            host.problems.push(HostProblem::NoName);
        }
        match text("weir-encap-ip") {
            None => host.problems.push(HostProblem::NoEncapIp),
            Some(text) => match text.parse().ok().filter(is_unicast) {
                Some(address) => host.encap_ip = Some(address),
                None => host.problems.push(HostProblem::BadEncapIp(text)),
            },
        }
        host.datapath_type = text("weir-datapath-type");
        host.read_mappings(&text("weir-bridge-mappings").unwrap_or_default());
        host.ovs_version.clone_from(&root.ovs_version);
        host.integration_datapath = host.read_datapath_id(integration);
        host.tunnel_datapath = host.read_datapath_id(tunnel);
        host
    }

    fn read_mappings(&mut self, text: &str) {
        let mut networks = BTreeSet::new();
        for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let parts = entry.split_once(':').map(|(a, b)| (a.trim(), b.trim()));
            match parts {
                Some((network, bridge)) if !network.is_empty() && !bridge.is_empty() && !bridge.contains(':') => {
                    if networks.insert(network) {
                        self.bridge_mappings
                            .push(BridgeMapping { physical_network: network.to_owned(), bridge: bridge.to_owned() });
                    } else {
                        self.problems.push(HostProblem::DoubleBridgeMapping(network.to_owned()));
                    }
                }
                _ => self.problems.push(HostProblem::BadBridgeMapping(entry.to_owned())),
            }
        }
        self.bridge_mappings.sort();
    }

    fn read_datapath_id(&mut self, bridge: Option<&Bridge>) -> Option<u64> {
        let bridge = bridge?;
        let text = bridge.datapath_id.as_deref()?;
        let hexadecimal = text.len() == 16 && text.bytes().all(|digit| digit.is_ascii_hexdigit());
        let id = u64::from_str_radix(text, 16).ok().filter(|_| hexadecimal);
        if id.is_none() {
            self.problems.push(HostProblem::BadDatapathId { bridge: bridge.name.clone(), text: text.to_owned() });
        }
        id
    }
}

impl InterfaceFact {
    /// What an interface says, if it names a port.
    pub(crate) fn read(uuid: Uuid, interface: &Interface, bridge: Option<&str>, integration: &str) -> Option<Self> {
        let ids = &interface.external_ids;
        let iface_id = ids.get("iface-id")?;
        let mut problems = Vec::new();
        // Braced, joined and prefixed forms of a uuid name no port of the API.
        let port = Uuid::parse_str(iface_id).ok().filter(|_| iface_id.len() == 36);
        if port.is_none() {
            problems.push(InterfaceProblem::BadIfaceId(iface_id.clone()));
        }
        let mac = present(ids, "attached-mac");
        let attached_mac = mac.as_deref().and_then(parse_mac);
        if let Some(text) = mac.filter(|_| attached_mac.is_none()) {
            problems.push(InterfaceProblem::BadMac(text));
        }
        if let Some(error) = &interface.error {
            problems.push(InterfaceProblem::Failed(error.clone()));
        }
        let ofport = interface.ofport.and_then(|number| {
            // -1 stands for an interface that could not be made.
            let valid = u32::try_from(number).ok().filter(|number| *number > 0);
            if valid.is_none() && !(number == -1 && interface.error.is_some()) {
                problems.push(InterfaceProblem::BadOfport(number));
            }
            valid
        });
        if let Some(found) = bridge.filter(|bridge| *bridge != integration) {
            problems.push(InterfaceProblem::OtherBridge { found: found.to_owned(), expected: integration.to_owned() });
        }
        let up = |state: &Option<String>| match state.as_deref() {
            Some("up") => Some(true),
            Some("down") => Some(false),
            _ => None,
        };
        Some(Self {
            name: interface.name.clone(),
            uuid,
            bridge: bridge.map(str::to_owned),
            on_integration: bridge == Some(integration),
            iface_id: port,
            attached_mac,
            iface_status: present(ids, "iface-status"),
            vm_uuid: present(ids, "vm-uuid").or_else(|| present(ids, "vm-id")),
            ofport,
            state: LinkState { admin_up: up(&interface.admin_state), link_up: up(&interface.link_state) },
            problems,
        })
    }
}

/// The value of a key, unless it is absent or blank.
fn present(map: &BTreeMap<String, String>, key: &str) -> Option<String> {
    map.get(key).map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
}

fn is_unicast(address: &IpAddr) -> bool {
    let broadcast = matches!(address, IpAddr::V4(v4) if v4.is_broadcast());
    !address.is_unspecified() && !address.is_multicast() && !broadcast
}

fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let mut mac = [0; 6];
    let mut parts = text.split(':');
    for byte in &mut mac {
        let part = parts.next().filter(|part| part.len() == 2)?;
        if !part.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(mac)
}

impl fmt::Display for InterfaceFact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "interface {}", self.name)?;
        if let Some(bridge) = &self.bridge {
            write!(f, " on {bridge}")?;
        }
        if let Some(port) = &self.iface_id {
            write!(f, " for port {port}")?;
        }
        for problem in &self.problems {
            write!(f, "; {problem}")?;
        }
        Ok(())
    }
}
