//! The `learn` action (`NXAST_LEARN` and `NXAST_LEARN2`).

use super::action::nicira;
use super::oxm::{put_name32, put_nicira_name, subfield, subfield32};
use super::{DecodeErrorKind, Parsed, fail, put_uint, skip, u8, u16, u32, u64, uint};
use crate::{Action, Learn, LearnSource, LearnSpec, LearnTarget, TableId};
use bytes::{BufMut, BytesMut};

/// Flag: the result goes into a bit.
pub(crate) const WRITE_RESULT: u16 = 4;

const BITS: u16 = 0x7ff;
const IMMEDIATE: u16 = 1 << 13;
const TARGET: u16 = 3 << 11;
const LOAD: u16 = 1 << 11;
const OUTPUT: u16 = 2 << 11;

/// A `learn` action from the bytes after its subtype on; `second` tells whether it has a limit and a result.
pub(super) fn learn(input: &[u8], second: bool) -> Parsed<'_, Action> {
    let (rest, idle_timeout) = u16(input)?;
    let (rest, hard_timeout) = u16(rest)?;
    let (rest, priority) = u16(rest)?;
    let (rest, cookie) = u64(rest)?;
    let at_flags = rest;
    let (rest, flags) = u16(rest)?;
    let (rest, table) = u8(rest)?;
    let (rest, ()) = skip(rest, 1)?;
    let (rest, fin_idle_timeout) = u16(rest)?;
    let (mut rest, fin_hard_timeout) = u16(rest)?;
    let known = if second { 7 } else { 3 };
    if flags & !known != 0 {
        return fail(at_flags, DecodeErrorKind::Value);
    }
    let (mut limit, mut result) = (0, None);
    if second {
        let offset;
        (rest, limit) = u32(rest)?;
        (rest, offset) = u16(rest)?;
        (rest, ()) = skip(rest, 2)?;
        if flags & WRITE_RESULT != 0 {
            let (after, bit) = subfield(rest, offset, 1)?;
            (rest, result) = (after, Some(bit));
        }
    }
    let mut specs = Vec::new();
    while rest.len() >= 2 {
        let (after, header) = u16(rest)?;
        if header == 0 {
            break;
        }
        let (after, spec) = spec(after, header)?;
        specs.push(spec);
        rest = after;
    }
    let learn = Learn {
        idle_timeout,
        hard_timeout,
        priority,
        cookie,
        table: TableId(table),
        flags,
        fin_idle_timeout,
        fin_hard_timeout,
        limit,
        result,
        specs,
    };
    Ok((rest, Action::Learn(learn)))
}

fn spec(input: &[u8], header: u16) -> Parsed<'_, LearnSpec> {
    let bits = header & BITS;
    if header & !(BITS | IMMEDIATE | TARGET) != 0 || bits == 0 {
        return fail(input, DecodeErrorKind::Value);
    }
    let (rest, source) = if header & IMMEDIATE == 0 {
        let (rest, from) = field(input, bits)?;
        (rest, LearnSource::Field { field: from.field, offset: from.offset })
    } else {
        let bytes = constant_bytes(bits);
        if bytes > 16 {
            return fail(input, DecodeErrorKind::Value);
        }
        let (rest, value) = uint(input, bytes)?;
        (rest, LearnSource::Constant(value))
    };
    let (rest, target) = match (header & TARGET, source) {
        (0, _) => {
            let (rest, to) = field(rest, bits)?;
            (rest, LearnTarget::Match { field: to.field, offset: to.offset })
        }
        (LOAD, _) => {
            let (rest, to) = field(rest, bits)?;
            (rest, LearnTarget::Load { field: to.field, offset: to.offset })
        }
        (OUTPUT, LearnSource::Field { .. }) => (rest, LearnTarget::Output),
        _ => return fail(input, DecodeErrorKind::Value),
    };
    Ok((rest, LearnSpec { source, target, bits }))
}

fn field(input: &[u8], bits: u16) -> Parsed<'_, crate::Subfield> {
    let (offset_at, _) = skip(input, 4)?;
    let (rest, offset) = u16(offset_at)?;
    let (_, subfield) = subfield32(input, offset, bits)?;
    Ok((rest, subfield))
}

/// How many bytes a constant takes: pairs of bytes, right aligned.
const fn constant_bytes(bits: u16) -> usize {
    bits.div_ceil(16) as usize * 2
}

/// Writes a whole `learn` action.
pub(super) fn put_learn(out: &mut BytesMut, learn: &Learn, first: u16, second: u16) {
    let extended = learn.limit != 0 || learn.result.is_some();
    let flags = learn.flags & !WRITE_RESULT | if learn.result.is_some() { WRITE_RESULT } else { 0 };
    nicira(out, if extended { second } else { first }, |out| {
        out.put_u16(learn.idle_timeout);
        out.put_u16(learn.hard_timeout);
        out.put_u16(learn.priority);
        out.put_u64(learn.cookie);
        out.put_u16(flags);
        out.put_u8(learn.table.0);
        out.put_u8(0);
        out.put_u16(learn.fin_idle_timeout);
        out.put_u16(learn.fin_hard_timeout);
        if extended {
            out.put_u32(learn.limit);
            out.put_u16(learn.result.map_or(0, |bit| bit.offset));
            out.put_u16(0);
        }
        if let Some(bit) = learn.result {
            put_nicira_name(out, bit.field);
        }
        learn.specs.iter().for_each(|spec| put_spec(out, spec));
    });
}

fn put_spec(out: &mut BytesMut, spec: &LearnSpec) {
    let source = match spec.source {
        LearnSource::Field { .. } => 0,
        LearnSource::Constant(_) => IMMEDIATE,
    };
    let target = match spec.target {
        LearnTarget::Match { .. } => 0,
        LearnTarget::Load { .. } => LOAD,
        LearnTarget::Output => OUTPUT,
    };
    out.put_u16(spec.bits & BITS | source | target);
    match spec.source {
        LearnSource::Field { field, offset } => {
            put_name32(out, field);
            out.put_u16(offset);
        }
        LearnSource::Constant(value) => put_uint(out, value, constant_bytes(spec.bits).min(16)),
    }
    match spec.target {
        LearnTarget::Match { field, offset } | LearnTarget::Load { field, offset } => {
            put_name32(out, field);
            out.put_u16(offset);
        }
        LearnTarget::Output => (),
    }
}
