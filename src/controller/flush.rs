//! Connections that switches have to forget: those of addresses that change hands, and those in zones that are to be given
//! again.

use super::batch::Batch;
use super::core::Controller;
use super::progress::SwitchId;
use crate::link::ConnectionId;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use weir_compile::Bridge;
use weir_model::{Change, Command, Commit, HostKey, HostName, Port, Revision, Timestamp, Topology, Zone, Zones};
use weir_openflow::message::{CtFlush, CtTuple, Message};
use weir_reconcile::Order;

/// Addresses of one hypervisor that may wait to be forgotten.
const ADDRESSES_MAX: usize = 4_096;

/// Addresses of one flush, and zones of one. A switch's main thread looks through connections for each of the messages and
/// hears nobody meanwhile.
const ADDRESSES_AT_ONCE: usize = 16;
const ZONES_AT_ONCE: usize = 64;

/// Flushes that have to be done, and those that are on their way, by hypervisor.
#[derive(Debug, Default)]
pub(super) struct Flushes {
    hosts: BTreeMap<HostKey, Pending>,
    next: u64,
}

/// What one hypervisor has to forget.
#[derive(Debug, Default)]
struct Pending {
    /// The addresses that change hands, each with a zone of its connections and the last revision that it did so in.
    addresses: BTreeMap<(Zone, IpAddr), Revision>,
    /// The zones that were given back, each with the revision that it was in, or a later one.
    zones: BTreeMap<Zone, Revision>,
    flight: Option<Flight>,
    /// Who refused to forget addresses, and who zones: they are not asked again.
    refused: BTreeMap<Kind, ConnectionId>,
    last: Option<Kind>,
}

/// A flush that a switch was told by a connection and has not answered. The answer is lost with the connection.
#[derive(Debug)]
struct Flight {
    ticket: u64,
    connection: ConnectionId,
    part: Part,
}

/// What is flushed at once.
#[derive(Debug)]
enum Part {
    Addresses(BTreeMap<(Zone, IpAddr), Revision>),
    Zones(BTreeSet<Zone>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Addresses,
    Zones,
}

impl Flushes {
    /// What there is to flush of a topology that was loaded: it is not known since when, but no later than now.
    pub(super) fn of(topology: &Topology) -> Self {
        let mut flushes = Self::default();
        for zones in topology.zones() {
            flushes.follow_zones(None, Some(zones), topology.revision());
        }
        flushes
    }

    /// Follows which zones of a hypervisor have to be flushed before they are given again.
    fn follow_zones(&mut self, before: Option<&Zones>, after: Option<&Zones>, revision: Revision) {
        let Some(host) = before.or(after).map(|zones| zones.host) else { return };
        let unflushed = |zones: Option<&Zones>| zones.map(|zones| zones.unflushed.clone()).unwrap_or_default();
        let (was, is) = (unflushed(before), unflushed(after));
        if was == is {
            return;
        }
        let pending = self.hosts.entry(host).or_default();
        pending.zones.retain(|zone, _| is.contains(zone));
        pending.zones.extend(is.difference(&was).map(|zone| (*zone, revision)));
    }

    /// Notes the addresses of a place but for those of another one.
    fn forget(&mut self, place: &Place, other: Option<&Place>, revision: Revision) {
        let addresses = place.addresses.iter().filter(|address| other.is_none_or(|it| !it.addresses.contains(address)));
        let pairs = addresses.flat_map(|address| place.zones.iter().map(|zone| (*zone, *address)));
        let pairs: Vec<_> = pairs.collect();
        if pairs.is_empty() {
            return;
        }
        let waiting = &mut self.hosts.entry(place.host).or_default().addresses;
        waiting.extend(pairs.into_iter().map(|pair| (pair, revision)));
        if waiting.len() > ADDRESSES_MAX {
            tracing::warn!(host = %place.name, "too many addresses change hands at once: some keep their connections");
            while waiting.len() > ADDRESSES_MAX {
                waiting.pop_last();
            }
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.addresses.is_empty() && self.zones.is_empty() && self.flight.is_none() && self.refused.is_empty()
    }

    /// What `connection` can flush next, of what came with a revision that the switch has, and of the zones that are
    /// `unflushed` still. Addresses and zones take turns.
    fn next(
        &self,
        connection: ConnectionId,
        unflushed: &BTreeSet<Zone>,
        has: impl Fn(Revision) -> bool,
    ) -> Option<Part> {
        if self.flight.as_ref().is_some_and(|flight| flight.connection == connection) {
            return None;
        }
        let turns = match self.last {
            Some(Kind::Addresses) => [Kind::Zones, Kind::Addresses],
            Some(Kind::Zones) | None => [Kind::Addresses, Kind::Zones],
        };
        let willing = turns.into_iter().filter(|kind| self.refused.get(kind) != Some(&connection));
        willing.map(|kind| self.part(kind, unflushed, &has)).find(|part| !part.is_empty())
    }

    fn part(&self, kind: Kind, unflushed: &BTreeSet<Zone>, has: impl Fn(Revision) -> bool) -> Part {
        match kind {
            Kind::Addresses => {
                // Those in a zone that is flushed as a whole go with it.
                let single = self.addresses.iter().filter(|((zone, _), _)| !self.zones.contains_key(zone));
                let free = single.filter(|(_, revision)| has(**revision)).map(|(pair, revision)| (*pair, *revision));
                Part::Addresses(free.take(ADDRESSES_AT_ONCE).collect())
            }
            Kind::Zones => {
                let free = self.zones.iter().filter(|(_, revision)| has(**revision)).map(|(zone, _)| *zone);
                Part::Zones(free.filter(|zone| unflushed.contains(zone)).take(ZONES_AT_ONCE).collect())
            }
        }
    }

    /// The part is flushed. What was noted once more meanwhile still waits; zones do until the model knows.
    fn done(&mut self, part: &Part) {
        match part {
            Part::Addresses(flushed) => self.addresses.retain(|pair, revision| flushed.get(pair) != Some(revision)),
            Part::Zones(flushed) => self.addresses.retain(|(zone, _), _| !flushed.contains(zone)),
        }
    }
}

impl Part {
    fn kind(&self) -> Kind {
        match self {
            Self::Addresses(_) => Kind::Addresses,
            Self::Zones(_) => Kind::Zones,
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Addresses(addresses) => addresses.is_empty(),
            Self::Zones(zones) => zones.is_empty(),
        }
    }

