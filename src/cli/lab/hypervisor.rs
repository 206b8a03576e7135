//! A hypervisor: a namespace with an ovsdb-server and an ovs-vswitchd of its own.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::requirements;
use super::underlay::{self, MANAGEMENT, TUNNELS, Underlay};
use super::{LabError, Namespace, Process, Tool};

/// How long an Open vSwitch tool may wait for its daemon, in seconds.
const TOOL_TIMEOUT: &str = "--timeout=10";

/// The bridge that carries the tunnels' wire and the tunnel endpoint's address. The userspace datapath finds a tunnel's
/// way only through a bridge that it runs itself.
const PHYSICAL: &str = "br-phy";

/// The OVSDB port of the controller that a manager target names.
const OVSDB_PORT: u16 = 6640;

/// One hypervisor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Hypervisor {
    name: String,
    number: u8,
    namespace: Namespace,
    directory: PathBuf,
    system_id: String,
}

impl Hypervisor {
    /// Hypervisor `number`, counted from 1, of the lab `lab` whose files are in `directory`. It need not exist.
    pub fn of(lab: &str, directory: &Path, number: u8) -> Self {
        let name = format!("h{number}");
        Self {
            namespace: Namespace::of(lab, &name),
            directory: directory.join(&name),
            system_id: format!("weir-lab-{lab}-{name}"),
            name,
            number,
        }
    }

    /// Its host name, as `binding:host_id` names it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The directory with its database, sockets and logs.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its `external_ids:system-id`.
    pub fn system_id(&self) -> &str {
        &self.system_id
    }

    /// Its address on the management network.
    pub fn management_address(&self) -> IpAddr {
        underlay::management_address(self.number)
    }

    /// Its tunnel endpoint.
    pub fn tunnel_address(&self) -> IpAddr {
        underlay::tunnel_address(self.number)
    }

    /// Makes the namespace, its wires and both daemons, and says in the database what an operator would say, but for
    /// the manager.
    pub fn create(&self, underlay: &Underlay) -> Result<(), LabError> {
        fs::create_dir_all(&self.directory).map_err(|error| LabError::io("create", &self.directory, error))?;
        self.namespace.create()?;
        underlay.connect(MANAGEMENT, &self.name, &self.namespace)?;
        underlay.connect(TUNNELS, &self.name, &self.namespace)?;
        underlay::address(&self.namespace, MANAGEMENT, self.management_address())?;

        let schema = requirements::schema().unwrap_or(Path::new("vswitch.ovsschema"));
        Tool::new("ovsdb-tool").arg("create").args([self.file("conf.db").as_path(), schema]).run()?;
        self.start_ovsdb_server()?;
        self.vsctl(["--no-wait", "init"])?;
        self.vsctl([
            "--no-wait",
            "set",
            "Open_vSwitch",
            ".",
            &format!("external_ids:system-id={}", self.system_id),
            &format!("external_ids:hostname={}", self.name),
            &format!("external_ids:weir-encap-ip={}", self.tunnel_address()),
            "external_ids:weir-datapath-type=netdev",
        ])?;
        self.vsctl([
            "--no-wait",
            "add-br",
            PHYSICAL,
            "--",
            "set",
            "Bridge",
            PHYSICAL,
            "datapath_type=netdev",
            "--",
            "add-port",
            PHYSICAL,
            TUNNELS,
        ])?;
        self.start_vswitchd()
    }

    /// Starts both daemons on the database that is there.
    pub fn start_daemons(&self) -> Result<(), LabError> {
        self.start_ovsdb_server()?;
        self.start_vswitchd()
    }

    fn start_ovsdb_server(&self) -> Result<(), LabError> {
        self.daemon("ovsdb-server")
            .arg(self.file("conf.db"))
            .arg(format!("--remote=punix:{}", self.socket().display()))
            .arg("--remote=db:Open_vSwitch,Open_vSwitch,manager_options")
            .run()
            .map(drop)
    }

    /// Starts ovs-vswitchd, waits until it has configured its bridges, and gives the tunnel endpoint its address: the
    /// device that carries it exists only as long as the daemon runs.
    pub fn start_vswitchd(&self) -> Result<(), LabError> {
        self.daemon("ovs-vswitchd").arg(format!("unix:{}", self.socket().display())).arg("--disable-system").run()?;
        underlay::address(&self.namespace, PHYSICAL, self.tunnel_address())
    }

