//! What a switch refuses, with the numbers of OpenFlow 1.5, section 7.5.4, as Open vSwitch chooses them.

use weir_openflow::message::ErrorCode;
use weir_openflow::{Action, Field, Flow, Group, GroupId, GroupKind, MeterId, PortNo, Prerequisite};

/// Why a request was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("refused: {0}")]
pub struct Refusal(pub ErrorCode);

macro_rules! refusals {
    ($($name:ident = $kind:literal, $code:literal;)*) => {
        #[expect(missing_docs, reason = "each constant is the OFP*_* of the same name")]
        impl Refusal {
            $(pub const $name: Self = Self(ErrorCode { kind: $kind, code: $code, experimenter: None });)*
        }
    };
}

refusals! {
    BAD_TYPE = 1, 1;
    BAD_MULTIPART = 1, 2;
    BAD_EXPERIMENTER_TYPE = 1, 4;
    BAD_LEN = 1, 6;
    IS_SLAVE = 1, 10;
    BAD_OUT_PORT = 2, 4;
    BAD_ARGUMENT = 2, 5;
    BAD_OUT_GROUP = 2, 9;
    BAD_GOTO_TABLE = 3, 2;
    BAD_PREREQ = 4, 9;
    OVERLAP = 5, 3;
    INVALID_GROUP = 6, 1;
    UNKNOWN_GROUP = 6, 8;
    BUCKET_EXISTS = 6, 15;
    UNKNOWN_BUCKET = 6, 16;
    STALE_ROLE = 11, 0;
    INVALID_METER = 12, 2;
    UNKNOWN_METER = 12, 3;
    BUNDLE_BAD_ID = 17, 2;
    BUNDLE_EXISTS = 17, 3;
    BUNDLE_CLOSED = 17, 4;
    BUNDLE_BAD_TYPE = 17, 6;
    BUNDLE_BAD_FLAGS = 17, 7;
    BUNDLE_MESSAGE_UNSUPPORTED = 17, 10;
    BUNDLE_MESSAGE_FAILED = 17, 13;
}

/// Checks a flow as a switch does that has the groups and meters told by the two functions.
pub(super) fn check(
    flow: &Flow,
    has_group: impl Fn(GroupId) -> bool,
    has_meter: impl Fn(MeterId) -> bool,
) -> Result<(), Refusal> {
    if !flow.key.matching.iter().all(|part| prerequisite_met(flow, part.field)) {
        return Err(Refusal::BAD_PREREQ);
    }
    if flow.instructions.goto.is_some_and(|next| next <= flow.key.table || next.0 == 255) {
        return Err(Refusal::BAD_GOTO_TABLE);
    }
    let failed = std::cell::Cell::new(None);
    flow.uses(|action| {
        let refusal = match action {
            Action::Output { port, .. } if bad_port(*port) => Some(Refusal::BAD_OUT_PORT),
            Action::Group(group) if !has_group(*group) => Some(Refusal::BAD_OUT_GROUP),
            Action::Meter(meter) if !has_meter(*meter) => Some(Refusal::INVALID_METER),
            Action::Conjunction { clause, clauses, .. } if *clause == 0 || clause > clauses || *clauses < 2 => {
                Some(Refusal::BAD_ARGUMENT)
            }
            _ => None,
        };
        if failed.get().is_none() {
            failed.set(refusal);
        }
        false
    });
    failed.get().map_or(Ok(()), Err)
}

fn bad_port(port: PortNo) -> bool {
    (port.0 >= 0xff00 && port.0 < 0xffff_fff8) || port == PortNo::ANY
}

/// Checks a group as a switch does.
pub(super) fn check_group(group: &Group) -> Result<(), Refusal> {
    let single = group.kind == GroupKind::Indirect && group.buckets.len() != 1;
    if single || group.id > GroupId::MAX {
        return Err(Refusal::INVALID_GROUP);
    }
    Ok(())
}

/// Whether the match says that the packet is of the kind that has the field.
fn prerequisite_met(flow: &Flow, field: Field) -> bool {
    let exact = |field| flow.key.matching.exact(field);
    let eth = |types: &[u128]| exact(Field::EthType).is_some_and(|value| types.contains(&value));
    let ip = || eth(&[0x0800, 0x86dd]);
    let proto = |number| exact(Field::IpProto) == Some(number);
    let icmpv6 = || eth(&[0x86dd]) && proto(58);
    let kind = |kinds: &[u128]| exact(Field::Icmpv6Type).is_some_and(|value| kinds.contains(&value));
    // A code that is not told counts as 0.
    let code = exact(Field::Icmpv6Code).is_none_or(|code| code == 0);
    match field.prerequisite() {
        Prerequisite::Free | Prerequisite::Ethernet => true,
        Prerequisite::Vlan => flow.key.matching.get(Field::VlanVid).is_some_and(|(value, _)| value & 0x1000 != 0),
        Prerequisite::Mpls => eth(&[0x8847, 0x8848]),
        Prerequisite::Ipv4 => eth(&[0x0800]),
        Prerequisite::Ipv6 => eth(&[0x86dd]),
        Prerequisite::Ip => ip(),
        Prerequisite::Arp => eth(&[0x0806, 0x8035]),
        Prerequisite::Tcp => ip() && proto(6),
        Prerequisite::Udp => ip() && proto(17),
        Prerequisite::Sctp => ip() && proto(132),
        Prerequisite::Icmpv4 => eth(&[0x0800]) && proto(1),
        Prerequisite::Icmpv6 => icmpv6(),
        Prerequisite::Nd => icmpv6() && kind(&[135, 136]) && code,
        Prerequisite::NdSolicit => icmpv6() && kind(&[135]) && code,
        Prerequisite::NdAdvert => icmpv6() && kind(&[136]) && code,
        Prerequisite::Nsh => eth(&[0x894f]),
        Prerequisite::Ct => flow.key.matching.get(Field::CtState).is_some_and(|(value, mask)| value & mask & 0x20 != 0),
    }
}
