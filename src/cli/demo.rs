//! `weir demo`: two tenants with the same addresses on real hypervisors, and who reaches whom.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Args;
use comfy_table::{CellAlignment, Table, TableComponent, presets};
use serde_json::{Value, json};

use super::lab::wait::{self, Look};
use super::lab::{Api, Guest, Interrupt, Lab, LabError, LabName, Manager, Matrix, Outcome, Plan, Vm, own_program};

/// How long the ports may take to become ACTIVE.
const ACTIVE_LIMIT: Duration = Duration::from_secs(30);

/// The subnets of both tenants: IP version, CIDR, and what precedes a VM's number in its address.
const SUBNETS: [(u8, &str, &str); 2] = [(4, "10.0.0.0/24", "10.0.0."), (6, "fd00:10::/64", "fd00:10::")];

/// The tenants, each with the last parts of its VMs' addresses. The first two addresses are the same in both, so that
/// a packet has a wrong VM to go to; the third is one that the other tenant has not, so that nobody may answer.
const TENANTS: [(&str, [u8; 3]); 2] = [("red", [11, 12, 13]), ("blue", [11, 12, 23])];

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
    let vms: Vec<Planned> = TENANTS
        .iter()
        .enumerate()
        .map(|(number, tenant)| plan_tenant(&api, number, *tenant, args.hosts))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect();
    step.end(&format!("{} networks, {} subnets, {} ports", TENANTS.len(), TENANTS.len() * SUBNETS.len(), vms.len()));

    let step = Step::begin("VMs");
    for vm in &vms {
        let guest = Guest::of_port(&api, &vm.port)?;
        lab.boot(&vm.name, &vm.host, guest)?;
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

    let step = Step::begin("pings");
    let vms = lab.state().vms.clone();
    let matrix = Matrix::probe(&vms, same_tenant, &interrupt)?;
    step.end(&format!("{} questions by IPv4 and IPv6", matrix.seen.len()));
    println!("\n{}\n", table(&vms, &matrix));
    let differing = differences(&vms, &matrix);
    let right = differing.is_empty() && !matrix.seen.is_empty();
    if right {
        println!(
            "Seen as expected: ms until the answer, IPv4 and IPv6; '-' the VM asked for saw nothing; '=' the same address."
        );
    } else {
        println!("{} differ from what is expected:\n  {}", differing.len(), differing.join("\n  "));
    }
    if args.once {
        lab.down()?;
    } else {
        stay(lab, &interrupt)?;
    }
    Ok(right)
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

/// A VM that is to be booted.
struct Planned {
    name: String,
    host: String,
    port: String,
}

/// Makes a tenant's network, subnets and ports.
fn plan_tenant(
    api: &Api,
    number: usize,
    (tenant, addresses): (&str, [u8; 3]),
    hosts: u8,
) -> Result<Vec<Planned>, LabError> {
    let api = api.for_project(&format!("{:032x}", number + 1));
    let network = api.create("networks", json!({"name": tenant}))?;
    let subnets: Vec<(Value, &str)> = SUBNETS
        .iter()
        .map(|(version, cidr, start)| {
            let attributes = json!({
                "name": format!("{tenant}-v{version}"), "network_id": network["id"],
                "ip_version": version, "cidr": cidr,
            });
            Ok((api.create("subnets", attributes)?["id"].take(), *start))
        })
        .collect::<Result<_, LabError>>()?;
    (1_usize..)
        .zip(addresses)
        .map(|(vm, last)| {
            // The second tenant goes round the other way: same addresses on the same host and on different ones.
            let place = if number == 0 { vm - 1 } else { 4 - vm };
            let host = format!("h{}", place % usize::from(hosts) + 1);
            let name = format!("{tenant}-{vm}");
            let fixed_ips: Vec<_> = subnets
                .iter()
                .map(|(subnet, start)| json!({"subnet_id": subnet, "ip_address": format!("{start}{last}")}))
                .collect();
            let port = api.create(
                "ports",
                json!({
                    "name": name, "network_id": network["id"], "fixed_ips": fixed_ips,
                    "binding:host_id": host, "device_owner": "compute:nova", "device_id": name,
                }),
            )?;
            let port = port["id"].as_str().unwrap_or_default().to_owned();
            Ok(Planned { name, host, port })
        })
        .collect()
}

/// Who should reach whom: VMs of one tenant.
fn same_tenant(from: &Vm, to: &Vm) -> bool {
    tenant(from) == tenant(to)
}

fn tenant(vm: &Vm) -> &str {
    vm.name().split_once('-').map_or("", |(tenant, _)| tenant)
}

/// What differs from what is expected, a line each.
fn differences(vms: &[Vm], matrix: &Matrix) -> Vec<String> {
    let mut lines = Vec::new();
    for (probe, outcome) in &matrix.seen {
        let find = |name: &str| vms.iter().find(|vm| vm.name() == name);
        let (Some(from), Some(to)) = (find(&probe.from), find(&probe.to)) else {
            continue;
        };
        let family = if probe.ipv6 { "IPv6" } else { "IPv4" };
        let seen = match (same_tenant(from, to), outcome) {
            (true, Outcome::Reached(_)) | (false, Outcome::Isolated) => continue,
            (true, Outcome::Isolated) => "should reach it, but does not",
            (true, Outcome::OneWay) => "should reach it, but gets no answer",
            (false, Outcome::Reached(_) | Outcome::OneWay) => "should never reach it, but does",
        };
        lines.push(format!("{} -> {} by {family}: {seen}", probe.from, probe.to));
    }
    lines
}

/// The matrix: a row for each asking VM, a column for each VM asked for.
fn table(vms: &[Vm], matrix: &Matrix) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::UTF8_HORIZONTAL_ONLY);
    table.remove_style(TableComponent::HorizontalLines).remove_style(TableComponent::MiddleIntersections);
    let heads = ["from", "on", "IPv4"].map(str::to_owned);
    table.set_header(heads.into_iter().chain(vms.iter().map(|vm| vm.name().to_owned())));
    for from in vms {
        let address = from.guest().address(false).map_or_else(String::new, |address| address.to_string());
        let mut row = vec![from.name().to_owned(), from.host().to_owned(), address];
        row.extend(vms.iter().map(|to| cell(from, to, matrix)));
        table.add_row(row);
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Center);
    }
    table
}

/// Both families' outcome; '!' marks what should not be so.
fn cell(from: &Vm, to: &Vm, matrix: &Matrix) -> String {
    if from.name() == to.name() {
        return String::new();
    }
    let expected = same_tenant(from, to);
    [false, true]
        .map(|ipv6| match matrix.outcome(from.name(), to.name(), ipv6) {
            None => "=".to_owned(),
            Some(Outcome::Reached(ms)) if expected => format!("{ms:.1}"),
            Some(Outcome::Reached(ms)) => format!("{ms:.1}!"),
            Some(Outcome::Isolated) if expected => "-!".to_owned(),
            Some(Outcome::Isolated) => "-".to_owned(),
            Some(Outcome::OneWay) => "no answer!".to_owned(),
        })
        .join("  ")
}

/// Leaves the lab up until Ctrl-C, or until someone else takes it down.
fn stay(lab: Lab, interrupt: &Interrupt) -> Result<(), LabError> {
    let weir = std::env::args().next().unwrap_or_else(|| "weir".to_owned());
    let exec = format!("{weir} lab exec --name {}", lab.name());
    println!(
        "\nThe lab stays up until Ctrl-C. From another terminal:\n\
         \n  {exec} red-1 -- ping 10.0.0.12                    answered by red-2, never by blue-2\
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
