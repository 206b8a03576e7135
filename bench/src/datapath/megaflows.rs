//! The cached flows of a datapath and their masks.
//!
//! The userspace datapath tells no number of masks, so they are read off the flows: a mask is what remains of a match
//! without its values. Every mask is one more hash table in which a packet may have to be looked up.

use std::collections::BTreeSet;

use weir::cli::lab::Hypervisor;

use crate::Failure;

/// What flows of IPv4 packets match.
const IPV4: &str = "eth_type(0x0800)";

/// What of these VMs say by themselves at times: ICMP and IGMP.
const OWN: [&str; 2] = ["proto=1,", "proto=2,"];

/// The megaflows of one or more hypervisors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Megaflows {
    /// Their number.
    pub flows: usize,
    /// The number of different masks, summed up over hypervisors.
    pub masks: usize,
}

impl Megaflows {
    /// Those of IPv4 packets that are cached now, but for what VMs say by themselves.
    ///
    /// # Errors
    /// ovs-vswitchd does not answer.
    pub fn of(hypervisors: &[Hypervisor]) -> Result<Self, Failure> {
        let mut sum = Self::default();
        for hypervisor in hypervisors {
            let one = Self::parse(&hypervisor.appctl(["dpctl/dump-flows", "-m"])?);
            sum = Self { flows: sum.flows + one.flows, masks: sum.masks + one.masks };
        }
        Ok(sum)
    }

    /// Forgets all megaflows, so that the next packets need upcalls.
    ///
    /// # Errors
    /// ovs-vswitchd does not answer.
    pub fn purge(hypervisors: &[Hypervisor]) -> Result<(), Failure> {
        for hypervisor in hypervisors {
            hypervisor.appctl(["revalidator/purge"])?;
        }
        Ok(())
    }

    /// Lets what is cached from now on stand for many packets, as always, or for those alone that are the same in every
    /// field.
    ///
    /// # Errors
    /// ovs-vswitchd does not answer.
    pub fn enable(hypervisors: &[Hypervisor], enabled: bool) -> Result<(), Failure> {
        let command = if enabled { "upcall/enable-megaflows" } else { "upcall/disable-megaflows" };
        for hypervisor in hypervisors {
            hypervisor.appctl([command])?;
        }
        Ok(())
    }

    /// Reads the output of `dpctl/dump-flows -m`.
    fn parse(shown: &str) -> Self {
        let matches: Vec<&str> = shown
            .lines()
            .filter_map(|line| {
                let (matched, _) = line.split_once(", packets:")?;
                Some(
                    matched
                        .split_once(", ")
                        .filter(|(id, _)| id.starts_with("ufid:"))
                        .map_or(matched, |(_, rest)| rest),
                )
            })
            .filter(|matched| matched.contains(IPV4) && !OWN.iter().any(|protocol| matched.contains(protocol)))
            .collect();
        let masks: BTreeSet<String> = matches.iter().map(|matched| mask(matched)).collect();
        Self { flows: matches.len(), masks: masks.len() }
    }
}

/// A match such as `ipv4(src=10.0.0.1/255.0.0.0,proto=6)` without its values: `ipv4(src=255.0.0.0,proto=*)`.
fn mask(matched: &str) -> String {
    let mut out = String::new();
    let mut rest = matched;
    while !rest.is_empty() {
        let end = rest.find(['(', ')', ',', '=']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        let delimiter = tail.chars().next();
        if word.is_empty() || matches!(delimiter, Some('(' | '=')) {
            out.push_str(word);
        } else if let Some((_, mask)) = word.split_once('/') {
            out.push_str(mask);
        } else if word.starts_with(['+', '-']) {
            // Flags: those that are named are those that are matched.
            out.push_str(&word.replace('-', "+"));
        } else {
            out.push('*');
        }
        out.extend(delimiter);
        rest = tail.get(1..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_has_no_values() {
        assert_eq!(
            mask(
                "recirc_id(0x1),ct_state(+est-rel+trk),eth(src=02:00:00:00:00:01,dst=01:00/01:00),ipv4(src=10.0.0.1/255.0.0.0,proto=6)"
            ),
            "recirc_id(*),ct_state(+est+rel+trk),eth(src=*,dst=01:00),ipv4(src=255.0.0.0,proto=*)"
        );
    }

    #[test]
    fn flows_that_differ_in_values_share_a_mask() {
        let shown = "flow-dump from the main thread:\n\
            ufid:1, recirc_id(0),in_port(a),eth_type(0x0800),ipv4(src=10.0.0.1,frag=no), packets:1, actions:b\n\
            ufid:2, recirc_id(0),in_port(b),eth_type(0x0800),ipv4(src=10.0.0.2,frag=no), packets:1, actions:a\n\
            ufid:3, recirc_id(0),in_port(b),eth_type(0x0800),ipv4(src=0.0.0.0/0,frag=no), packets:1, actions:a\n\
            ufid:4, recirc_id(0),in_port(b),eth_type(0x0800),ipv4(proto=2,frag=no), packets:1, actions:a\n\
            ufid:5, recirc_id(0),in_port(b),eth_type(0x0806), packets:1, actions:a\n";
        assert_eq!(Megaflows::parse(shown), Megaflows { flows: 3, masks: 2 });
    }
}
