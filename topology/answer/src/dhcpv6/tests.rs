use crate::test_support::{Cloud, VM, VM_MAC, dhcpv6_frame, options};
use crate::{Answer, Question, Settings, Silence, answer};
use dhcproto::v6::{
    Decodable, DhcpOption, DhcpOptions, Encodable, IAAddr, IANA, IAPD, Message, MessageType, ORO, OptionCode, Status,
};
use proptest::prelude::*;
use smoltcp::wire::{EthernetFrame, Ipv6Packet, UdpPacket};
use std::net::Ipv6Addr;
use weir_model::{Ipv6Mode, MacAddress};

const SERVERS: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2);
const HERE: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 5);
const CLIENT_ID: [u8; 10] = [0, 3, 0, 1, 0xfa, 0x16, 0x3e, 0, 0, 1];
const SERVER_ID: [u8; 10] = [0, 3, 0, 1, 2, 0x57, 0x45, 0x49, 0x52, 1];

fn read(answer: &Answer) -> Message {
    let [frame] = answer.frames.as_slice() else { panic!("one frame") };
    let frame = EthernetFrame::new_checked(frame.as_ref()).expect("a frame");
    assert_eq!(MacAddress(frame.dst_addr().0), VM_MAC);
    let packet = Ipv6Packet::new_checked(frame.payload()).expect("a packet");
    assert_eq!(packet.dst_addr(), VM_MAC.link_local());
    assert_eq!(packet.src_addr(), MacAddress(frame.src_addr().0).link_local());
    let segment = UdpPacket::new_checked(packet.payload()).expect("a segment");
    assert!(segment.verify_checksum(&packet.src_addr().into(), &packet.dst_addr().into()));
    assert_eq!((segment.src_port(), segment.dst_port()), (547, 546));
    Message::from_bytes(segment.payload()).expect("a message")
}

fn message(kind: MessageType, server: bool, addresses: Option<&[Ipv6Addr]>) -> Message {
    let mut message = Message::new_with_id(kind, [1, 2, 3]);
    let options = message.opts_mut();
    options.insert(DhcpOption::ClientId(CLIENT_ID.to_vec()));
    if server {
        options.insert(DhcpOption::ServerId(SERVER_ID.to_vec()));
    }
    if let Some(addresses) = addresses {
        options.insert(DhcpOption::IANA(association(addresses)));
    }
    let wanted = [OptionCode::DomainNameServers, OptionCode::DomainSearchList];
    options.insert(DhcpOption::ORO(ORO { opts: wanted.to_vec() }));
    message
}

fn association(addresses: &[Ipv6Addr]) -> IANA {
    let mut opts = DhcpOptions::new();
    for addr in addresses {
        let opts_of_it = DhcpOptions::new();
        opts.insert(DhcpOption::IAAddr(IAAddr { addr: *addr, preferred_life: 0, valid_life: 0, opts: opts_of_it }));
    }
    IANA { id: 7, t1: 0, t2: 0, opts }
}

fn ask(cloud: &Cloud, to: Ipv6Addr, message: &Message) -> Result<Message, Silence> {
    let frame = dhcpv6_frame(to, &message.to_vec().expect("a message"));
    answer(&cloud.topology(), VM, Question::Dhcpv6, &frame, &Settings::default()).map(|answer| read(&answer))
}

/// The addresses of a reply with their valid seconds, and the status within the association.
fn given(reply: &Message) -> (Vec<(Ipv6Addr, u32)>, Option<Status>) {
    let Some(DhcpOption::IANA(association)) = reply.opts().get(OptionCode::IANA) else { return (Vec::new(), None) };
    assert_eq!(association.id, 7);
    let addresses = association.opts.iter().filter_map(|option| match option {
        DhcpOption::IAAddr(address) => Some((address.addr, address.valid_life)),
        _ => None,
    });
    let status = association.opts.iter().find_map(|option| match option {
        DhcpOption::StatusCode(status) => Some(status.status),
        _ => None,
    });
    (addresses.collect(), status)
}

fn status(reply: &Message) -> Option<Status> {
    match reply.opts().get(OptionCode::StatusCode) {
        Some(DhcpOption::StatusCode(status)) => Some(status.status),
        _ => None,
    }
}

