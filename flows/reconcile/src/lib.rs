//! One switch and what it should hold: read back, compare, send only the difference, know what is acknowledged.
//!
//! Start from [`Switch`]: a session of OpenFlow 1.5 with a [`Reconciler`] on top, without sockets or clocks. It takes
//! bytes, [`Order`]s and time; it gives bytes and [`SwitchEvent`]s.
//!
//! ```text
//!   Ready ──► Wanting ──Order::Desired──► Comparing ──► Committing ──► Idle
//!                ▲                                          ▲ │          │
//!                │                                 Order::Apply          │
//!                └── audit due, foreign change, refused bundle ──────────┘
//! ```

mod comparison;
mod flush;
mod order;
mod pending;
mod reconciler;
mod switch;

pub use comparison::Repair;
pub use order::{Desired, Dump, Order, Refusal, Step, SwitchEvent};
pub use reconciler::Reconciler;
pub use switch::{Switch, SwitchConfig};
