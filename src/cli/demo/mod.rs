//! `weir demo`: two tenants with the same addresses on real hypervisors, who reaches whom, and what a router and a
//! security group do.

mod picture;
mod plan;
mod tour;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;

use super::lab::wait::{self, Look};
use super::lab::{DEVICE, Guest, Interrupt, Lab, LabError, LabName, Lease, Manager, Matrix, Plan, Vm, own_program};
use picture::{differences, same_tenant, table};
use plan::BEHIND;
use tour::Tour;

/// How long the ports may take to become ACTIVE.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);

/// How long a VM's kernel may take to make itself an address.
const ADDRESS_LIMIT: Duration = Duration::from_secs(15);

/// Show Weir at work: two tenants with the same addresses on real Open vSwitch.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Take everything down at the end instead of leaving it up to be looked at
    #[arg(long)]
    once: bool,
    /// The number of hypervisors
    #[arg(long, default_value_t = 3, value_name = "N")]
    hosts: u8,
    /// The name of the demo's lab
    #[arg(long, default_value = "demo", value_name = "NAME")]
    name: LabName,
}

/// Runs `weir demo`. The exit code tells whether the VMs reached each other as they should.
pub fn run(args: DemoArgs) -> ExitCode {
    match show(args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("weir: {error}");
            ExitCode::FAILURE
        }
    }
}

fn show(args: DemoArgs) -> Result<bool, LabError> {
    let interrupt = Interrupt::on_signals()?;
    println!("Two tenants with the same addresses on {} hypervisors\n", args.hosts);
    let step = Step::begin("hypervisors");
    let plan = Plan {
        name: args.name,
        hosts: args.hosts,
        manager: Manager::Own { program: own_program()?, arguments: Vec::new() },
    };
    let mut lab = Lab::up(plan, &interrupt)?;
    step.end("each with an Open vSwitch of its own");

    let step = Step::begin("controller");
    lab.connect()?;
    step.end("started; br-int and br-tun made on every hypervisor, connected and filled");

    let step = Step::begin("API");
    let api = lab.api()?;
    let made = plan::make(&api, args.hosts)?;
    step.end(&made.summary);

    let step = Step::begin("VMs");
    let asking = Lease::can_be_asked_for();
    for vm in &made.vms {
        let guest = Guest::of_port(&api, &vm.port)?;
        if asking {
            lab.boot_bare(&vm.name, &vm.host, guest)?;
        } else {
            lab.boot(&vm.name, &vm.host, guest)?;
        }
    }
    step.end("booted and plugged in");

    let step = Step::begin("ports");
    wait::until("all ports ACTIVE", ACTIVE_LIMIT, &interrupt, || {
        let ports = api.list("ports", "?fields=name&fields=status")?;
        let waiting: Vec<_> = ports
            .iter()
            .filter(|port| port["status"] != "ACTIVE")
            .map(|port| format!("{} {}", port["name"], port["status"]))
            .collect();
        Ok(Look::when(waiting.is_empty(), waiting.join(", ")))
    })?;
    step.end("ACTIVE: every switch concerned has acknowledged its flows");

    let step = Step::begin("addresses");
    let vms = lab.state().vms.clone();
    if asking {
        ask_for_addresses(&lab, &vms)?;
        step.end("IPv4 by DHCP, IPv6 from the routers' advertisements: each VM has its port's");
    } else {
        step.end("set by hand: this machine has no udhcpc to ask for them with");
    }

    let step = Step::begin("pings");
    let (behind, vms): (Vec<_>, Vec<_>) = vms.into_iter().partition(|vm| vm.name() == BEHIND);
    let matrix = Matrix::probe(&vms, same_tenant, &interrupt)?;
    step.end(&format!("{} questions by IPv4 and IPv6", matrix.seen.len()));
    println!("\n{}\n", table(&vms, &matrix));
    let differing = differences(&vms, &matrix);
    let mut right = differing.is_empty() && !matrix.seen.is_empty();
    if right {
        println!(
            "Seen as expected: ms until the answer, IPv4 and IPv6; '-' the VM asked for saw nothing; '=' the same address."
        );
    } else {
        println!("{} differ from what is expected:\n  {}", differing.len(), differing.join("\n  "));
    }
    if let (Some(from), Some(to)) = (vms.first(), behind.first()) {
        let tour = Tour { made: &made, from, to, interrupt: &interrupt };
        right &= tour.router()?;
        right &= tour.security_group()?;
    }
    if args.once {
        lab.down()?;
    } else {
        stay(lab, &interrupt)?;
    }
    Ok(right)
}

/// Lets every VM ask for its IPv4 address, and waits until its kernel has the IPv6 address of the port too.
fn ask_for_addresses(lab: &Lab, vms: &[Vm]) -> Result<(), LabError> {
    let leases = std::thread::scope(|scope| {
        let asking: Vec<_> = vms.iter().map(|vm| scope.spawn(|| lab.lease(vm))).collect();
        let asked = asking.into_iter().map(|it| it.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        asked.collect::<Result<Vec<_>, _>>()
    })?;
    for (vm, lease) in vms.iter().zip(leases) {
        let (own, given) = (vm.guest().address(false), lease.address());
        if own != given.map(Into::into) {
            let reason = format!("{} was given {given:?}, its port has {own:?}", vm.name());
            return Err(LabError::Answer { path: "DHCP".to_owned(), reason });
        }
    }
    for vm in vms {
        let own = vm.guest().address(true).map_or_else(String::new, |own| format!("inet6 {own}/"));
        wait::until(&format!("the IPv6 address of {}", vm.name()), ADDRESS_LIMIT, lab.interrupt(), || {
            let shown = vm.namespace().tool("ip").args(["-6", "address", "show", "dev", DEVICE]).run()?;
            Ok(Look::when(shown.contains(&own) && !shown.contains("tentative"), shown))
        })?;
    }
    Ok(())
}

/// A line of progress, with the time it took.
struct Step {
    name: &'static str,
    start: Instant,
}

impl Step {
    fn begin(name: &'static str) -> Self {
        Self { name, start: Instant::now() }
    }

    fn end(self, text: &str) {
        println!("  {:<12}{:>7.2} s  {text}", self.name, self.start.elapsed().as_secs_f64());
    }
}

/// Leaves the lab up until Ctrl-C, or until someone else takes it down.
fn stay(lab: Lab, interrupt: &Interrupt) -> Result<(), LabError> {
    let weir = std::env::args().next().unwrap_or_else(|| "weir".to_owned());
    let exec = format!("{weir} lab exec --name {}", lab.name());
    println!(
        "\nThe lab stays up until Ctrl-C. From another terminal:\n\
         \n  {exec} red-1 -- ping 10.0.0.12                    answered by red-2, never by blue-2\
         \n  {exec} red-1 -- ping -t 1 10.0.1.31               the router says that it went too far\
         \n  {exec} ctl -- weir hosts --answers                what VMs were answered: DHCP, routers\
         \n  {exec} ctl -- weir hosts                          links, revisions, flows, last error\
         \n  {exec} ctl -- weir flows h1                       each flow with the API objects it comes from\
         \n  {exec} h1 -- ovs-ofctl del-flows br-int           they come back\
         \n  {exec} ctl -- curl -s 127.0.0.1:9696/v2.0/ports   the Neutron API\
         \n  {weir} lab status --name {name}                   what runs where; 'lab down' ends it",
        name = lab.name()
    );
    let directory = lab.name().directory();
    while !interrupt.raised() && directory.exists() {
        std::thread::sleep(Duration::from_millis(100));
    }
    println!("\nTaking the lab down");
    lab.down()
}
