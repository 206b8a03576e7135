//! Holds flows and buckets to the declaration of their table.

use super::{Precision, Table, TableSpec, Verb};
use weir_openflow::{Action, Bucket, Ct, CtFlags, Field, Flow, MatchField, PortNo, TableId};

impl TableSpec {
    /// Checks a flow.
    ///
    /// # Panics
    /// When the flow does what its table does not declare: an error in the feature that built it.
    pub(crate) fn check_flow(&self, flow: &Flow) {
        for field in flow.key.matching.iter() {
            assert!(self.may_match(field), "table {} of {} does not match {field:?}", self.name, self.bridge);
        }
        let instructions = &flow.instructions;
        assert!(
            instructions.write.is_empty() && !instructions.clear && instructions.write_metadata.is_none(),
            "table {} of {} uses actions that run at once only",
            self.name,
            self.bridge
        );
        self.check_actions(&instructions.apply);
        if let Some(goto) = instructions.goto {
            self.check_target(self.next, goto);
        }
    }

    /// Checks a bucket of a group that this table sends packets to.
    ///
    /// # Panics
    /// As [`Self::check_flow`].
    pub(crate) fn check_bucket(&self, bucket: &Bucket) {
        assert!(self.verbs.contains(&Verb::Group), "table {} of {} uses no groups", self.name, self.bridge);
        self.check_actions(&bucket.actions);
    }

    fn may_match(&self, field: &MatchField) -> bool {
        self.matches.iter().any(|declared| {
            declared.field == field.field
                && match declared.precision {
                    Precision::Exact => field.exact(),
                    Precision::Prefix => is_prefix(field),
                    Precision::Bits => true,
                }
        })
    }

    fn check_actions(&self, actions: &[Action]) {
        for action in actions {
            match action {
                Action::SetField { field, .. } => self.check_set(*field),
                Action::Load { dst, .. } => self.check_set(dst.field),
                Action::Move { src, dst } => {
                    assert!(
                        self.reads.contains(&src.field),
                        "table {} of {} does not copy from {:?}",
                        self.name,
                        self.bridge,
                        src.field
                    );
                    self.check_set(dst.field);
                }
                Action::Output { port: PortNo::CONTROLLER, .. } => self.check_verb(Verb::Punt),
                Action::Output { port: PortNo::IN_PORT, .. } => self.check_verb(Verb::Answer),
                Action::Output { .. } => self.check_verb(Verb::Output),
                Action::Group(_) => self.check_verb(Verb::Group),
                Action::Resubmit { port: None, table: Some(table), ct: false } => {
                    let again = self.returns.iter().any(|earlier| earlier.id() == *table);
                    self.check_target(if again { self.returns } else { self.visits }, *table);
                }
                Action::Clone(actions) => self.check_actions(actions),
                Action::Ct(Ct { flags: CtFlags { commit: false, .. }, table: Some(table), .. }) => {
                    self.check_verb(Verb::Track);
                    self.check_target(self.next, *table);
                }
                Action::Ct(Ct { flags: CtFlags { commit: true, .. }, table: None, exec, .. }) => {
                    self.check_verb(Verb::Commit);
                    self.check_actions(exec);
                }
                Action::DecTtl { .. } => self.check_verb(Verb::DecrementTtl),
                Action::CheckPktLarger { dst, .. } => {
                    self.check_verb(Verb::Measure);
                    self.check_set(dst.field);
                }
                Action::Push(_) => self.check_verb(Verb::Swap),
                Action::Pop(dst) => {
                    self.check_verb(Verb::Swap);
                    self.check_set(dst.field);
                }
                Action::Meter(_) | Action::Controller(_) => self.check_verb(Verb::Punt),
                Action::Conjunction { .. } => self.check_verb(Verb::Conjunction),
                other => panic!("table {} of {} does not declare {other:?}", self.name, self.bridge),
            }
        }
    }

    fn check_set(&self, field: Field) {
        assert!(self.sets.contains(&field), "table {} of {} does not set {field:?}", self.name, self.bridge);
    }

    fn check_verb(&self, verb: Verb) {
        assert!(self.verbs.contains(&verb), "table {} of {} does not {verb:?}", self.name, self.bridge);
    }

    fn check_target(&self, declared: &[Table], target: TableId) {
        assert!(
            declared.iter().any(|table| table.id() == target && table.bridge() == self.bridge),
            "table {} of {} does not lead to table {}",
            self.name,
            self.bridge,
            target.0
        );
    }
}

fn is_prefix(field: &MatchField) -> bool {
    let hosts = field.field.ones() & !field.mask;
    hosts & (hosts.wrapping_add(1)) == 0
}

#[cfg(test)]
mod tests {
    use crate::pipeline::{Miss, SPECS, Table};
    use crate::{Bridge, Priority};
    use std::collections::BTreeSet;
    use weir_openflow::{Action, Field, Flow, Match, PortNo};

