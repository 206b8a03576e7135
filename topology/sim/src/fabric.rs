//! Hypervisors, the VMs plugged into them and the underlay in between.

use crate::intern::Interner;
use crate::packet::{Packet, Tunnel};
use crate::switch::agent::{Agent, ConnectionError, ConnectionId};
use crate::switch::{
    Abort, Bridge, Conntrack, Datapath, Drop, FlowChange, Outcome, PortKind, Punt, Refusal, SwitchPort, Trace,
};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::time::Duration;
use weir_model::{HostName, PortId};
use weir_openflow::{DatapathId, FlowEdit, PortNo};

/// The bridge that VIFs are plugged into.
pub const INTEGRATION: &str = "br-int";
/// The bridge that leads to other hypervisors.
pub const TUNNEL: &str = "br-tun";
/// The end of the patch on the integration bridge, and its number.
pub const PATCH_TUN: (&str, PortNo) = ("patch-tun", PortNo(65001));
/// The end of the patch on the tunnel bridge, and its number.
pub const PATCH_INT: (&str, PortNo) = ("patch-int", PortNo(65002));
/// The tunnel port, and its number.
pub const VXLAN: (&str, PortNo) = ("weir-vxlan", PortNo(65003));

/// A hypervisor with its bridges.
#[derive(Debug)]
pub struct SimulatedHost {
    name: HostName,
    encap_ip: IpAddr,
    datapath: Datapath,
    agents: BTreeMap<String, Agent>,
    vifs: BTreeMap<PortNo, PortId>,
    last_ofport: u32,
}

impl SimulatedHost {
    fn new(name: HostName, encap_ip: IpAddr, number: u64) -> Self {
        let patch = |(name, number): (&str, PortNo), peer: &str| {
            SwitchPort::new(number, name, PortKind::Patch { peer: peer.to_owned() })
        };
        let mut integration = Bridge::new(INTEGRATION, DatapathId(number << 8 | 1));
        integration.set_port(patch(PATCH_TUN, PATCH_INT.0));
        let mut tunnel = Bridge::new(TUNNEL, DatapathId(number << 8 | 2));
        tunnel.set_port(patch(PATCH_INT, PATCH_TUN.0));
        tunnel.set_port(SwitchPort::new(VXLAN.1, VXLAN.0, PortKind::Tunnel));
        let mut datapath = Datapath::new();
        datapath.add_bridge(integration);
        datapath.add_bridge(tunnel);
        let agents = [INTEGRATION, TUNNEL].map(|bridge| (bridge.to_owned(), Agent::new(bridge)));
        Self { name, encap_ip, datapath, agents: agents.into(), vifs: BTreeMap::new(), last_ofport: 0 }
    }

    /// Its name.
    pub fn name(&self) -> &HostName {
        &self.name
    }

    /// Its tunnel endpoint.
    pub fn encap_ip(&self) -> IpAddr {
        self.encap_ip
    }

    /// Its bridges.
    pub fn datapath(&self) -> &Datapath {
        &self.datapath
    }

    /// Its bridges, to change them.
    pub fn datapath_mut(&mut self) -> &mut Datapath {
        &mut self.datapath
    }

    /// The OpenFlow side of a bridge.
    pub fn agent_mut(&mut self, bridge: &str) -> Option<&mut Agent> {
        self.agents.get_mut(bridge)
    }

    /// Loses all flows, groups, meters, connections of controllers and tracked connections, as a restarted switch.
    pub fn restart(&mut self) {
        for name in [INTEGRATION, TUNNEL] {
            if let Some(bridge) = self.datapath.bridge_mut(name) {
                bridge.reset();
            }
        }
        *self.datapath.conntrack_mut() = Conntrack::default();
        for agent in self.agents.values_mut() {
            agent.disconnect_all();
        }
    }

    fn tell_of(&mut self, outcome: &Outcome) {
        for agent in self.agents.values_mut() {
            agent.tell_of(outcome);
        }
    }

    fn tell_ports(&mut self) {
        for (name, agent) in &mut self.agents {
            if let Some(bridge) = self.datapath.bridge_mut(name) {
                agent.tell_ports(&bridge.take_port_changes());
            }
        }
    }

