//! A lab whose hypervisors one of the measured networks runs.

use std::collections::BTreeMap;
use std::time::Duration;

use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Hypervisor, Interrupt, Lab, LabError, LabName, Manager, Ping, Plan, Vm};

use super::layout::{Course, Policy};
use crate::Failure;

/// How long a network may take until its VMs reach each other.
const REACH_LIMIT: Duration = Duration::from_secs(60);

/// The hypervisors of a site.
const HOSTS: u8 = 2;

/// How long an idle megaflow stays, in milliseconds. A machine with other things to do shall not make the revalidators
/// forget megaflows before they are counted.
const MAX_IDLE: u32 = 60_000;

/// One network on its own hypervisors.
#[derive(Debug)]
pub struct Site {
    /// What the report calls it.
    pub name: &'static str,
    /// Its lab.
    pub lab: Lab,
    ends: BTreeMap<(Policy, Course), (Vm, Vm)>,
}

impl Site {
    /// The hypervisors of a site that nobody controls yet.
    ///
    /// # Errors
    /// The lab cannot be built.
    pub fn lab(name: &str, manager: Manager, interrupt: &Interrupt) -> Result<Lab, Failure> {
        let name: LabName = format!("b{}-{name}", std::process::id()).parse()?;
        let lab = Lab::up(Plan { name, hosts: HOSTS, manager }, interrupt)?;
        for hypervisor in &lab.state().hypervisors {
            hypervisor.vsctl(["set", "Open_vSwitch", ".", &format!("other_config:max-idle={MAX_IDLE}")])?;
        }
        Ok(lab)
    }

    /// A site whose VMs are booted. `vm` names those at the two ends of a course, if the network has it.
    ///
    /// # Errors
    /// A client does not reach a server.
    pub fn open(
        name: &'static str,
        lab: Lab,
        vm: impl Fn(Policy, Course) -> Option<(String, String)>,
    ) -> Result<Self, Failure> {
        let mut ends = BTreeMap::new();
        for policy in Policy::ALL {
            for course in Course::ALL {
                let Some((client, server)) = vm(policy, course) else { continue };
                let pair = (lab.vm(&client)?.clone(), lab.vm(&server)?.clone());
                wait::until(&format!("{name}: {client} reaches {server}"), REACH_LIMIT, lab.interrupt(), || {
                    let ping = Ping::send(pair.0.namespace(), address(&pair.1)?, 1, Duration::ZERO)?;
                    Ok(Look::when(ping.received == 1, "no answer"))
                })?;
                ends.insert((policy, course), pair);
            }
        }
        Ok(Self { name, lab, ends })
    }

    /// The VMs at the two ends of a course, the client first; none if the network has no such course.
    pub fn ends(&self, policy: Policy, course: Course) -> Option<(&Vm, &Vm)> {
        self.ends.get(&(policy, course)).map(|(client, server)| (client, server))
    }

    /// Its hypervisors.
    pub fn hypervisors(&self) -> &[Hypervisor] {
        &self.lab.state().hypervisors
    }
}

/// The IPv4 address of a VM.
///
/// # Errors
/// It has none.
pub fn address(vm: &Vm) -> Result<std::net::IpAddr, LabError> {
    vm.guest()
        .address(false)
        .ok_or_else(|| LabError::Unknown { name: format!("IPv4 address of {}", vm.name()), known: Vec::new() })
}
