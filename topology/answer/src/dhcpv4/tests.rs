use crate::test_support::{Cloud, GATEWAY_MAC, RED, VM, VM_MAC, dhcpv4_frame, options, subnet};
use crate::{Answer, Question, Settings, Silence, answer};
use dhcproto::v4::{Decodable, DhcpOption, Encodable, Flags, Message, MessageType, Opcode, OptionCode, UnknownOption};
use ipnet::Ipv4Net;
use proptest::prelude::*;
use smoltcp::wire::{EthernetFrame, Ipv4Packet, UdpPacket};
use std::net::Ipv4Addr;
use weir_model::{FixedIp, METADATA_ADDRESS, MacAddress, SubnetId};

const HERE: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const NOBODY: Ipv4Addr = Ipv4Addr::UNSPECIFIED;
const ALL: Ipv4Addr = Ipv4Addr::BROADCAST;

/// A reply with what carries it.
struct Reply {
    source: MacAddress,
    destination: MacAddress,
    from: Ipv4Addr,
    to: Ipv4Addr,
    message: Message,
}

fn read(answer: &Answer) -> Reply {
    let [frame] = answer.frames.as_slice() else { panic!("one frame") };
    let frame = EthernetFrame::new_checked(frame.as_ref()).expect("a frame");
    let packet = Ipv4Packet::new_checked(frame.payload()).expect("a packet");
    assert!(packet.verify_checksum());
    let segment = UdpPacket::new_checked(packet.payload()).expect("a segment");
    assert!(segment.verify_checksum(&packet.src_addr().into(), &packet.dst_addr().into()));
    assert_eq!((segment.src_port(), segment.dst_port()), (67, 68));
    assert!(segment.payload().len() >= 300);
    Reply {
        source: MacAddress(frame.src_addr().0),
        destination: MacAddress(frame.dst_addr().0),
        from: packet.src_addr(),
        to: packet.dst_addr(),
        message: Message::from_bytes(segment.payload()).expect("a message"),
    }
}

impl Reply {
    fn kind(&self) -> MessageType {
        self.message.opts().msg_type().expect("a type")
    }

    fn get(&self, code: OptionCode) -> Option<&DhcpOption> {
        self.message.opts().get(code)
    }

    fn raw(&self, code: u8) -> Option<&[u8]> {
        match self.get(OptionCode::from(code)) {
            Some(DhcpOption::Unknown(option)) => Some(option.data()),
            other => {
                assert!(other.is_none(), "{other:?} is known");
                None
            }
        }
    }
}

fn message(kind: MessageType) -> Message {
    let mut message = Message::new(NOBODY, NOBODY, NOBODY, NOBODY, &VM_MAC.0);
    message.set_opcode(Opcode::BootRequest).set_xid(0x1234_5678);
    message.opts_mut().insert(DhcpOption::MessageType(kind));
    message
}

fn asking(mut message: Message, codes: &[u8]) -> Message {
    let codes = codes.iter().map(|code| OptionCode::from(*code)).collect();
    message.opts_mut().insert(DhcpOption::ParameterRequestList(codes));
    message
}

fn ask(cloud: &Cloud, message: &Message) -> Result<Answer, Silence> {
    let bytes = message.to_vec().expect("a message");
    let frame = dhcpv4_frame(message.ciaddr(), ALL, &bytes);
    answer(&cloud.topology(), VM, Question::Dhcpv4, &frame, &Settings::default())
}

fn told(cloud: &Cloud, message: &Message) -> Reply {
    read(&ask(cloud, message).expect("an answer"))
}

fn request(server: Option<Ipv4Addr>, wanted: Option<Ipv4Addr>, had: Ipv4Addr) -> Message {
    let mut message = message(MessageType::Request);
    message.set_ciaddr(had);
    if let Some(server) = server {
        message.opts_mut().insert(DhcpOption::ServerIdentifier(server));
    }
    if let Some(wanted) = wanted {
        message.opts_mut().insert(DhcpOption::RequestedIpAddress(wanted));
    }
    message
}

