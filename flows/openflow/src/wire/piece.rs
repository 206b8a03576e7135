//! The pieces of messages that stand for themselves, each encoded and decoded on its own.

use super::{DecodeError, decode};
use crate::message::FlowStats;
use crate::{Action, Group, Match, Meter};
use bytes::BytesMut;

impl Match {
    /// Writes the match of a flow as an `ofp_match`, padded to a multiple of eight bytes.
    pub fn encode(&self, out: &mut BytesMut) {
        super::put_match(out, self);
    }

    /// Reads an `ofp_match` with its padding.
    ///
    /// # Errors
    /// When the bytes are no match, or hold a field that is not known.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        decode(input, super::matching)
    }
}

impl Action {
    /// Writes actions one after another.
    pub fn encode_list(actions: &[Self], out: &mut BytesMut) {
        super::put_actions(out, actions);
    }

    /// Reads actions up to the end of the input.
    ///
    /// # Errors
    /// When the bytes are no actions, or hold one that is not known.
    pub fn decode_list(input: &[u8]) -> Result<Vec<Self>, DecodeError> {
        decode(input, super::actions)
    }
}

impl FlowStats {
    /// Writes an entry of a reply to `OFPMP_FLOW_DESC`.
    pub fn encode(&self, out: &mut BytesMut) {
        super::put_flow_stats(out, self);
    }

    /// Reads an entry of a reply to `OFPMP_FLOW_DESC`.
    ///
    /// # Errors
    /// When the bytes are no such entry.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        decode(input, super::flow_stats)
    }
}

impl Group {
    /// Writes an entry of a reply to `OFPMP_GROUP_DESC`.
    pub fn encode(&self, out: &mut BytesMut) {
        super::put_group_desc(out, self);
    }

    /// Reads an entry of a reply to `OFPMP_GROUP_DESC`.
    ///
    /// # Errors
    /// When the bytes are no such entry.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        decode(input, super::group_desc)
    }
}

impl Meter {
    /// Writes an entry of a reply to `OFPMP_METER_DESC`.
    pub fn encode(&self, out: &mut BytesMut) {
        super::put_meter_config(out, self);
    }

    /// Reads an entry of a reply to `OFPMP_METER_DESC`.
    ///
    /// # Errors
    /// When the bytes are no such entry.
    pub fn decode(input: &[u8]) -> Result<Self, DecodeError> {
        decode(input, super::meter_config)
    }
}
