//! DHCPv6 (RFC 8415). Every answer follows from the topology: an address is given because the port has it.

mod message;
mod options;
#[cfg(test)]
mod tests;

use crate::asker::Asker;
use crate::frame::{self, Frame, HOP_LIMIT, Link};
use crate::{Answer, Settings, Silence};
use message::{Association, Kind, Message, Reply, Status, option};
use options::Told;
use smoltcp::wire::IpProtocol;
use std::net::{IpAddr, Ipv6Addr};
use weir_model::{Ipv6Mode, MacAddress, Subnet};

/// Where servers listen.
const SERVER_PORT: u16 = 547;

/// Where clients listen.
const CLIENT_PORT: u16 = 546;

/// What a port is served.
struct Service<'a> {
    /// The subnets that tell options.
    subnets: Vec<&'a Subnet>,
    /// The addresses that are given.
    addresses: Vec<Ipv6Addr>,
}

/// The identifier of the server, made of its link-layer address (DUID-LL).
fn server_id() -> [u8; 10] {
    let [a, b, c, d, e, f] = MacAddress::SERVICE.0;
    [0, 3, 0, 1, a, b, c, d, e, f]
}

pub(crate) fn answer(asker: &Asker<'_>, bytes: &[u8], settings: &Settings) -> Result<Answer, Silence> {
    let frame = Frame::read(bytes)?;
    let datagram = frame.udp_over_ipv6(SERVER_PORT)?;
    let (IpAddr::V6(client), IpAddr::V6(spoken_to)) = (datagram.source, datagram.destination) else {
        return Err(Silence::Malformed);
    };
    if client.is_unspecified() || client.is_multicast() {
        return Err(Silence::Malformed);
    }
    if frame.source != asker.port.mac_address {
        return Err(Silence::ForeignClient);
    }
    let message = Message::read(datagram.payload)?;
    let service = Service::of(asker).ok_or(Silence::NotServed)?;
    let mut told = Told::new(asker, &message, &service.subnets, settings);
    let mut reply = judge(&message, &service, spoken_to, &mut told)?;
    if reply.configured {
        told.put(&mut reply);
    }
    let source = service.subnets.first().map_or(MacAddress::SERVICE, |subnet| asker.server_mac(subnet));
    let server = source.link_local();
    let link = Link { source, destination: asker.port.mac_address };
    let segment = frame::udp_datagram((server.into(), SERVER_PORT), (client.into(), CLIENT_PORT), &reply.bytes)?;
    let frame = frame::ipv6(link, server, client, IpProtocol::Udp, HOP_LIMIT, &segment)?;
    Ok(Answer { frames: vec![frame], omitted: told.into_omitted() })
}

impl<'a> Service<'a> {
    fn of(asker: &Asker<'a>) -> Option<Self> {
        let mut service = Self { subnets: Vec::new(), addresses: Vec::new() };
        for (address, subnet) in asker.addresses() {
            let (IpAddr::V6(address), true) = (address, subnet.enable_dhcp) else { continue };
            match subnet.ipv6_address_mode.or(subnet.ipv6_ra_mode) {
                Some(Ipv6Mode::Dhcpv6Stateful) => service.addresses.push(address),
                Some(Ipv6Mode::Dhcpv6Stateless) => {}
                Some(Ipv6Mode::Slaac) | None => continue,
            }
            if !service.subnets.iter().any(|known| known.id == subnet.id) {
                service.subnets.push(subnet);
            }
        }
        (!service.subnets.is_empty()).then_some(service)
    }
}

