//! One connection: bytes in, messages out, and what the controller has asked of it.

use super::super::Refusal;
use super::bundle::Bundle;
use bytes::{Bytes, BytesMut};
use std::collections::BTreeMap;
use weir_openflow::message::{
    AsyncConfig, BundleId, ErrorCode, ErrorMessage, Hello, MonitorRequest, MultipartReply, PacketInFormat, Role,
    SwitchConfig,
};
use weir_openflow::{DecodeError, Frame, FrameError, HEADER_LEN, Message, MessageKind, VERSION, Xid, split_frame};

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionError {
    /// The length of a message is impossible.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The controller and the switch share no version.
    #[error("no common OpenFlow version")]
    Version,
    /// The first message is no hello.
    #[error("a {0} before the hello")]
    NoHello(MessageKind),
}

/// A request and the first bytes of its message, for an error to quote.
pub(super) type Quoted = ((Xid, Result<Message, DecodeError>), Bytes);

#[derive(Debug)]
pub(super) struct Connection {
    input: BytesMut,
    output: BytesMut,
    greeted: bool,
    pub(super) role: Role,
    pub(super) format: PacketInFormat,
    pub(super) controller_id: u16,
    pub(super) config: SwitchConfig,
    pub(super) async_config: AsyncConfig,
    pub(super) bundles: BTreeMap<BundleId, Bundle>,
    pub(super) monitors: BTreeMap<u32, MonitorRequest>,
}

impl Connection {
    /// Bytes of a refused message that the error quotes.
    const QUOTE: usize = 64;

    pub(super) fn new(versions: &[u8]) -> Self {
        let mut connection = Self {
            input: BytesMut::new(),
            output: BytesMut::new(),
            greeted: false,
            role: Role::Equal,
            format: PacketInFormat::Standard,
            controller_id: 0,
            config: SwitchConfig { flags: 0, miss_send_len: 128 },
            async_config: AsyncConfig::default(),
            bundles: BTreeMap::new(),
            monitors: BTreeMap::new(),
        };
        let version = versions.iter().copied().max().unwrap_or(VERSION);
        connection.send(Xid(1), &Message::Hello(Hello { version, versions: Some(versions.to_vec()) }));
        connection
    }

    pub(super) fn take(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
    }

    pub(super) fn transmit(&mut self) -> Bytes {
        self.output.split().freeze()
    }

    /// The next request, once the hellos are exchanged.
    pub(super) fn next(&mut self, versions: &[u8]) -> Result<Option<Quoted>, ConnectionError> {
        loop {
            let Some(frame) = split_frame(&mut self.input)? else {
                return Ok(None);
            };
            let quote = quote(&frame);
            let (kind, xid) = (frame.header.kind, frame.header.xid);
            let message = Message::decode(frame.header, frame.body);
            if self.greeted {
                return Ok(Some(((xid, message), quote)));
            }
            let Ok(Message::Hello(hello)) = message else {
                return Err(ConnectionError::NoHello(kind));
            };
            let offered = hello.versions.unwrap_or_else(|| (1..=hello.version).collect());
            let common = offered.iter().filter(|version| versions.contains(version)).max();
            if common != Some(&VERSION) {
                return Err(ConnectionError::Version);
            }
            self.greeted = true;
        }
    }

    /// Queues a message. One that is too long for its header is a fault of the simulator and is left out.
    pub(super) fn send(&mut self, xid: Xid, message: &Message) -> bool {
        message.encode(xid, &mut self.output).is_ok()
    }

    pub(super) fn refuse(&mut self, xid: Xid, refusal: Refusal, quote: &Bytes) {
        self.error(xid, refusal.0, quote);
    }

    pub(super) fn error(&mut self, xid: Xid, code: ErrorCode, quote: &Bytes) {
        let error = ErrorMessage { code, data: quote.slice(..quote.len().min(Self::QUOTE)) };
        self.send(xid, &Message::Error(error));
    }

    /// Queues a reply in as many parts as it needs.
    pub(super) fn reply_in_parts<T: Clone>(
        &mut self,
        xid: Xid,
        items: &[T],
        wrap: impl Fn(Vec<T>) -> MultipartReply + Copy,
    ) {
        const PART: usize = 256;
        let mut rest = items;
        loop {
            let mut count = rest.len().min(PART);
            loop {
                let more = count < rest.len();
                let reply = wrap(rest[..count].to_vec());
                if self.send(xid, &Message::MultipartReply { reply, more }) || count <= 1 {
                    break;
                }
                count /= 2;
            }
            rest = &rest[count..];
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// The first bytes of a message as it came.
fn quote(frame: &Frame) -> Bytes {
    let header = frame.header;
    let mut bytes = BytesMut::with_capacity(HEADER_LEN + frame.body.len().min(Connection::QUOTE));
    bytes.extend_from_slice(&[header.version, header.kind.0]);
    bytes.extend_from_slice(&header.length.to_be_bytes());
    bytes.extend_from_slice(&header.xid.0.to_be_bytes());
    let kept = frame.body.len().min(Connection::QUOTE - HEADER_LEN);
    bytes.extend_from_slice(&frame.body[..kept]);
    bytes.freeze()
}
