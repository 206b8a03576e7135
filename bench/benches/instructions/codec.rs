//! OpenFlow messages between values and bytes. The flows are always the same, whatever the compiler makes.

use crate::heap::settled;
use bytes::{Bytes, BytesMut};
use gungraun::library_benchmark;
use std::time::Duration;
use weir_bench::flows;
use weir_openflow::message::{FlowEntries, FlowStats, MultipartReply};
use weir_openflow::{EncodedEdit, Flow, FlowEdit, Message, Xid, split_frame};

fn encoded(count: usize) -> Vec<EncodedEdit> {
    flows::encoded(count).expect("the flows are small")
}

fn edits(count: usize) -> Vec<FlowEdit> {
    encoded(count).iter().map(|edit| edit.decode().expect("Weir's own flow")).collect()
}

/// Entries of one part of a reply to a request for all flows.
fn entries(count: usize) -> Bytes {
    let stats = |edit| match edit {
        FlowEdit::AddFlow(flow) => stats(flow),
        other => unreachable!("{other:?} is no flow"),
    };
    let stats: Vec<FlowStats> = edits(count).into_iter().map(stats).collect();
    let reply = MultipartReply::Flows(stats.iter().collect::<FlowEntries>());
    let mut message = BytesMut::new();
    Message::MultipartReply { reply, more: false }
        .encode(Xid(1), &mut message)
        .expect("the entries fit into a message");
    message.freeze()
}

fn stats(flow: Flow) -> FlowStats {
    FlowStats { flow, duration: Duration::from_secs(60), idle: Duration::from_secs(1), packets: 1_000, bytes: 64_000 }
}

/// Edits and what they were encoded as.
type Encoded = (Vec<FlowEdit>, Vec<EncodedEdit>);

fn encode(edits: Vec<FlowEdit>) -> Encoded {
    let encoded = edits.iter().map(|edit| EncodedEdit::encode(edit).expect("a small flow")).collect();
    (edits, encoded)
}

fn decode(encoded: Vec<EncodedEdit>) -> Encoded {
    let edits = encoded.iter().map(|edit| edit.decode().expect("Weir's own flow")).collect();
    (edits, encoded)
}

fn decode_entries(message: Bytes) -> Vec<FlowStats> {
    let frame = split_frame(&mut message.into()).ok().flatten().expect("a whole message");
    match Message::decode(frame.header, frame.body) {
        Ok(Message::MultipartReply { reply: MultipartReply::Flows(entries), .. }) => {
            entries.decode().expect("Weir's own flows")
        }
        other => panic!("no flows: {other:?}"),
    }
}

#[library_benchmark]
#[bench::of_1000(settled(edits(1_000)))]
pub(crate) fn encode_flow_mods(edits: Vec<FlowEdit>) -> Encoded {
    encode(edits)
}

#[library_benchmark]
#[bench::of_1000(settled(encoded(1_000)))]
pub(crate) fn decode_flow_mods(encoded: Vec<EncodedEdit>) -> Encoded {
    decode(encoded)
}

#[library_benchmark]
#[bench::of_200(settled(entries(200)))]
pub(crate) fn decode_flow_entries(message: Bytes) -> Vec<FlowStats> {
    decode_entries(message)
}
