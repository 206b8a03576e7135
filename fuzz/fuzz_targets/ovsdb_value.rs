//! Values of the database: whatever is read is written the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_ovsdb::{Atom, Datum};

fn is_exact(atom: &Atom) -> bool {
    // The last digit of a real number may differ after a way through decimal text.
    !matches!(atom, Atom::Real(_))
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(datum) = serde_json::from_slice::<Datum>(bytes) else {
        return;
    };
    let text = serde_json::to_string(&datum).expect("values are written");
    let again: Datum = serde_json::from_str(&text).expect("what was written is read");
    let exact = match &datum {
        Datum::Set(set) => set.iter().all(is_exact),
        Datum::Map(map) => map.iter().all(|(key, value)| is_exact(key) && is_exact(value)),
    };
    if exact {
        assert_eq!(again, datum);
    }
});
