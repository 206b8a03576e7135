//! What VMs say to each other, and what of it arrives.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use weir::cli::lab::{Ping, Vm, echo_requests};

use super::world::{Failure, address};

/// How long a packet is waited for that need not come. The second try of a neighbour solicitation or a SYN is later.
pub(crate) const PATIENCE: Duration = Duration::from_millis(500);

/// A way to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Talk {
    /// A new connection to a port.
    Tcp(u16),
    /// A datagram to a port, and one back.
    Udp(u16),
    /// An echo request and its reply.
    Ping,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Heard {
    /// Nothing arrived.
    Nothing,
    /// The question arrived, but not the answer.
    Question,
    /// Both arrived.
    Both,
}

/// Lets one VM ask another that answers whatever it hears.
pub(crate) fn talk(how: Talk, from: &Vm, to: &Vm, ipv6: bool) -> Result<Heard, Failure> {
    match how {
        Talk::Tcp(port) => {
            let target = SocketAddr::new(address(to, ipv6)?, port);
            let Some(mut connection) = Connection::try_open(from, to, target)? else { return Ok(Heard::Nothing) };
            let asked = connection.asks()?;
            Ok(match asked && connection.answers()? {
                true => Heard::Both,
                false => Heard::Question,
            })
        }
        Talk::Udp(port) => {
            let mut datagrams = Exchange::open(from, to, port, ipv6)?;
            Ok(match (datagrams.asks()?, datagrams.answers()?) {
                (false, _) => Heard::Nothing,
                (true, false) => Heard::Question,
                (true, true) => Heard::Both,
            })
        }
        Talk::Ping => {
            let before = echo_requests(to.namespace(), ipv6)?;
            let ping = Ping::send(from.namespace(), address(to, ipv6)?, 1, Duration::ZERO)?;
            let heard = echo_requests(to.namespace(), ipv6)? > before;
            Ok(match (heard, ping.received) {
                (false, _) => Heard::Nothing,
                (true, 0) => Heard::Question,
                (true, _) => Heard::Both,
            })
        }
    }
}

/// Whether a TCP connection carries bytes both ways.
pub(crate) fn talks(from: &Vm, to: &Vm, port: u16, ipv6: bool) -> Result<bool, Failure> {
    Ok(talk(Talk::Tcp(port), from, to, ipv6)? == Heard::Both)
}

/// Whether waiting for something ended without it.
fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// Listens, but waits no longer than this for a connection to be complete.
pub(crate) fn listen(vm: &Vm, target: SocketAddr, patience: Duration) -> Result<TcpListener, Failure> {
    let listener = vm.namespace().within(|| TcpListener::bind(target))??;
    SockRef::from(&listener).set_read_timeout(Some(patience))?;
    Ok(listener)
}

/// A TCP connection held at both ends.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) client: TcpStream,
    pub(crate) server: TcpStream,
    /// Bytes of either side that have been sent and have not arrived yet.
    outstanding: [usize; 2],
}

impl Connection {
    /// Opens one.
    pub(crate) fn open(from: &Vm, to: &Vm, port: u16, ipv6: bool) -> Result<Self, Failure> {
        let target = SocketAddr::new(address(to, ipv6)?, port);
        for _ in 0..3 {
            // A SYN may be lost on a busy machine, and the next one of the same socket would come late.
            if let Some(connection) = Self::try_open(from, to, target)? {
                return Ok(connection);
            }
        }
        Err(format!("no connection of {} to {target}", from.name()).into())
    }

    /// Opens one to an address that a VM has; none if it cannot be established.
    pub(crate) fn try_open(from: &Vm, to: &Vm, target: SocketAddr) -> Result<Option<Self>, Failure> {
        let listener = listen(to, target, PATIENCE)?;
        let Ok(client) = from.namespace().connect(target, PATIENCE) else { return Ok(None) };
        Self::accept(client, &listener)
    }

    /// Opens one from an address that a VM has; none if it cannot be established.
    pub(crate) fn try_open_from(from: &Vm, local: SocketAddr, to: &Vm, port: u16) -> Result<Option<Self>, Failure> {
        let target = SocketAddr::new(address(to, local.is_ipv6())?, port);
        let listener = listen(to, target, PATIENCE)?;
        let client = from.namespace().within(|| Socket::new(Domain::for_address(local), Type::STREAM, None))??;
        client.bind(&local.into())?;
        if client.connect_timeout(&target.into(), PATIENCE).is_err() {
            return Ok(None);
        }
        Self::accept(client.into(), &listener)
    }

