//! A VM: a namespace whose one interface is plugged into a hypervisor's br-int as Nova's os-vif does it.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::namespace::veth;
use super::{Api, Hypervisor, LabError, Namespace};

/// The VM's interface.
pub const DEVICE: &str = "eth0";

/// An address of a VM, with what the port's subnet says about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// The prefix length of the subnet.
    pub prefix: u8,
    /// The subnet's gateway.
    pub gateway: Option<IpAddr>,
}

/// What a VM has from its API port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// The port's id.
    pub port: String,
    /// The port's MAC address.
    pub mac: String,
    /// The network's MTU in bytes.
    pub mtu: u16,
    /// The port's fixed addresses.
    pub addresses: Vec<Address>,
}

impl Guest {
    /// Asks the API about a port, its subnets and its network.
    pub fn of_port(api: &Api, port: &str) -> Result<Self, LabError> {
        let port = api.show("ports", port)?;
        let network = api.show("networks", text(&port, "network_id")?)?;
        let fixed_ips = port["fixed_ips"].as_array().map_or(&[][..], Vec::as_slice);
        let addresses = fixed_ips
            .iter()
            .map(|fixed_ip| {
                let subnet = api.show("subnets", text(fixed_ip, "subnet_id")?)?;
                let (_, prefix) = text(&subnet, "cidr")?.split_once('/').ok_or_else(|| malformed("cidr"))?;
                let gateway = match &subnet["gateway_ip"] {
                    Value::String(gateway) => Some(parsed(gateway, "gateway_ip")?),
                    _ => None,
                };
                Ok(Address {
                    ip: parsed(text(fixed_ip, "ip_address")?, "ip_address")?,
                    prefix: parsed(prefix, "cidr")?,
                    gateway,
                })
            })
            .collect::<Result<_, LabError>>()?;
        Ok(Self {
            port: text(&port, "id")?.to_owned(),
            mac: text(&port, "mac_address")?.to_owned(),
            mtu: network["mtu"].as_u64().and_then(|mtu| mtu.try_into().ok()).ok_or_else(|| malformed("mtu"))?,
            addresses,
        })
    }

    /// Its first address of a family.
    pub fn address(&self, ipv6: bool) -> Option<IpAddr> {
        self.addresses.iter().map(|address| address.ip).find(|ip| ip.is_ipv6() == ipv6)
    }
}

fn malformed(field: &str) -> LabError {
    LabError::Answer { path: "a port, its network or subnet".to_owned(), reason: format!("no usable {field}") }
}

fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str, LabError> {
    value[field].as_str().ok_or_else(|| malformed(field))
}

fn parsed<T: std::str::FromStr>(text: &str, field: &str) -> Result<T, LabError> {
    text.parse().map_err(|_| malformed(field))
}

/// A VM of the lab.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Vm {
    name: String,
    host: String,
    namespace: Namespace,
    guest: Guest,
}

impl Vm {
    /// The VM `name` of the lab `lab`, on the hypervisor `host`. It need not exist.
    pub fn of(lab: &str, name: &str, host: &str, guest: Guest) -> Self {
        Self {
            name: name.to_owned(),
            host: host.to_owned(),
            namespace: Namespace::of(lab, &format!("vm.{name}")),
            guest,
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The name of the hypervisor it runs on.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// What it has from its port.
    pub fn guest(&self) -> &Guest {
        &self.guest
    }

    /// The name of its device on the hypervisor, made as Nova makes it: `tap` and the first eleven characters of the
    /// port's id, which fits the 15 characters of a Linux device name.
    pub fn tap(&self) -> String {
        format!("tap{}", self.guest.port.get(..11).unwrap_or(&self.guest.port))
    }

    /// Makes the VM with its interface down, connected to nothing.
    pub fn create(&self, hypervisor: &Hypervisor) -> Result<(), LabError> {
        self.namespace.create()?;
        veth((&self.namespace, DEVICE), (hypervisor.namespace(), &self.tap()))?;
        self.namespace.ip([
            format!("link set {DEVICE} down"),
            format!("link set {DEVICE} address {} mtu {}", self.guest.mac, self.guest.mtu),
        ])
    }

    /// Plugs its device into br-int.
    pub fn plug(&self, hypervisor: &Hypervisor) -> Result<(), LabError> {
        let tap = self.tap();
        hypervisor
            .vsctl([
                "--may-exist",
                "add-port",
                "br-int",
                &tap,
                "--",
                "set",
                "Interface",
                &tap,
                &format!("external_ids:iface-id={}", self.guest.port),
                // Quoted: ovs-vsctl would read a bare MAC address as something else than a string.
                &format!("external_ids:attached-mac=\"{}\"", self.guest.mac),
                "external_ids:iface-status=active",
                &format!("external_ids:vm-uuid={}", self.guest.port),
            ])
            .map(drop)
    }

    /// Takes its device off br-int. The VM keeps running, with its cable pulled.
    pub fn unplug(&self, hypervisor: &Hypervisor) -> Result<(), LabError> {
        hypervisor.vsctl(["--if-exists", "del-port", "br-int", &self.tap()]).map(drop)
    }

    /// Brings the interface up with the port's addresses and default routes, as cloud-init would. IPv6 addresses are
    /// usable at once: whoever is interested in duplicate address detection sets them otherwise.
    pub fn configure(&self) -> Result<(), LabError> {
        let mut lines = vec![format!("link set {DEVICE} up")];
        for Address { ip, prefix, gateway } in &self.guest.addresses {
            let nodad = if ip.is_ipv6() { " nodad" } else { "" };
            lines.push(format!("address add {ip}/{prefix} dev {DEVICE}{nodad}"));
            if let Some(gateway) = gateway {
                lines.push(format!("route add default via {gateway} dev {DEVICE}"));
            }
        }
        self.namespace.ip(lines)
    }

    /// Removes the VM, its device and its port on br-int.
    pub fn destroy(&self, hypervisor: &Hypervisor) -> Result<(), LabError> {
        self.unplug(hypervisor)?;
        // With one end of a veth pair goes the other.
        hypervisor.namespace().ip([format!("link delete {}", self.tap())])?;
        self.namespace.delete()
    }
}
