//! Bundles: requests that are kept until they are done as one (OpenFlow 1.5, section 7.3.10).

use super::super::Refusal;
use bytes::Bytes;
use weir_openflow::Xid;
use weir_openflow::message::BundleFlags;
use weir_openflow::{FlowEdit, Message};

/// The most messages of one bundle.
pub(super) const MESSAGES_MAX: usize = 4_000_000;

/// One message of a bundle.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) xid: Xid,
    pub(super) edit: FlowEdit,
    /// The beginning of the message that added it.
    pub(super) quote: Bytes,
}

/// A bundle that is open or closed, and not yet committed.
#[derive(Debug)]
pub(super) struct Bundle {
    pub(super) flags: BundleFlags,
    pub(super) closed: bool,
    pub(super) entries: Vec<Entry>,
}

impl Bundle {
    pub(super) fn new(flags: BundleFlags) -> Self {
        Self { flags, closed: false, entries: Vec::new() }
    }
}

/// The edit of a message that a bundle takes. Open vSwitch takes flow-mods and group-mods, but no meter-mods.
pub(super) fn bundled(message: Message) -> Result<FlowEdit, Refusal> {
    match message {
        Message::Edit(FlowEdit::AddMeter(_) | FlowEdit::DeleteMeter(_)) => Err(Refusal::BUNDLE_MESSAGE_UNSUPPORTED),
        Message::Edit(edit) => Ok(edit),
        _ => Err(Refusal::BUNDLE_MESSAGE_UNSUPPORTED),
    }
}
