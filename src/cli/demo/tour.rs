//! What there is to see of a router and of a security group.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::plan::{Made, rule};
use crate::cli::lab::wait::{self, Look};
use crate::cli::lab::{Echo, Interrupt, LabError, Vm};

/// Where the VM behind the router listens.
const PORT: u16 = 8080;

/// How long a packet is waited for that may never come.
const PATIENCE: Duration = Duration::from_millis(400);

/// The same while it is asked again and again.
const GLANCE: Duration = Duration::from_millis(20);

/// How long a change may take until it can be seen.
const LIMIT: Duration = Duration::from_secs(10);

/// Goes from VM to VM, and says what it sees.
#[derive(Debug)]
pub(super) struct Tour<'a> {
    pub(super) made: &'a Made,
    pub(super) from: &'a Vm,
    pub(super) to: &'a Vm,
    pub(super) interrupt: &'a Interrupt,
}

impl Tour<'_> {
    /// From network to network; whether everything was as it should be.
    pub(super) fn router(&self) -> Result<bool, LabError> {
        println!("\nThe router between red's two networks, on the sender's own hypervisor:");
        let mut right = true;
        for ipv6 in [false, true] {
            let to = address(self.to, ipv6)?;
            let seen = Echo::ask(self.from.namespace(), to, None)?;
            let gone = Echo::ask(self.from.namespace(), to, Some(1))?;
            let family = if ipv6 { "IPv6" } else { "IPv4" };
            let what = format!("{} -> {} by {family}", self.from.name(), self.to.name());
            line(&what, &words(&seen));
            line(&format!("{what}, with one hop to live"), &words(&gone));
            right &= seen == Echo::Answered { ttl: 63 } && matches!(gone, Echo::Refused { .. });
        }
        Ok(right)
    }

    /// A port opened and closed; whether everything was as it should be.
    pub(super) fn security_group(&self) -> Result<bool, LabError> {
        println!("\nThe security group of {}, which lets pings in only, and TCP port {PORT}:", self.to.name());
        let target = SocketAddr::new(address(self.to, false)?, PORT);
        let failed = |source| LabError::Io { what: format!("listen on {target}"), source };
        let listener = self.to.namespace().within(|| TcpListener::bind(target))?.map_err(failed)?;
        let closed = self.connect(target, PATIENCE).is_none();
        line("without a rule", if closed { "no connection" } else { "a connection!" });

        let rule = rule(&self.made.red, &self.made.group, "IPv4", tcp())?;
        let start = Instant::now();
        let mut stream = wait::until("a connection", LIMIT, self.interrupt, || {
            Ok(self.connect(target, GLANCE).map_or_else(|| Look::not_yet("none"), Look::Holds))
        })?;
        let (mut accepted, _) = listener.accept().map_err(failed)?;
        let carries = carries(&mut stream, &mut accepted);
        let verdict = if carries { "connected" } else { "a connection that carries nothing!" };
        line(&format!("a rule made, {} after the API's answer", ms(start)), verdict);

        self.made.red.delete("security-group-rules", &rule)?;
        let start = Instant::now();
        let mut took = String::new();
        wait::until("the end of the connection", LIMIT, self.interrupt, || {
            took = ms(start);
            Ok(Look::when(!self::carries(&mut stream, &mut accepted), "it carries bytes still"))
        })?;
        let shut = self.connect(target, PATIENCE).is_none();
        let verdict = if shut { "the open connection is cut, and no new one" } else { "a new connection!" };
        line(&format!("the rule deleted, {took} after the API's answer"), verdict);
        Ok(closed && carries && shut)
    }

    fn connect(&self, target: SocketAddr, limit: Duration) -> Option<TcpStream> {
        self.from.namespace().connect(target, limit).ok()
    }
}

fn tcp() -> serde_json::Value {
    json!({"protocol": "tcp", "port_range_min": PORT, "port_range_max": PORT})
}

/// Whether a byte gets from one end to the other.
fn carries(from: &mut TcpStream, to: &mut TcpStream) -> bool {
    let sent = to.set_read_timeout(Some(PATIENCE)).and_then(|()| from.write_all(b"x"));
    sent.and_then(|()| to.read_exact(&mut [0])).is_ok()
}

fn address(vm: &Vm, ipv6: bool) -> Result<IpAddr, LabError> {
    vm.guest()
        .address(ipv6)
        .ok_or_else(|| LabError::Unknown { name: format!("address of {}", vm.name()), known: Vec::new() })
}

fn words(seen: &Echo) -> String {
    match seen {
        Echo::Answered { ttl } => format!("answered, ttl={ttl}"),
        Echo::Refused { by, reason } => format!("{by} says: {reason}"),
        Echo::Lost => "no answer!".to_owned(),
    }
}

fn ms(start: Instant) -> String {
    format!("{:.0} ms", start.elapsed().as_secs_f64() * 1000.0)
}

fn line(what: &str, seen: &str) {
    println!("  {what:<49} {seen}");
}
