//! The notation of ovs-ofctl: what is parsed is printed and parsed again as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_openflow::{Flow, Group, Meter};

fuzz_target!(|text: &str| {
    if let Ok(flow) = text.parse::<Flow>() {
        let _ = flow.to_string().parse::<Flow>();
    }
    if let Ok(group) = text.parse::<Group>() {
        let _ = group.to_string().parse::<Group>();
    }
    if let Ok(meter) = text.parse::<Meter>() {
        assert_eq!(meter.to_string().parse::<Meter>().map(Meter::canonical), Ok(meter.canonical()));
    }
});