    fn accept(client: TcpStream, listener: &TcpListener) -> Result<Option<Self>, Failure> {
        let server = match listener.accept() {
            Ok((server, _)) => server,
            // The rules may have changed when the handshake was not over.
            Err(error) if is_late(&error) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        for end in [&client, &server] {
            end.set_nodelay(true)?;
            end.set_read_timeout(Some(PATIENCE))?;
        }
        Ok(Some(Self { client, server, outstanding: [0; 2] }))
    }

    /// Whether a byte of the client arrives, and all that it sent before.
    pub(crate) fn asks(&mut self) -> Result<bool, Failure> {
        carry(&self.client, &self.server, &mut self.outstanding[0])
    }

    /// Whether a byte of the server arrives, and all that it sent before.
    pub(crate) fn answers(&mut self) -> Result<bool, Failure> {
        carry(&self.server, &self.client, &mut self.outstanding[1])
    }
}

fn carry(mut from: &TcpStream, mut to: &TcpStream, outstanding: &mut usize) -> Result<bool, Failure> {
    from.write_all(b"x")?;
    *outstanding += 1;
    while *outstanding > 0 {
        match to.read(&mut [0; 64]) {
            Ok(0) => return Err("the connection ended".into()),
            Ok(length) => *outstanding -= length,
            Err(error) if is_late(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Two UDP sockets that know each other.
#[derive(Debug)]
pub(crate) struct Exchange {
    client: UdpSocket,
    server: UdpSocket,
    number: u64,
    /// How long a datagram is, in bytes.
    length: usize,
}

impl Exchange {
    /// Opens them; nothing is sent.
    pub(crate) fn open(from: &Vm, to: &Vm, port: u16, ipv6: bool) -> Result<Self, Failure> {
        let client = socket(from, SocketAddr::new(address(from, ipv6)?, 0))?;
        let server = socket(to, SocketAddr::new(address(to, ipv6)?, port))?;
        client.connect(server.local_addr()?)?;
        server.connect(client.local_addr()?)?;
        Ok(Self { client, server, number: 0, length: 8 })
    }

    /// Sends datagrams of this many bytes from now on.
    pub(crate) fn of_length(self, length: usize) -> Self {
        Self { length, ..self }
    }

    /// Whether a datagram of the client arrives.
    pub(crate) fn asks(&mut self) -> Result<bool, Failure> {
        self.number += 1;
        arrives(&self.client, &self.server, self.number, self.length)
    }

    /// Whether a datagram of the server arrives.
    pub(crate) fn answers(&mut self) -> Result<bool, Failure> {
        self.number += 1;
        arrives(&self.server, &self.client, self.number, self.length)
    }

    /// Whether another VM, which has the client's address now, gets a datagram of the server.
    pub(crate) fn taken_over(&mut self, by: &Vm) -> Result<bool, Failure> {
        self.client = socket(by, self.client.local_addr()?)?;
        self.answers()
    }
}

/// A UDP socket in a VM that waits for a while.
pub(crate) fn socket(vm: &Vm, local: SocketAddr) -> Result<UdpSocket, Failure> {
    let socket = vm.namespace().within(|| UdpSocket::bind(local))??;
    socket.set_read_timeout(Some(PATIENCE))?;
    Ok(socket)
}

/// Sends a number and as many zeros as are wanted, and waits for it; older ones that come late are passed over.
fn arrives(from: &UdpSocket, to: &UdpSocket, number: u64, length: usize) -> Result<bool, Failure> {
    let mut datagram = number.to_be_bytes().to_vec();
    datagram.resize(length, 0);
    from.send(&datagram)?;
    let mut buffer = vec![0; length];
    loop {
        match to.recv(&mut buffer) {
            Ok(received) if received == length && buffer == datagram => return Ok(true),
            Ok(_) => {}
            Err(error) if is_late(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Whether a packet of an IP protocol arrives with this payload.
pub(crate) fn packet_arrives(from: &Vm, to: &Vm, ipv6: bool, protocol: u8, payload: &[u8]) -> Result<bool, Failure> {
    let (source, target) = (address(from, ipv6)?, address(to, ipv6)?);
    let mut receiver = raw(to, target, protocol)?;
    receiver.set_read_timeout(Some(PATIENCE))?;
    raw(from, source, protocol)?.send_to(payload, &SocketAddr::new(target, 0).into())?;
    let mut buffer = [0; 2048];
    loop {
        match receiver.read(&mut buffer) {
            // A raw socket of IPv4 gives the header too. ICMP sockets also hear what else comes of that protocol.
            Ok(length) if buffer[..length].ends_with(payload) => return Ok(true),
            Ok(_) => {}
            Err(error) if is_late(&error) => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}

/// A socket for the packets of an IP protocol to and from an address of a VM.
fn raw(vm: &Vm, local: IpAddr, protocol: u8) -> Result<Socket, Failure> {
    let domain = if local.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let socket =
        vm.namespace().within(|| Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(protocol)))))??;
    socket.bind(&SocketAddr::new(local, 0).into())?;
    Ok(socket)
}

/// An ICMP message with its checksum (RFC 792, RFC 1071).
pub(crate) fn icmp(kind: u8, code: u8, rest: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, code, 0, 0];
    message.extend(rest);
    let words = message.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    message[2..4].copy_from_slice(&(!(folded as u16)).to_be_bytes());
    message
}

/// The head of an SCTP packet to a port (RFC 9260, section 3.1), with a chunk that asks for an association.
pub(crate) fn sctp(port: u16) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(40_000u16.to_be_bytes());
    packet.extend(port.to_be_bytes());
    // No verification tag, and a checksum that only an SCTP endpoint would look at.
    packet.extend([0; 8]);
    // INIT of 20 bytes: initiate tag, receiver window, streams out and in, initial TSN.
    packet.extend([1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0x10, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    packet
}
