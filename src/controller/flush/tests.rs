//! What is flushed when, told by the orders that a switch gets.

use super::*;
use crate::link::openflow::ConnectionEvent;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use uuid::Uuid;
use weir_model::{
    HypervisorFact, Limits, NetworkId, NewFixedIp, NewNetwork, NewPort, NewSubnet, PortId, ProjectId, Request, SubnetId,
};
use weir_openflow::DatapathId;
use weir_openflow::message::Features;
use weir_openflow::session::CloseReason;
use weir_reconcile::SwitchEvent;

const DATAPATH: u64 = 7;
const AT: Timestamp = Timestamp(1);

/// A controller with one hypervisor, whose br-int is a queue of orders.
struct Cloud {
    controller: Controller,
    connections: u64,
    orders: mpsc::Receiver<Order>,
}

fn network(number: u8) -> NetworkId {
    NetworkId(Uuid::from_u128(u128::from(number) + 1))
}

fn port(number: u8) -> PortId {
    PortId(Uuid::from_u128(u128::from(number) + 1))
}

fn address(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

fn fact(name: &str) -> HypervisorFact {
    HypervisorFact {
        name: name.into(),
        system_id: "system".to_owned(),
        encap_ip: IpAddr::from([192, 0, 2, 1]),
        bridge_mappings: Vec::new(),
        integration_datapath: Some(DATAPATH),
        tunnel_datapath: None,
    }
}

fn delete(number: u8) -> Command {
    Command::DeletePort { id: port(number), if_revision: None }
}

impl Cloud {
    /// Ports 10 and up on the hypervisor by its system id, all on network 0.
    fn new(ports: u8) -> Self {
        let project = ProjectId::from("alpha");
        let subnet = SubnetId(Uuid::from_u128(1));
        let cidr = "10.0.0.0/24".parse().unwrap();
        let mut commands = vec![
            Command::ObserveHypervisor(fact("h1")),
            Command::CreateNetworks(vec![NewNetwork::new(network(0), project.clone())]),
            Command::CreateSubnets(vec![NewSubnet::new(subnet, network(0), project.clone(), cidr)]),
        ];
        commands.extend((10..10 + ports).map(|number| {
            let fixed = NewFixedIp { ip_address: Some(address(number)), ..NewFixedIp::default() };
            Command::CreatePorts(vec![NewPort {
                fixed_ips: Some(vec![fixed]),
                binding_host: Some("system".into()),
                ..NewPort::new(port(number), network(0), project.clone())
            }])
        }));
        let mut topology = Topology::new(Limits::default());
        for command in commands {
            topology = topology.transact(Request { command, at: AT }).unwrap().0;
        }
        Self::of(topology)
    }

    fn of(topology: Topology) -> Self {
        let controller = Controller::new(topology, Duration::from_secs(15), Instant::now());
        let mut cloud = Self { controller, connections: 0, orders: mpsc::channel(1).1 };
        cloud.connect();
        cloud
    }

    fn event(&mut self, event: ConnectionEvent) {
        let mut batch = self.controller.begin(Instant::now());
        let id = ConnectionId(self.connections);
        self.controller.connection(&mut batch, id, event, Instant::now(), AT);
        self.finish(batch);
    }

    fn finish(&mut self, mut batch: Batch) {
        let commits = batch.take_commits();
        self.controller.commit(batch, commits);
    }

    fn tell(&mut self, event: SwitchEvent) {
        self.event(ConnectionEvent::Switch(event));
    }

    /// The switch connects, whether its former connection was closed or not.
    fn connect(&mut self) {
        self.connections += 1;
        let (orders, received) = mpsc::channel(8);
        self.orders = received;
        self.event(ConnectionEvent::Opened { peer: ([127, 0, 0, 1], 1).into(), orders });
        let features =
            Features { datapath: DatapathId(DATAPATH), buffers: 0, tables: 254, auxiliary: 0, capabilities: 0 };
        self.tell(SwitchEvent::Ready { features, ports: Vec::new() });
    }

    fn command(&mut self, command: Command) {
        let mut batch = self.controller.begin(Instant::now());
        self.controller.command(&mut batch, command, AT).unwrap();
        self.finish(batch);
    }

    fn revision(&self) -> u64 {
        self.controller.topology.revision().0
    }

    fn acknowledge(&mut self, revision: u64) {
        self.tell(SwitchEvent::Acknowledged { revision });
    }

    /// The only flush that the switch was told meanwhile: addresses, or zones.
    fn flush(&mut self) -> Option<(u64, BTreeSet<IpAddr>, Vec<u16>)> {
        let mut flushes = std::iter::from_fn(|| self.orders.try_recv().ok()).filter_map(|order| match order {
            Order::Flush { ticket, messages } => Some((ticket, messages)),
            _ => None,
        });
        let (ticket, messages) = flushes.next()?;
        assert!(flushes.next().is_none(), "one after the other");
        let (mut addresses, mut zones) = (BTreeSet::new(), Vec::new());
        for message in messages {
            match message {
                Message::CtFlush(flush) => addresses.extend(flush.original.src.or(flush.original.dst)),
                Message::CtFlushZone(zone) => zones.push(zone),
                other => panic!("not a flush: {other:?}"),
            }
        }
        Some((ticket, addresses, zones))
    }

    fn addresses(&mut self) -> Option<BTreeSet<IpAddr>> {
        self.flush().map(|(_, addresses, _)| addresses)
    }

    fn answer(&mut self, ticket: u64, done: bool) {
        self.tell(SwitchEvent::Flushed { ticket, done });
    }
}

#[test]
fn a_connection_that_is_replaced_takes_its_flush_along() {
    let mut cloud = Cloud::new(2);
    cloud.command(delete(10));
    assert_eq!(cloud.flush(), None, "the switch has the flows of the port still");
    cloud.acknowledge(cloud.revision());
    let flushed = Some([address(10)].into());
    assert_eq!(cloud.addresses(), flushed);
    cloud.connect();
    assert_eq!(cloud.flush(), None);
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.addresses(), flushed, "nobody answers for the former connection");
}

