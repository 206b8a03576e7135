//! Numbers of records.

use rpds::RedBlackTreeMapSync;
use std::ops::RangeInclusive;

/// The lowest number in `first..=last` that is not taken.
fn lowest_free<K: Ord + Copy, V>(
    taken: &RedBlackTreeMapSync<K, V>,
    key: impl Fn(u32) -> K,
    number: impl Fn(K) -> u32,
    first: u32,
    last: u32,
) -> Option<u32> {
    if first > last {
        return None;
    }
    let mut candidate = first;
    for (taken, _) in taken.range(key(first)..=key(last)) {
        if number(*taken) != candidate {
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
    taken: &RedBlackTreeMapSync<K, V>,
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
    taken: &RedBlackTreeMapSync<K, V>,
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
