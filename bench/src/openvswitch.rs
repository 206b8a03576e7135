//! The daemons of a real Open vSwitch with a datapath that forwards nothing: the whole of OpenFlow and OVSDB, and no need
//! for root or wires.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use weir::cli::lab::{Process, Tool, open_vswitch};

use crate::{Failure, log, processor};

const SWITCH: &str = "ovs-vswitchd";
const DATABASE: &str = "ovsdb-server";

/// How long a tool may wait for its daemon, in seconds. Many daemons that start at once on a small machine take turns.
const TOOL_TIMEOUT: &str = "--timeout=60";

/// An `ovsdb-server` and an `ovs-vswitchd` with a directory of their own; both end with it.
#[derive(Debug)]
pub struct OpenVswitch {
    directory: TempDir,
    daemons: Vec<Daemon>,
}

/// A daemon that was started.
#[derive(Clone, Copy, Debug)]
struct Daemon {
    name: &'static str,
    process: Process,
}

impl OpenVswitch {
    /// Starts an `ovsdb-server` with an empty database, and no switch yet.
    ///
    /// # Errors
    /// Open vSwitch is not there or does not start.
    pub fn start_database() -> Result<Self, Failure> {
        let schema = open_vswitch()?;
        let directory = tempfile::Builder::new().prefix("weir-bench").tempdir()?;
        let mut started = Self { directory, daemons: Vec::new() };
        let database = started.file("conf.db");
        Tool::new("ovsdb-tool").arg("create").args([database.as_path(), schema]).run()?;
        let remote = format!("--remote=punix:{}", started.socket().display());
        let managers = "--remote=db:Open_vSwitch,Open_vSwitch,manager_options";
        started.start(DATABASE, &[&database.to_string_lossy(), &remote, managers])?;
        started.vsctl(["--no-wait", "init"])?;
        Ok(started)
    }

    /// Starts the `ovs-vswitchd`. Datapaths and interfaces of all types are dummies there.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_switch(&mut self) -> Result<(), Failure> {
        let remote = format!("unix:{}", self.socket().display());
        self.start(SWITCH, &[&remote, "--enable-dummy=override", "--disable-system"])
    }

    /// Waits until the switch has done what the database says.
    ///
    /// # Errors
    /// It takes too long.
    pub fn settle(&self) -> Result<(), Failure> {
        // Every command of ovs-vsctl waits for that unless it is told not to, also one that changes nothing.
        self.vsctl(["init"]).map(drop)
    }

    fn start(&mut self, name: &'static str, arguments: &[&str]) -> Result<(), Failure> {
        let directory = self.directory.path();
        let mut command = Command::new(name);
        for variable in ["OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR"] {
            command.env(variable, directory);
        }
        let pidfile = self.file(&format!("{name}.pid"));
        Tool::of(command)
            .args(["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"])
            .arg(format!("--pidfile={}", pidfile.display()))
            .arg(format!("--unixctl={}", self.control(name).display()))
            .arg(format!("--log-file={}", self.log(name).display()))
            .args(arguments)
            .run()?;
        let process = Process::of_pidfile(&pidfile).ok_or_else(|| log::ended(name, &self.log(name)))?;
        self.daemons.push(Daemon { name, process });
        Ok(())
    }

    /// Runs `ovs-vsctl` on the database.
    ///
    /// # Errors
    /// It fails.
    pub fn vsctl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
        let database = format!("--db=unix:{}", self.socket().display());
        Ok(Tool::new("ovs-vsctl").args([TOOL_TIMEOUT, &database]).args(args).run()?)
    }

    /// Runs `ovs-ofctl` on a bridge with OpenFlow 1.5.
    ///
    /// # Errors
    /// It fails.
    pub fn ofctl(&self, options: &[&str], command: &str, bridge: &str, args: &[&str]) -> Result<String, Failure> {
        Ok(Tool::new("ovs-ofctl")
            .args(["-O", "OpenFlow15"])
            .args(options)
            .arg(command)
            .arg(format!("unix:{}", self.bridge_socket(bridge).display()))
            .args(args)
            .run()?)
    }

    /// Runs `ovs-appctl` on the `ovs-vswitchd`.
    ///
    /// # Errors
    /// It fails.
    pub fn appctl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Result<String, Failure> {
        Ok(Tool::new("ovs-appctl").arg(TOOL_TIMEOUT).arg("-t").arg(self.control(SWITCH)).args(args).run()?)
    }

    /// Says so if a daemon has ended, with the end of its log.
    ///
    /// # Errors
    /// One has.
    pub fn check(&self) -> Result<(), Failure> {
        match self.daemons.iter().find(|daemon| !daemon.process.is_running()) {
            Some(Daemon { name, .. }) => Err(log::ended(name, &self.log(name)).into()),
            None => Ok(()),
        }
    }

    /// The processor time that the daemons have taken.
    ///
    /// # Errors
    /// One has ended.
    pub fn processor(&self) -> Result<Duration, Failure> {
        self.check()?;
        self.daemons.iter().map(|daemon| processor::of(daemon.process.pid())).sum()
    }

    /// The socket by which the database is served.
    pub fn socket(&self) -> PathBuf {
        self.file("db.sock")
    }

    /// The socket by which a bridge serves OpenFlow.
    pub fn bridge_socket(&self, bridge: &str) -> PathBuf {
        self.file(&format!("{bridge}.mgmt"))
    }

    /// A file in their directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn control(&self, daemon: &str) -> PathBuf {
        self.file(&format!("{daemon}.ctl"))
    }

    fn log(&self, daemon: &str) -> PathBuf {
        self.file(&format!("{daemon}.log"))
    }
}

impl Drop for OpenVswitch {
    fn drop(&mut self) {
        // The switch goes first: it would only complain that its database is gone.
        let processes: Vec<Process> = self.daemons.iter().rev().map(|daemon| daemon.process).collect();
        if let Err(error) = Process::end_all(&processes) {
            eprintln!("{error}");
        }
    }
}
