//! Traffic that goes on while something else happens.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use weir::cli::lab::Vm;

use super::conversation::{Connection, PATIENCE};
use super::world::{Failure, address};

/// How often something is sent: seldom enough that the sockets by which the userspace datapath receives can hold what
/// comes while a busy machine does something else.
const EVERY: Duration = Duration::from_millis(4);

/// The longest time in which a stream that is ended may take to deliver what is under way.
const REST: Duration = Duration::from_secs(10);

/// What both ends of a stream know.
#[derive(Debug, Default)]
struct Counts {
    stop: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
}

impl Counts {
    fn stops(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// A stream of numbers over a TCP connection, from the client to the server.
#[derive(Debug)]
pub(crate) struct Stream {
    counts: Arc<Counts>,
    ends: [TcpStream; 2],
    threads: Option<[JoinHandle<io::Result<()>>; 2]>,
}

impl Stream {
    pub(crate) fn begin(Connection { client, server, .. }: Connection) -> Result<Self, Failure> {
        let counts = Arc::new(Counts::default());
        let ends = [client.try_clone()?, server.try_clone()?];
        server.set_read_timeout(Some(REST))?;
        let (sending, receiving) = (Arc::clone(&counts), Arc::clone(&counts));
        let writer = std::thread::spawn(move || send(&client, &sending));
        let reader = std::thread::spawn(move || receive(&server, &receiving));
        Ok(Self { counts, ends, threads: Some([writer, reader]) })
    }

    /// How many numbers have arrived.
    pub(crate) fn received(&self) -> u64 {
        self.counts.received.load(Ordering::Relaxed)
    }

    /// Ends it when all that was sent has arrived, and tells how many numbers that were.
    pub(crate) fn end(mut self) -> Result<u64, Failure> {
        self.counts.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.take().into_iter().flatten() {
            thread.join().map_err(|_| "an end of the stream failed")??;
        }
        let (sent, received) = (self.counts.sent.load(Ordering::Relaxed), self.received());
        if sent == received { Ok(received) } else { Err(format!("{received} of {sent} numbers arrived").into()) }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
        for end in &self.ends {
            // A thread that waits in it goes on, and ends.
            let _ = end.shutdown(Shutdown::Both);
        }
    }
}

fn send(mut client: &TcpStream, counts: &Counts) -> io::Result<()> {
    while !counts.stops() {
        client.write_all(&counts.sent.load(Ordering::Relaxed).to_be_bytes())?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(EVERY);
    }
    client.shutdown(Shutdown::Write)
}

fn receive(mut server: &TcpStream, counts: &Counts) -> io::Result<()> {
    let mut number = [0; 8];
    loop {
        match server.read_exact(&mut number) {
            Ok(()) if u64::from_be_bytes(number) == counts.received.load(Ordering::Relaxed) => {}
            Ok(()) => return Err(io::Error::other("another number than the next")),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
        counts.received.fetch_add(1, Ordering::Relaxed);
    }
}

/// What arrived of numbered datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) received: u64,
}

/// Numbered datagrams from one VM to another, at an even pace.
#[derive(Debug)]
pub(crate) struct Flood {
    counts: Arc<Counts>,
    threads: Option<[JoinHandle<io::Result<()>>; 2]>,
}

impl Flood {
    pub(crate) fn begin(from: &Vm, to: &Vm, port: u16, ipv6: bool) -> Result<Self, Failure> {
        let target = SocketAddr::new(address(to, ipv6)?, port);
        let receiver = to.namespace().within(|| UdpSocket::bind(target))??;
        receiver.set_read_timeout(Some(EVERY))?;
        let sender = from
            .namespace()
            .within(|| UdpSocket::bind(SocketAddr::new(address(from, ipv6)?, 0)).map_err(Failure::from))??;
        let counts = Arc::new(Counts::default());
        let (sending, receiving) = (Arc::clone(&counts), Arc::clone(&counts));
        let sender = std::thread::spawn(move || pour(&sender, target, &sending));
        let receiver = std::thread::spawn(move || catch(&receiver, &receiving));
        Ok(Self { counts, threads: Some([sender, receiver]) })
    }

    /// What arrived so far.
    pub(crate) fn tally(&self) -> Tally {
        let received = self.counts.received.load(Ordering::Relaxed);
        Tally { sent: self.counts.sent.load(Ordering::Relaxed), received }
    }

    /// Ends it and waits for what is under way. A datagram that came twice is an error.
    pub(crate) fn end(mut self) -> Result<Tally, Failure> {
        self.counts.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.take().into_iter().flatten() {
            thread.join().map_err(|_| "an end of the flood failed")??;
        }
        Ok(self.tally())
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.counts.stop.store(true, Ordering::Relaxed);
    }
}

fn pour(socket: &UdpSocket, target: SocketAddr, counts: &Counts) -> io::Result<()> {
    while !counts.stops() {
        socket.send_to(&counts.sent.load(Ordering::Relaxed).to_be_bytes(), target)?;
        counts.sent.fetch_add(1, Ordering::Relaxed);
        std::thread::sleep(EVERY);
    }
    Ok(())
}

fn catch(socket: &UdpSocket, counts: &Counts) -> io::Result<()> {
    let mut last = None;
    let mut number = [0; 8];
    let mut heard = Instant::now();
    while !counts.stops() || heard.elapsed() < PATIENCE {
        match socket.recv(&mut number) {
            Ok(_) => {
                let number = u64::from_be_bytes(number);
                if last.is_some_and(|last| number <= last) {
                    return Err(io::Error::other(format!("datagram {number} after {last:?}")));
                }
                last = Some(number);
                counts.received.fetch_add(1, Ordering::Relaxed);
                heard = Instant::now();
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {}
            Err(error) => return Err(error),
        }
        if !counts.stops() {
            heard = Instant::now();
        }
    }
    Ok(())
}
