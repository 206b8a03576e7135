//! Packets that VMs sent to the controller, and its answers.

use crate::change::cloud;
use crate::heap::settled;
use arc_swap::ArcSwap;
use bytes::Bytes;
use gungraun::library_benchmark;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;
use weir::controller::Answers;
use weir::link::openflow::Answerer;
use weir_answer::Settings;
use weir_bench::cloud::host_name;
use weir_compile::register::{PUNT, Punt, SOURCE_PORT};
use weir_model::{Command, HypervisorFact, Port, Topology};
use weir_openflow::message::{PacketIn, PacketInReason, PacketOut};
use weir_openflow::{Match, PortNo, TableId};
use weir_sim::packet::Frame;

/// The first hypervisor's integration bridge.
const DATAPATH: u64 = 0x101;

/// What answers the VMs of the first hypervisor, and what each of them asks.
pub(crate) struct Asked {
    answerer: Box<dyn Answerer>,
    packets: Vec<PacketIn>,
    now: Instant,
}

impl Asked {
    fn answer(mut self) -> (Self, Vec<PacketOut>) {
        for packet in &self.packets {
            self.answerer.packet_in(self.now, packet);
        }
        let answers: Vec<_> = std::iter::from_fn(|| self.answerer.poll_transmit()).collect();
        assert_eq!(answers.len(), self.packets.len(), "every question is answered");
        (self, answers)
    }
}

fn asked(question: fn(&Port) -> PacketIn) -> Asked {
    let mut cloud = cloud();
    let host = host_name(0);
    let known = cloud.topology.hypervisor(&host).expect("the first hypervisor");
    let fact = HypervisorFact {
        name: host.clone(),
        system_id: known.system_id.clone(),
        encap_ip: known.encap_ip,
        bridge_mappings: Vec::new(),
        integration_datapath: Some(DATAPATH),
        tunnel_datapath: None,
    };
    cloud.command(Command::ObserveHypervisor(fact)).expect("the model takes it");
    let packets = cloud.topology.ports_on(&host).map(|port| question(port)).collect();
    let snapshot: Arc<ArcSwap<Topology>> = Arc::new(ArcSwap::from_pointee(cloud.topology));
    let mut answerer = Answers::new(snapshot, Settings::default()).answerers()();
    let now = Instant::now();
    answerer.ready(now, DATAPATH);
    Asked { answerer, packets, now }
}

/// The port looks for a DHCP server (RFC 2131).
fn discover(port: &Port) -> PacketIn {
    // BOOTREQUEST over Ethernet, addresses of 6 bytes.
    let mut message = vec![0; 236];
    message[..3].copy_from_slice(&[1, 1, 6]);
    message[28..34].copy_from_slice(&port.mac_address.0);
    message.extend([0x63, 0x82, 0x53, 0x63]);
    // The type of the message, and the options that are asked for: mask, router, name servers, MTU, classless routes.
    message.extend([53, 1, 1, 55, 5, 1, 3, 6, 26, 121, 255]);
    let [nobody, everybody] = [Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST].map(IpAddr::V4);
    let frame = Frame::broadcast(port.mac_address).udp(nobody, everybody, 68, 67, &message);
    packet_in(port, Punt::Dhcpv4, frame.bytes())
}

/// What the switch sends to the controller.
fn packet_in(port: &Port, punt: Punt, frame: &[u8]) -> PacketIn {
    let metadata = SOURCE_PORT.on(Match::new().in_port(PortNo(1)), port.key);
    PacketIn {
        packet: Bytes::copy_from_slice(frame),
        full_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
        buffer: None,
        table: TableId(0),
        cookie: None,
        reason: PacketInReason::ApplyAction,
        metadata: PUNT.on(metadata, punt),
        userdata: Bytes::new(),
        continuation: None,
    }
}

#[library_benchmark]
#[bench::dhcp_of_50(settled(asked(discover)))]
pub(crate) fn answer_packets(asked: Asked) -> (Asked, Vec<PacketOut>) {
    asked.answer()
}
