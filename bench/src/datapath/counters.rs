//! What a hypervisor's ovs-vswitchd counts, and the processor time it takes.

use std::fs;
use std::iter::Sum;
use std::ops::Sub;
use std::time::Duration;

use nix::unistd::Pid;
use weir::cli::lab::Hypervisor;

use crate::{Failure, processor};

/// Work of an ovs-vswitchd since its start, or between two moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets taken from ports.
    pub received: u64,
    /// Further lookups of packets that have been looked up already.
    pub recirculations: u64,
    /// Lookups that no megaflow answered.
    pub upcalls: u64,
    /// Processor time of all its threads.
    pub processor: Duration,
    /// That part of it that was not spent in the kernel, where the VMs' interfaces are served.
    pub user: Duration,
}

impl Counters {
    /// The counters of now.
    ///
    /// # Errors
    /// The daemon does not answer.
    pub fn of(hypervisor: &Hypervisor) -> Result<Self, Failure> {
        let shown = hypervisor.appctl(["dpif-netdev/pmd-stats-show"])?;
        let process = hypervisor.vswitchd().ok_or("ovs-vswitchd does not run")?.pid();
        Ok(Self { processor: processor::of(process)?, user: user(process)?, ..Self::parse(&shown) })
    }

    /// Reads the output of `dpif-netdev/pmd-stats-show`, summing up the threads that forward packets.
    fn parse(shown: &str) -> Self {
        let sum = |name: &str| -> u64 {
            shown
                .lines()
                .filter_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':')?.trim().parse::<u64>().ok())
                .sum()
        };
        Self {
            received: sum("packets received"),
            recirculations: sum("packet recirculations"),
            upcalls: sum("miss with success upcall") + sum("miss with failed upcall"),
            ..Self::default()
        }
    }

    /// Recirculations of each packet received; none without packets.
    pub fn recirculations_per_packet(&self) -> f64 {
        if self.received == 0 { 0.0 } else { self.recirculations as f64 / self.received as f64 }
    }
}

/// The processor time of a process outside of the kernel (`utime` of `proc(5)`, in hundredths of a second).
fn user(process: Pid) -> Result<Duration, Failure> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The second field, the program's name, may hold anything, spaces and brackets included.
    let ticks = stat
        .rsplit_once(')')
        .and_then(|(_, fields)| fields.split_whitespace().nth(11)?.parse::<u64>().ok())
        .ok_or("no utime in /proc")?;
    Ok(Duration::from_millis(10 * ticks))
}

impl Sub for Counters {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            received: self.received.saturating_sub(earlier.received),
            recirculations: self.recirculations.saturating_sub(earlier.recirculations),
            upcalls: self.upcalls.saturating_sub(earlier.upcalls),
            processor: self.processor.saturating_sub(earlier.processor),
            user: self.user.saturating_sub(earlier.user),
        }
    }
}

impl Sum for Counters {
    fn sum<I: Iterator<Item = Self>>(counters: I) -> Self {
        counters.fold(Self::default(), |sum, one| Self {
            received: sum.received + one.received,
            recirculations: sum.recirculations + one.recirculations,
            upcalls: sum.upcalls + one.upcalls,
            processor: sum.processor + one.processor,
            user: sum.user + one.user,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_summed_up() {
        let shown = "main thread:\n  packets received: 5\n  packet recirculations: 10\n  \
                     avg. datapath passes per packet: 3.00\n  miss with success upcall: 2\n\
                     pmd thread numa_id 0 core_id 1:\n  packets received: 1\n  miss with failed upcall: 1\n";
        let expected = Counters { received: 6, recirculations: 10, upcalls: 3, ..Counters::default() };
        assert_eq!(Counters::parse(shown), expected);
    }
}
