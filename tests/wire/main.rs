//! The wire tier.

mod link;
mod message_random;
mod message_vectors;
mod session_live;
mod session_scripted;
mod vswitchd;
