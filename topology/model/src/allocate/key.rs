//! Numbers of records.

use crate::tree::Tree;
use std::ops::RangeInclusive;

/// The lowest number in `first..=last` that is not taken.
fn lowest_free<K: Ord + Copy, V>(
    taken: &Tree<K, V>,
    key: impl Fn(u32) -> K,
    number: impl Fn(K) -> u32,
    first: u32,
    last: u32,
) -> Option<u32> {
    if first > last {
        return None;
    }
    let mut candidate = first;
    for taken in taken.from(&key(first)).map(|(taken, _)| *taken) {
        if number(taken) != candidate {
            return Some(candidate);
        }
        if candidate == last {
            return None;
        }
        candidate += 1;
    }
    Some(candidate)
}

/// The next free number after the one given last, starting anew from 1 beyond `max`.
pub(crate) fn next_key<K: Ord + Copy, V>(
    taken: &Tree<K, V>,
    key: impl Fn(u32) -> K,
    number: impl Fn(K) -> u32,
    last_given: u32,
    max: u32,
) -> Option<u32> {
    let from = last_given.saturating_add(1);
    lowest_free(taken, &key, &number, from, max).or_else(|| lowest_free(taken, &key, &number, 1, last_given.min(max)))
}

/// The next free number of ascending disjoint ranges after the one given last, around.
pub(crate) fn next_in_ranges<K: Ord + Copy, V>(
    taken: &Tree<K, V>,
    key: impl Fn(u32) -> K,
    number: impl Fn(K) -> u32,
    last_given: u32,
    ranges: &[RangeInclusive<u32>],
) -> Option<u32> {
    let from = last_given.saturating_add(1);
    let later = ranges.iter().map(|range| ((*range.start()).max(from), *range.end()));
    let earlier = ranges.iter().map(|range| (*range.start(), (*range.end()).min(last_given)));
    later.chain(earlier).find_map(|(first, last)| lowest_free(taken, &key, &number, first, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(numbers: &[u32]) -> Tree<u32, ()> {
        numbers.iter().map(|number| (*number, ())).collect()
    }

    fn next(numbers: &[u32], last_given: u32, max: u32) -> Option<u32> {
        next_key(&taken(numbers), |key| key, |key| key, last_given, max)
    }

    #[test]
    fn numbers_go_round_from_the_one_given_last() {
        assert_eq!(next(&[], 0, 3), Some(1));
        assert_eq!(next(&[1], 1, 3), Some(2));
        assert_eq!(next(&[1, 2, 3], 1, 5), Some(4));
        assert_eq!(next(&[3], 3, 3), Some(1));
        assert_eq!(next(&[1, 3], 3, 3), Some(2));
        assert_eq!(next(&[1, 2, 3], 3, 3), None);
        assert_eq!(next(&[1, 2, 3], 2, 3), None);
        assert_eq!(next(&[2, 3], 1, 3), Some(1), "the one given last, once it is the only one left");
        assert_eq!(next(&[], u32::MAX, 3), Some(1));
    }

    fn ranged(numbers: &[u32], last_given: u32) -> Option<u32> {
        let ranges = [10..=11, 20..=21];
        next_in_ranges(&taken(numbers), |key| key, |key| key, last_given, &ranges)
    }

    #[test]
    fn ranges_are_gone_through_in_order() {
        assert_eq!(ranged(&[], 0), Some(10));
        assert_eq!(ranged(&[10], 10), Some(11));
        assert_eq!(ranged(&[10, 11], 11), Some(20));
        assert_eq!(ranged(&[15], 15), Some(20));
        assert_eq!(ranged(&[21], 21), Some(10));
        assert_eq!(ranged(&[10, 11, 21], 21), Some(20));
        assert_eq!(ranged(&[10, 11, 20, 21], 20), None);
        assert_eq!(next_in_ranges(&taken(&[]), |key| key, |key| key, 0, &[]), None);
    }
}
