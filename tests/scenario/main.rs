//! The scenario tier.
