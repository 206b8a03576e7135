//! What a machine must have before a lab can be built on it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;

use super::LabError;

/// The programs a lab runs and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 9] = [
    ("ip", "iproute2"),
    ("ethtool", "ethtool"),
    ("ping", "iputils-ping"),
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

/// Says everything that is missing at once.
pub(super) fn check() -> Result<(), LabError> {
    if !geteuid().is_root() {
        return Err(LabError::NotRoot);
    }
    let mut missing = Vec::new();
    let mut packages = BTreeSet::new();
    for (program, package) in PROGRAMS {
        if !is_program(program) {
            missing.push(format!("  the program {program}"));
            packages.insert(package);
        }
    }
    if schema().is_none() {
        missing.push(format!("  the file {}", SCHEMAS[0]));
        packages.insert("openvswitch-switch");
    }
    if !Path::new(TUN).exists() {
        missing.push(format!("  the device {TUN} (modprobe tun)"));
        packages.insert("kmod");
    }
    if missing.is_empty() {
        return Ok(());
    }
    Err(LabError::Missing { missing, packages: packages.into_iter().collect() })
}

/// Whether `PATH` has the program.
pub(super) fn is_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|directory: PathBuf| directory.join(name)).any(|file| file.is_file())
}
