//! What stores of older versions lack.

use super::security_group::default_group;
use super::zone;
use crate::draft::Draft;
use crate::logical::is_network_owner;
use crate::{Commit, HostKey, Port, Rejection, Timestamp, Topology};
use std::sync::Arc;

impl Topology {
    /// What the topology becomes once everything is there that an older version did not write, and the commit that
    /// makes it so, which is empty if nothing is missing. To be asked once after [`Topology::load`], and stored before
    /// anything else, since the numbers given by it must outlive the process.
    ///
    /// Ports of a store without any set of security groups are from before there were security groups: they get their
    /// project's group `default`, as if they had been made today.
    ///
    /// # Errors
    /// [`Rejection::NumbersExhausted`] if numbers run out.
    pub fn completed(&self, at: Timestamp) -> Result<(Self, Commit), Rejection> {
        let mut draft = Draft::new(self.clone(), at);
        if self.security_sets.is_empty() {
            for port in self.ports().filter(|port| port.port_security_enabled) {
                secure(&mut draft, port)?;
            }
        }
        let hosts: Vec<HostKey> = self.hypervisors().map(|it| it.key).collect();
        for host in hosts {
            zone::settle(&mut draft, host)?;
        }
        draft.finish()
    }
}

/// Gives a port the groups that it would be made with. The draft takes port security from the network's own.
fn secure(draft: &mut Draft, port: &Arc<Port>) -> Result<(), Rejection> {
    let mut port = Port::clone(port);
    if !is_network_owner(&port.device_owner) {
        port.security_groups = vec![default_group(draft, &port.project_id)?.id];
    }
    draft.update_port(port);
    Ok(())
}
