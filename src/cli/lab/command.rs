//! `weir lab`: a lab by hand.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use clap::{Args, Subcommand};
use comfy_table::{Table, presets};

use super::{Guest, Interrupt, Lab, LabError, LabName, Manager, Namespace, Plan, State};

/// Real hypervisors on this machine, in network namespaces.
#[derive(Debug, Args)]
pub struct LabArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Build a lab: hypervisors, wires and a controller
    Up {
        /// The number of hypervisors, named h1, h2, ...
        #[arg(long, default_value_t = 2, value_name = "N")]
        hosts: u8,
        /// The lab's name
        #[arg(long, default_value = "lab", value_name = "NAME")]
        name: LabName,
        /// 'own': start one; an address: the manager that the hypervisors get, started by someone else; 'none': no manager
        #[arg(long, default_value = "own", value_name = "own|ADDR|none")]
        controller: Choice,
    },
    /// Boot a VM for an API port on a hypervisor
    Boot {
        #[command(flatten)]
        lab: Which,
        /// The VM's name
        vm: LabName,
        /// The hypervisor
        host: String,
        /// The port's id; its binding:host_id should name the hypervisor
        port: String,
        /// Let the VM ask for its IPv4 address with udhcpc and listen to routers, instead of setting its addresses
        #[arg(long)]
        dhcp: bool,
    },
    /// Shut a VM down and unplug it
    Shut {
        #[command(flatten)]
        lab: Which,
        /// The VM's name
        vm: String,
    },
    /// Show what a lab is made of and what runs
    Status {
        #[command(flatten)]
        lab: Which,
    },
    /// Run a command on a hypervisor, in a VM, or beside the controller
    Exec {
        #[command(flatten)]
        lab: Which,
        /// A hypervisor, a VM, or 'ctl'
        place: String,
        /// The command; 'weir' is this program
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<OsString>,
    },
    /// Remove a lab: its processes, namespaces and files
    Down {
        #[command(flatten)]
        lab: Which,
    },
}

/// Which lab; the only one if none is named.
#[derive(Debug, Args)]
struct Which {
    /// The lab's name; not needed if there is only one
    #[arg(long, value_name = "NAME")]
    name: Option<LabName>,
}

impl Which {
    fn name(self) -> Result<LabName, LabError> {
        if let Some(name) = self.name {
            return Ok(name);
        }
        let mut names = LabName::all()?;
        match names.len() {
            0 => Err(LabError::NoLab("is up".to_owned())),
            1 => Ok(names.remove(0)),
            _ => Err(LabError::WhichLab(names.iter().map(LabName::to_string).collect())),
        }
    }

    fn open(self) -> Result<Lab, LabError> {
        Lab::open(&self.name()?, &Interrupt::never())
    }
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    Own,
    At(IpAddr),
    None,
}

impl std::str::FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "own" => Ok(Self::Own),
            "none" => Ok(Self::None),
            address => address.parse().map(Self::At).map_err(|_| "neither 'own', 'none' nor an IP address".to_owned()),
        }
    }
}

