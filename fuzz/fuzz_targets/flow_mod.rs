//! Flow-mods, group-mods, meter-mods and entries of dumps.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_openflow::message::FlowStats;
use weir_openflow::{EncodedEdit, Group, Meter, RawFlow};

/// The types of the messages that are edits.
const KINDS: [u8; 3] = [14, 15, 29];

fuzz_target!(|input: (u8, &[u8])| {
    let (kind, body) = input;
    let kind = KINDS[usize::from(kind) % KINDS.len()];
    let Ok(length) = u16::try_from(body.len() + 8) else { return };
    let mut message = vec![6, kind];
    message.extend_from_slice(&length.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    message.extend_from_slice(body);
    if let Some(edit) = EncodedEdit::from_message(message.into()) {
        let _ = (edit.key(), edit.phase(), edit.withdrawal().key());
        if let Ok(value) = edit.decode() {
            let again = EncodedEdit::encode(&value).map(|again| again.decode());
            assert!(!matches!(again, Ok(Err(_))), "what we write can be read");
        }
    }
    for raw in RawFlow::all_from_stats(body).flatten() {
        let _ = raw.decode();
        assert_eq!(raw.key.deletion().key(), raw.key.to_key());
    }
    let _ = (FlowStats::decode(body), Group::decode(body), Meter::decode(body));
});
