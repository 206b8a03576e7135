//! Bundles: several changes applied as one (OpenFlow 1.5, section 7.3.10).

use super::Message;
use crate::Xid;

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
