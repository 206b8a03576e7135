//! Which bucket of a group takes a packet.

use super::Bridge;
use crate::packet::Fields;
use std::hash::{DefaultHasher, Hash, Hasher};
use weir_openflow::{Bucket, Group, GroupId, GroupKind, PortNo};

/// How long a chain of watched groups may be.
const WATCH_DEPTH_MAX: usize = 128;

/// A hash over addresses and ports, the same for both directions of a connection.
///
/// It is not the hash of Open vSwitch: which bucket a connection takes differs, that it keeps to one does not.
pub(super) fn hash(fields: &Fields) -> u64 {
    let mut hasher = DefaultHasher::new();
    (fields.eth_src ^ fields.eth_dst, fields.eth_type, fields.nw_proto).hash(&mut hasher);
    (fields.nw_src ^ fields.nw_dst, fields.ipv6_src ^ fields.ipv6_dst, fields.tp_src ^ fields.tp_dst).hash(&mut hasher);
    hasher.finish()
}

/// The live bucket with the highest score, by hash and weight.
pub(super) fn by_hash(bridge: &Bridge, group: &Group, hash: u64) -> Option<usize> {
    let score = |bucket: &Bucket| {
        let mut hasher = DefaultHasher::new();
        (hash, bucket.id.0).hash(&mut hasher);
        (hasher.finish() & 0xffff) * u64::from(bucket.weight)
    };
    (0..group.buckets.len())
        .filter(|place| is_alive(bridge, group, &group.buckets[*place], 0))
        .max_by_key(|place| score(&group.buckets[*place]))
}

/// The first live bucket.
pub(super) fn first_alive(bridge: &Bridge, group: &Group) -> Option<usize> {
    group.buckets.iter().position(|bucket| is_alive(bridge, group, bucket, 0))
}

fn is_alive(bridge: &Bridge, group: &Group, bucket: &Bucket, depth: usize) -> bool {
    if depth >= WATCH_DEPTH_MAX || (group.kind == GroupKind::Select && bucket.weight == 0) {
        return false;
    }
    let unwatched = bucket.watch_port == PortNo::ANY && bucket.watch_group == GroupId::ANY;
    let port_up = bucket.watch_port != PortNo::ANY && bridge.port(bucket.watch_port).is_some_and(|port| port.up);
    let group_up = bucket.watch_group != GroupId::ANY
        && bridge
            .group(bucket.watch_group)
            .is_some_and(|watched| watched.buckets.iter().any(|bucket| is_alive(bridge, watched, bucket, depth + 1)));
    unwatched || port_up || group_up
}
