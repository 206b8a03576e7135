//! What must become of a packet, with all that the hypervisors remember of the packets before.

use crate::firewall::{Firewall, Ruling};
use crate::oracle::{self, Answer, Verdict, nowhere};
use crate::packet::Packet;
use std::time::Duration;
use weir_model::{Direction, HostName, PortId, Topology};

/// The oracle with a firewall. It has to see the same packets as the switches, in the same order.
#[derive(Debug, Default)]
pub struct Judge {
    firewall: Firewall,
}

impl Judge {
    /// A judge who has seen nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Follows a change of the topology.
    pub fn follow(&mut self, topology: &Topology) {
        self.firewall.follow(topology);
    }

    /// The controller has told switches to forget the connections of addresses that left with a change.
    pub fn forget_handed_over(&mut self, old: &Topology, new: &Topology) {
        self.firewall.forget_handed_over(old, new);
    }

    /// A hypervisor's switch has restarted and forgotten its connections.
    pub fn forget(&mut self, host: &HostName) {
        self.firewall.forget(host);
    }

    /// What must become of a packet that the VM behind a port sends now.
    pub fn verdict(&mut self, topology: &Topology, now: Duration, from: PortId, packet: &Packet) -> Verdict {
        self.firewall.advance_to(now);
        self.firewall.follow(topology);
        let mut verdict = oracle::verdict(topology, from, packet);
        if matches!(verdict.answer, Some(Answer::Echo(_))) && !self.firewall.asks(topology, from, packet) {
            return nowhere("refused to the sender");
        }
        if verdict.flooded {
            return flood(topology, from, packet, verdict);
        }
        let mut refusals = Vec::new();
        for to in &verdict.toward {
            let ruling = match verdict.deliveries.get(to) {
                Some(packet) => self.firewall.judge(topology, from, *to, packet),
                // What is not plugged here might be elsewhere, for all that the sender's hypervisor knows.
                None if self.firewall.departs(topology, from, packet) => continue,
                None => Ruling::RefusedToSender,
            };
            if ruling != Ruling::Passes {
                verdict.deliveries.remove(to);
                refusals.push(ruling);
            }
        }
        if verdict.deliveries.is_empty() && !refusals.is_empty() {
            verdict.reason = match refusals[0] {
                Ruling::RefusedToSender => "refused to the sender",
                _ => "refused to the receiver",
            };
        }
        verdict
    }
}

fn flood(topology: &Topology, from: PortId, packet: &Packet, mut verdict: Verdict) -> Verdict {
    let passes =
        |id, direction| topology.port(id).is_some_and(|port| Firewall::floods(topology, port, direction, packet));
    if !passes(from, Direction::Egress) {
        return nowhere("refused to the sender");
    }
    verdict.deliveries.retain(|to, _| passes(*to, Direction::Ingress));
    verdict
}
