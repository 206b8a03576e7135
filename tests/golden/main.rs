//! The golden tier.
