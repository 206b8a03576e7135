//! A lab: real hypervisors, wires, VMs and a controller on one machine, in network namespaces.
//!
//! ```text
//!   weir.LAB.ctl          weir serve, its API on 127.0.0.1:9696, its metrics on 127.0.0.1:9690
//!        | mgmt
//!   weir.LAB.underlay     two Linux bridges: mgmt and underlay
//!        | mgmt  | underlay
//!   weir.LAB.h1           ovsdb-server, ovs-vswitchd with br-phy (Weir adds br-int and br-tun)
//!        | tapXXXXXXXX-XX
//!   weir.LAB.vm.NAME      eth0 with the addresses of its API port
//! ```
//!
//! Nothing of a lab shows among the machine's own interfaces, addresses or ports: veth pairs are born in their
//! namespaces, daemons listen there, and files live under `/run/weir-lab/LAB`. So labs with different names run side
//! by side, also beside a production hypervisor. Everything a lab runs can be found by its name alone: taking it down
//! needs no state and works on a half-built one too.

mod api;
mod command;
mod controller;
mod echo;
mod error;
mod hypervisor;
mod interrupt;
mod lease;
mod namespace;
mod ping;
mod process;
mod requirements;
mod state;
mod tool;
mod underlay;
mod vm;
pub mod wait;

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

pub use api::{Answer, Api};
pub(crate) use command::own_program;
pub use command::{LabArgs, run};
pub use controller::{Controller, METRICS};
pub use echo::Echo;
pub use error::LabError;
pub use hypervisor::Hypervisor;
pub use interrupt::Interrupt;
pub use lease::Lease;
pub use namespace::{Namespace, veth};
pub use ping::{Matrix, Outcome, Ping, Probe, Running, echo_requests};
pub use process::Process;
pub use requirements::open_vswitch;
pub use state::{LabName, State};
pub use tool::Tool;
pub use underlay::{CONTROLLER, MANAGEMENT, TUNNELS, Underlay};
pub use vm::{Address, DEVICE, Guest, Vm};
use wait::Look;

/// The most hypervisors of a lab.
pub const MAX_HOSTS: u8 = 200;

/// How long a hypervisor may take from `set-manager` until both bridges are connected.
const CONNECT_LIMIT: Duration = Duration::from_secs(30);

/// Who controls the hypervisors of a lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manager {
    /// A controller of the lab's own, from this executable with these additional arguments of `weir serve`.
    Own {
        /// The `weir` executable.
        program: PathBuf,
        /// More arguments.
        arguments: Vec<OsString>,
    },
    /// One that listens on this address of the management network. The lab does not start it.
    At(IpAddr),
    /// None: the databases get no manager.
    None,
}

/// What lab to build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Its name.
    pub name: LabName,
    /// The number of hypervisors.
    pub hosts: u8,
    /// Who controls them.
    pub manager: Manager,
}

/// A lab that is up. It goes down when it is dropped, unless it is [kept](Self::keep).
#[derive(Debug)]
pub struct Lab {
    state: State,
    interrupt: Interrupt,
    goes_down: bool,
}

