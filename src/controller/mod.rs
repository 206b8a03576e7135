//! One owner of the state: events come in, orders, answers and durable batches go out.
//!
//! ```text
//!   api ────── ApiRequest, DumpRequest ──►┐                 ┌──► store (one durable commit a batch)
//!   link::ovsdb ────────── DatabaseEvent ─►│ run: batches of │──► api (answers, published topology, board)
//!   link::openflow ────── ConnectionEvent ─►│ Controller      │──► link::openflow (Order, bounded)
//!   clock ─────────────────────── tick ───►┘                 └──► log
//! ```
//!
//! What VMs ask is answered by [`Answers`] on the tasks of the switches' connections, from the published topology.
//!
//! [`Controller`] is plain code without waiting: `run` gives it what arrived and carries out what it wants.

mod answers;
mod batch;
mod board;
mod comparisons;
mod core;
mod database;
mod dump;
mod event;
mod explain;
mod flush;
mod followers;
mod host;
mod lives;
mod progress;
mod run;
mod status;
mod switches;
mod wishes;
mod withdrawal;

pub use self::core::Controller;
pub use answers::{AnswerCounts, Answers};
pub use batch::{Batch, Reply};
pub use board::{Board, Posted};
pub use dump::FinishedDump;
pub use event::Event;
pub use progress::{Progress, SwitchId};
pub use run::{StartError, Started, start};
