//! A process that must be found again, by another run of the program if need be.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

use super::LabError;

/// How long a process may take to end after SIGTERM before it gets SIGKILL.
const PATIENCE: Duration = Duration::from_secs(3);

/// A process, told from a later one with the same number by its start time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    pid: i32,
    /// Clock ticks from boot to its start (`proc(5)`, field 22 of `stat`).
    started: u64,
}

impl Process {
    /// The process that has this number now, if there is one and it has not ended.
    pub fn running(pid: Pid) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field, the program's name, may hold anything, spaces and brackets included.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        // An ended process stays as a zombie until its parent looks.
        if matches!(state, "Z" | "X") {
            return None;
        }
        Some(Self { pid: pid.as_raw(), started: fields.nth(18)?.parse().ok()? })
    }

    /// The running process whose number a daemon wrote to `file`.
    pub fn of_pidfile(file: &Path) -> Option<Self> {
        let pid: i32 = fs::read_to_string(file).ok()?.trim().parse().ok()?;
        Self::running(Pid::from_raw(pid))
    }

    /// This process.
    pub fn own() -> Option<Self> {
        Self::running(Pid::this())
    }

    /// Its number.
    pub fn pid(self) -> Pid {
        Pid::from_raw(self.pid)
    }

    /// Whether it still runs.
    pub fn is_running(self) -> bool {
        // A child of ours that ended is reaped on the way; for a stranger this says ECHILD, which does not matter.
        let _ = waitpid(self.pid(), Some(WaitPidFlag::WNOHANG));
        Self::running(self.pid()) == Some(self)
    }

    /// Sends a signal; it is no error if the process is gone.
    pub fn signal(self, signal: Signal) -> Result<(), LabError> {
        if !self.is_running() {
            return Ok(());
        }
        match kill(self.pid(), signal) {
            Ok(()) | Err(Errno::ESRCH) => Ok(()),
            Err(errno) => Err(LabError::Io { what: format!("{signal} to process {}", self.pid), source: errno.into() }),
        }
    }

    /// Waits until it has ended; tells whether it did within `limit`.
    pub fn ended_within(self, limit: Duration) -> bool {
        let start = Instant::now();
        while self.is_running() {
            if start.elapsed() >= limit {
                return false;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        true
    }

    /// Ends it with SIGKILL and waits until it is gone.
    pub fn kill(self) -> Result<(), LabError> {
        self.signal(Signal::SIGKILL)?;
        if self.ended_within(PATIENCE) {
            Ok(())
        } else {
            Err(LabError::Timeout {
                what: format!("the end of process {}", self.pid),
                limit: PATIENCE,
                last: "still running after SIGKILL".to_owned(),
            })
        }
    }

    /// Ends all of them: SIGTERM, then SIGKILL for those that do not listen.
    pub fn end_all(processes: &[Self]) -> Result<(), LabError> {
        for process in processes {
            process.signal(Signal::SIGTERM)?;
        }
        let start = Instant::now();
        for process in processes {
            if !process.ended_within(PATIENCE.saturating_sub(start.elapsed())) {
                process.kill()?;
            }
        }
        Ok(())
    }
}
