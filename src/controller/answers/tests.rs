use super::*;
use std::collections::BTreeSet;
use uuid::Uuid;
use weir_answer::{Silence, advertisements};
use weir_model::{
    Command, HypervisorFact, Ipv6Mode, Limits, NetworkId, NetworkPatch, NewInterface, NewNetwork, NewPort, NewRouter,
    NewSubnet, OldInterface, PortId, Request, RouterId, SubnetId, Timestamp, Vif,
};
use weir_openflow::message::PacketInReason;
use weir_openflow::{Field, TableId};

const NETWORK: NetworkId = NetworkId(Uuid::from_u128(1));
const ROUTER: RouterId = RouterId(Uuid::from_u128(2));
const VM: PortId = PortId(Uuid::from_u128(5));
const INTERFACE: PortId = PortId(Uuid::from_u128(6));
const INTEGRATION: u64 = 0xa1;
const TUNNEL: u64 = 0xa2;
const VIF: PortNo = PortNo(7);

fn apply(topology: &Topology, command: Command) -> Topology {
    topology.transact(Request { command, at: Timestamp(0) }).expect("a sound command").0
}

fn vif(ofport: u32) -> Command {
    Command::ObserveVif(Vif { host: "h1".into(), port: VM, interface: "tap".to_owned(), ofport })
}

/// A VM on h1 in a network whose router advertises itself, plugged in or not.
fn cloud(plugged: bool) -> Topology {
    let cidr = "2001:db8::/64".parse().expect("a prefix");
    let address = |text: &str| text.parse().expect("an address");
    let mut ipv6 = NewSubnet::new(SubnetId(Uuid::from_u128(4)), NETWORK, "red".into(), cidr);
    ipv6.gateway_ip = Some(Some(address("2001:db8::1")));
    ipv6.ipv6_ra_mode = Some(Ipv6Mode::Slaac);
    ipv6.ipv6_address_mode = Some(Ipv6Mode::Slaac);
    let ipv4 = "10.0.0.0/24".parse().expect("a prefix");
    let ipv4 = NewSubnet::new(SubnetId(Uuid::from_u128(3)), NETWORK, "red".into(), ipv4);
    let mut vm = NewPort::new(VM, NETWORK, "red".into());
    vm.mac_address = Some("fa:16:3e:00:00:01".parse().expect("a link-layer address"));
    vm.binding_host = Some("h1".into());
    let host = HypervisorFact {
        name: "h1".into(),
        system_id: "system-1".to_owned(),
        encap_ip: address("192.0.2.1"),
        bridge_mappings: Vec::new(),
        integration_datapath: Some(INTEGRATION),
        tunnel_datapath: Some(TUNNEL),
    };
    let commands = [
        Command::CreateNetworks(vec![NewNetwork::new(NETWORK, "red".into())]),
        Command::CreateSubnets(vec![ipv4, ipv6]),
        Command::ObserveHypervisor(host),
        Command::CreatePorts(vec![vm]),
        Command::CreateRouters(vec![NewRouter::new(ROUTER, "red".into())]),
        attach(INTERFACE),
    ];
    let topology = commands.into_iter().fold(Topology::new(Limits::default()), |topology, it| apply(&topology, it));
    if plugged { apply(&topology, vif(VIF.0)) } else { topology }
}

/// Gives the router an interface with the gateway's address.
fn attach(port: PortId) -> Command {
    let subnet = SubnetId(Uuid::from_u128(4));
    Command::AddRouterInterface { id: ROUTER, interface: NewInterface::Subnet { subnet, port } }
}

fn detach(port: PortId) -> Command {
    Command::RemoveRouterInterface { id: ROUTER, interface: OldInterface::Port(port) }
}

/// A switch and the topology that is published.
struct Scene {
    answers: Answers,
    switch: SwitchAnswers,
    now: Instant,
}