    /// A daemon of Open vSwitch with its files in this hypervisor's directory.
    fn daemon(&self, name: &str) -> Tool {
        let mut command = self.namespace.command(name);
        command
            .env("OVS_RUNDIR", &self.directory)
            .env("OVS_LOGDIR", &self.directory)
            .env("OVS_DBDIR", &self.directory)
            .env("OVS_SYSCONFDIR", &self.directory);
        Tool::of(command)
            .args(["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"])
            .arg(format!("--pidfile={}", self.pidfile(name).display()))
            .arg(format!("--unixctl={}", self.control(name).display()))
            .arg(format!("--log-file={}", self.file(&format!("{name}.log")).display()))
    }

    /// Ends ovs-vswitchd at once, as a crash would, and starts it again.
    pub fn restart_vswitchd(&self) -> Result<(), LabError> {
        if let Some(process) = self.vswitchd() {
            process.kill()?;
        }
        self.start_vswitchd()
    }

    /// The running ovs-vswitchd.
    pub fn vswitchd(&self) -> Option<Process> {
        Process::of_pidfile(&self.pidfile("ovs-vswitchd"))
    }

    /// The running ovsdb-server.
    pub fn ovsdb_server(&self) -> Option<Process> {
        Process::of_pidfile(&self.pidfile("ovsdb-server"))
    }

    /// Connects the database to the controller, as `ovs-vsctl set-manager` does on a real hypervisor.
    pub fn set_manager(&self, controller: IpAddr) -> Result<(), LabError> {
        let target = format!("tcp:{}", SocketAddr::new(controller, OVSDB_PORT));
        self.vsctl(["set-manager", &target]).map(drop)
    }

    /// Finds the other hypervisor's tunnel endpoint, so that no tunnelled packet is the one that has to wait for ARP:
    /// the userspace datapath drops a packet whose next hop it does not know.
    pub fn greet(&self, other: &Self) -> Result<(), LabError> {
        self.namespace
            .tool("ping")
            .args(["-c", "1", "-W", "1"])
            .arg(other.tunnel_address().to_string())
            .output()
            .map(drop)
    }

    /// Runs `ovs-vsctl` on its database.
    pub fn vsctl<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, LabError> {
        Tool::new("ovs-vsctl").arg(TOOL_TIMEOUT).arg(format!("--db=unix:{}", self.socket().display())).args(args).run()
    }

    /// Runs `ovs-appctl` on its ovs-vswitchd.
    pub fn appctl<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, LabError> {
        Tool::new("ovs-appctl").arg(TOOL_TIMEOUT).arg("-t").arg(self.control("ovs-vswitchd")).args(args).run()
    }

    /// Runs `ovs-ofctl COMMAND` with OpenFlow 1.5 on one of its bridges.
    pub fn ofctl(&self, command: &str, bridge: &str, args: &[&str]) -> Result<String, LabError> {
        Tool::new("ovs-ofctl")
            .args([TOOL_TIMEOUT, "-O", "OpenFlow15", command])
            .arg(format!("unix:{}", self.bridge_socket(bridge).display()))
            .args(args)
            .run()
    }

    /// The environment that lets a user's `ovs-vsctl`, `ovs-ofctl BRIDGE` and `ovs-appctl` talk to this hypervisor.
    pub fn environment(&self) -> [(&'static str, PathBuf); 2] {
        [("OVS_RUNDIR", self.directory.clone()), ("OVS_DBDIR", self.directory.clone())]
    }

    /// Its processes that run now.
    pub fn processes(&self) -> Vec<Process> {
        [self.vswitchd(), self.ovsdb_server()].into_iter().flatten().collect()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn pidfile(&self, daemon: &str) -> PathBuf {
        self.file(&format!("{daemon}.pid"))
    }

    fn control(&self, daemon: &str) -> PathBuf {
        self.file(&format!("{daemon}.ctl"))
    }

    /// The socket of its database, at the place where `ovs-vsctl` looks for it under `OVS_RUNDIR`.
    pub fn socket(&self) -> PathBuf {
        self.file("db.sock")
    }

    /// The socket by which a bridge serves OpenFlow to tools.
    pub fn bridge_socket(&self, bridge: &str) -> PathBuf {
        self.file(&format!("{bridge}.mgmt"))
    }
}
