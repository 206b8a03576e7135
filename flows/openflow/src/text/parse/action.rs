//! Parsing actions and instructions.

use super::learn::learn;
use super::modify::modification;
use super::translate::nat;
use crate::action::WHOLE_PACKET;
use crate::text::error::{Fault, ParseErrorKind, fail};
use crate::text::names::Names;
use crate::text::scan::{Pair, Pairs, arrow, bytes, integer, number};
use crate::text::{print, value};
use crate::{
    Action, Controller, Ct, CtFlags, Field, GroupId, Instructions, MeterId, PortNo, Subfield, TableId, ZoneSource,
};

/// How deep actions may lie within actions.
const MAX_DEPTH: u8 = 16;

/// What an action means depends on the packets that the flow matches.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Around {
    /// The IP protocol.
    pub(super) protocol: Option<u8>,
    /// Whether there is a VLAN header.
    pub(super) tagged: bool,
}

/// A list of actions; `drop` is the empty one.
pub(super) fn list<'a>(text: &'a str, names: &Names, around: &mut Around, depth: u8) -> Result<Vec<Action>, Fault<'a>> {
    if depth > MAX_DEPTH {
        return fail(text, ParseErrorKind::Depth);
    }
    let mut actions = Vec::new();
    let mut dropped = None;
    for pair in Pairs::new(text) {
        let pair = pair?;
        if pair.key == "drop" {
            dropped = Some(pair.key);
            continue;
        }
        action(&pair, names, around, depth, &mut actions)?;
    }
    match dropped {
        Some(at) if !actions.is_empty() => fail(at, ParseErrorKind::Alone),
        _ => Ok(actions),
    }
}

/// The text after `actions=` of a flow.
pub(super) fn instructions<'a>(text: &'a str, names: &Names, around: &mut Around) -> Result<Instructions, Fault<'a>> {
    let mut found = Instructions::default();
    let mut dropped = None;
    for pair in Pairs::new(text) {
        let pair = pair?;
        match pair.key {
            "drop" => dropped = Some(pair.key),
            "clear_actions" => found.clear = true,
            "write_actions" => found.write = list(pair.value, names, around, 1)?,
            "write_metadata" => {
                let (value, mask) = pair.value.split_once('/').unwrap_or((pair.value, "0xffffffffffffffff"));
                let (value, mask): (u64, u64) = match (integer(value), integer(mask)) {
                    (Ok(value), Ok(mask)) => (value, mask),
                    _ => return fail(pair.value, ParseErrorKind::Number),
                };
                found.write_metadata = Some((value & mask, mask)).filter(|&(_, mask)| mask != 0);
            }
            "goto_table" => found.goto = Some(value::table(pair.value, names)?),
            _ => action(&pair, names, around, 0, &mut found.apply)?,
        }
    }
    match dropped {
        Some(at) if found != Instructions::default() => fail(at, ParseErrorKind::Alone),
        _ => Ok(found),
    }
}

