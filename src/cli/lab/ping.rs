//! Pings between VMs: who answers whom, and who saw the question.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::net::IpAddr;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{Interrupt, LabError, Namespace, Vm};

/// How long an answer may take, in seconds as `ping` reads them. The first packet between two VMs may wait for an
/// address to be resolved.
const PATIENCE: &str = "0.8";

/// What came of one or more echo requests.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ping {
    /// Requests sent.
    pub sent: u32,
    /// Answers received, without duplicates.
    pub received: u32,
    /// Answers received more than once.
    pub duplicates: u32,
    /// The mean round trip time in milliseconds; none without an answer.
    pub mean_ms: Option<f64>,
}

impl Ping {
    /// Sends `count` echo requests from a namespace, one each `interval`, and waits for the answers.
    pub fn send(from: &Namespace, to: IpAddr, count: u32, interval: Duration) -> Result<Self, LabError> {
        let output = from
            .tool("ping")
            .args(["-n", "-q", "-c", &count.to_string()])
            .args(["-i", &interval.as_secs_f64().to_string(), "-W", PATIENCE])
            .arg(to.to_string())
            .output()?;
        Self::parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| LabError::Tool {
            command: format!("ping {to} in {}", from.name()),
            reason: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// Begins to send echo requests, one each `interval`, until [`Running::stop`].
    pub fn begin(from: &Namespace, to: IpAddr, interval: Duration) -> Result<Running, LabError> {
        let mut command = from.command("ping");
        command
            .args(["-n", "-i"])
            .arg(interval.as_secs_f64().to_string())
            .arg(to.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0);
        let failed = |source| LabError::Io { what: format!("ping {to}"), source };
        let mut child = command.spawn().map_err(failed)?;
        let mut pipe = child.stdout.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        // A pipe that nobody reads would stop the ping when it is full.
        let output = std::thread::spawn(move || {
            let mut text = String::new();
            pipe.read_to_string(&mut text).map(|_| text)
        });
        Ok(Running { child, output, to })
    }

    /// Reads the summary that `ping -q` of iputils prints at its end.
    fn parse(text: &str) -> Option<Self> {
        let summary = text.lines().find(|line| line.contains("packets transmitted"))?;
        let number = |unit: &str| {
            summary
                .split(", ")
                .find(|part| part.contains(unit))
                .and_then(|part| part.trim_start_matches('+').split(' ').next()?.parse().ok())
        };
        let mean_ms = text
            .lines()
            .find(|line| line.starts_with("rtt "))
            .and_then(|line| line.split(" = ").nth(1)?.split('/').nth(1)?.parse().ok());
        Some(Self {
            sent: number("transmitted")?,
            received: number("received")?,
            duplicates: number("duplicates").unwrap_or(0),
            mean_ms,
        })
    }
}

/// A ping that goes on until it is told to stop.
#[derive(Debug)]
pub struct Running {
    child: Child,
    output: JoinHandle<io::Result<String>>,
    to: IpAddr,
}

impl Running {
    /// Ends it and tells what came of it. A request whose answer may still have been on its way does not count.
    pub fn stop(mut self) -> Result<Ping, LabError> {
        let failed = |source| LabError::Io { what: format!("ping {}", self.to), source };
        // SIGINT makes ping print its summary.
        let pid = Pid::from_raw(self.child.id().try_into().unwrap_or_default());
        kill(pid, Signal::SIGINT).map_err(|errno| failed(errno.into()))?;
        self.child.wait().map_err(failed)?;
        let text = self.output.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map_err(failed)?;
        let mut ping = Ping::parse(&text)
            .ok_or_else(|| LabError::Tool { command: format!("ping {}", self.to), reason: "no summary".to_owned() })?;
        let last_answered =
            text.lines().filter_map(|line| line.split_once("icmp_seq=")?.1.split(' ').next()?.parse().ok()).max();
        if last_answered == ping.sent.checked_sub(1) {
            ping.sent -= 1;
        }
        Ok(ping)
    }
}

/// How many echo requests the namespace's own kernel has received (`Icmp: InEchos` and `Icmp6InEchos`). It tells a VM
/// that answered from another one with the same address.
pub fn echo_requests(namespace: &Namespace, ipv6: bool) -> Result<u64, LabError> {
    let file = if ipv6 { "snmp6" } else { "snmp" };
    let path = format!("/proc/thread-self/net/{file}");
    let text = namespace
        .within(|| std::fs::read_to_string(&path))?
        .map_err(|error| LabError::io("read", path.as_ref(), error))?;
    let value = if ipv6 {
        text.lines().find_map(|line| line.strip_prefix("Icmp6InEchos")).and_then(|rest| rest.trim().parse().ok())
    } else {
        let mut lines = text.lines().filter(|line| line.starts_with("Icmp: "));
        let names = lines.next().unwrap_or_default().split(' ');
        let values = lines.next().unwrap_or_default().split(' ');
        names.zip(values).find(|(name, _)| *name == "InEchos").and_then(|(_, value)| value.parse().ok())
    };
    value.ok_or_else(|| LabError::Answer { path, reason: "no count of echo requests".to_owned() })
}

/// One question of a matrix: does `from` reach `to`?
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// The asking VM.
    pub from: String,
    /// The VM asked for.
    pub to: String,
    /// By its IPv6 address instead of its IPv4 address.
    pub ipv6: bool,
}

/// The answer to one question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Outcome {
    /// The VM asked for saw the echo request, and an answer came back after so many milliseconds.
    Reached(f64),
    /// The VM asked for saw nothing. Another one with its address may have answered.
    Isolated,
    /// The VM asked for saw the request, but no answer came back.
    OneWay,
}

