//! What a real switch keeps of what we send.

use crate::flow::{FLOWS, encode};
use crate::generate::flow;
use crate::switch::{Connection, Switch};
use crate::vector::{digits, vectors};
use proptest::collection::vec;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use proptest::{prop_assert, prop_assert_eq};
use std::collections::{BTreeMap, BTreeSet};
use weir_openflow::message::FlowStats;
use weir_openflow::{EncodedEdit, EncodedFlows, Flow, FlowEdit, FlowTable, RawFlow};

/// Entries of a body that begin with their length.
pub(crate) fn entries(body: &[u8]) -> Vec<&[u8]> {
    let mut rest = body;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (entry, after) = rest.split_at(usize::from(u16::from_be_bytes([rest[0], rest[1]])));
        entries.push(entry);
        rest = after;
    }
    entries
}

/// Sends a flow, reads the table back, and deletes the flow.
fn kept(connection: &mut Connection, edit: &EncodedEdit) -> Result<Vec<u8>, String> {
    connection.apply(edit.message()).map_err(|error| format!("refused: {error:?}"))?;
    let dump = connection.flows();
    connection.apply(edit.withdrawal().message()).map_err(|error| format!("deletion refused: {error:?}"))?;
    match connection.flows().len() {
        0 => Ok(dump),
        _ => Err("not deleted".to_owned()),
    }
}

/// What is wrong with what the switch made of a flow.
fn complaint(connection: &mut Connection, flow: &Flow) -> Option<String> {
    let edit = encode(flow);
    let dump = match kept(connection, &edit) {
        Ok(dump) => dump,
        Err(error) => return Some(error),
    };
    let [entry] = entries(&dump)[..] else {
        return Some("not exactly one flow".to_owned());
    };
    let sent = RawFlow::from_flow_mod(edit.message()).expect("we encode flow-mods");
    let read = match RawFlow::from_stats(entry) {
        Ok(read) => read,
        Err(error) => return Some(error.to_string()),
    };
    if sent != read {
        return Some(format!("bytes differ: {}\n  {}", digits(edit.message()), digits(entry)));
    }
    match FlowStats::decode(entry) {
        Ok(stats) if stats.flow == flow.clone().canonical() => None,
        other => Some(format!("values differ: {other:?}")),
    }
}

#[test]
fn a_switch_dumps_the_bytes_that_we_send() {
    let switch = Switch::start();
    let mut connection = switch.connect();
    for text in ["group_id=3,type=all", "group_id=5,type=all"] {
        let edit = FlowEdit::AddGroup(text.parse().expect("a group"));
        let edit = EncodedEdit::encode(&edit).expect("a group fits into a message");
        connection.apply(edit.message()).expect("the switch takes a group");
    }
    let meter = FlowEdit::AddMeter("meter=5 pktps bands=type=drop rate=5".parse().expect("a meter"));
    let meter = EncodedEdit::encode(&meter).expect("a meter fits into a message");
    connection.apply(meter.message()).expect("the switch takes a meter");
    let mut complaints = Vec::new();
    for vector in vectors(FLOWS) {
        let flow: Flow = vector.text.parse().expect("the vectors are parsed elsewhere");
        if let Some(complaint) = complaint(&mut connection, &flow) {
            complaints.push(format!("{}\n  {complaint}", vector.text));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
}

/// Checks random tables of flows on one switch.
fn check(test: impl Fn(&Switch, Vec<Flow>) -> Result<(), TestCaseError>) {
    let switch = Switch::start();
    let config = Config { cases: 12, max_shrink_iters: 300, failure_persistence: None, ..Config::default() };
    let result = TestRunner::new(config).run(&vec(flow(), 1..200), |flows| test(&switch, flows));
    match result {
        Ok(()) => (),
        Err(TestError::Fail(reason, flows)) => {
            let flows: Vec<_> = flows.iter().map(Flow::to_string).collect();
            panic!("{reason}\n{}", flows.join("\n"));
        }
        Err(error) => panic!("{error}"),
    }
}

/// Random flows, handed to the switch by ovs-ofctl as our text, come back as the same values and the same text.
#[test]
fn a_switch_keeps_what_our_text_says() {
    check(|switch, flows| {
        let mut table = FlowTable::default();
        for flow in flows {
            table.insert(flow);
        }
        let text: String = table.flows.values().map(|flow| format!("{flow}\n")).collect();
        switch.ofctl(&[], "del-flows", &[]).map_err(TestCaseError::fail)?;
        switch.add_flows(&text).map_err(TestCaseError::fail)?;
        let dump = switch.connect().flows();
        let mut read = FlowTable::default();
        for entry in entries(&dump) {
            let stats = FlowStats::decode(entry).map_err(|error| TestCaseError::fail(error.to_string()))?;
            read.insert(stats.flow);
        }
        prop_assert_eq!(FlowTable::diff(&read, &table), Vec::new());
        let printed = switch.ofctl(&["--no-stats"], "dump-flows", &[]).map_err(TestCaseError::fail)?;
        let printed: BTreeSet<String> = printed.lines().map(|line| line.trim().to_owned()).collect();
        let ours: BTreeSet<String> = table.flows.values().map(Flow::to_string).collect();
        let differences: Vec<_> = ours.symmetric_difference(&printed).collect();
        prop_assert!(differences.is_empty(), "{:#?}", differences);
        Ok(())
    });
}

/// Random flows that we send as bytes come back as the same bytes.
#[test]
fn a_switch_dumps_the_bytes_of_random_flows() {
    check(|switch, flows| {
        switch.ofctl(&[], "del-flows", &[]).map_err(TestCaseError::fail)?;
        let mut connection = switch.connect();
        let sent: EncodedFlows = flows.iter().collect();
        prop_assert_eq!(sent.len(), flows.len());
        prop_assert_eq!(connection.apply(sent.messages()), Ok(()));
        let dump = connection.flows();
        let read: Result<Vec<RawFlow<'_>>, _> = RawFlow::all_from_stats(&dump).collect();
        let read: BTreeMap<_, _> = read.expect("a dump can be read").iter().map(|raw| (raw.key, raw.value)).collect();
        let sent: BTreeMap<_, _> = sent.iter().map(|raw| (raw.key, raw.value)).collect();
        prop_assert_eq!(read, sent);
        Ok(())
    });
}
