//! Actions (OpenFlow 1.5, section 7.2.6; the Nicira extensions as in `ofp-actions.c`).

use super::conntrack::{ct, put_ct};
use super::learn::{learn, put_learn};
use super::oxm::{entry, has_name32, name, put_entry, put_name, put_name32, put_nicira_name, subfield, subfield32};
use super::{DecodeErrorKind, Parsed, counted, fail, pad, put_length, skip, take, u8, u16, u32, u64, within};
use crate::action::{WHOLE_PACKET, settable};
use crate::field::NICIRA;
use crate::{Action, Controller, Field, GroupId, MeterId, PortNo, Subfield, TableId};
use bytes::{BufMut, BytesMut};

/// How deep actions may lie within actions: deeper than any flow has them, far from the end of the stack.
const MAX_DEPTH: u8 = 16;

mod kind {
    pub(super) const OUTPUT: u16 = 0;
    pub(super) const SET_VLAN_VID: u16 = 1;
    pub(super) const PUSH_VLAN: u16 = 17;
    pub(super) const POP_VLAN: u16 = 18;
    pub(super) const SET_QUEUE: u16 = 21;
    pub(super) const GROUP: u16 = 22;
    pub(super) const SET_TTL: u16 = 23;
    pub(super) const DEC_TTL: u16 = 24;
    pub(super) const SET_FIELD: u16 = 25;
    pub(super) const COPY_FIELD: u16 = 28;
    pub(super) const METER: u16 = 29;
    pub(super) const EXPERIMENTER: u16 = 0xffff;
}

mod subtype {
    pub(super) const RESUBMIT: u16 = 1;
    pub(super) const SET_TUNNEL: u16 = 2;
    pub(super) const NOTE: u16 = 8;
    pub(super) const SET_TUNNEL64: u16 = 9;
    pub(super) const RESUBMIT_TABLE: u16 = 14;
    pub(super) const OUTPUT_REG: u16 = 15;
    pub(super) const LEARN: u16 = 16;
    pub(super) const EXIT: u16 = 17;
    pub(super) const CONTROLLER: u16 = 20;
    pub(super) const DEC_TTL_IDS: u16 = 21;
    pub(super) const PUSH: u16 = 27;
    pub(super) const POP: u16 = 28;
    pub(super) const OUTPUT_REG2: u16 = 32;
    pub(super) const CONJUNCTION: u16 = 34;
    pub(super) const CT: u16 = 35;
    pub(super) const CONTROLLER2: u16 = 37;
    pub(super) const CLONE: u16 = 42;
    pub(super) const CT_CLEAR: u16 = 43;
    pub(super) const RESUBMIT_TABLE_CT: u16 = 44;
    pub(super) const LEARN2: u16 = 45;
    pub(super) const CHECK_PKT_LARGER: u16 = 49;
    pub(super) const DELETE_FIELD: u16 = 50;
}

/// Properties of `NXAST_CONTROLLER2`.
mod property {
    pub(super) const MAX_LEN: u16 = 0;
    pub(super) const CONTROLLER: u16 = 1;
    pub(super) const REASON: u16 = 2;
    pub(super) const USERDATA: u16 = 3;
    pub(super) const PAUSE: u16 = 4;
    pub(super) const METER: u16 = 5;
}

/// The reason that a packet-in of an action has unless it says otherwise.
const REASON_ACTION: u8 = 1;
/// The table of a resubmit that stays in its table, and that of a `ct` that goes on nowhere.
pub(super) const NO_TABLE: u8 = 255;

/// Actions up to the end of the input.
pub(crate) fn actions(input: &[u8]) -> Parsed<'_, Vec<Action>> {
    nested(0)(input)
}

/// Actions up to the end of the input, within as many others as `depth` says.
pub(super) fn nested(depth: u8) -> impl Fn(&[u8]) -> Parsed<'_, Vec<Action>> {
    move |input| {
        if depth > MAX_DEPTH {
            return fail(input, DecodeErrorKind::Depth);
        }
        let mut rest = input;
        let mut actions = Vec::with_capacity(counted_actions(input));
        while !rest.is_empty() {
            let (after, action) = action(rest, depth)?;
            actions.push(action);
            rest = after;
        }
        Ok((rest, actions))
    }
}

/// How many actions there are, as far as their lengths can be told.
fn counted_actions(mut input: &[u8]) -> usize {
    let mut count = 0;
    while let [_, _, high, low, ..] = *input {
        count += 1;
        let length = usize::from(u16::from_be_bytes([high, low])).max(8);
        input = input.get(length..).unwrap_or_default();
    }
    count
}