impl Scene {
    fn new(topology: Topology, datapath: u64) -> Self {
        let answers = Answers::new(Arc::new(ArcSwap::from_pointee(topology)), Settings::default());
        let (mut switch, now) = (answers.of_switch(), Instant::now());
        assert_eq!(switch.poll_timeout(), None);
        switch.ready(now, datapath);
        Self { answers, switch, now }
    }

    fn publish(&self, change: impl FnOnce(&Topology) -> Topology) {
        let topology = change(&self.answers.snapshot.load());
        self.answers.snapshot.store(Arc::new(topology));
    }

    /// Lets time pass as the task would, and gathers the advertisements of routers.
    fn pass(&mut self, time: Duration) -> Vec<PacketOut> {
        let mut sent = self.pass_all(time);
        sent.retain(|packet| packet.packet.get(54) == Some(&134));
        sent
    }

    /// Lets time pass as the task would, and gathers what is sent.
    fn pass_all(&mut self, time: Duration) -> Vec<PacketOut> {
        let end = self.now + time;
        let mut sent = Vec::new();
        while let Some(due) = self.switch.poll_timeout().filter(|due| *due <= end) {
            self.switch.handle_timeout(due.max(self.now));
            sent.extend(std::iter::from_fn(|| self.switch.poll_transmit()));
        }
        self.now = end;
        sent
    }

    fn ask(&mut self, punt: u128, asker: PortKey, packet: &[u8]) -> Vec<PacketOut> {
        let metadata = Match::new().in_port(VIF).with(Field::Reg0, asker.0.into()).with(Field::Reg2, punt << 24);
        let packet = PacketIn {
            packet: Bytes::copy_from_slice(packet),
            full_len: packet.len() as u32,
            buffer: None,
            table: TableId(55),
            cookie: None,
            reason: PacketInReason::ApplyAction,
            metadata,
            userdata: Bytes::new(),
            continuation: None,
        };
        self.switch.packet_in(self.now, &packet);
        std::iter::from_fn(|| self.switch.poll_transmit()).collect()
    }

    fn vm(&self) -> PortKey {
        self.answers.snapshot.load().port(VM).expect("the VM's port").key
    }
}

/// The router's lifetime within an advertisement.
fn lifetime(packet: &PacketOut) -> u16 {
    assert_eq!(packet.packet[54], 134);
    u16::from_be_bytes([packet.packet[60], packet.packet[61]])
}

fn discover() -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend([0xfa, 0x16, 0x3e, 0, 0, 1]);
    message.resize(236, 0);
    message.extend([0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255]);
    let (udp_len, ip_len) = (message.len() as u16 + 8, message.len() as u16 + 28);
    let mut frame = vec![0xff; 6];
    frame.extend([0xfa, 0x16, 0x3e, 0, 0, 1, 8, 0, 0x45, 0]);
    frame.extend(ip_len.to_be_bytes());
    frame.extend([0, 0, 0, 0, 64, 17, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 68, 0, 67]);
    frame.extend(udp_len.to_be_bytes());
    frame.extend([0, 0]);
    frame.extend(message);
    frame
}

#[test]
fn a_question_is_answered_to_the_port_that_asked() {
    let mut scene = Scene::new(cloud(true), INTEGRATION);
    let vm = scene.vm();
    let sent = scene.ask(1, vm, &discover());
    let [offer] = sent.as_slice() else { panic!("one answer") };
    assert_eq!(offer.actions, [Action::Output { port: VIF, max_len: 0 }]);
    assert_eq!(offer.metadata, Match::new().in_port(PortNo::CONTROLLER));
    assert_eq!(offer.packet[..6], [0xfa, 0x16, 0x3e, 0, 0, 1]);
    scene.switch.dropped();
    let counts = scene.answers.counts();
    assert_eq!((counts.answered[0], counts.dropped), (1, 1));
    assert_eq!(scene.answers.counts_of(&"h1".into()), counts);
    assert_eq!(scene.answers.counts_of(&"h2".into()), AnswerCounts::default());
}

