//! Flows that many switches hold, kept once.

use std::collections::HashSet;
use std::sync::Arc;
use weir_openflow::Flow;

/// Keeps one copy of each flow, however many switches hold it.
#[derive(Clone, Debug, Default)]
pub struct Interner {
    flows: HashSet<Arc<Flow>>,
}

impl Interner {
    /// The shared copy of this flow.
    pub fn intern(&mut self, flow: Flow) -> Arc<Flow> {
        if let Some(present) = self.flows.get(&flow) {
            return Arc::clone(present);
        }
        let shared = Arc::new(flow);
        self.flows.insert(Arc::clone(&shared));
        shared
    }

    /// Forgets the flows that no switch holds any more.
    pub fn sweep(&mut self) {
        self.flows.retain(|flow| Arc::strong_count(flow) > 1);
    }

    /// How many different flows there are.
    pub fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}
