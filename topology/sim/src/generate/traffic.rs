//! Conversations: what VMs send in answer to what they got.

use super::packet;
use crate::oracle::{ends, usable};
use crate::packet::{ETH_IPV4, Frame, Packet, protocol};
use crate::seed::Seed;
use std::collections::{BTreeMap, VecDeque};
use weir_model::{MacAddress, PortId, Topology};

/// A packet that arrived.
#[derive(Clone, Debug)]
struct Arrival {
    from: PortId,
    to: PortId,
    sent: Packet,
    got: Packet,
}

/// The packets that arrived lately, which others will follow.
#[derive(Clone, Debug, Default)]
pub struct Traffic {
    arrivals: VecDeque<Arrival>,
}

impl Traffic {
    /// How many packets are remembered.
    const ARRIVALS_MAX: usize = 48;

    /// No packets yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a packet that was for somebody in particular and arrived.
    pub fn note(&mut self, from: PortId, sent: &Packet, deliveries: &BTreeMap<PortId, Packet>) {
        for (to, got) in deliveries {
            if self.arrivals.len() == Self::ARRIVALS_MAX {
                self.arrivals.pop_front();
            }
            self.arrivals.push_back(Arrival { from, to: *to, sent: sent.clone(), got: got.clone() });
        }
    }

    /// The next packet, and who sends it: half of them answer, repeat or continue what was said. `plugged` are the ports
    /// that may send.
    pub fn next(&self, seed: &mut Seed, topology: &Topology, plugged: &[PortId]) -> Option<(PortId, Packet)> {
        if seed.chance(1, 2)
            && let Some(arrival) = self.arrivals.get(seed.below(self.arrivals.len()))
        {
            if seed.chance(1, 4) && may_send(topology, arrival.from) {
                return Some((arrival.from, arrival.sent.clone()));
            }
            if may_send(topology, arrival.to)
                && let Some(answer) = answer(seed, &arrival.got)
            {
                return Some((arrival.to, answer));
            }
        }
        let able: Vec<PortId> = plugged.iter().copied().filter(|id| may_send(topology, *id)).collect();
        let able = if seed.chance(7, 8) && !able.is_empty() { &able } else { plugged };
        let from = topology.port(*seed.pick(able)?)?;
        Some((from.id, packet(seed, topology, from)))
    }
}

/// Whether a port is up, and plugged where it is bound.
fn may_send(topology: &Topology, port: PortId) -> bool {
    topology.port(port).is_some_and(|port| usable(topology, port).is_some())
}

fn mac(number: u64) -> MacAddress {
    let [_, _, address @ ..] = number.to_be_bytes();
    MacAddress(address)
}

/// What might be sent back for a packet; none for what has no answer.
fn answer(seed: &mut Seed, packet: &Packet) -> Option<Packet> {
    let fields = packet.fields();
    if !fields.is_ip() || fields.eth_dst >> 40 & 1 == 1 || fields.is_nd() {
        return None;
    }
    let frame = Frame::new(mac(fields.eth_dst), mac(fields.eth_src));
    let (to, from) = ends(&fields);
    if seed.chance(1, 6) && !matches!(fields.nw_proto, protocol::ICMP | protocol::ICMPV6) {
        let (kind, code, header) = if fields.eth_type == ETH_IPV4 { (3, 3, 20) } else { (1, 4, 40) };
        let quoted = packet.bytes().get(14..)?;
        let quoted = &quoted[..quoted.len().min(header + 8)];
        return Some(frame.icmp(from, to, kind, code, &[&[0; 4], quoted].concat()));
    }
    let (own, other) = (fields.tp_dst, fields.tp_src);
    match fields.nw_proto {
        protocol::TCP => Some(frame.tcp(from, to, own, other, next_flags(seed, fields.tcp_flags))),
        protocol::UDP => Some(frame.udp(from, to, own, other, b"answer")),
        protocol::SCTP => Some(frame.sctp(from, to, own, other)),
        protocol::ICMP | protocol::ICMPV6 => {
            let id = packet.bytes().get(packet.bytes().len() - packet.payload().len() - 4..)?;
            let id = u16::from_be_bytes(*id.first_chunk()?);
            match fields.tp_src {
                8 | 128 => Some(frame.echo(from, to, id, true)),
                0 | 129 => Some(frame.echo(from, to, id, false)),
                _ => None,
            }
        }
        number => Some(frame.ip(from, to, number, &[0; 24])),
    }
}

/// What a TCP stack says to a segment with these flags, or the other way round once it has enough.
fn next_flags(seed: &mut Seed, flags: u16) -> u8 {
    match flags & 0x17 {
        2 => [0x12, 0x12, 0x12, 0x14][seed.below(4)],
        0x11 => [0x11, 0x10][seed.below(2)],
        _ => [0x10, 0x10, 0x10, 0x11, 4][seed.below(5)],
    }
}
