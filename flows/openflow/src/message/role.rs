//! The role of a controller towards a switch.

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
