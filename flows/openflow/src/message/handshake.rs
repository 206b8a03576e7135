//! Hello, features and switch configuration.

use crate::DatapathId;

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
