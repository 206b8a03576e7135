//! Errors that a switch or a controller answers with.

use bytes::Bytes;
use std::fmt;

/// The number of Nicira, whose extensions Open vSwitch implements.
pub const NICIRA: u32 = 0x0000_2320;

/// What went wrong (OpenFlow 1.5, section 7.5.4; Nicira codes as in `ofp-errors.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErrorCode {
    /// `OFPET_*`; 0xffff for an experimenter's error.
    pub kind: u16,
    /// The code within the type, or the experimenter's type.
    pub code: u16,
    /// Whose error it is, for an experimenter's error.
    pub experimenter: Option<u32>,
}

/// An error message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorMessage {
    /// What went wrong.
    pub code: ErrorCode,
    /// At least the first 64 bytes of the message that caused it; a text for a failed hello.
    pub data: Bytes,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.experimenter {
            Some(experimenter) => write!(f, "error {} of experimenter {experimenter:#x}", self.code),
            None => write!(f, "error of type {}, code {}", self.kind, self.code),
        }
    }
}
