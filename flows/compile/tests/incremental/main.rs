//! Deltas against the recomputation of everything, and which units a change rebuilds.

mod cloud;
mod isolation;
mod random;
mod units;