#[test]
fn an_answer_comes_from_where_the_network_finds_the_server() {
    let source = |cloud: &Cloud| told(cloud, &message(MessageType::Discover)).source;
    // The gateway's address may be of another subnet of the network.
    let mut cloud = Cloud::new();
    let other = SubnetId(uuid::Uuid::from_u128(0x20));
    cloud.subnets.push(subnet(other, RED, "10.0.7.0/24", None));
    cloud.ipv4.gateway_ip = Some(Ipv4Addr::new(10, 0, 7, 1).into());
    assert_eq!(source(&cloud), MacAddress::SERVICE);
    cloud.interfaces[0].fixed_ips[0] = FixedIp { subnet_id: other, ip_address: Ipv4Addr::new(10, 0, 7, 1).into() };
    assert_eq!(source(&cloud), GATEWAY_MAC);
    // So may the address that serves where there is no gateway.
    let mut cloud = Cloud::new();
    cloud.subnets.push(subnet(other, RED, "169.254.0.0/16", None));
    cloud.ipv4.gateway_ip = None;
    assert_eq!(source(&cloud), MacAddress::SERVICE);
    cloud.interfaces[0].fixed_ips[0] = FixedIp { subnet_id: other, ip_address: METADATA_ADDRESS.into() };
    assert_eq!(source(&cloud), GATEWAY_MAC);
    // A VM that is its own gateway is not answered by itself.
    let mut cloud = Cloud::new();
    cloud.interfaces.clear();
    cloud.vm.fixed_ips[0].ip_address = SERVER.into();
    assert_eq!(source(&cloud), MacAddress::SERVICE);
}

#[test]
fn a_discovery_is_offered_the_address_of_the_port() {
    let reply = told(&Cloud::new(), &asking(message(MessageType::Discover), &[1, 3, 6, 12, 15, 26, 28]));
    assert_eq!(reply.kind(), MessageType::Offer);
    assert_eq!((reply.source, reply.destination), (GATEWAY_MAC, VM_MAC));
    assert_eq!((reply.from, reply.to), (SERVER, HERE));
    let it = &reply.message;
    assert_eq!((it.xid(), it.yiaddr(), it.ciaddr(), it.siaddr()), (0x1234_5678, HERE, NOBODY, NOBODY));
    assert_eq!(it.chaddr(), VM_MAC.0);
    let expected = [
        DhcpOption::ServerIdentifier(SERVER),
        DhcpOption::AddressLeaseTime(86_400),
        DhcpOption::Renewal(43_200),
        DhcpOption::Rebinding(75_600),
        DhcpOption::SubnetMask(Ipv4Addr::new(255, 255, 255, 0)),
        DhcpOption::Router(vec![SERVER]),
        DhcpOption::DomainNameServer(vec![Ipv4Addr::new(192, 0, 2, 53), Ipv4Addr::new(192, 0, 2, 54)]),
        DhcpOption::Hostname("host-10-0-0-5".to_owned()),
        DhcpOption::DomainName("openstacklocal".to_owned()),
        DhcpOption::InterfaceMtu(1450),
        DhcpOption::BroadcastAddr(Ipv4Addr::new(10, 0, 0, 255)),
    ];
    for option in &expected {
        assert_eq!(reply.get(OptionCode::from(option)), Some(option));
    }
    assert_eq!(it.opts().iter().count(), expected.len() + 1);
}

#[test]
fn routes_are_told_as_clients_of_rfc_3442_and_of_microsoft_want_them() {
    let mut cloud = Cloud::new();
    let sibling = SubnetId(uuid::Uuid::from_u128(0x20));
    cloud.subnets.push(subnet(sibling, RED, "10.2.0.0/20", None));
    let reply = told(&cloud, &asking(message(MessageType::Discover), &[121, 249]));
    let on_link = NOBODY;
    let net = |text: &str| text.parse::<Ipv4Net>().expect("a prefix");
    let expected = vec![
        (net("10.2.0.0/20"), on_link),
        (net("10.9.0.0/16"), Ipv4Addr::new(10, 0, 0, 9)),
        (net("169.254.169.254/32"), SERVER),
        (net("0.0.0.0/0"), SERVER),
    ];
    assert_eq!(reply.get(OptionCode::ClasslessStaticRoute), Some(&DhcpOption::ClasslessStaticRoute(expected)));
    let wire: &[u8] =
        &[20, 10, 2, 0, 0, 0, 0, 0, 16, 10, 9, 10, 0, 0, 9, 32, 169, 254, 169, 254, 10, 0, 0, 1, 0, 10, 0, 0, 1];
    assert_eq!(reply.raw(249), Some(wire));
}

