//! The wire tier.

mod link;
mod session_live;
mod switch;
