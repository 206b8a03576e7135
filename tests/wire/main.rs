//! The wire tier.
