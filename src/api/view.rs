//! What values are read from, besides the object itself.

use weir_model::{HostName, Topology};

/// The surroundings of an object that is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    /// The topology that the object is of.
    pub(crate) topology: &'a Topology,
    /// The domain of ports whose network has none.
    pub(crate) dns_domain: &'a str,
    /// The hosts that the port waits for; only known when one port is shown.
    pub(crate) lagging: &'a [HostName],
}
