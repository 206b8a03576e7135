//! What a change touches, told from both snapshots.

use std::sync::Arc;
use weir_model::{Change, Diff, Hypervisor, Network, Port, Topology};

/// A change with the ports whose flows may differ because of it.
#[derive(Clone, Debug)]
pub struct Touched<'a> {
    /// The change.
    pub change: &'a Change,
    /// The topology before the commit.
    pub old: &'a Topology,
    /// The topology after the commit.
    pub new: &'a Topology,
    /// Ports as they were.
    pub before: Vec<Arc<Port>>,
    /// Ports as they are.
    pub after: Vec<Arc<Port>>,
}

impl<'a> Touched<'a> {
    /// Finds out what a change touches.
    pub(crate) fn by(change: &'a Change, old: &'a Topology, new: &'a Topology) -> Self {
        let mut touched = Self { change, old, new, before: Vec::new(), after: Vec::new() };
        match change {
            Change::Port(Diff { before, after }) => {
                let router = |port, topology: &Topology| topology.router_of(port).map(|router| router.id);
                let same = matches!((before, after), (Some(before), Some(after))
                    if forwards_alike(before, after) && router(before, old) == router(after, new));
                if !same {
                    touched.before.extend(before.clone());
                    touched.after.extend(after.clone());
                }
            }
            Change::Hypervisor(diff) if moves_tunnel(diff) => {
                if let Some(host) = &diff.before {
                    touched.before.extend(old.ports_on(&host.name).cloned());
                }
                if let Some(host) = &diff.after {
                    touched.after.extend(new.ports_on(&host.name).cloned());
                }
            }
            Change::Network(Diff { before: Some(before), after: Some(after) }) if before.segment != after.segment => {
                touched.before.extend(old.ports_of(before.id).cloned());
                touched.after.extend(new.ports_of(after.id).cloned());
            }
            _ => {}
        }
        touched
    }

    /// The ports of both sides, each with the topology that it is from.
    pub(crate) fn ports(&self) -> impl Iterator<Item = (&Port, &'a Topology)> {
        let before = self.before.iter().map(|port| (&**port, self.old));
        before.chain(self.after.iter().map(|port| (&**port, self.new)))
    }

    /// Ports of both sides that are interfaces of routers, each with the topology that it is from.
    pub(crate) fn interfaces(&self) -> impl Iterator<Item = (&Port, &'a Topology)> {
        self.ports().filter(|(port, topology)| topology.router_of(port).is_some())
    }

    /// The network that changed in a way that flows show.
    pub(crate) fn network(&self) -> Option<&Arc<Network>> {
        match self.change {
            Change::Network(Diff { before: Some(before), after: Some(after) })
                if before.admin_state_up == after.admin_state_up && before.segment == after.segment =>
            {
                None
            }
            Change::Network(diff) => diff.last(),
            _ => None,
        }
    }

    /// The hypervisor that changed in a way that flows show.
    pub(crate) fn hypervisor(&self) -> Option<&Arc<Hypervisor>> {
        match self.change {
            Change::Hypervisor(diff) if moves_tunnel(diff) => diff.last(),
            _ => None,
        }
    }
}

/// Whether two states of a port have the same flows. Names, tags, status and the like make no flows.
fn forwards_alike(one: &Port, other: &Port) -> bool {
    one.network_id == other.network_id
        && one.admin_state_up == other.admin_state_up
        && one.mac_address == other.mac_address
        && one.fixed_ips == other.fixed_ips
        && one.allowed_address_pairs == other.allowed_address_pairs
        && one.port_security_enabled == other.port_security_enabled
        && one.security_groups == other.security_groups
        && one.binding.host == other.binding.host
        && one.binding.vnic_type == other.binding.vnic_type
}

/// Whether ports bind differently or the tunnel ends elsewhere.
fn moves_tunnel(diff: &Diff<Hypervisor>) -> bool {
    match (&diff.before, &diff.after) {
        (Some(before), Some(after)) => {
            before.name != after.name || before.system_id != after.system_id || before.encap_ip != after.encap_ip
        }
        (before, after) => before.is_some() != after.is_some(),
    }
}