/// Who reaches whom among some VMs.
#[derive(Debug, Default)]
pub struct Matrix {
    /// The answers found.
    pub seen: BTreeMap<Probe, Outcome>,
}

impl Matrix {
    /// Asks each of the VMs about each other one whose address is not its own, by both families. `expected` says which
    /// pairs should reach each other.
    ///
    /// Pairs that should are asked one after the other, so that a request seen is told from all others. Of those that
    /// should not, all that ask for the same VM go at once, for most of them wait in vain; only if that VM does see
    /// something, they are asked one by one.
    pub fn probe(vms: &[Vm], expected: impl Fn(&Vm, &Vm) -> bool, interrupt: &Interrupt) -> Result<Self, LabError> {
        let mut matrix = Self::default();
        for to in vms {
            for ipv6 in [false, true] {
                let Some(address) = to.guest().address(ipv6) else {
                    continue;
                };
                let askers =
                    vms.iter().filter(|from| from.name() != to.name() && from.guest().address(ipv6) != Some(address));
                let (should, should_not): (Vec<_>, Vec<_>) = askers.partition(|from| expected(from, to));
                for from in should {
                    matrix.ask(from, to, address, interrupt)?;
                }
                let before = echo_requests(to.namespace(), ipv6)?;
                std::thread::scope(|scope| {
                    let pings: Vec<_> = should_not
                        .iter()
                        .map(|from| scope.spawn(|| Ping::send(from.namespace(), address, 1, Duration::ZERO)))
                        .collect();
                    pings.into_iter().try_for_each(|ping| {
                        ping.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)).map(drop)
                    })
                })?;
                if echo_requests(to.namespace(), ipv6)? == before {
                    for from in should_not {
                        matrix.note(from, to, ipv6, Outcome::Isolated);
                    }
                } else {
                    for from in should_not {
                        matrix.ask(from, to, address, interrupt)?;
                    }
                }
            }
        }
        Ok(matrix)
    }

    fn ask(&mut self, from: &Vm, to: &Vm, address: IpAddr, interrupt: &Interrupt) -> Result<(), LabError> {
        interrupt.check()?;
        let ipv6 = address.is_ipv6();
        let before = echo_requests(to.namespace(), ipv6)?;
        let start = Instant::now();
        let ping = Ping::send(from.namespace(), address, 1, Duration::ZERO)?;
        let took = start.elapsed().as_secs_f64() * 1000.0;
        let saw = echo_requests(to.namespace(), ipv6)? > before;
        let outcome = match (saw, ping.received) {
            (false, _) => Outcome::Isolated,
            (true, 0) => Outcome::OneWay,
            (true, _) => Outcome::Reached(ping.mean_ms.unwrap_or(took)),
        };
        self.note(from, to, ipv6, outcome);
        Ok(())
    }

    fn note(&mut self, from: &Vm, to: &Vm, ipv6: bool, outcome: Outcome) {
        self.seen.insert(Probe { from: from.name().to_owned(), to: to.name().to_owned(), ipv6 }, outcome);
    }

    /// The outcome for a pair; none if the two have the same address or none of the family.
    pub fn outcome(&self, from: &str, to: &str, ipv6: bool) -> Option<Outcome> {
        self.seen.get(&Probe { from: from.to_owned(), to: to.to_owned(), ipv6 }).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::Ping;

    #[test]
    fn the_summary_of_ping() {
        let all = "PING 10.0.0.12 (10.0.0.12) 56(84) bytes of data.\n\n--- 10.0.0.12 ping statistics ---\n\
                   3 packets transmitted, 3 received, 0% packet loss, time 2003ms\n\
                   rtt min/avg/max/mdev = 0.036/0.043/0.051/0.006 ms\n";
        assert_eq!(Ping::parse(all), Some(Ping { sent: 3, received: 3, duplicates: 0, mean_ms: Some(0.043) }));
        let none = "2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1010ms\n";
        assert_eq!(Ping::parse(none), Some(Ping { sent: 2, received: 0, duplicates: 0, mean_ms: None }));
        let twice = "1 packets transmitted, 1 received, +1 duplicates, 0% packet loss, time 0ms\n";
        assert_eq!(Ping::parse(twice).map(|ping| ping.duplicates), Some(1));
        assert_eq!(Ping::parse("ping: connect: Network is unreachable"), None);
    }
}
