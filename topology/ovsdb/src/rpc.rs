//! The envelope of JSON-RPC 1.0 (RFC 7047, section 4), borrowed from the message's bytes.

use crate::frame::Frame;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;

/// A place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The stream offset of the message's first byte.
    pub message: u64,
    /// The offset of the fault within the message, as near as known.
    pub within: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "byte {}", self.message + self.within)
    }
}

/// A message that is not what JSON-RPC or OVSDB says it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {fault}")]
pub struct RpcError {
    /// Where.
    pub position: Position,
    /// What.
    pub fault: String,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// One message; its parts are still JSON text.
#[derive(Clone, Debug)]
pub enum Message<'a> {
    /// Asks for a reply.
    Request {
        /// To be given back in the reply.
        id: &'a RawValue,
        /// What is asked for.
        method: Cow<'a, str>,
        /// Its parameters.
        params: &'a RawValue,
    },
    /// Tells something.
    Notification {
        /// What is told.
        method: Cow<'a, str>,
        /// Its parameters.
        params: &'a RawValue,
    },
    /// Answers a request.
    Reply {
        /// The request's id.
        id: &'a RawValue,
        /// The result (`None` for null), or the error.
        outcome: Result<Option<&'a RawValue>, &'a RawValue>,
    },
}

impl<'a> Message<'a> {
    /// Reads the envelope of a message.
    pub fn read(frame: &'a Frame) -> Result<Self, RpcError> {
        let envelope: Envelope<'a> = serde_json::from_slice(&frame.bytes).map_err(|error| RpcError {
            position: Position { message: frame.offset, within: place(&frame.bytes, &error) },
            fault: error.to_string(),
        })?;
        let fault =
            |fault: &str| RpcError { position: Position { message: frame.offset, within: 0 }, fault: fault.to_owned() };
        match envelope {
            Envelope { method: Some(method), params, id, result: None, error: None } => {
                let params = params.ok_or_else(|| fault("a request without params"))?;
                Ok(match id {
                    Some(id) => Self::Request { id, method, params },
                    None => Self::Notification { method, params },
                })
            }
            Envelope { method: None, params: None, id: Some(id), result, error } => match (result, error) {
                (Some(_), Some(_)) => Err(fault("a reply with both result and error")),
                (result, None) => Ok(Self::Reply { id, outcome: Ok(result) }),
                (None, Some(error)) => Ok(Self::Reply { id, outcome: Err(error) }),
            },
            _ => Err(fault("neither a request, a notification nor a reply")),
        }
    }
}

/// Reads a part of a message; a fault is placed within the whole message.
pub(crate) fn read_part<'a, T: Deserialize<'a>>(frame: &'a Frame, part: &'a RawValue) -> Result<T, RpcError> {
    serde_json::from_str(part.get()).map_err(|error| fault_in(frame, part, &error))
}

pub(crate) fn fault_in(frame: &Frame, part: &RawValue, error: &serde_json::Error) -> RpcError {
    let text = part.get();
    let start = (text.as_ptr() as usize)
        .checked_sub(frame.bytes.as_ptr() as usize)
        .filter(|start| *start <= frame.bytes.len())
        .unwrap_or(0);
    RpcError {
        position: Position { message: frame.offset, within: start as u64 + place(text.as_bytes(), error) },
        fault: error.to_string(),
    }
}

/// Turns the line and column of an error into an offset.
fn place(bytes: &[u8], error: &serde_json::Error) -> u64 {
    let before: usize =
        bytes.split_inclusive(|byte| *byte == b'\n').take(error.line().saturating_sub(1)).map(<[u8]>::len).sum();
    let offset = before + error.column().saturating_sub(1);
    offset.min(bytes.len()) as u64
}

/// A request or, without an id, a notification to send.
#[derive(Serialize)]
pub(crate) struct Outgoing<'a, P> {
    pub(crate) id: Option<u64>,
    pub(crate) method: &'a str,
    pub(crate) params: P,
}

/// A reply to send.
#[derive(Serialize)]
pub(crate) struct OutgoingReply<'a, E> {
    pub(crate) id: &'a RawValue,
    pub(crate) result: Option<&'a RawValue>,
    pub(crate) error: Option<E>,
}