#[test]
fn what_is_not_answered_is_counted() {
    let mut scene = Scene::new(cloud(true), INTEGRATION);
    let vm = scene.vm();
    assert_eq!(scene.ask(1, vm, &[0; 60]), []);
    assert_eq!(scene.ask(9, vm, &[0; 60]), []);
    assert_eq!(scene.ask(1, PortKey(999), &discover()), []);
    let counts = scene.answers.counts();
    assert_eq!(counts.silent[Silence::Malformed as usize], 1);
    assert_eq!((counts.unreadable, counts.foreign), (1, 1));
    for _ in 0..100 {
        scene.ask(1, vm, &discover());
    }
    assert_eq!(scene.answers.counts().limited, 51);
}

#[test]
fn no_switch_speaks_for_the_vms_of_another() {
    for datapath in [TUNNEL, 0xbeef] {
        let mut scene = Scene::new(cloud(true), datapath);
        let vm = scene.vm();
        assert_eq!(scene.ask(1, vm, &discover()), []);
        assert_eq!(scene.answers.counts().foreign, 1);
        assert_eq!(scene.pass_all(Duration::from_secs(3600)), []);
    }
    let mut tunnel = Scene::new(cloud(true), TUNNEL);
    tunnel.pass_all(Duration::from_secs(1));
    assert_eq!(tunnel.switch.poll_timeout(), None);
}

#[test]
fn a_port_hears_its_router_when_it_comes_and_then_again_and_again() {
    let mut scene = Scene::new(cloud(false), INTEGRATION);
    assert_eq!(scene.pass(Duration::from_secs(60)), []);
    scene.publish(|topology| apply(topology, vif(VIF.0)));
    let sent = scene.pass(Duration::from_secs(2));
    assert_eq!(sent.iter().map(lifetime).collect::<Vec<_>>(), [1800]);
    assert_eq!(sent[0].actions, [Action::Output { port: VIF, max_len: 0 }]);
    let hour = scene.pass(Duration::from_secs(3600)).len();
    assert!((12..=18).contains(&hour), "{hour} in an hour");
    // Another interface of the port has heard nothing yet.
    scene.publish(|topology| apply(topology, vif(8)));
    let sent = scene.pass(Duration::from_secs(2));
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].actions, [Action::Output { port: PortNo(8), max_len: 0 }]);
}

#[test]
fn a_change_is_told_soon_and_a_router_that_leaves_says_so() {
    let mut scene = Scene::new(cloud(true), INTEGRATION);
    assert_eq!(scene.pass(Duration::from_secs(2)).len(), 1);
    let patch = |mtu| Command::UpdateNetwork {
        id: NETWORK,
        patch: NetworkPatch { mtu: Some(mtu), ..Default::default() },
        if_revision: None,
    };
    scene.publish(|topology| apply(topology, patch(1400)));
    let sent = scene.pass(Duration::from_secs(4));
    assert_eq!(sent.iter().map(lifetime).collect::<Vec<_>>(), [1800]);
    // Changes one after the other are told together.
    for mtu in 1300..1310 {
        scene.publish(|topology| apply(topology, patch(mtu)));
        assert!(scene.pass(Duration::from_millis(300)).len() <= 1);
    }
    scene.pass(Duration::from_secs(10));
    scene.publish(|topology| apply(topology, detach(INTERFACE)));
    let sent = scene.pass(Duration::from_secs(3600));
    assert_eq!(sent.iter().map(lifetime).collect::<Vec<_>>(), [0]);
}

