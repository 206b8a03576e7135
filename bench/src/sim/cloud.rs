//! A cloud as described in a small JSON file, and what follows from it: everything has its number, and nothing is
//! random.

use serde::{Deserialize, Serialize};
use std::path::Path;

use crate::Failure;

/// How large a cloud is. A missing key has its default, an unknown one is an error.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Cloud {
    /// Hypervisors.
    pub(crate) hosts: usize,
    /// Projects.
    pub(crate) tenants: usize,
    /// Networks that each project has, all behind its router.
    #[serde(default = "Cloud::two")]
    pub(crate) networks_of_tenant: usize,
    /// Ports that each network has, on as many hypervisors as there are.
    #[serde(default = "Cloud::hundred")]
    pub(crate) ports_of_network: usize,
    /// Whether a project has a router.
    #[serde(default = "Cloud::yes")]
    pub(crate) routers: bool,
    /// Whether networks have a subnet of IPv6 besides that of IPv4.
    #[serde(default = "Cloud::yes")]
    pub(crate) ipv6: bool,
    /// Rules for ingress that each project's default group has besides those that every such group has.
    #[serde(default)]
    pub(crate) rules_of_group: u16,
}

impl Cloud {
    const fn two() -> usize {
        2
    }

    const fn hundred() -> usize {
        100
    }

    const fn yes() -> bool {
        true
    }

    /// The cloud of so many hypervisors with 100 ports each.
    pub(crate) fn of_hosts(hosts: usize) -> Self {
        Self {
            hosts,
            tenants: hosts.div_ceil(Self::two()),
            networks_of_tenant: Self::two(),
            ports_of_network: Self::hundred(),
            routers: true,
            ipv6: true,
            rules_of_group: 0,
        }
    }

    /// Reads a description.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let cloud: Self = serde_json::from_slice(&text).map_err(|error| format!("{}: {error}", path.display()))?;
        if cloud.hosts == 0 || cloud.tenants == 0 || cloud.networks_of_tenant == 0 || cloud.ports_of_network == 0 {
            return Err(format!("{}: a cloud needs at least one of everything", path.display()).into());
        }
        Ok(cloud)
    }

    /// How many networks there are.
    pub(crate) const fn networks(&self) -> usize {
        self.tenants * self.networks_of_tenant
    }

    /// How many ports of VMs there are.
    pub(crate) const fn ports(&self) -> usize {
        self.networks() * self.ports_of_network
    }

    /// The hypervisor of a network's port.
    pub(crate) const fn host_of(&self, network: usize, port: usize) -> usize {
        (network * self.ports_of_network + port) % self.hosts
    }
}

/// The id of a project. Neutron's are 32 hexadecimal digits.
pub(crate) fn project(tenant: usize) -> String {
    format!("{:032x}", tenant + 1)
}

/// The prefixes of a project's network.
pub(crate) fn prefixes(number: usize, ipv6: bool) -> impl Iterator<Item = (u8, String)> {
    [(4, format!("10.{number}.0.0/16")), (6, format!("fd00:{number:x}::/64"))].into_iter().take(1 + usize::from(ipv6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_needs_little_and_takes_no_slips() {
        let cloud: Cloud = serde_json::from_str(r#"{"hosts": 10, "tenants": 5}"#).unwrap();
        assert_eq!(cloud, Cloud::of_hosts(10));
        assert!(serde_json::from_str::<Cloud>(r#"{"hosts": 10, "tenants": 5, "host": 1}"#).is_err());
    }

    #[test]
    fn every_hypervisor_has_a_hundred_ports() {
        for hosts in [10, 100, 1000] {
            let cloud = Cloud::of_hosts(hosts);
            let mut ports = vec![0; hosts];
            for network in 0..cloud.networks() {
                (0..cloud.ports_of_network).for_each(|port| ports[cloud.host_of(network, port)] += 1);
            }
            assert!(ports.iter().all(|ports| *ports == 100), "{hosts} hypervisors: {ports:?}");
        }
    }
}
