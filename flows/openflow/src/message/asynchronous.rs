//! Which messages a switch sends unasked (OpenFlow 1.5, section 7.3.11).

/// Bit masks of reasons: bit n set sends the message whose reason has number n. None leaves the mask as it is.
///
/// `master` is for the master or an equal, `slave` for a slave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReasonMask {
    /// For a master or equal.
    pub master: Option<u32>,
    /// For a slave.
    pub slave: Option<u32>,
}

/// The asynchronous configuration of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AsyncConfig {
    /// Packet-ins, by [`PacketInReason`](super::PacketInReason).
    pub packet_in: ReasonMask,
    /// Port status, by [`PortReason`](super::PortReason).
    pub port_status: ReasonMask,
    /// Flow removed, by [`FlowRemovedReason`](super::FlowRemovedReason).
    pub flow_removed: ReasonMask,
    /// Role status, by [`RoleReason`](super::RoleReason).
    pub role_status: ReasonMask,
    /// Table status.
    pub table_status: ReasonMask,
    /// Forwarded requests of other controllers.
    pub request_forward: ReasonMask,
}
