//! Parsing groups and meters.

use super::action::{Around, list};
use crate::text::error::{Fault, ParseError, ParseErrorKind, fail, located};
use crate::text::names::Names;
use crate::text::scan::{Pair, Pairs, integer};
use crate::text::value;
use crate::{Band, Bucket, BucketId, Field, Group, GroupId, GroupKind, Meter, MeterFlags, MeterId};
use std::str::FromStr;

impl FromStr for Group {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, Names::NONE)
    }
}

impl Group {
    /// Parses a group such as `group_id=1,type=all,bucket=bucket_id:0,actions=output:1`.
    ///
    /// # Errors
    /// When the text is no group.
    pub fn parse(text: &str, names: &Names) -> Result<Self, ParseError> {
        located(text, group(text, names))
    }
}

fn group<'a>(text: &'a str, names: &Names) -> Result<Group, Fault<'a>> {
    let (head, mut rest) = text.split_at(text.find("bucket=").unwrap_or(text.len()));
    let (mut id, mut kind) = (None, None);
    let mut group = Group::new(GroupId(0), GroupKind::All);
    for pair in Pairs::new(head) {
        let Pair { key, value: text, .. } = pair?;
        match key {
            "group_id" => match integer(text)? {
                number if number <= GroupId::MAX.0 => id = Some(GroupId(number)),
                _ => return fail(text, ParseErrorKind::TooLarge),
            },
            "type" => kind = Some(group_kind(text)?),
            "selection_method" => group.selection.method = text.to_owned(),
            "selection_method_param" => group.selection.parameter = integer(text)?,
            "fields" => group.selection.fields = fields(text, names)?,
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        }
    }
    let (Some(id), Some(kind)) = (id, kind) else {
        return fail(text, ParseErrorKind::MissingPart);
    };
    (group.id, group.kind) = (id, kind);
    while let Some(after) = rest.strip_prefix("bucket=") {
        let (one, following) = after.split_at(after.find("bucket=").unwrap_or(after.len()));
        let unnamed = group.buckets.iter().map(|bucket| bucket.id.0 + 1).max().unwrap_or(0);
        let bucket = bucket(one, kind, BucketId(unnamed), names)?;
        if group.buckets.iter().any(|present| present.id == bucket.id) {
            return fail(one, ParseErrorKind::Range);
        }
        group.buckets.push(bucket);
        rest = following;
    }
    if kind != GroupKind::FastFailover {
        group.buckets.sort_by_key(|bucket| bucket.id);
    }
    Ok(group)
}

fn group_kind(text: &str) -> Result<GroupKind, Fault<'_>> {
    match text {
        "all" => Ok(GroupKind::All),
        "select" => Ok(GroupKind::Select),
        "indirect" => Ok(GroupKind::Indirect),
        "ff" | "fast_failover" => Ok(GroupKind::FastFailover),
        _ => fail(text, ParseErrorKind::UnknownKeyword),
    }
}

fn fields<'a>(text: &'a str, names: &Names) -> Result<Vec<(Field, u128)>, Fault<'a>> {
    let mut fields = Vec::new();
    for pair in Pairs::new(text) {
        let pair = pair?;
        let Some(field) = Field::from_name(pair.key) else {
            return fail(pair.key, ParseErrorKind::UnknownField);
        };
        let bits = if pair.value.is_empty() { field.ones() } else { value::parse(field, pair.value, names)?.0 };
        if fields.iter().any(|&(present, _)| present == field) {
            return fail(pair.key, ParseErrorKind::Range);
        }
        fields.push((field, bits));
    }
    fields.sort_unstable();
    Ok(fields)
}

fn bucket<'a>(text: &'a str, kind: GroupKind, unnamed: BucketId, names: &Names) -> Result<Bucket, Fault<'a>> {
    let mut bucket = Bucket::new(unnamed, Vec::new());
    bucket.weight = u16::from(kind == GroupKind::Select);
    let mut rest = Pairs::new(text);
    let mut around = Around::default();
    let mut actions = None;
    loop {
        let before = rest;
        let Some(pair) = rest.next() else { break };
        let Pair { key, value: text, .. } = pair?;
        match key {
            "weight" => bucket.weight = integer(text)?,
            "watch_port" => bucket.watch_port = value::port(text, names)?,
            "watch_group" => bucket.watch_group = GroupId(integer(text)?),
            "bucket_id" => match integer(text)? {
                id if id <= 0xffff_ff00 => bucket.id = BucketId(id),
                _ => return fail(text, ParseErrorKind::TooLarge),
            },
            // What follows "actions=" or is no other word is an action.
            _ => {
                let whole = before.rest.trim_start_matches([',', ' ']);
                let list_text = match key {
                    "actions" | "action" => whole.get(key.len() + 1..).unwrap_or_default(),
                    _ => whole,
                };
                actions = Some(list(list_text, names, &mut around, 0)?);
                break;
            }
        }
    }
    match actions {
        Some(actions) => {
            bucket.actions = actions;
            Ok(bucket)
        }
        None => fail(text, ParseErrorKind::MissingActions),
    }
}

impl FromStr for Meter {
    type Err = ParseError;

    /// Parses a meter such as `meter=1 pktps burst stats bands=type=drop rate=5 burst_size=9`.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        located(text, meter(text))
    }
}

fn meter(text: &str) -> Result<Meter, Fault<'_>> {
    let at = text.find("band").unwrap_or(text.len());
    let (head, bands) = text.split_at(at);
    let mut id = None;
    let mut flags = MeterFlags::default();
    for pair in Pairs::new(head) {
        let Pair { key, value: text, .. } = pair?;
        match (key, text) {
            ("kbps", _) => flags.kbps = true,
            ("pktps", _) => flags.pktps = true,
            ("burst", _) => flags.burst = true,
            ("stats", _) => flags.stats = true,
            ("meter", "slowpath") => id = Some(MeterId(0xffff_fffd)),
            ("meter", "controller") => id = Some(MeterId(0xffff_fffe)),
            ("meter", _) => id = Some(MeterId(integer(text)?)),
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        }
    }
    let Some(id) = id else {
        return fail(text, ParseErrorKind::MissingPart);
    };
    let mut meter = Meter { id, flags, bands: Vec::new() };
    let bands = bands.split_once('=').map_or("", |(_, bands)| bands);
    for pair in Pairs::new(bands) {
        let Pair { key, value: text, .. } = pair?;
        match (key, meter.bands.last_mut()) {
            ("type", _) if text == "drop" => meter.bands.push(Band { rate: 0, burst: 0 }),
            ("rate", Some(band)) => band.rate = integer(text)?,
            ("burst_size", Some(band)) => band.burst = integer(text)?,
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        }
    }
    Ok(meter)
}
