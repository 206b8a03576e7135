//! The daemons of one hypervisor, in a directory of their own.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCHEMA: &str = "/usr/share/openvswitch/vswitch.ovsschema";

/// A running ovsdb-server, and ovs-vswitchd if asked for. Ends with the value.
pub(crate) struct Hypervisor {
    directory: TempDir,
    database: Child,
    vswitchd: Option<Child>,
}

impl Hypervisor {
    /// Both daemons, with a dummy datapath: no device of the machine is touched.
    pub(crate) fn start() -> Self {
        let mut hypervisor = Self::database_only(|schema| schema);
        hypervisor.vsctl("--no-wait init");
        hypervisor.vsctl(
            "--no-wait set open_vswitch . ovs_version=3.1.0 external_ids:hostname=compute-1 \
             external_ids:system-id=f00 external_ids:weir-encap-ip=192.0.2.11 \
             external_ids:weir-datapath-type=dummy",
        );
        let socket = format!("unix:{}", hypervisor.socket().display());
        let mut daemon = hypervisor.daemon("ovs-vswitchd");
        daemon.args([&socket, "--disable-system", "--enable-dummy"]);
        hypervisor.vswitchd = Some(spawn(daemon, "ovs-vswitchd"));
        hypervisor
    }

    /// Only the database, with an edited schema.
    pub(crate) fn database_only(edit: impl FnOnce(String) -> String) -> Self {
        let directory = TempDir::new().expect("a temporary directory");
        let schema = directory.path().join("schema");
        let text = fs::read_to_string(SCHEMA).expect("Open vSwitch is installed");
        fs::write(&schema, edit(text)).expect("the schema is written");
        let made = Command::new("ovsdb-tool")
            .arg("create")
            .arg(directory.path().join("conf.db"))
            .arg(&schema)
            .status()
            .expect("ovsdb-tool runs");
        assert!(made.success(), "ovsdb-tool create failed");
        let database = start_database(directory.path());
        Self { directory, database, vswitchd: None }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.directory.path().join("db.sock")
    }

    /// Ends ovsdb-server and starts it again over the same database.
    pub(crate) fn restart_database(&mut self) {
        end(&mut self.database);
        self.database = start_database(self.directory.path());
    }

    /// Runs ovs-vsctl with arguments separated by spaces and gives what it prints, trimmed.
    pub(crate) fn vsctl(&self, arguments: &str) -> String {
        let output = Command::new("ovs-vsctl")
            .arg(format!("--db=unix:{}", self.socket().display()))
            .arg("--timeout=10")
            .args(arguments.split_whitespace())
            .output()
            .expect("ovs-vsctl runs");
        assert!(output.status.success(), "ovs-vsctl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn daemon(&self, name: &str) -> Command {
        daemon(self.directory.path(), name)
    }
}

impl Drop for Hypervisor {
    fn drop(&mut self) {
        if let Some(vswitchd) = &mut self.vswitchd {
            end(vswitchd);
        }
        end(&mut self.database);
    }
}

fn daemon(directory: &Path, name: &str) -> Command {
    let log = File::create(directory.join(format!("{name}.log"))).expect("a log file");
    let mut command = Command::new(name);
    command
        .env("OVS_RUNDIR", directory)
        .env("OVS_LOGDIR", directory)
        .arg(format!("--unixctl={}", directory.join(format!("{name}.ctl")).display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
    command
}

fn start_database(directory: &Path) -> Child {
    let socket = directory.join("db.sock");
    let mut command = daemon(directory, "ovsdb-server");
    command
        .arg(directory.join("conf.db"))
        .arg(format!("--remote=punix:{}", socket.display()))
        .arg("--remote=db:Open_vSwitch,Open_vSwitch,manager_options");
    let mut child = spawn(command, "ovsdb-server");
    let deadline = Instant::now() + Duration::from_secs(10);
    while UnixStream::connect(&socket).is_err() {
        assert!(
            child.try_wait().expect("its state is known").is_none(),
            "ovsdb-server ended: {}",
            fs::read_to_string(directory.join("ovsdb-server.log")).unwrap_or_default()
        );
        assert!(Instant::now() < deadline, "ovsdb-server does not listen");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

fn spawn(mut command: Command, name: &str) -> Child {
    command.spawn().unwrap_or_else(|error| panic!("{name} must be installed: {error}"))
}

fn end(child: &mut Child) {
    // A daemon that has ended by itself needs no more than to be waited for.
    let _ = child.kill();
    let _ = child.wait();
}
