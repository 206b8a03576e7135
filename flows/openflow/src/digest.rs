//! What a switch holds, in a few bytes.

use crate::{EncodedEdit, Phase};
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

/// A digest of additions, whatever their order: what is added and taken away adds to it and takes from it.
///
/// The same in every process, so that a switch can keep it for the next one. It tells apart what differs by chance or by
/// mistake; who can choose what a switch is told is who keeps the digest, too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest {
    /// The sum of the additions' hashes, modulo 2^128.
    pub sum: u128,
    /// How many flows are added, modulo 2^64: below 0 for what takes away more than it adds.
    pub flows: u64,
}

impl Digest {
    /// The digest of additions.
    pub fn of<'a>(additions: impl IntoIterator<Item = &'a EncodedEdit>) -> Self {
        additions.into_iter().map(Self::of_one).sum()
    }

    fn of_one(edit: &EncodedEdit) -> Self {
        /// The xid, which is not a part of the edit, stands before.
        const BODY: usize = 8;
        let message = edit.message();
        let mut hasher = SipHasher13::new();
        hasher.write(&message[..4]);
        hasher.write(&message[BODY..]);
        Self { sum: hasher.finish128().as_u128(), flows: (edit.phase() == Phase::AddFlow).into() }
    }
}

impl Add for Digest {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { sum: self.sum.wrapping_add(other.sum), flows: self.flows.wrapping_add(other.flows) }
    }
}

impl Neg for Digest {
    type Output = Self;

    fn neg(self) -> Self {
        Self { sum: self.sum.wrapping_neg(), flows: self.flows.wrapping_neg() }
    }
}

impl Sub for Digest {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl AddAssign for Digest {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Digest {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Digest {
    fn sum<I: Iterator<Item = Self>>(digests: I) -> Self {
        digests.fold(Self::default(), Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cookie, Field, Flow, FlowEdit, Group, GroupId, GroupKind, Match, TableId};

    fn additions() -> Vec<EncodedEdit> {
        let flow = |reg, cookie| Flow::new(TableId(3), 7, Match::new().with(Field::Reg0, reg)).cookie(Cookie(cookie));
        let edits = [
            FlowEdit::AddFlow(flow(1, 1)),
            FlowEdit::AddFlow(flow(1, 2)),
            FlowEdit::AddFlow(flow(2, 1)),
            FlowEdit::AddGroup(Group::new(GroupId(1), GroupKind::All)),
        ];
        edits.iter().map(|edit| EncodedEdit::encode(edit).expect("a small edit")).collect()
    }

    #[test]
    fn digests_of_all_sets_differ_and_order_does_not_matter() {
        let all = additions();
        let subsets: Vec<Digest> = (0..1u32 << all.len())
            .map(|chosen| Digest::of(all.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1).map(|(_, it)| it)))
            .collect();
        for (at, one) in subsets.iter().enumerate() {
            assert!(subsets[..at].iter().all(|other| other.sum != one.sum), "{at:b}");
        }
        assert_eq!(Digest::of(all.iter().rev()), Digest::of(&all));
        assert_eq!(Digest::of(&all).flows, 3);
        assert_eq!(Digest::of(&[]), Digest::default());
    }

    #[test]
    fn what_is_taken_away_is_gone() {
        let all = additions();
        let mut digest = Digest::of(&all[..2]);
        digest += Digest::of(&all[2..]);
        digest -= Digest::of(&all[..1]);
        assert_eq!(digest, Digest::of(&all[1..]));
        assert_eq!(digest + -digest, Digest::default());
    }

    /// A switch gives back what an earlier process, perhaps an older version, gave it.
    #[test]
    fn a_digest_is_for_ever() {
        let digest = Digest::of(&additions());
        assert_eq!(format!("{:032x}", digest.sum), "d5159398cc39ae437ed8f2aa14ca38d6");
    }
}
