//! Who asks, and who answers.

use crate::Silence;
use std::net::IpAddr;
use weir_model::{MacAddress, Network, Port, PortKey, Subnet, Topology};

/// The port that asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) port: &'a Port,
    pub(crate) network: &'a Network,
}

impl<'a> Asker<'a> {
    pub(crate) fn find(topology: &'a Topology, key: PortKey) -> Result<Self, Silence> {
        let port = topology.port_by_key(key).ok_or(Silence::UnknownPort)?;
        let network = topology.network(port.network_id).ok_or(Silence::UnknownPort)?;
        if !port.admin_state_up || !network.admin_state_up {
            return Err(Silence::Down);
        }
        Ok(Self { topology, port, network })
    }

    /// To whom an answer goes: the sender of the frame if the port may be that, else the port itself.
    pub(crate) fn mac(&self, sender: MacAddress) -> MacAddress {
        let pairs = &self.port.allowed_address_pairs;
        let own = pairs.iter().any(|pair| pair.mac_address == sender) && !sender.is_multicast();
        if own { sender } else { self.port.mac_address }
    }

    /// The link-layer address that serves a subnet: the one that the network finds for the server's address, which is
    /// that of the port that has it, by whatever subnet of the network, else [`MacAddress::SERVICE`]. No port is served
    /// by itself.
    pub(crate) fn server_mac(&self, subnet: &Subnet) -> MacAddress {
        let server = if subnet.is_ipv6() { subnet.gateway_ip } else { Some(subnet.dhcp_server().into()) };
        let holder = server.and_then(|server| self.topology.port_at(self.network.id, server));
        let other = holder.filter(|holder| holder.id != self.port.id);
        other.map_or(MacAddress::SERVICE, |port| port.mac_address)
    }

    /// The addresses of the port with their subnets, in the order of the API.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = (IpAddr, &'a Subnet)> + use<'a> {
        let topology = self.topology;
        let fixed = self.port.fixed_ips.iter();
        fixed.filter_map(move |fixed| Some((fixed.ip_address, topology.subnet(fixed.subnet_id)?.as_ref())))
    }
}

/// The domain of a network's ports, without the dot at the end.
pub(crate) fn domain_of<'a>(network: &'a Network, settings: &'a crate::Settings) -> &'a str {
    let own = network.dns_domain.trim_end_matches('.');
    if own.is_empty() { settings.dns_domain.trim_end_matches('.') } else { own }
}
