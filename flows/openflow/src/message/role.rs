//! The role of a controller towards a switch.

use super::property::property;
use crate::DecodeErrorKind;
use crate::wire::{self, Parsed};
use bytes::{BufMut, BytesMut};

/// The role of a controller (OpenFlow 1.5, section 7.3.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Asks for the present role without changing it.
    NoChange,
    /// Full access, as every controller has at first.
    Equal,
    /// Full access; the switch turns any other master into a slave.
    Master,
    /// Reads only.
    Slave,
}

/// The body of a role request and of its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleClaim {
    /// The role asked for or given.
    pub role: Role,
    /// The number of the election that made the controller master. A switch refuses a smaller one than it has seen.
    pub generation: u64,
}

/// Why a switch changed a controller's role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RoleReason {
    /// Another controller became master.
    MasterRequest,
    /// The switch was configured so.
    Config,
    /// An experimenter's reason.
    Experimenter,
}

/// Tells a controller that its role was changed (OpenFlow 1.5, section 7.4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoleStatus {
    /// The new role.
    pub role: Role,
    /// Why.
    pub reason: RoleReason,
    /// The generation of the new master.
    pub generation: u64,
}

impl Role {
    const fn number(self) -> u32 {
        match self {
            Self::NoChange => 0,
            Self::Equal => 1,
            Self::Master => 2,
            Self::Slave => 3,
        }
    }

    fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (rest, number) = wire::u32(input)?;
        let role = match number {
            0 => Self::NoChange,
            1 => Self::Equal,
            2 => Self::Master,
            3 => Self::Slave,
            _ => return wire::fail(input, DecodeErrorKind::Value),
        };
        Ok((rest, role))
    }
}

impl RoleClaim {
    /// `OFPR_*` request or reply: role, a controller's short id (which Open vSwitch 3.1 does not use), generation.
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, role) = Role::parse(input)?;
        let (input, ()) = wire::skip(input, 4)?;
        let (input, generation) = wire::u64(input)?;
        Ok((input, Self { role, generation }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.role.number());
        out.put_bytes(0, 4);
        out.put_u64(self.generation);
    }
}

impl RoleStatus {
    pub(super) fn parse(input: &[u8]) -> Parsed<'_, Self> {
        let (input, role) = Role::parse(input)?;
        let (rest, reason) = wire::u8(input)?;
        let reason = match reason {
            0 => RoleReason::MasterRequest,
            1 => RoleReason::Config,
            2 => RoleReason::Experimenter,
            _ => return wire::fail(input, DecodeErrorKind::Value),
        };
        let (input, ()) = wire::skip(rest, 3)?;
        let (mut input, generation) = wire::u64(input)?;
        while !input.is_empty() {
            (input, _) = property(input)?;
        }
        Ok((input, Self { role, reason, generation }))
    }

    pub(super) fn put(&self, out: &mut BytesMut) {
        out.put_u32(self.role.number());
        out.put_u8(match self.reason {
            RoleReason::MasterRequest => 0,
            RoleReason::Config => 1,
            RoleReason::Experimenter => 2,
        });
        out.put_bytes(0, 3);
        out.put_u64(self.generation);
    }
}
