//! The controller under test: a process of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// How long it may take to load its state and answer.
const PATIENCE: Duration = Duration::from_secs(600);

/// Ticks of a second in `/proc` (`proc(5)`); Linux has no other value.
const TICKS: f64 = 100.0;

/// The controller.
#[derive(Debug)]
pub struct Controller {
    program: PathBuf,
    directory: PathBuf,
    /// Where its API listens.
    pub api: SocketAddr,
    openflow: SocketAddr,
    /// Where it takes databases.
    pub ovsdb: SocketAddr,
    /// Where it tells how it is.
    pub metrics: SocketAddr,
    child: Child,
}

/// What the process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// The most resident memory since the last [`Controller::forget_peak`].
    pub peak: u64,
}

impl Controller {
    /// Starts a controller that keeps its state below `directory`, and waits until its API answers. It compares switches
    /// at intervals of `audit_s` seconds.
    pub fn start(program: PathBuf, directory: &Path, audit_s: u64) -> Result<Self, Failure> {
        std::fs::write(directory.join(CONFIG), format!("audit_interval_s = {audit_s}\n"))?;
        let [api, openflow, ovsdb, metrics] = free_addresses()?;
        let directory = directory.to_owned();
        let child = spawn(&program, &directory, [api, openflow, ovsdb, metrics])?;
        let mut controller = Self { program, directory, api, openflow, ovsdb, metrics, child };
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
        self.child = spawn(&self.program, &self.directory, [self.api, self.openflow, self.ovsdb, self.metrics])?;
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
            if let Some(status) = self.child.try_wait()? {
                let log = self.directory.join(LOG);
                return Err(format!("the controller ended ({status}); its log is {}", log.display()).into());
            }
            if start.elapsed() > PATIENCE {
                return Err("the controller does not answer".into());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// What the process has used so far.
    pub fn usage(&self) -> Result<Usage, Failure> {
        let pid = self.child.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name, in parentheses, may have blanks; the fields after it have numbers from 3 on.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
        let memory = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            kilobytes.unwrap_or(0) * 1024
        };
        Ok(Usage {
            cpu: Duration::from_secs_f64((ticks(14) + ticks(15)) / TICKS),
            resident: memory("VmRSS"),
            peak: memory("VmHWM"),
        })
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

fn spawn(program: &Path, directory: &Path, [api, openflow, ovsdb, metrics]: [SocketAddr; 4]) -> Result<Child, Failure> {
    let log = File::options().create(true).append(true).open(directory.join(LOG))?;
    let mut command = Command::new(program);
    command
        .args(["serve", "--auth", "none", "--advertise", "127.0.0.1"])
        .args(["--api", &api.to_string(), "--openflow", &openflow.to_string(), "--ovsdb", &ovsdb.to_string()])
        .args(["--metrics", &metrics.to_string()])
        .arg("--data-dir")
        .arg(directory)
        .arg("--config")
        .arg(directory.join(CONFIG))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log);
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
