//! A cloud under test: the model and the compiler above, simulated hypervisors below, real bytes in between.

use crate::judge::{self, Misdelivery};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;
use weir_compile::{Bridge, Engine, desired};
use weir_model::{
    Command, Commit, HostName, HypervisorFact, Limits, Liveness, PortId, Rejection, Request, Timestamp, Topology, Vif,
};
use weir_openflow::session::{Session, SessionConfig, SessionEvent};
use weir_openflow::{EncodedEdit, FlowTable};
use weir_sim::fabric::{Fabric, SimulatedHost};
use weir_sim::judge::Judge;
use weir_sim::oracle::Verdict;
use weir_sim::packet::Packet;
use weir_sim::switch::agent::ConnectionId;

/// A session with one bridge.
struct Link {
    session: Session,
    connection: ConnectionId,
}

pub(crate) struct Cloud {
    pub(crate) topology: Topology,
    pub(crate) fabric: Fabric,
    judge: Judge,
    engine: Engine,
    links: BTreeMap<(HostName, Bridge), Link>,
    now: Instant,
    clock: u64,
}

impl Cloud {
    pub(crate) fn new(hosts: &[HostName]) -> Self {
        let topology = Topology::new(Limits::default());
        let mut cloud = Self {
            engine: Engine::load(&topology),
            topology,
            fabric: Fabric::new(),
            judge: Judge::new(),
            links: BTreeMap::new(),
            now: Instant::now(),
            clock: 0,
        };
        for (number, host) in (1_u8..).zip(hosts) {
            cloud.add_host(host, IpAddr::from([192, 0, 2, number]));
        }
        cloud
    }

    fn add_host(&mut self, name: &HostName, encap_ip: IpAddr) {
        self.fabric.add_host(name, encap_ip);
        for bridge in Bridge::ALL {
            let connection = self.fabric.connect(name, bridge.name()).unwrap();
            let session = Session::new(self.now, SessionConfig::default());
            self.links.insert((name.clone(), bridge), Link { session, connection });
            let events = self.pump(name, bridge);
            assert!(
                matches!(events[..], [SessionEvent::Ready { .. }]),
                "the handshake with {name} {bridge} leads to {events:?}"
            );
        }
        self.command(Command::ObserveHypervisor(HypervisorFact {
            name: name.clone(),
            system_id: format!("system-{name}"),
            encap_ip,
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        }))
        .unwrap();
        self.command(Command::SetLiveness(name.clone(), Liveness::Alive)).unwrap();
    }

    /// Carries bytes both ways until neither side has any; what the controller's session tells.
    fn pump(&mut self, host: &HostName, bridge: Bridge) -> Vec<SessionEvent> {
        let link = self.links.get_mut(&(host.clone(), bridge)).unwrap();
        let mut events = Vec::new();
        loop {
            let mut out = BytesMut::new();
            let sent = link.session.poll_transmit(self.now, &mut out);
            self.fabric.handle(host, bridge.name(), link.connection, &out).unwrap();
            let back = self.fabric.poll_transmit(host, bridge.name(), link.connection);
            link.session.handle_bytes(self.now, &back);
            while let Some(event) = link.session.poll_event() {
                // The ports are known from plugging them, and what the controller is asked from the packet's journey.
                if !matches!(event, SessionEvent::PortStatus(_) | SessionEvent::PacketIn(_)) {
                    events.push(event);
                }
            }
            if !sent && back.is_empty() {
                return events;
            }
        }
    }

    /// Does a command and programs every switch that it concerns, one bundle a bridge.
    pub(crate) fn command(&mut self, command: Command) -> Result<Commit, Rejection> {
        self.clock += 1;
        let request = Request { command, at: Timestamp(self.clock) };
        let (topology, commit, _) = self.topology.transact(request)?;
        let applied = self.engine.apply(&commit, &self.topology, &topology, |_| true);
        let mut bundles: BTreeMap<(HostName, Bridge), Vec<EncodedEdit>> = BTreeMap::new();
        for delta in &applied.deltas {
            for key in delta.recipients.iter() {
                if let Some(host) = topology.hypervisor_by_key(key).or_else(|| self.topology.hypervisor_by_key(key)) {
                    let bundle = bundles.entry((host.name.clone(), delta.bridge)).or_default();
                    bundle.extend(delta.edits.iter().cloned());
                }
            }
        }
        self.topology = topology;
        self.judge.follow(&self.topology);
        for ((host, bridge), mut edits) in bundles {
            edits.sort_by_key(EncodedEdit::phase);
            let link = self.links.get_mut(&(host.clone(), bridge)).unwrap();
            link.session.bundle(edits.clone()).unwrap();
            let events = self.pump(&host, bridge);
            assert!(
                matches!(events[..], [SessionEvent::BundleCommitted { .. }]),
                "{} edits of {host} {bridge} lead to {events:?}",
                edits.len()
            );
        }
        Ok(commit)
    }

    pub(crate) fn plug(&mut self, host: &HostName, port: PortId) {
        let ofport = self.fabric.host_mut(host).unwrap().plug(port).0;
        let interface = SimulatedHost::interface_of(port);
        self.command(Command::ObserveVif(Vif { host: host.clone(), port, interface, ofport })).unwrap();
    }

    pub(crate) fn unplug(&mut self, host: &HostName, port: PortId) {
        self.fabric.host_mut(host).unwrap().unplug(port).unwrap();
        self.command(Command::ForgetVif { host: host.clone(), port }).unwrap();
    }

    /// What a bridge holds, and what it should hold if everything were computed anew.
    pub(crate) fn tables(&self, host: &HostName, bridge: Bridge) -> (FlowTable, FlowTable) {
        let installed = self.fabric.host(host).unwrap().datapath().bridge(bridge.name()).unwrap().content();
        let key = self.topology.hypervisor(host).unwrap().key;
        (installed, desired(key, bridge, &self.topology))
    }

    /// Sends a packet from wherever the port is plugged, and compares what became of it with the judge's verdict.
    pub(crate) fn send(&mut self, from: PortId, packet: &Packet) -> Result<Verdict, Box<Misdelivery>> {
        judge::send(&self.topology, &mut self.fabric, &mut self.judge, from, packet)
    }
}
