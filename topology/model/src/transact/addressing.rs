//! Which addresses a port gets.

use crate::allocate::{AddressSpace, interface_address};
use crate::draft::Draft;
use crate::logical::{is_network_owner, is_router_interface, is_router_interface_or_snat, is_router_port};
use crate::{FixedIp, MacAddress, NetworkId, NewFixedIp, PortId, Rejection, Subnet, SubnetId};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

/// Owner of a port that serves DHCP; it may use every subnet that has DHCP.
const DHCP: &str = "network:dhcp";

/// Whose addresses are looked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asker<'a> {
    pub(super) port: PortId,
    pub(super) network: NetworkId,
    pub(super) owner: &'a str,
    pub(super) mac: MacAddress,
}

/// One address to be found.
enum Want {
    /// This one.
    Exactly(FixedIp),
    /// The lowest free one of the first of these subnets that has any.
    AnyOf(Vec<SubnetId>),
}

impl Asker<'_> {
    /// Whether a subnet gives the port the address of autoconfiguration.
    pub(super) fn is_automatic_in(&self, subnet: &Subnet) -> bool {
        subnet.is_ipv6() && subnet.is_auto_addressed() && !is_router_interface_or_snat(self.owner)
    }
}

/// Whether a subnet may serve ports of this owner.
pub(super) fn serves(subnet: &Subnet, owner: &str) -> bool {
    subnet.service_types.is_empty()
        || subnet.service_types.iter().any(|service| service == owner)
        || owner == DHCP && subnet.enable_dhcp
}

/// The subnets that may serve the port: those kept for its owner first, then the oldest first.
fn candidates(draft: &Draft, asker: &Asker) -> Result<Vec<Arc<Subnet>>, Rejection> {
    let all = draft.subnets_of(asker.network);
    let mut serving: Vec<Arc<Subnet>> = all.filter(|subnet| serves(subnet, asker.owner)).cloned().collect();
    if serving.is_empty() && draft.subnets_of(asker.network).next().is_some() {
        return Err(Rejection::IpAddressGenerationFailureNoMatchingSubnet {
            network: asker.network,
            service_type: asker.owner.to_owned(),
        });
    }
    serving.sort_by_key(|it| (it.service_types.is_empty(), it.created_at, it.id));
    Ok(serving)
}

/// Whether a port may have an address in a prefix: not the network or broadcast address of IPv4,
/// not the subnet-router anycast address of IPv6 unless it is a router's or nobody's port.
fn holds(cidr: &IpNet, address: IpAddr, owner: &str) -> bool {
    cidr.contains(&address)
        && match cidr {
            IpNet::V4(prefix) => {
                let broadcast = (prefix.prefix_len() < 31).then(|| IpAddr::V4(prefix.broadcast()));
                address != cidr.network() && Some(address) != broadcast
            }
            IpNet::V6(_) => owner.is_empty() || is_router_port(owner) || address != cidr.network(),
        }
}

/// The subnet that a wanted address is of.
fn subnet_of<'a>(
    draft: &Draft,
    asker: &Asker,
    wanted: NewFixedIp,
    subnets: &'a [Arc<Subnet>],
) -> Result<&'a Arc<Subnet>, Rejection> {
    if subnets.is_empty() {
        let text = "IP allocation requires subnets for network";
        return Err(Rejection::InvalidInput(text.to_owned()));
    }
    match (wanted.subnet_id, wanted.ip_address) {
        (Some(id), address) => {
            let Some(subnet) = subnets.iter().find(|subnet| subnet.id == id) else {
                return Err(foreign_subnet(draft, asker.network, id));
            };
            match address {
                Some(address) if !holds(&subnet.cidr, address, asker.owner) => {
                    Err(Rejection::InvalidIpForSubnet(address))
                }
                _ => Ok(subnet),
            }
        }
        (None, Some(address)) => subnets
            .iter()
            .find(|subnet| holds(&subnet.cidr, address, asker.owner))
            .ok_or(Rejection::InvalidIpForNetwork(address)),
        (None, None) => {
            let text = "IP allocation requires subnet_id or ip_address";
            Err(Rejection::InvalidInput(text.to_owned()))
        }
    }
}

