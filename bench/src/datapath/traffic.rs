//! Traffic between two VMs: connections, a stream, and small datagrams.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use weir::cli::lab::{DEVICE, Vm};

use super::rule::{DATAGRAM_PORT, SERVER_PORTS};
use super::site::address;
use crate::Failure;

/// How long any packet may be on its way.
const PATIENCE: Duration = Duration::from_secs(5);

/// What one write of the stream holds.
const CHUNK: usize = 128 << 10;

/// How many flows the datagrams are of.
const FLOWS: usize = 64;

/// How many new flows begin at once: more packets than a switch takes from a port at a time, so that its work is not
/// to look for packets, and fewer than the port's queue holds.
const BURST: usize = 200;

/// How long the last packets of a burst may take. Some may be lost: a switch that is learning a neighbour, for instance,
/// keeps no packets.
const BURST_LIMIT: Duration = Duration::from_millis(100);

/// How often the first datagram of a flow is sent before it counts as unanswered.
const ATTEMPTS: usize = 20;

/// The payload of a datagram whose Ethernet frame has 64 bytes, its check sequence not counted.
const PAYLOAD: [u8; 22] = [0; 22];

/// Opens connections from one VM to the other, one after the other and spread over the server's ports, and sends a byte
/// each way. They stay open as long as what is returned.
///
/// # Errors
/// A connection does not come about.
pub fn connect(client: &Vm, server: &Vm, count: usize) -> Result<Vec<TcpStream>, Failure> {
    let ip = address(server)?;
    let listeners = server.namespace().within(|| {
        SERVER_PORTS.iter().map(|port| TcpListener::bind(SocketAddr::new(ip, *port))).collect::<io::Result<Vec<_>>>()
    })??;
    let mut kept = Vec::with_capacity(2 * count);
    let done = client.namespace().within(|| {
        for number in 0..count {
            let listener = &listeners[number % listeners.len()];
            let near = TcpStream::connect_timeout(&listener.local_addr()?, PATIENCE)?;
            // The other end's queue holds the connection by now, or will when the last packet of the handshake is there.
            let (far, _) = listener.accept()?;
            for (mut one, mut other) in [(&near, &far), (&far, &near)] {
                other.set_read_timeout(Some(PATIENCE))?;
                one.write_all(&[1])?;
                other.read_exact(&mut [0])?;
            }
            kept.extend([near, far]);
        }
        io::Result::Ok(())
    })?;
    done.map_err(|error| format!("connection {} from {} to {ip}: {error}", kept.len() / 2 + 1, client.name()))?;
    Ok(kept)
}

/// Sends as much as one TCP connection carries for a time; returns bytes received by the second.
///
/// # Errors
/// The connection does not come about, or breaks.
pub fn stream(client: &Vm, server: &Vm, time: Duration) -> Result<f64, Failure> {
    let target = SocketAddr::new(address(server)?, SERVER_PORTS[0]);
    let listener = server.namespace().within(|| TcpListener::bind(target))??;
    let mut near = client.namespace().connect(target, PATIENCE)?;
    let (mut far, _) = listener.accept()?;
    far.set_read_timeout(Some(PATIENCE))?;
    near.set_write_timeout(Some(PATIENCE))?;
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let chunk = vec![0; CHUNK];
            while !over.load(Ordering::Relaxed) {
                near.write_all(&chunk)?;
            }
            near.shutdown(std::net::Shutdown::Write)
        });
        let received = receive(&mut far, time);
        over.store(true, Ordering::Relaxed);
        // What is on its way still is taken, so that the sender can end.
        let drained = io::copy(&mut far, &mut io::sink());
        let sent = sender.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        let rate = received?;
        sent?;
        drained?;
        Ok(rate)
    })
}

fn receive(far: &mut TcpStream, time: Duration) -> io::Result<f64> {
    let mut buffer = vec![0; CHUNK];
    let mut bytes = 0;
    let start = Instant::now();
    while start.elapsed() < time {
        bytes += far.read(&mut buffer)?;
    }
    Ok(bytes as f64 / start.elapsed().as_secs_f64())
}

