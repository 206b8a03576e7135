//! Actions and the notions they are made of.

use crate::field::ones;
use crate::matching::VLAN_PRESENT;
use crate::wire::WRITE_RESULT;
use crate::{Field, GroupId, MeterId, PortNo, TableId};
use std::net::IpAddr;

/// A run of bits within a field, as in `NXM_NX_REG0[4..15]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subfield {
    /// The field.
    pub field: Field,
    /// The lowest bit, counted from 0.
    pub offset: u16,
    /// How many bits.
    pub bits: u16,
}

/// An action as a flow, a bucket or a packet-out carries it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are what the sentence on their variant names")]
pub enum Action {
    /// Out of a port; `max_len` bytes when the port is the controller.
    Output { port: PortNo, max_len: u16 },
    /// Out of the port that a field names.
    OutputReg { src: Subfield, max_len: u16 },
    /// Through a group.
    Group(GroupId),
    /// Through a meter (an action since OpenFlow 1.5).
    Meter(MeterId),
    /// Sets the bits of `field` under `mask`.
    SetField { field: Field, value: u128, mask: u128 },
    /// Copies bits (`move:src->dst`; OpenFlow 1.5 copy-field on the wire).
    Move { src: Subfield, dst: Subfield },
    /// Loads a constant into a subfield (`load:value->dst`).
    Load { value: u64, dst: Subfield },
    /// Pushes a VLAN header with this ethertype.
    PushVlan { ethertype: u16 },
    /// Pops the outer VLAN header.
    PopVlan,
    /// Chooses the queue of later outputs.
    SetQueue(u32),
    /// Decrements the IP TTL or hop limit; sends to the controllers of these ids when it reaches zero.
    DecTtl { controllers: Vec<u16> },
    /// Passes the packet through the connection tracker.
    Ct(Ct),
    /// Forgets the connection state of the packet.
    CtClear,
    /// Searches a table again, as if the packet came in on `port`; `ct` uses the tuple of the connection.
    Resubmit { port: Option<PortNo>, table: Option<TableId>, ct: bool },
    /// Adds a flow made from the packet.
    Learn(Learn),
    /// One clause of a conjunctive match; `clause` counts from 1 as in the notation of ovs-ofctl.
    Conjunction { id: u32, clause: u8, clauses: u8 },
    /// Sends the packet to the controller with a continuation or user data.
    Controller(Controller),
    /// Runs actions on a copy of the packet.
    Clone(Vec<Self>),
    /// Sets one bit when the packet is longer than `length` bytes.
    CheckPktLarger { length: u16, dst: Subfield },
    /// Removes a field (tunnel metadata).
    DeleteField(Field),
    /// Bytes without effect; [`Action::canonical`] fills them up to 6 bytes more than a multiple of 8.
    Note(Vec<u8>),
    /// Saves the pipeline state for a `Resubmit` that must not leave traces.
    Push(Subfield),
    /// Restores what `Push` saved.
    Pop(Subfield),
    /// Leaves the tables at once (`exit`).
    Exit,
}

/// The zone of a `ct` action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ZoneSource {
    /// A constant.
    Constant(u16),
    /// 16 bits of a field.
    Field(Subfield),
}

/// Flags of a `ct` action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CtFlags {
    /// Commits the connection to the table of connections.
    pub commit: bool,
    /// Takes over a connection that exists in the other direction; only with `commit`.
    pub force: bool,
}

/// The `ct` action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ct {
    /// Commit and force.
    pub flags: CtFlags,
    /// The zone.
    pub zone: ZoneSource,
    /// The table where the tracked copy goes on; none means that the packet goes on untracked after the action.
    pub table: Option<TableId>,
    /// The port of the application-level gateway: 0, 21 (ftp) or 69 (tftp).
    pub alg: u16,
    /// Address translation.
    pub nat: Option<Nat>,
    /// Actions on ct_mark and ct_label.
    pub exec: Vec<Action>,
}

/// The `nat` part of a `ct` action.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nat {
    /// Which side is translated and how.
    pub flags: NatFlags,
    /// To which addresses and ports; none applies the translation that the connection has.
    pub range: Option<NatRange>,
}

/// Flags of address translation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatFlags {
    /// Translates the source.
    pub src: bool,
    /// Translates the destination.
    pub dst: bool,
    /// Keeps the choice over restarts.
    pub persistent: bool,
    /// Chooses ports by hash.
    pub hash: bool,
    /// Chooses ports at random.
    pub random: bool,
}

