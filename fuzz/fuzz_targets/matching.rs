//! Matches: what is read is written and read again as the same.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use weir_openflow::Match;

fuzz_target!(|input: &[u8]| {
    if let Ok(matching) = Match::decode(input) {
        let mut bytes = BytesMut::new();
        matching.encode(&mut bytes);
        assert_eq!(Match::decode(&bytes), Ok(matching));
    }
});