/// The type and the length of an action, which is a multiple of eight.
pub(super) fn head(input: &[u8]) -> Parsed<'_, (u16, usize)> {
    let (rest, kind) = u16(input)?;
    let (rest, length) = u16(rest)?;
    let length = usize::from(length);
    if length < 8 || length % 8 != 0 {
        return fail(input, DecodeErrorKind::Length);
    }
    Ok((rest, (kind, length)))
}

fn action(input: &[u8], depth: u8) -> Parsed<'_, Action> {
    let (_, (kind, length)) = head(input)?;
    if kind == kind::EXPERIMENTER {
        return counted(input, length, 4, |body| experimenter(body, depth));
    }
    counted(input, length, 4, |body| standard(body, kind))
}

fn standard(body: &[u8], kind: u16) -> Parsed<'_, Action> {
    let (rest, action) = match kind {
        kind::OUTPUT => {
            let (rest, port) = u32(body)?;
            let (rest, max_len) = u16(rest)?;
            (rest, Action::Output { port: PortNo(port), max_len })
        }
        kind::SET_VLAN_VID => {
            let (rest, vid) = u16(body)?;
            (rest, Action::set(Field::VlanVid, u128::from(vid & 0xfff | 0x1000)))
        }
        kind::PUSH_VLAN => {
            let (rest, ethertype) = u16(body)?;
            (rest, Action::PushVlan { ethertype })
        }
        kind::POP_VLAN => (body, Action::PopVlan),
        kind::SET_QUEUE => u32(body).map(|(rest, queue)| (rest, Action::SetQueue(queue)))?,
        kind::GROUP => u32(body).map(|(rest, group)| (rest, Action::Group(GroupId(group))))?,
        kind::SET_TTL => u8(body).map(|(rest, ttl)| (rest, Action::set(Field::IpTtl, u128::from(ttl))))?,
        kind::DEC_TTL => (body, Action::DecTtl { controllers: vec![0] }),
        kind::SET_FIELD => {
            let (rest, part) = entry(body)?;
            let set = Action::SetField { field: part.field, value: part.value, mask: part.mask };
            (rest, set.canonical())
        }
        kind::COPY_FIELD => copy_field(body)?,
        kind::METER => u32(body).map(|(rest, meter)| (rest, Action::Meter(MeterId(meter))))?,
        _ => return fail(body, DecodeErrorKind::UnknownAction(kind, 0)),
    };
    zeros(rest, action)
}

/// What is left of an action must be zero.
fn zeros<T>(rest: &[u8], action: T) -> Parsed<'_, T> {
    match rest.iter().position(|&byte| byte != 0) {
        Some(at) => fail(&rest[at..], DecodeErrorKind::Value),
        None => Ok((&rest[rest.len()..], action)),
    }
}

fn copy_field(body: &[u8]) -> Parsed<'_, Action> {
    let (rest, bits) = u16(body)?;
    let (rest, src_offset) = u16(rest)?;
    let (rest, dst_offset) = u16(rest)?;
    let (rest, ()) = skip(rest, 2)?;
    let (rest, src) = subfield(rest, src_offset, bits)?;
    let (rest, dst) = subfield(rest, dst_offset, bits)?;
    if src.bits != dst.bits {
        return fail(body, DecodeErrorKind::Value);
    }
    Ok((rest, Action::Move { src, dst }))
}

