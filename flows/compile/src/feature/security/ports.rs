//! Ranges of ports as values with masks.

/// The fewest pairs of value and mask that match exactly the numbers from `first` to `last`.
pub(super) fn masked(first: u16, last: u16) -> Vec<(u16, u16)> {
    let mut pairs = Vec::new();
    let (mut from, last) = (u32::from(first), u32::from(last));
    while from <= last {
        // The largest aligned block that starts here and does not go beyond the end.
        let aligned = if from == 0 { 16 } else { from.trailing_zeros().min(16) };
        let fitting = (last - from + 1).ilog2();
        let bits = aligned.min(fitting);
        pairs.push((from as u16, (0xffff_u32 << bits) as u16));
        from += 1 << bits;
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_ranges() {
        assert_eq!(masked(80, 80), [(80, 0xffff)]);
        assert_eq!(masked(0, 65535), [(0, 0)]);
        assert_eq!(masked(1024, 65535).len(), 6);
        assert_eq!(masked(1, 65534).len(), 30);
        assert_eq!(masked(9, 8), []);
    }

    proptest! {
        #[test]
        fn exactly_the_range_matches(a: u16, b: u16, probe: u16) {
            let (first, last) = (a.min(b), a.max(b));
            let pairs = masked(first, last);
            prop_assert!(pairs.len() <= 30);
            for number in [probe, first, last, first.wrapping_sub(1), last.wrapping_add(1)] {
                let hits = pairs.iter().filter(|(value, mask)| number & mask == *value).count();
                prop_assert_eq!(hits, usize::from((first..=last).contains(&number)));
            }
        }
    }
}
