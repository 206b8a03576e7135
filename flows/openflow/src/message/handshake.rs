//! Hello, features and switch configuration.

use super::property::{property, put_property};
use crate::wire::{self, Parsed};
use crate::{DatapathId, VERSION};
use bytes::{BufMut, BytesMut};

/// The versions that a side speaks (OpenFlow 1.5, section 7.5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version in the header: the highest that the sender speaks.
    pub version: u8,
    /// The versions by number, from the version bitmap; none if the sender sent no bitmap.
    pub versions: Option<Vec<u8>>,
}

/// What a switch says of itself (OpenFlow 1.5, section 7.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The number that names the switch.
    pub datapath: DatapathId,
    /// Packets that it can buffer; Open vSwitch buffers none.
    pub buffers: u32,
    /// How many tables it has.
    pub tables: u8,
    /// Which connection this is; 0 is the main one.
    pub auxiliary: u8,
    /// `OFPC_*` bits.
    pub capabilities: u32,
}

/// The configuration of a switch (OpenFlow 1.5, section 7.3.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchConfig {
    /// `OFPC_FRAG_*` bits.
    pub flags: u16,
    /// Bytes of a packet that a table miss sends to the controller.
    pub miss_send_len: u16,
}

/// `OFPHET_VERSIONBITMAP`.
const VERSION_BITMAP: u16 = 1;

impl Hello {
    /// The hello of a side that speaks OpenFlow 1.5 only.
    #[must_use]
    pub fn openflow15() -> Self {
        Self { version: VERSION, versions: Some(vec![VERSION]) }
    }

    /// Whether the sender speaks this version. Without a bitmap it speaks all versions up to that of its header.
    #[must_use]
    pub fn speaks(&self, version: u8) -> bool {
        match &self.versions {
            Some(versions) => versions.contains(&version),
            None => version <= self.version,
        }
    }

    pub(super) fn parse(version: u8, mut input: &[u8]) -> Parsed<'_, Self> {
        let mut versions = None;
        while !input.is_empty() {
            let (rest, (kind, bitmap)) = property(input)?;
            if kind == VERSION_BITMAP {
                versions = Some(
                    bitmap
                        .iter()
                        .enumerate()
                        .flat_map(|(at, byte)| (0..8).map(move |bit| (at, bit, byte >> bit & 1)))
                        .filter(|&(.., set)| set == 1)
                        .filter_map(|(at, bit, _)| u8::try_from((at & !3) * 8 + (3 - at % 4) * 8 + bit).ok())
                        .collect::<std::collections::BTreeSet<u8>>()
                        .into_iter()
                        .collect(),
                );
            }
            input = rest;
        }
        Ok((input, Self { version, versions }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        let Some(versions) = &self.versions else { return };
        put_property(out, VERSION_BITMAP, |out| {
            let words = versions.iter().max().map_or(1, |&highest| usize::from(highest) / 32 + 1);
            for word in 0..words {
                let mut bits = 0_u32;
                for &version in versions.iter().filter(|&&version| usize::from(version) / 32 == word) {
                    bits |= 1 << (version % 32);
                }
                out.put_u32(bits);
            }
        });
    }
}

impl Features {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, datapath) = wire::u64(input)?;
        let (input, buffers) = wire::u32(input)?;
        let (input, tables) = wire::u8(input)?;
        let (input, auxiliary) = wire::u8(input)?;
        let (input, ()) = wire::skip(input, 2)?;
        let (input, capabilities) = wire::u32(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let datapath = DatapathId(datapath);
        Ok((input, Self { datapath, buffers, tables, auxiliary, capabilities }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u64(self.datapath.0);
        out.put_u32(self.buffers);
        out.put_u8(self.tables);
        out.put_u8(self.auxiliary);
        out.put_bytes(0, 2);
        out.put_u32(self.capabilities);
        out.put_bytes(0, 4);
    }
}

impl SwitchConfig {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, flags) = wire::u16(input)?;
        let (input, miss_send_len) = wire::u16(input)?;
        Ok((input, Self { flags, miss_send_len }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u16(self.flags);
        out.put_u16(self.miss_send_len);
    }
}
