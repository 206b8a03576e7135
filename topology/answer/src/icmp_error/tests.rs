use super::*;
use crate::test_support::{BLUE, Cloud, GATEWAY_MAC, RED, ROUTER, VM, VM_MAC, from_vm};
use crate::{Settings, answer};
use proptest::prelude::*;
use smoltcp::wire::EthernetFrame;
use std::net::Ipv6Addr;

const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const THERE: Ipv4Addr = Ipv4Addr::new(10, 1, 0, 5);
const HERE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 5);
const THERE6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 2, 0, 0, 0, 0, 5);

const TIME_EXCEEDED: Question = Question::TimeExceeded { router: ROUTER, arrival: RED };
const NO_ROUTE: Question = Question::NoRoute { router: ROUTER, arrival: RED };
const HOST_UNREACHABLE: Question = Question::HostUnreachable { router: ROUTER, arrival: RED };
const TOO_BIG: Question = Question::TooBig { router: ROUTER, arrival: RED, network: BLUE };

fn ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: IpProtocol, payload: &[u8]) -> Bytes {
    frame::ipv4(from_vm(GATEWAY_MAC), source, destination, protocol, 0, payload).expect("a short packet")
}

fn ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: IpProtocol, payload: &[u8]) -> Bytes {
    frame::ipv6(from_vm(GATEWAY_MAC), source, destination, protocol, 1, payload).expect("a short packet")
}

fn ask(cloud: &Cloud, question: Question, frame: &[u8]) -> Result<Bytes, Silence> {
    let mut answer = answer(&cloud.topology(), VM, question, frame, &Settings::default())?;
    Ok(answer.frames.remove(0))
}

/// Source, destination, and the message of an error over IPv4; what carries it is checked.
fn read4(frame: &Bytes) -> (Ipv4Addr, Ipv4Addr, Vec<u8>) {
    let frame = EthernetFrame::new_checked(frame.as_ref()).expect("a frame");
    assert_eq!((frame.src_addr().0, frame.dst_addr().0), (GATEWAY_MAC.0, VM_MAC.0));
    let packet = Ipv4Packet::new_checked(frame.payload()).expect("a packet");
    assert!(packet.verify_checksum() && packet.total_len() <= 576);
    assert_eq!((packet.dscp(), packet.hop_limit(), packet.next_header()), (48, 64, IpProtocol::Icmp));
    assert!(Icmpv4Packet::new_checked(packet.payload()).expect("a message").verify_checksum());
    (packet.src_addr(), packet.dst_addr(), packet.payload().to_vec())
}

fn read6(frame: &Bytes) -> (Ipv6Addr, Ipv6Addr, Vec<u8>) {
    let frame = EthernetFrame::new_checked(frame.as_ref()).expect("a frame");
    assert_eq!(frame.dst_addr().0, VM_MAC.0);
    let packet = Ipv6Packet::new_checked(frame.payload()).expect("a packet");
    assert!(packet.total_len() <= 1280);
    let message = Icmpv6Packet::new_checked(packet.payload()).expect("a message");
    assert!(message.verify_checksum(&packet.src_addr(), &packet.dst_addr()));
    (packet.src_addr(), packet.dst_addr(), packet.payload().to_vec())
}

#[test]
fn routers_of_ipv4_say_what_went_wrong() {
    let cloud = Cloud::new();
    let sent = ipv4(HERE, THERE, IpProtocol::Udp, &[7; 1200]);
    for (question, expected) in [
        (TIME_EXCEEDED, [11, 0, 0, 0, 0, 0]),
        (NO_ROUTE, [3, 0, 0, 0, 0, 0]),
        (HOST_UNREACHABLE, [3, 1, 0, 0, 0, 0]),
        (TOO_BIG, [3, 4, 0, 0, 0x03, 0xe8]),
    ] {
        let (from, to, message) = read4(&ask(&cloud, question, &sent).expect("an error"));
        assert_eq!((from, to), (Ipv4Addr::new(10, 0, 0, 1), HERE));
        assert_eq!([message[0], message[1], message[4], message[5], message[6], message[7]], expected);
        assert_eq!(message[8..], sent[14..14 + 576 - 28]);
    }
}

#[test]
fn routers_of_ipv6_say_what_went_wrong() {
    let cloud = Cloud::new();
    let sent = ipv6(HERE6, THERE6, IpProtocol::Udp, &[7; 1350]);
    for (question, expected) in [
        (TIME_EXCEEDED, [3, 0, 0, 0, 0, 0]),
        (NO_ROUTE, [1, 0, 0, 0, 0, 0]),
        (HOST_UNREACHABLE, [1, 3, 0, 0, 0, 0]),
        (TOO_BIG, [2, 0, 0, 0, 0x05, 0x00]),
    ] {
        let (from, to, message) = read6(&ask(&cloud, question, &sent).expect("an error"));
        assert_eq!((from, to), ("2001:db8:1::1".parse().expect("an address"), HERE6));
        assert_eq!([message[0], message[1], message[4], message[5], message[6], message[7]], expected);
        assert_eq!(message[8..], sent[14..14 + 1280 - 48]);
    }
}

#[test]
fn a_router_further_on_speaks_by_the_gateway() {
    let cloud = Cloud::new();
    let question = Question::TimeExceeded { router: ROUTER, arrival: BLUE };
    let (from, ..) = read4(&ask(&cloud, question, &ipv4(HERE, THERE, IpProtocol::Udp, &[1])).expect("an error"));
    assert_eq!(from, Ipv4Addr::new(10, 1, 0, 1));
    // It has no IPv6 address there but the link-local one.
    let (from, ..) = read6(&ask(&cloud, question, &ipv6(HERE6, THERE6, IpProtocol::Udp, &[1])).expect("an error"));
    assert_eq!(from, MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0xfc]).link_local());
}

