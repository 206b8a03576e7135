//! Group-mods and group descriptions (OpenFlow 1.5, sections 7.3.4.3 and 7.3.5.11; the selection method as in
//! `netronome-ext.h`).

use super::action::{actions, first, put_actions, put_property};
use super::oxm::{entry, put_entry};
use super::{
    DecodeErrorKind, Parsed, all, counted, fail, pad, padding, put_length, skip, take, u8, u16, u32, u64, within,
};
use crate::{Bucket, BucketId, Field, FlowEdit, Group, GroupId, GroupKind, PortNo, Selection};
use bytes::{BufMut, BytesMut};

mod command {
    pub(super) const DELETE: u16 = 2;
    pub(super) const INSERT_BUCKET: u16 = 3;
    pub(super) const REMOVE_BUCKET: u16 = 5;
    pub(super) const ADD_OR_MODIFY: u16 = 0x8000;
}

mod property {
    pub(super) const WEIGHT: u16 = 0;
    pub(super) const WATCH_PORT: u16 = 1;
    pub(super) const WATCH_GROUP: u16 = 2;
    pub(super) const EXPERIMENTER: u16 = 0xffff;
}

const BUCKET_LAST: u32 = 0xffff_fffe;
const BUCKET_ALL: u32 = 0xffff_ffff;
const NETRONOME: u32 = 0x154d;
const SELECTION_METHOD: u32 = 1;
/// How long the name of a selection method may be, with the zero that ends it.
const METHOD_LEN: usize = 16;

fn kind(input: &[u8]) -> Parsed<'_, GroupKind> {
    let (rest, number) = u8(input)?;
    let kind = match number {
        0 => GroupKind::All,
        1 => GroupKind::Select,
        2 => GroupKind::Indirect,
        3 => GroupKind::FastFailover,
        _ => return fail(input, DecodeErrorKind::UnknownType(u16::from(number))),
    };
    Ok((rest, kind))
}

const fn kind_number(kind: GroupKind) -> u8 {
    match kind {
        GroupKind::All => 0,
        GroupKind::Select => 1,
        GroupKind::Indirect => 2,
        GroupKind::FastFailover => 3,
    }
}

/// The body of a group-mod.
pub(crate) fn group_mod(input: &[u8]) -> Parsed<'_, FlowEdit> {
    let (rest, command) = u16(input)?;
    let (rest, kind) = kind(rest)?;
    let (rest, ()) = skip(rest, 1)?;
    let (rest, id) = u32(rest)?;
    let id = GroupId(id);
    let (rest, length) = u16(rest)?;
    let (rest, ()) = skip(rest, 2)?;
    let (rest, bucket) = u32(rest)?;
    let at_buckets = rest;
    let (rest, mut buckets) = buckets(rest, length, kind)?;
    let (rest, selection) = selection(rest)?;
    let edit = match command {
        command::ADD_OR_MODIFY => FlowEdit::AddGroup(Group { id, kind, buckets: in_order(kind, buckets), selection }),
        command::DELETE => FlowEdit::DeleteGroup(id),
        command::INSERT_BUCKET => match (buckets.pop(), buckets.is_empty()) {
            (Some(bucket), true) => FlowEdit::InsertBucket { group: id, bucket },
            _ => return fail(at_buckets, DecodeErrorKind::Value),
        },
        command::REMOVE_BUCKET => FlowEdit::RemoveBucket { group: id, bucket: BucketId(bucket) },
        _ => return fail(input, DecodeErrorKind::UnknownType(command)),
    };
    Ok((rest, edit))
}