    fn caught(flow: &Flow) -> String {
        let spec = Table::Forward.spec();
        let panic = std::panic::catch_unwind(|| spec.check_flow(flow)).expect_err("the flow must be refused");
        *panic.downcast::<String>().expect("the text is formatted")
    }

    fn flow(matching: Match) -> Flow {
        Flow::new(Table::Forward.id(), Priority::Object.number(), matching)
    }

    #[test]
    fn what_a_table_does_not_declare_is_refused() {
        assert!(caught(&flow(Match::new().with(Field::TcpDst, 80))).contains("does not match"));
        assert!(caught(&flow(Match::new().with_masked(Field::Metadata, 1, 1))).contains("does not match"));
        let set = flow(Match::new()).apply([Action::set(Field::EthSrc, 1)]);
        assert!(caught(&set).contains("does not set EthSrc"));
        let output = flow(Match::new()).apply([Action::output(PortNo(1))]);
        assert!(caught(&output).contains("does not Output"));
        let back = flow(Match::new()).goto(Table::Arp.id());
        assert!(caught(&back).contains("does not lead to table 10"));
        let pop = flow(Match::new()).apply([Action::PopVlan]);
        assert!(caught(&pop).contains("does not declare PopVlan"));
        Table::Forward.spec().check_flow(&flow(Match::new().eth_multicast()).goto(Table::Zone.id()));
    }

    #[test]
    fn declarations_are_in_order_and_lead_forward_only() {
        let mut seen = BTreeSet::new();
        for (position, spec) in SPECS.iter().enumerate() {
            assert_eq!(spec.table as usize, position);
            assert!(seen.insert((spec.bridge, spec.id)), "table number {} is taken twice", spec.id.0);
            for next in spec.next {
                assert_eq!(next.bridge(), spec.bridge);
                assert!(next.id() > spec.id, "{} leads back", spec.name);
            }
            for visited in spec.visits {
                assert_eq!(visited.bridge(), spec.bridge);
                assert!(
                    !reached(*visited).contains(&spec.table),
                    "{} leads back to {}",
                    visited.spec().name,
                    spec.name
                );
            }
            for earlier in spec.returns {
                assert!(earlier.id() <= spec.id && spec.matches.iter().any(|field| field.field == Field::Reg2));
            }
            if let Miss::Goto(next) = spec.miss {
                assert!(spec.next.contains(&next));
            }
            assert!(spec.purpose.ends_with('.'));
        }
    }

    /// See the table's declaration.
    #[test]
    fn the_generation_of_rules_is_told_by_a_later_table() {
        assert!(Table::Permit.id() > Table::Rules.id());
    }

    /// The tables that packets come to from one, itself included.
    fn reached(from: Table) -> BTreeSet<Table> {
        let (mut seen, mut ways) = (BTreeSet::new(), vec![from]);
        while let Some(table) = ways.pop() {
            if seen.insert(table) {
                ways.extend(table.spec().next.iter().chain(table.spec().visits));
            }
        }
        seen
    }

    /// Metadata that no table before has set is zero: matching or copying it would be an error.
    #[test]
    fn what_a_table_reads_was_set_before_on_every_way() {
        let internal = [Field::Metadata, Field::Reg0, Field::Reg1];
        for bridge in Bridge::ALL {
            let mut ways = vec![(Table::from_id(bridge, weir_openflow::TableId(0)).expect("table 0"), BTreeSet::new())];
            let mut visited = BTreeSet::new();
            while let Some((table, mut set)) = ways.pop() {
                if !visited.insert((table, set.clone())) {
                    continue;
                }
                let spec = table.spec();
                let read = spec.matches.iter().map(|field| field.field).chain(spec.reads.iter().copied());
                for field in read.filter(|field| internal.contains(field)) {
                    assert!(set.contains(&field), "{} reads {field:?}, which may not be set", spec.name);
                }
                // Packets from the tunnel have the source port 0, as registers are by themselves.
                set.extend(spec.sets.iter().copied());
                ways.extend(spec.visits.iter().map(|visited| (*visited, set.clone())));
                // What a lookup did not set is 0, which tells whoever asked that nothing was found.
                let looked_up = spec.visits.iter().flat_map(|visited| reached(*visited));
                set.extend(looked_up.flat_map(|table| table.spec().sets).copied());
                ways.extend(spec.next.iter().map(|next| (*next, set.clone())));
            }
        }
    }

    #[test]
    fn table_names_are_unique_within_a_bridge() {
        for bridge in Bridge::ALL {
            let names = crate::table_names(bridge);
            let distinct: BTreeSet<_> = names.values().collect();
            assert_eq!(distinct.len(), names.len());
        }
        assert_eq!(crate::table_names(Bridge::Integration)[&30], "forward");
    }
}
