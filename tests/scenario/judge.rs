//! Compares what became of a packet with what the judge says.

use weir_model::{PortId, Topology};
use weir_sim::fabric::{Fabric, Journey};
use weir_sim::judge::Judge;
use weir_sim::oracle::Verdict;
use weir_sim::packet::Packet;

/// What a packet did that it should not have done, or the other way round.
#[derive(Debug)]
pub(crate) struct Misdelivery {
    pub(crate) expected: Verdict,
    pub(crate) journey: Journey,
}

/// Sends a packet from wherever the port is plugged, and compares what became of it with the judge's verdict.
pub(crate) fn send(
    topology: &Topology,
    fabric: &mut Fabric,
    judge: &mut Judge,
    from: PortId,
    packet: &Packet,
) -> Result<Verdict, Box<Misdelivery>> {
    let Some(host) = fabric.hosts().find(|host| host.ofport_of(from).is_some()) else {
        return Ok(Verdict::default());
    };
    let host = host.name().clone();
    let bound = topology.port(from).and_then(|port| topology.bound_host(port));
    let expected = match bound {
        Some(bound) if bound.name == host => judge.verdict(topology, fabric.now(), from, packet),
        _ => Verdict { reason: "plugged where it is not bound", ..Verdict::default() },
    };
    let journey = fabric.inject(&host, from, packet.clone());
    let mut wanted: Vec<(PortId, &Packet)> = expected.deliveries.iter().map(|(port, packet)| (*port, packet)).collect();
    let mut got = Vec::new();
    let mut right = journey.aborts.is_empty() && journey.lost.is_empty();
    let mut answered = false;
    for delivery in &journey.deliveries {
        let Some(port) = delivery.port else {
            right = false;
            continue;
        };
        right &= delivery.mark == 0;
        if port == from && expected.answer.as_ref().is_some_and(|answer| answer.is(&delivery.packet)) {
            right &= !std::mem::replace(&mut answered, true);
        } else {
            got.push((port, &delivery.packet));
        }
    }
    got.sort_unstable();
    wanted.sort_unstable();
    let asked = journey.punts.iter().filter(|(_, punt)| expected.punt.is_some_and(|it| it.is(packet, &punt.packet_in)));
    right &= asked.count() == usize::from(expected.punt.is_some());
    right &= journey.punts.len() == usize::from(expected.punt.is_some());
    right &= got == wanted && answered == expected.answer.is_some();
    if right { Ok(expected) } else { Err(Box::new(Misdelivery { expected, journey })) }
}
