//! The Open vSwitch database of a hypervisor, as Weir sees it (RFC 7047 and ovsdb-server(7)).
//!
//! Nothing here does I/O or reads a clock. Bytes and the time go into a [`Session`]; bytes, a
//! deadline and events come out. Rows become a [`Mirror`], whose changes are [`Fact`]s; [`plan`]
//! compares a mirror with what Weir wants and answers with one transaction.
//!
//! ```text
//! bytes -> frame -> rpc -> session -> update -> mirror -> facts
//!                             ^                    |
//!                             +---- operations <- provision
//! ```

mod backoff;
mod fact;
mod frame;
mod mirror;
mod operation;
mod provision;
mod row;
mod rpc;
mod schema;
mod session;
mod table;
mod update;
mod value;

pub use backoff::Backoff;
pub use fact::{BridgeMapping, Fact, HostFact, HostProblem, InterfaceFact, InterfaceProblem, LinkState};
pub use frame::{Frame, FrameError, FrameLimits, Framer};
pub use mirror::{BridgeNames, Mirror, MirrorError};
pub use operation::{Condition, Function, Mutation, Mutator, Name, Operation, OperationResult, TransactError, Until};
pub use provision::{
    MARK, PATCH_TO_INTEGRATION, PATCH_TO_INTEGRATION_OFPORT, PATCH_TO_TUNNEL, PATCH_TO_TUNNEL_OFPORT, Plan, Problem,
    VXLAN, VXLAN_OFPORT, Wanted, plan, unprovision,
};
pub use row::{Row, RowError};
pub use rpc::{Message, Position, RpcError};
pub use schema::{SchemaError, SchemaVersion, check_schema};
pub use session::{CloseReason, Event, Refused, Session, SessionConfig, Timing, TransactionId};
pub use table::{
    Bridge, ColumnNeed, Controller, FlowTable, Interface, Manager, OpenVswitch, Port, Shape, Table, TableNeed,
    needed_tables,
};
pub use update::{Change, RowChange};
pub use value::{Atom, AtomKind, Datum, DatumError, Map, Set};
