//! A real Open vSwitch with a datapath that forwards nothing: the whole of OpenFlow, and no need for root or wires.

use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use weir::cli::lab::{Process, Tool};

use crate::Failure;

/// The bridge that is measured.
pub const BRIDGE: &str = "br";

/// Where Debian keeps the schema of the Open vSwitch database.
const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// An `ovsdb-server` and an `ovs-vswitchd` with one bridge; both end with it.
#[derive(Debug)]
pub struct DummySwitch {
    directory: TempDir,
}

impl DummySwitch {
    /// Starts the daemons and makes the bridge.
    ///
    /// # Errors
    /// Open vSwitch is not there or does not start.
    pub fn start() -> Result<Self, Failure> {
        let switch = Self { directory: tempfile::Builder::new().prefix("weir-bench").tempdir()? };
        let database = switch.file("conf.db");
        Tool::new("ovsdb-tool").arg("create").args([database.as_path(), Path::new(SCHEMA)]).run()?;
        let remote = format!("punix:{}", switch.file("db.sock").display());
        switch.daemon("ovsdb-server").arg(database).arg(format!("--remote={remote}")).run()?;
        switch.vsctl(["--no-wait", "init"])?;
        let remote = format!("unix:{}", switch.file("db.sock").display());
        switch.daemon("ovs-vswitchd").args([remote.as_str(), "--enable-dummy=system", "--disable-system"]).run()?;
        switch.vsctl(["add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=dummy", "fail_mode=secure"])?;
        Ok(switch)
    }

    fn daemon(&self, name: &str) -> Tool {
        let mut command = Command::new(name);
        command.env("OVS_RUNDIR", self.directory.path());
        Tool::of(command)
            .args(["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"])
            .arg(format!("--pidfile={}", self.file(&format!("{name}.pid")).display()))
            .arg(format!("--unixctl={}", self.file(&format!("{name}.ctl")).display()))
            .arg(format!("--log-file={}", self.file(&format!("{name}.log")).display()))
    }

    fn vsctl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
        let database = format!("--db=unix:{}", self.file("db.sock").display());
        Ok(Tool::new("ovs-vsctl").args(["--timeout=10", &database]).args(args).run()?)
    }

    /// Runs `ovs-ofctl` on the bridge with OpenFlow 1.5.
    ///
    /// # Errors
    /// It fails.
    pub fn ofctl(&self, options: &[&str], command: &str, args: &[&str]) -> Result<String, Failure> {
        Ok(Tool::new("ovs-ofctl")
            .args(["-O", "OpenFlow15"])
            .args(options)
            .arg(command)
            .arg(format!("unix:{}", self.socket().display()))
            .args(args)
            .run()?)
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
        self.file(&format!("{BRIDGE}.mgmt"))
    }

    /// A file in the switch's directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn processes(&self) -> Vec<Process> {
        ["ovs-vswitchd", "ovsdb-server"]
            .iter()
            .filter_map(|name| Process::of_pidfile(&self.file(&format!("{name}.pid"))))
            .collect()
    }
}

impl Drop for DummySwitch {
    fn drop(&mut self) {
        if let Err(error) = Process::end_all(&self.processes()) {
            eprintln!("{error}");
        }
    }
}
