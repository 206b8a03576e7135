//! What a client is told besides its address.

use super::Lease;
use super::message::{Message, option};
use crate::Settings;
use crate::asker::{Asker, domain_of};
use crate::extra::{self, Extra, Omission, Protocol, Reason, SERVER_IP_ADDRESS};
use ipnet::{IpNet, Ipv4Net};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use weir_model::{METADATA_ADDRESS, Subnet};

/// What a client is told that does not say what it wants.
const USUAL: [u8; 8] = [
    option::SUBNET_MASK,
    option::ROUTES,
    option::ROUTER,
    option::DNS_SERVERS,
    option::HOST_NAME,
    option::DOMAIN_NAME,
    option::MTU,
    option::BROADCAST,
];

/// What one client can be told.
#[derive(Debug)]
pub(super) struct Told<'a> {
    message: &'a Message<'a>,
    lease_s: u32,
    values: BTreeMap<u8, Vec<u8>>,
    extra: Extra,
}

impl<'a> Told<'a> {
    pub(super) fn new(asker: &Asker<'_>, message: &'a Message<'a>, lease: Lease<'_>, settings: &Settings) -> Self {
        let mut tags = BTreeSet::from(["known"]);
        if message.ipxe {
            tags.insert("ipxe");
        }
        let extra = Extra::of(asker.port, Protocol::Dhcpv4, &tags);
        let mut values = values(asker, lease, settings);
        for (number, value) in &extra.options {
            let Ok(code) = u8::try_from(*number) else { continue };
            if code == option::END {
                continue;
            }
            if value.is_empty() {
                values.remove(&code);
            } else {
                values.insert(code, value.clone());
            }
        }
        // Clients of Microsoft read the routes under a number of their own.
        if extra.options.contains_key(&u16::from(option::ROUTES))
            && !extra.options.contains_key(&u16::from(option::ROUTES_OF_MICROSOFT))
        {
            match values.get(&option::ROUTES).cloned() {
                Some(routes) => values.insert(option::ROUTES_OF_MICROSOFT, routes),
                None => values.remove(&option::ROUTES_OF_MICROSOFT),
            };
        }
        let long = |values: &BTreeMap<u8, Vec<u8>>, code| {
            let bytes: [u8; 4] = values.get(&code)?.as_slice().try_into().ok()?;
            Some(u32::from_be_bytes(bytes))
        };
        let lease_s = long(&values, option::LEASE_TIME).unwrap_or(settings.dhcp_lease_s);
        Self { message, lease_s, values, extra }
    }

    /// What comes with an address.
    pub(super) fn lease(&self) -> Vec<(u8, Vec<u8>)> {
        let share = |share: u64| match self.lease_s {
            u32::MAX => u32::MAX,
            lease_s => u32::try_from(u64::from(lease_s) * share / 8).unwrap_or(u32::MAX),
        };
        let time = |code, default: u32| (code, self.value(code).unwrap_or_else(|| default.to_be_bytes().to_vec()));
        let mut options = vec![
            (option::LEASE_TIME, self.lease_s.to_be_bytes().to_vec()),
            time(option::RENEWAL_TIME, share(4)),
            time(option::REBINDING_TIME, share(7)),
        ];
        options.extend(self.configuration());
        options
    }

    /// What the client asked for, in its order.
    pub(super) fn configuration(&self) -> Vec<(u8, Vec<u8>)> {
        let mut options: Vec<_> = self.identification().collect();
        let wanted = self.message.wanted.as_deref().unwrap_or(&USUAL);
        let mut told = BTreeSet::from([option::LEASE_TIME, option::RENEWAL_TIME, option::REBINDING_TIME]);
        for code in wanted {
            if told.insert(*code)
                && let Some(value) = self.value(*code)
            {
                options.push((*code, value));
            }
        }
        options
    }

    /// What comes with the word that an address must not be used.
    pub(super) fn refusal(&self) -> Vec<(u8, Vec<u8>)> {
        let reason = (option::MESSAGE, b"not an address of this port".to_vec());
        std::iter::once(reason).chain(self.identification()).collect()
    }

    fn identification(&self) -> impl Iterator<Item = (u8, Vec<u8>)> + use<> {
        self.message.client_id.clone().map(|id| (option::CLIENT_ID, id)).into_iter()
    }

    fn value(&self, code: u8) -> Option<Vec<u8>> {
        self.values.get(&code).cloned()
    }

    /// Where the boot file is: as the port says, or the server of files if an address names it.
    pub(super) fn boot_server(&self) -> Option<Ipv4Addr> {
        let first = |value: &Vec<u8>| value.first_chunk::<4>().map(|octets| Ipv4Addr::from(*octets));
        let named = || std::str::from_utf8(self.boot_server_name()?).ok()?.parse().ok();
        self.extra
            .options
            .get(&SERVER_IP_ADDRESS)
            .and_then(first)
            .or_else(named)
            .or_else(|| self.values.get(&option::TFTP_SERVER_ADDRESS).and_then(first))
    }

