//! OpenFlow 1.5 with the Nicira extensions: values, wire form, `ovs-ofctl` notation and a sans-io session.
//!
//! Start from [`Flow`] (what a table holds), [`Message`] (what travels) and
//! [`Session`] (one side of a connection). Nothing here reads a clock or a socket.

mod action;
mod digest;
mod edit;
mod edits;
mod encoded;
mod field;
mod flow;
mod frame;
mod group;
mod matching;
pub mod message;
mod meter;
mod number;
mod raw;
mod run;
pub mod session;
mod table;
pub mod text;
mod wire;

pub use action::{
    Action, Controller, Ct, CtFlags, Learn, LearnSource, LearnSpec, LearnTarget, Nat, NatFlags, NatRange, Subfield,
    ZoneSource,
};
pub use digest::Digest;
pub use edit::{EditKey, FlowEdit, Phase};
pub use edits::Edits;
pub use encoded::{EncodedEdit, EncodedKey, TooLong};
pub use field::{Field, FieldFormat, Prerequisite};
pub use flow::{Flow, FlowFlags, FlowKey, Instructions};
pub use frame::{Frame, FrameError, HEADER_LEN, Header, MAX_MESSAGE_LEN, MessageKind, VERSION, split_frame};
pub use group::{Bucket, Group, GroupKind, Selection};
pub use matching::{Match, MatchField};
pub use message::Message;
pub use meter::{Band, Meter, MeterFlags};
pub use number::{BucketId, Cookie, DatapathId, GroupId, MeterId, PortNo, TableId, Xid};
pub use raw::{EncodedFlows, RawFlow, RawKey, RawValue};
pub use run::EditRun;
pub use session::Session;
pub use table::FlowTable;
pub use wire::{DecodeError, DecodeErrorKind};
