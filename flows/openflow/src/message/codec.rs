//! Which message has which bytes.

use super::{
    AsyncConfig, BundleAdd, BundleControl, CtFlush, ErrorMessage, Features, FlowRemoved, Hello, Message,
    MultipartReply, MultipartRequest, NICIRA, PacketIn, PacketInFormat, PacketOut, PortStatus, Resume, RoleClaim,
    RoleStatus, SwitchConfig,
};
use crate::wire::{self, Parsed};
use crate::{
    DecodeError, DecodeErrorKind, EncodedEdit, FlowEdit, HEADER_LEN, Header, MessageKind, TooLong, VERSION, Xid,
};
use bytes::{BufMut, Bytes, BytesMut};

/// `NXT_*`: the types of Nicira's messages.
mod nicira {
    pub(super) const SET_PACKET_IN_FORMAT: u32 = 16;
    pub(super) const SET_CONTROLLER_ID: u32 = 20;
    pub(super) const RESUME: u32 = 28;
    pub(super) const CT_FLUSH_ZONE: u32 = 29;
    pub(super) const PACKET_IN2: u32 = 30;
    pub(super) const CT_FLUSH: u32 = 32;
}

impl Message {
    /// The type in the header.
    #[must_use]
    pub fn kind(&self) -> MessageKind {
        match self {
            Self::Hello(_) => MessageKind::HELLO,
            Self::Error(_) => MessageKind::ERROR,
            Self::EchoRequest(_) => MessageKind::ECHO_REQUEST,
            Self::EchoReply(_) => MessageKind::ECHO_REPLY,
            Self::FeaturesRequest => MessageKind::FEATURES_REQUEST,
            Self::FeaturesReply(_) => MessageKind::FEATURES_REPLY,
            Self::GetConfigRequest => MessageKind::GET_CONFIG_REQUEST,
            Self::GetConfigReply(_) => MessageKind::GET_CONFIG_REPLY,
            Self::SetConfig(_) => MessageKind::SET_CONFIG,
            Self::RoleRequest(_) => MessageKind::ROLE_REQUEST,
            Self::RoleReply(_) => MessageKind::ROLE_REPLY,
            Self::RoleStatus(_) => MessageKind::ROLE_STATUS,
            Self::PortStatus(_) => MessageKind::PORT_STATUS,
            Self::PacketIn(_) => MessageKind::PACKET_IN,
            Self::PacketOut(_) => MessageKind::PACKET_OUT,
            Self::FlowRemoved(_) => MessageKind::FLOW_REMOVED,
            Self::Edit(edit) => match edit {
                FlowEdit::AddFlow(_) | FlowEdit::DeleteFlow(_) => MessageKind::FLOW_MOD,
                FlowEdit::AddGroup(_)
                | FlowEdit::DeleteGroup(_)
                | FlowEdit::InsertBucket { .. }
                | FlowEdit::RemoveBucket { .. } => MessageKind::GROUP_MOD,
                FlowEdit::AddMeter(_) | FlowEdit::DeleteMeter(_) => MessageKind::METER_MOD,
            },
            Self::BundleControl(_) => MessageKind::BUNDLE_CONTROL,
            Self::BundleAdd(_) => MessageKind::BUNDLE_ADD_MESSAGE,
            Self::BarrierRequest => MessageKind::BARRIER_REQUEST,
            Self::BarrierReply => MessageKind::BARRIER_REPLY,
            Self::GetAsyncRequest => MessageKind::GET_ASYNC_REQUEST,
            Self::GetAsyncReply(_) => MessageKind::GET_ASYNC_REPLY,
            Self::SetAsync(_) => MessageKind::SET_ASYNC,
            Self::MultipartRequest { .. } => MessageKind::MULTIPART_REQUEST,
            Self::MultipartReply { .. } => MessageKind::MULTIPART_REPLY,
            Self::PacketIn2(_)
            | Self::Resume(_)
            | Self::SetPacketInFormat(_)
            | Self::SetControllerId(_)
            | Self::CtFlushZone(_)
            | Self::CtFlush(_)
            | Self::Experimenter { .. } => MessageKind::EXPERIMENTER,
            Self::Opaque { kind, .. } => *kind,
        }
    }

    /// Appends the message, header included.
    ///
    /// # Errors
    /// The message is longer than a header can tell; `out` is then as it was.
    pub fn encode(&self, xid: Xid, out: &mut BytesMut) -> Result<(), TooLong> {
        let version = if let Self::Hello(hello) = self { hello.version } else { VERSION };
        self.encode_as(version, xid, out)
    }

    /// Appends the message with another version in its header, for a peer that does not know ours.
    pub(crate) fn encode_as(&self, version: u8, xid: Xid, out: &mut BytesMut) -> Result<(), TooLong> {
        let start = out.len();
        put_header(out, version, self.kind(), xid);
        self.put_body(out).and_then(|()| finish(out, start)).inspect_err(|_| out.truncate(start))
    }

