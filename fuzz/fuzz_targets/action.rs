//! Actions: what is read is written and read again as the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use weir_openflow::Action;

fuzz_target!(|input: &[u8]| {
    if let Ok(actions) = Action::decode_list(input) {
        let mut bytes = BytesMut::new();
        Action::encode_list(&actions, &mut bytes);
        assert_eq!(Action::decode_list(&bytes), Ok(actions.into_iter().map(Action::canonical).collect()));
    }
});
