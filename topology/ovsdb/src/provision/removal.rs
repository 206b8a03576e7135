//! Takes what Weir made out of a hypervisor's database.

use super::bridge::settings;
use super::draft::{Draft, is_marked, uuids};
use super::{Plan, Problem};
use crate::mirror::Mirror;
use crate::operation::{Mutation, Mutator};
use crate::row::Row;
use crate::table::Bridge;
use crate::value::Datum;
use std::collections::BTreeSet;
use uuid::Uuid;

/// Removes just what Weir made. A bridge goes when Weir made it and nobody else has a port on
/// it; otherwise its ports, controller and table names of Weir's go and its settings stay.
pub fn unprovision(mirror: &Mirror) -> Plan {
    let Some((root, _)) = mirror.root() else {
        return Plan::default();
    };
    let mut draft = Draft::new(mirror, root);
    let names = mirror.names();
    for name in [&names.integration, &names.tunnel] {
        if let Some((uuid, bridge)) = mirror.bridge(name) {
            draft.remove_bridge(uuid, bridge);
        }
    }
    draft.finish()
}

impl Draft<'_> {
    fn remove_bridge(&mut self, uuid: Uuid, bridge: &Bridge) {
        let foreign = self.foreign_ports(bridge);
        if !is_marked(&bridge.external_ids) {
            return self.remove_parts(uuid, bridge);
        }
        if foreign.is_empty() {
            self.explain(format!("remove bridge {}", bridge.name));
            let seen = Row::new().with("ports", uuids(&bridge.ports));
            self.guard::<Bridge>(uuid, seen);
            self.mutate_bridges(Mutator::Delete, uuid.into());
        } else {
            self.problem(Problem::BridgeInUse { bridge: bridge.name.clone(), ports: foreign });
            self.remove_parts(uuid, bridge);
        }
    }

    fn remove_parts(&mut self, uuid: Uuid, bridge: &Bridge) {
        let mut mutations = Vec::new();
        let mut remove = |column: &'static str, what: Datum| {
            if what != Datum::empty() {
                mutations.push(Mutation::new(column, Mutator::Delete, what));
            }
        };
        let ports: BTreeSet<Uuid> = self.marked_ports(bridge).into_iter().map(|(port, _)| port).collect();
        let controllers: BTreeSet<Uuid> = bridge
            .controller
            .iter()
            .copied()
            .filter(|uuid| self.mirror.controller(*uuid).is_some_and(|row| is_marked(&row.external_ids)))
            .collect();
        remove("ports", uuids(&ports));
        remove("controller", uuids(&controllers));
        remove("flow_tables", Datum::set(self.marked_tables(bridge)));
        if !mutations.is_empty() {
            self.explain(format!(
                "remove {} ports, {} controllers and the table names of Weir from bridge {}",
                ports.len(),
                controllers.len(),
                bridge.name
            ));
            self.guard::<Bridge>(uuid, settings(bridge));
        }
        self.mutate::<Bridge>(uuid, mutations);
    }
}
