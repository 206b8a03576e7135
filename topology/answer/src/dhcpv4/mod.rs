//! DHCP (RFC 2131). Every answer follows from the topology: an address is given because the port has it.

mod message;
mod options;
#[cfg(test)]
mod tests;

use crate::asker::Asker;
use crate::frame::{self, Frame, Link};
use crate::{Answer, Settings, Silence};
use message::{Kind, Message, Reply};
use options::Told;
use smoltcp::wire::IpProtocol;
use std::net::{IpAddr, Ipv4Addr};
use weir_model::{MacAddress, Subnet};

/// Where servers listen.
const SERVER_PORT: u16 = 67;

/// Where clients listen.
const CLIENT_PORT: u16 = 68;

/// An address of the port that DHCP gives.
#[derive(Clone, Copy, Debug)]
struct Lease<'a> {
    address: Ipv4Addr,
    subnet: &'a Subnet,
}

/// What is said to the client.
enum Verdict<'a> {
    Offer(Lease<'a>),
    Ack(Lease<'a>),
    /// The options alone: the client has its address.
    Inform(Lease<'a>),
    /// The client must not use its address.
    Nak(Lease<'a>),
}

pub(crate) fn answer(asker: &Asker<'_>, bytes: &[u8], settings: &Settings) -> Result<Answer, Silence> {
    let frame = Frame::read(bytes)?;
    let datagram = frame.udp_over_ipv4(SERVER_PORT)?;
    let message = Message::read(datagram.payload, asker.network.mtu)?;
    if message.relayed {
        return Err(Silence::Relayed);
    }
    if message.client != asker.port.mac_address {
        return Err(Silence::ForeignClient);
    }
    let leases = leases(asker);
    let verdict = judge(&message, &leases)?;
    say(asker, &message, datagram.source, &verdict, settings)
}

/// The addresses that DHCP gives the port, in the order of the API.
fn leases<'a>(asker: &Asker<'a>) -> Vec<Lease<'a>> {
    let addresses = asker.addresses().filter(|(_, subnet)| subnet.enable_dhcp);
    let leases = addresses.filter_map(|(address, subnet)| match address {
        IpAddr::V4(address) => Some(Lease { address, subnet }),
        IpAddr::V6(_) => None,
    });
    leases.collect()
}

fn judge<'a>(message: &Message<'_>, leases: &[Lease<'a>]) -> Result<Verdict<'a>, Silence> {
    let first = *leases.first().ok_or(Silence::NotServed)?;
    let of = |address| leases.iter().copied().find(|lease| lease.address == address);
    match message.kind {
        Kind::Discover => Ok(Verdict::Offer(message.requested.and_then(of).unwrap_or(first))),
        Kind::Request => {
            let own = |server| leases.iter().copied().find(|lease| lease.subnet.dhcp_server() == server);
            let spoken_to = match message.server {
                Some(server) => own(server).ok_or(Silence::OtherServer)?,
                None => first,
            };
            // Who has an address already names it in the header (renewing, rebinding), who wants one in an option
            // (selecting, init-reboot).
            let wanted = message.address.or(message.requested).ok_or(Silence::Malformed)?;
            Ok(of(wanted).map_or(Verdict::Nak(spoken_to), Verdict::Ack))
        }
        Kind::Inform => {
            let near = |address| leases.iter().copied().find(|lease| lease.subnet.cidr.contains(&IpAddr::V4(address)));
            Ok(Verdict::Inform(message.address.and_then(near).unwrap_or(first)))
        }
        Kind::Decline | Kind::Release => Err(Silence::GivenBack),
    }
}

fn say(
    asker: &Asker<'_>,
    message: &Message<'_>,
    sender: IpAddr,
    verdict: &Verdict<'_>,
    settings: &Settings,
) -> Result<Answer, Silence> {
    let (Verdict::Offer(lease) | Verdict::Ack(lease) | Verdict::Inform(lease) | Verdict::Nak(lease)) = *verdict;
    let server = lease.subnet.dhcp_server();
    let mut told = Told::new(asker, message, lease, settings);
    let reply = match verdict {
        Verdict::Offer(_) => Reply { kind: Reply::OFFER, yours: Some(lease.address), options: told.lease() },
        Verdict::Ack(_) => Reply { kind: Reply::ACK, yours: Some(lease.address), options: told.lease() },
        Verdict::Inform(_) => Reply { kind: Reply::ACK, yours: None, options: told.configuration() },
        Verdict::Nak(_) => Reply { kind: Reply::NAK, yours: None, options: told.refusal() },
    };
    let payload = reply.write(message, server, &mut told);
    let (address, mac) = recipient(asker, message, sender, verdict);
    let link = Link { source: asker.server_mac(lease.subnet), destination: mac };
    let segment = frame::udp_datagram((server.into(), SERVER_PORT), (address.into(), CLIENT_PORT), &payload)?;
    let frame = frame::ipv4(link, server, address, IpProtocol::Udp, 0, &segment)?;
    Ok(Answer { frames: vec![frame], omitted: told.into_omitted() })
}

/// To whom the reply goes (RFC 2131 section 4.1).
fn recipient(
    asker: &Asker<'_>,
    message: &Message<'_>,
    sender: IpAddr,
    verdict: &Verdict<'_>,
) -> (Ipv4Addr, MacAddress) {
    let all = (Ipv4Addr::BROADCAST, MacAddress([0xff; 6]));
    let mac = asker.port.mac_address;
    let yours = match verdict {
        Verdict::Nak(_) => return all,
        Verdict::Inform(_) => match sender {
            IpAddr::V4(sender) if is_unicast(sender) => Some(sender),
            _ => None,
        },
        Verdict::Offer(lease) | Verdict::Ack(lease) => Some(lease.address).filter(|_| !message.broadcast),
    };
    match message.address.filter(|address| is_unicast(*address)).or(yours) {
        Some(address) => (address, mac),
        None => all,
    }
}

const fn is_unicast(address: Ipv4Addr) -> bool {
    !address.is_unspecified() && !address.is_broadcast() && !address.is_multicast() && !address.is_loopback()
}
