//! The switch's side of OpenFlow: the connections of one bridge, their roles, and what each is told.

mod answer;
mod bundle;
mod connection;
mod describe;
mod monitor;

pub use connection::ConnectionError;

use super::{Bridge, Datapath, FlowChange, Outcome, PortChange, Punt};
use crate::intern::Interner;
use bytes::Bytes;
use connection::Connection;
use std::collections::BTreeMap;
use std::time::Duration;
use weir_openflow::message::{FlowRemoved, PacketInFormat, PortStatus, Role, RoleReason, RoleStatus};
use weir_openflow::{Message, Xid};

/// One connection of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The OpenFlow side of one bridge.
#[derive(Debug)]
pub struct Agent {
    bridge: String,
    versions: Vec<u8>,
    connections: BTreeMap<ConnectionId, Connection>,
    last: u64,
    /// The largest election number that a master or slave has shown.
    election: Option<u64>,
}

impl Agent {
    /// The agent of a bridge that speaks OpenFlow 1.0 to 1.5.
    pub fn new(bridge: &str) -> Self {
        Self::with_versions(bridge, (1..=6).collect())
    }

    /// The agent of a bridge that speaks these versions, by number.
    pub fn with_versions(bridge: &str, versions: Vec<u8>) -> Self {
        Self { bridge: bridge.to_owned(), versions, connections: BTreeMap::new(), last: 0, election: None }
    }

    /// A controller connects; the hello is ready to be sent.
    pub fn connect(&mut self) -> ConnectionId {
        self.last += 1;
        let id = ConnectionId(self.last);
        self.connections.insert(id, Connection::new(&self.versions));
        id
    }

    /// A connection ends; its bundles and monitors go with it.
    pub fn disconnect(&mut self, id: ConnectionId) {
        self.connections.remove(&id);
    }

    /// Every connection ends, as when the switch restarts.
    pub fn disconnect_all(&mut self) {
        self.connections.clear();
    }

    /// The connections.
    pub fn connections(&self) -> impl Iterator<Item = ConnectionId> {
        self.connections.keys().copied()
    }

    /// Bytes from a controller. What became of packets that it sent comes back.
    ///
    /// # Errors
    /// The connection is over: the bytes are not OpenFlow, or no version is shared.
    pub fn handle(
        &mut self,
        id: ConnectionId,
        bytes: &[u8],
        now: Duration,
        datapath: &mut Datapath,
        interner: &mut Interner,
    ) -> Result<Vec<Outcome>, ConnectionError> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Ok(Vec::new());
        };
        connection.take(bytes);
        let mut outcomes = Vec::new();
        loop {
            let Some(connection) = self.connections.get_mut(&id) else {
                return Ok(outcomes);
            };
            let Some((request, quote)) = connection.next(&self.versions)? else {
                return Ok(outcomes);
            };
            let mut turn = answer::Turn { agent: self, id, now, datapath, interner, outcomes: Vec::new() };
            turn.answer(request, &quote);
            let done = turn.outcomes;
            for outcome in &done {
                self.tell_of(outcome);
            }
            outcomes.extend(done);
        }
    }

    /// Takes what waits to be sent to a controller.
    pub fn poll_transmit(&mut self, id: ConnectionId) -> Bytes {
        self.connections.get_mut(&id).map(Connection::transmit).unwrap_or_default()
    }

    /// Tells the controllers what a packet caused: packet-ins and learned flows.
    pub fn tell_of(&mut self, outcome: &Outcome) {
        for punt in &outcome.punts {
            if punt.bridge == self.bridge {
                self.tell_punt(punt);
            }
        }
        let learned: Vec<FlowChange> = outcome
            .learned
            .iter()
            .filter(|(bridge, _)| *bridge == self.bridge)
            .map(|(_, change)| change.clone())
            .collect();
        self.tell_flows(&learned, None);
    }

    fn tell_punt(&mut self, punt: &Punt) {
        for connection in self.connections.values_mut() {
            if connection.controller_id != punt.controller || connection.role == Role::Slave {
                continue;
            }
            let message = match connection.format {
                PacketInFormat::Nicira2 => Message::PacketIn2(punt.packet_in.clone()),
                PacketInFormat::Standard | PacketInFormat::Nicira => Message::PacketIn(punt.packet_in.clone()),
            };
            connection.send(Xid(0), &message);
        }
    }

    /// Tells the controllers what happened to ports.
    pub fn tell_ports(&mut self, changes: &[PortChange]) {
        for change in changes {
            let status = PortStatus { reason: change.reason, port: change.port.description() };
            for connection in self.connections.values_mut() {
                connection.send(Xid(0), &Message::PortStatus(status.clone()));
            }
        }
    }

    /// Tells the controllers what happened to flows: flow-removed and monitors. `by` is the request that did it.
    pub fn tell_flows(&mut self, changes: &[FlowChange], by: Option<(ConnectionId, Xid)>) {
        for change in changes {
            if let FlowChange::Removed { flow, reason, duration, counters } = change
                && flow.flags.send_flow_removed
            {
                let removed = FlowRemoved {
                    key: flow.key.clone(),
                    cookie: flow.cookie,
                    reason: *reason,
                    idle_timeout: flow.idle_timeout,
                    hard_timeout: flow.hard_timeout,
                    duration: *duration,
                    packets: counters.packets,
                    bytes: counters.bytes,
                };
                for connection in self.connections.values_mut().filter(|each| each.role != Role::Slave) {
                    connection.send(Xid(0), &Message::FlowRemoved(removed.clone()));
                }
            }
        }
        for (id, connection) in &mut self.connections {
            let own = by.filter(|(requester, _)| requester == id).map(|(_, xid)| xid);
            monitor::tell(connection, changes, own);
        }
    }

    /// Gives a role to a connection. A master makes slaves of the others.
    fn assume(&mut self, id: ConnectionId, role: Role) {
        let generation = self.election.unwrap_or(0);
        for (other, connection) in &mut self.connections {
            if *other == id {
                connection.role = role;
            } else if role == Role::Master && connection.role == Role::Master {
                connection.role = Role::Slave;
                let reason = RoleReason::MasterRequest;
                connection.send(Xid(0), &Message::RoleStatus(RoleStatus { role: Role::Slave, reason, generation }));
            }
        }
    }
}

/// The bridge of an agent, in its datapath.
fn bridge_of<'a>(datapath: &'a mut Datapath, name: &str) -> Option<&'a mut Bridge> {
    datapath.bridge_mut(name)
}
