//! Deltas against the recomputation of everything, and which units a change rebuilds.

mod cloud;
mod random;
mod units;
