//! Random flows through every form, and damaged forms.

use crate::flow::{FLOWS, encode};
use crate::generate::flow;
use crate::vector::vectors;
use bytes::BytesMut;
use proptest::prelude::*;
use std::time::Duration;
use weir_openflow::message::FlowStats;
use weir_openflow::text::{ActionList, Names, parse_actions};
use weir_openflow::{Action, EncodedEdit, EncodedFlows, Flow, FlowEdit, FlowKey, Group, Match, RawFlow, TableId};

fn stats() -> impl Strategy<Value = FlowStats> {
    (flow(), any::<u32>(), 0..1_000_000_000_u32, any::<u32>(), any::<u64>(), any::<u64>()).prop_map(
        |(flow, seconds, nanos, idle, packets, bytes)| FlowStats {
            flow,
            duration: Duration::new(seconds.into(), nanos),
            idle: Duration::from_secs(idle.into()),
            packets,
            bytes,
        },
    )
}

proptest! {
    #[test]
    fn bytes_come_back_as_the_flow(flow in flow()) {
        let edit = encode(&flow);
        prop_assert_eq!(edit.decode(), Ok(FlowEdit::AddFlow(flow.clone())));
        prop_assert_eq!(edit.withdrawal().decode(), Ok(FlowEdit::DeleteFlow(flow.key.clone())));
        let raw = RawFlow::from_flow_mod(edit.message()).expect("we encode flow-mods");
        prop_assert_eq!(raw.decode(), Ok(flow.clone()));
        prop_assert_eq!(raw.key.to_key(), edit.key());
        prop_assert_eq!(raw.key.deletion(), edit.withdrawal());
    }

    #[test]
    fn text_comes_back_as_the_flow(stats in stats()) {
        prop_assert_eq!(stats.to_string().parse(), Ok(stats.clone()));
        prop_assert_eq!(stats.flow.to_string().parse(), Ok(stats.flow.clone()));
        prop_assert_eq!(stats.flow.key.to_string().parse::<FlowKey>(), Ok(stats.flow.key.clone()));
        prop_assert_eq!(stats.flow.key.matching.to_string().parse::<Match>(), Ok(stats.flow.key.matching.clone()));
        let actions = &stats.flow.instructions.apply;
        let text = ActionList(actions).to_string();
        prop_assert_eq!(parse_actions(&text, &Names::default()), Ok(actions.clone()));
    }

    #[test]
    fn an_entry_of_a_dump_comes_back_and_names_the_same_bytes(stats in stats()) {
        let mut entry = BytesMut::new();
        stats.encode(&mut entry);
        prop_assert_eq!(FlowStats::decode(&entry), Ok(stats.clone()));
        let edit = encode(&stats.flow);
        prop_assert_eq!(RawFlow::from_stats(&entry), RawFlow::from_flow_mod(edit.message()));
        for length in 0..entry.len() {
            prop_assert!(FlowStats::decode(&entry[..length]).is_err());
            prop_assert!(RawFlow::from_stats(&entry[..length]).is_err());
        }
    }

    #[test]
    fn many_flows_stand_in_one_piece(flows in prop::collection::vec(flow(), 0..20)) {
        let encoded: EncodedFlows = flows.iter().collect();
        let edits: Vec<EncodedEdit> = flows.iter().map(encode).collect();
        prop_assert_eq!(encoded.len(), flows.len());
        prop_assert_eq!(encoded.edits().collect::<Vec<_>>(), edits);
        let read: Result<Vec<Flow>, _> = encoded.iter().map(|raw| raw.decode()).collect();
        prop_assert_eq!(read, Ok(flows));
    }

    #[test]
    fn damaged_bytes_are_refused_or_mean_something(flow in flow(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut entry = BytesMut::new();
        FlowStats { flow, duration: Duration::ZERO, idle: Duration::ZERO, packets: 0, bytes: 0 }.encode(&mut entry);
        let at = at.index(entry.len());
        entry[at] = byte;
        if let Ok(stats) = FlowStats::decode(&entry) {
            let mut again = BytesMut::new();
            stats.encode(&mut again);
            prop_assert_eq!(FlowStats::decode(&again), Ok(stats));
        }
        for raw in RawFlow::all_from_stats(&entry) {
            let _ = raw.and_then(|raw| raw.decode());
        }
    }

    #[test]
    fn any_bytes_do_no_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = FlowStats::decode(&bytes);
        let _ = Match::decode(&bytes);
        let _ = Action::decode_list(&bytes);
        let _ = Group::decode(&bytes);
    }

    #[test]
    fn any_text_does_no_harm(text in "[a-z0-9_:=,(){}\\[\\]/.<>* +-]{0,80}") {
        let _ = text.parse::<Flow>();
        let _ = text.parse::<Group>();
        let _ = format!("actions={text}").parse::<Flow>();
        let _ = format!("group_id=1,type=all,bucket={text}").parse::<Group>();
    }

    #[test]
    fn damaged_text_is_refused_or_means_something(flow in flow(), at in any::<prop::sample::Index>(), with in any::<char>()) {
        let mut text: Vec<char> = flow.to_string().chars().collect();
        let at = at.index(text.len());
        text[at] = with;
        let text: String = text.into_iter().collect();
        match text.parse::<Flow>() {
            Ok(flow) => prop_assert_eq!(flow.to_string().parse::<Flow>().map(Flow::canonical), Ok(flow.canonical())),
            Err(error) => prop_assert!(text[error.offset..].starts_with(&error.near)),
        }
    }
}

#[test]
fn a_flow_cut_short_anywhere_is_an_error_or_a_shorter_flow() {
    for vector in vectors(FLOWS) {
        for length in 48..vector.bytes.len() {
            let Some(edit) = EncodedEdit::from_message(vector.bytes[..length].to_vec().into()) else { continue };
            let Ok(FlowEdit::AddFlow(flow)) = edit.decode() else { continue };
            let whole: Flow = vector.text.parse().expect("the vectors are parsed elsewhere");
            assert_eq!(flow.key, whole.key, "{} cut to {length}", vector.text);
            let again = encode(&flow);
            let again = RawFlow::from_flow_mod(again.message()).expect("we encode flow-mods");
            let cut = RawFlow::from_flow_mod(edit.message()).expect("it was decoded");
            assert_eq!(again.value, cut.value, "{} cut to {length}", vector.text);
        }
    }
}

#[test]
fn tables_and_ports_go_by_their_names() {
    let names = Names::of_tables([(TableId(3), "routing"), (TableId(4), "acl-in")]);
    let text = "table=routing, priority=5,ip actions=resubmit(,\"acl-in\"),ct(commit,table=routing),goto_table:9";
    let flow = Flow::parse(text, &names).expect("names are known");
    assert_eq!(flow.key.table, TableId(3));
    assert_eq!(weir_openflow::text::Named::new(&flow, &names).to_string(), text);
    assert!(text.parse::<Flow>().is_err());
}