#[test]
fn a_solicitation_is_advertised_the_address_of_the_port() {
    let reply = ask(&Cloud::new(), SERVERS, &message(MessageType::Solicit, false, Some(&[]))).expect("an answer");
    assert_eq!((reply.msg_type(), reply.xid()), (MessageType::Advertise, [1, 2, 3]));
    assert_eq!(given(&reply), (vec![(HERE, 86_400)], None));
    let options = reply.opts();
    assert_eq!(options.get(OptionCode::ClientId), Some(&DhcpOption::ClientId(CLIENT_ID.to_vec())));
    assert_eq!(options.get(OptionCode::ServerId), Some(&DhcpOption::ServerId(SERVER_ID.to_vec())));
    let servers = DhcpOption::DomainNameServers(vec!["2001:db8::53".parse().expect("an address")]);
    assert_eq!(options.get(OptionCode::DomainNameServers), Some(&servers));
    assert!(options.get(OptionCode::DomainSearchList).is_some());
    assert_eq!(SERVER_ID[4..], MacAddress::SERVICE.0);
}

#[test]
fn a_client_in_haste_gets_its_address_at_once() {
    let mut hasty = message(MessageType::Solicit, false, Some(&[]));
    hasty.opts_mut().insert(DhcpOption::RapidCommit);
    let reply = ask(&Cloud::new(), SERVERS, &hasty).expect("an answer");
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert_eq!(reply.opts().get(OptionCode::RapidCommit), Some(&DhcpOption::RapidCommit));
    assert_eq!(given(&reply).0, [(HERE, 86_400)]);
}

#[test]
fn every_message_gets_what_it_should() {
    use MessageType::{Confirm, Decline, Rebind, Release, Renew, Request};
    let cloud = Cloud::new();
    let wrong: Ipv6Addr = "2001:db8:1::77".parse().expect("an address");
    type Expected = (Option<Status>, Vec<(Ipv6Addr, u32)>, Option<Status>);
    let cases: [(Message, Expected); 9] = [
        (message(Request, true, Some(&[HERE])), (None, vec![(HERE, 86_400)], None)),
        (message(Renew, true, Some(&[HERE])), (None, vec![(HERE, 86_400)], None)),
        (message(Renew, true, Some(&[wrong])), (None, vec![(HERE, 86_400), (wrong, 0)], None)),
        (message(Rebind, false, Some(&[HERE])), (None, vec![(HERE, 86_400)], None)),
        (message(Confirm, false, Some(&[HERE])), (Some(Status::Success), vec![], None)),
        (message(Confirm, false, Some(&[HERE, wrong])), (Some(Status::NotOnLink), vec![], None)),
        (message(Release, true, Some(&[HERE])), (Some(Status::Success), vec![], None)),
        (message(Release, true, Some(&[wrong])), (Some(Status::Success), vec![], Some(Status::NoBinding))),
        (message(Decline, true, Some(&[HERE])), (Some(Status::Success), vec![], None)),
    ];
    for (asked, expected) in cases {
        let reply = ask(&cloud, SERVERS, &asked).expect("an answer");
        assert_eq!(reply.msg_type(), MessageType::Reply);
        let (mut addresses, within) = given(&reply);
        addresses.sort_unstable();
        assert_eq!((status(&reply), addresses, within), expected, "{asked:?}");
    }
}

#[test]
fn servers_are_spoken_to_by_multicast() {
    let reply = ask(&Cloud::new(), MacAddress::SERVICE.link_local(), &message(MessageType::Renew, true, Some(&[HERE])));
    let reply = reply.expect("an answer");
    assert_eq!((status(&reply), given(&reply).0), (Some(Status::UseMulticast), vec![]));
}

#[test]
fn what_is_not_given_is_refused() {
    let mut cloud = Cloud::new();
    let mut prefixes = message(MessageType::Solicit, false, Some(&[]));
    prefixes.opts_mut().insert(DhcpOption::IAPD(IAPD { id: 9, t1: 0, t2: 0, opts: DhcpOptions::new() }));
    let reply = ask(&cloud, SERVERS, &prefixes).expect("an answer");
    let Some(DhcpOption::IAPD(refused)) = reply.opts().get(OptionCode::IAPD) else { panic!("an association") };
    let expected =
        |option: &DhcpOption| matches!(option, DhcpOption::StatusCode(it) if it.status == Status::NoPrefixAvail);
    assert!(refused.opts.iter().any(expected));

    cloud.ipv6.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateless);
    cloud.ipv6.ipv6_ra_mode = Some(Ipv6Mode::Dhcpv6Stateless);
    let reply = ask(&cloud, SERVERS, &message(MessageType::Solicit, false, Some(&[]))).expect("an answer");
    assert_eq!(given(&reply), (vec![], Some(Status::NoAddrsAvail)));
    assert_eq!(
        ask(&cloud, SERVERS, &message(MessageType::Rebind, false, Some(&[HERE]))).err(),
        Some(Silence::NotServed)
    );
}

