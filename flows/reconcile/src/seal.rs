//! The seal: a flow by which a switch says what it holds.
//!
//! Its action names the [`Digest`] of everything else. It is written in the bundle that makes the digest true and goes
//! away with the first doubt, so that whoever finds it, perhaps another process, need not read all flows to know them.

use weir_openflow::{Action, Cookie, Digest, EncodedEdit, Field, Flow, FlowEdit, Match, RawFlow, TableId};

/// Where the seal stands. No packet may come there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealPlace {
    /// Its table, which has no other flows.
    pub table: TableId,
    /// Its cookie.
    pub cookie: Cookie,
}

/// The field that the seal would set to the sum of the digest.
const FIELD: Field = Field::Xxreg0;

const PRIORITY: u16 = 1;

impl SealPlace {
    fn flow(self, sum: u128) -> Flow {
        let flow = Flow::new(self.table, PRIORITY, Match::default()).cookie(self.cookie);
        flow.apply([Action::set(FIELD, sum)])
    }

    /// The edit that puts the seal.
    fn put(self, sum: u128) -> EncodedEdit {
        EncodedEdit::encode(&FlowEdit::AddFlow(self.flow(sum))).expect("a small flow")
    }

    /// The edit that takes the seal away.
    fn removal(self) -> EncodedEdit {
        EncodedEdit::encode(&FlowEdit::DeleteFlow(self.flow(0).key)).expect("a small flow")
    }

    /// What a flow of the table says if it is a seal.
    pub(crate) fn read(self, flow: &RawFlow<'_>) -> Option<u128> {
        let flow = flow.decode().ok()?;
        let &[Action::SetField { value: sum, .. }] = &flow.instructions.apply[..] else { return None };
        (flow == self.flow(sum)).then_some(sum)
    }
}

/// The seal of one switch: what it says, and whether it may.
#[derive(Debug)]
pub(crate) struct Seal {
    place: SealPlace,
    held: Option<u128>,
    is_broken: bool,
}

impl Seal {
    /// A switch of which nothing is known.
    pub(crate) const fn new(place: SealPlace) -> Self {
        Self { place, held: None, is_broken: false }
    }

    /// Where it stands.
    pub(crate) const fn place(&self) -> SealPlace {
        self.place
    }

    /// The switch says this, or has no seal.
    pub(crate) const fn hold(&mut self, sum: Option<u128>) {
        self.held = sum;
    }

    /// The switch may hold something else than it was told: it must not say anything until it was compared.
    pub(crate) const fn break_up(&mut self) {
        self.is_broken = true;
    }

    /// A comparison begins, which will show what the switch holds.
    pub(crate) const fn mend(&mut self) {
        self.is_broken = false;
    }

    /// Whether the switch has a seal that it must not have.
    pub(crate) const fn is_false(&self) -> bool {
        self.is_broken && self.held.is_some()
    }

    /// The edit that leaves the switch with a true seal or none, and what the switch says then; none if it is so already.
    /// `digest` is what the switch holds with it, unless it is on its way somewhere else.
    pub(crate) fn edit(&self, digest: Option<Digest>) -> Option<(EncodedEdit, Option<u128>)> {
        let wanted = digest.filter(|_| !self.is_broken).map(|digest| digest.sum);
        (wanted != self.held).then(|| match wanted {
            Some(sum) => (self.place.put(sum), wanted),
            None => (self.place.removal(), None),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use weir_openflow::EncodedKey;

    const PLACE: SealPlace = SealPlace { table: TableId(250), cookie: Cookie(5) };

    #[test]
    fn a_seal_tells_its_digest() {
        for sum in [0, 1, u128::MAX, 0x0123_4567_89ab_cdef_0011_2233_4455_6677] {
            let edit = PLACE.put(sum);
            let flow = RawFlow::from_flow_mod(edit.message()).expect("a flow");
            assert_eq!(PLACE.read(&flow), Some(sum));
            let other = SealPlace { cookie: Cookie(6), ..PLACE };
            assert_eq!(other.read(&flow), None, "somebody else's");
            assert_eq!(PLACE.removal().key(), edit.key());
        }
        assert!(matches!(PLACE.removal().key(), EncodedKey::Flow { table: TableId(250), .. }));
    }

    #[test]
    fn a_broken_seal_is_taken_away_and_not_put_until_it_is_mended() {
        let digest = Digest { sum: 7, flows: 1 };
        let mut seal = Seal::new(PLACE);
        assert_eq!(seal.edit(None), None);
        assert_eq!(seal.edit(Some(digest)), Some((PLACE.put(7), Some(7))));
        seal.hold(Some(7));
        assert_eq!(seal.edit(Some(digest)), None, "it is there");
        assert_eq!(seal.edit(None), Some((PLACE.removal(), None)), "on the way to something else");
        seal.break_up();
        assert_eq!(seal.edit(Some(digest)), Some((PLACE.removal(), None)));
        seal.hold(None);
        assert_eq!(seal.edit(Some(digest)), None);
        seal.mend();
        assert_eq!(seal.edit(Some(digest)), Some((PLACE.put(7), Some(7))));
    }
}
