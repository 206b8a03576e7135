//! Errors that a switch or a controller answers with.

use super::error_name;
use crate::wire;
use crate::{DecodeError, Header};
use bytes::{BufMut, Bytes, BytesMut};
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

/// `OFPET_*`: the types that this crate itself sends or looks for.
const HELLO_FAILED: u16 = 0;
const EXPERIMENTER: u16 = 0xffff;

impl ErrorCode {
    /// `OFPHFC_INCOMPATIBLE`: no version in common.
    pub const INCOMPATIBLE: Self = Self::standard(HELLO_FAILED, 0);
    /// `OFPBFC_MSG_FAILED`: a message of a bundle failed, which another error names.
    pub const BUNDLE_MESSAGE_FAILED: Self = Self::standard(17, 13);

    /// An error of the standard.
    #[must_use]
    pub const fn standard(kind: u16, code: u16) -> Self {
        Self { kind, code, experimenter: None }
    }

    /// An error of Nicira.
    #[must_use]
    pub const fn nicira(code: u16) -> Self {
        Self { kind: EXPERIMENTER, code, experimenter: Some(NICIRA) }
    }

    /// Whether a hello failed.
    #[must_use]
    pub const fn is_hello_failed(self) -> bool {
        self.kind == HELLO_FAILED
    }

    fn words(self) -> Option<(&'static str, &'static str)> {
        match self.experimenter {
            None => error_name::standard(self.kind, self.code),
            Some(NICIRA) => error_name::nicira(self.code),
            Some(_) => None,
        }
    }

    /// The name of the error, as `OFPBIC_BAD_TABLE_ID`; none if this crate does not know it.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        self.words().map(|(name, _)| name)
    }
}

impl ErrorMessage {
    /// The refusal of a hello, with a text for who reads the peer's log.
    #[must_use]
    pub fn hello_failed(text: &'static str) -> Self {
        Self { code: ErrorCode::INCOMPATIBLE, data: Bytes::from_static(text.as_bytes()) }
    }

    /// The header of the message that caused the error, if the error quotes it.
    #[must_use]
    pub fn cause(&self) -> Option<Header> {
        if self.code.is_hello_failed() { None } else { Header::parse(&self.data) }
    }

    /// What a failed hello says in words; empty for any other error.
    #[must_use]
    pub fn text(&self) -> String {
        if self.code.is_hello_failed() {
            String::from_utf8_lossy(&self.data).trim_end_matches(char::from(0)).to_owned()
        } else {
            String::new()
        }
    }

    pub(super) fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        wire::decode(body, |input| {
            let (input, kind) = wire::u16(input)?;
            let (mut input, code) = wire::u16(input)?;
            let mut experimenter = None;
            if kind == EXPERIMENTER {
                let (rest, number) = wire::u32(input)?;
                (input, experimenter) = (rest, Some(number));
            }
            let (input, data) = wire::take(input, input.len())?;
            Ok((input, Self { code: ErrorCode { kind, code, experimenter }, data: body.slice_ref(data) }))
        })
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u16(self.code.kind);
        out.put_u16(self.code.code);
        if self.code.kind == EXPERIMENTER {
            out.put_u32(self.code.experimenter.unwrap_or_default());
        }
        out.put_slice(&self.data);
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.words(), self.experimenter) {
            (Some((name, words)), _) => write!(f, "{name}: {words}"),
            (None, Some(experimenter)) => write!(f, "error {} of experimenter {experimenter:#x}", self.code),
            (None, None) => write!(f, "error of type {}, code {}", self.kind, self.code),
        }
    }
}
