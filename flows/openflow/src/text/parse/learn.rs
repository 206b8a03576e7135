//! Parsing the `learn` action.

use crate::text::error::{Fault, ParseErrorKind, fail};
use crate::text::names::Names;
use crate::text::scan::{Pair, Pairs, arrow, integer, number};
use crate::text::value;
use crate::wire::WRITE_RESULT;
use crate::{Learn, LearnSource, LearnSpec, LearnTarget, Subfield, TableId};

const SEND_FLOW_REMOVED: u16 = 1;
const DELETE_LEARNED: u16 = 2;

/// What stands within `learn(...)`.
pub(super) fn learn<'a>(text: &'a str, names: &Names) -> Result<Learn, Fault<'a>> {
    let mut learn = Learn {
        idle_timeout: 0,
        hard_timeout: 0,
        priority: 0x8000,
        cookie: 0,
        table: TableId(1),
        flags: 0,
        fin_idle_timeout: 0,
        fin_hard_timeout: 0,
        limit: 0,
        result: None,
        specs: Vec::new(),
    };
    for pair in Pairs::new(text) {
        let pair = pair?;
        let Pair { key, value: text, .. } = pair;
        match key {
            "table" => match value::table(text, names)? {
                TableId::ALL => return fail(text, ParseErrorKind::Range),
                table => learn.table = table,
            },
            "priority" => learn.priority = integer(text)?,
            "idle_timeout" => learn.idle_timeout = integer(text)?,
            "hard_timeout" => learn.hard_timeout = integer(text)?,
            "fin_idle_timeout" => learn.fin_idle_timeout = integer(text)?,
            "fin_hard_timeout" => learn.fin_hard_timeout = integer(text)?,
            "cookie" => learn.cookie = integer(text)?,
            "send_flow_rem" => learn.flags |= SEND_FLOW_REMOVED,
            "delete_learned" => learn.flags |= DELETE_LEARNED,
            "limit" => learn.limit = integer(text)?,
            "result_dst" => {
                let bit = value::subfield(text)?;
                if bit.bits != 1 {
                    return fail(text, ParseErrorKind::Widths);
                }
                learn.result = Some(bit);
                learn.flags |= WRITE_RESULT;
            }
            _ => learn.specs.push(spec(&pair, names)?),
        }
    }
    Ok(learn)
}

const fn source(subfield: Subfield) -> LearnSource {
    LearnSource::Field { field: subfield.field, offset: subfield.offset }
}

fn spec<'a>(pair: &Pair<'a>, names: &Names) -> Result<LearnSpec, Fault<'a>> {
    match pair.key {
        "output" => {
            let from = value::subfield(pair.value)?;
            Ok(LearnSpec { source: source(from), target: LearnTarget::Output, bits: from.bits })
        }
        "load" => {
            let (from, to) = arrow(pair.value)?;
            let to = value::subfield(to)?;
            let target = LearnTarget::Load { field: to.field, offset: to.offset };
            let source = if from.starts_with(|first: char| first.is_ascii_digit()) {
                constant(from, to)?
            } else {
                same_width(from, to)?
            };
            Ok(LearnSpec { source, target, bits: to.bits })
        }
        _ => matched(pair, names),
    }
}

/// `field`, `field=field` or `field=constant`.
fn matched<'a>(pair: &Pair<'a>, names: &Names) -> Result<LearnSpec, Fault<'a>> {
    let to = match value::subfield(pair.key) {
        Ok(to) => to,
        Err(_) => return fail(pair.key, ParseErrorKind::UnknownKeyword),
    };
    let target = LearnTarget::Match { field: to.field, offset: to.offset };
    let source = if pair.value.is_empty() {
        source(to)
    } else if value::subfield(pair.value).is_ok() {
        same_width(pair.value, to)?
    } else if to.is_whole() {
        LearnSource::Constant(value::parse(to.field, pair.value, names)?.0)
    } else {
        constant(pair.value, to)?
    };
    Ok(LearnSpec { source, target, bits: to.bits })
}

fn constant(text: &str, to: Subfield) -> Result<LearnSource, Fault<'_>> {
    let value = number(text)?;
    if value & !crate::field::ones(to.bits) != 0 {
        return fail(text, ParseErrorKind::TooLarge);
    }
    Ok(LearnSource::Constant(value))
}

fn same_width(text: &str, to: Subfield) -> Result<LearnSource, Fault<'_>> {
    let from = value::subfield(text)?;
    if from.bits != to.bits {
        return fail(text, ParseErrorKind::Widths);
    }
    Ok(source(from))
}
