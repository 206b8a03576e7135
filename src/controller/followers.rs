//! The switches that are told what changes.

use super::host::Host;
use std::collections::{BTreeMap, HashMap};
use weir_compile::Bridge;
use weir_model::{HostKey, HostName, Topology};

/// The hypervisors with a switch that is told what changes, by key, as far as anybody asked. All others are compared as a
/// whole when they have connected, so that nobody need find out what they would have been told: in a cloud that starts
/// that is nearly everything.
#[derive(Debug, Default)]
pub(super) struct Followers {
    known: HashMap<HostKey, Option<Follower>>,
}

/// A hypervisor with a switch that is told what changes.
#[derive(Clone, Debug)]
pub(super) struct Follower {
    name: HostName,
    integration: bool,
    tunnel: bool,
}

impl Follower {
    fn of(host: &Host) -> Option<Self> {
        let (integration, tunnel) = (host.integration.following, host.tunnel.following);
        (integration || tunnel).then(|| Self { name: host.name.clone(), integration, tunnel })
    }

    /// The name of the hypervisor, if that switch of it is told what changes.
    pub(super) const fn name(&self, bridge: Bridge) -> Option<&HostName> {
        let is_told = match bridge {
            Bridge::Integration => self.integration,
            Bridge::Tunnel => self.tunnel,
        };
        if is_told { Some(&self.name) } else { None }
    }
}

impl Followers {
    /// A hypervisor, if one of its switches is told what changes from one topology to the next. Who has just been
    /// forgotten still loses its flows.
    pub(super) fn of(
        &mut self,
        key: HostKey,
        hosts: &BTreeMap<HostName, Host>,
        old: &Topology,
        new: &Topology,
    ) -> Option<&Follower> {
        let find = || {
            let known = new.hypervisor_by_key(key).or_else(|| old.hypervisor_by_key(key))?;
            Follower::of(hosts.get(&known.name)?)
        };
        self.known.entry(key).or_insert_with(find).as_ref()
    }
}
