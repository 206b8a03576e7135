//! A bundle on its way out.

use crate::message::{BundleAdd, BundleControl, BundleControlKind, BundleFlags, BundleId, Message};
use crate::{Edits, EncodedEdit, HEADER_LEN, MAX_MESSAGE_LEN, MessageKind, Phase, VERSION, Xid};
use bytes::{BufMut, BytesMut};

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

/// A bundle on its way out: opened, filled and closed; then, as its gate is opened, committed and followed by a
/// barrier, or discarded.
///
/// Open vSwitch takes no meters into bundles: meters are set before the bundle opens and deleted after its commit.
#[derive(Debug)]
pub(super) struct BundleTrain {
    bundle: BundleId,
    xids: BundleXids,
    /// In the order given, shared with whoever wants to know what an error is about.
    edits: Edits,
    /// How many meters before the bundle and after it are not sent yet: mostly there are none to look for.
    left: [usize; 2],
    /// Where the search for the next edit of the step goes on.
    cursor: Cursor,
    step: Step,
    bytes: usize,
}

/// A place among edits.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    run: usize,
    within: usize,
    place: u32,
}

impl Cursor {
    /// The edit at the place, which moves on to the next.
    fn next<'a>(&mut self, edits: &'a Edits) -> Option<(u32, &'a EncodedEdit)> {
        let mut run = edits.runs().get(self.run)?;
        if self.within == run.len() {
            self.run += 1;
            self.within = 0;
            run = edits.runs().get(self.run)?;
        }
        let found = (self.place, run.get(self.within)?);
        self.within += 1;
        self.place += 1;
        Some(found)
    }
}

/// How an edit is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Before the bundle.
    Meter,
    /// After the bundle.
    DeadMeter,
    /// In the bundle.
    Bundled,
}

impl Kind {
    const fn of(phase: Phase) -> Self {
        match phase {
            Phase::Meter => Self::Meter,
            Phase::DeleteMeter => Self::DeadMeter,
            _ => Self::Bundled,
        }
    }
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
    pub(super) fn new(bundle: BundleId, edits: Edits) -> Result<Self, EditTooLong> {
        let (mut left, mut bytes) = ([0; 2], 0);
        for edit in edits.iter() {
            let length = edit.message().len();
            if length + BundleAdd::OVERHEAD > MAX_MESSAGE_LEN {
                return Err(EditTooLong(length));
            }
            bytes += length;
            if let Some(meters) = left.get_mut(Kind::of(edit.phase()) as usize) {
                *meters += 1;
            }
        }
        let xids = BundleXids { base: Xid(0), edits: u32::try_from(edits.len()).unwrap_or(u32::MAX) };
        Ok(Self { bundle, xids, edits, left, cursor: Cursor::default(), step: Step::Meters, bytes })
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
        let edits = self.edits.clone();
        loop {
            match self.step {
                Step::Meters => match self.next_of(Kind::Meter, &edits) {
                    Some((index, edit)) => self.put_plain(out, index, edit),
                    None => self.go_on(Step::Open),
                },
                Step::Open => {
                    self.put_control(out, BundleControlKind::OpenRequest, self.xids.base);
                    self.go_on(Step::Edits);
                }
                Step::Edits => {
                    if self.put_adds(out, high_water, &edits) {
                        self.go_on(Step::Close);
                    }
                }
                Step::Close => {
                    self.put_control(out, BundleControlKind::CloseRequest, self.xids.close());
                    self.go_on(Step::Gate);
                }
                Step::Commit => {
                    self.put_control(out, BundleControlKind::CommitRequest, self.xids.commit());
                    self.go_on(Step::DeadMeters);
                }
                Step::DeadMeters => match self.next_of(Kind::DeadMeter, &edits) {
                    Some((index, edit)) => self.put_plain(out, index, edit),
                    None => self.go_on(Step::Barrier),
                },
                Step::Barrier => {
                    put(out, &Message::BarrierRequest, self.xids.end());
                    self.go_on(Step::Done);
                }
                Step::Discard => {
                    self.put_control(out, BundleControlKind::DiscardRequest, self.xids.end());
                    self.go_on(Step::Done);
                }
                Step::Gate | Step::Done => return,
            }
            if out.len() >= high_water {
                return;
            }
        }
    }

    fn go_on(&mut self, step: Step) {
        self.step = step;
        self.cursor = Cursor::default();
    }

    /// The next meter of a kind, with its place.
    fn next_of<'a>(&mut self, kind: Kind, edits: &'a Edits) -> Option<(u32, &'a EncodedEdit)> {
        let left = &mut self.left[kind as usize];
        if *left == 0 {
            return None;
        }
        *left -= 1;
        loop {
            let (place, edit) = self.cursor.next(edits)?;
            if Kind::of(edit.phase()) == kind {
                return Some((place, edit));
            }
        }
    }

    /// Puts edits of the bundle until `out` holds `high_water` bytes; true if all are put.
    fn put_adds(&mut self, out: &mut BytesMut, high_water: usize, edits: &Edits) -> bool {
        while let Some(run) = edits.runs().get(self.cursor.run) {
            for edit in &run[self.cursor.within..] {
                if Kind::of(edit.phase()) == Kind::Bundled {
                    if out.len() >= high_water {
                        return false;
                    }
                    self.put_add(out, self.cursor.place, edit);
                }
                self.cursor.within += 1;
                self.cursor.place += 1;
            }
            self.cursor.run += 1;
            self.cursor.within = 0;
        }
        true
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
        let message = edit.message();
        self.bytes -= message.len();
        let xid = self.xids.edit(index).0.to_be_bytes();
        // `new` took no edit that would make this longer than 16 bits can tell.
        let length = ((message.len() + BundleAdd::OVERHEAD) as u16).to_be_bytes();
        // This is done for each of millions of flows: the heads of both messages are put in one piece.
        let mut head = [0; BundleAdd::OVERHEAD + HEADER_LEN];
        head[..4].copy_from_slice(&[VERSION, MessageKind::BUNDLE_ADD_MESSAGE.0, length[0], length[1]]);
        head[4..8].copy_from_slice(&xid);
        head[8..12].copy_from_slice(&self.bundle.0.to_be_bytes());
        head[14..16].copy_from_slice(&BundleFlags::ATOMIC_ORDERED.bits().to_be_bytes());
        head[16..20].copy_from_slice(&message[..4]);
        head[20..].copy_from_slice(&xid);
        out.reserve(message.len() + BundleAdd::OVERHEAD);
        out.put_slice(&head);
        out.put_slice(&message[HEADER_LEN..]);
    }
}

fn put(out: &mut BytesMut, message: &Message, xid: Xid) {
    message.encode(xid, out).expect("bundle controls and barriers are short");
}
