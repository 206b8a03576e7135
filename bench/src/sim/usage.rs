//! What a process has used.

use std::time::Duration;

use crate::Failure;

/// Ticks of a second in `/proc` (`proc(5)`); Linux has no other value.
const TICKS: f64 = 100.0;

/// What a process has used.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Processor time.
    pub cpu: Duration,
    /// Resident memory in bytes.
    pub resident: u64,
    /// The most resident memory since the peak was last forgotten.
    pub peak: u64,
}

impl Usage {
    /// What the process of this number has used so far.
    pub fn of(process: u32) -> Result<Self, Failure> {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
        // The name, in parentheses, may have blanks; the fields after it have numbers from 3 on.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |field: usize| fields.get(field - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))?;
        let memory = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok());
            kilobytes.unwrap_or(0) * 1024
        };
        Ok(Self {
            cpu: Duration::from_secs_f64((ticks(14) + ticks(15)) / TICKS),
            resident: memory("VmRSS"),
            peak: memory("VmHWM"),
        })
    }
}
