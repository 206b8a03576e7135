//! Where a translation sends a packet: ports, the other bridge, groups.

use super::{Mode, Translation};
use crate::packet::Tunnel;
use crate::switch::program;
use crate::switch::step::Step;
use crate::switch::{PortKind, select};
use std::sync::Arc;
use weir_openflow::message::PacketInReason;
use weir_openflow::{GroupId, GroupKind, PortNo, TableId};

impl Translation<'_> {
    pub(super) fn output(&mut self, port: PortNo, mode: Mode) {
        match port {
            PortNo::IN_PORT => self.send(self.fields.in_port, mode.last),
            PortNo::TABLE => self.run_table(self.fields.in_port, TableId(0), false, false, false),
            PortNo::FLOOD | PortNo::ALL | PortNo::NORMAL => {
                let in_port = self.fields.in_port;
                let ports: Vec<PortNo> = self.bridge().ports().map(|port| port.number).collect();
                for port in ports.into_iter().filter(|port| *port != in_port) {
                    self.send(port, false);
                }
            }
            PortNo::CONTROLLER => {
                let reason = if self.in_packet_out {
                    PacketInReason::PacketOut
                } else if mode.bucket {
                    PacketInReason::Group
                } else if self.in_action_set {
                    PacketInReason::ActionSet
                } else {
                    PacketInReason::ApplyAction
                };
                self.punt(reason, 0, u16::MAX, &[], None);
            }
            PortNo::ANY => {}
            port if port == self.fields.in_port => self.say(|| "skipping output to input port".to_owned()),
            port => self.send(port, mode.last),
        }
    }

    /// Sends the packet out of a port, whichever it came in on.
    pub(super) fn send(&mut self, port: PortNo, last: bool) {
        let Some(found) = self.bridge().port(port) else {
            self.say(|| format!("nonexistent output port {}", port.0));
            return;
        };
        match found.kind.clone() {
            PortKind::Patch { peer } => self.cross(&peer, last),
            PortKind::Tunnel => {
                let tunnel = self.fields.tunnel;
                if tunnel.is_set() && (tunnel.dst == 0 || tunnel.dst != self.own_address) {
                    self.emit(port, Some(tunnel));
                } else {
                    self.say(|| "no tunnel destination, or the own address".to_owned());
                }
            }
            PortKind::Device | PortKind::Internal => self.emit(port, None),
        }
    }

    pub(super) fn emit(&mut self, port: PortNo, tunnel: Option<Tunnel>) {
        self.commit();
        self.steps.push(Step::Output { bridge: self.bridge, port, tunnel });
    }

    /// Goes through a patch port: the other bridge sees the packet and its mark, not what this bridge noted of it.
    pub(super) fn cross(&mut self, peer: &str, last: bool) {
        let found = self
            .datapath
            .bridges
            .iter()
            .enumerate()
            .find_map(|(place, bridge)| bridge.port_named(peer).map(|port| (place, port.number)));
        let Some((place, in_port)) = found else {
            self.say(|| format!("the peer {peer} is not there"));
            return;
        };
        let outer_fields = self.fields.clone();
        let outer_bridge = std::mem::replace(&mut self.bridge, place);
        let outer_stack = std::mem::take(&mut self.stack);
        let outer_set = std::mem::take(&mut self.action_set);
        let (outer_tracked, outer_table) = (self.conntracked, self.table);
        self.fields.in_port = in_port;
        self.fields.metadata = 0;
        self.fields.tunnel = Tunnel::default();
        self.fields.regs = [0; 16];
        self.fields.clear_action_set_output();
        self.fields.clear_tracking();
        self.conntracked = false;
        self.run_table(in_port, TableId(0), false, last, true);
        if !self.freezing {
            self.run_action_set();
        }
        if self.freezing {
            self.freeze(None);
        }
        self.fields = outer_fields;
        self.bridge = outer_bridge;
        self.stack = outer_stack;
        self.action_set = outer_set;
        (self.conntracked, self.table) = (outer_tracked, outer_table);
        // What ends or fails in the other bridge does not concern this one.
        self.exit = false;
        self.error = None;
    }

    /// Sends the packet through a group; false ends the list, as a group that is not there does.
    pub(super) fn group(&mut self, id: GroupId, last: bool) -> bool {
        if !self.within_limits() {
            return true;
        }
        let Some(record) = self.datapath.bridges[self.bridge].groups.get_mut(&id) else {
            self.say(|| format!("nonexistent group {}", id.0));
            return false;
        };
        record.packets += 1;
        record.bytes += self.length as u64;
        let group = Arc::clone(&record.group);
        let chosen: Vec<usize> = match group.kind {
            GroupKind::All | GroupKind::Indirect => (0..group.buckets.len()).collect(),
            GroupKind::Select => {
                select::by_hash(self.bridge(), &group, select::hash(&self.fields)).into_iter().collect()
            }
            GroupKind::FastFailover => select::first_alive(self.bridge(), &group).into_iter().collect(),
        };
        if chosen.is_empty() {
            self.dropped(self.cookie);
        }
        for (at, place) in chosen.iter().enumerate() {
            let bucket = &group.buckets[*place];
            if let Some(record) = self.datapath.bridges[self.bridge].groups.get_mut(&id) {
                let counted = record.buckets.entry(bucket.id).or_default();
                counted.0 += 1;
                counted.1 += self.length as u64;
            }
            self.say(|| format!("group {} bucket {}", id.0, bucket.id.0));
            let outer = self.fields.clone();
            self.depth += 1;
            let last = last && at + 1 == chosen.len();
            self.run(&program::of_action_set(&bucket.actions), Mode { last, bucket: true });
            self.depth -= 1;
            if self.freezing {
                self.freeze(None);
            }
            self.fields = outer;
            self.exit = false;
        }
        true
    }
}