fn action<'a>(
    pair: &Pair<'a>,
    names: &Names,
    around: &mut Around,
    depth: u8,
    actions: &mut Vec<Action>,
) -> Result<(), Fault<'a>> {
    let text = pair.value;
    let one = match pair.key {
        "output" => output(text, names)?,
        "group" => Action::Group(GroupId(integer(text)?)),
        "meter" => Action::Meter(MeterId(integer(text)?)),
        "controller" | "CONTROLLER" => controller(text)?,
        "set_field" => {
            let (value, to) = arrow(text)?;
            let Some((field, shift)) = value::field(to) else {
                return fail(to, ParseErrorKind::UnknownField);
            };
            set_field(value, field, shift, names)?
        }
        "load" => {
            let (value, to) = arrow(text)?;
            load(value, value::subfield(to)?)?
        }
        "move" => {
            let (src, dst) = arrow(text)?;
            let (src, dst) = (value::subfield(src)?, value::subfield(dst)?);
            if src.bits != dst.bits {
                return fail(text, ParseErrorKind::Widths);
            }
            Action::Move { src, dst }
        }
        "push" => Action::Push(value::subfield(text)?),
        "pop" => Action::Pop(value::subfield(text)?),
        "set_queue" => Action::SetQueue(integer(text)?),
        "dec_ttl" => dec_ttl(text)?,
        "ct" => Action::Ct(ct(pair, names, around, depth)?),
        "ct_clear" => Action::CtClear,
        "resubmit" => resubmit(text, names)?,
        "learn" => Action::Learn(learn(text, names)?),
        "conjunction" => conjunction(text)?,
        "clone" => Action::Clone(list(text, names, around, depth + 1)?),
        "check_pkt_larger" => {
            let Some(to) = pair.to else {
                return fail(text, ParseErrorKind::MissingArrow);
            };
            let dst = value::subfield(to)?;
            if dst.bits != 1 {
                return fail(to, ParseErrorKind::Widths);
            }
            Action::CheckPktLarger { length: integer(text)?, dst }
        }
        "delete_field" => match Field::from_name(text) {
            Some(field) => Action::DeleteField(field),
            None => return fail(text, ParseErrorKind::UnknownField),
        },
        "note" => Action::Note(bytes(text)?).canonical(),
        "exit" => Action::Exit,
        _ => {
            if modification(pair, around, actions)? {
                return Ok(());
            }
            match value::port(pair.key, names) {
                Ok(port) => Action::output(port),
                Err(_) => return fail(pair.key, ParseErrorKind::UnknownAction),
            }
        }
    };
    actions.push(one);
    Ok(())
}

fn output<'a>(text: &'a str, names: &Names) -> Result<Action, Fault<'a>> {
    if let Ok(port) = value::port(text, names) {
        return Ok(Action::output(port));
    }
    match value::subfield(text) {
        Ok(src) => Ok(Action::OutputReg { src, max_len: WHOLE_PACKET }),
        Err(_) => fail(text, ParseErrorKind::UnknownPort),
    }
}

/// `set_field:TEXT->field`.
pub(super) fn set_field<'a>(text: &'a str, field: Field, shift: u16, names: &Names) -> Result<Action, Fault<'a>> {
    if shift != 0 {
        let tos: u8 = integer(text)?;
        return Ok(Action::set(field, u128::from(tos) >> shift));
    }
    // Bits of a field that cannot be matched by mask can be set by mask all the same.
    let parsed = match text.split_once('/') {
        Some((value, mask)) if !field.maskable() => (number(value)?, number(mask)?),
        _ => value::parse(field, text, names)?,
    };
    let (value, mask) = parsed;
    Ok(Action::SetField { field, value, mask }.canonical())
}

fn load(text: &str, dst: Subfield) -> Result<Action, Fault<'_>> {
    let value = number(text)?;
    if value & !crate::field::ones(dst.bits) != 0 {
        return fail(text, ParseErrorKind::TooLarge);
    }
    match u64::try_from(value) {
        Ok(value) => Ok(Action::Load { value, dst }),
        Err(_) => Ok(Action::set_bits(dst, value)),
    }
}

fn dec_ttl(text: &str) -> Result<Action, Fault<'_>> {
    let ids = text.split([',', ' ']).filter(|id| !id.is_empty());
    let controllers: Vec<u16> = ids.map(integer).collect::<Result<_, _>>()?;
    Ok(if controllers.is_empty() { Action::dec_ttl() } else { Action::DecTtl { controllers } })
}