#[test]
fn a_subnet_without_a_gateway_is_served_from_the_metadata_address() {
    let mut cloud = Cloud::new();
    cloud.ipv4.gateway_ip = None;
    cloud.ipv4.host_routes.clear();
    let reply = told(&cloud, &asking(message(MessageType::Discover), &[3, 121]));
    let metadata = Ipv4Addr::new(169, 254, 169, 254);
    assert_eq!((reply.source, reply.from), (MacAddress::SERVICE, metadata));
    assert_eq!(reply.get(OptionCode::ServerIdentifier), Some(&DhcpOption::ServerIdentifier(metadata)));
    assert_eq!(reply.get(OptionCode::Router), None);
    let routes = DhcpOption::ClasslessStaticRoute(vec![(metadata.into(), NOBODY)]);
    assert_eq!(reply.get(OptionCode::ClasslessStaticRoute), Some(&routes));
}

#[test]
fn a_gateway_that_nobody_has_is_played_by_the_service() {
    let mut cloud = Cloud::new();
    cloud.interfaces.clear();
    let reply = told(&cloud, &message(MessageType::Discover));
    assert_eq!((reply.source, reply.from), (MacAddress::SERVICE, SERVER));
}

#[test]
fn every_state_of_a_client_gets_what_it_should() {
    let wrong = Ipv4Addr::new(10, 0, 0, 77);
    let cases = [
        ("selecting", request(Some(SERVER), Some(HERE), NOBODY), Ok((MessageType::Ack, HERE, HERE))),
        ("selecting, wrong", request(Some(SERVER), Some(wrong), NOBODY), Ok((MessageType::Nak, NOBODY, ALL))),
        ("another server", request(Some(wrong), Some(HERE), NOBODY), Err(Silence::OtherServer)),
        ("init-reboot", request(None, Some(HERE), NOBODY), Ok((MessageType::Ack, HERE, HERE))),
        ("init-reboot, wrong", request(None, Some(wrong), NOBODY), Ok((MessageType::Nak, NOBODY, ALL))),
        ("renewing", request(None, None, HERE), Ok((MessageType::Ack, HERE, HERE))),
        ("renewing, wrong", request(None, None, wrong), Ok((MessageType::Nak, NOBODY, ALL))),
        ("nothing asked", request(None, None, NOBODY), Err(Silence::Malformed)),
        ("decline", message(MessageType::Decline), Err(Silence::GivenBack)),
        ("release", message(MessageType::Release), Err(Silence::GivenBack)),
        ("an offer", message(MessageType::Offer), Err(Silence::NoRequest)),
    ];
    let cloud = Cloud::new();
    for (name, asked, expected) in cases {
        let got = ask(&cloud, &asked).map(|answer| {
            let reply = read(&answer);
            (reply.kind(), reply.message.yiaddr(), reply.to)
        });
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn a_refusal_says_no_more_than_it_must() {
    let reply = told(&Cloud::new(), &asking(request(None, Some(ALL), NOBODY), &[1, 3, 6]));
    let codes: Vec<u8> = reply.message.opts().iter().map(|(code, _)| (*code).into()).collect();
    assert_eq!(codes, [53, 54, 56]);
    assert_eq!(reply.destination, MacAddress([0xff; 6]));
}

#[test]
fn an_answer_goes_where_the_client_hears_it() {
    let cloud = Cloud::new();
    let mut broadcast = message(MessageType::Discover);
    broadcast.set_flags(Flags::default().set_broadcast());
    let reply = told(&cloud, &broadcast);
    assert_eq!((reply.to, reply.destination), (ALL, MacAddress([0xff; 6])));
    assert!(reply.message.flags().broadcast());

    let mut inform = message(MessageType::Inform);
    inform.set_ciaddr(HERE);
    let reply = told(&cloud, &inform);
    assert_eq!((reply.kind(), reply.to, reply.message.yiaddr()), (MessageType::Ack, HERE, NOBODY));
    assert_eq!(reply.get(OptionCode::AddressLeaseTime), None);
    assert!(reply.get(OptionCode::SubnetMask).is_some());
}

#[test]
fn only_the_port_itself_is_served() {
    let cloud = Cloud::new();
    let mut other = message(MessageType::Discover);
    other.set_chaddr(&[0xfa, 0x16, 0x3e, 0, 0, 2]);
    assert_eq!(ask(&cloud, &other), Err(Silence::ForeignClient));
    let mut relayed = message(MessageType::Discover);
    relayed.set_giaddr(SERVER);
    assert_eq!(ask(&cloud, &relayed), Err(Silence::Relayed));

    let mut cloud = Cloud::new();
    cloud.ipv4.enable_dhcp = false;
    assert_eq!(ask(&cloud, &message(MessageType::Discover)), Err(Silence::NotServed));
    cloud.vm.admin_state_up = false;
    assert_eq!(ask(&cloud, &message(MessageType::Discover)), Err(Silence::Down));
}

#[test]
fn of_several_addresses_the_one_wanted_is_given() {
    let mut cloud = Cloud::new();
    let second = SubnetId(uuid::Uuid::from_u128(0x20));
    let there = Ipv4Addr::new(10, 3, 0, 5);
    cloud.subnets.push(subnet(second, RED, "10.3.0.0/24", None));
    cloud.vm.fixed_ips.push(FixedIp { subnet_id: second, ip_address: there.into() });
    assert_eq!(told(&cloud, &message(MessageType::Discover)).message.yiaddr(), HERE);
    let mut wanting = message(MessageType::Discover);
    wanting.opts_mut().insert(DhcpOption::RequestedIpAddress(there));
    let reply = told(&cloud, &wanting);
    assert_eq!((reply.message.yiaddr(), reply.from), (there, Ipv4Addr::new(169, 254, 169, 254)));
}

#[test]
fn network_boot_finds_its_server_and_file() {
    let mut cloud = Cloud::new();
    let named =
        [("tftp-server", "192.0.2.9"), ("tag:!ipxe,bootfile-name", "undionly.kpxe"), ("tag:ipxe,67", "http://b/x")];
    cloud.vm.extra_dhcp_opts = options(&named, 4);
    let reply = told(&cloud, &asking(message(MessageType::Discover), &[66, 67]));
    assert_eq!(reply.message.siaddr(), Ipv4Addr::new(192, 0, 2, 9));
    assert_eq!(reply.message.sname(), Some(&b"192.0.2.9\0"[..]));
    assert_eq!(reply.message.fname(), Some(&b"undionly.kpxe\0"[..]));
    let mut chained = asking(message(MessageType::Discover), &[67]);
    chained.opts_mut().insert(DhcpOption::Unknown(UnknownOption::new(OptionCode::from(77), b"iPXE".to_vec())));
    let reply = told(&cloud, &chained);
    assert_eq!(reply.message.fname(), Some(&b"http://b/x\0"[..]));
    cloud.vm.extra_dhcp_opts = options(&[("server-ip-address", "192.0.2.7"), ("150", "192.0.2.8")], 4);
    let reply = told(&cloud, &asking(message(MessageType::Discover), &[150]));
    assert_eq!(reply.message.siaddr(), Ipv4Addr::new(192, 0, 2, 7));
    let servers = DhcpOption::TFTPServerAddress(Ipv4Addr::new(192, 0, 2, 8));
    assert_eq!(reply.get(OptionCode::TFTPServerAddress), Some(&servers));
}

#[test]
fn extra_options_replace_what_the_topology_says() {
    let mut cloud = Cloud::new();
    let named = [("mtu", "1200"), ("router", ""), ("42", "192.0.2.123"), ("lease-time", "600"), ("mtu6", "1")];
    cloud.vm.extra_dhcp_opts = options(&named, 4);
    let answer = ask(&cloud, &asking(message(MessageType::Discover), &[26, 3, 42])).expect("an answer");
    let reply = read(&answer);
    assert_eq!(reply.get(OptionCode::InterfaceMtu), Some(&DhcpOption::InterfaceMtu(1200)));
    assert_eq!(reply.get(OptionCode::Router), None);
    assert_eq!(reply.get(OptionCode::NtpServers), Some(&DhcpOption::NtpServers(vec![Ipv4Addr::new(192, 0, 2, 123)])));
    assert_eq!(reply.get(OptionCode::AddressLeaseTime), Some(&DhcpOption::AddressLeaseTime(600)));
    assert_eq!(reply.get(OptionCode::Renewal), Some(&DhcpOption::Renewal(300)));
    let omitted: Vec<_> = answer.omitted.iter().map(ToString::to_string).collect();
    assert_eq!(omitted, ["mtu6: there is no such option"]);
}

#[test]
fn what_does_not_fit_is_left_out_and_reported() {
    let mut cloud = Cloud::new();
    let long = "x".repeat(400);
    cloud.vm.extra_dhcp_opts = options(&[("root-path", &long)], 4);
    let small = ask(&cloud, &asking(message(MessageType::Discover), &[17, 1])).expect("an answer");
    assert_eq!(small.omitted.len(), 1);
    assert!(read(&small).get(OptionCode::SubnetMask).is_some());
    let mut roomy = asking(message(MessageType::Discover), &[17, 1]);
    roomy.opts_mut().insert(DhcpOption::MaxMessageSize(1500));
    let reply = told(&cloud, &roomy);
    assert!(matches!(reply.get(OptionCode::RootPath), Some(DhcpOption::RootPath(path)) if path.len() == 400));
}

#[test]
fn an_identifier_is_repeated() {
    let mut named = message(MessageType::Discover);
    let id = vec![255, 0, 1, 2, 3, 0, 3, 0, 1, 9, 9, 9, 9, 9, 9];
    named.opts_mut().insert(DhcpOption::ClientIdentifier(id.clone()));
    let reply = told(&Cloud::new(), &named);
    assert_eq!(reply.get(OptionCode::ClientIdentifier), Some(&DhcpOption::ClientIdentifier(id)));
}

/// What busybox's udhcpc sends: header, then type, client identifier, greatest size, list, vendor class.
fn udhcpc_discover() -> Vec<u8> {
    let mut bytes = vec![1, 1, 6, 0, 0x9a, 0x3f, 0x12, 0x77];
    bytes.resize(28, 0);
    bytes.extend(VM_MAC.0);
    bytes.resize(236, 0);
    bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1]);
    bytes.extend([61, 7, 1]);
    bytes.extend(VM_MAC.0);
    bytes.extend([57, 2, 0x02, 0x40, 55, 7, 1, 3, 6, 12, 15, 28, 42]);
    bytes.extend([60, 12]);
    bytes.extend(b"udhcp 1.35.0");
    bytes.push(255);
    bytes.resize(300, 0);
    bytes
}

