//! Messages of DHCP, read and written.

use super::options::Told;
use crate::Silence;
use smoltcp::wire::{ArpHardware, DhcpFlags, DhcpOpCode, DhcpPacket, EthernetAddress};
use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use weir_model::MacAddress;

/// The number before the options.
const MAGIC: u32 = 0x6382_5363;

/// Bytes before the options.
const HEADER_LEN: usize = 240;

/// Bytes of the shortest message: some clients take no shorter one than BOOTP's.
const MESSAGE_MIN: usize = 300;

/// Bytes of the IP packet that every client takes, and that it takes at most unless it says more.
const PACKET_MIN: u16 = 576;

/// Bytes of the IP and UDP headers.
const PACKET_HEADERS: u16 = 28;

/// Where the name of the server stands in the header.
const SNAME: std::ops::Range<usize> = 44..108;

/// Where the name of the boot file stands in the header.
const FILE: std::ops::Range<usize> = 108..236;

/// Numbers of options.
pub(super) mod option {
    pub(in super::super) const SUBNET_MASK: u8 = 1;
    pub(in super::super) const ROUTER: u8 = 3;
    pub(in super::super) const DNS_SERVERS: u8 = 6;
    pub(in super::super) const HOST_NAME: u8 = 12;
    pub(in super::super) const DOMAIN_NAME: u8 = 15;
    pub(in super::super) const MTU: u8 = 26;
    pub(in super::super) const BROADCAST: u8 = 28;
    pub(in super::super) const REQUESTED_ADDRESS: u8 = 50;
    pub(in super::super) const LEASE_TIME: u8 = 51;
    pub(in super::super) const MESSAGE_TYPE: u8 = 53;
    pub(in super::super) const SERVER_ID: u8 = 54;
    pub(in super::super) const PARAMETER_REQUEST_LIST: u8 = 55;
    pub(in super::super) const MESSAGE: u8 = 56;
    pub(in super::super) const MAX_MESSAGE_SIZE: u8 = 57;
    pub(in super::super) const RENEWAL_TIME: u8 = 58;
    pub(in super::super) const REBINDING_TIME: u8 = 59;
    pub(in super::super) const CLIENT_ID: u8 = 61;
    pub(in super::super) const TFTP_SERVER: u8 = 66;
    pub(in super::super) const BOOTFILE_NAME: u8 = 67;
    pub(in super::super) const USER_CLASS: u8 = 77;
    pub(in super::super) const ROUTES: u8 = 121;
    pub(in super::super) const TFTP_SERVER_ADDRESS: u8 = 150;
    pub(in super::super) const IPXE: u8 = 175;
    pub(in super::super) const ROUTES_OF_MICROSOFT: u8 = 249;
    pub(in super::super) const END: u8 = 255;
}

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Discover,
    Request,
    Decline,
    Release,
    Inform,
}

