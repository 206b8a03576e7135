//! A simulated Open vSwitch: bridges that execute flow tables, one connection tracker, patch ports in between.

pub mod agent;
mod bridge;
mod classifier;
pub mod conntrack;
mod execute;
mod learn;
mod outcome;
mod port;
mod program;
mod refusal;
mod select;
mod step;
mod table;
mod trace;
mod translate;

pub use bridge::{Bridge, FlowChange, Journal};
pub use conntrack::Conntrack;
pub use outcome::{Abort, Drop, Outcome, Output, Punt};
pub use port::{PortChange, PortKind, SwitchPort};
pub use refusal::Refusal;
pub use table::{Counters, LookupCounters};
pub use trace::Trace;

use crate::packet::{Packet, Tunnel};
use std::collections::BTreeMap;
use std::time::Duration;
use step::Frozen;
use weir_openflow::message::{PacketOut, Resume};
use weir_openflow::{Field, PortNo};

/// The bridges of one hypervisor and what they share.
#[derive(Debug, Default)]
pub struct Datapath {
    pub(self) bridges: Vec<Bridge>,
    pub(self) conntrack: Conntrack,
    pub(self) trace: Trace,
    pub(self) learned: Vec<(String, FlowChange)>,
    /// Paused packets by the number in their continuation.
    paused: BTreeMap<u64, Frozen>,
    last_paused: u64,
}

impl Datapath {
    /// The most packets that are paused at once; the oldest is forgotten first.
    const PAUSED_MAX: usize = 4096;

    /// A datapath without bridges.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a bridge, in place of one with the same name.
    pub fn add_bridge(&mut self, bridge: Bridge) {
        self.remove_bridge(bridge.name());
        self.bridges.push(bridge);
    }

    /// Takes a bridge away.
    pub fn remove_bridge(&mut self, name: &str) -> Option<Bridge> {
        let place = self.place(name)?;
        self.paused.clear();
        Some(self.bridges.remove(place))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.bridges.iter().position(|bridge| bridge.name() == name)
    }

    /// The bridges in the order in which they came.
    pub fn bridges(&self) -> impl Iterator<Item = &Bridge> {
        self.bridges.iter()
    }

    /// A bridge by name.
    pub fn bridge(&self, name: &str) -> Option<&Bridge> {
        self.bridges.iter().find(|bridge| bridge.name() == name)
    }

    /// A bridge by name, to change it.
    pub fn bridge_mut(&mut self, name: &str) -> Option<&mut Bridge> {
        self.bridges.iter_mut().find(|bridge| bridge.name() == name)
    }

    /// The connection tracker.
    pub fn conntrack(&self) -> &Conntrack {
        &self.conntrack
    }

    /// The connection tracker, to flush it.
    pub fn conntrack_mut(&mut self) -> &mut Conntrack {
        &mut self.conntrack
    }

    /// A packet comes in on a port of a bridge, with its outer header if the port is a tunnel's.
    pub fn receive(&mut self, now: Duration, bridge: &str, port: PortNo, packet: Packet, tunnel: Tunnel) -> Outcome {
        let Some(place) = self.place(bridge) else {
            return Outcome::default();
        };
        if self.bridges[place].port(port).is_none() {
            return Outcome::default();
        }
        execute::arrival(self, now, place, port, packet, tunnel)
    }

    /// A controller sends a packet through a bridge.
    ///
    /// # Errors
    /// The packet-out names no input port.
    pub fn packet_out(&mut self, now: Duration, bridge: &str, request: &PacketOut) -> Result<Outcome, Refusal> {
        let in_port = request.metadata.exact(Field::InPortOxm).ok_or(Refusal::BAD_ARGUMENT)?;
        let Some(place) = self.place(bridge) else {
            return Ok(Outcome::default());
        };
        Ok(execute::packet_out(self, now, place, PortNo(in_port as u32), request))
    }

    /// A controller lets a paused packet go on.
    ///
    /// # Errors
    /// The continuation is not one of this datapath.
    pub fn resume(&mut self, now: Duration, request: &Resume) -> Result<Outcome, Refusal> {
        let number = request.continuation.get(..8).and_then(|bytes| bytes.first_chunk().copied());
        let state =
            number.and_then(|bytes| self.paused.remove(&u64::from_be_bytes(bytes))).ok_or(Refusal::BAD_ARGUMENT)?;
        Ok(execute::resume(self, now, state, request))
    }

    /// Keeps a paused packet; the bytes that name it.
    fn pause(&mut self, state: Frozen) -> Vec<u8> {
        if self.paused.len() == Self::PAUSED_MAX {
            self.paused.pop_first();
        }
        self.last_paused += 1;
        self.paused.insert(self.last_paused, state);
        self.last_paused.to_be_bytes().to_vec()
    }

    /// Lets time pass: flows and connections whose time is over go. What went, by bridge.
    pub fn expire(&mut self, now: Duration) -> Vec<(String, FlowChange)> {
        self.conntrack.expire(now);
        let mut changes = Vec::new();
        for bridge in &mut self.bridges {
            let name = bridge.name().to_owned();
            changes.extend(bridge.expire(now).into_iter().map(|change| (name.clone(), change)));
        }
        changes
    }
}
