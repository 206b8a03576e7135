//! Messages of DHCPv6, read and written.

use crate::Silence;
use std::net::Ipv6Addr;

/// Bytes before the options: the type and the transaction.
const HEADER_LEN: usize = 4;

/// Associations of one message that are answered.
const ASSOCIATIONS_MAX: usize = 16;

/// Addresses of one association that are answered.
const ADDRESSES_MAX: usize = 16;

/// Bytes of the longest message: what every link carries, less the headers of IPv6 and UDP.
pub(super) const MESSAGE_MAX: usize = 1280 - 48;

/// Bytes of an option before its value.
const OPTION_LEN: usize = 4;

/// Bytes of the option with one address.
const ADDRESS_LEN: usize = OPTION_LEN + 24;

/// Bytes of the longest identifier (RFC 8415 section 11.1).
const ID_MAX: usize = 130;

/// Numbers of options.
pub(super) mod option {
    pub(in super::super) const CLIENT_ID: u16 = 1;
    pub(in super::super) const SERVER_ID: u16 = 2;
    pub(in super::super) const IA_NA: u16 = 3;
    pub(in super::super) const IA_TA: u16 = 4;
    pub(in super::super) const ADDRESS: u16 = 5;
    pub(in super::super) const REQUESTED: u16 = 6;
    pub(in super::super) const STATUS: u16 = 13;
    pub(in super::super) const RAPID_COMMIT: u16 = 14;
    pub(in super::super) const USER_CLASS: u16 = 15;
    pub(in super::super) const DNS_SERVERS: u16 = 23;
    pub(in super::super) const DOMAINS: u16 = 24;
    pub(in super::super) const IA_PD: u16 = 25;
    pub(in super::super) const REFRESH_TIME: u16 = 32;
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Solicit = 1,
    Advertise = 2,
    Request = 3,
    Confirm = 4,
    Renew = 5,
    Rebind = 6,
    Reply = 7,
    Release = 8,
    Decline = 9,
    InformationRequest = 11,
}

/// How something went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Success = 0,
    NoAddrsAvail = 2,
    NoBinding = 3,
    NotOnLink = 4,
    UseMulticast = 5,
    NoPrefixAvail = 6,
}

/// An identity association of a client: what it has, or wants to have, addresses or prefixes for.
#[derive(Clone, Debug)]
pub(super) struct Association {
    /// The number of its option.
    pub(super) kind: u16,
    id: [u8; 4],
    /// The addresses that the client has or wants.
    pub(super) addresses: Vec<Ipv6Addr>,
}

/// A message of a client.
#[derive(Clone, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: Kind,
    transaction: [u8; 3],
    pub(super) client: Option<&'a [u8]>,
    pub(super) server: Option<&'a [u8]>,
    pub(super) associations: Vec<Association>,
    /// The options that the client wants, in its order; none if it does not say.
    pub(super) wanted: Option<Vec<u16>>,
    /// The client would skip the second half of the exchange.
    pub(super) rapid: bool,
    /// Whether it is iPXE, which boots otherwise than the firmware before it.
    pub(super) ipxe: bool,
}

/// The options of a message or of an option; an error at one that is cut off.
fn options(mut bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Silence>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let parsed = bytes.split_first_chunk::<4>().and_then(|([c, d, e, f], rest)| {
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*e, *f])))?;
            Some((u16::from_be_bytes([*c, *d]), value, rest))
        });
        let Some((code, value, rest)) = parsed else {
            bytes = &[];
            return Some(Err(Silence::Malformed));
        };
        bytes = rest;
        Some(Ok((code, value)))
    })
}

