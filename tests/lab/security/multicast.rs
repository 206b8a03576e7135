//! Datagrams to groups and to everybody: the sender's rules once, each receiver's for its copy.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use serde_json::json;
use socket2::SockRef;
use weir::cli::lab::{DEVICE, Vm};

use super::super::conversation::PATIENCE;
use super::super::world::{Failure, Tested, World, address};
use super::{allow, group, soon};

const PORT: u16 = 5353;

/// To whom a VM speaks.
const TARGETS: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(239, 1, 2, 3)),
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, 255)),
    IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0, 0x1234)),
];

/// What a VM hears of both versions.
struct Ear([UdpSocket; 2]);

impl Ear {
    fn new(vm: &Vm) -> Result<Self, Failure> {
        let interface = interface(vm)?;
        let sockets = vm.namespace().within(|| -> Result<[UdpSocket; 2], Failure> {
            let v4 = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, PORT))?;
            let v6 = socket2::Socket::new(socket2::Domain::IPV6, socket2::Type::DGRAM, None)?;
            v6.set_only_v6(true)?;
            v6.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
            for target in TARGETS {
                match target {
                    IpAddr::V4(target) if target.is_multicast() => {
                        SockRef::from(&v4)
                            .join_multicast_v4_n(&target, &socket2::InterfaceIndexOrAddress::Index(interface))?;
                    }
                    IpAddr::V4(_) => {}
                    IpAddr::V6(target) => v6.join_multicast_v6(&target, interface)?,
                }
            }
            Ok([v4, v6.into()])
        })??;
        for socket in &sockets {
            socket.set_nonblocking(true)?;
        }
        Ok(Self(sockets))
    }

    /// How many datagrams with a text have come.
    fn count(&self, text: &str) -> usize {
        let mut buffer = [0; 64];
        let mut count = 0;
        for socket in &self.0 {
            while let Ok(length) = socket.recv(&mut buffer) {
                count += usize::from(&buffer[..length] == text.as_bytes());
            }
        }
        count
    }
}

/// The number of a VM's interface.
fn interface(vm: &Vm) -> Result<u32, Failure> {
    let shown = vm.namespace().tool("cat").arg(format!("/sys/class/net/{DEVICE}/ifindex")).run()?;
    Ok(shown.trim().parse()?)
}

/// Sends a text to one of the targets.
fn say(vm: &Vm, target: IpAddr, text: &str) -> Tested {
    let socket = vm
        .namespace()
        .within(|| UdpSocket::bind(SocketAddr::new(address(vm, target.is_ipv6())?, 0)).map_err(Failure::from))??;
    socket.set_broadcast(true)?;
    if target.is_ipv6() {
        SockRef::from(&socket).set_multicast_if_v6(interface(vm)?)?;
        socket.set_multicast_loop_v6(false)?;
    } else {
        socket.set_multicast_loop_v4(false)?;
    }
    socket.send_to(text.as_bytes(), (target, PORT))?;
    Ok(())
}

#[test]
fn who_may_not_talk_to_a_port_may_not_do_so_by_multicast() -> Tested {
    let mut world = World::new(2)?;
    let tenant = world.tenant(1)?;
    let closed = group(&tenant.api, "closed")?;
    // Members of the default group hear each other.
    let speaker = world.boot(&tenant, "speaker", "h1", 11)?;
    let near = world.boot(&tenant, "near", "h1", 12)?;
    let far = world.boot(&tenant, "far", "h2", 13)?;
    let others = json!({"security_groups": [closed]});
    let beside = world.boot_with(&tenant, "beside", "h1", 14, others.clone())?;
    let away = world.boot_with(&tenant, "away", "h2", 15, others)?;
    for member in [&near, &far] {
        world.wait_reach(&speaker, member)?;
    }
    let ears = [&near, &far, &beside, &away].map(Ear::new);
    let [near_ear, far_ear, beside_ear, away_ear] = ears;
    let (members, strangers) = ([near_ear?, far_ear?], [beside_ear?, away_ear?]);
    let counts = |ears: &[Ear; 2], text: &str| [ears[0].count(text), ears[1].count(text)];

    for target in TARGETS {
        let text = format!("members {target}");
        say(&speaker, target, &text)?;
        let mut heard = [0; 2];
        soon(&world, &text, || {
            let more = counts(&members, &text);
            heard = [heard[0] + more[0], heard[1] + more[1]];
            Ok(heard.iter().all(|count| *count > 0))
        })?;
        assert_eq!(heard, [1, 1], "{text}");
        // Strangers of both hypervisors, who may send: neither members nor other strangers hear them.
        let foreign = format!("strangers {target}");
        say(&beside, target, &foreign)?;
        say(&away, target, &foreign)?;
        std::thread::sleep(PATIENCE);
        assert_eq!(counts(&members, &foreign), [0, 0], "{foreign}");
        assert_eq!(counts(&strangers, &text), [0, 0], "{text}");
    }

    // With a rule they hear it, each of them once.
    for ethertype in ["IPv4", "IPv6"] {
        let rule = json!({"ethertype": ethertype, "protocol": "udp", "port_range_min": PORT, "port_range_max": PORT});
        allow(&tenant.api, &closed, rule)?;
    }
    for target in TARGETS {
        let mut number = 0;
        soon(&world, &format!("{target} by a rule"), || {
            number += 1;
            let text = format!("{target} {number}");
            say(&speaker, target, &text)?;
            std::thread::sleep(PATIENCE / 5);
            Ok(counts(&strangers, &text) == [1, 1])
        })?;
    }
    Ok(())
}