/// A message of a client.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    packet: DhcpPacket<&'a [u8]>,
    pub(super) kind: Kind,
    pub(super) client: MacAddress,
    pub(super) relayed: bool,
    /// The client takes its answer by broadcast only.
    pub(super) broadcast: bool,
    /// The address that the client has.
    pub(super) address: Option<Ipv4Addr>,
    /// The address that it wants.
    pub(super) requested: Option<Ipv4Addr>,
    /// The server that it talks to.
    pub(super) server: Option<Ipv4Addr>,
    /// The options that it wants, in its order; none if it does not say.
    pub(super) wanted: Option<Vec<u8>>,
    /// Its identifier, which an answer repeats (RFC 6842).
    pub(super) client_id: Option<Vec<u8>>,
    /// Whether it is iPXE, which boots otherwise than the firmware before it.
    pub(super) ipxe: bool,
    /// Bytes of the longest message that it and its network take.
    pub(super) max_len: usize,
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8], mtu: u16) -> Result<Self, Silence> {
        let packet = DhcpPacket::new_checked(bytes).map_err(|_| Silence::Malformed)?;
        if packet.opcode() != DhcpOpCode::Request {
            return Err(Silence::NoRequest);
        }
        let ethernet = packet.hardware_type() == ArpHardware::Ethernet && packet.hardware_len() == 6;
        if !ethernet || packet.magic_number() != MAGIC {
            return Err(Silence::Malformed);
        }
        // An option that comes twice is one option in two pieces (RFC 3396).
        let mut options: BTreeMap<u8, Vec<u8>> = BTreeMap::new();
        for option in packet.options() {
            options.entry(option.kind).or_default().extend_from_slice(option.data);
        }
        let address = |code| match options.get(&code).map(Vec::as_slice) {
            None => Ok(None),
            Some([a, b, c, d]) => Ok(Some(Ipv4Addr::new(*a, *b, *c, *d))),
            Some(_) => Err(Silence::Malformed),
        };
        let kind = match options.get(&option::MESSAGE_TYPE).map(Vec::as_slice) {
            Some([1]) => Kind::Discover,
            Some([3]) => Kind::Request,
            Some([4]) => Kind::Decline,
            Some([7]) => Kind::Release,
            Some([8]) => Kind::Inform,
            Some([_]) | None => return Err(Silence::NoRequest),
            Some(_) => return Err(Silence::Malformed),
        };
        let max_len = match options.get(&option::MAX_MESSAGE_SIZE).map(Vec::as_slice) {
            Some([high, low]) => u16::from_be_bytes([*high, *low]).max(PACKET_MIN),
            _ => PACKET_MIN,
        };
        let user_class = options.get(&option::USER_CLASS);
        let max_len = max_len.min(mtu.max(PACKET_MIN));
        Ok(Self {
            kind,
            client: MacAddress(packet.client_hardware_address().0),
            relayed: !packet.relay_agent_ip().is_unspecified(),
            broadcast: packet.flags().contains(DhcpFlags::BROADCAST),
            address: Some(packet.client_ip()).filter(|address| !address.is_unspecified()),
            requested: address(option::REQUESTED_ADDRESS)?,
            server: address(option::SERVER_ID)?,
            ipxe: options.contains_key(&option::IPXE)
                || user_class.is_some_and(|class| class.windows(4).any(|part| part == b"iPXE")),
            wanted: options.remove(&option::PARAMETER_REQUEST_LIST),
            client_id: options.remove(&option::CLIENT_ID),
            max_len: usize::from(max_len - PACKET_HEADERS),
            packet,
        })
    }
}

/// A message to a client.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) kind: u8,
    /// The address that the client is given.
    pub(super) yours: Option<Ipv4Addr>,
    /// The options behind type and server, in their order.
    pub(super) options: Vec<(u8, Vec<u8>)>,
}

impl Reply {
    pub(super) const OFFER: u8 = 2;
    pub(super) const ACK: u8 = 5;
    pub(super) const NAK: u8 = 6;

    /// Writes the message, leaving out what the client has no room for.
    pub(super) fn write(self, to: &Message<'_>, server: Ipv4Addr, told: &mut Told<'_>) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_LEN];
        let mut packet = DhcpPacket::new_unchecked(&mut bytes[..]);
        packet.set_opcode(DhcpOpCode::Reply);
        packet.set_hardware_type(ArpHardware::Ethernet);
        packet.set_hardware_len(6);
        packet.set_transaction_id(to.packet.transaction_id());
        packet.set_flags(to.packet.flags());
        packet.set_client_hardware_address(EthernetAddress(to.client.0));
        packet.set_magic_number(MAGIC);
        if self.kind != Self::NAK {
            packet.set_client_ip(to.packet.client_ip());
            packet.set_your_ip(self.yours.unwrap_or(Ipv4Addr::UNSPECIFIED));
            packet.set_server_ip(told.boot_server().unwrap_or(Ipv4Addr::UNSPECIFIED));
            put_name(&mut bytes[SNAME], told.boot_server_name());
            put_name(&mut bytes[FILE], told.boot_file());
        }
        put_option(&mut bytes, option::MESSAGE_TYPE, &[self.kind]);
        put_option(&mut bytes, option::SERVER_ID, &server.octets());
        for (code, value) in self.options {
            if bytes.len() + option_len(value.len()) < to.max_len {
                put_option(&mut bytes, code, &value);
            } else {
                told.no_room(code);
            }
        }
        bytes.push(option::END);
        if bytes.len() < MESSAGE_MIN {
            bytes.resize(MESSAGE_MIN, 0);
        }
        bytes
    }
}

/// A name that does not fit into the header, with the zero behind it, stands in the option alone.
fn put_name(field: &mut [u8], name: Option<&[u8]>) {
    if let Some(name) = name.filter(|name| name.len() < field.len()) {
        field[..name.len()].copy_from_slice(name);
    }
}

const fn option_len(value: usize) -> usize {
    value + 2 * value.div_ceil(255)
}

/// Writes an option, in pieces if it is long (RFC 3396).
fn put_option(bytes: &mut Vec<u8>, code: u8, value: &[u8]) {
    for piece in value.chunks(255) {
        bytes.extend_from_slice(&[code, piece.len() as u8]);
        bytes.extend_from_slice(piece);
    }
}