    fn put_body(&self, out: &mut BytesMut) -> Result<(), TooLong> {
        match self {
            Self::Edit(edit) => out.put_slice(&EncodedEdit::encode(edit)?.message()[HEADER_LEN..]),
            Self::BundleAdd(add) => add.put(out)?,
            Self::Hello(hello) => hello.put(out),
            Self::Error(error) => error.put(out),
            Self::EchoRequest(data) | Self::EchoReply(data) | Self::Opaque { body: data, .. } => out.put_slice(data),
            Self::FeaturesRequest
            | Self::GetConfigRequest
            | Self::BarrierRequest
            | Self::BarrierReply
            | Self::GetAsyncRequest => {}
            Self::FeaturesReply(features) => features.put(out),
            Self::GetConfigReply(config) | Self::SetConfig(config) => config.put(out),
            Self::RoleRequest(claim) | Self::RoleReply(claim) => claim.put(out),
            Self::RoleStatus(status) => status.put(out),
            Self::PortStatus(status) => status.put(out),
            Self::PacketIn(packet) => packet.put_standard(out),
            Self::PacketOut(packet) => packet.put(out),
            Self::FlowRemoved(removed) => removed.put(out),
            Self::BundleControl(control) => control.put(out),
            Self::GetAsyncReply(config) | Self::SetAsync(config) => config.put(out),
            Self::MultipartRequest { request, more } => request.put(out, *more),
            Self::MultipartReply { reply, more } => reply.put(out, *more),
            Self::PacketIn2(packet) => {
                put_experimenter(out, NICIRA, nicira::PACKET_IN2);
                packet.put_nicira(out);
            }
            Self::Resume(resume) => {
                put_experimenter(out, NICIRA, nicira::RESUME);
                resume.put(out);
            }
            Self::SetPacketInFormat(format) => {
                put_experimenter(out, NICIRA, nicira::SET_PACKET_IN_FORMAT);
                out.put_u32(format.number());
            }
            Self::SetControllerId(id) => {
                put_experimenter(out, NICIRA, nicira::SET_CONTROLLER_ID);
                out.put_bytes(0, 6);
                out.put_u16(*id);
            }
            Self::CtFlushZone(zone) => {
                put_experimenter(out, NICIRA, nicira::CT_FLUSH_ZONE);
                out.put_bytes(0, 6);
                out.put_u16(*zone);
            }
            Self::CtFlush(flush) => {
                put_experimenter(out, NICIRA, nicira::CT_FLUSH);
                flush.put(out);
            }
            Self::Experimenter { experimenter, kind, body } => {
                put_experimenter(out, *experimenter, *kind);
                out.put_slice(body);
            }
        }
        Ok(())
    }

    /// Reads a message from its header and what follows it. Packets and other long bytes are shared, not copied.
    ///
    /// # Errors
    /// Where, counted from the start of the header, and why the bytes cannot be read.
    pub fn decode(header: Header, body: Bytes) -> Result<Self, DecodeError> {
        let length = usize::from(header.length);
        if length != HEADER_LEN + body.len() {
            return Err(DecodeError { offset: 2, kind: DecodeErrorKind::Length });
        }
        // A hello and the error that answers it come in any version.
        if header.version != VERSION && !matches!(header.kind, MessageKind::HELLO | MessageKind::ERROR) {
            return Err(DecodeError { offset: 0, kind: DecodeErrorKind::Value });
        }
        Self::decode_body(header, &body)
            .map_err(|error| DecodeError { offset: error.offset.saturating_add(HEADER_LEN), ..error })
    }

