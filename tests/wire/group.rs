//! Groups and meters: as ovs-ofctl sends them, and as a real switch keeps them.

use crate::live::entries;
use crate::switch::{Connection, Switch};
use crate::vector::{digits, vectors};
use weir_openflow::{
    Action, Bucket, BucketId, EncodedEdit, FlowEdit, FlowTable, Group, GroupId, GroupKind, Meter, PortNo,
};

const GROUPS: &str = include_str!("vectors/groups.txt");
const METERS: &str = include_str!("vectors/meters.txt");
const GROUP_DESC: u16 = 7;
const METER_DESC: u16 = 10;
/// Type and code of the errors by which the switch refuses.
const UNKNOWN_BUCKET: (u16, u16) = (6, 15);
const BUCKET_EXISTS: (u16, u16) = (6, 16);
const METER_EXISTS: (u16, u16) = (12, 1);

fn encode(edit: &FlowEdit) -> EncodedEdit {
    EncodedEdit::encode(edit).expect("the edit fits into a message")
}

/// The groups that a switch holds.
fn groups(connection: &mut Connection) -> Vec<Group> {
    let dump = connection.multipart(GROUP_DESC, &[0xff, 0xff, 0xff, 0xfc, 0, 0, 0, 0]);
    let mut groups: Vec<_> = entries(&dump).into_iter().map(|entry| Group::decode(entry).expect("a group")).collect();
    groups.sort();
    groups
}

