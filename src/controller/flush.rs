//! Connections that switches have to forget: those of addresses that change hands, and those in zones that are to be given
//! again.

use super::batch::Batch;
use super::core::Controller;
use super::progress::SwitchId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weir_compile::Bridge;
use weir_model::{Change, Command, Commit, HostName, Port, Timestamp, Topology, Zone};
use weir_openflow::message::{CtFlush, CtTuple, Message};
use weir_reconcile::Order;

/// Addresses of one hypervisor that may wait to be forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// Zones, and addresses, of one flush.
const AT_ONCE: usize = 256;

/// Flushes that have to be done, and those that are on their way.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    /// By hypervisor, the addresses that change hands, each with a zone of its connections.
    waiting: BTreeMap<HostName, BTreeSet<(Zone, IpAddr)>>,
    in_flight: BTreeMap<u64, Flight>,
    next: u64,
}

#[derive(Debug)]
struct Flight {
    host: HostName,
    zones: BTreeSet<Zone>,
    addresses: BTreeSet<(Zone, IpAddr)>,
}

impl Flushes {
    /// A switch is gone, and with it its answers.
    pub(super) fn forget(&mut self, host: &HostName) {
        self.in_flight.retain(|_, flight| flight.host != *host);
    }
}

/// Where a bound port has connections.
#[derive(Debug)]
struct Place {
    host: HostName,
    zones: BTreeSet<Zone>,
    addresses: BTreeSet<IpAddr>,
}

impl Place {
    fn of(port: Option<&Port>, topology: &Topology) -> Option<Self> {
        let port = port?;
        let (host, network) = (topology.bound_host(port)?, topology.network(port.network_id)?);
        let zones = [network.key, topology.domain(network)].map(|network| topology.zone(host.key, network));
        Some(Self {
            host: host.name.clone(),
            zones: zones.into_iter().flatten().collect(),
            addresses: port.fixed_ips.iter().map(|fixed| fixed.ip_address).collect(),
        })
    }
}

/// The protocols whose connections of an IPv6 address are forgotten: TCP, UDP and SCTP. Open vSwitch 3.1 aborts when it is
/// to forget an ICMPv6 exchange by its addresses (measured; `reverse_icmp_type` of its `conntrack.c` knows no ICMPv6).
/// These end by themselves within a minute.
const IPV6_PROTOCOLS: &[u8] = &[6, 17, 132];

/// Any protocol.
const IPV4_PROTOCOLS: &[u8] = &[0];

/// The connections of an address in a zone, whoever began them.
fn connections(zone: Zone, address: IpAddr) -> impl Iterator<Item = Message> {
    let protocols = if address.is_ipv6() { IPV6_PROTOCOLS } else { IPV4_PROTOCOLS };
    protocols.iter().flat_map(move |protocol| {
        let tuple = |src, dst| CtTuple { src, dst, ..CtTuple::default() };
        [tuple(Some(address), None), tuple(None, Some(address))].map(|original| {
            let zone = u16::try_from(zone.0).ok();
            Message::CtFlush(CtFlush { zone, original, protocol: *protocol, ..CtFlush::default() })
        })
    })
}

impl Controller {
    /// Notices addresses that leave a hypervisor with a commit, and those that come to one: whoever has an address next
    /// must not inherit connections, neither those of its hypervisor's own port that had it nor those that other ports
    /// there had with the port that had it elsewhere. A port that moves brings its connections along.
    pub(super) fn hand_over(&mut self, commit: &Commit, old: &Topology, new: &Topology) {
        for change in &commit.changes {
            let Change::Port(diff) = change else { continue };
            let (before, after) = (Place::of(diff.before.as_deref(), old), Place::of(diff.after.as_deref(), new));
            if let Some(before) = &before {
                let stays = after.as_ref().filter(|after| after.host == before.host);
                self.forget(before, stays);
            }
            if let Some(after) = &after {
                self.forget(after, before.as_ref());
            }
        }
    }

    /// Notes the addresses of a place but for those of another one.
    fn forget(&mut self, place: &Place, other: Option<&Place>) {
        let addresses = place.addresses.iter().filter(|address| other.is_none_or(|it| !it.addresses.contains(address)));
        let pairs = addresses.flat_map(|address| place.zones.iter().map(|zone| (*zone, *address)));
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() {
            return;
        }
        let waiting = self.flushes.waiting.entry(place.host.clone()).or_default();
        waiting.extend(pairs);
        if waiting.len() > ADDRESSES_MAX {
            tracing::warn!(host = %place.host, "too many addresses change hands at once: some keep their connections");
            while waiting.len() > ADDRESSES_MAX {
                waiting.pop_last();
            }
        }
    }

    /// Lets switches forget connections that have nothing else to wait for.
    pub(super) fn flush_idle(&mut self) {
        let hosts: Vec<HostName> = self.flushes.waiting.keys().cloned().collect();
        for host in hosts {
            self.flush(&SwitchId { host, bridge: Bridge::Integration });
        }
    }

    /// Lets a switch forget connections, now that it holds no flow any more that would make such anew.
    pub(super) fn flush(&mut self, switch: &SwitchId) {
        if switch.bridge != Bridge::Integration || self.flushes.in_flight.values().any(|it| it.host == switch.host) {
            return;
        }
        let Some(link) = self.hosts.get(&switch.host).map(|host| host.switch(switch.bridge)) else { return };
        if link.lags() {
            return;
        }
        let host = self.topology.hypervisor(&switch.host);
        let zones = host.and_then(|host| self.topology.zones_of(host.key));
        let zones = zones.into_iter().flat_map(|zones| zones.unflushed.iter().copied());
        let zones: BTreeSet<Zone> = zones.take(AT_ONCE).collect();
        let waiting = self.flushes.waiting.get(&switch.host).into_iter().flatten();
        let addresses: BTreeSet<_> = waiting.copied().take(AT_ONCE).collect();
        if zones.is_empty() && addresses.is_empty() {
            return;
        }
        let whole = zones.iter().filter_map(|zone| u16::try_from(zone.0).ok()).map(Message::CtFlushZone);
        let single = addresses.iter().filter(|(zone, _)| !zones.contains(zone));
        let messages = whole.chain(single.flat_map(|(zone, address)| connections(*zone, *address))).collect();
        let ticket = self.flushes.next;
        if link.order(Order::Flush { ticket, messages }) {
            self.flushes.next += 1;
            let flight = Flight { host: switch.host.clone(), zones, addresses };
            self.flushes.in_flight.insert(ticket, flight);
        }
    }

    /// A switch answered a flush. What it has not done comes again when it next acknowledges something.
    pub(super) fn flushed(&mut self, batch: &mut Batch, switch: &SwitchId, ticket: u64, done: bool, at: Timestamp) {
        let Some(Flight { host, zones, addresses }) = self.flushes.in_flight.remove(&ticket).filter(|_| done) else {
            return;
        };
        if let Some(waiting) = self.flushes.waiting.get_mut(&host) {
            waiting.retain(|one| !addresses.contains(one));
            if waiting.is_empty() {
                self.flushes.waiting.remove(&host);
            }
        }
        if let Some(key) = self.topology.hypervisor(&host).map(|host| host.key).filter(|_| !zones.is_empty())
            && let Err(error) = self.command(batch, Command::ZonesFlushed { host: key, zones }, at)
        {
            tracing::error!(%host, error, "flushed zones not accepted");
        }
        self.flush(switch);
    }
}
