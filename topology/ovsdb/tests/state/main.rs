//! Rows, what is derived from them, and what is done about them.

mod database;
mod mirror;
mod provision;
