//! The wire tier.

mod link;
mod message_random;
mod message_vectors;
mod session_live;
mod vswitchd;
