//! Link-layer addresses of ports.

use crate::{MacAddress, PortId};

/// FNV-1a over the id's bytes: the same id has the same address in every run and on every machine.
fn scattered(id: PortId) -> u64 {
    id.0.as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// The address of a port that names none: the base's first bytes, then bytes scattered by the
/// port's id, and from there the next one that is not taken. `None` if all are.
pub(crate) fn port_mac(base: MacAddress, id: PortId, taken: impl Fn(MacAddress) -> bool) -> Option<MacAddress> {
    let bits = if base.0[3] == 0 { 24 } else { 16 };
    let mask = (1_u64 << bits) - 1;
    let fixed = base.to_u64() & !mask;
    let hash = scattered(id);
    let start = hash ^ hash >> 32;
    (0..=mask)
        .map(|step| {
            let number = fixed | start.wrapping_add(step) & mask;
            let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
            MacAddress([a, b, c, d, e, f])
        })
        .find(|mac| !taken(*mac))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use uuid::Uuid;

    #[test]
    fn the_base_keeps_three_bytes_or_four() {
        let id = PortId(Uuid::from_u128(7));
        let three = port_mac(MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0]), id, |_| false);
        let four = port_mac(MacAddress([0xfa, 0x16, 0x3e, 0x7a, 0, 0]), id, |_| false);
        let (three, four) = (three.expect("free").0, four.expect("free").0);
        assert_eq!(three[..3], [0xfa, 0x16, 0x3e]);
        assert_eq!(four[..4], [0xfa, 0x16, 0x3e, 0x7a]);
        assert_eq!(three[4..], four[4..]);
    }

    #[test]
    fn every_address_of_the_base_is_tried_once() {
        let tried = Cell::new(0);
        let base = MacAddress([2, 0, 0, 1, 0, 0]);
        let none = port_mac(base, PortId(Uuid::from_u128(7)), |_| {
            tried.set(tried.get() + 1);
            true
        });
        assert_eq!((none, tried.get()), (None, 1 << 16));
    }
}
