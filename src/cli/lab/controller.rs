//! The controller that belongs to a lab: `weir serve` in the namespace `ctl`.

use std::ffi::OsString;
use std::fs::{self, File};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::underlay::{self, MANAGEMENT, Underlay};
use super::wait::{self, Look};
use super::{Api, Interrupt, LabError, Namespace, Process};

/// Where its REST API listens, within its namespace.
pub(super) const API: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9696);

/// Where its metrics are read, within its namespace.
pub const METRICS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9690);

/// How long it may take from its start to its first answer.
const START_LIMIT: Duration = Duration::from_secs(20);

/// How many lines of its log tell why it ended.
const TAIL_LINES: usize = 12;

/// The controller's namespace, files and process.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Controller {
    namespace: Namespace,
    directory: PathBuf,
    program: PathBuf,
    /// More arguments for `weir serve`.
    arguments: Vec<OsString>,
    process: Option<Process>,
}

impl Controller {
    /// The controller of the lab `lab`, run from the executable `program`. It need not exist.
    pub fn of(lab: &str, directory: &Path, program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self {
            namespace: Namespace::of(lab, "ctl"),
            directory: directory.join("ctl"),
            program,
            arguments,
            process: None,
        }
    }

    /// Makes its namespace and joins it to the management network.
    pub fn create(&self, underlay: &Underlay) -> Result<(), LabError> {
        fs::create_dir_all(&self.directory).map_err(|error| LabError::io("create", &self.directory, error))?;
        self.namespace.create()?;
        underlay.connect(MANAGEMENT, "ctl", &self.namespace)?;
        underlay::address(&self.namespace, MANAGEMENT, underlay::CONTROLLER)
    }

    /// Its namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Its log, of all its starts.
    pub fn log(&self) -> PathBuf {
        self.directory.join("weir.log")
    }

    /// A client of its API.
    pub fn api(&self) -> Api {
        Api::new(self.namespace.clone(), API)
    }

    /// Its process, if it runs.
    pub fn process(&self) -> Option<Process> {
        self.process.filter(|process| process.is_running())
    }

    /// Starts it and returns at once.
    pub fn spawn(&mut self) -> Result<Process, LabError> {
        let log = self.log();
        let opened = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .and_then(|file| Ok((file.try_clone()?, file)))
            .map_err(|error| LabError::io("open", &log, error))?;
        let program = self.program.to_string_lossy();
        let child = self
            .namespace
            .command(&program)
            .arg("serve")
            .arg("--data-dir")
            .arg(self.directory.join("data"))
            .args(["--auth", "none", "--api", &API.to_string(), "--metrics", &METRICS.to_string()])
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(opened.0)
            .stderr(opened.1)
            // Ctrl-C is for the lab, which ends the controller last.
            .process_group(0)
            .spawn()
            .map_err(|error| LabError::io("start", &self.program, error))?;
        let pid = Pid::from_raw(child.id().try_into().unwrap_or_default());
        // It is waited for by number (see `Process::is_running`): another run of this program may have to end it.
        drop(child);
        let process = Process::running(pid).ok_or_else(|| self.ended("at once"))?;
        self.process = Some(process);
        Ok(process)
    }

    /// Waits until the API answers.
    pub fn wait_ready(&self, interrupt: &Interrupt) -> Result<(), LabError> {
        let api = self.api();
        wait::until("the controller's API", START_LIMIT, interrupt, || {
            if self.process().is_none() {
                return Err(self.ended("before it served its API"));
            }
            Ok(match api.request("GET", "/v2.0/networks?limit=1", None) {
                Ok(answer) if answer.status == 200 => Look::Holds(()),
                Ok(answer) => Look::not_yet(answer.status),
                Err(error) => Look::not_yet(error),
            })
        })
    }

    /// Starts it and waits until its API answers.
    pub fn start(&mut self, interrupt: &Interrupt) -> Result<(), LabError> {
        self.spawn()?;
        self.wait_ready(interrupt)
    }

    /// Ends it with SIGKILL.
    pub fn kill(&mut self) -> Result<(), LabError> {
        self.process.take().map_or(Ok(()), Process::kill)
    }

    fn ended(&self, when: &str) -> LabError {
        let log = self.log();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<_> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n");
        LabError::ControllerEnded { status: when.to_owned(), log, tail }
    }
}
