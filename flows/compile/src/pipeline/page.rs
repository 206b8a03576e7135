//! The page that describes the pipeline, made from the pipeline itself.

use super::seal::{SEAL_NAME, SEAL_PURPOSE, SEAL_TABLE};
use super::{Miss, Precision, SPECS, TableSpec, Verb};
use crate::bridge::FIXED_PORTS;
use crate::register::{Punt, REGISTERS};
use crate::{Bridge, Priority, Tag, table_names};
use std::fmt::{self, Write};
use weir_openflow::text::{Named, Names};
use weir_openflow::{Field, Flow, FlowTable, TableId};

/// How many flows of a table are shown.
const EXAMPLES: usize = 10;

/// The names of tables and fixed ports of a bridge, for printing flows.
#[must_use]
pub fn names(bridge: Bridge) -> Names {
    let tables = table_names(bridge).into_iter().map(|(table, name)| (TableId(table), name));
    let ports = FIXED_PORTS.iter().filter(|port| port.bridge == bridge);
    Names::of_tables(tables).and_ports(ports.map(|port| (port.number, port.name)))
}

/// The page in Markdown. `examples` tells what a bridge holds, to show flows from.
#[must_use]
pub fn page(examples: impl Fn(Bridge) -> FlowTable) -> String {
    let mut page = String::new();
    write(&mut page, examples).expect("text takes everything that is written to it");
    page
}

fn write(page: &mut String, examples: impl Fn(Bridge) -> FlowTable) -> fmt::Result {
    writeln!(page, "# The pipeline\n")?;
    writeln!(page, "Made from the compiler's own declarations; every flow is checked against them as it is built.")?;
    writeln!(
        page,
        "Flows are shown as `ovs-ofctl` prints them, where some fields have older names: `dl_dst` is eth_dst,"
    )?;
    writeln!(page, "`nw_dst` is ip_dst, `tp_dst` is tcp_dst or udp_dst.\n")?;
    writeln!(page, "## Fixed ports\n")?;
    writeln!(page, "| Bridge | Port | Number |\n|---|---|---|")?;
    for port in FIXED_PORTS {
        writeln!(page, "| {} | {} | {} |", port.bridge, port.name, port.number.0)?;
    }
    writeln!(page, "\n## Registers and marks\n")?;
    writeln!(page, "| Name | Bits | Bridge | Meaning |\n|---|---|---|---|")?;
    for one in REGISTERS {
        let last = one.bits.offset + one.bits.bits - 1;
        let bridge = one.bridge.map_or("both", Bridge::name);
        let (field, first) = (one.bits.field.name(), one.bits.offset);
        writeln!(page, "| {} | {field}[{first}..{last}] | {bridge} | {} |", one.name, one.meaning)?;
    }
    writeln!(page, "\n## Priorities\n")?;
    writeln!(page, "| Name | Number |\n|---|---|")?;
    for priority in Priority::ALL.into_iter().rev() {
        writeln!(page, "| {} | {} |", format!("{priority:?}").to_lowercase(), priority.number())?;
    }
    let (subnet, route) = (Priority::route(24, true), Priority::route(24, false));
    writeln!(
        page,
        "\nRoutes stand above all of these, the longest prefix highest: {subnet} for a router's own subnet of"
    )?;
    writeln!(page, "24 bits, {route} for another route as long.\n")?;
    writeln!(page, "## Questions to the controller\n")?;
    writeln!(page, "What register punt says. The controller answers the sender, if anything.\n")?;
    writeln!(page, "| Number | Question |\n|---|---|")?;
    for punt in Punt::ALL {
        writeln!(page, "| {} | {} |", punt as u8, punt.phrase())?;
    }
    for bridge in Bridge::ALL {
        writeln!(page, "\n## {bridge}")?;
        let content = examples(bridge);
        let names = names(bridge);
        for spec in SPECS.iter().filter(|spec| spec.bridge == bridge) {
            table(page, spec)?;
            flows(page, spec, &content, &names)?;
        }
    }
    writeln!(page, "\n## Both bridges: table {}, {SEAL_NAME}\n\n{SEAL_PURPOSE}", SEAL_TABLE.0)?;
    Ok(())
}

