//! The api tier.
