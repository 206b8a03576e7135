//! What tenants send: long packets, streams, broadcast and multicast.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use weir::cli::lab::Vm;
use weir::cli::lab::wait::Look;

use super::conversation::listen;
use super::world::{Failure, Tested, World, address};

/// Where the VMs listen.
const PORT: u16 = 7000;

/// How long a packet that must not come is waited for, after those that must have come.
const GRACE: Duration = Duration::from_millis(300);

/// Bytes of a stream.
const STREAM: usize = 4 << 20;

/// Sends a stream from one VM to another and returns how much arrived.
fn stream(from: &Vm, to: &Vm, ipv6: bool) -> Result<usize, Failure> {
    let target = SocketAddr::new(address(to, ipv6)?, PORT);
    let listener = listen(to, target, Duration::from_secs(5))?;
    let mut sender = from.namespace().connect(target, Duration::from_secs(5))?;
    let (mut receiver, _) = listener.accept()?;
    receiver.set_read_timeout(Some(Duration::from_secs(10)))?;
    let arrived = std::thread::spawn(move || receiver.read_to_end(&mut Vec::new()));
    sender.write_all(&vec![7; STREAM])?;
    drop(sender);
    Ok(arrived.join().map_err(|_| "the reader failed")??)
}

#[test]
fn streams_and_packets_of_the_networks_mtu_pass() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let a = world.boot(&tenant, "a", "h1", 11)?;
    let b = world.boot(&tenant, "b", "h2", 12)?;
    let near = world.boot(&tenant, "near", "h1", 13)?;
    for to in [&b, &near] {
        world.wait_reach(&a, to)?;
        for (ipv6, headers) in [(false, 20 + 8), (true, 40 + 8)] {
            assert_eq!(stream(&a, to, ipv6)?, STREAM, "IPv6: {ipv6}");
            // The longest packet that the API promises, not to be cut.
            let payload = a.guest().mtu - headers;
            let shown = a
                .namespace()
                .tool("ping")
                .args(["-n", "-q", "-M", "do", "-c", "1", "-W", "2", "-s", &payload.to_string()])
                .arg(address(to, ipv6)?.to_string())
                .output()?;
            assert!(shown.status.success(), "{payload} bytes: {shown:?}");
        }
    }
    Ok(())
}

/// A socket in a VM that hears broadcast and a multicast group.
fn ear(vm: &Vm) -> Result<UdpSocket, Failure> {
    let socket = vm.namespace().within(|| -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
        let own = match vm.guest().addresses[0].ip {
            std::net::IpAddr::V4(own) => own,
            std::net::IpAddr::V6(_) => Ipv4Addr::UNSPECIFIED,
        };
        socket.join_multicast_v4(&GROUP, &own)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    })??;
    Ok(socket)
}

const GROUP: Ipv4Addr = Ipv4Addr::new(239, 1, 2, 3);

/// How many datagrams with this text wait in a socket.
fn heard(socket: &UdpSocket, text: &[u8]) -> usize {
    let mut buffer = [0; 64];
    let mut count = 0;
    while let Ok(length) = socket.recv(&mut buffer) {
        count += usize::from(&buffer[..length] == text);
    }
    count
}

#[test]
fn broadcast_and_multicast_reach_each_port_of_the_network_once_and_no_other() -> Tested {
    let mut world = World::new(3)?;
    let (red, blue) = (world.tenant(1)?, world.tenant(2)?);
    let from = world.boot(&red, "red-a", "h1", 11)?;
    let own = [
        world.boot(&red, "red-b", "h1", 12)?,
        world.boot(&red, "red-c", "h2", 13)?,
        world.boot(&red, "red-d", "h3", 14)?,
    ];
    let others = [world.boot(&blue, "blue-b", "h1", 12)?, world.boot(&blue, "blue-c", "h2", 13)?];
    for vm in &own {
        world.wait_reach(&from, vm)?;
    }
    let ears = own.iter().chain([&from]).map(ear).collect::<Result<Vec<_>, _>>()?;
    let (own_ears, from_ear) = ears.split_at(own.len());
    let other_ears = others.iter().map(ear).collect::<Result<Vec<_>, _>>()?;

    let mouth = from.namespace().within(|| UdpSocket::bind((Ipv4Addr::new(10, 0, 0, 11), PORT + 1)))??;
    mouth.set_broadcast(true)?;
    mouth.set_multicast_loop_v4(false)?;
    for (text, to) in [(&b"broadcast"[..], Ipv4Addr::new(10, 0, 0, 255)), (b"multicast", GROUP)] {
        mouth.send_to(text, (to, PORT))?;
        let mut counts = vec![0; own_ears.len()];
        world.wait(&format!("{to} reaches all"), || {
            for (count, socket) in counts.iter_mut().zip(own_ears) {
                *count += heard(socket, text);
            }
            Ok(Look::when(counts.iter().all(|count| *count > 0), format!("{counts:?}")))
        })?;
        // A second copy, or one for somebody else, would be on its way at the same time.
        std::thread::sleep(GRACE);
        for (count, socket) in counts.iter_mut().zip(own_ears) {
            *count += heard(socket, text);
        }
        assert_eq!(counts, [1, 1, 1], "{to}");
        let strangers: usize = other_ears.iter().map(|socket| heard(socket, text)).sum();
        assert_eq!(strangers, 0, "{to} reached another tenant");
        // A sender's own kernel hands it its broadcasts, but with multicast_loop off no multicast.
        let echoes = heard(&from_ear[0], text);
        assert!(to != GROUP || echoes == 0, "{to} came back to who sent it");
    }
    Ok(())
}
