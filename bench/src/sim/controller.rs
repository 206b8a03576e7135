//! The controller under test: a process of its own.

use std::fs::File;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::usage::Usage;
use crate::{Failure, log};

/// How long it may take to load its state and answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// The controller.
#[derive(Debug)]
pub struct Controller {
    program: PathBuf,
    directory: TempDir,
    /// Where its API listens.
    pub api: SocketAddr,
    /// Where it takes switches.
    pub openflow: SocketAddr,
    /// Where it takes databases.
    pub ovsdb: SocketAddr,
    /// Where it tells how it is.
    pub metrics: SocketAddr,
    /// Where it tells switches to find it.
    advertise: IpAddr,
    child: Child,
}

impl Controller {
    /// Starts a controller that keeps its state in a new directory below `place`, and waits until its API answers. It
    /// compares switches at intervals of `audit_s` seconds, and tells them to find it at the address `advertise`.
    pub fn start(program: PathBuf, place: &Path, audit_s: u64, advertise: IpAddr) -> Result<Self, Failure> {
        let directory = tempfile::Builder::new().prefix("weir-bench-sim").tempdir_in(place)?;
        std::fs::write(directory.path().join(CONFIG), format!("audit_interval_s = {audit_s}\n"))?;
        let [api, openflow, ovsdb, metrics] = free_addresses()?;
        let child = spawn(&program, directory.path(), [api, openflow, ovsdb, metrics], advertise)?;
        let mut controller = Self { program, directory, api, openflow, ovsdb, metrics, advertise, child };
        controller.wait()?;
        Ok(controller)
    }

    /// Ends it without a warning.
    pub fn kill(&mut self) -> Result<(), Failure> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it anew with the state and the addresses that it had, and waits until its API answers.
    pub fn restart(&mut self) -> Result<(), Failure> {
        let addresses = [self.api, self.openflow, self.ovsdb, self.metrics];
        self.child = spawn(&self.program, self.directory.path(), addresses, self.advertise)?;
        self.wait()
    }

    fn wait(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        loop {
            // The address is taken before the state is loaded; an answer comes only after that.
            let caller = super::caller::Caller::new(self.api);
            if TcpStream::connect(self.api).is_ok() && caller.get("/weir/v1/healthz").is_ok() {
                return Ok(());
            }
            if self.child.try_wait()?.is_some() {
                return Err(log::ended("the controller", &self.directory.path().join(LOG)).into());
            }
            if start.elapsed() > PATIENCE {
                return Err("the controller does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What the process has used so far.
    pub fn usage(&self) -> Result<Usage, Failure> {
        Usage::of(self.child.id())
    }

    /// Lets the peak of its memory begin anew.
    pub fn forget_peak(&self) -> Result<(), Failure> {
        Ok(std::fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The file with its configuration.
const CONFIG: &str = "weir.toml";

/// The file that its log goes to.
const LOG: &str = "weir.log";

fn spawn(
    program: &Path,
    directory: &Path,
    [api, openflow, ovsdb, metrics]: [SocketAddr; 4],
    advertise: IpAddr,
) -> Result<Child, Failure> {
    let log = File::options().create(true).append(true).open(directory.join(LOG))?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--auth", "none", "--advertise", &advertise.to_string()])
        .args(["--api", &api.to_string(), "--openflow", &openflow.to_string(), "--ovsdb", &ovsdb.to_string()])
        .args(["--metrics", &metrics.to_string()])
        .arg("--data-dir")
        .arg(directory)
        .arg("--config")
        .arg(directory.join(CONFIG))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        // Ctrl-C is for the benchmark, which ends the controller last.
        .process_group(0);
    if std::env::var_os("WEIR_LOG").is_none() {
        // A line for each request and each connection would be a part of what is measured.
        command.env("WEIR_LOG", "warn");
    }
    Ok(command.spawn().map_err(|error| format!("{}: {error}", program.display()))?)
}

/// Addresses of the loopback interface that nobody listens on. They are below those that the system gives to the sockets
/// that connect: a switch must not take the controller's own while that is away.
fn free_addresses<const COUNT: usize>() -> Result<[SocketAddr; COUNT], Failure> {
    const FIRST: u16 = 16_000;
    const LAST: u16 = 32_000;
    let listeners: Vec<TcpListener> =
        (FIRST..LAST).filter_map(|port| TcpListener::bind(("127.0.0.1", port)).ok()).take(COUNT).collect();
    let addresses: Vec<SocketAddr> = listeners.iter().map(TcpListener::local_addr).collect::<Result<_, _>>()?;
    Ok(addresses.try_into().map_err(|_| "no address is free")?)
}
