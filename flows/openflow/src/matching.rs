//! What a flow matches.

use crate::Field;

/// One field of a match: the bits of `value` under `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchField {
    /// The field.
    pub field: Field,
    /// The value; no bit is set outside `mask`.
    pub value: u128,
    /// The bits that must agree; all ones over the field's width for an exact match.
    pub mask: u128,
}

/// A match: fields in ascending order, each at most once.
///
/// Two matches that a switch takes as the same are equal: a field with an empty mask is left out, and bits outside
/// the mask are cleared.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    fields: Vec<MatchField>,
}