    /// The VIFs, by OpenFlow port.
    pub fn vifs(&self) -> &BTreeMap<PortNo, PortId> {
        &self.vifs
    }

    /// The name of the interface that names a port.
    pub fn interface_of(port: PortId) -> String {
        format!("tap{}", &port.0.simple().to_string()[..11])
    }

    /// Where a port is plugged.
    pub fn ofport_of(&self, port: PortId) -> Option<PortNo> {
        self.vifs.iter().find_map(|(ofport, plugged)| (*plugged == port).then_some(*ofport))
    }

    /// Plugs a VIF that names a port; its OpenFlow number, the next free one.
    pub fn plug(&mut self, port: PortId) -> PortNo {
        if let Some(ofport) = self.ofport_of(port) {
            return ofport;
        }
        self.last_ofport += 1;
        let ofport = PortNo(self.last_ofport);
        self.vifs.insert(ofport, port);
        if let Some(bridge) = self.datapath.bridge_mut(INTEGRATION) {
            bridge.set_port(SwitchPort::new(ofport, &Self::interface_of(port), PortKind::Device));
        }
        ofport
    }

    /// Unplugs the VIF that names a port; the number it had.
    pub fn unplug(&mut self, port: PortId) -> Option<PortNo> {
        let ofport = self.ofport_of(port)?;
        self.vifs.remove(&ofport);
        if let Some(bridge) = self.datapath.bridge_mut(INTEGRATION) {
            bridge.remove_port(ofport);
        }
        Some(ofport)
    }
}

/// A packet that came out of a VIF, or of another port with something behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The hypervisor.
    pub host: HostName,
    /// The bridge.
    pub bridge: String,
    /// The OpenFlow port.
    pub ofport: PortNo,
    /// The port that the VIF names.
    pub port: Option<PortId>,
    /// The packet.
    pub packet: Packet,
    /// Its mark, which nobody but the bridges should see.
    pub mark: u32,
}

/// Everything that became of a packet.
#[derive(Clone, Debug, Default)]
pub struct Journey {
    /// Where it came out.
    pub deliveries: Vec<Delivery>,
    /// Where it was dropped.
    pub drops: Vec<(HostName, Drop)>,
    /// What controllers got.
    pub punts: Vec<(HostName, Punt)>,
    /// Flows that were learned.
    pub learned: Vec<(HostName, String, FlowChange)>,
    /// Translations that were given up.
    pub aborts: Vec<(HostName, Abort)>,
    /// Packets that left towards a tunnel endpoint that nobody has.
    pub lost: Vec<(HostName, IpAddr)>,
    /// How often it crossed the underlay.
    pub hops: usize,
    /// The most resubmits that one translation took.
    pub resubmits: usize,
    /// How it came to that.
    pub trace: Trace,
}

impl Journey {
    /// The ports whose VIFs got a packet, with the packet.
    pub fn received(&self) -> impl Iterator<Item = (PortId, &Packet)> {
        self.deliveries.iter().filter_map(|delivery| Some((delivery.port?, &delivery.packet)))
    }
}

/// A packet on its way to a port of a bridge.
struct Onward {
    host: HostName,
    bridge: String,
    ofport: PortNo,
    packet: Packet,
    tunnel: Tunnel,
}

/// The hypervisors of a cloud.
#[derive(Debug, Default)]
pub struct Fabric {
    hosts: BTreeMap<HostName, SimulatedHost>,
    interner: Interner,
    now: Duration,
    made: u64,
}

impl Fabric {
    /// How often one packet may cross the underlay.
    const HOPS_MAX: usize = 256;

    /// A cloud without hypervisors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a hypervisor whose bridges are empty.
    pub fn add_host(&mut self, name: &HostName, encap_ip: IpAddr) -> &mut SimulatedHost {
        self.made += 1;
        let host = SimulatedHost::new(name.clone(), encap_ip, self.made);
        match self.hosts.entry(name.clone()) {
            std::collections::btree_map::Entry::Occupied(mut taken) => {
                taken.insert(host);
                taken.into_mut()
            }
            std::collections::btree_map::Entry::Vacant(free) => free.insert(host),
        }
    }

