//! Framing: where one OpenFlow message ends and the next begins.

use crate::Xid;
use bytes::{Buf, Bytes, BytesMut};
use std::fmt;

/// The version number of OpenFlow 1.5 on the wire.
pub const VERSION: u8 = 0x06;

/// The header of every message: 8 bytes (OpenFlow 1.5, section 7.1.1).
pub const HEADER_LEN: usize = 8;

/// The largest message: the length field has 16 bits.
pub const MAX_MESSAGE_LEN: usize = u16::MAX as usize;

/// The type of a message, `OFPT_*`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageKind(pub u8);

macro_rules! kinds {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        #[expect(missing_docs, reason = "each constant is the OFPT_* of the same name in OpenFlow 1.5, section 7.1")]
        impl MessageKind {
            $(pub const $name: Self = Self($number);)*

            /// The name of the type in words; none for a number that OpenFlow 1.5 does not define.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

kinds! {
    HELLO = 0, "hello";
    ERROR = 1, "error";
    ECHO_REQUEST = 2, "echo request";
    ECHO_REPLY = 3, "echo reply";
    EXPERIMENTER = 4, "experimenter";
    FEATURES_REQUEST = 5, "features request";
    FEATURES_REPLY = 6, "features reply";
    GET_CONFIG_REQUEST = 7, "get-config request";
    GET_CONFIG_REPLY = 8, "get-config reply";
    SET_CONFIG = 9, "set-config";
    PACKET_IN = 10, "packet-in";
    FLOW_REMOVED = 11, "flow-removed";
    PORT_STATUS = 12, "port-status";
    PACKET_OUT = 13, "packet-out";
    FLOW_MOD = 14, "flow-mod";
    GROUP_MOD = 15, "group-mod";
    PORT_MOD = 16, "port-mod";
    TABLE_MOD = 17, "table-mod";
    MULTIPART_REQUEST = 18, "multipart request";
    MULTIPART_REPLY = 19, "multipart reply";
    BARRIER_REQUEST = 20, "barrier request";
    BARRIER_REPLY = 21, "barrier reply";
    ROLE_REQUEST = 24, "role request";
    ROLE_REPLY = 25, "role reply";
    GET_ASYNC_REQUEST = 26, "get-async request";
    GET_ASYNC_REPLY = 27, "get-async reply";
    SET_ASYNC = 28, "set-async";
    METER_MOD = 29, "meter-mod";
    ROLE_STATUS = 30, "role-status";
    TABLE_STATUS = 31, "table-status";
    REQUEST_FORWARD = 32, "request-forward";
    BUNDLE_CONTROL = 33, "bundle-control";
    BUNDLE_ADD_MESSAGE = 34, "bundle-add";
    CONTROLLER_STATUS = 35, "controller-status";
}

impl fmt::Display for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "message of type {}", self.0),
        }
    }
}

impl fmt::Debug for MessageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageKind({self})")
    }
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Header {
    /// The version, 6 for OpenFlow 1.5.
    pub version: u8,
    /// The type.
    pub kind: MessageKind,
    /// Bytes of the whole message, the header included.
    pub length: u16,
    /// The transaction id.
    pub xid: Xid,
}

impl Header {
    /// Reads a header from the first 8 bytes; none if there are fewer.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[version, kind, l0, l1, x0, x1, x2, x3] = bytes.first_chunk::<HEADER_LEN>()?;
        Some(Self {
            version,
            kind: MessageKind(kind),
            length: u16::from_be_bytes([l0, l1]),
            xid: Xid(u32::from_be_bytes([x0, x1, x2, x3])),
        })
    }
}

/// One message as it came: the header and what follows it, not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The header.
    pub header: Header,
    /// The bytes after the header.
    pub body: Bytes,
}

/// A length field that no message can have: the stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} with a length of {length} bytes, less than its header")]
pub struct FrameError {
    /// The type in the header.
    pub kind: MessageKind,
    /// The length in the header.
    pub length: u16,
}

/// Takes the first whole message off `buffer`, without copying; none if it has not yet come whole.
///
/// The buffer never needs to hold more than [`MAX_MESSAGE_LEN`] bytes for the next message to become whole.
///
/// # Errors
/// The length field is less than the header.
pub fn split_frame(buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
    let Some(header) = Header::parse(buffer) else {
        return Ok(None);
    };
    let length = usize::from(header.length);
    if length < HEADER_LEN {
        return Err(FrameError { kind: header.kind, length: header.length });
    }
    if buffer.len() < length {
        return Ok(None);
    }
    let mut body = buffer.split_to(length).freeze();
    body.advance(HEADER_LEN);
    Ok(Some(Frame { header, body }))
}
