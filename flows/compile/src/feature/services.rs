//! What Weir answers for a network itself: DHCP and router solicitations go to the controller.

use super::Feature;
use super::responder::Answers;
use crate::cookie::Object;
use crate::packet::{dhcp, icmpv6};
use crate::register::{NETWORK, PUNT, Punt};
use crate::{Circle, Priority, Purpose, Scope, Sink, Table, Tag, Touched, Unit};
use ipnet::IpNet;
use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use weir_model::{Change, Ipv6Mode, MacAddress, Port, Router, Subnet, Topology};

/// Servers of a network.
pub(super) struct Services;

impl Feature for Services {
    fn tables(&self) -> &'static [Table] {
        &[Table::Services, Table::Arp]
    }

    fn dirty(&self, touched: &Touched<'_>, units: &mut BTreeSet<Unit>) {
        if let Change::Subnet(diff) = touched.change
            && let Some(network) = diff.last().map(|subnet| subnet.network_id)
        {
            let sides = [touched.old, touched.new];
            units.extend(sides.iter().filter_map(|side| side.network(network)).map(|it| Unit::Services(it.key)));
        }
        units.extend(touched.network().map(|network| Unit::Services(network.key)));
        let state = |side: &Option<Arc<Router>>| side.as_ref().map(|router| router.admin_state_up);
        if let Change::Router(diff) = touched.change
            && let Some(router) = diff.last().filter(|_| state(&diff.before) != state(&diff.after))
        {
            for topology in [touched.old, touched.new] {
                let networks = topology.interfaces_of(router.id).filter_map(|port| topology.network(port.network_id));
                units.extend(networks.map(|network| Unit::Services(network.key)));
            }
        }
        for (port, topology) in touched.ports() {
            let gateway = topology.subnets_of(port.network_id).any(|subnet| {
                let server = IpAddr::from(subnet.dhcp_server());
                port.fixed_ips.iter().any(|fixed| fixed.ip_address == server) || may_use(port, server)
            });
            if let Some(network) = topology.network(port.network_id)
                && (gateway || topology.router_of(port).is_some())
            {
                units.insert(Unit::Services(network.key));
            }
        }
    }

    fn of_circle(&self, circle: Circle, _: &Topology, units: &mut Vec<Unit>) {
        if let Circle::Network(key) = circle {
            units.push(Unit::Services(key));
        }
    }

    fn build(&self, unit: Unit, topology: &Topology, sink: &mut Sink) {
        let Unit::Services(key) = unit else { return };
        let Some(network) = topology.network_by_key(key) else { return };
        let (mut v4, mut v6, mut advertised) = (false, false, false);
        let mut servers = BTreeSet::new();
        for subnet in topology.subnets_of(network.id) {
            v4 |= serves_v4(subnet);
            v6 |= serves_v6(subnet);
            advertised |= subnet.ipv6_ra_mode.is_some();
            let server = subnet.dhcp_server();
            if serves_v4(subnet) && !is_held(subnet, server, topology) {
                servers.insert(server);
            }
        }
        for server in servers {
            let tag = Tag::of(Purpose::DhcpServer, Object::Network(key));
            Answers { tags: [tag; 3], network: key, mac: MacAddress::SERVICE, sink }.ipv4(server);
        }
        let routed = topology
            .interfaces_on(network.id)
            .any(|port| port.admin_state_up && topology.router_of(port).is_some_and(|router| router.admin_state_up));
        for (served, question, purpose, punt) in [
            (v4, dhcp::request(), Purpose::Dhcp, Punt::Dhcpv4),
            (v6, dhcp::request_v6(), Purpose::Dhcp, Punt::Dhcpv6),
            (
                advertised && routed,
                icmpv6::of(icmpv6::ROUTER_SOLICITATION),
                Purpose::RouterSolicitation,
                Punt::RouterSolicitation,
            ),
        ] {
            if served {
                let (matching, tag) = (NETWORK.on(question, key), Tag::of(purpose, Object::Network(key)));
                sink.lead(Table::Services, Priority::Object, matching, tag, [PUNT.load(punt)], Table::Punt);
            }
        }
    }

    fn scope(&self, unit: Unit, _: &Topology) -> Scope {
        match unit {
            Unit::Services(network) => Scope::Network(network),
            _ => Scope::Nobody,
        }
    }
}

/// Whether a port has an address, in whatever subnet of the network, or may use it besides its own.
fn is_held(subnet: &Subnet, address: Ipv4Addr, topology: &Topology) -> bool {
    topology.port_at(subnet.network_id, address.into()).is_some()
        || topology.ports_of(subnet.network_id).any(|port| may_use(port, address.into()))
}

/// Whether an address pair of a port is this very address.
fn may_use(port: &Port, address: IpAddr) -> bool {
    port.allowed_address_pairs.iter().any(|pair| pair.ip_address == IpNet::from(address))
}

fn serves_v4(subnet: &Subnet) -> bool {
    subnet.enable_dhcp && subnet.cidr.addr().is_ipv4()
}

fn serves_v6(subnet: &Subnet) -> bool {
    let by_dhcp = |mode| matches!(mode, Some(Ipv6Mode::Dhcpv6Stateful | Ipv6Mode::Dhcpv6Stateless));
    let asked = by_dhcp(subnet.ipv6_address_mode) || by_dhcp(subnet.ipv6_ra_mode);
    subnet.enable_dhcp && subnet.cidr.addr().is_ipv6() && asked
}