    pub(super) fn boot_server_name(&self) -> Option<&[u8]> {
        self.values.get(&option::TFTP_SERVER).map(Vec::as_slice)
    }

    pub(super) fn boot_file(&self) -> Option<&[u8]> {
        self.values.get(&option::BOOTFILE_NAME).map(Vec::as_slice)
    }

    /// The client takes no message that is long enough for this option too.
    pub(super) fn no_room(&mut self, code: u8) {
        self.extra.omitted.push(Omission { option: code.to_string(), reason: Reason::NoRoom });
    }

    pub(super) fn into_omitted(self) -> Vec<Omission> {
        self.extra.omitted
    }
}

/// What the topology says.
fn values(asker: &Asker<'_>, lease: Lease<'_>, settings: &Settings) -> BTreeMap<u8, Vec<u8>> {
    let subnet = lease.subnet;
    let mut values = BTreeMap::new();
    let IpNet::V4(cidr) = subnet.cidr else { return values };
    let octets = |address: Ipv4Addr| address.octets().to_vec();
    values.insert(option::SUBNET_MASK, octets(cidr.netmask()));
    if cidr.prefix_len() < 31 {
        values.insert(option::BROADCAST, octets(cidr.broadcast()));
    }
    values.insert(option::MTU, asker.network.mtu.to_be_bytes().to_vec());
    let gateway = gateway(subnet);
    if let Some(gateway) = gateway {
        values.insert(option::ROUTER, octets(gateway));
    }
    // An unspecified address is how Neutron's users say that there is no server.
    let servers = subnet.dns_nameservers.iter().filter_map(|server| match server {
        IpAddr::V4(server) if !server.is_unspecified() => Some(server.octets()),
        _ => None,
    });
    let servers = servers.collect::<Vec<_>>().concat();
    if !servers.is_empty() {
        values.insert(option::DNS_SERVERS, servers);
    }
    let domain = domain_of(asker.network, settings);
    if !domain.is_empty() {
        values.insert(option::DOMAIN_NAME, domain.as_bytes().to_vec());
    }
    values.insert(option::HOST_NAME, host_name(asker, lease.address).into_bytes());
    let routes = extra::routes(&routes(asker, subnet, gateway));
    values.insert(option::ROUTES_OF_MICROSOFT, routes.clone());
    values.insert(option::ROUTES, routes);
    values
}

/// The name of the port, or one made of its address.
fn host_name(asker: &Asker<'_>, address: Ipv4Addr) -> String {
    match asker.port.dns_name.trim_end_matches('.') {
        "" => format!("host-{}", address.to_string().replace('.', "-")),
        name => name.to_owned(),
    }
}

/// The way to everywhere: the subnet's gateway, or else a host route to everywhere.
fn gateway(subnet: &Subnet) -> Option<Ipv4Addr> {
    let everywhere =
        || subnet.host_routes.iter().find(|route| is_everywhere(route.destination)).map(|route| route.nexthop);
    match subnet.gateway_ip.or_else(everywhere)? {
        IpAddr::V4(gateway) => Some(gateway),
        IpAddr::V6(_) => None,
    }
}

fn is_everywhere(destination: IpNet) -> bool {
    destination.prefix_len() == 0
}

/// The routes of the client: to the network's other subnets, those of the subnet, to the metadata service, and to
/// everywhere, since a client that reads routes does not read the router (RFC 3442).
fn routes(asker: &Asker<'_>, subnet: &Subnet, gateway: Option<Ipv4Addr>) -> Vec<(Ipv4Net, Ipv4Addr)> {
    let on_link = Ipv4Addr::UNSPECIFIED;
    let siblings = asker.topology.subnets_of(asker.network.id).filter_map(|sibling| match sibling.cidr {
        IpNet::V4(cidr) if sibling.id != subnet.id => Some((cidr, on_link)),
        _ => None,
    });
    let mut routes: Vec<_> = siblings.collect();
    routes.extend(subnet.host_routes.iter().filter_map(|route| match (route.destination, route.nexthop) {
        (IpNet::V4(destination), IpAddr::V4(hop)) if !is_everywhere(route.destination) => Some((destination, hop)),
        _ => None,
    }));
    let metadata = Ipv4Net::from(METADATA_ADDRESS);
    if !routes.iter().any(|(destination, _)| *destination == metadata) {
        let hop = match subnet.gateway_ip {
            Some(IpAddr::V4(gateway)) => gateway,
            _ => on_link,
        };
        routes.push((metadata, hop));
    }
    routes.extend(gateway.map(|gateway| (Ipv4Net::default(), gateway)));
    routes
}
