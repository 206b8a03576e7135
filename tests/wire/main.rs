//! The wire tier.

mod bad;
mod flow;
mod flow_random;
mod generate;
mod group;
mod link;
mod live;
mod message_random;
mod message_vectors;
mod script;
mod session_live;
mod session_scripted;
mod session_slow;
mod switch;
mod vector;
mod vswitchd;
