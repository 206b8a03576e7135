//! The declarations.

mod delivery;
mod field;
mod policy;
mod resolution;
mod routing;
mod sender;
mod tunnel;

use super::{FieldUse, Precision, TableSpec};
use weir_openflow::Field;

const fn exact(field: Field) -> FieldUse {
    FieldUse { field, precision: Precision::Exact }
}

const fn prefix(field: Field) -> FieldUse {
    FieldUse { field, precision: Precision::Prefix }
}

const fn bits(field: Field) -> FieldUse {
    FieldUse { field, precision: Precision::Bits }
}

/// Every table, in the order of [`Table`](super::Table).
pub const SPECS: &[TableSpec] = &[
    sender::CLASSIFY,
    sender::ADMISSION,
    sender::GUARD,
    sender::UNSPECIFIED,
    sender::ND_ADMISSION,
    sender::ARP,
    sender::ND,
    sender::REPLY,
    sender::ND_ANSWER,
    sender::SERVICES,
    resolution::RESOLVE_V4,
    resolution::RESOLVE_V6,
    routing::FORWARD,
    routing::ROUTER,
    routing::ROUTE,
    routing::MTU,
    routing::OVERSIZE,
    routing::NEIGHBOUR,
    routing::HOP,
    routing::RESOLVED,
    policy::DESTINATION,
    policy::ZONE,
    policy::TRACK,
    policy::LEAVE,
    policy::LEFT,
    policy::ENTER,
    policy::ENTERED,
    policy::COMMIT,
    policy::RULES,
    policy::PERMIT,
    delivery::PUNT,
    delivery::DELIVER,
    delivery::FLOOD,
    delivery::ANSWER,
    tunnel::TUNNEL_CLASSIFY,
    tunnel::TUNNEL_SOURCE,
    tunnel::TUNNEL_NETWORK,
    tunnel::TUNNEL_OUTPUT,
];
