//! One switch and what it should hold: read back, compare, send only the difference, know what is acknowledged.
//!
//! Start from [`Switch`]: a session of OpenFlow 1.5 with a [`Reconciler`] on top, without sockets or clocks. It takes
//! bytes, [`Order`]s and time; it gives bytes and [`SwitchEvent`]s.
//!
//! ```text
//!   Ready ──► Wanting ──Order::Desired──► Comparing ──► Committing ──► Idle
//!                ▲ └──────Order::Sealed──────────────────────▲ │  ▲     │
//!                │                                             Order::Apply
//!                └── audit due, foreign change, refused bundle ──────────┘
//! ```

mod comparison;
mod flush;
mod inspection;
mod order;
mod pending;
mod reconciler;
mod seal;
mod switch;

pub use comparison::Repair;
pub use order::{Desired, Dump, Occasion, Order, Refusal, Step, SwitchEvent};
pub use reconciler::Reconciler;
pub use seal::SealPlace;
pub use switch::{Switch, SwitchConfig};