impl<'a> Message<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Silence> {
        let ([kind, transaction @ ..], rest) = bytes.split_first_chunk::<HEADER_LEN>().ok_or(Silence::Malformed)?;
        let kind = match kind {
            1 => Kind::Solicit,
            3 => Kind::Request,
            4 => Kind::Confirm,
            5 => Kind::Renew,
            6 => Kind::Rebind,
            8 => Kind::Release,
            9 => Kind::Decline,
            11 => Kind::InformationRequest,
            12 => return Err(Silence::Relayed),
            _ => return Err(Silence::NoRequest),
        };
        let mut message = Self {
            kind,
            transaction: *transaction,
            client: None,
            server: None,
            associations: Vec::new(),
            wanted: None,
            rapid: false,
            ipxe: false,
        };
        for option in options(rest) {
            let (code, value) = option?;
            message.take(code, value)?;
        }
        Ok(message)
    }

    fn take(&mut self, code: u16, value: &'a [u8]) -> Result<(), Silence> {
        match code {
            option::CLIENT_ID | option::SERVER_ID => {
                if value.is_empty() || value.len() > ID_MAX {
                    return Err(Silence::Malformed);
                }
                let id = if code == option::CLIENT_ID { &mut self.client } else { &mut self.server };
                *id = Some(value);
            }
            option::IA_NA | option::IA_TA | option::IA_PD if self.associations.len() < ASSOCIATIONS_MAX => {
                self.associations.push(Association::read(code, value)?);
            }
            option::REQUESTED => {
                let codes = value.chunks_exact(2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                self.wanted = Some(codes.collect());
            }
            option::RAPID_COMMIT => self.rapid = true,
            option::USER_CLASS => self.ipxe = value.windows(4).any(|part| part == b"iPXE"),
            _ => {}
        }
        Ok(())
    }
}

impl Association {
    fn read(kind: u16, value: &[u8]) -> Result<Self, Silence> {
        let mut association = Self { kind, id: [0; 4], addresses: Vec::new() };
        let times = if association.has_times() { 8 } else { 0 };
        let (id, rest) = value.split_first_chunk::<4>().ok_or(Silence::Malformed)?;
        association.id = *id;
        for option in options(rest.get(times..).ok_or(Silence::Malformed)?) {
            let (code, value) = option?;
            if code == option::ADDRESS && association.addresses.len() < ADDRESSES_MAX {
                let address = value.first_chunk::<16>().ok_or(Silence::Malformed)?;
                association.addresses.push(Ipv6Addr::from(*address));
            }
        }
        Ok(association)
    }
}

/// A message to a client.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// Whether the client is told what it asked for.
    pub(super) configured: bool,
}

impl Reply {
    pub(super) fn new(kind: Kind, to: &Message<'_>, server: &[u8]) -> Self {
        let [a, b, c] = to.transaction;
        let mut reply = Self { bytes: vec![kind as u8, a, b, c], configured: false };
        if let Some(client) = to.client {
            reply.put(option::CLIENT_ID, client);
        }
        reply.put(option::SERVER_ID, server);
        reply
    }

    pub(super) fn with_configuration(mut self) -> Self {
        self.configured = true;
        self
    }

    pub(super) fn put(&mut self, code: u16, value: &[u8]) {
        put(&mut self.bytes, code, value);
    }

    pub(super) fn status(&mut self, status: Status) {
        self.put(option::STATUS, &[0, status as u8]);
    }

    /// Puts an association with the addresses that the client has for so long (preferred and valid seconds), with
    /// those that end, or with how it went; as many as there is room for. Returns whether that is all.
    pub(super) fn association(
        &mut self,
        association: &Association,
        given: &[Ipv6Addr],
        ended: &[Ipv6Addr],
        (preferred, valid): (u32, u32),
        status: Option<Status>,
    ) -> bool {
        let mut value = association.id.to_vec();
        if association.has_times() {
            let (renew, rebind) = match preferred {
                u32::MAX => (u32::MAX, u32::MAX),
                _ => (preferred / 2, preferred / 5 * 4),
            };
            value.extend_from_slice(&renew.to_be_bytes());
            value.extend_from_slice(&rebind.to_be_bytes());
        }
        let given = given.iter().map(|address| (address, preferred, valid));
        let room = MESSAGE_MAX.saturating_sub(self.bytes.len() + OPTION_LEN);
        let mut whole = true;
        for (address, preferred, valid) in given.chain(ended.iter().map(|address| (address, 0, 0))) {
            let lifetimes = [preferred.to_be_bytes(), valid.to_be_bytes()].concat();
            if value.len() + ADDRESS_LEN > room {
                whole = false;
                break;
            }
            put(&mut value, option::ADDRESS, &[&address.octets()[..], &lifetimes].concat());
        }
        if let Some(status) = status {
            put(&mut value, option::STATUS, &[0, status as u8]);
        }
        if value.len() > room {
            return false;
        }
        self.put(association.kind, &value);
        whole
    }
}

/// Writes an option. None is longer than its length can say: values are a few addresses, or the text of one record.
fn put(bytes: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(usize::from(u16::MAX))];
    bytes.extend_from_slice(&code.to_be_bytes());
    bytes.extend_from_slice(&(value.len() as u16).to_be_bytes());
    bytes.extend_from_slice(value);
}
