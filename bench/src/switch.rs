//! A real switch to measure: one bridge of an Open vSwitch.

use std::path::PathBuf;

use crate::Failure;
use crate::openvswitch::OpenVswitch;

/// The bridge that is measured.
const BRIDGE: &str = "br";

/// A bridge and the daemons that run it.
#[derive(Debug)]
pub struct DummySwitch {
    daemons: OpenVswitch,
}

impl DummySwitch {
    /// Starts the daemons and makes the bridge.
    ///
    /// # Errors
    /// Open vSwitch is not there or does not start.
    pub fn start() -> Result<Self, Failure> {
        let mut daemons = OpenVswitch::start_database()?;
        daemons.start_switch()?;
        daemons.vsctl(["add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=dummy", "fail_mode=secure"])?;
        Ok(Self { daemons })
    }

    /// Runs `ovs-ofctl` on the bridge with OpenFlow 1.5.
    ///
    /// # Errors
    /// It fails.
    pub fn ofctl(&self, options: &[&str], command: &str, args: &[&str]) -> Result<String, Failure> {
        self.daemons.ofctl(options, command, BRIDGE, args)
    }

    /// Removes all flows.
    ///
    /// # Errors
    /// `ovs-ofctl` fails.
    pub fn clear(&self) -> Result<(), Failure> {
        self.ofctl(&[], "del-flows", &[]).map(drop)
    }

    /// The socket by which the bridge serves OpenFlow.
    pub fn socket(&self) -> PathBuf {
        self.daemons.bridge_socket(BRIDGE)
    }

    /// A file in the switch's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.daemons.file(name)
    }
}
