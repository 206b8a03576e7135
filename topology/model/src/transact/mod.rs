//! The one way to change a topology.

mod address_group;
mod addressing;
mod completion;
mod generation;
mod interface;
mod network;
mod physical;
mod port;
mod router;
mod security_group;
mod security_group_rule;
mod subnet;
mod zone;

use crate::draft::Draft;
use crate::{Command, Commit, Outcome, Rejection, Request, Topology};
pub(crate) use security_group::default_id;

impl Topology {
    /// What the topology becomes by a command, what changed, and what is answered. The topology
    /// itself stays as it is; whoever holds the current one puts the new one in its place.
    ///
    /// # Errors
    /// A [`Rejection`] if any part of the command cannot be done; nothing is done then.
    pub fn transact(&self, request: Request) -> Result<(Self, Commit, Outcome), Rejection> {
        let mut draft = Draft::new(self.clone(), request.at);
        let outcome = carry_out(&mut draft, request.command)?;
        generation::follow(&mut draft, self);
        zone::follow(&mut draft, self)?;
        let (topology, commit) = draft.finish()?;
        Ok((topology, commit, outcome))
    }
}

fn carry_out(draft: &mut Draft, command: Command) -> Result<Outcome, Rejection> {
    match command {
        Command::CreateNetworks(networks) => network::create(draft, networks),
        Command::UpdateNetwork { id, patch, if_revision } => network::update(draft, id, patch, if_revision),
        Command::DeleteNetwork { id, if_revision } => network::delete(draft, id, if_revision),
        Command::CreateSubnets(subnets) => subnet::create(draft, subnets),
        Command::UpdateSubnet { id, patch, if_revision } => subnet::update(draft, id, patch, if_revision),
        Command::DeleteSubnet { id, if_revision } => subnet::delete(draft, id, if_revision),
        Command::CreatePorts(ports) => port::create(draft, ports),
        Command::UpdatePort { id, patch, if_revision } => port::update(draft, id, *patch, if_revision),
        Command::DeletePort { id, if_revision } => port::delete(draft, id, if_revision),
        Command::CreateRouters(routers) => router::create(draft, routers),
        Command::UpdateRouter { id, patch, if_revision } => router::update(draft, id, patch, if_revision),
        Command::DeleteRouter { id, if_revision } => router::delete(draft, id, if_revision),
        Command::AddRouterInterface { id, interface } => interface::add(draft, id, interface),
        Command::RemoveRouterInterface { id, interface } => interface::remove(draft, id, interface),
        Command::AddExtraRoutes { id, routes } => router::add_routes(draft, id, routes),
        Command::RemoveExtraRoutes { id, routes } => router::remove_routes(draft, id, routes),
        Command::EnsureDefaultSecurityGroup(project) => security_group::ensure_default(draft, &project),
        Command::CreateSecurityGroups(groups) => security_group::create(draft, groups),
        Command::UpdateSecurityGroup { id, patch, if_revision } => {
            security_group::update(draft, id, patch, if_revision)
        }
        Command::DeleteSecurityGroup { id, if_revision } => security_group::delete(draft, id, if_revision),
        Command::CreateSecurityGroupRules(rules) => security_group_rule::create(draft, rules),
        Command::DeleteSecurityGroupRule { id, if_revision } => security_group_rule::delete(draft, id, if_revision),
        Command::CreateAddressGroups(groups) => address_group::create(draft, groups),
        Command::UpdateAddressGroup { id, patch, if_revision } => address_group::update(draft, id, patch, if_revision),
        Command::DeleteAddressGroup { id, if_revision } => address_group::delete(draft, id, if_revision),
        Command::ZonesFlushed { host, zones } => Ok(physical::zones_flushed(draft, host, &zones)),
        Command::SetPortStatus(statuses) => Ok(port::set_status(draft, statuses)),
        Command::ObserveHypervisor(fact) => physical::observe_hypervisor(draft, fact),
        Command::ForgetHypervisor(name) => physical::forget_hypervisor(draft, &name),
        Command::ObserveVif(vif) => physical::observe_vif(draft, vif),
        Command::ForgetVif { host, port } => Ok(physical::forget_vif(draft, &host, port)),
        Command::SetLiveness(host, liveness) => physical::set_liveness(draft, host, liveness),
    }
}

/// Refuses a command that expects another revision than the record has.
fn check_revision(expected: Option<u64>, current: u64) -> Result<(), Rejection> {
    match expected {
        Some(expected) if expected != current => Err(Rejection::RevisionNumberConstraintFailed { expected, current }),
        _ => Ok(()),
    }
}

/// Puts the value of a patch, if it has one, in a field.
fn set<T>(field: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *field = value;
    }
}