/// Writes the body of a group-mod.
///
/// A group is added or, if it is there, modified (`OFPGC_ADD_OR_MOD`). A bucket is inserted after the others.
/// Writes nothing for an edit of anything else.
pub(crate) fn put_group_mod(out: &mut BytesMut, edit: &FlowEdit) {
    match edit {
        FlowEdit::AddGroup(group) => {
            put_mod(out, command::ADD_OR_MODIFY, group.kind, group.id, BUCKET_ALL, &group.buckets);
            put_selection(out, &group.selection);
        }
        FlowEdit::DeleteGroup(group) => put_mod(out, command::DELETE, GroupKind::All, *group, BUCKET_ALL, &[]),
        FlowEdit::InsertBucket { group, bucket } => {
            let bucket = std::slice::from_ref(bucket);
            put_mod(out, command::INSERT_BUCKET, GroupKind::All, *group, BUCKET_LAST, bucket);
        }
        FlowEdit::RemoveBucket { group, bucket } => {
            put_mod(out, command::REMOVE_BUCKET, GroupKind::All, *group, bucket.0, &[]);
        }
        _ => (),
    }
}

fn put_mod(out: &mut BytesMut, command: u16, kind: GroupKind, group: GroupId, bucket: u32, buckets: &[Bucket]) {
    out.put_u16(command);
    out.put_u8(kind_number(kind));
    out.put_u8(0);
    out.put_u32(group.0);
    let at = out.len();
    out.put_u32(0);
    out.put_u32(bucket);
    put_buckets(out, at, buckets, kind);
}

fn put_buckets(out: &mut BytesMut, length_at: usize, buckets: &[Bucket], kind: GroupKind) {
    let start = out.len();
    buckets.iter().for_each(|bucket| put_bucket(out, bucket, kind));
    put_length(out, start, length_at);
}

fn buckets(input: &[u8], length: u16, kind: GroupKind) -> Parsed<'_, Vec<Bucket>> {
    counted(input, usize::from(length), 0, |body| all(body, |input| bucket(input, kind)))
}

/// Buckets in ascending order, except where their order says which comes first.
fn in_order(kind: GroupKind, mut buckets: Vec<Bucket>) -> Vec<Bucket> {
    if kind != GroupKind::FastFailover {
        buckets.sort_by_key(|bucket| bucket.id);
    }
    buckets
}

fn bucket(input: &[u8], kind: GroupKind) -> Parsed<'_, Bucket> {
    let (_, length) = u16(input)?;
    counted(input, usize::from(length), 2, |body| {
        let (rest, actions_len) = u16(body)?;
        let (rest, id) = u32(rest)?;
        let (mut rest, actions) = counted(rest, usize::from(actions_len), 0, actions)?;
        let mut bucket = Bucket::new(BucketId(id), actions);
        bucket.weight = u16::from(kind == GroupKind::Select);
        while !rest.is_empty() {
            let (after, number) = u16(rest)?;
            let (_, length) = u16(after)?;
            let length = usize::from(length);
            if length < 4 {
                return fail(rest, DecodeErrorKind::Length);
            }
            let (after, whole) = take(rest, length)?;
            let value = &whole[4..];
            match number {
                property::WEIGHT => bucket.weight = within(value, after, first(u16))?.1,
                property::WATCH_PORT => bucket.watch_port = PortNo(within(value, after, u32)?.1),
                property::WATCH_GROUP => bucket.watch_group = GroupId(within(value, after, u32)?.1),
                _ => return fail(rest, DecodeErrorKind::UnknownType(number)),
            }
            (rest, ()) = skip(after, padding(length).min(after.len()))?;
        }
        Ok((rest, bucket))
    })
}

fn put_bucket(out: &mut BytesMut, bucket: &Bucket, kind: GroupKind) {
    let start = out.len();
    out.put_u32(0);
    out.put_u32(bucket.id.0);
    let actions = out.len();
    put_actions(out, &bucket.actions);
    put_length(out, actions, start + 2);
    if kind == GroupKind::Select || bucket.weight != 0 {
        put_property(out, property::WEIGHT, &[&bucket.weight.to_be_bytes(), &[0; 2]]);
    }
    if bucket.watch_port != PortNo::ANY {
        put_property(out, property::WATCH_PORT, &[&bucket.watch_port.0.to_be_bytes()]);
    }
    if bucket.watch_group != GroupId::ANY {
        put_property(out, property::WATCH_GROUP, &[&bucket.watch_group.0.to_be_bytes()]);
    }
    put_length(out, start, start);
}