    /// Takes a hypervisor away.
    pub fn remove_host(&mut self, name: &HostName) -> Option<SimulatedHost> {
        self.hosts.remove(name)
    }

    /// A hypervisor.
    pub fn host(&self, name: &HostName) -> Option<&SimulatedHost> {
        self.hosts.get(name)
    }

    /// A hypervisor, to change it.
    pub fn host_mut(&mut self, name: &HostName) -> Option<&mut SimulatedHost> {
        self.hosts.get_mut(name)
    }

    /// The hypervisors, by name.
    pub fn hosts(&self) -> impl Iterator<Item = &SimulatedHost> {
        self.hosts.values()
    }

    /// A controller connects to a bridge; none if there is no such bridge.
    pub fn connect(&mut self, host: &HostName, bridge: &str) -> Option<ConnectionId> {
        let host = self.hosts.get_mut(host)?;
        // What happened to ports before is in the description that the controller will ask for.
        host.tell_ports();
        Some(host.agents.get_mut(bridge)?.connect())
    }

    /// Bytes from a controller of a bridge; what became of the packets that it sent.
    ///
    /// # Errors
    /// The connection is over.
    pub fn handle(
        &mut self,
        host: &HostName,
        bridge: &str,
        connection: ConnectionId,
        bytes: &[u8],
    ) -> Result<Journey, ConnectionError> {
        let mut journey = Journey::default();
        let Some(found) = self.hosts.get_mut(host) else {
            return Ok(journey);
        };
        let Some(agent) = found.agents.get_mut(bridge) else {
            return Ok(journey);
        };
        let outcomes = agent.handle(connection, bytes, self.now, &mut found.datapath, &mut self.interner)?;
        for outcome in outcomes {
            let onward = self.digest(host, outcome, &mut journey);
            self.carry(onward, &mut journey);
        }
        Ok(journey)
    }

    /// Takes what waits to be sent to a controller.
    pub fn poll_transmit(&mut self, host: &HostName, bridge: &str, connection: ConnectionId) -> Bytes {
        let Some(found) = self.hosts.get_mut(host) else {
            return Bytes::new();
        };
        found.tell_ports();
        found.agents.get_mut(bridge).map(|agent| agent.poll_transmit(connection)).unwrap_or_default()
    }

    /// The time.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Lets time pass.
    pub fn advance(&mut self, by: Duration) {
        self.now += by;
        for host in self.hosts.values_mut() {
            for (bridge, change) in host.datapath.expire(self.now) {
                if let Some(agent) = host.agents.get_mut(&bridge) {
                    agent.tell_flows(&[change], None);
                }
            }
        }
    }

    /// Applies an edit to a bridge; none if there is no such bridge.
    ///
    /// # Errors
    /// What Open vSwitch would refuse.
    pub fn apply(
        &mut self,
        host: &HostName,
        bridge: &str,
        edit: &FlowEdit,
    ) -> Option<Result<Vec<FlowChange>, Refusal>> {
        let found = self.hosts.get_mut(host)?.datapath.bridge_mut(bridge)?;
        Some(found.apply(edit, self.now, &mut self.interner))
    }

    /// Somebody other than the controllers changes a bridge; what the switch would refuse is left undone. The controllers
    /// are told as far as they asked to be.
    pub fn tamper(&mut self, host: &HostName, bridge: &str, edit: &FlowEdit) {
        if let Some(Ok(changes)) = self.apply(host, bridge, edit)
            && let Some(agent) = self.hosts.get_mut(host).and_then(|host| host.agents.get_mut(bridge))
        {
            agent.tell_flows(&changes, None);
        }
    }

    /// A VM sends a packet; what becomes of it everywhere. Nothing if the port is not plugged there.
    pub fn inject(&mut self, host: &HostName, port: PortId, packet: Packet) -> Journey {
        match self.hosts.get(host).and_then(|found| found.ofport_of(port)) {
            Some(ofport) => self.inject_at(host, INTEGRATION, ofport, packet, Tunnel::default()),
            None => Journey::default(),
        }
    }