fn experimenter(body: &[u8], depth: u8) -> Parsed<'_, Action> {
    let (rest, experimenter) = u32(body)?;
    let (rest, subtype) = u16(rest)?;
    if experimenter != NICIRA {
        return fail(body, DecodeErrorKind::UnknownAction(kind::EXPERIMENTER, 0));
    }
    let (rest, action) = match subtype {
        subtype::RESUBMIT => {
            let (rest, port) = u16(rest)?;
            (rest, Action::Resubmit { port: resubmit_port(port), table: None, ct: false })
        }
        subtype::RESUBMIT_TABLE | subtype::RESUBMIT_TABLE_CT => {
            let (rest, port) = u16(rest)?;
            let (rest, table) = u8(rest)?;
            let table = (table != NO_TABLE).then_some(TableId(table));
            let ct = subtype == subtype::RESUBMIT_TABLE_CT;
            (rest, Action::Resubmit { port: resubmit_port(port), table, ct })
        }
        subtype::SET_TUNNEL => {
            let (rest, ()) = skip(rest, 2)?;
            let (rest, tunnel) = u32(rest)?;
            (rest, Action::set(Field::TunId, u128::from(tunnel)))
        }
        subtype::SET_TUNNEL64 => {
            let (rest, ()) = skip(rest, 6)?;
            let (rest, tunnel) = u64(rest)?;
            (rest, Action::set(Field::TunId, u128::from(tunnel)))
        }
        subtype::NOTE => return Ok((&rest[rest.len()..], Action::Note(rest.to_vec()))),
        subtype::OUTPUT_REG => {
            let (rest, bits) = u16(rest)?;
            let (offset, bits) = unpack(bits);
            let (rest, src) = subfield32(rest, offset, bits)?;
            let (rest, max_len) = u16(rest)?;
            (rest, Action::OutputReg { src, max_len })
        }
        subtype::OUTPUT_REG2 => {
            let (rest, bits) = u16(rest)?;
            let (offset, bits) = unpack(bits);
            let (rest, max_len) = u16(rest)?;
            let (rest, src) = subfield(rest, offset, bits)?;
            (rest, Action::OutputReg { src, max_len })
        }
        subtype::LEARN => learn(rest, false)?,
        subtype::LEARN2 => learn(rest, true)?,
        subtype::EXIT => (rest, Action::Exit),
        subtype::CONTROLLER => {
            let (rest, max_len) = u16(rest)?;
            let (rest, controller) = u16(rest)?;
            let (rest, reason) = u8(rest)?;
            let to = Controller { max_len, controller, reason, userdata: Vec::new(), pause: false, meter: None };
            (rest, Action::Controller(to).canonical())
        }
        subtype::CONTROLLER2 => {
            let (rest, ()) = skip(rest, 6)?;
            let (rest, to) = controller2(rest)?;
            (rest, Action::Controller(to).canonical())
        }
        subtype::DEC_TTL_IDS => {
            let (rest, count) = u16(rest)?;
            let (mut rest, ()) = skip(rest, 4)?;
            let mut controllers = Vec::new();
            for _ in 0..count {
                let (after, id) = u16(rest)?;
                controllers.push(id);
                rest = after;
            }
            (rest, Action::DecTtl { controllers })
        }
        subtype::PUSH => stack(rest).map(|(rest, field)| (rest, Action::Push(field)))?,
        subtype::POP => stack(rest).map(|(rest, field)| (rest, Action::Pop(field)))?,
        subtype::CONJUNCTION => {
            let (after, clause) = u8(rest)?;
            let (after, clauses) = u8(after)?;
            let (after, id) = u32(after)?;
            if !(2..=64).contains(&clauses) || clause >= clauses {
                return fail(rest, DecodeErrorKind::Value);
            }
            (after, Action::Conjunction { id, clause: clause + 1, clauses })
        }
        subtype::CT => return ct(rest, depth),
        subtype::CLONE => {
            let (rest, ()) = skip(rest, 6)?;
            let (rest, actions) = nested(depth + 1)(rest)?;
            return Ok((rest, Action::Clone(actions)));
        }
        subtype::CT_CLEAR => (rest, Action::CtClear),
        subtype::CHECK_PKT_LARGER => {
            let (rest, length) = u16(rest)?;
            let (rest, offset) = u16(rest)?;
            let (rest, dst) = subfield(rest, offset, 1)?;
            (rest, Action::CheckPktLarger { length, dst })
        }
        subtype::DELETE_FIELD => name(rest).map(|(rest, (field, _))| (rest, Action::DeleteField(field)))?,
        _ => return fail(body, DecodeErrorKind::UnknownAction(kind::EXPERIMENTER, subtype)),
    };
    zeros(rest, action)
}

fn stack(input: &[u8]) -> Parsed<'_, Subfield> {
    let (named, offset) = u16(input)?;
    let (rest, (field, shift)) = name(named)?;
    let (rest, bits) = u16(rest)?;
    let subfield = offset
        .checked_sub(shift)
        .filter(|offset| bits > 0 && offset.checked_add(bits).is_some_and(|end| end <= field.width()));
    match subfield {
        Some(offset) => Ok((rest, Subfield { field, offset, bits })),
        None => fail(named, DecodeErrorKind::Value),
    }
}

fn resubmit_port(port: u16) -> Option<PortNo> {
    let port = PortNo::from_openflow10(port);
    (port != PortNo::IN_PORT).then_some(port)
}

/// Offset and number of bits as old Nicira actions pack them.
pub(super) fn unpack(packed: u16) -> (u16, u16) {
    (packed >> 6, (packed & 0x3f) + 1)
}

/// The opposite of [`unpack`]; more than 64 bits cannot be packed.
pub(super) fn pack(subfield: Subfield) -> u16 {
    subfield.offset << 6 | subfield.bits.saturating_sub(1) & 0x3f
}

