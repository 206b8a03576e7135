//! The wire tier.

mod link;
mod message_vectors;
mod session_live;
mod switch;