fn foreign_subnet(draft: &Draft, network: NetworkId, subnet: SubnetId) -> Rejection {
    if draft.subnet(subnet).is_none() {
        return Rejection::SubnetNotFound(subnet);
    }
    Rejection::InvalidInput(format!(
        "Failed to create port on network {network}, because fixed_ips included invalid subnet \
         {subnet}"
    ))
}

/// What a wanted address comes to; `None` if autoconfiguration gives it anyway.
fn want(draft: &Draft, asker: &Asker, wanted: NewFixedIp, subnets: &[Arc<Subnet>]) -> Result<Option<Want>, Rejection> {
    let subnet = subnet_of(draft, asker, wanted, subnets)?;
    let auto = subnet.is_auto_addressed();
    let Some(ip) = wanted.ip_address else {
        let any = || Want::AnyOf(vec![subnet.id]);
        return Ok((!asker.is_automatic_in(subnet)).then(any));
    };
    if auto && !is_router_interface(asker.owner) && interface_address(&subnet.cidr, asker.mac) != ip {
        let subnet = subnet.id;
        return Err(Rejection::AllocationOnAutoAddressSubnet { ip, subnet });
    }
    Ok(Some(Want::Exactly(FixedIp { subnet_id: subnet.id, ip_address: ip })))
}

/// Refuses more addresses than a port may ask for. Those of autoconfiguration that nobody asked for do not count.
fn check_number(draft: &Draft, asker: &Asker, asked: usize) -> Result<(), Rejection> {
    if asked <= draft.limits().max_fixed_ips || is_network_owner(asker.owner) {
        return Ok(());
    }
    Err(Rejection::InvalidInput("Exceeded maximum amount of fixed ips per port.".to_owned()))
}

/// Addresses as they would be once those found so far are given.
struct Allotment<'a> {
    draft: &'a Draft,
    asker: Asker<'a>,
    spaces: BTreeMap<SubnetId, AddressSpace>,
    given: Vec<FixedIp>,
}

impl<'a> Allotment<'a> {
    fn new(draft: &'a Draft, asker: Asker<'a>) -> Self {
        Self { draft, asker, spaces: BTreeMap::new(), given: Vec::new() }
    }

    fn space(&mut self, subnet: SubnetId) -> Option<&mut AddressSpace> {
        if !self.spaces.contains_key(&subnet) {
            let space = self.draft.index.addresses.get(&subnet)?.clone();
            self.spaces.insert(subnet, space);
        }
        self.spaces.get_mut(&subnet)
    }

    fn give_back(&mut self, fixed: FixedIp) {
        let port = self.asker.port;
        if let Some(space) = self.space(fixed.subnet_id) {
            space.give_back(fixed.ip_address, port);
        }
    }

    fn give(&mut self, want: &Want) -> Result<(), Rejection> {
        let port = self.asker.port;
        let fixed = match want {
            Want::Exactly(fixed) => {
                let taken = self.space(fixed.subnet_id).is_some_and(|space| space.holder(fixed.ip_address).is_some());
                if taken {
                    return Err(Rejection::IpAddressAlreadyAllocated { ip: fixed.ip_address, subnet: fixed.subnet_id });
                }
                *fixed
            }
            Want::AnyOf(subnets) => {
                let found = subnets.iter().find_map(|subnet_id| {
                    let ip_address = self.space(*subnet_id)?.lowest_free()?;
                    Some(FixedIp { subnet_id: *subnet_id, ip_address })
                });
                let network = self.asker.network;
                found.ok_or(Rejection::IpAddressGenerationFailure(network))?
            }
        };
        if let Some(space) = self.space(fixed.subnet_id) {
            space.take(fixed.ip_address, port);
        }
        self.given.push(fixed);
        Ok(())
    }

