//! Who asks, and who answers.

use crate::Silence;
use std::net::IpAddr;
use weir_model::{MacAddress, Network, Port, PortKey, Subnet, Topology};

/// The link-layer address that serves a subnet: that of the router's interface that has the gateway's address, else
/// [`MacAddress::SERVICE`].
pub(crate) fn server_mac(topology: &Topology, subnet: &Subnet) -> MacAddress {
    let holder = subnet.gateway_ip.and_then(|gateway| topology.address_holder(subnet.id, gateway));
    let interface = holder.and_then(|port| topology.port(port)).filter(|port| topology.router_of(port).is_some());
    interface.map_or(MacAddress::SERVICE, |port| port.mac_address)
}

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
