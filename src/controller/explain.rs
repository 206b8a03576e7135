//! Flows in words: how the switch holds them, and whose they are.

use crate::api::ExplainedFlow;
use weir_compile::{Bridge, explain, table_names};
use weir_model::Topology;
use weir_openflow::message::FlowEntries;
use weir_openflow::text::{Named, Names};
use weir_openflow::{Cookie, TableId};

/// Names the owner of each flow of a dump in the notation of `ovs-ofctl`. Lines that are no flows are passed over.
pub(super) fn explain_dump(topology: &Topology, dump: &str) -> Vec<ExplainedFlow> {
    dump.lines()
        .map(str::trim)
        .filter(|line| line.contains("actions="))
        .map(|line| ExplainedFlow { flow: line.to_owned(), owner: cookie(line).map(|cookie| owner(topology, cookie)) })
        .collect()
}

/// Prints the flows of a bridge with table names, in the order in which packets meet them, each with its owner. A part
/// that cannot be read, because somebody else's flow in it has what Weir does not know, is told as such.
pub(super) fn explain_flows(topology: &Topology, bridge: Bridge, parts: &[FlowEntries]) -> Vec<ExplainedFlow> {
    let names = Names::of_tables(table_names(bridge).into_iter().map(|(id, name)| (TableId(id), name)));
    let mut flows = Vec::new();
    let mut unreadable = Vec::new();
    for part in parts {
        match part.decode() {
            Ok(stats) => flows.extend(stats),
            Err(error) => unreadable.push(ExplainedFlow { flow: format!("unreadable flows: {error}"), owner: None }),
        }
    }
    flows.sort_by(|one, other| {
        let (one, other) = (&one.flow.key, &other.flow.key);
        (one.table, other.priority, &one.matching).cmp(&(other.table, one.priority, &other.matching))
    });
    let explained = flows.iter().map(|stats| ExplainedFlow {
        flow: Named::new(stats, &names).to_string(),
        owner: Some(owner(topology, stats.flow.cookie)),
    });
    explained.chain(unreadable).collect()
}

fn owner(topology: &Topology, cookie: Cookie) -> String {
    explain(cookie, topology).to_string()
}

/// The cookie that a line of a dump names.
fn cookie(line: &str) -> Option<Cookie> {
    let (_, rest) = line.split_once("cookie=0x")?;
    let digits = rest.split(|letter: char| !letter.is_ascii_hexdigit()).next()?;
    u64::from_str_radix(digits, 16).ok().map(Cookie)
}