fn controller2(mut input: &[u8]) -> Parsed<'_, Controller> {
    let mut to = Controller {
        max_len: WHOLE_PACKET,
        controller: 0,
        reason: REASON_ACTION,
        userdata: Vec::new(),
        pause: false,
        meter: None,
    };
    while !input.is_empty() {
        let (rest, kind) = u16(input)?;
        let (_, length) = u16(rest)?;
        let length = usize::from(length);
        if length < 4 {
            return fail(input, DecodeErrorKind::Length);
        }
        let (rest, whole) = take(input, length)?;
        let body = &whole[4..];
        match kind {
            property::MAX_LEN => to.max_len = within(body, rest, first(u16))?.1,
            property::CONTROLLER => to.controller = within(body, rest, first(u16))?.1,
            property::REASON => to.reason = within(body, rest, first(u8))?.1,
            property::USERDATA => to.userdata = body.to_vec(),
            property::PAUSE => to.pause = true,
            property::METER => to.meter = Some(MeterId(within(body, rest, u32)?.1)),
            _ => return fail(input, DecodeErrorKind::UnknownType(kind)),
        }
        (input, ()) = skip(rest, super::padding(length).min(rest.len()))?;
    }
    Ok((input, to))
}

/// A number at the start of a property, whatever pads it.
pub(super) fn first<T>(number: impl Fn(&[u8]) -> Parsed<'_, T>) -> impl Fn(&[u8]) -> Parsed<'_, T> {
    move |input| number(input).map(|(rest, value)| (&rest[rest.len()..], value))
}

/// Writes actions one after another.
pub(crate) fn put_actions(out: &mut BytesMut, actions: &[Action]) {
    for action in actions {
        put_action(out, action);
    }
}

fn put_action(out: &mut BytesMut, action: &Action) {
    match action {
        Action::Output { port, max_len } => standard_head(out, kind::OUTPUT, |out| {
            out.put_u32(port.0);
            out.put_u16(*max_len);
            out.put_bytes(0, 6);
        }),
        Action::OutputReg { src, max_len } => put_output_reg(out, *src, *max_len),
        Action::Group(group) => standard_head(out, kind::GROUP, |out| out.put_u32(group.0)),
        Action::Meter(meter) => standard_head(out, kind::METER, |out| out.put_u32(meter.0)),
        Action::SetField { field, value, mask } => put_set(out, *field, *value, *mask),
        Action::Load { value, dst } => {
            put_set(out, dst.field, u128::from(*value) << dst.offset, crate::action::load_mask(*dst));
        }
        Action::Move { src, dst } => standard_head(out, kind::COPY_FIELD, |out| {
            out.put_u16(src.bits);
            out.put_u16(src.offset);
            out.put_u16(dst.offset);
            out.put_u16(0);
            put_name(out, src.field);
            put_name(out, dst.field);
        }),
        Action::PushVlan { ethertype } => standard_head(out, kind::PUSH_VLAN, |out| out.put_u16(*ethertype)),
        Action::PopVlan => standard_head(out, kind::POP_VLAN, |_| ()),
        Action::SetQueue(queue) => standard_head(out, kind::SET_QUEUE, |out| out.put_u32(*queue)),
        Action::DecTtl { controllers } if *controllers == [0] => standard_head(out, kind::DEC_TTL, |_| ()),
        Action::DecTtl { controllers } => nicira(out, subtype::DEC_TTL_IDS, |out| {
            out.put_u16(controllers.len() as u16);
            out.put_u32(0);
            controllers.iter().for_each(|&id| out.put_u16(id));
        }),
        Action::Ct(ct) => nicira(out, subtype::CT, |out| put_ct(out, ct)),
        Action::CtClear => nicira(out, subtype::CT_CLEAR, |_| ()),
        Action::Resubmit { port, table, ct } => {
            let subtype = if *ct { subtype::RESUBMIT_TABLE_CT } else { subtype::RESUBMIT_TABLE };
            nicira(out, subtype, |out| {
                out.put_u16(port.unwrap_or(PortNo::IN_PORT).0 as u16);
                out.put_u8(table.map_or(NO_TABLE, |table| table.0));
            });
        }
        Action::Learn(learn) => put_learn(out, learn, subtype::LEARN, subtype::LEARN2),
        Action::Conjunction { id, clause, clauses } => nicira(out, subtype::CONJUNCTION, |out| {
            out.put_u8(clause.saturating_sub(1));
            out.put_u8(*clauses);
            out.put_u32(*id);
        }),
        Action::Controller(to) => put_controller(out, to),
        Action::Clone(actions) => nicira(out, subtype::CLONE, |out| {
            out.put_bytes(0, 6);
            put_actions(out, actions);
        }),
        Action::CheckPktLarger { length, dst } => sized_nicira(out, subtype::CHECK_PKT_LARGER, 24, |out| {
            out.put_u16(*length);
            out.put_u16(dst.offset);
            put_nicira_name(out, dst.field);
        }),
        Action::DeleteField(field) => {
            sized_nicira(out, subtype::DELETE_FIELD, 24, |out| put_nicira_name(out, *field));
        }
        Action::Note(bytes) => nicira(out, subtype::NOTE, |out| out.put_slice(bytes)),
        Action::Push(field) => put_stack(out, subtype::PUSH, *field),
        Action::Pop(field) => put_stack(out, subtype::POP, *field),
        Action::Exit => nicira(out, subtype::EXIT, |_| ()),
    }
}

/// Writes an action with its type and, at the end, its length.
fn standard_head(out: &mut BytesMut, kind: u16, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(kind);
    out.put_u16(0);
    body(out);
    pad(out, start);
    put_length(out, start, start + 2);
}

/// Writes an action of Nicira, at least 16 bytes long.
pub(super) fn nicira(out: &mut BytesMut, subtype: u16, body: impl FnOnce(&mut BytesMut)) {
    sized_nicira(out, subtype, 16, body);
}

fn sized_nicira(out: &mut BytesMut, subtype: u16, least: usize, body: impl FnOnce(&mut BytesMut)) {
    let start = out.len();
    out.put_u16(kind::EXPERIMENTER);
    out.put_u16(0);
    out.put_u32(NICIRA);
    out.put_u16(subtype);
    body(out);
    out.put_bytes(0, least.saturating_sub(out.len() - start));
    pad(out, start);
    put_length(out, start, start + 2);
}

fn put_set(out: &mut BytesMut, field: Field, value: u128, mask: u128) {
    let (value, mask) = settable(field, value, mask);
    standard_head(out, kind::SET_FIELD, |out| put_entry(out, field, value, mask));
}

fn put_output_reg(out: &mut BytesMut, src: Subfield, max_len: u16) {
    if has_name32(src.field) {
        sized_nicira(out, subtype::OUTPUT_REG, 24, |out| {
            out.put_u16(pack(src));
            put_name32(out, src.field);
            out.put_u16(max_len);
        });
    } else {
        sized_nicira(out, subtype::OUTPUT_REG2, 24, |out| {
            out.put_u16(pack(src));
            out.put_u16(max_len);
            put_nicira_name(out, src.field);
        });
    }
}

fn put_stack(out: &mut BytesMut, subtype: u16, field: Subfield) {
    sized_nicira(out, subtype, 24, |out| {
        out.put_u16(field.offset);
        put_nicira_name(out, field.field);
        out.put_u16(field.bits);
    });
}

fn put_controller(out: &mut BytesMut, to: &Controller) {
    if to.is_plain() {
        let port = PortNo::CONTROLLER;
        return put_action(out, &Action::Output { port, max_len: to.max_len });
    }
    if to.userdata.is_empty() && !to.pause && to.meter.is_none() {
        return nicira(out, subtype::CONTROLLER, |out| {
            out.put_u16(to.max_len);
            out.put_u16(to.controller);
            out.put_u8(to.reason);
        });
    }
    nicira(out, subtype::CONTROLLER2, |out| {
        out.put_bytes(0, 6);
        if to.max_len != WHOLE_PACKET {
            put_property(out, property::MAX_LEN, &[&to.max_len.to_be_bytes(), &[0; 2]]);
        }
        if to.controller != 0 {
            put_property(out, property::CONTROLLER, &[&to.controller.to_be_bytes(), &[0; 2]]);
        }
        if to.reason != REASON_ACTION {
            put_property(out, property::REASON, &[&[to.reason]]);
        }
        if !to.userdata.is_empty() {
            put_property(out, property::USERDATA, &[&to.userdata]);
        }
        if to.pause {
            put_property(out, property::PAUSE, &[]);
        }
        if let Some(meter) = to.meter {
            put_property(out, property::METER, &[&meter.0.to_be_bytes()]);
        }
    });
}

/// Writes a property and fills it up to a multiple of eight, which its length does not tell.
pub(super) fn put_property(out: &mut BytesMut, kind: u16, parts: &[&[u8]]) {
    let start = out.len();
    out.put_u16(kind);
    out.put_u16(0);
    parts.iter().for_each(|part| out.put_slice(part));
    put_length(out, start, start + 2);
    pad(out, start);
}
