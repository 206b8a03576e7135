//! What a machine must have before a lab can be built on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::LabError;

/// A program and the Debian package that brings it.
type Program = (&'static str, &'static str);

/// The programs a lab runs besides those of Open vSwitch.
const PROGRAMS: [Program; 3] = [("ip", "iproute2"), ("ethtool", "ethtool"), ("ping", "iputils-ping")];

/// The programs of Open vSwitch.
const OPEN_VSWITCH: [Program; 6] = [
    ("ovsdb-tool", "openvswitch-common"),
    ("ovsdb-server", "openvswitch-switch"),
    ("ovs-vswitchd", "openvswitch-switch"),
    ("ovs-vsctl", "openvswitch-switch"),
    ("ovs-ofctl", "openvswitch-common"),
    ("ovs-appctl", "openvswitch-common"),
];

/// Where distributions put the database schema of Open vSwitch.
const SCHEMAS: [&str; 2] =
    ["/usr/share/openvswitch/vswitch.ovsschema", "/usr/local/share/openvswitch/vswitch.ovsschema"];

/// The device by which the userspace datapath makes the ports named after the bridges.
const TUN: &str = "/dev/net/tun";

/// The schema of the Open vSwitch database on this machine.
pub(super) fn schema() -> Option<&'static Path> {
    SCHEMAS.iter().map(Path::new).find(|path| path.exists())
}

/// What is missing.
#[derive(Default)]
struct Lacking {
    things: Vec<String>,
    packages: BTreeSet<&'static str>,
}

impl Lacking {
    fn note(&mut self, thing: String, package: &'static str) {
        self.things.push(format!("  {thing}"));
        self.packages.insert(package);
    }

    fn look_for(&mut self, programs: &[Program]) {
        for (program, package) in programs.iter().filter(|(program, _)| !is_program(program)) {
            self.note(format!("the program {program}"), package);
        }
    }

    /// Looks for all of Open vSwitch; the schema of its database.
    fn look_for_open_vswitch(&mut self) -> Option<&'static Path> {
        self.look_for(&OPEN_VSWITCH);
        let schema = schema();
        if schema.is_none() {
            self.note(format!("the file {}", SCHEMAS[0]), "openvswitch-switch");
        }
        schema
    }

    fn error(self) -> LabError {
        LabError::Missing { missing: self.things, packages: self.packages.into_iter().collect() }
    }
}

/// Says everything that is missing at once.
pub(super) fn check() -> Result<(), LabError> {
    if !geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let mut lacking = Lacking::default();
    lacking.look_for(&PROGRAMS);
    lacking.look_for_open_vswitch();
    if !Path::new(TUN).exists() {
        lacking.note(format!("the device {TUN} (modprobe tun)"), "kmod");
    }
    if lacking.things.is_empty() { Ok(()) } else { Err(lacking.error()) }
}

/// The schema of the Open vSwitch database, where all of Open vSwitch is there. Its daemons need neither a lab nor root.
pub fn open_vswitch() -> Result<&'static Path, LabError> {
    let mut lacking = Lacking::default();
    match lacking.look_for_open_vswitch() {
        Some(schema) if lacking.things.is_empty() => Ok(schema),
        _ => Err(lacking.error()),
    }
}

/// Whether `PATH` has the program.
pub(super) fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory: PathBuf| directory.join(name)).any(|file| file.is_file())
}
