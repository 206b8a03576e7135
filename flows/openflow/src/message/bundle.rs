//! Bundles: several changes applied as one (OpenFlow 1.5, section 7.3.10).

use super::Message;
use super::property::property;
use crate::wire::{self, Parsed};
use crate::{DecodeError, DecodeErrorKind, HEADER_LEN, Header, MessageKind, VERSION, Xid};
use bytes::{BufMut, Bytes, BytesMut};

/// The number of a bundle within one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleId(pub u32);

/// What a bundle-control message asks or answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is the OFPBCT_* of the same name")]
pub enum BundleControlKind {
    OpenRequest,
    OpenReply,
    CloseRequest,
    CloseReply,
    CommitRequest,
    CommitReply,
    DiscardRequest,
    DiscardReply,
}

/// How a bundle is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BundleFlags {
    /// Wholly or not at all.
    pub atomic: bool,
    /// In the order in which the messages were added.
    pub ordered: bool,
}

/// Opens, closes, commits or discards a bundle, or answers that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleControl {
    /// The bundle.
    pub bundle: BundleId,
    /// What is asked or answered.
    pub kind: BundleControlKind,
    /// How the bundle is applied.
    pub flags: BundleFlags,
}

/// Adds a message to a bundle.
#[derive(Clone, Debug, PartialEq)]
pub struct BundleAdd {
    /// The bundle.
    pub bundle: BundleId,
    /// How the bundle is applied; as when it was opened.
    pub flags: BundleFlags,
    /// The xid of the inner message; the standard wants that of the outer one.
    pub xid: Xid,
    /// The message.
    pub message: Box<Message>,
}

impl BundleControl {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, bundle) = wire::u32(input)?;
        let (after, kind) = wire::u16(rest)?;
        let kind = match kind {
            0 => BundleControlKind::OpenRequest,
            1 => BundleControlKind::OpenReply,
            2 => BundleControlKind::CloseRequest,
            3 => BundleControlKind::CloseReply,
            4 => BundleControlKind::CommitRequest,
            5 => BundleControlKind::CommitReply,
            6 => BundleControlKind::DiscardRequest,
            7 => BundleControlKind::DiscardReply,
            _ => return wire::fail(rest, DecodeErrorKind::UnknownType(kind)),
        };
        let (mut rest, flags) = BundleFlags::parse(after)?;
        while !rest.is_empty() {
            (rest, _) = property(rest)?;
        }
        Ok((rest, Self { bundle: BundleId(bundle), kind, flags }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.bundle.0);
        out.put_u16(self.kind as u16);
        out.put_u16(self.flags.bits());
    }
}

impl BundleFlags {
    /// Wholly or not at all, in the order added.
    pub const ATOMIC_ORDERED: Self = Self { atomic: true, ordered: true };

    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, bits) = wire::u16(input)?;
        if bits > 3 {
            return wire::fail(input, DecodeErrorKind::Value);
        }
        Ok((rest, Self { atomic: bits & 1 != 0, ordered: bits & 2 != 0 }))
    }

    pub(crate) const fn bits(self) -> u16 {
        self.atomic as u16 | (self.ordered as u16) << 1
    }
}

impl BundleAdd {
    /// Bytes that a bundle-add puts before its inner message: the outer header, bundle, padding and flags.
    pub(crate) const OVERHEAD: usize = HEADER_LEN + 8;

    /// The inner message may not itself add to a bundle, so this does not recurse.
    pub(super) fn parse(body: &Bytes) -> Result<Self, DecodeError> {
        let head = |input| {
            let (rest, bundle) = wire::u32(input)?;
            let (rest, ()) = wire::skip(rest, 2)?;
            let (rest, flags) = BundleFlags::parse(rest)?;
            let at_header = rest;
            let (rest, header) = wire::take(rest, HEADER_LEN)?;
            let header = Header::parse(header).expect("the bytes of a header were taken");
            let Some(length) = usize::from(header.length).checked_sub(HEADER_LEN) else {
                return wire::fail(at_header, DecodeErrorKind::Length);
            };
            if header.kind == MessageKind::BUNDLE_ADD_MESSAGE {
                return wire::fail(at_header, DecodeErrorKind::UnknownType(u16::from(header.kind.0)));
            }
            if header.version != VERSION {
                return wire::fail(at_header, DecodeErrorKind::Value);
            }
            let (mut rest, inner) = wire::take(rest, length)?;
            if !rest.is_empty() {
                // Properties follow the message at the next multiple of eight bytes.
                (rest, ()) = wire::skip(rest, wire::padding(usize::from(header.length)))?;
                while !rest.is_empty() {
                    (rest, _) = property(rest)?;
                }
            }
            Ok((rest, (BundleId(bundle), flags, header, inner)))
        };
        let (bundle, flags, header, inner) = wire::decode(body, head)?;
        let message = Message::decode_body(header, &body.slice_ref(inner))
            .map_err(|error| DecodeError { offset: error.offset + HEADER_LEN + 8, ..error })?;
        Ok(Self { bundle, flags, xid: header.xid, message: Box::new(message) })
    }
}
