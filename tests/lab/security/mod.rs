//! Security groups on real switches.

mod default_group;
mod departure;
mod explanation;
mod icmp_error;
mod multicast;
mod no_window;
mod port_security;
mod remote_group;
mod restart;
mod revocation;
mod rule;
mod stateless;

use std::net::IpAddr;
use std::time::Duration;

use serde_json::{Value, json};
use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Api, LabError};

use super::conversation::Heard;
use super::world::{Failure, World, id};

/// How long a change may take from the API's answer to the last switch.
const SOON: Duration = Duration::from_secs(2);

/// Makes a security group, with the rules that let everything out.
fn group(api: &Api, name: &str) -> Result<String, LabError> {
    Ok(id(&api.create("security-groups", json!({"name": name}))?))
}

/// Lets something in, by IPv4 if the rule does not say otherwise.
fn allow(api: &Api, group: &str, rule: Value) -> Result<String, LabError> {
    let mut attributes = json!({"security_group_id": group, "direction": "ingress"});
    if let (Value::Object(attributes), Value::Object(rule)) = (&mut attributes, rule) {
        attributes.extend(rule);
    }
    Ok(id(&api.create("security-group-rules", attributes)?))
}

/// Waits until a change has come to the switches, for no longer than it may take.
fn soon(world: &World, what: &str, mut look: impl FnMut() -> Result<bool, Failure>) -> Result<(), Failure> {
    let mut failure = None;
    wait::until(what, SOON, &world.interrupt, || {
        Ok(match look() {
            Ok(seen) => Look::when(seen, "not yet"),
            Err(error) => {
                failure = Some(error);
                Look::Holds(())
            }
        })
    })?;
    failure.map_or(Ok(()), Err)
}

/// Fails with what was seen instead. What should be heard may be lost once, on a machine that is busy with other tests;
/// what should not be heard may not be heard even once.
fn expect(what: &str, mut talk: impl FnMut() -> Result<Heard, Failure>, expected: Heard) -> Result<(), Failure> {
    let mut seen = talk()?;
    if seen != expected && expected > seen {
        seen = talk()?;
    }
    if seen == expected { Ok(()) } else { Err(format!("{what}: {seen:?} instead of {expected:?}").into()) }
}

/// The connections of an address that a hypervisor remembers.
fn connections_of(world: &World, host: &str, address: IpAddr) -> Result<Vec<String>, LabError> {
    let shown = world.lab.host(host)?.appctl(["dpctl/dump-conntrack"])?;
    let [source, destination] = ["src", "dst"].map(|field| format!("{field}={address},"));
    let lines = shown.lines().filter(|line| line.contains(&source) || line.contains(&destination));
    Ok(lines.map(str::to_owned).collect())
}