    /// Finds what is wanted, exact addresses first so that none is given away before, then what
    /// autoconfiguration adds in the subnets where nothing is given yet.
    fn fill(mut self, mut wants: Vec<Want>, subnets: &[Arc<Subnet>]) -> Result<Vec<FixedIp>, Rejection> {
        wants.sort_by_key(|want| matches!(want, Want::AnyOf(_)));
        for want in &wants {
            self.give(want)?;
        }
        for subnet in subnets {
            let given = self.given.iter().any(|fixed| fixed.subnet_id == subnet.id);
            if !given && self.asker.is_automatic_in(subnet) {
                let ip_address = interface_address(&subnet.cidr, self.asker.mac);
                self.give(&Want::Exactly(FixedIp { subnet_id: subnet.id, ip_address }))?;
            }
        }
        Ok(self.given)
    }
}

/// The addresses of a new port.
pub(super) fn first_addresses(
    draft: &Draft,
    asker: Asker,
    wanted: Option<&[NewFixedIp]>,
) -> Result<Vec<FixedIp>, Rejection> {
    let subnets = candidates(draft, &asker)?;
    let mut wants = Vec::new();
    match wanted {
        Some(wanted) => {
            for wanted in wanted {
                wants.extend(want(draft, &asker, *wanted, &subnets)?);
            }
            check_number(draft, &asker, wants.len())?;
        }
        None => {
            let of = |ipv6: bool| -> Vec<SubnetId> {
                let family = subnets.iter().filter(|subnet| subnet.is_ipv6() == ipv6);
                family.filter(|subnet| !subnet.is_auto_addressed()).map(|subnet| subnet.id).collect()
            };
            let families = [of(false), of(true)];
            wants.extend(families.into_iter().filter(|ids| !ids.is_empty()).map(Want::AnyOf));
        }
    }
    Allotment::new(draft, asker).fill(wants, &subnets)
}

/// The addresses of a port that had `before`, when its wishes or its link-layer address change.
pub(super) fn next_addresses(
    draft: &Draft,
    asker: Asker,
    before: &[FixedIp],
    wanted: Option<&[NewFixedIp]>,
    mac_changed: bool,
) -> Result<Vec<FixedIp>, Rejection> {
    if wanted.is_none() && (!mac_changed || before.is_empty()) {
        return Ok(before.to_vec());
    }
    check_number(draft, &asker, wanted.map_or(0, <[_]>::len))?;
    let subnets = candidates(draft, &asker)?;
    let automatic = |fixed: &FixedIp| {
        let subnet = draft.subnet(fixed.subnet_id);
        subnet.is_some_and(|subnet| asker.is_automatic_in(subnet))
    };
    let unasked: Vec<NewFixedIp> = before.iter().map(|fixed| (*fixed).into()).collect();
    let wanted = wanted.unwrap_or(&unasked);
    let mut rest = before.to_vec();
    let mut kept = Vec::new();
    let mut added = Vec::new();
    for wanted in wanted {
        let Some(ip) = wanted.ip_address else {
            continue;
        };
        match rest.iter().position(|fixed| fixed.ip_address == ip) {
            Some(at) => kept.push(rest.remove(at)),
            None => added.push(*wanted),
        }
    }
    for wanted in wanted.iter().filter(|wanted| wanted.ip_address.is_none()) {
        let same = |fixed: &FixedIp| Some(fixed.subnet_id) == wanted.subnet_id;
        match rest.iter().position(same) {
            Some(at) => kept.push(rest.remove(at)),
            None => added.push(*wanted),
        }
    }
    // Addresses of autoconfiguration stay, asked for or not, as long as the port's link-layer
    // address does.
    rest.retain(|fixed| {
        let stays = automatic(fixed);
        if stays {
            kept.push(*fixed);
        }
        !stays
    });
    if mac_changed {
        kept.retain(|fixed| {
            let goes = automatic(fixed);
            if goes {
                rest.push(*fixed);
            }
            !goes
        });
    }
    let mut wants = Vec::with_capacity(added.len());
    for wanted in added {
        wants.extend(want(draft, &asker, wanted, &subnets)?);
    }
    let mut allotment = Allotment::new(draft, asker);
    for fixed in rest {
        allotment.give_back(fixed);
    }
    let order = |fixed: &FixedIp| before.iter().position(|other| other == fixed);
    kept.sort_by_key(order);
    allotment.given = kept;
    allotment.fill(wants, &subnets)
}