impl Lab {
    /// Builds a lab, its hypervisors running but under nobody's control yet. When that fails or is interrupted half-way,
    /// what was built is removed again.
    pub fn up(plan: Plan, interrupt: &Interrupt) -> Result<Self, LabError> {
        requirements::check()?;
        if !(1..=MAX_HOSTS).contains(&plan.hosts) {
            return Err(LabError::HostCount(plan.hosts));
        }
        let directory = plan.name.directory();
        let parent = directory.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(|error| LabError::io("create", parent, error))?;
        if !Namespace::all(plan.name.as_str())?.is_empty() {
            return Err(LabError::Leftovers(plan.name.to_string()));
        }
        // Making the directory is what claims the name: of two processes that try, one succeeds.
        fs::create_dir(&directory).map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => LabError::Leftovers(plan.name.to_string()),
            _ => LabError::io("create", &directory, error),
        })?;
        let lab = plan.name.as_str();
        let (controller, manager) = match plan.manager {
            Manager::Own { program, arguments } => {
                (Some(Controller::of(lab, &directory, program, arguments)), Some(CONTROLLER))
            }
            Manager::At(address) => (None, Some(address)),
            Manager::None => (None, None),
        };
        let built = Self {
            state: State {
                owner: Process::own(),
                underlay: Underlay::of(lab),
                controller,
                manager,
                hypervisors: (1..=plan.hosts).map(|number| Hypervisor::of(lab, &directory, number)).collect(),
                vms: Vec::new(),
                name: plan.name.clone(),
            },
            interrupt: interrupt.clone(),
            goes_down: true,
        };
        built.build()?;
        Ok(built)
    }

    fn build(&self) -> Result<(), LabError> {
        self.state.write()?;
        let underlay = &self.state.underlay;
        underlay.create()?;
        if let Some(controller) = &self.state.controller {
            controller.create(underlay)?;
        }
        for hypervisor in &self.state.hypervisors {
            self.interrupt.check()?;
            hypervisor.create(underlay)?;
        }
        self.greet_tunnels()
    }

    /// Puts the hypervisors under the control that was planned. A controller of the lab's own is started and waited for
    /// until it controls all of them.
    pub fn connect(&mut self) -> Result<(), LabError> {
        if self.state.controller.is_some() {
            self.start_controller()?;
        }
        if let Some(manager) = self.state.manager {
            for hypervisor in &self.state.hypervisors {
                hypervisor.set_manager(manager)?;
            }
        }
        if self.state.controller.is_some() { self.wait_in_step() } else { Ok(()) }
    }

    /// Lets each hypervisor find the tunnel endpoints of the others.
    pub fn greet_tunnels(&self) -> Result<(), LabError> {
        for one in &self.state.hypervisors {
            for other in &self.state.hypervisors {
                if one.name() != other.name() {
                    self.interrupt.check()?;
                    one.greet(other)?;
                }
            }
        }
        Ok(())
    }

    /// Waits until the controller is connected to every hypervisor, and every switch holds what it should.
    pub fn wait_in_step(&self) -> Result<(), LabError> {
        let api = self.api()?;
        wait::until("all switches connected and in step", CONNECT_LIMIT, &self.interrupt, || {
            let answer = api.request("GET", "/weir/v1/hosts", None)?.body;
            let hosts = answer["hosts"].as_array().map_or(&[][..], Vec::as_slice);
            let in_step = hosts.iter().filter(|host| is_in_step(host)).count();
            Ok(Look::when(in_step == self.state.hypervisors.len(), answer))
        })
    }

    /// A lab that an earlier process left up.
    pub fn open(name: &LabName, interrupt: &Interrupt) -> Result<Self, LabError> {
        let state = State::read(name)?.ok_or_else(|| LabError::NoLab(format!("named {name} is up")))?;
        Ok(Self { state, interrupt: interrupt.clone(), goes_down: false })
    }

    /// Removes everything of the lab `name`: ends the processes in its namespaces, then removes these and its files.
    /// It is no error if there is nothing.
    pub fn remove(name: &LabName) -> Result<(), LabError> {
        let mut failures = Vec::new();
        let mut note = |result: Result<(), LabError>| {
            if let Err(error) = result {
                failures.push(error.to_string());
            }
        };
        let namespaces = Namespace::all(name.as_str())?;
        let mut processes = Vec::new();
        for namespace in &namespaces {
            match namespace.processes() {
                Ok(found) => processes.extend(found.into_iter().filter_map(Process::running)),
                Err(error) => note(Err(error)),
            }
        }
        // Whoever takes a lab down from a shell within it does not end itself.
        processes.retain(|process| Some(*process) != Process::own());
        note(Process::end_all(&processes));
        for namespace in &namespaces {
            note(namespace.delete());
        }
        let directory = name.directory();
        match fs::remove_dir_all(&directory) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                note(Err(LabError::io("remove", &directory, error)));
            }
            _ => {}
        }
        if failures.is_empty() { Ok(()) } else { Err(LabError::Down(failures)) }
    }

    /// Removes the labs whose owners ended without taking them down.
    pub fn remove_abandoned() -> Result<(), LabError> {
        for name in LabName::all()? {
            if let Ok(Some(State { owner: Some(owner), .. })) = State::read(&name)
                && !owner.is_running()
            {
                Self::remove(&name)?;
            }
        }
        Ok(())
    }

    /// Takes the lab down.
    pub fn down(mut self) -> Result<(), LabError> {
        self.goes_down = false;
        Self::remove(&self.state.name)
    }

    /// What is known about it.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Its name.
    pub fn name(&self) -> &LabName {
        &self.state.name
    }

    /// What tells whether the user asked to stop.
    pub fn interrupt(&self) -> &Interrupt {
        &self.interrupt
    }

    /// Its controller, if it has one of its own.
    pub fn controller(&self) -> Result<&Controller, LabError> {
        self.state.controller.as_ref().ok_or(LabError::NoController)
    }

    /// A client of its controller's API.
    pub fn api(&self) -> Result<Api, LabError> {
        Ok(self.controller()?.api())
    }

    /// Starts its controller and waits until the API answers.
    pub fn start_controller(&mut self) -> Result<(), LabError> {
        let interrupt = self.interrupt.clone();
        let controller = self.state.controller.as_mut().ok_or(LabError::NoController)?;
        controller.start(&interrupt)?;
        self.state.write()
    }

    /// Ends its controller as a crash would.
    pub fn kill_controller(&mut self) -> Result<(), LabError> {
        let controller = self.state.controller.as_mut().ok_or(LabError::NoController)?;
        controller.kill()?;
        self.state.write()
    }

    /// The hypervisor of this name.
    pub fn host(&self, name: &str) -> Result<&Hypervisor, LabError> {
        self.state.hypervisors.iter().find(|hypervisor| hypervisor.name() == name).ok_or_else(|| LabError::Unknown {
            name: name.to_owned(),
            known: self.state.hypervisors.iter().map(|hypervisor| hypervisor.name().to_owned()).collect(),
        })
    }

    /// The VM of this name.
    pub fn vm(&self, name: &str) -> Result<&Vm, LabError> {
        self.state.vms.iter().find(|vm| vm.name() == name).ok_or_else(|| LabError::Unknown {
            name: name.to_owned(),
            known: self.state.vms.iter().map(|vm| vm.name().to_owned()).collect(),
        })
    }

    /// Boots a VM on a hypervisor: plugs it in and gives it its addresses.
    pub fn boot(&mut self, name: &str, host: &str, guest: Guest) -> Result<Vm, LabError> {
        let vm = self.prepare(name, host, guest)?;
        vm.plug(self.host(host)?)?;
        vm.configure()?;
        Ok(vm)
    }

    /// Boots a VM that is told nothing: its kernel listens to routers, and [`Lab::lease`] asks for the rest.
    pub fn boot_bare(&mut self, name: &str, host: &str, guest: Guest) -> Result<Vm, LabError> {
        let vm = self.prepare(name, host, guest)?;
        vm.plug(self.host(host)?)?;
        vm.namespace().ip([format!("link set {DEVICE} up")])?;
        Ok(vm)
    }

    /// Lets a VM ask for its IPv4 address by DHCP.
    pub fn lease(&self, vm: &Vm) -> Result<Lease, LabError> {
        self.interrupt.check()?;
        Lease::ask(vm.namespace(), &self.state.name.directory())
    }

    /// Makes a VM that is neither plugged in nor configured.
    pub fn prepare(&mut self, name: &str, host: &str, guest: Guest) -> Result<Vm, LabError> {
        let _: LabName = name.parse()?;
        self.interrupt.check()?;
        let vm = Vm::of(self.state.name.as_str(), name, host, guest);
        vm.create(self.host(host)?)?;
        self.state.vms.push(vm.clone());
        self.state.write()?;
        Ok(vm)
    }

    /// Shuts a VM down and removes it.
    pub fn shut(&mut self, name: &str) -> Result<(), LabError> {
        let vm = self.vm(name)?.clone();
        vm.destroy(self.host(vm.host())?)?;
        self.state.vms.retain(|vm| vm.name() != name);
        self.state.write()
    }

    /// Lets the lab outlive this process.
    pub fn keep(&mut self) -> Result<(), LabError> {
        self.goes_down = false;
        self.state.owner = None;
        self.state.write()
    }
}

/// Whether the controller says of a hypervisor that it is connected and both its bridges hold what they should.
fn is_in_step(host: &Value) -> bool {
    let switches = host["switches"].as_array().map_or(&[][..], Vec::as_slice);
    host["liveness"] == "alive"
        && switches.len() == 2
        && switches
            .iter()
            .all(|switch| switch["openflow"] == "up" && switch["acknowledged_revision"] == switch["wanted_revision"])
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.goes_down
            && let Err(error) = Self::remove(&self.state.name)
        {
            eprintln!("weir: {error}");
        }
    }
}