/// What ISC's dhclient sends to have what it was offered.
fn dhclient_request() -> Vec<u8> {
    let mut bytes = vec![1, 1, 6, 0, 0x2b, 0xc4, 0x51, 0x6e, 0, 1, 0, 0];
    bytes.resize(28, 0);
    bytes.extend(VM_MAC.0);
    bytes.resize(236, 0);
    bytes.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 3, 54, 4, 10, 0, 0, 1, 50, 4, 10, 0, 0, 5, 12, 2]);
    bytes.extend(b"vm");
    bytes.extend([55, 13, 1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42, 255]);
    bytes.resize(300, 0);
    bytes
}

#[test]
fn real_clients_are_served() {
    let topology = Cloud::new().topology();
    let ask = |bytes: &[u8]| {
        let frame = dhcpv4_frame(NOBODY, ALL, bytes);
        read(&answer(&topology, VM, Question::Dhcpv4, &frame, &Settings::default()).expect("an answer"))
    };
    let reply = ask(&udhcpc_discover());
    assert_eq!((reply.kind(), reply.message.yiaddr(), reply.message.xid()), (MessageType::Offer, HERE, 0x9a3f_1277));
    let codes: Vec<u8> = reply.message.opts().iter().map(|(code, _)| (*code).into()).collect();
    assert_eq!(codes.len(), 12, "{codes:?}");
    let reply = ask(&dhclient_request());
    assert_eq!((reply.kind(), reply.message.yiaddr(), reply.message.xid()), (MessageType::Ack, HERE, 0x2bc4_516e));
    assert!(reply.get(OptionCode::ClasslessStaticRoute).is_some());
}

proptest! {
    #[test]
    fn any_bytes_are_answered_well_or_not_at_all(
        flips in prop::collection::vec((0_usize..600, any::<u8>()), 0..24),
        cut in 0_usize..600,
        discover in any::<bool>(),
    ) {
        let payload = if discover { udhcpc_discover() } else { dhclient_request() };
        let mut frame = dhcpv4_frame(NOBODY, ALL, &payload).to_vec();
        for (at, value) in flips {
            let at = at % frame.len();
            frame[at] = value;
        }
        frame.truncate(frame.len().max(cut) - cut.min(frame.len()) / 8);
        let outcome = answer(&Cloud::new().topology(), VM, Question::Dhcpv4, &frame, &Settings::default());
        if let Ok(answer) = outcome {
            let reply = read(&answer);
            prop_assert!(reply.message.yiaddr() == HERE || reply.message.yiaddr().is_unspecified());
        }
    }
}
