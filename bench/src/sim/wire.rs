//! What passes between a controller and a switch, counted from the bytes alone.

use super::counts::Tally;
use bytes::BytesMut;
use weir_openflow::message::{BundleControlKind, MultipartRequest};
use weir_openflow::{Frame, FrameError, Message, MessageKind, TableId, split_frame};

/// One direction of a connection.
#[derive(Debug)]
pub(crate) struct Wire {
    input: BytesMut,
    side: Side,
}

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Side {
    /// The controller.
    Controller,
    /// The switch.
    Switch,
}

impl Wire {
    /// A connection that was just made.
    pub(crate) fn new(side: Side) -> Self {
        Self { input: BytesMut::new(), side }
    }

    /// Counts what these bytes complete, as a switch counts it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> Result<Tally, FrameError> {
        let mut tally = Tally::default();
        self.input.extend_from_slice(bytes);
        match self.side {
            Side::Controller => tally.bytes = bytes.len() as u64,
            Side::Switch => tally.told_bytes = bytes.len() as u64,
        }
        while let Some(frame) = split_frame(&mut self.input)? {
            match self.side {
                Side::Controller => ask(frame, &mut tally),
                Side::Switch => tell(frame, &mut tally),
            }
        }
        Ok(tally)
    }
}

/// Counts a message of the controller.
fn ask(Frame { header, body }: Frame, tally: &mut Tally) {
    /// Where a bundle-add, without its header, has the type of the message in it.
    const KIND_IN_BUNDLE: usize = 9;
    tally.messages += 1;
    let edit = match header.kind {
        MessageKind::BUNDLE_ADD_MESSAGE => body.get(KIND_IN_BUNDLE).map_or(header.kind, |kind| MessageKind(*kind)),
        MessageKind::MULTIPART_REQUEST => {
            if let Ok(Message::MultipartRequest { request: MultipartRequest::Flows(filter), .. }) =
                Message::decode(header, body)
            {
                match filter.table {
                    TableId::ALL => tally.reads += 1,
                    _ => tally.inspections += 1,
                }
            }
            return;
        }
        kind => kind,
    };
    match edit {
        MessageKind::FLOW_MOD => tally.flow_mods += 1,
        MessageKind::GROUP_MOD => tally.group_mods += 1,
        MessageKind::METER_MOD => tally.meter_mods += 1,
        _ => {}
    }
}

/// Counts a message of the switch.
fn tell(Frame { header, body }: Frame, tally: &mut Tally) {
    match header.kind {
        MessageKind::ERROR => tally.refusals += 1,
        // A connection is of use when the switch has answered the first question. Open vSwitch, which has connected, may
        // still take half a second until it hears the controller's hello.
        MessageKind::FEATURES_REPLY => tally.connections += 1,
        MessageKind::BUNDLE_CONTROL => {
            if let Ok(Message::BundleControl(control)) = Message::decode(header, body)
                && control.kind == BundleControlKind::CommitReply
            {
                tally.commits += 1;
            }
        }
        _ => {}
    }
}
