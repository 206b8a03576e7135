//! Everything that is measured of one kind of traffic at one site.

use std::time::{Duration, Instant};

use super::counters::Counters;
use super::layout::{Course, Policy};
use super::megaflows::Megaflows;
use super::site::Site;
use super::traffic;
use crate::Failure;

/// How much traffic a measurement makes.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Connections.
    pub connections: usize,
    /// How long the stream and the datagrams each go on.
    pub time: Duration,
}

/// What one measurement found.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Recirculations of a datagram, summed up over the hypervisors that it passes.
    pub recirculations: f64,
    /// Megaflows after the connections.
    pub megaflows: f64,
    /// Their masks.
    pub masks: f64,
    /// Upcalls that all connections together needed.
    pub upcalls: f64,
    /// Processor time of the switches for each connection, in seconds.
    pub connection_cost: f64,
    /// Connections opened by the second, one after the other.
    pub connection_rate: f64,
    /// Bytes by the second of one TCP connection.
    pub throughput: f64,
    /// Small datagrams received by the second.
    pub packet_rate: f64,
    /// Processor time of the switches for each small datagram received, in seconds.
    pub packet_cost: f64,
}

/// Measures once.
///
/// # Errors
/// The traffic does not arrive, or Open vSwitch does not answer.
pub fn sample(site: &Site, policy: Policy, course: Course, effort: Effort) -> Result<Sample, Failure> {
    site.lab.interrupt().check()?;
    let (client, server) = site.ends(policy, course)?;
    let counters = || site.hypervisors().iter().map(Counters::of).collect::<Result<Vec<_>, _>>();
    let since = |before: Vec<Counters>| -> Result<Vec<Counters>, Failure> {
        Ok(counters()?.into_iter().zip(before).map(|(now, before)| now - before).collect())
    };

    Megaflows::purge(site.hypervisors())?;
    let before = counters()?;
    let start = Instant::now();
    let connections = traffic::connect(client, server, effort.connections)?;
    let connecting = start.elapsed();
    let work: Counters = since(before)?.into_iter().sum();
    let megaflows = Megaflows::of(site.hypervisors())?;
    drop(connections);

    site.lab.interrupt().check()?;
    let throughput = traffic::stream(client, server, effort.time)?;

    site.lab.interrupt().check()?;
    let (flood, packets) = traffic::datagrams(client, server, effort.time, |flood| {
        let before = counters()?;
        let flood = flood()?;
        Ok((flood, since(before)?))
    })?;
    let passed = site.hypervisors().iter().zip(&packets).filter(|(hypervisor, _)| {
        let name = hypervisor.name();
        name == client.host() || name == server.host()
    });
    let received = flood.received.max(1) as f64;
    let count = effort.connections.max(1) as f64;
    Ok(Sample {
        recirculations: passed.map(|(_, counters)| counters.recirculations_per_packet()).sum(),
        megaflows: megaflows.flows as f64,
        masks: megaflows.masks as f64,
        upcalls: work.upcalls as f64,
        connection_cost: work.processor.as_secs_f64() / count,
        connection_rate: count / connecting.as_secs_f64(),
        throughput,
        packet_rate: received / flood.time.as_secs_f64(),
        packet_cost: packets.iter().map(|counters| counters.processor.as_secs_f64()).sum::<f64>() / received,
    })
}
