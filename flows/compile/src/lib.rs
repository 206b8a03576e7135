//! From the topology to flows.
//!
//! Start from [`Unit`] (the grain of recomputation), [`Engine`] (encoded units, and commits turned into [`Delta`]s) and
//! [`Table`] (the pipeline as data). [`desired`] is the oracle: everything one bridge must hold, computed from nothing but
//! the topology. Nothing here reads a clock or a socket, and nothing fails: what has no flows is [`Unexpressed`].

mod block;
mod bounds;
pub mod bridge;
mod circle;
mod cookie;
mod delta;
mod engine;
mod explain;
mod feature;
mod kept;
mod packet;
pub mod pipeline;
mod priority;
pub mod register;
mod roster;
mod sink;
mod touched;
mod unexpressed;
mod unit;

pub use bounds::{Headroom, Share};
pub use bridge::Bridge;
pub use circle::Circle;
pub use cookie::{Object, Purpose, Reason, Tag};
pub use delta::Delta;
pub use engine::{Applied, Engine, Holding, desired, units_for};
pub use explain::{Owner, OwnerKind, explain};
pub use feature::{FEATURES, Feature, MAX_CLAIMS};
pub use pipeline::{SEAL_TABLE, Table, seal_cookie, table_names};
pub use priority::Priority;
pub use roster::Recipients;
pub use sink::Sink;
pub use touched::Touched;
pub use unexpressed::{Obstacle, Unexpressed, Wish};
pub use unit::{Scope, Unit};
