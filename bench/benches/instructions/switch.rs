//! A simulated switch on a wire of bytes.

use bytes::Bytes;
use weir_model::HostName;
use weir_sim::fabric::{Fabric, INTEGRATION};
use weir_sim::switch::agent::ConnectionId;

/// Bytes that a connection reads at once, as Weir's do.
pub(crate) const READ_BYTES: usize = 32 * 1024;

/// A simulated switch and one connection to it.
pub(crate) struct SimulatedSwitch {
    fabric: Fabric,
    host: HostName,
    connection: ConnectionId,
}

impl SimulatedSwitch {
    /// An empty switch, just connected.
    pub(crate) fn connect() -> Self {
        let mut fabric = Fabric::new();
        let host = HostName::from("h1");
        fabric.add_host(&host, [192, 0, 2, 1].into());
        let connection = fabric.connect(&host, INTEGRATION).expect("the bridge is there");
        Self { fabric, host, connection }
    }

    /// The same switch with what it holds, connected anew.
    pub(crate) fn reconnect(&mut self) {
        self.connection = self.fabric.connect(&self.host, INTEGRATION).expect("the bridge is there");
    }

    /// What it answers to these bytes.
    pub(crate) fn answer(&mut self, bytes: &[u8]) -> Bytes {
        self.fabric.handle(&self.host, INTEGRATION, self.connection, bytes).expect("Weir speaks OpenFlow");
        self.fabric.poll_transmit(&self.host, INTEGRATION, self.connection)
    }
}