/// Runs `weir lab`.
pub fn run(args: LabArgs) -> ExitCode {
    let done = match args.action {
        Action::Up { hosts, name, controller } => up(hosts, name, controller),
        Action::Boot { lab, vm, host, port, dhcp } => boot(lab, &vm, &host, &port, dhcp),
        Action::Shut { lab, vm } => lab.open().and_then(|mut lab| lab.shut(&vm)),
        Action::Status { lab } => lab.open().map(|lab| println!("{}", status(lab.state()))),
        Action::Exec { lab, place, command } => match exec(lab, &place, &command) {
            Ok(code) => return code,
            Err(error) => Err(error),
        },
        Action::Down { lab } => match lab.name() {
            // Nothing to take down is what was asked for.
            Err(LabError::NoLab(_)) => Ok(()),
            named => named.and_then(|name| Lab::remove(&name)),
        },
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}

fn up(hosts: u8, name: LabName, controller: Choice) -> Result<(), LabError> {
    let interrupt = Interrupt::on_signals()?;
    let start = Instant::now();
    let manager = match controller {
        Choice::None => Manager::None,
        Choice::At(address) => Manager::At(address),
        Choice::Own => Manager::Own { program: own_program()?, arguments: Vec::new() },
    };
    let mut lab = Lab::up(Plan { name, hosts, manager }, &interrupt)?;
    lab.connect()?;
    lab.keep()?;
    println!("{}", status(lab.state()));
    println!("up in {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// This program, to be run as the controller.
pub(crate) fn own_program() -> Result<PathBuf, LabError> {
    std::env::current_exe().map_err(|source| LabError::Io { what: "find this program's own file".to_owned(), source })
}

fn boot(which: Which, vm: &LabName, host: &str, port: &str, dhcp: bool) -> Result<(), LabError> {
    let mut lab = which.open()?;
    let guest = Guest::of_port(&lab.api()?, port)?;
    if dhcp {
        let vm = lab.boot_bare(vm.as_str(), host, guest)?;
        lab.lease(&vm).map(drop)
    } else {
        lab.boot(vm.as_str(), host, guest).map(drop)
    }
}

/// A table of everything in a lab.
fn status(state: &State) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_header(["", "NAMESPACE", "ADDRESSES", "RUNS"]);
    if let Some(controller) = &state.controller {
        table.add_row([
            "ctl".to_owned(),
            controller.namespace().name().to_owned(),
            format!("{}  API {}", super::CONTROLLER, super::controller::API),
            controller
                .process()
                .map_or("weir serve: ended".to_owned(), |process| format!("weir serve ({})", process.pid())),
        ]);
    }
    for hypervisor in &state.hypervisors {
        let runs = |name: &str, process: Option<super::Process>| match process {
            Some(process) => format!("{name} ({})", process.pid()),
            None => format!("{name}: ended"),
        };
        table.add_row([
            hypervisor.name().to_owned(),
            hypervisor.namespace().name().to_owned(),
            format!("{}  tunnels {}", hypervisor.management_address(), hypervisor.tunnel_address()),
            format!(
                "{}, {}",
                runs("ovsdb-server", hypervisor.ovsdb_server()),
                runs("ovs-vswitchd", hypervisor.vswitchd())
            ),
        ]);
    }
    for vm in &state.vms {
        let addresses: Vec<_> = vm.guest().addresses.iter().map(|address| address.ip.to_string()).collect();
        table.add_row([
            vm.name().to_owned(),
            vm.namespace().name().to_owned(),
            addresses.join("  "),
            format!("on {} as {}", vm.host(), vm.tap()),
        ]);
    }
    table
}

fn exec(which: Which, place: &str, command: &[OsString]) -> Result<ExitCode, LabError> {
    let lab = which.open()?;
    let Some((program, arguments)) = command.split_first() else {
        return Ok(ExitCode::SUCCESS);
    };
    let own;
    let program = if program == "weir" {
        own = own_program()?.into_os_string();
        &own
    } else {
        program
    };
    let mut command = place_of(&lab, place)?;
    let status = command
        .arg(program)
        .args(arguments)
        .status()
        .map_err(|source| LabError::Io { what: format!("run {}", program.to_string_lossy()), source })?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// `ip netns exec` into a place of the lab, with the environment for its tools.
fn place_of(lab: &Lab, place: &str) -> Result<Command, LabError> {
    let enter = |namespace: &Namespace| {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", namespace.name()]);
        command
    };
    let state = lab.state();
    if let (Some(controller), "ctl") = (&state.controller, place) {
        return Ok(enter(controller.namespace()));
    }
    if let Ok(hypervisor) = lab.host(place) {
        let mut command = enter(hypervisor.namespace());
        command.envs(hypervisor.environment());
        return Ok(command);
    }
    if let Ok(vm) = lab.vm(place) {
        return Ok(enter(vm.namespace()));
    }
    let controller = state.controller.iter().map(|_| "ctl".to_owned());
    let hosts = state.hypervisors.iter().map(|host| host.name().to_owned());
    let vms = state.vms.iter().map(|vm| vm.name().to_owned());
    Err(LabError::Unknown { name: place.to_owned(), known: controller.chain(hosts).chain(vms).collect() })
}
