//! Flows as `ovs-ofctl -O OpenFlow15 add-flow` sends them.

use crate::vector::{digits, vectors};
use weir_openflow::{EncodedEdit, Flow, FlowEdit, RawFlow};

pub(crate) const FLOWS: &str = include_str!("vectors/flows.txt");
/// `OXM_OF_PACKET_TYPE` Ethernet: ovs-ofctl leaves out of a flow-mod what the switch puts into its dumps.
const ETHERNET: &[u8] = &[0x80, 0, 0x58, 4, 0, 0, 0, 0];

pub(crate) fn encode(flow: &Flow) -> EncodedEdit {
    EncodedEdit::encode(&FlowEdit::AddFlow(flow.clone())).expect("a flow fits into a message")
}

/// The fields of a match without the packet type that may stand first.
fn fields<'a>(raw: &RawFlow<'a>) -> &'a [u8] {
    let fields = &raw.key.matching[4..];
    fields.strip_prefix(ETHERNET).unwrap_or(fields)
}

#[test]
fn text_becomes_the_bytes_that_ovs_ofctl_sends() {
    let mut failures = Vec::new();
    for vector in vectors(FLOWS) {
        let flow: Flow = vector.text.parse().expect(&vector.text);
        let edit = encode(&flow);
        let ours = RawFlow::from_flow_mod(edit.message()).expect("we encode flow-mods");
        let theirs = RawFlow::from_flow_mod(&vector.bytes).expect("ovs-ofctl sends flow-mods");
        if digits(fields(&ours)) != digits(fields(&theirs))
            || digits(ours.value.instructions) != digits(theirs.value.instructions)
        {
            failures.push(format!("{}\n{}\n{}", vector.text, digits(edit.message()), digits(&vector.bytes)));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

/// Flows that ovs-ofctl writes in a way that is not ours, with the same meaning; or that no switch takes.
const OTHER: &str = include_str!("vectors/other.txt");

#[test]
fn bytes_become_what_their_text_becomes() {
    let mut failures = Vec::new();
    for vector in vectors(FLOWS).into_iter().chain(vectors(OTHER)) {
        let flow: Flow = vector.text.parse().expect(&vector.text);
        let edit = EncodedEdit::from_message(vector.bytes.clone().into()).expect("ovs-ofctl sends flow-mods");
        match edit.decode() {
            Ok(FlowEdit::AddFlow(decoded)) if decoded == flow.clone().canonical() => (),
            other => failures.push(format!("{}\n{other:?}\n{flow:?}", vector.text)),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}
