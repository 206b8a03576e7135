//! Messages of OpenFlow: whatever is read can be written, and is read the same again.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use weir_openflow::{Frame, Message, split_frame};

fn decode(bytes: &[u8]) -> Option<(Frame, Message)> {
    let frame = split_frame(&mut BytesMut::from(bytes)).ok()??;
    let message = Message::decode(frame.header, frame.body.clone());
    message.ok().map(|message| (frame, message))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((frame, message)) = decode(bytes) else { return };
    let mut again = BytesMut::new();
    if message.encode(frame.header.xid, &mut again).is_err() {
        // A field that is written longer than it came can make a message too long.
        assert!(frame.body.len() > 1 << 14);
        return;
    }
    let read = decode(&again).map(|(_, message)| message);
    assert_eq!(read, Some(message), "read as\n{read:?}");
});