fn resubmit<'a>(text: &'a str, names: &Names) -> Result<Action, Fault<'a>> {
    let mut parts = text.splitn(3, ',');
    let port = match parts.next().filter(|port| !port.is_empty()) {
        Some(port) => Some(value::port(port, names)?).filter(|&port| port != PortNo::IN_PORT),
        None => None,
    };
    let table = match parts.next().filter(|table| !table.is_empty()) {
        Some(table) => Some(value::table(table, names)?).filter(|&table| table != TableId::ALL),
        None => None,
    };
    let ct = match parts.next() {
        None | Some("") => false,
        Some("ct") => true,
        Some(other) => return fail(other, ParseErrorKind::UnknownKeyword),
    };
    if port.is_none() && table.is_none() {
        return fail(text, ParseErrorKind::MissingPart);
    }
    Ok(Action::Resubmit { port, table, ct })
}

fn conjunction(text: &str) -> Result<Action, Fault<'_>> {
    let parts = text.split_once(',').and_then(|(id, of)| Some((id, of.split_once('/')?)));
    let Some((id, (clause, clauses))) = parts else {
        return fail(text, ParseErrorKind::MissingPart);
    };
    let id = integer(id.trim())?;
    let (clause, clauses): (u8, u8) = (integer(clause.trim())?, integer(clauses.trim())?);
    if !(2..=64).contains(&clauses) || clause < 1 || clause > clauses {
        return fail(text, ParseErrorKind::Range);
    }
    Ok(Action::Conjunction { id, clause, clauses })
}

fn controller(text: &str) -> Result<Action, Fault<'_>> {
    let mut to =
        Controller { max_len: WHOLE_PACKET, controller: 0, reason: 1, userdata: Vec::new(), pause: false, meter: None };
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        to.max_len = integer(text)?;
        return Ok(Action::Controller(to).canonical());
    }
    for pair in Pairs::new(text) {
        let Pair { key, value, .. } = pair?;
        match key {
            "reason" => to.reason = reason(value)?,
            "max_len" => to.max_len = integer(value)?,
            "id" => to.controller = integer(value)?,
            "userdata" => to.userdata = bytes(value)?,
            "pause" => to.pause = true,
            "meter_id" => to.meter = Some(MeterId(integer(value)?)),
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        }
    }
    Ok(Action::Controller(to).canonical())
}

fn reason(text: &str) -> Result<u8, Fault<'_>> {
    match print::REASONS.iter().position(|&reason| reason == text) {
        Some(reason) => Ok(reason as u8),
        None => integer(text),
    }
}

fn ct<'a>(pair: &Pair<'a>, names: &Names, around: &mut Around, depth: u8) -> Result<Ct, Fault<'a>> {
    let mut ct = Ct {
        flags: CtFlags::default(),
        zone: ZoneSource::Constant(0),
        table: None,
        alg: 0,
        nat: None,
        exec: Vec::new(),
    };
    for pair in Pairs::new(pair.value) {
        let Pair { key, value: text, .. } = pair?;
        match key {
            "commit" => ct.flags.commit = true,
            "force" => ct.flags.force = true,
            "table" => match value::table(text, names)? {
                TableId::ALL => return fail(text, ParseErrorKind::Range),
                table => ct.table = Some(table),
            },
            "zone" => ct.zone = zone(text)?,
            "alg" => {
                ct.alg = match text {
                    "ftp" => 21,
                    "tftp" => 69,
                    _ => return fail(text, ParseErrorKind::UnknownKeyword),
                }
            }
            "nat" => ct.nat = Some(nat(text)?),
            "exec" => ct.exec = list(text, names, around, depth + 1)?,
            _ => return fail(key, ParseErrorKind::UnknownKeyword),
        }
    }
    if ct.flags.force && !ct.flags.commit {
        return fail(pair.value, ParseErrorKind::MissingPart);
    }
    Ok(ct)
}

fn zone(text: &str) -> Result<ZoneSource, Fault<'_>> {
    if text.starts_with(|first: char| first.is_ascii_digit()) {
        return integer(text).map(ZoneSource::Constant);
    }
    let field = value::subfield(text)?;
    if field.bits != 16 {
        return fail(text, ParseErrorKind::Widths);
    }
    Ok(ZoneSource::Field(field))
}
