//! Meter-mods and meter configurations (OpenFlow 1.5, sections 7.3.4.5 and 7.3.5.15).

use super::{DecodeErrorKind, Parsed, all, counted, fail, put_length, skip, u16, u32};
use crate::{Band, FlowEdit, Meter, MeterFlags, MeterId};
use bytes::{BufMut, BytesMut};

const ADD: u16 = 0;
const MODIFY: u16 = 1;
const DELETE: u16 = 2;
const DROP: u16 = 1;
const BAND_LEN: usize = 16;

fn flags(input: &[u8]) -> Parsed<'_, MeterFlags> {
    let (rest, bits) = u16(input)?;
    if bits & !15 != 0 {
        return fail(input, DecodeErrorKind::Value);
    }
    let flags = MeterFlags { kbps: bits & 1 != 0, pktps: bits & 2 != 0, burst: bits & 4 != 0, stats: bits & 8 != 0 };
    Ok((rest, flags))
}

fn put_flags(out: &mut BytesMut, flags: MeterFlags) {
    let MeterFlags { kbps, pktps, burst, stats } = flags;
    out.put_u16(u16::from(kbps) | u16::from(pktps) << 1 | u16::from(burst) << 2 | u16::from(stats) << 3);
}

/// A band; without the flag, the burst has no meaning, and a switch may fill in the rate.
fn band(input: &[u8], flags: MeterFlags) -> Parsed<'_, Band> {
    let (rest, kind) = u16(input)?;
    let (_, length) = u16(rest)?;
    if kind != DROP {
        return fail(input, DecodeErrorKind::UnknownType(kind));
    }
    if usize::from(length) != BAND_LEN {
        return fail(input, DecodeErrorKind::Length);
    }
    counted(input, BAND_LEN, 4, |body| {
        let (rest, rate) = u32(body)?;
        let (rest, burst) = u32(rest)?;
        let (rest, ()) = skip(rest, 4)?;
        Ok((rest, Band { rate, burst: if flags.burst { burst } else { 0 } }))
    })
}

fn put_bands(out: &mut BytesMut, meter: &Meter) {
    for band in &meter.bands {
        out.put_u16(DROP);
        out.put_u16(BAND_LEN as u16);
        out.put_u32(band.rate);
        out.put_u32(if meter.flags.burst { band.burst } else { 0 });
        out.put_u32(0);
    }
}

/// The body of a meter-mod.
pub(crate) fn meter_mod(input: &[u8]) -> Parsed<'_, FlowEdit> {
    let (rest, command) = u16(input)?;
    let (rest, flags) = flags(rest)?;
    let (rest, id) = u32(rest)?;
    let id = MeterId(id);
    match command {
        ADD | MODIFY => {
            let (rest, bands) = all(rest, |input| band(input, flags))?;
            Ok((rest, FlowEdit::AddMeter(Meter { id, flags, bands })))
        }
        DELETE => Ok((rest, FlowEdit::DeleteMeter(id))),
        _ => fail(input, DecodeErrorKind::UnknownType(command)),
    }
}

/// Writes the body of a meter-mod; nothing for an edit of anything else.
pub(crate) fn put_meter_mod(out: &mut BytesMut, edit: &FlowEdit) {
    match edit {
        FlowEdit::AddMeter(meter) => {
            out.put_u16(ADD);
            put_flags(out, meter.flags);
            out.put_u32(meter.id.0);
            put_bands(out, meter);
        }
        FlowEdit::DeleteMeter(id) => {
            out.put_u32(u32::from(DELETE) << 16);
            out.put_u32(id.0);
        }
        _ => (),
    }
}

/// One entry of a reply to `OFPMP_METER_DESC`.
pub(crate) fn meter_config(input: &[u8]) -> Parsed<'_, Meter> {
    let (_, length) = u16(input)?;
    counted(input, usize::from(length), 2, |body| {
        let (rest, flags) = flags(body)?;
        let (rest, id) = u32(rest)?;
        let (rest, bands) = all(rest, |input| band(input, flags))?;
        Ok((rest, Meter { id: MeterId(id), flags, bands }))
    })
}

/// Writes one entry of a reply to `OFPMP_METER_DESC`.
pub(crate) fn put_meter_config(out: &mut BytesMut, meter: &Meter) {
    let start = out.len();
    out.put_u16(0);
    put_flags(out, meter.flags);
    out.put_u32(meter.id.0);
    put_bands(out, meter);
    put_length(out, start, start);
}