    /// A packet comes in on any port of a bridge, with an outer header if the port is a tunnel's.
    pub fn inject_at(
        &mut self,
        host: &HostName,
        bridge: &str,
        ofport: PortNo,
        packet: Packet,
        tunnel: Tunnel,
    ) -> Journey {
        let mut journey = Journey::default();
        self.carry(
            vec![Onward { host: host.clone(), bridge: bridge.to_owned(), ofport, packet, tunnel }],
            &mut journey,
        );
        journey
    }

    /// Carries packets on until none is under way.
    fn carry(&mut self, packets: Vec<Onward>, journey: &mut Journey) {
        let mut waiting = VecDeque::from(packets);
        while let Some(Onward { host, bridge, ofport, packet, tunnel }) = waiting.pop_front() {
            let Some(found) = self.hosts.get_mut(&host) else {
                continue;
            };
            let outcome = found.datapath.receive(self.now, &bridge, ofport, packet, tunnel);
            found.tell_of(&outcome);
            for onward in self.digest(&host, outcome, journey) {
                if journey.hops < Self::HOPS_MAX {
                    journey.hops += 1;
                    waiting.push_back(onward);
                }
            }
        }
    }

    /// Adds what happened on one hypervisor; what goes on to others.
    fn digest(&self, host: &HostName, outcome: Outcome, journey: &mut Journey) -> Vec<Onward> {
        let mut onward = Vec::new();
        journey.trace.line(0, || format!("--- {host}"));
        journey.trace.append(outcome.trace, 1);
        journey.drops.extend(outcome.drops.into_iter().map(|drop| (host.clone(), drop)));
        journey.punts.extend(outcome.punts.into_iter().map(|punt| (host.clone(), punt)));
        journey.aborts.extend(outcome.aborts.into_iter().map(|abort| (host.clone(), abort)));
        journey.learned.extend(outcome.learned.into_iter().map(|(bridge, change)| (host.clone(), bridge, change)));
        journey.resubmits = journey.resubmits.max(outcome.resubmits);
        let Some(from) = self.hosts.get(host) else {
            return onward;
        };
        for output in outcome.outputs {
            let Some(outer) = output.tunnel else {
                journey.deliveries.push(Delivery {
                    host: host.clone(),
                    port: from.vifs.get(&output.port).copied().filter(|_| output.bridge == INTEGRATION),
                    ofport: output.port,
                    bridge: output.bridge,
                    packet: output.packet,
                    mark: output.mark,
                });
                continue;
            };
            let address = outer_destination(&outer);
            match self.hosts.values().find(|host| host.encap_ip == address) {
                Some(to) => onward.push(Onward {
                    host: to.name.clone(),
                    bridge: TUNNEL.to_owned(),
                    ofport: VXLAN.1,
                    packet: output.packet,
                    tunnel: arriving(&outer, from.encap_ip, address),
                }),
                None => journey.lost.push((host.clone(), address)),
            }
        }
        onward
    }

    /// The different flows that there are in all bridges.
    pub fn distinct_flows(&self) -> usize {
        let all: BTreeSet<*const weir_openflow::Flow> = self
            .hosts
            .values()
            .flat_map(|host| host.datapath.bridges())
            .flat_map(|bridge| bridge.flows().map(std::sync::Arc::as_ptr))
            .collect();
        all.len()
    }
}

fn outer_destination(outer: &Tunnel) -> IpAddr {
    if outer.dst != 0 { IpAddr::V4(outer.dst.into()) } else { IpAddr::V6(outer.ipv6_dst.into()) }
}

/// The outer header as the receiver sees it: VXLAN carries 24 bits of key.
fn arriving(outer: &Tunnel, from: IpAddr, to: IpAddr) -> Tunnel {
    let mut seen = Tunnel { id: outer.id & 0xff_ffff, ..Tunnel::default() };
    match from {
        IpAddr::V4(address) => seen.src = address.into(),
        IpAddr::V6(address) => seen.ipv6_src = address.into(),
    }
    match to {
        IpAddr::V4(address) => seen.dst = address.into(),
        IpAddr::V6(address) => seen.ipv6_dst = address.into(),
    }
    seen
}