/// A range of addresses and ports to translate to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatRange {
    /// First and last address, of one family; none leaves the address.
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// First and last port; none leaves the choice to the switch.
    pub ports: Option<(u16, u16)>,
}

/// The `learn` action.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Learn {
    /// Seconds without traffic until the flow ends; 0 never.
    pub idle_timeout: u16,
    /// Seconds until the flow ends; 0 never.
    pub hard_timeout: u16,
    /// Priority of the learned flow.
    pub priority: u16,
    /// Cookie of the learned flow.
    pub cookie: u64,
    /// Where the learned flow goes.
    pub table: TableId,
    /// `send_flow_rem`, `delete_learned` and `write` (`result_dst`) flags as on the wire.
    pub flags: u16,
    /// Idle timeout after FIN or RST.
    pub fin_idle_timeout: u16,
    /// Hard timeout after FIN or RST.
    pub fin_hard_timeout: u16,
    /// The most flows that the action may have learned; 0 for no limit.
    pub limit: u32,
    /// A bit that tells whether learning met the limit.
    pub result: Option<Subfield>,
    /// What the learned flow matches and does.
    pub specs: Vec<LearnSpec>,
}

/// One part of a learned flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LearnSpec {
    /// Where the bits come from.
    pub source: LearnSource,
    /// What they become.
    pub target: LearnTarget,
    /// How many bits.
    pub bits: u16,
}

/// Where the bits of a learned flow come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are what the sentence on their variant names")]
pub enum LearnSource {
    /// A field of the packet, from this bit on.
    Field { field: Field, offset: u16 },
    /// A constant.
    Constant(u128),
}

/// What bits become in a learned flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the fields are what the sentence on their variant names")]
pub enum LearnTarget {
    /// A match on a field, from this bit on.
    Match { field: Field, offset: u16 },
    /// A load into a field, from this bit on.
    Load { field: Field, offset: u16 },
    /// An output to the port.
    Output,
}

/// The `controller` action with its options (`NXAST_CONTROLLER2`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Controller {
    /// Bytes of the packet to send.
    pub max_len: u16,
    /// Which controller.
    pub controller: u16,
    /// `OFPR_*`: 1 is action.
    pub reason: u8,
    /// Bytes handed back in the packet-in.
    pub userdata: Vec<u8>,
    /// Pauses the packet, to go on by a resume message.
    pub pause: bool,
    /// The meter that limits the packet-ins.
    pub meter: Option<MeterId>,
}

impl Subfield {
    /// All bits of a field.
    #[must_use]
    pub const fn whole(field: Field) -> Self {
        Self { field, offset: 0, bits: field.width() }
    }

    /// `bits` bits of a field from bit `offset` on, cut off at the end of the field.
    #[must_use]
    pub const fn bits(field: Field, offset: u16, bits: u16) -> Self {
        let width = field.width();
        let offset = if offset < width { offset } else { width };
        let bits = if bits < width - offset { bits } else { width - offset };
        Self { field, offset, bits }
    }

    /// The bits as a mask over the field.
    #[must_use]
    pub const fn mask(self) -> u128 {
        ones(self.bits) << self.offset
    }

    /// Whether these are all bits of the field.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        self.offset == 0 && self.bits == self.field.width()
    }
}

impl Action {
    /// Out of a port; the whole packet if the port is the controller.
    #[must_use]
    pub const fn output(port: PortNo) -> Self {
        let max_len = if port.0 == PortNo::CONTROLLER.0 { WHOLE_PACKET } else { 0 };
        Self::Output { port, max_len }
    }

    /// Sets a whole field.
    #[must_use]
    pub const fn set(field: Field, value: u128) -> Self {
        Self::SetField { field, value: value & field.ones(), mask: field.ones() }
    }

    /// Sets the bits of a subfield, in which `value` is right aligned.
    #[must_use]
    pub const fn set_bits(dst: Subfield, value: u128) -> Self {
        let mask = if dst.is_whole() { dst.field.ones() } else { dst.mask() };
        Self::SetField { field: dst.field, value: value << dst.offset & mask, mask }
    }