/// The meters that a switch holds.
fn meters(connection: &mut Connection) -> Vec<Meter> {
    let dump = connection.multipart(METER_DESC, &[0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let mut meters: Vec<_> = entries(&dump).into_iter().map(|entry| Meter::decode(entry).expect("a meter")).collect();
    meters.sort_by_key(|meter| meter.id);
    meters
}

#[test]
fn text_becomes_the_bytes_that_ovs_ofctl_sends() {
    for vector in vectors(GROUPS) {
        let group: Group = vector.text.parse().expect(&vector.text);
        let edit = encode(&FlowEdit::AddGroup(group.clone()));
        let mut expected = vector.bytes;
        // ovs-ofctl sends OFPGC_ADD, we send the command that also puts the group in place of another.
        expected[8..10].copy_from_slice(&[0x80, 0]);
        assert_eq!(digits(edit.message()), digits(&expected), "{}", vector.text);
        assert_eq!(edit.decode(), Ok(FlowEdit::AddGroup(group.clone())));
        assert_eq!(group.to_string(), vector.text);
    }
    for vector in vectors(METERS) {
        let meter: Meter = vector.text.parse().expect(&vector.text);
        let edit = encode(&FlowEdit::AddMeter(meter.clone()));
        assert_eq!(digits(edit.message()), digits(&vector.bytes), "{}", vector.text);
        assert_eq!(edit.decode(), Ok(FlowEdit::AddMeter(meter.clone())));
        assert_eq!(meter.to_string(), vector.text);
    }
}

#[test]
fn a_switch_keeps_groups_and_meters() {
    let switch = Switch::start();
    let mut connection = switch.connect();
    let mut expected: Vec<Group> = Vec::new();
    for vector in vectors(GROUPS) {
        let group: Group = vector.text.parse().expect("the vectors are parsed elsewhere");
        let edit = encode(&FlowEdit::AddGroup(group.clone()));
        assert_eq!(connection.apply(edit.message()), Ok(()), "{}", vector.text);
        assert_eq!(connection.apply(edit.message()), Ok(()), "twice: {}", vector.text);
        expected.push(group);
    }
    expected.sort();
    assert_eq!(groups(&mut connection), expected);
    let printed = switch.ofctl(&[], "dump-groups", &[]).expect("ovs-ofctl dumps");
    let mut printed: Vec<_> = printed.lines().skip(1).map(str::trim).collect();
    let mut ours: Vec<_> = expected.iter().map(Group::to_string).collect();
    printed.sort_unstable();
    ours.sort_unstable();
    assert_eq!(ours, printed);

    let mut expected: Vec<Meter> = Vec::new();
    for vector in vectors(METERS) {
        let meter: Meter = vector.text.parse().expect("the vectors are parsed elsewhere");
        let edit = encode(&FlowEdit::AddMeter(meter.clone()));
        assert_eq!(connection.apply(edit.message()), Ok(()), "{}", vector.text);
        assert_eq!(connection.apply(edit.message()), Err(METER_EXISTS), "twice: {}", vector.text);
        assert_eq!(connection.apply(edit.meter_change().message()), Ok(()), "changed: {}", vector.text);
        expected.push(meter);
    }
    expected.sort_by_key(|meter| meter.id);
    assert_eq!(meters(&mut connection), expected);
    for edit in expected.iter().map(|meter| encode(&FlowEdit::DeleteMeter(meter.id))) {
        assert_eq!(connection.apply(edit.message()), Ok(()));
    }
    assert_eq!(meters(&mut connection), []);
}

fn bucket(id: u32, port: u32) -> Bucket {
    Bucket::new(BucketId(id), vec![Action::set(weir_openflow::Field::Reg0, id.into()), Action::output(PortNo(port))])
}

/// A switch and a [`FlowTable`] agree on every edit of buckets, refusals included.
#[test]
fn a_switch_edits_buckets_as_a_flow_table_does() {
    let id = GroupId(9);
    for kind in [GroupKind::All, GroupKind::Select] {
        let switch = Switch::start();
        let mut connection = switch.connect();
        let mut table = FlowTable::default();
        let weighted = |id, weight| Bucket { weight, ..bucket(id, 1) };
        let edits = [
            (FlowEdit::AddGroup(Group::new(id, kind).with(weighted(5, 0))), Ok(())),
            (FlowEdit::InsertBucket { group: id, bucket: bucket(3, 7) }, Ok(())),
            (FlowEdit::InsertBucket { group: id, bucket: bucket(3, 8) }, Err(BUCKET_EXISTS)),
            (FlowEdit::InsertBucket { group: id, bucket: bucket(9, 8) }, Ok(())),
            (FlowEdit::RemoveBucket { group: id, bucket: BucketId(4) }, Err(UNKNOWN_BUCKET)),
            (FlowEdit::RemoveBucket { group: id, bucket: BucketId(5) }, Ok(())),
            (FlowEdit::RemoveBucket { group: id, bucket: BucketId(3) }, Ok(())),
            (FlowEdit::InsertBucket { group: id, bucket: bucket(3, 9) }, Ok(())),
        ];
        for (edit, expected) in edits {
            let encoded = encode(&edit);
            assert_eq!(encoded.decode().as_ref(), Ok(&edit));
            assert_eq!(connection.apply(encoded.message()), expected, "{edit:?}");
            assert_eq!(table.apply(&edit), expected.is_ok(), "{edit:?}");
            let held: Vec<_> = table.groups.values().cloned().collect();
            assert_eq!(groups(&mut connection), held, "{edit:?}");
        }
    }
}

/// The addition of a group, made of an empty one and insertions.
fn joined(group: &Group) -> Option<EncodedEdit> {
    let empty = encode(&FlowEdit::AddGroup(Group { buckets: Vec::new(), ..group.clone() }));
    let insertion = |bucket: &Bucket| encode(&FlowEdit::InsertBucket { group: group.id, bucket: bucket.clone() });
    let insertions: Vec<_> = group.buckets.iter().map(insertion).collect();
    empty.with_buckets(&insertions)
}

#[test]
fn a_group_of_all_takes_buckets_as_they_travel() {
    let mut joinable = 0;
    for vector in vectors(GROUPS) {
        let group: Group = vector.text.parse().expect(&vector.text);
        let plain = group.kind == GroupKind::All;
        joinable += usize::from(plain);
        assert_eq!(joined(&group), plain.then(|| encode(&FlowEdit::AddGroup(group))), "{}", vector.text);
    }
    assert!(joinable > 0, "no vector says anything about it");
    let of = |buckets| {
        let bucket = |id| Bucket::new(BucketId(id), vec![Action::output(PortNo(id))]);
        Group { buckets: (1..=buckets).map(bucket).collect(), ..Group::new(GroupId(1), GroupKind::All) }
    };
    let counts: Vec<u32> = (1..3_000).collect();
    let most = counts.partition_point(|count| joined(&of(*count)).is_some()) as u32;
    assert_eq!(joined(&of(most)), Some(encode(&FlowEdit::AddGroup(of(most)))));
    let error = EncodedEdit::encode(&FlowEdit::AddGroup(of(most + 1))).expect_err("no room for one more");
    assert!(error.length > usize::from(u16::MAX) - 16, "{error}");
}
