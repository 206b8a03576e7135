//! Ports of a switch: description, status, statistics.

use super::property::{property, put_length, put_property};
use crate::wire::{self, Parsed};
use crate::{DecodeErrorKind, PortNo};
use bytes::{BufMut, BytesMut};
use std::time::Duration;

/// A port of a switch (OpenFlow 1.5, section 7.2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its number.
    pub number: PortNo,
    /// Its Ethernet address.
    pub address: [u8; 6],
    /// Its name, at most 15 bytes. Bytes that are not UTF-8 are replaced by question marks.
    pub name: String,
    /// `OFPPC_*` bits.
    pub config: u32,
    /// `OFPPS_*` bits.
    pub state: u32,
    /// Speeds and features, if the switch tells them.
    pub ethernet: Option<Ethernet>,
}

impl Port {
    /// `OFPPC_PORT_DOWN`: taken down by configuration.
    pub const CONFIG_DOWN: u32 = 1;
    /// `OFPPS_LINK_DOWN`: no link.
    pub const STATE_LINK_DOWN: u32 = 1;
    /// `OFPPS_LIVE`: alive for fast failover.
    pub const STATE_LIVE: u32 = 4;
}

/// Features of an Ethernet port as `OFPPF_*` bits, and its speed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ethernet {
    /// In use.
    pub current: u32,
    /// Advertised to the peer.
    pub advertised: u32,
    /// Supported.
    pub supported: u32,
    /// Advertised by the peer.
    pub peer: u32,
    /// Speed in use, kilobits a second.
    pub current_speed: u32,
    /// Highest speed, kilobits a second.
    pub max_speed: u32,
}

/// What happened to a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortReason {
    /// It was added.
    Added,
    /// It was removed.
    Deleted,
    /// An attribute changed.
    Modified,
}

/// Tells that a port came, went or changed (OpenFlow 1.5, section 7.4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortStatus {
    /// What happened.
    pub reason: PortReason,
    /// The port as it is now, or as it was last.
    pub port: Port,
}

/// Counters of a port (OpenFlow 1.5, section 7.3.5.6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each counter is the field of the same name in the standard")]
pub struct PortStats {
    /// The port.
    pub number: PortNo,
    /// How long it has been there.
    pub duration: Duration,
    pub rx_packets: u64,
    pub tx_packets: u64,
    pub rx_bytes: u64,
    pub tx_bytes: u64,
    pub rx_dropped: u64,
    pub tx_dropped: u64,
    pub rx_errors: u64,
    pub tx_errors: u64,
    /// Frame, overrun and CRC errors and collisions, if the switch tells them.
    pub ethernet: Option<EthernetErrors>,
}

/// Receive errors of an Ethernet port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each counter is the field of the same name in the standard")]
pub struct EthernetErrors {
    pub rx_frame_err: u64,
    pub rx_over_err: u64,
    pub rx_crc_err: u64,
    pub collisions: u64,
}

/// The length of a name in the messages, with its closing zero.
const NAME_LEN: usize = 16;

/// Bytes of a port before its properties.
const PORT_LEN: usize = 40;

/// Bytes of a port's statistics before their properties.
const PORT_STATS_LEN: usize = 80;

/// The Ethernet property of a port and of its statistics.
const ETHERNET: u16 = 0;

/// The text in a field of fixed length: up to the first zero, which stands in the last byte at the latest. Bytes that are
/// not UTF-8 become question marks, so that the text fits into the same field again.
pub(super) fn parse_text(input: &[u8], length: usize) -> Parsed<'_, String> {
    let (rest, field) = wire::take(input, length)?;
    let field = &field[..length - 1];
    let mut text = String::new();
    for chunk in field.split(|&byte| byte == 0).next().unwrap_or_default().utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push('?');
        }
    }
    Ok((rest, text))
}

/// A text in a field of fixed length, cut at a character's border so that a zero follows it.
pub(super) fn put_text(out: &mut BytesMut, text: &str, length: usize) {
    let end = (0..length.min(text.len() + 1)).rev().find(|&end| text.is_char_boundary(end)).unwrap_or_default();
    out.put_slice(&text.as_bytes()[..end]);
    out.put_bytes(0, length - end);
}

impl Port {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, number) = wire::u32(input)?;
        let (rest, length) = wire::u16(rest)?;
        if usize::from(length) != input.len() {
            return wire::fail(&input[input.len() - rest.len() - 2..], DecodeErrorKind::Length);
        }
        let (rest, ()) = wire::skip(rest, 2)?;
        let (rest, address) = wire::take(rest, 6)?;
        let address = address.try_into().expect("six bytes were taken");
        let (rest, ()) = wire::skip(rest, 2)?;
        let (rest, name) = parse_text(rest, NAME_LEN)?;
        let (rest, config) = wire::u32(rest)?;
        let (mut rest, state) = wire::u32(rest)?;
        let mut ethernet = None;
        while !rest.is_empty() {
            let (next, (kind, value)) = property(rest)?;
            if kind == ETHERNET {
                ethernet = Some(wire::within(value, next, Ethernet::parse)?.1);
            }
            rest = next;
        }
        Ok((rest, Self { number: PortNo(number), address, name, config, state, ethernet }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_u32(self.number.0);
        out.put_bytes(0, 4);
        out.put_slice(&self.address);
        out.put_bytes(0, 2);
        put_text(out, &self.name, NAME_LEN);
        out.put_u32(self.config);
        out.put_u32(self.state);
        debug_assert_eq!(out.len() - start, PORT_LEN);
        if let Some(ethernet) = &self.ethernet {
            put_property(out, ETHERNET, |out| ethernet.put(out));
        }
        let length = out.len() - start;
        put_length(out, start + 4, length);
    }
}