    fn messages(&self) -> Vec<Message> {
        match self {
            Self::Addresses(addresses) => {
                addresses.keys().flat_map(|(zone, address)| connections(*zone, *address)).collect()
            }
            Self::Zones(zones) => {
                zones.iter().filter_map(|zone| u16::try_from(zone.0).ok()).map(Message::CtFlushZone).collect()
            }
        }
    }
}

/// Where a bound port has connections.
#[derive(Debug)]
struct Place {
    host: HostKey,
    name: HostName,
    zones: BTreeSet<Zone>,
    addresses: BTreeSet<IpAddr>,
}

impl Place {
    fn of(port: Option<&Port>, topology: &Topology) -> Option<Self> {
        let port = port?;
        let (host, network) = (topology.bound_host(port)?, topology.network(port.network_id)?);
        let zones = [network.key, topology.domain(network)].map(|network| topology.zone(host.key, network));
        Some(Self {
            host: host.key,
            name: host.name.clone(),
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
    /// there had with the port that had it elsewhere. A port that moves brings its connections along. And notices zones
    /// that are given back.
    pub(super) fn hand_over(&mut self, commit: &Commit, old: &Topology, new: &Topology) {
        for change in &commit.changes {
            match change {
                Change::Port(diff) => {
                    let before = Place::of(diff.before.as_deref(), old);
                    let after = Place::of(diff.after.as_deref(), new);
                    if let Some(before) = &before {
                        let stays = after.as_ref().filter(|after| after.host == before.host);
                        self.flushes.forget(before, stays, commit.revision);
                    }
                    if let Some(after) = &after {
                        self.flushes.forget(after, before.as_ref(), commit.revision);
                    }
                }
                Change::Zones(diff) => {
                    self.flushes.follow_zones(diff.before.as_deref(), diff.after.as_deref(), commit.revision);
                }
                _ => {}
            }
        }
        self.flushes.hosts.retain(|host, _| new.hypervisor_by_key(*host).is_some());
    }

    /// Lets switches forget connections that have nothing else to wait for.
    pub(super) fn flush_idle(&mut self) {
        self.flushes.hosts.retain(|_, pending| !pending.is_empty());
        let hosts = self.flushes.hosts.keys().filter_map(|host| self.topology.hypervisor_by_key(*host));
        let hosts: Vec<_> = hosts.map(|host| host.name.clone()).collect();
        for host in hosts {
            self.flush(&SwitchId { host, bridge: Bridge::Integration });
        }
    }

    /// Lets a switch forget connections that it holds no flow for any more that would make such anew.
    pub(super) fn flush(&mut self, switch: &SwitchId) {
        if switch.bridge != Bridge::Integration {
            return;
        }
        let Some(link) = self.hosts.get(&switch.host).map(|host| host.switch(switch.bridge)) else { return };
        let (Some((connection, _)), Some(acknowledged)) = (&link.connection, link.acknowledged) else { return };
        let Some(host) = self.topology.hypervisor(&switch.host).map(|host| host.key) else { return };
        let Some(pending) = self.flushes.hosts.get_mut(&host) else { return };
        let none = BTreeSet::new();
        let unflushed = self.topology.zones_of(host).map_or(&none, |zones| &zones.unflushed);
        // A switch that lacks nothing has revisions, too, that have nothing for it.
        let has = |revision| acknowledged >= revision || !link.lags();
        let Some(part) = pending.next(*connection, unflushed, has) else { return };
        let ticket = self.flushes.next;
        if link.order(Order::Flush { ticket, messages: part.messages() }) {
            self.flushes.next += 1;
            pending.last = Some(part.kind());
            pending.flight = Some(Flight { ticket, connection: *connection, part });
        }
    }

    /// A switch answered a flush. What it refuses it is not asked again before it connects anew.
    pub(super) fn flushed(&mut self, batch: &mut Batch, switch: &SwitchId, ticket: u64, done: bool, at: Timestamp) {
        let mut all = self.flushes.hosts.iter_mut();
        let found = all.find_map(|(host, pending)| {
            let flight = pending.flight.take_if(|flight| flight.ticket == ticket)?;
            Some((*host, pending, flight))
        });
        let Some((host, pending, Flight { connection, part, .. })) = found else { return };
        if done {
            pending.done(&part);
        } else {
            pending.refused.insert(part.kind(), connection);
            let what = match part {
                Part::Addresses(_) => "addresses that change hands keep their connections",
                Part::Zones(_) => "conntrack zones that were given back are not given again",
            };
            tracing::error!(host = %switch.host, "flushing refused: {what} until the switch connects anew");
            if let Some(host) = self.hosts.get_mut(&switch.host) {
                host.switch_mut(switch.bridge).last_error = Some(format!("flushing connections refused: {what}"));
            }
        }
        if let Part::Zones(zones) = part
            && done
            && let Err(error) = self.command(batch, Command::ZonesFlushed { host, zones }, at)
        {
            tracing::error!(host = %switch.host, error, "flushed zones not accepted");
        }
        self.flush(switch);
    }
}

#[cfg(test)]
mod tests;
