//! The search for the flow that a packet meets: one hash table for each combination of masks.

use crate::packet::Fields;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use weir_openflow::{Action, Field, Flow};

/// The flows of one table, ready to be searched.
#[derive(Debug, Default)]
pub(super) struct Classifier {
    /// By descending highest priority.
    tuples: Vec<Tuple>,
}

/// Flows whose matches have the same masks.
#[derive(Debug)]
struct Tuple {
    masks: Vec<(Field, u128)>,
    /// The flows of each masked value, by descending priority; at most one of each.
    rows: HashMap<Vec<u128>, Vec<Arc<Flow>>>,
    /// How many flows have each priority.
    priorities: BTreeMap<u16, usize>,
}

impl Tuple {
    fn highest(&self) -> u16 {
        self.priorities.last_key_value().map_or(0, |(priority, _)| *priority)
    }

    fn row(&self, fields: &Fields) -> Option<&Vec<Arc<Flow>>> {
        let key: Vec<u128> = self.masks.iter().map(|(field, mask)| fields.get(*field) & mask).collect();
        self.rows.get(&key)
    }
}

fn masks(flow: &Flow) -> Vec<(Field, u128)> {
    flow.key.matching.iter().map(|part| (part.field, part.mask)).collect()
}

fn values(flow: &Flow) -> Vec<u128> {
    flow.key.matching.iter().map(|part| part.value).collect()
}

/// Whether the flow is a part of a conjunctive match, hence no match by itself.
fn is_clause(flow: &Flow) -> bool {
    flow.instructions.apply.iter().any(|action| matches!(action, Action::Conjunction { .. }))
}

impl Classifier {
    /// Puts a flow in, in place of the one with the same key.
    pub(super) fn insert(&mut self, flow: &Arc<Flow>) {
        let masks = masks(flow);
        let at = self.tuples.iter().position(|tuple| tuple.masks == masks).unwrap_or_else(|| {
            self.tuples.push(Tuple { masks, rows: HashMap::new(), priorities: BTreeMap::new() });
            self.tuples.len() - 1
        });
        let tuple = &mut self.tuples[at];
        let row = tuple.rows.entry(values(flow)).or_default();
        match row.binary_search_by(|other| flow.key.priority.cmp(&other.key.priority)) {
            Ok(place) => row[place] = Arc::clone(flow),
            Err(place) => {
                row.insert(place, Arc::clone(flow));
                *tuple.priorities.entry(flow.key.priority).or_insert(0) += 1;
            }
        }
        self.order();
    }

    /// Takes the flow with this key out.
    pub(super) fn remove(&mut self, flow: &Flow) {
        let masks = masks(flow);
        let Some(at) = self.tuples.iter().position(|tuple| tuple.masks == masks) else {
            return;
        };
        let tuple = &mut self.tuples[at];
        let key = values(flow);
        let Some(row) = tuple.rows.get_mut(&key) else {
            return;
        };
        let before = row.len();
        row.retain(|other| other.key.priority != flow.key.priority);
        if row.len() < before
            && let Some(count) = tuple.priorities.get_mut(&flow.key.priority)
        {
            *count -= 1;
            if *count == 0 {
                tuple.priorities.remove(&flow.key.priority);
            }
        }
        if row.is_empty() {
            tuple.rows.remove(&key);
        }
        if tuple.rows.is_empty() {
            self.tuples.swap_remove(at);
        }
        self.order();
    }

    fn order(&mut self) {
        if !self.tuples.is_sorted_by_key(|tuple| std::cmp::Reverse(tuple.highest())) {
            self.tuples.sort_by_key(|tuple| std::cmp::Reverse(tuple.highest()));
        }
    }

    /// The flow that the packet meets, conjunctive matches resolved.
    pub(super) fn lookup(&self, fields: &Fields) -> Option<Arc<Flow>> {
        let mut hard: Option<&Arc<Flow>> = None;
        let mut soft = false;
        for tuple in &self.tuples {
            if hard.is_some_and(|flow| flow.key.priority >= tuple.highest()) {
                break;
            }
            for flow in tuple.row(fields).into_iter().flatten() {
                if is_clause(flow) {
                    soft = true;
                } else {
                    if hard.is_none_or(|best| best.key.priority < flow.key.priority) {
                        hard = Some(flow);
                    }
                    break;
                }
            }
        }
        let conjunctive = if soft { self.lookup_conjunctive(fields, hard) } else { None };
        conjunctive.or_else(|| hard.cloned())
    }

