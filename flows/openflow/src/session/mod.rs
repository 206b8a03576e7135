//! The controller's side of one connection, without sockets or clocks.

mod config;
mod event;

pub use config::SessionConfig;
pub use event::{CloseReason, Rejection, SendError, SessionEvent};