/// The properties of a group, up to the end of the input: a selection method or nothing.
fn selection(input: &[u8]) -> Parsed<'_, Selection> {
    if input.is_empty() {
        return Ok((input, Selection::default()));
    }
    let (rest, number) = u16(input)?;
    let (_, length) = u16(rest)?;
    let length = usize::from(length);
    if number != property::EXPERIMENTER {
        return fail(input, DecodeErrorKind::UnknownType(number));
    }
    let (rest, selection) = counted(input, length, 4, selection_method)?;
    let (rest, ()) = skip(rest, padding(length).min(rest.len()))?;
    Ok((rest, selection))
}

fn selection_method(body: &[u8]) -> Parsed<'_, Selection> {
    let (rest, experimenter) = u32(body)?;
    let (rest, kind) = u32(rest)?;
    if (experimenter, kind) != (NETRONOME, SELECTION_METHOD) {
        return fail(body, DecodeErrorKind::UnknownType(kind as u16));
    }
    let (at_name, ()) = skip(rest, 4)?;
    let (rest, name) = take(at_name, METHOD_LEN)?;
    let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
    // A name is closed by a zero, and a property without a name says nothing.
    if name.is_empty() || name.len() == METHOD_LEN {
        return fail(at_name, DecodeErrorKind::Value);
    }
    let Ok(method) = std::str::from_utf8(name) else {
        return fail(at_name, DecodeErrorKind::Text);
    };
    let (mut rest, parameter) = u64(rest)?;
    let mut fields: Vec<(Field, u128)> = Vec::new();
    while !rest.is_empty() {
        let (after, part) = entry(rest)?;
        if fields.iter().any(|&(field, _)| field == part.field) {
            return fail(rest, DecodeErrorKind::DuplicateField);
        }
        fields.push((part.field, part.value));
        rest = after;
    }
    fields.sort_unstable();
    Ok((rest, Selection { method: method.to_owned(), parameter, fields }))
}

fn put_selection(out: &mut BytesMut, selection: &Selection) {
    if selection.method.is_empty() {
        return;
    }
    let start = out.len();
    out.put_u16(property::EXPERIMENTER);
    out.put_u16(0);
    out.put_u32(NETRONOME);
    out.put_u32(SELECTION_METHOD);
    out.put_u32(0);
    let mut name = [0; METHOD_LEN];
    let length = selection.method.len().min(METHOD_LEN - 1);
    name[..length].copy_from_slice(&selection.method.as_bytes()[..length]);
    out.put_slice(&name);
    out.put_u64(selection.parameter);
    for &(field, bits) in &selection.fields {
        put_entry(out, field, bits, field.ones());
    }
    put_length(out, start, start + 2);
    pad(out, start);
}

/// One entry of a reply to `OFPMP_GROUP_DESC`.
pub(crate) fn group_desc(input: &[u8]) -> Parsed<'_, Group> {
    let (_, length) = u16(input)?;
    counted(input, usize::from(length), 2, |body| {
        let (rest, kind) = kind(body)?;
        let (rest, ()) = skip(rest, 1)?;
        let (rest, id) = u32(rest)?;
        let (rest, length) = u16(rest)?;
        let (rest, ()) = skip(rest, 6)?;
        let (rest, buckets) = buckets(rest, length, kind)?;
        let (rest, selection) = selection(rest)?;
        Ok((rest, Group { id: GroupId(id), kind, buckets: in_order(kind, buckets), selection }))
    })
}

/// Writes one entry of a reply to `OFPMP_GROUP_DESC`.
pub(crate) fn put_group_desc(out: &mut BytesMut, group: &Group) {
    let start = out.len();
    out.put_u16(0);
    out.put_u8(kind_number(group.kind));
    out.put_u8(0);
    out.put_u32(group.id.0);
    let at = out.len();
    out.put_u64(0);
    put_buckets(out, at, &group.buckets, group.kind);
    put_selection(out, &group.selection);
    put_length(out, start, start);
}