    /// Tries the clauses that are met, priority by priority, down to that of the certain match.
    fn lookup_conjunctive(&self, fields: &Fields, hard: Option<&Arc<Flow>>) -> Option<Arc<Flow>> {
        let mut levels: BTreeMap<u16, Vec<&Arc<Flow>>> = BTreeMap::new();
        for flow in self.tuples.iter().filter_map(|tuple| tuple.row(fields)).flatten() {
            if is_clause(flow) && hard.is_none_or(|best| best.key.priority < flow.key.priority) {
                levels.entry(flow.key.priority).or_default().push(flow);
            }
        }
        for flows in levels.values().rev() {
            // The clauses that are met of each conjunction, and how many there are.
            let mut met: BTreeMap<u32, (BTreeSet<u8>, u8)> = BTreeMap::new();
            for action in flows.iter().flat_map(|flow| &flow.instructions.apply) {
                if let Action::Conjunction { id, clause, clauses } = action {
                    let entry = met.entry(*id).or_insert((BTreeSet::new(), *clauses));
                    entry.0.insert(*clause);
                }
            }
            for (id, (seen, needed)) in met {
                if seen.len() >= usize::from(needed) {
                    let mut within = fields.clone();
                    within.conj_id = id;
                    if let Some(flow) = self.lookup_certain(&within) {
                        return Some(flow);
                    }
                }
            }
        }
        None
    }

    fn lookup_certain(&self, fields: &Fields) -> Option<Arc<Flow>> {
        self.tuples
            .iter()
            .filter_map(|tuple| tuple.row(fields)?.iter().find(|flow| !is_clause(flow)))
            .max_by_key(|flow| flow.key.priority)
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::{Match, TableId};

    fn flow(priority: u16, matching: Match, actions: Vec<Action>) -> Arc<Flow> {
        Arc::new(Flow::new(TableId(0), priority, matching).apply(actions))
    }

    fn clause(id: u32, clause: u8) -> Action {
        Action::Conjunction { id, clause, clauses: 2 }
    }

    fn packet(src: u32, port: u16) -> Fields {
        Fields { eth_type: 0x0800, nw_proto: 6, nw_src: src, tp_dst: port, ..Fields::default() }
    }

    #[test]
    fn the_highest_priority_wins_over_all_masks() {
        let mut table = Classifier::default();
        table.insert(&flow(1, Match::new(), vec![]));
        table.insert(&flow(5, Match::new().ip(), vec![]));
        table.insert(&flow(3, Match::new().ip(), vec![]));
        let found = |table: &Classifier| table.lookup(&packet(1, 1)).unwrap().key.priority;
        assert_eq!(found(&table), 5);
        table.remove(&flow(5, Match::new().ip(), vec![]));
        assert_eq!(found(&table), 3);
        table.remove(&flow(3, Match::new().ip(), vec![]));
        assert_eq!(found(&table), 1);
    }

    #[test]
    fn a_conjunction_matches_when_all_its_clauses_do() {
        let mut table = Classifier::default();
        let tcp = Match::new().ip().ip_proto(6);
        for src in [1, 2] {
            let matching = Match::new().ip().with(Field::Ipv4Src, src);
            table.insert(&flow(100, matching, vec![clause(7, 1)]));
        }
        table.insert(&flow(100, tcp.clone().with(Field::TcpDst, 80), vec![clause(7, 2)]));
        table.insert(&flow(50, Match::new().with(Field::ConjId, 7), vec![]));
        table.insert(&flow(40, tcp, vec![]));
        let hit = |table: &Classifier, src, port| table.lookup(&packet(src, port)).map(|flow| flow.key.priority);
        assert_eq!(hit(&table, 1, 80), Some(50));
        assert_eq!(hit(&table, 2, 80), Some(50));
        assert_eq!(hit(&table, 3, 80), Some(40), "one clause is not met");
        assert_eq!(hit(&table, 2, 81), Some(40), "the other clause is not met");
        table.insert(&flow(110, Match::new().ip(), vec![]));
        assert_eq!(hit(&table, 1, 80), Some(110), "a certain match of higher priority comes first");
    }
}