impl Ethernet {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, ()) = wire::skip(input, 4)?;
        let (input, current) = wire::u32(input)?;
        let (input, advertised) = wire::u32(input)?;
        let (input, supported) = wire::u32(input)?;
        let (input, peer) = wire::u32(input)?;
        let (input, current_speed) = wire::u32(input)?;
        let (input, max_speed) = wire::u32(input)?;
        Ok((input, Self { current, advertised, supported, peer, current_speed, max_speed }))
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_bytes(0, 4);
        for word in [self.current, self.advertised, self.supported, self.peer, self.current_speed, self.max_speed] {
            out.put_u32(word);
        }
    }
}

impl PortStatus {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, reason) = wire::u8(input)?;
        let reason = match reason {
            0 => PortReason::Added,
            1 => PortReason::Deleted,
            2 => PortReason::Modified,
            _ => return wire::fail(input, DecodeErrorKind::Value),
        };
        let (rest, ()) = wire::skip(rest, 7)?;
        let (rest, port) = Port::parse(rest)?;
        Ok((rest, Self { reason, port }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u8(match self.reason {
            PortReason::Added => 0,
            PortReason::Deleted => 1,
            PortReason::Modified => 2,
        });
        out.put_bytes(0, 7);
        self.port.put(out);
    }
}

impl PortStats {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, ()) = wire::skip(input, 4)?;
        let (rest, number) = wire::u32(rest)?;
        let (mut rest, duration) = parse_duration(rest)?;
        let mut counters = [0; 8];
        for counter in &mut counters {
            (rest, *counter) = wire::u64(rest)?;
        }
        let mut ethernet = None;
        while !rest.is_empty() {
            let (next, (kind, value)) = property(rest)?;
            if kind == ETHERNET {
                ethernet = Some(wire::within(value, next, EthernetErrors::parse)?.1);
            }
            rest = next;
        }
        let [rx_packets, tx_packets, rx_bytes, tx_bytes, rx_dropped, tx_dropped, rx_errors, tx_errors] = counters;
        let stats = Self {
            number: PortNo(number),
            duration,
            rx_packets,
            tx_packets,
            rx_bytes,
            tx_bytes,
            rx_dropped,
            tx_dropped,
            rx_errors,
            tx_errors,
            ethernet,
        };
        Ok((rest, stats))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let start = out.len();
        out.put_bytes(0, 4);
        out.put_u32(self.number.0);
        put_duration(out, self.duration);
        for counter in [
            self.rx_packets,
            self.tx_packets,
            self.rx_bytes,
            self.tx_bytes,
            self.rx_dropped,
            self.tx_dropped,
            self.rx_errors,
            self.tx_errors,
        ] {
            out.put_u64(counter);
        }
        debug_assert_eq!(out.len() - start, PORT_STATS_LEN);
        if let Some(ethernet) = &self.ethernet {
            put_property(out, ETHERNET, |out| ethernet.put(out));
        }
        let length = out.len() - start;
        put_length(out, start, length);
    }
}

impl EthernetErrors {
    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, ()) = wire::skip(input, 4)?;
        let (input, rx_frame_err) = wire::u64(input)?;
        let (input, rx_over_err) = wire::u64(input)?;
        let (input, rx_crc_err) = wire::u64(input)?;
        let (input, collisions) = wire::u64(input)?;
        Ok((input, Self { rx_frame_err, rx_over_err, rx_crc_err, collisions }))
    }

    fn put(&self, out: &mut BytesMut) {
        out.put_bytes(0, 4);
        for counter in [self.rx_frame_err, self.rx_over_err, self.rx_crc_err, self.collisions] {
            out.put_u64(counter);
        }
    }
}

/// Seconds and nanoseconds; more nanoseconds than a second has are cut off.
pub(super) fn parse_duration(input: &[u8]) -> Parsed<'_, Duration> {
    let (rest, seconds) = wire::u32(input)?;
    let (rest, nanoseconds) = wire::u32(rest)?;
    Ok((rest, Duration::new(seconds.into(), nanoseconds.min(999_999_999))))
}

/// Seconds, as many as fit, and nanoseconds.
pub(super) fn put_duration(out: &mut BytesMut, duration: Duration) {
    out.put_u32(u32::try_from(duration.as_secs()).unwrap_or(u32::MAX));
    out.put_u32(duration.subsec_nanos());
}
