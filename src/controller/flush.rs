//! Connections that switches have to forget: those of addresses that left, and those in zones that are to be given again.

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
    /// By hypervisor, the addresses that left, each with a zone of its connections.
    left: BTreeMap<HostName, BTreeSet<(Zone, IpAddr)>>,
    in_flight: BTreeMap<u64, Flight>,
    next: u64,
}

#[derive(Debug)]
struct Flight {
    host: HostName,
    zones: BTreeSet<Zone>,
    left: BTreeSet<(Zone, IpAddr)>,
}

impl Flushes {
    /// A switch is gone, and with it its answers.
    pub(super) fn forget(&mut self, host: &HostName) {
        self.in_flight.retain(|_, flight| flight.host != *host);
    }
}

/// The addresses of a port that may have connections.
fn addresses(port: &Port) -> impl Iterator<Item = IpAddr> + '_ {
    port.fixed_ips.iter().map(|fixed| fixed.ip_address)
}

/// The connections of an address in a zone, whoever began them.
fn connections(zone: Zone, address: IpAddr) -> [Message; 2] {
    let tuple = |src, dst| CtTuple { src, dst, ..CtTuple::default() };
    [tuple(Some(address), None), tuple(None, Some(address))].map(|original| {
        let zone = u16::try_from(zone.0).ok();
        Message::CtFlush(CtFlush { zone, original, ..CtFlush::default() })
    })
}

impl Controller {
    /// Notices addresses that leave a hypervisor with a commit: whoever has them next must not inherit connections.
    pub(super) fn leave(&mut self, commit: &Commit, old: &Topology, new: &Topology) {
        for change in &commit.changes {
            let Change::Port(diff) = change else { continue };
            let Some(before) = &diff.before else { continue };
            let (Some(host), Some(network)) = (old.bound_host(before), old.network(before.network_id)) else {
                continue;
            };
            let stays = diff.after.as_ref().filter(|after| new.bound_host(after).is_some_and(|it| it.key == host.key));
            let kept: BTreeSet<IpAddr> = stays.into_iter().flat_map(|after| addresses(after)).collect();
            let zones = [network.key, old.domain(network)].map(|network| old.zone(host.key, network));
            let left = self.flushes.left.entry(host.name.clone()).or_default();
            for address in addresses(before).filter(|address| !kept.contains(address)) {
                left.extend(zones.into_iter().flatten().map(|zone| (zone, address)));
            }
            if left.len() > ADDRESSES_MAX {
                tracing::warn!(host = %host.name, "too many addresses left at once: some keep their connections");
                while left.len() > ADDRESSES_MAX {
                    left.pop_last();
                }
            }
            if left.is_empty() {
                self.flushes.left.remove(&host.name);
            }
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
        let waiting = self.flushes.left.get(&switch.host).into_iter().flatten();
        let left: BTreeSet<_> = waiting.copied().take(AT_ONCE).collect();
        if zones.is_empty() && left.is_empty() {
            return;
        }
        let whole = zones.iter().filter_map(|zone| u16::try_from(zone.0).ok()).map(Message::CtFlushZone);
        let single = left.iter().filter(|(zone, _)| !zones.contains(zone));
        let messages = whole.chain(single.flat_map(|(zone, address)| connections(*zone, *address))).collect();
        let ticket = self.flushes.next;
        if link.order(Order::Flush { ticket, messages }) {
            self.flushes.next += 1;
            let flight = Flight { host: switch.host.clone(), zones, left };
            self.flushes.in_flight.insert(ticket, flight);
        }
    }

    /// A switch answered a flush. What it has not done comes again when it next acknowledges something.
    pub(super) fn flushed(&mut self, batch: &mut Batch, switch: &SwitchId, ticket: u64, done: bool, at: Timestamp) {
        let Some(Flight { host, zones, left }) = self.flushes.in_flight.remove(&ticket).filter(|_| done) else {
            return;
        };
        if let Some(waiting) = self.flushes.left.get_mut(&host) {
            waiting.retain(|one| !left.contains(one));
            if waiting.is_empty() {
                self.flushes.left.remove(&host);
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