fn judge(
    message: &Message<'_>,
    service: &Service<'_>,
    spoken_to: Ipv6Addr,
    told: &mut Told<'_>,
) -> Result<Reply, Silence> {
    check_ids(message)?;
    // The option that would let clients use unicast is never sent.
    let to_server = matches!(message.kind, Kind::Request | Kind::Renew | Kind::Release | Kind::Decline);
    if to_server && !spoken_to.is_multicast() {
        let mut reply = Reply::new(Kind::Reply, message, &server_id());
        reply.status(Status::UseMulticast);
        return Ok(reply);
    }
    match message.kind {
        Kind::Solicit => {
            let rapid = message.rapid;
            let mut reply = Reply::new(if rapid { Kind::Reply } else { Kind::Advertise }, message, &server_id());
            if rapid {
                reply.put(option::RAPID_COMMIT, &[]);
            }
            assign(message, service, told, &mut reply);
            Ok(reply.with_configuration())
        }
        Kind::Request | Kind::Renew | Kind::Rebind => {
            let mut reply = Reply::new(Kind::Reply, message, &server_id());
            if message.kind == Kind::Rebind && service.addresses.is_empty() {
                return Err(Silence::NotServed);
            }
            assign(message, service, told, &mut reply);
            Ok(reply.with_configuration())
        }
        Kind::Confirm => {
            let mut claimed = message.associations.iter().flat_map(|one| &one.addresses).peekable();
            claimed.peek().ok_or(Silence::Malformed)?;
            let right = claimed.all(|address| service.addresses.contains(address));
            let mut reply = Reply::new(Kind::Reply, message, &server_id());
            reply.status(if right { Status::Success } else { Status::NotOnLink });
            Ok(reply)
        }
        Kind::Release | Kind::Decline => {
            let mut reply = Reply::new(Kind::Reply, message, &server_id());
            reply.status(Status::Success);
            for association in &message.associations {
                let known = association.addresses.iter().any(|address| service.addresses.contains(address));
                if !known {
                    let whole = reply.association(association, &[], &[], (0, 0), Some(Status::NoBinding));
                    told.note(association.kind, whole);
                }
            }
            Ok(reply)
        }
        Kind::InformationRequest => Ok(Reply::new(Kind::Reply, message, &server_id()).with_configuration()),
        Kind::Advertise | Kind::Reply => Err(Silence::NoRequest),
    }
}

/// Who must say who he is, and to whom he talks (RFC 8415 section 16).
fn check_ids(message: &Message<'_>) -> Result<(), Silence> {
    let ours = message.server.map(|server| server == server_id());
    let named = message.client.is_some();
    match message.kind {
        Kind::Solicit | Kind::Confirm | Kind::Rebind if ours.is_some() || !named => Err(Silence::Malformed),
        Kind::InformationRequest if !message.associations.is_empty() => Err(Silence::Malformed),
        Kind::Request | Kind::Renew | Kind::Release | Kind::Decline if ours.is_none() || !named => {
            Err(Silence::Malformed)
        }
        _ if ours == Some(false) => Err(Silence::OtherServer),
        _ => Ok(()),
    }
}

/// Gives the port's addresses to the first association for addresses that the client has; nothing to all others.
/// What the client has beside them ends at once (RFC 8415 section 18.3.4).
fn assign(message: &Message<'_>, service: &Service<'_>, told: &mut Told<'_>, reply: &mut Reply) {
    let mut addresses = service.addresses.as_slice();
    for association in &message.associations {
        let given = match association.kind {
            option::IA_NA => std::mem::take(&mut addresses),
            _ => &[],
        };
        let whole = if given.is_empty() {
            let bound = matches!(message.kind, Kind::Renew | Kind::Rebind);
            let status = match association.kind {
                option::IA_PD => Status::NoPrefixAvail,
                _ if bound => Status::NoBinding,
                _ => Status::NoAddrsAvail,
            };
            reply.association(association, &[], &[], (0, 0), Some(status))
        } else {
            let ended: Vec<_> =
                association.addresses.iter().copied().filter(|address| !given.contains(address)).collect();
            let ended = if message.kind == Kind::Solicit { &[][..] } else { &ended };
            reply.association(association, given, ended, (told.lease_s(), told.lease_s()), None)
        };
        told.note(association.kind, whole);
    }
}

impl Association {
    /// Bytes of the option's own fields: an association for temporary addresses has no times.
    const fn has_times(&self) -> bool {
        self.kind != option::IA_TA
    }
}
