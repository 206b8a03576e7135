//! Packets: bytes, what the tables see of them, and how rewriting changes the bytes.

mod build;
pub(crate) mod checksum;
mod fields;
mod parse;
mod rewrite;

pub use build::{Frame, NeighbourAdvertisement};
pub use fields::{
    ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_QINQ, ETH_RARP, ETH_VLAN, FRAGMENT, Fields, LATER_FRAGMENT, Tracking, Tunnel,
    VLAN_PRESENT, Vlan, protocol,
};
pub(crate) use parse::Layout;

use std::fmt;

/// An Ethernet frame without preamble and frame check sequence.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Packet {
    bytes: Vec<u8>,
}

impl Packet {
    /// A packet of these bytes.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the tables see of the headers; the metadata is empty.
    pub fn fields(&self) -> Fields {
        parse::parse(&self.bytes, parse::TAGS_MAX).0
    }

    /// Fields and places of the headers behind `tags` VLAN tags. A switch that pushed a tag itself knows what is behind
    /// it, though it would not look there in a packet that comes in.
    pub(crate) fn headers(&self, tags: usize) -> (Fields, Layout) {
        parse::parse(&self.bytes, tags)
    }

    /// Ethernet source.
    pub fn eth_src(&self) -> u64 {
        self.fields().eth_src
    }

    /// The bytes behind the IP, TCP, UDP or ICMP header; empty for anything else.
    pub fn payload(&self) -> &[u8] {
        let (fields, layout) = parse::parse(&self.bytes, parse::TAGS_MAX);
        let Some(l4) = layout.l4 else {
            return &[];
        };
        let header = match fields.nw_proto {
            protocol::TCP => self.bytes.get(l4 + 12).map_or(0, |offset| usize::from(offset >> 4) * 4),
            _ => 8,
        };
        let end = l4 + layout.l4_len;
        self.bytes.get(l4 + header..end).unwrap_or(&[])
    }

    /// Changes the bytes so that the tables see `after` where they saw `before`.
    pub(crate) fn rewrite(&mut self, before: &Fields, after: &Fields) {
        rewrite::rewrite(&mut self.bytes, before, after);
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [")?;
        for byte in &self.bytes {
            write!(f, "{byte:02x}")?;
        }
        f.write_str("]")
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fields().fmt(f)
    }
}
