//! Everything that is measured of one kind of traffic at one site.

use std::time::Duration;

use weir::cli::lab::Vm;

use super::counters::Counters;
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
    /// Processor time of the switches that an upcall adds, in seconds.
    pub upcall_cost: f64,
    /// Processor time of the switches for each connection, in seconds.
    pub connection_cost: f64,
    /// Bytes by the second of one TCP connection.
    pub throughput: f64,
    /// Small datagrams received by the second.
    pub packet_rate: f64,
    /// Processor time of the switches, that in the kernel not counted, for each small datagram received, in seconds.
    pub packet_cost: f64,
}

/// How many flows tell what upcalls cost.
const NEW_FLOWS: usize = 2_000;

/// Measures once what goes from one VM to another.
///
/// # Errors
/// The traffic does not arrive, or Open vSwitch does not answer.
pub fn sample(site: &Site, (client, server): (&Vm, &Vm), effort: Effort) -> Result<Sample, Failure> {
    site.lab.interrupt().check()?;
    Megaflows::purge(site.hypervisors())?;
    let (connections, work) = counted(site, || traffic::connect(client, server, effort.connections))?;
    let work: Counters = work.into_iter().sum();
    let megaflows = Megaflows::of(site.hypervisors())?;
    drop(connections);
    let upcall_cost = upcall_cost(site, client, server)?;

    site.lab.interrupt().check()?;
    let throughput = traffic::stream(client, server, effort.time)?;

    site.lab.interrupt().check()?;
    let (flood, packets) = traffic::datagrams(client, server, effort.time, |flood| counted(site, flood))?;
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
        upcall_cost,
        connection_cost: work.processor.as_secs_f64() / count,
        throughput,
        packet_rate: received / flood.time.as_secs_f64(),
        packet_cost: packets.iter().map(|counters| counters.user.as_secs_f64()).sum::<f64>() / received,
    })
}

/// What new flows cost more when each needs upcalls of its own, by the upcall.
fn upcall_cost(site: &Site, client: &Vm, server: &Vm) -> Result<f64, Failure> {
    let begin = || -> Result<Counters, Failure> {
        Megaflows::purge(site.hypervisors())?;
        let ((), work) = counted(site, || traffic::new_flows(client, server, NEW_FLOWS))?;
        Ok(work.into_iter().sum())
    };
    let few = begin()?;
    Megaflows::enable(site.hypervisors(), false)?;
    let many = begin();
    Megaflows::enable(site.hypervisors(), true)?;
    let many = many?;
    // Packets may be lost, so the rest of the work is taken by the packet.
    let packet = few.processor.as_secs_f64() / few.received.max(1) as f64;
    let extra = many.processor.as_secs_f64() - packet * many.received as f64;
    Ok(extra.max(0.0) / many.upcalls.max(1) as f64)
}

/// Does some work, and tells what each hypervisor had to do.
fn counted<T>(site: &Site, work: impl FnOnce() -> Result<T, Failure>) -> Result<(T, Vec<Counters>), Failure> {
    let counters = || site.hypervisors().iter().map(Counters::of).collect::<Result<Vec<_>, _>>();
    let before = counters()?;
    let value = work()?;
    let work = counters()?.into_iter().zip(before).map(|(now, before)| now - before).collect();
    Ok((value, work))
}