#[test]
fn where_a_router_is_is_announced_twice() {
    let mut scene = Scene::new(cloud(false), INTEGRATION);
    assert_eq!(scene.pass_all(Duration::from_secs(60)), []);
    scene.publish(|topology| apply(topology, vif(VIF.0)));
    let announced = |sent: Vec<PacketOut>| -> Vec<_> {
        let sent = sent.into_iter().filter(|packet| packet.packet.get(54) == Some(&136));
        sent.map(|packet| (packet.actions, packet.packet.slice(6..12))).collect()
    };
    // The global address and the link-local one.
    let first = announced(scene.pass_all(Duration::from_secs(60)));
    assert_eq!(first.len(), 4);
    assert!(first.iter().all(|(_, from)| *from == first[0].1));
    // The same addresses come back with another link-layer address.
    let other = PortId(Uuid::from_u128(7));
    scene.publish(|topology| apply(&apply(topology, detach(INTERFACE)), attach(other)));
    let mac = scene.answers.snapshot.load().port(other).expect("the interface's port").mac_address;
    let then = announced(scene.pass_all(Duration::from_secs(60)));
    let to_vif = vec![Action::Output { port: VIF, max_len: 0 }];
    assert_eq!(then, vec![(to_vif, Bytes::copy_from_slice(&mac.0)); 4]);
    assert_eq!(scene.answers.counts().announced, 8);
}

#[test]
fn a_switch_with_many_ports_tells_them_over_a_while() {
    let topology = cloud(true);
    let network = topology.network(NETWORK).expect("the network");
    let said: Arc<[_]> = advertisements(&topology, network, &Settings::default()).into();
    let stations = (1..=300).map(|key| (PortKey(key), Station { port: PortNo(key), network: NETWORK })).collect();
    let (mut advertiser, start) = (Advertiser::default(), Instant::now());
    advertiser.learn(start, &stations, [(NETWORK, Arc::clone(&said))].into());
    let mut told = BTreeSet::new();
    let mut last = None;
    while told.len() < 300 {
        let due = advertiser.poll_timeout().expect("somebody is to be told");
        let (port, frames) = advertiser.poll(due).expect("it is due");
        assert!(told.insert(port) && frames.len() == 1);
        assert_eq!(advertiser.poll(due), None);
        assert!(last.is_none_or(|last| due >= last + Duration::from_millis(10)));
        last = Some(due);
    }
    let again = advertiser.poll_timeout().expect("they are told again");
    assert!(again >= start + Duration::from_secs(200));
    // Ports that are gone are told nothing any more.
    advertiser.learn(start, &BTreeMap::new(), BTreeMap::new());
    assert_eq!(advertiser.poll_timeout(), None);
}

#[test]
fn what_is_said_is_made_once_for_all_switches_and_stays_what_it_is() {
    let first = Arc::new(cloud(false));
    let renamed = NetworkPatch { name: Some("other".to_owned()), ..NetworkPatch::default() };
    let renamed = Command::UpdateNetwork { id: NETWORK, patch: renamed, if_revision: None };
    let second = Arc::new(apply(&first, renamed));
    let third = Arc::new(apply(&second, detach(INTERFACE)));
    let (sayings, settings, start) = (Sayings::default(), Settings::default(), Instant::now());
    let said = |at: u64, newest: &Arc<Topology>| {
        let topology = sayings.topology(start + Duration::from_millis(at), || Arc::clone(newest));
        let network = topology.network(NETWORK).expect("the network");
        (topology.revision(), sayings.on(network, &topology, &settings))
    };
    let (revision, before) = said(0, &first);
    assert_eq!(revision, first.revision());
    assert!(!before.advertised.is_empty() && !before.announced.is_empty());
    // For half a second everybody is told of the same topology.
    let (revision, same) = said(400, &second);
    assert_eq!(revision, first.revision());
    assert!(Arc::ptr_eq(&same.advertised, &before.advertised));
    let (revision, same) = said(500, &second);
    assert_eq!(revision, second.revision());
    assert!(Arc::ptr_eq(&same.advertised, &before.advertised) && Arc::ptr_eq(&same.announced, &before.announced));
    let (_, gone) = said(1_000, &third);
    assert!(gone.advertised.is_empty() && gone.announced.is_empty());
    // Whoever still has a former topology hears of that.
    let network = first.network(NETWORK).expect("the network");
    assert_eq!(sayings.on(network, &first, &settings), before);
}
