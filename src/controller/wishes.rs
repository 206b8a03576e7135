//! What the log says of wishes that no flow can give.

use std::collections::BTreeMap;
use weir_compile::{Obstacle, Unexpressed, Wish};
use weir_model::Topology;

/// Tells of what a commit left without flows, each obstacle in one line; `old` is the topology before the commit.
///
/// A hypervisor that is not known is warned of with the first port that names it, and not with those that follow: a
/// cloud's ports may be there before its hypervisors are.
pub(super) fn tell(unexpressed: &[Unexpressed], old: &Topology) {
    for (obstacle, (first, others)) in warnings(unexpressed, old) {
        match others {
            0 => tracing::warn!("{first}: {obstacle}"),
            others => tracing::warn!("{first} and {others} more: {obstacle}"),
        }
    }
    for one in unexpressed {
        tracing::debug!("{one}");
    }
}

/// What to warn of: each obstacle with the first wish that it stands in the way of, and the number of others.
fn warnings<'a>(unexpressed: &'a [Unexpressed], old: &Topology) -> BTreeMap<&'a Obstacle, (Wish, usize)> {
    let mut found: BTreeMap<&Obstacle, (Wish, usize)> = BTreeMap::new();
    for one in unexpressed {
        found.entry(&one.obstacle).and_modify(|(_, others)| *others += 1).or_insert((one.subject, 0));
    }
    found.retain(|obstacle, _| !is_old_news(obstacle, old));
    found
}

fn is_old_news(obstacle: &Obstacle, old: &Topology) -> bool {
    match obstacle {
        Obstacle::HostUnknown(host) => {
            old.hypervisor_by_name_or_system_id(host.as_str()).is_none()
                && old.ports_with_host_id(host).next().is_some()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;
    use weir_compile::Engine;
    use weir_model::{
        Command, HypervisorFact, Limits, NetworkId, NewNetwork, NewPort, PortId, ProjectId, Request, Revision,
        Timestamp, VnicType,
    };

    /// A topology and its compiler.
    struct Cloud(Topology, Engine);

    impl Cloud {
        /// Carries out a command; how many wishes each warning is about.
        fn warned(&mut self, command: Command) -> Vec<usize> {
            let (new, commit, _) = self.0.transact(Request { command, at: Timestamp(0) }).unwrap();
            let applied = self.1.apply(&commit, &self.0, &new, |_| true);
            let old = std::mem::replace(&mut self.0, new);
            warnings(&applied.unexpressed, &old).into_values().map(|(_, others)| others + 1).collect()
        }
    }

    fn ports(network: NetworkId, host: &str, count: usize, vnic_type: VnicType) -> Command {
        let port = |_| NewPort {
            binding_host: Some(host.into()),
            binding_vnic_type: Some(vnic_type),
            ..NewPort::new(PortId(Uuid::new_v4()), network, ProjectId::from("p"))
        };
        Command::CreatePorts((0..count).map(port).collect())
    }

    #[test]
    fn an_unknown_hypervisor_is_warned_of_once() {
        let topology = Topology::load(Limits::default(), std::iter::empty(), Revision(0)).unwrap();
        let engine = Engine::load(&topology);
        let mut cloud = Cloud(topology, engine);
        let network = NetworkId(Uuid::from_u128(1));
        cloud.warned(Command::CreateNetworks(vec![NewNetwork::new(network, ProjectId::from("p"))]));
        let normal = VnicType::default();
        assert_eq!(cloud.warned(ports(network, "h1", 300, normal)), [300]);
        assert_eq!(cloud.warned(ports(network, "h1", 1, normal)), [0; 0]);
        assert_eq!(cloud.warned(ports(network, "h2", 1, normal)), [1]);
        let gone: Vec<PortId> = cloud.0.ports().map(|port| port.id).collect();
        for port in gone {
            assert_eq!(cloud.warned(Command::DeletePort { id: port, if_revision: None }), [0; 0]);
        }
        assert_eq!(cloud.warned(ports(network, "h1", 1, normal)), [1]);
        let observed = HypervisorFact {
            name: "h1".into(),
            system_id: "s1".to_owned(),
            encap_ip: [192, 0, 2, 1].into(),
            bridge_mappings: Vec::new(),
            integration_datapath: None,
            tunnel_datapath: None,
        };
        assert_eq!(cloud.warned(Command::ObserveHypervisor(observed)), [0; 0]);
        assert_eq!(cloud.warned(ports(network, "h1", 1, normal)), [0; 0]);
        // A hypervisor that is known, and a device that it cannot take, is the fault of each port.
        assert_eq!(cloud.warned(ports(network, "h1", 1, VnicType::Direct)), [1]);
        assert_eq!(cloud.warned(ports(network, "h1", 2, VnicType::Direct)), [2]);
    }
}
