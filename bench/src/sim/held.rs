//! How many flows all switches of a cloud hold. It follows from the cloud, whatever the switches are.

use super::hypervisor::{BRIDGES, Kind, host_name};

use crate::Failure;

/// What is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    /// By what.
    pub(crate) kind: Kind,
    /// How many flows, of each hypervisor's bridges.
    pub(crate) flows: Vec<[u64; 2]>,
}

impl Held {
    /// Says where another cloud of the same description holds something else.
    pub(crate) fn compare(&self, other: &Self) -> Result<(), Failure> {
        let mut differences = Vec::new();
        for (number, (flows, others)) in self.flows.iter().zip(&other.flows).enumerate() {
            for ((bridge, flows), others) in BRIDGES.iter().zip(flows).zip(others) {
                if flows != others {
                    let host = host_name(number);
                    differences.push(format!("{host} {bridge}: {} {flows}, {} {others}", self.kind, other.kind));
                }
            }
        }
        if self.flows.len() != other.flows.len() {
            differences.push(format!("{} and {} hypervisors", self.flows.len(), other.flows.len()));
        }
        if differences.is_empty() {
            return Ok(());
        }
        Err(format!("switches do not hold the same number of flows:\n{}", differences.join("\n")).into())
    }
}