    pub(super) fn decode_body(header: Header, body: &Bytes) -> Result<Self, DecodeError> {
        fn whole<'a, T>(body: &'a Bytes, parser: fn(&'a [u8]) -> Parsed<'a, T>) -> Result<T, DecodeError> {
            wire::decode(body, parser)
        }
        let empty = |message| whole(body, |input| Ok((input, ()))).map(|()| message);
        Ok(match header.kind {
            MessageKind::HELLO => Self::Hello(wire::decode(body, |input| Hello::parse(header.version, input))?),
            MessageKind::ERROR => Self::Error(ErrorMessage::parse(body)?),
            MessageKind::ECHO_REQUEST => Self::EchoRequest(body.clone()),
            MessageKind::ECHO_REPLY => Self::EchoReply(body.clone()),
            MessageKind::EXPERIMENTER => return Self::decode_experimenter(body),
            MessageKind::FEATURES_REQUEST => empty(Self::FeaturesRequest)?,
            MessageKind::FEATURES_REPLY => Self::FeaturesReply(whole(body, Features::parse)?),
            MessageKind::GET_CONFIG_REQUEST => empty(Self::GetConfigRequest)?,
            MessageKind::GET_CONFIG_REPLY => Self::GetConfigReply(whole(body, SwitchConfig::parse)?),
            MessageKind::SET_CONFIG => Self::SetConfig(whole(body, SwitchConfig::parse)?),
            MessageKind::PACKET_IN => Self::PacketIn(PacketIn::parse_standard(body)?),
            MessageKind::FLOW_REMOVED => Self::FlowRemoved(whole(body, FlowRemoved::parse)?),
            MessageKind::PORT_STATUS => Self::PortStatus(whole(body, PortStatus::parse)?),
            MessageKind::PACKET_OUT => Self::PacketOut(PacketOut::parse(body)?),
            MessageKind::MULTIPART_REQUEST => {
                let (request, more) = MultipartRequest::parse(body)?;
                Self::MultipartRequest { request, more }
            }
            MessageKind::MULTIPART_REPLY => {
                let (reply, more) = MultipartReply::parse(body)?;
                Self::MultipartReply { reply, more }
            }
            MessageKind::BARRIER_REQUEST => empty(Self::BarrierRequest)?,
            MessageKind::BARRIER_REPLY => empty(Self::BarrierReply)?,
            MessageKind::ROLE_REQUEST => Self::RoleRequest(whole(body, RoleClaim::parse)?),
            MessageKind::ROLE_REPLY => Self::RoleReply(whole(body, RoleClaim::parse)?),
            MessageKind::ROLE_STATUS => Self::RoleStatus(whole(body, RoleStatus::parse)?),
            MessageKind::GET_ASYNC_REQUEST => empty(Self::GetAsyncRequest)?,
            MessageKind::GET_ASYNC_REPLY => Self::GetAsyncReply(whole(body, AsyncConfig::parse)?),
            MessageKind::SET_ASYNC => Self::SetAsync(whole(body, AsyncConfig::parse)?),
            MessageKind::BUNDLE_CONTROL => Self::BundleControl(whole(body, BundleControl::parse)?),
            MessageKind::BUNDLE_ADD_MESSAGE => Self::BundleAdd(BundleAdd::parse(body)?),
            MessageKind::FLOW_MOD | MessageKind::GROUP_MOD | MessageKind::METER_MOD => {
                let edit = match header.kind {
                    MessageKind::FLOW_MOD => whole(body, wire::flow_mod),
                    MessageKind::GROUP_MOD => whole(body, wire::group_mod),
                    _ => whole(body, wire::meter_mod),
                };
                match edit {
                    Ok(edit) => Self::Edit(edit),
                    // A command that is no edit of one object, or an extension of somebody else.
                    Err(error) if error.kind.is_unknown() => Self::Opaque { kind: header.kind, body: body.clone() },
                    Err(error) => return Err(error),
                }
            }
            kind => Self::Opaque { kind, body: body.clone() },
        })
    }

    fn decode_experimenter(body: &Bytes) -> Result<Self, DecodeError> {
        fn number<T>(input: &[u8], pad: usize, number: fn(&[u8]) -> Parsed<'_, T>) -> Parsed<'_, T> {
            let (input, ()) = wire::skip(input, pad)?;
            number(input)
        }
        let (experimenter, kind, rest) = wire::decode(body, |input| {
            let (input, experimenter) = wire::u32(input)?;
            let (input, kind) = wire::u32(input)?;
            let (input, rest) = wire::take(input, input.len())?;
            Ok((input, (experimenter, kind, body.slice_ref(rest))))
        })?;
        let message = match (experimenter, kind) {
            (NICIRA, nicira::SET_PACKET_IN_FORMAT) => {
                wire::decode(&rest, PacketInFormat::parse).map(Self::SetPacketInFormat)
            }
            (NICIRA, nicira::SET_CONTROLLER_ID) => {
                wire::decode(&rest, |input| number(input, 6, wire::u16)).map(Self::SetControllerId)
            }
            (NICIRA, nicira::CT_FLUSH_ZONE) => {
                wire::decode(&rest, |input| number(input, 6, wire::u16)).map(Self::CtFlushZone)
            }
            (NICIRA, nicira::CT_FLUSH) => wire::decode(&rest, CtFlush::parse).map(Self::CtFlush),
            (NICIRA, nicira::PACKET_IN2) => PacketIn::parse_nicira(&rest).map(Self::PacketIn2),
            (NICIRA, nicira::RESUME) => Resume::parse(&rest).map(Self::Resume),
            _ => Ok(Self::Experimenter { experimenter, kind, body: rest }),
        };
        message.map_err(|error| DecodeError { offset: error.offset + 8, ..error })
    }
}

impl BundleAdd {
    fn put(&self, out: &mut BytesMut) -> Result<(), TooLong> {
        out.put_u32(self.bundle.0);
        out.put_u16(0);
        out.put_u16(self.flags.bits());
        self.message.encode(self.xid, out)
    }
}

/// Puts the length of the message that began at `start` into its header.
fn finish(out: &mut BytesMut, start: usize) -> Result<(), TooLong> {
    let length = out.len() - start;
    let short = u16::try_from(length).map_err(|_| TooLong { length })?;
    out[start + 2..start + 4].copy_from_slice(&short.to_be_bytes());
    Ok(())
}

/// Puts a header whose length is yet to come.
pub(crate) fn put_header(out: &mut BytesMut, version: u8, kind: MessageKind, xid: Xid) {
    out.put_u8(version);
    out.put_u8(kind.0);
    out.put_u16(0);
    out.put_u32(xid.0);
}

fn put_experimenter(out: &mut BytesMut, experimenter: u32, kind: u32) {
    out.put_u32(experimenter);
    out.put_u32(kind);
}