#[test]
fn what_comes_later_delays_nothing() {
    let mut cloud = Cloud::new(3);
    cloud.acknowledge(cloud.revision());
    cloud.command(delete(10));
    let first = cloud.revision();
    cloud.command(delete(11));
    cloud.acknowledge(first);
    let (ticket, addresses, _) = cloud.flush().unwrap();
    assert_eq!(addresses, [address(10)].into());
    cloud.answer(ticket, true);
    assert_eq!(cloud.flush(), None);
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.addresses(), Some([address(11)].into()));
}

#[test]
fn an_address_that_changes_hands_again_is_flushed_again() {
    let mut cloud = Cloud::new(2);
    cloud.command(delete(10));
    cloud.acknowledge(cloud.revision());
    let (ticket, addresses, _) = cloud.flush().unwrap();
    let fixed = NewFixedIp { ip_address: Some(address(10)), ..NewFixedIp::default() };
    cloud.command(Command::CreatePorts(vec![NewPort {
        fixed_ips: Some(vec![fixed]),
        binding_host: Some("h1".into()),
        ..NewPort::new(port(10), network(0), ProjectId::from("alpha"))
    }]));
    cloud.answer(ticket, true);
    assert_eq!(cloud.flush(), None);
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.addresses(), Some(addresses));
}

#[test]
fn few_are_flushed_at_once() {
    let mut cloud = Cloud::new(21);
    for number in 10..30 {
        cloud.command(delete(number));
    }
    cloud.acknowledge(cloud.revision());
    let (ticket, first, _) = cloud.flush().unwrap();
    assert_eq!(first, (10..26).map(address).collect());
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.flush(), None, "one after the other");
    cloud.answer(ticket, true);
    let (ticket, second, _) = cloud.flush().unwrap();
    assert_eq!(second, (26..30).map(address).collect());
    cloud.answer(ticket, true);
    assert_eq!(cloud.flush(), None);
    assert!(cloud.controller.flushes.hosts.is_empty());
}