#[test]
fn what_the_switch_cut_off_is_quoted_as_far_as_it_came() {
    let sent = ipv4(HERE, THERE, IpProtocol::Udp, &[7; 500]);
    let (.., message) = read4(&ask(&Cloud::new(), TIME_EXCEEDED, &sent[..100]).expect("an error"));
    assert_eq!(message[8..], sent[14..100]);
}

#[test]
fn some_packets_are_not_complained_about() {
    let cloud = Cloud::new();
    let silent = |frame: &[u8]| ask(&cloud, TIME_EXCEEDED, frame).expect_err("nothing");
    for kind in [3, 4, 5, 11, 12] {
        assert_eq!(silent(&ipv4(HERE, THERE, IpProtocol::Icmp, &[kind, 0, 0, 0])), Silence::AboutError);
    }
    for kind in [1, 2, 3, 4, 100, 137] {
        assert_eq!(silent(&ipv6(HERE6, THERE6, IpProtocol::Icmpv6, &[kind, 0, 0, 0])), Silence::AboutError);
    }
    assert!(ask(&cloud, TIME_EXCEEDED, &ipv4(HERE, THERE, IpProtocol::Icmp, &[8, 0, 0, 0])).is_ok());
    assert!(ask(&cloud, TIME_EXCEEDED, &ipv6(HERE6, THERE6, IpProtocol::Icmpv6, &[128, 0, 0, 0])).is_ok());
    for to in [Ipv4Addr::BROADCAST, Ipv4Addr::new(224, 0, 0, 1)] {
        assert_eq!(silent(&ipv4(HERE, to, IpProtocol::Udp, &[1])), Silence::ToMany);
    }
    let group = frame::ipv4(from_vm(MacAddress([0xff; 6])), HERE, THERE, IpProtocol::Udp, 0, &[1]);
    let group = group.expect("a short packet");
    assert_eq!(silent(&group), Silence::ToMany);
    for from in [[0, 0, 0, 0], [127, 0, 0, 1], [224, 0, 0, 1], [255, 255, 255, 255], [10, 0, 0, 255], [10, 0, 0, 0]] {
        assert_eq!(silent(&ipv4(from.into(), THERE, IpProtocol::Udp, &[1])), Silence::NobodysSource);
    }
    for from in [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST, Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)] {
        assert_eq!(silent(&ipv6(from, THERE6, IpProtocol::Udp, &[1])), Silence::NobodysSource);
    }
    let mut fragment = ipv4(HERE, THERE, IpProtocol::Udp, &[1; 16]).to_vec();
    fragment[14 + 7] = 1;
    assert_eq!(silent(&fragment), Silence::Fragment);
}

#[test]
fn extension_headers_are_looked_behind() {
    let cloud = Cloud::new();
    let about = |payload: &[u8], first| ask(&cloud, TIME_EXCEEDED, &ipv6(HERE6, THERE6, first, payload)).err();
    let options = [60, 0, 1, 4, 0, 0, 0, 0, 58, 0, 1, 4, 0, 0, 0, 0];
    let error = [&options[..], &[3, 0, 0, 0]].concat();
    assert_eq!(about(&error, IpProtocol::HopByHop), Some(Silence::AboutError));
    let echo = [&options[..], &[128, 0, 0, 0]].concat();
    assert_eq!(about(&echo, IpProtocol::HopByHop), None);
    assert_eq!(about(&[17, 0, 0, 0, 0, 0, 0, 1, 1], IpProtocol::Ipv6Frag), None);
    assert_eq!(about(&[17, 0, 0, 8, 0, 0, 0, 1, 1], IpProtocol::Ipv6Frag), Some(Silence::Fragment));
    assert_eq!(about(&[60, 200, 0, 0], IpProtocol::HopByHop), Some(Silence::Malformed));
}

#[test]
fn who_has_no_address_says_nothing() {
    let mut cloud = Cloud::new();
    cloud.interfaces.remove(0);
    let sent = ipv4(HERE, THERE, IpProtocol::Udp, &[1]);
    assert_eq!(ask(&cloud, TIME_EXCEEDED, &sent), Err(Silence::NoRouterAddress));
    let unknown = Question::NoRoute { router: RouterKey(77), arrival: RED };
    assert_eq!(ask(&cloud, unknown, &sent), Err(Silence::NoRouter));
    let unknown = Question::TooBig { router: ROUTER, arrival: RED, network: NetworkKey(99) };
    assert_eq!(ask(&Cloud::new(), unknown, &sent), Err(Silence::UnknownNetwork));
}

proptest! {
    #[test]
    fn any_bytes_are_answered_well_or_not_at_all(
        flips in prop::collection::vec((12_usize..120, any::<u8>()), 0..8),
        cut in 0_usize..120,
        v6 in any::<bool>(),
        question in prop::sample::select(vec![TIME_EXCEEDED, NO_ROUTE, HOST_UNREACHABLE, TOO_BIG]),
    ) {
        let sent = if v6 {
            ipv6(HERE6, THERE6, IpProtocol::HopByHop, &[[60, 0, 1, 4, 0, 0, 0, 0]; 4].concat())
        } else {
            ipv4(HERE, THERE, IpProtocol::Icmp, &[8; 60])
        };
        let mut sent = sent.to_vec();
        for (at, value) in flips {
            let at = at % sent.len();
            sent[at] = value;
        }
        sent.truncate(sent.len() - cut.min(sent.len()) / 4);
        if let Ok(error) = ask(&Cloud::new(), question, &sent) {
            match error[12..14] {
                [0x08, 0x00] => drop(read4(&error)),
                _ => drop(read6(&error)),
            }
        }
    }
}