#[test]
fn information_alone_is_given_too() {
    let mut cloud = Cloud::new();
    cloud.ipv6.ipv6_address_mode = Some(Ipv6Mode::Dhcpv6Stateless);
    let mut asked = Message::new_with_id(MessageType::InformationRequest, [9, 9, 9]);
    let reply = ask(&cloud, SERVERS, &asked).expect("an answer");
    assert_eq!(reply.msg_type(), MessageType::Reply);
    assert!(reply.opts().get(OptionCode::DomainNameServers).is_some());
    assert_eq!(reply.opts().get(OptionCode::ClientId), None);

    cloud.vm.extra_dhcp_opts = options(&[("59", "tftp://[2001:db8::1]/boot.efi")], 6);
    let wanted = OptionCode::OptBootfileUrl;
    asked.opts_mut().insert(DhcpOption::ORO(ORO { opts: vec![wanted] }));
    let reply = ask(&cloud, SERVERS, &asked).expect("an answer");
    assert!(reply.opts().get(OptionCode::OptBootfileUrl).is_some());
    assert_eq!(reply.opts().get(OptionCode::DomainNameServers), None);
}

#[test]
fn nobody_else_is_served() {
    let cloud = Cloud::new();
    let foreign = {
        let mut asked = message(MessageType::Request, false, Some(&[HERE]));
        asked.opts_mut().insert(DhcpOption::ServerId(vec![0, 3, 0, 1, 9, 9, 9, 9, 9, 9]));
        asked
    };
    let nameless = Message::new_with_id(MessageType::Solicit, [1, 2, 3]);
    let cases = [
        (foreign, Silence::OtherServer),
        (nameless, Silence::Malformed),
        (message(MessageType::Request, false, Some(&[HERE])), Silence::Malformed),
        (message(MessageType::Solicit, true, Some(&[HERE])), Silence::Malformed),
        (message(MessageType::Confirm, false, None), Silence::Malformed),
        (message(MessageType::Reply, true, None), Silence::NoRequest),
    ];
    for (asked, expected) in cases {
        assert_eq!(ask(&cloud, SERVERS, &asked).err(), Some(expected), "{asked:?}");
    }
    let mut slaac = Cloud::new();
    slaac.ipv6.ipv6_address_mode = Some(Ipv6Mode::Slaac);
    let asked = message(MessageType::Solicit, false, Some(&[]));
    assert_eq!(ask(&slaac, SERVERS, &asked).err(), Some(Silence::NotServed));
}

proptest! {
    #[test]
    fn any_bytes_are_answered_well_or_not_at_all(
        flips in prop::collection::vec((54_usize..200, any::<u8>()), 0..16),
        kind in 0_u8..14,
        tail in prop::collection::vec(any::<u8>(), 0..80),
    ) {
        let mut payload = message(MessageType::Renew, true, Some(&[HERE])).to_vec().expect("a message");
        payload[0] = kind;
        payload.extend(tail);
        let mut frame = dhcpv6_frame(SERVERS, &payload).to_vec();
        for (at, value) in flips {
            let at = at % frame.len();
            frame[at] = value;
        }
        if let Ok(answer) = answer(&Cloud::new().topology(), VM, Question::Dhcpv6, &frame, &Settings::default()) {
            let [frame] = answer.frames.as_slice() else { panic!("one frame") };
            prop_assert!(frame.len() <= 14 + 1280);
        }
    }
}

#[test]
fn a_port_with_many_addresses_is_told_what_its_network_can_carry() {
    for count in [2_400_u16, 60] {
        let mut cloud = Cloud::new();
        let subnet_id = cloud.vm.fixed_ips[1].subnet_id;
        cloud.vm.fixed_ips = (0..count)
            .map(|host| weir_model::FixedIp {
                subnet_id,
                ip_address: Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 1, host).into(),
            })
            .collect();
        let message = message(MessageType::Solicit, false, Some(&[]));
        let frame = dhcpv6_frame(SERVERS, &message.to_vec().expect("a message"));
        let answered = answer(&cloud.topology(), VM, Question::Dhcpv6, &frame, &Settings::default());
        let length = answered.expect("an answer").frames[0].len() - 14;
        assert!(length <= usize::from(cloud.network.mtu), "{count} addresses: {length} bytes");
    }
}
