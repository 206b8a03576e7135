//! A DHCP client that says what a test wants, and shows every byte of what it hears.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use weir::cli::lab::{DEVICE, Vm};

use super::super::world::Failure;
use super::GRACE;

pub(super) const DISCOVER: u8 = 1;
pub(super) const OFFER: u8 = 2;
pub(super) const REQUEST: u8 = 3;
pub(super) const DECLINE: u8 = 4;
pub(super) const ACK: u8 = 5;
pub(super) const NAK: u8 = 6;
pub(super) const RELEASE: u8 = 7;
pub(super) const INFORM: u8 = 8;

/// What the client asks for.
const WANTED: [u8; 13] = [1, 3, 6, 12, 15, 26, 28, 51, 66, 67, 121, 150, 249];

/// The bytes before the options.
const MAGIC: [u8; 4] = [0x63, 0x82, 0x53, 0x63];

/// A client on a VM's interface.
pub(super) struct Client {
    socket: UdpSocket,
    mac: [u8; 6],
    transaction: u32,
}

/// What a client says.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) kind: u8,
    /// The address that it has.
    pub(super) address: Ipv4Addr,
    pub(super) options: Vec<(u8, Vec<u8>)>,
    pub(super) to: Ipv4Addr,
}

impl Said {
    pub(super) fn new(kind: u8) -> Self {
        Self { kind, address: Ipv4Addr::UNSPECIFIED, options: Vec::new(), to: Ipv4Addr::BROADCAST }
    }

    pub(super) fn wanting(mut self, address: Ipv4Addr) -> Self {
        self.options.push((50, address.octets().to_vec()));
        self
    }

    pub(super) fn of_server(mut self, server: Ipv4Addr) -> Self {
        self.options.push((54, server.octets().to_vec()));
        self
    }

    pub(super) fn having(mut self, address: Ipv4Addr) -> Self {
        self.address = address;
        self
    }

    pub(super) fn to(mut self, server: Ipv4Addr) -> Self {
        self.to = server;
        self
    }
}

/// What a server says.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    bytes: Vec<u8>,
    pub(super) from: Ipv4Addr,
    options: BTreeMap<u8, Vec<u8>>,
}

impl Client {
    pub(super) fn new(vm: &Vm) -> Result<Self, Failure> {
        let namespace = vm.namespace();
        namespace.ip([format!("route replace 255.255.255.255/32 dev {DEVICE}")])?;
        let socket = namespace.within(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 68)))??;
        socket.set_broadcast(true)?;
        let mut mac = [0; 6];
        for (byte, text) in mac.iter_mut().zip(vm.guest().mac.split(':')) {
            *byte = u8::from_str_radix(text, 16)?;
        }
        Ok(Self { socket, mac, transaction: 0x5eed_0001 })
    }

    /// Says something, and waits for the answer.
    pub(super) fn ask(&mut self, said: &Said) -> Result<Reply, Failure> {
        self.say(said)?;
        self.hear(Duration::from_secs(2))?.ok_or_else(|| format!("no answer to {said:?}").into())
    }

    /// Whether nobody answers.
    pub(super) fn is_ignored(&mut self, said: &Said) -> Result<bool, Failure> {
        self.say(said)?;
        Ok(self.hear(GRACE)?.is_none())
    }

    fn say(&mut self, said: &Said) -> Result<(), Failure> {
        self.transaction += 1;
        let mut message = vec![1, 1, 6, 0];
        message.extend(self.transaction.to_be_bytes());
        // No address is configured: answers have to be sent to all.
        message.extend([0, 0, 0x80, 0]);
        message.extend(said.address.octets());
        message.resize(28, 0);
        message.extend(self.mac);
        message.resize(236, 0);
        message.extend(MAGIC);
        let wanted = (55, WANTED.to_vec());
        for (code, value) in [(53, vec![said.kind])].iter().chain(&said.options).chain([&wanted]) {
            message.extend([*code, u8::try_from(value.len())?]);
            message.extend(value);
        }
        message.push(255);
        self.socket.send_to(&message, (said.to, 67))?;
        Ok(())
    }

    /// The next message of a server that belongs to what was said last.
    fn hear(&self, limit: Duration) -> Result<Option<Reply>, Failure> {
        let end = Instant::now() + limit;
        let mut buffer = [0; 2048];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let bytes = buffer[..length].to_vec();
                    if bytes.get(4..8) == Some(&self.transaction.to_be_bytes()[..]) {
                        let std::net::IpAddr::V4(from) = from.ip() else { continue };
                        return Ok(Some(Reply::read(bytes, from)?));
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Reply {
    fn read(bytes: Vec<u8>, from: Ipv4Addr) -> Result<Self, Failure> {
        if bytes.first() != Some(&2) || bytes.get(236..240) != Some(&MAGIC[..]) {
            return Err("no reply of a server".into());
        }
        let mut options = BTreeMap::new();
        let mut rest = &bytes[240..];
        while let [code, length, after @ ..] = rest {
            if *code == 255 {
                break;
            }
            let value = after.get(..usize::from(*length)).ok_or("an option is cut off")?;
            options.insert(*code, value.to_vec());
            rest = &after[value.len()..];
        }
        Ok(Self { bytes, from, options })
    }

    pub(super) fn kind(&self) -> u8 {
        self.options.get(&53).map_or(0, |kind| kind[0])
    }

    /// The address that the client gets.
    pub(super) fn yours(&self) -> Ipv4Addr {
        self.address_at(16)
    }

    /// Where the boot file is.
    pub(super) fn next_server(&self) -> Ipv4Addr {
        self.address_at(20)
    }

    fn address_at(&self, at: usize) -> Ipv4Addr {
        let octets: [u8; 4] = self.bytes[at..at + 4].try_into().unwrap_or_default();
        octets.into()
    }

    /// The name of the boot file in the header.
    pub(super) fn file(&self) -> String {
        String::from_utf8_lossy(&self.bytes[108..236]).trim_end_matches('\0').to_owned()
    }

    pub(super) fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.get(&code).map(Vec::as_slice)
    }

    pub(super) fn text(&self, code: u8) -> String {
        String::from_utf8_lossy(self.option(code).unwrap_or_default()).into_owned()
    }
}