fn table(page: &mut String, spec: &TableSpec) -> fmt::Result {
    writeln!(page, "\n### {}: {}\n\n{}\n", spec.id.0, spec.name, spec.purpose)?;
    let matches = spec.matches.iter().map(|field| {
        // Flows are printed with the name of OpenFlow 1.0.
        let name = if field.field == Field::InPortOxm { Field::InPort.name() } else { field.field.name() };
        match field.precision {
            Precision::Exact => name.to_owned(),
            Precision::Prefix => format!("{name} (prefix)"),
            Precision::Bits => format!("{name} (masked)"),
        }
    });
    line(page, "Matches", matches)?;
    line(page, "Sets", spec.sets.iter().map(|field| field.name().to_owned()))?;
    line(page, "Copies from", spec.reads.iter().map(|field| field.name().to_owned()))?;
    let verbs = spec.verbs.iter().map(|verb| match verb {
        Verb::Output => "output".to_owned(),
        Verb::Answer => "output to where it came from".to_owned(),
        Verb::Group => "group".to_owned(),
        Verb::Track => "look up the connection".to_owned(),
        Verb::Commit => "remember the connection".to_owned(),
        Verb::DecrementTtl => "decrement the TTL".to_owned(),
        Verb::Measure => "compare the length".to_owned(),
        Verb::Swap => "swap fields".to_owned(),
        Verb::Punt => "ask the controller, metered".to_owned(),
        Verb::Conjunction => "meet a clause of a conjunction".to_owned(),
    });
    line(page, "Does", verbs)?;
    line(page, "Visits", spec.visits.iter().map(|table| table.spec().name.to_owned()))?;
    line(page, "Begins again from", spec.returns.iter().map(|table| table.spec().name.to_owned()))?;
    line(page, "Next", spec.next.iter().map(|table| table.spec().name.to_owned()))?;
    match spec.miss {
        Miss::Drop(reason) => writeln!(page, "- Otherwise: drop, {}", reason.phrase())?,
        Miss::Goto(table) => writeln!(page, "- Otherwise: {}", table.spec().name)?,
    }
    line(page, "Also drops", spec.drops.iter().map(|reason| reason.phrase().to_owned()))
}

fn line(page: &mut String, what: &str, items: impl Iterator<Item = String>) -> fmt::Result {
    let items: Vec<_> = items.collect();
    if items.is_empty() { Ok(()) } else { writeln!(page, "- {what}: {}", items.join(", ")) }
}

/// The first flow of each purpose and priority. What happens to the rest stands above them already.
fn flows(page: &mut String, spec: &TableSpec, content: &FlowTable, names: &Names) -> fmt::Result {
    let mut shown: Vec<(&Flow, Tag)> = Vec::new();
    for flow in content.flows.values().filter(|flow| flow.key.table == spec.id) {
        let Some(tag) = Tag::decode(flow.cookie).filter(|_| flow.key.priority > Priority::Miss.number()) else {
            continue;
        };
        let kind = |flow: &Flow, tag: Tag| (flow.key.priority, tag.purpose, tag.reason);
        let new = shown.iter().all(|&(other, of)| kind(other, of) != kind(flow, tag));
        if new && shown.len() < EXAMPLES {
            shown.push((flow, tag));
        }
    }
    if shown.is_empty() {
        return Ok(());
    }
    writeln!(page, "\n```")?;
    for (flow, tag) in shown {
        let what = tag.reason.map_or(tag.purpose.phrase(), |reason| reason.phrase());
        writeln!(page, "# {what}\n{}", Named::new(flow, names))?;
    }
    writeln!(page, "```")
}
