//! A bundle on its way out.

use crate::message::{BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId, Message, put_header};
use crate::{EncodedEdit, HEADER_LEN, MAX_MESSAGE_LEN, MessageKind, Phase, VERSION, Xid};
use bytes::{BufMut, BytesMut};
use std::vec;

/// The xids of a bundle: one run, so that an error's xid tells the edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BundleXids {
    /// The xid of the opening.
    pub(super) base: Xid,
    /// How many edits.
    pub(super) edits: u32,
}

/// What a message of a bundle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Open,
    Edit(usize),
    Close,
    Commit,
    /// The barrier after the commit, or the discard.
    End,
}

impl BundleXids {
    /// How many xids there are.
    pub(super) const fn count(self) -> u32 {
        self.edits + 4
    }

    /// What the message of this xid is, if it is of this bundle.
    pub(super) fn place(self, xid: Xid) -> Option<Place> {
        let at = xid.0.checked_sub(self.base.0)?;
        match at.checked_sub(self.edits + 1) {
            None if at == 0 => Some(Place::Open),
            None => usize::try_from(at - 1).ok().map(Place::Edit),
            Some(0) => Some(Place::Close),
            Some(1) => Some(Place::Commit),
            Some(2) => Some(Place::End),
            Some(_) => None,
        }
    }

    const fn edit(self, index: u32) -> Xid {
        Xid(self.base.0 + 1 + index)
    }

    const fn close(self) -> Xid {
        Xid(self.base.0 + self.edits + 1)
    }

    pub(super) const fn commit(self) -> Xid {
        Xid(self.base.0 + self.edits + 2)
    }

    /// The last of the xids.
    pub(super) const fn end(self) -> Xid {
        Xid(self.base.0 + self.edits + 3)
    }
}

/// Edits with their places in the order given.
type Edits = vec::IntoIter<(u32, EncodedEdit)>;

/// A bundle on its way out: opened, filled and closed; then, as its gate is opened, committed and followed by a
/// barrier, or discarded.
///
/// Open vSwitch takes no meters into bundles: meters are set before the bundle opens and deleted after its commit.
#[derive(Debug)]
pub(super) struct BundleTrain {
    bundle: BundleId,
    xids: BundleXids,
    meters: Edits,
    edits: Edits,
    dead_meters: Edits,
    step: Step,
    bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Meters,
    Open,
    Edits,
    Close,
    Gate,
    Commit,
    DeadMeters,
    Barrier,
    Discard,
    Done,
}

/// An edit that is too long to be added to a bundle: its length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EditTooLong(pub(super) usize);

impl BundleTrain {
    pub(super) fn new<'a>(
        bundle: BundleId,
        given: impl IntoIterator<Item = &'a EncodedEdit>,
    ) -> Result<Self, EditTooLong> {
        let (mut meters, mut edits, mut dead_meters) = (Vec::new(), Vec::new(), Vec::new());
        let mut bytes = 0;
        let mut count = 0;
        for edit in given {
            let length = edit.message().len();
            if length + BundleAdd::OVERHEAD > MAX_MESSAGE_LEN {
                return Err(EditTooLong(length));
            }
            bytes += length;
            let place = match edit.phase() {
                Phase::Meter => &mut meters,
                Phase::DeleteMeter => &mut dead_meters,
                _ => &mut edits,
            };
            place.push((count, edit.clone()));
            count += 1;
        }
        Ok(Self {
            bundle,
            xids: BundleXids { base: Xid(0), edits: count },
            meters: meters.into_iter(),
            edits: edits.into_iter(),
            dead_meters: dead_meters.into_iter(),
            step: Step::Meters,
            bytes,
        })
    }

    /// Sets the first of its xids.
    pub(super) const fn number(&mut self, base: Xid) {
        self.xids.base = base;
    }

    pub(super) const fn xids(&self) -> BundleXids {
        self.xids
    }

    pub(super) const fn base(&self) -> Xid {
        self.xids.base
    }

    /// Bytes of the edits that wait.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether all is sent up to the point where the switch has to answer.
    pub(super) const fn at_gate(&self) -> bool {
        matches!(self.step, Step::Gate)
    }

    /// Whether all is sent.
    pub(super) const fn is_done(&self) -> bool {
        matches!(self.step, Step::Done)
    }

    /// Opens the gate.
    pub(super) fn release(&mut self, commit: bool) {
        if self.at_gate() {
            self.step = if commit { Step::Commit } else { Step::Discard };
            if !commit {
                self.bytes = 0;
            }
        }
    }

    /// Puts messages until `out` holds `high_water` bytes, or the gate or the end is reached.
    pub(super) fn fill(&mut self, out: &mut BytesMut, high_water: usize) {
        loop {
            match self.step {
                Step::Meters => {
                    if let Some((index, edit)) = self.meters.next() {
                        self.put_plain(out, index, &edit);
                    } else {
                        self.step = Step::Open;
                    }
                }
                Step::Open => {
                    self.put_control(out, BundleControlKind::OpenRequest, self.xids.base);
                    self.step = Step::Edits;
                }
                Step::Edits => {
                    if let Some((index, edit)) = self.edits.next() {
                        self.put_add(out, index, &edit);
                    } else {
                        self.step = Step::Close;
                    }
                }
                Step::Close => {
                    self.put_control(out, BundleControlKind::CloseRequest, self.xids.close());
                    self.step = Step::Gate;
                }
                Step::Commit => {
                    self.put_control(out, BundleControlKind::CommitRequest, self.xids.commit());
                    self.step = Step::DeadMeters;
                }
                Step::DeadMeters => {
                    if let Some((index, edit)) = self.dead_meters.next() {
                        self.put_plain(out, index, &edit);
                    } else {
                        self.step = Step::Barrier;
                    }
                }
                Step::Barrier => {
                    put(out, &Message::BarrierRequest, self.xids.end());
                    self.step = Step::Done;
                }
                Step::Discard => {
                    self.put_control(out, BundleControlKind::DiscardRequest, self.xids.end());
                    self.step = Step::Done;
                }
                Step::Gate | Step::Done => return,
            }
            if out.len() >= high_water {
                return;
            }
        }
    }

    fn put_control(&self, out: &mut BytesMut, kind: BundleControlKind, xid: Xid) {
        let control = BundleControl { bundle: self.bundle, kind, flags: BundleFlags::ATOMIC_ORDERED };
        put(out, &Message::BundleControl(control), xid);
    }

    fn put_plain(&mut self, out: &mut BytesMut, index: u32, edit: &EncodedEdit) {
        let message = edit.message();
        self.bytes -= message.len();
        out.put_slice(&message[..4]);
        out.put_u32(self.xids.edit(index).0);
        out.put_slice(&message[HEADER_LEN..]);
    }

    fn put_add(&mut self, out: &mut BytesMut, index: u32, edit: &EncodedEdit) {
        let length = edit.message().len() + BundleAdd::OVERHEAD;
        out.reserve(length);
        let start = out.len();
        put_header(out, VERSION, MessageKind::BUNDLE_ADD_MESSAGE, self.xids.edit(index));
        // `new` took no edit that would make this longer than 16 bits can tell.
        out[start + 2..start + 4].copy_from_slice(&(length as u16).to_be_bytes());
        out.put_u32(self.bundle.0);
        out.put_u16(0);
        out.put_u16(BundleFlags::ATOMIC_ORDERED.bits());
        self.put_plain(out, index, edit);
    }
}

fn put(out: &mut BytesMut, message: &Message, xid: Xid) {
    message.encode(xid, out).expect("bundle controls and barriers are short");
}