    /// Copies a whole field into another of the same width.
    #[must_use]
    pub const fn copy(src: Field, dst: Field) -> Self {
        Self::Move { src: Subfield::whole(src), dst: Subfield::whole(dst) }
    }

    /// Searches another table and comes back.
    #[must_use]
    pub const fn resubmit(table: TableId) -> Self {
        Self::Resubmit { port: None, table: Some(table), ct: false }
    }

    /// Decrements the TTL, telling controller 0 when it reaches zero.
    #[must_use]
    pub fn dec_ttl() -> Self {
        Self::DecTtl { controllers: vec![0] }
    }
}

impl Action {
    /// Whether this action or one within it is as asked.
    pub fn any(&self, asked: &impl Fn(&Self) -> bool) -> bool {
        asked(self)
            || match self {
                Self::Clone(actions) => actions.iter().any(|action| action.any(asked)),
                Self::Ct(ct) => ct.exec.iter().any(|action| action.any(asked)),
                _ => false,
            }
    }
}

impl Action {
    /// The form in which a switch hands the action back; two actions of one canonical form do the same.
    ///
    /// - `Load` becomes `SetField`, which is all that OpenFlow 1.5 has; a VLAN id is set with its presence bit;
    /// - bits outside the mask are cleared, and those of a constant beyond its number of bits;
    /// - a `Controller` that only sends the packet becomes an `Output`;
    /// - a resubmit to the port that the packet came in on, or to table 255, says neither;
    /// - a note is filled up with zeros; a NAT range without addresses is no range;
    /// - the flag of `learn` that says that there is a result agrees with the result.
    #[must_use]
    pub fn canonical(self) -> Self {
        match self {
            Self::SetField { field, value, mask } => {
                let (value, mask) = settable(field, value, mask);
                Self::SetField { field, value, mask }
            }
            Self::Load { value, dst } => {
                let (value, mask) = settable(dst.field, u128::from(value) << dst.offset, load_mask(dst));
                Self::SetField { field: dst.field, value, mask }
            }
            Self::Controller(to) if to.is_plain() => Self::Output { port: PortNo::CONTROLLER, max_len: to.max_len },
            Self::Resubmit { port, table, ct } => Self::Resubmit {
                port: port.filter(|&port| port != PortNo::IN_PORT),
                table: table.filter(|&table| table != TableId::ALL),
                ct,
            },
            Self::Note(mut bytes) => {
                bytes.resize((bytes.len() + 2).next_multiple_of(8).max(8) - 2, 0);
                Self::Note(bytes)
            }
            Self::Clone(actions) => Self::Clone(actions.into_iter().map(Self::canonical).collect()),
            Self::Ct(mut ct) => {
                ct.exec = ct.exec.into_iter().map(Self::canonical).collect();
                if let Some(nat) = &mut ct.nat {
                    nat.range = nat.range.filter(|range| range.addresses.is_some());
                }
                Self::Ct(ct)
            }
            Self::Learn(mut learn) => {
                learn.flags &= !WRITE_RESULT;
                learn.flags |= if learn.result.is_some() { WRITE_RESULT } else { 0 };
                for spec in &mut learn.specs {
                    if let LearnSource::Constant(value) = &mut spec.source {
                        *value &= ones(spec.bits);
                    }
                }
                Self::Learn(learn)
            }
            other => other,
        }
    }
}

impl Controller {
    /// Whether this sends the packet to controller 0 and nothing more, as an output does.
    pub(crate) fn is_plain(&self) -> bool {
        self.controller == 0 && self.reason == 1 && self.userdata.is_empty() && !self.pause && self.meter.is_none()
    }
}

/// Value and mask of a set-field as a switch accepts them.
pub(crate) const fn settable(field: Field, value: u128, mask: u128) -> (u128, u128) {
    let (value, mask) = match field {
        Field::VlanVid => (value | VLAN_PRESENT, mask | VLAN_PRESENT),
        _ => (value, mask),
    };
    let mask = mask & (field.ones() | ones(field.width()));
    (value & mask, mask)
}

/// The mask of a load; a load of a whole field is exact.
pub(crate) const fn load_mask(dst: Subfield) -> u128 {
    if dst.is_whole() { dst.field.ones() } else { dst.mask() }
}

/// The `max_len` of an output to the controller that sends the whole packet.
pub(crate) const WHOLE_PACKET: u16 = 0xffff;