/// What became of a flood of datagrams.
#[derive(Clone, Copy, Debug)]
pub struct Flood {
    /// Packets that the server's interface got.
    pub received: u64,
    /// How long it took.
    pub time: Duration,
}

/// Sends small datagrams of several flows as fast as one thread can for a time, each flow answered once before. Nobody
/// reads them: what counts is what the server's interface gets, and a reader would take processor time from the
/// switches. `flood` is called with what sends them, so that the caller can measure around it.
///
/// # Errors
/// A flow's first datagram is not answered.
pub fn datagrams<T>(
    client: &Vm,
    server: &Vm,
    time: Duration,
    flood: impl FnOnce(&dyn Fn() -> Result<Flood, Failure>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (flows, far) = flows(client, server, FLOWS)?;
    for flow in &flows {
        exchange(flow, &far)?;
    }
    flood(&|| {
        let before = received(server)?;
        let start = Instant::now();
        while start.elapsed() < time {
            for flow in &flows {
                match flow.send(&PAYLOAD) {
                    // The client's own queue is full.
                    Err(error) if error.raw_os_error() == Some(Errno::ENOBUFS as i32) => {}
                    sent => drop(sent?),
                }
            }
        }
        let time = start.elapsed();
        Ok(Flood { received: received(server)? - before, time })
    })
}

/// Sends one datagram of each of many flows that are new, in bursts.
///
/// # Errors
/// Sockets fail.
pub fn new_flows(client: &Vm, server: &Vm, count: usize) -> Result<(), Failure> {
    let (flows, far) = flows(client, server, count)?;
    for burst in flows.chunks(BURST) {
        for flow in burst {
            flow.send(&PAYLOAD)?;
        }
        for _ in burst {
            match far.recv_from(&mut [0; 64]) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => drop(received?),
            }
        }
    }
    Ok(())
}

/// Sends a datagram and has it answered.
fn exchange(flow: &UdpSocket, far: &UdpSocket) -> Result<(), Failure> {
    for _ in 0..ATTEMPTS {
        flow.send(&PAYLOAD)?;
        let answered = far.recv_from(&mut [0; 64]).and_then(|(_, from)| {
            far.send_to(&PAYLOAD, from)?;
            flow.recv(&mut [0; 64])
        });
        match answered {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            answered => return answered.map(|_| ()).map_err(Failure::from),
        }
    }
    Err("no datagram was answered".into())
}

/// Sockets of the client, each with a port of its own and connected to the one of the server.
fn flows(client: &Vm, server: &Vm, count: usize) -> Result<(Vec<UdpSocket>, UdpSocket), Failure> {
    let target = SocketAddr::new(address(server)?, DATAGRAM_PORT);
    let far = server.namespace().within(|| UdpSocket::bind(target))??;
    far.set_read_timeout(Some(BURST_LIMIT))?;
    let source = SocketAddr::new(address(client)?, 0);
    let flows = client.namespace().within(|| {
        let flow = |_| {
            let socket = UdpSocket::bind(source)?;
            socket.connect(target)?;
            socket.set_read_timeout(Some(BURST_LIMIT))?;
            Ok(socket)
        };
        (0..count).map(flow).collect::<io::Result<Vec<_>>>()
    })??;
    Ok((flows, far))
}

/// Packets that a VM's interface has got.
fn received(vm: &Vm) -> Result<u64, Failure> {
    let text = vm.namespace().within(|| std::fs::read_to_string("/proc/thread-self/net/dev"))??;
    let device = format!("{DEVICE}:");
    text.lines()
        .find_map(|line| line.trim().strip_prefix(&device)?.split_whitespace().nth(1)?.parse().ok())
        .ok_or_else(|| format!("{} has no interface {DEVICE}", vm.name()).into())
}
