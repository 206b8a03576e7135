//! Processor time of processes.

use std::fs;
use std::time::Duration;

use nix::unistd::Pid;

use crate::Failure;

/// The processor time of all threads that a process has (`schedstat` of `proc(5)`, nanoseconds).
///
/// # Errors
/// It has ended.
pub fn of(process: Pid) -> Result<Duration, Failure> {
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let text = fs::read_to_string(task?.path().join("schedstat"))?;
        nanoseconds += text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or_default();
    }
    Ok(Duration::from_nanos(nanoseconds))
}