#[test]
fn who_refuses_addresses_still_flushes_zones() {
    let mut cloud = Cloud::new(2);
    cloud.command(delete(10));
    cloud.acknowledge(cloud.revision());
    let (ticket, ..) = cloud.flush().unwrap();
    cloud.answer(ticket, false);
    let error = |cloud: &Cloud| cloud.controller.hosts["h1"].integration.last_error.clone();
    assert!(error(&cloud).unwrap().contains("flushing connections refused"));
    cloud.command(delete(11));
    cloud.acknowledge(cloud.revision());
    let (ticket, addresses, zones) = cloud.flush().unwrap();
    assert_eq!((addresses.len(), zones), (0, vec![1]), "the network's last port there took the zone along");
    cloud.answer(ticket, true);
    assert_eq!(cloud.flush(), None);
    assert!(cloud.controller.topology.zones().all(|zones| zones.unflushed.is_empty()));
}

#[test]
fn who_refused_addresses_is_asked_again_when_it_connects_anew() {
    let mut cloud = Cloud::new(3);
    cloud.command(delete(10));
    cloud.acknowledge(cloud.revision());
    let (ticket, ..) = cloud.flush().unwrap();
    cloud.answer(ticket, false);
    cloud.command(delete(11));
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.flush(), None, "not with every commit");
    cloud.tell(SwitchEvent::Closed(CloseReason::Disconnected("cut".to_owned())));
    cloud.connect();
    cloud.acknowledge(cloud.revision());
    assert_eq!(cloud.addresses(), Some([address(10), address(11)].into()));
}

#[test]
fn a_zone_is_flushed_once_the_switch_has_its_release() {
    let mut cloud = Cloud::new(1);
    cloud.acknowledge(cloud.revision());
    cloud.command(delete(10));
    cloud.acknowledge(cloud.revision() - 1);
    assert_eq!(cloud.flush(), None);
    // Whoever was not told in time is told by a controller that starts anew.
    let mut cloud = Cloud::of(cloud.controller.topology.clone());
    cloud.acknowledge(cloud.revision());
    let (ticket, addresses, zones) = cloud.flush().unwrap();
    assert_eq!((addresses.len(), &zones), (0, &vec![1]));
    // What could not be stored has not happened.
    let mut batch = cloud.controller.begin(Instant::now());
    let event = ConnectionEvent::Switch(SwitchEvent::Flushed { ticket, done: true });
    cloud.controller.connection(&mut batch, ConnectionId(cloud.connections), event, Instant::now(), AT);
    assert_eq!(cloud.flush(), None);
    cloud.controller.abandon(batch, "disk full");
    cloud.acknowledge(cloud.revision());
    let (ticket, _, again) = cloud.flush().unwrap();
    assert_eq!(again, zones);
    cloud.answer(ticket, true);
    assert_eq!(cloud.flush(), None);
    assert!(cloud.controller.flushes.hosts.is_empty());
}

#[test]
fn what_is_pending_stays_with_a_hypervisor_and_goes_with_it() {
    let mut cloud = Cloud::new(3);
    cloud.acknowledge(cloud.revision());
    cloud.command(delete(10));
    cloud.controller.rename(&"h1".into(), &"h2".into());
    cloud.command(Command::ObserveHypervisor(fact("h2")));
    cloud.acknowledge(cloud.revision());
    assert!(cloud.addresses().unwrap().contains(&address(10)));
    cloud.command(Command::ForgetHypervisor(HostName::from("h2")));
    assert!(cloud.controller.flushes.hosts.is_empty());
}
