//! Printing.

mod action;
mod flow;
mod group;
mod matching;

pub use action::ActionList;
pub(super) use action::REASONS;
