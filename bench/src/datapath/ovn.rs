//! OVN as Debian ships it: its databases and ovn-northd where Weir's controller would be, an ovn-controller on every
//! hypervisor, and the same networks, router and groups in its northbound database, written as Neutron's driver for
//! OVN writes them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{CONTROLLER, Hypervisor, Interrupt, Lab, MANAGEMENT, Manager, Namespace, Tool};

use super::layout::{ABSENT_MEMBERS, FIRST_ABSENT, Policy, Seat, address};
use super::rule::RULES;
use super::site::Site;
use crate::Failure;

/// The programs of OVN and the Debian packages that bring them.
const PROGRAMS: [(&str, &str); 3] =
    [("ovn-northd", "ovn-central"), ("ovn-nbctl", "ovn-common"), ("ovn-controller", "ovn-host")];

/// Where Debian keeps the schemas of the two databases.
const SCHEMAS: &str = "/usr/share/ovn";

/// The port of the southbound database.
const SOUTHBOUND: u16 = 6642;

/// What a Geneve tunnel with OVN's option leaves of the underlay's 1,500 bytes.
const MTU: u16 = 1_442;

/// How long an ovn-controller may take to make its bridge.
const BRIDGE_LIMIT: Duration = Duration::from_secs(30);

/// The priorities that Neutron's driver gives to what a rule allows and to the rest.
const ALLOW: &str = "1002";
const DROP: &str = "1001";

/// Says how to install OVN if it is not there.
///
/// # Errors
/// It is not there.
pub fn check() -> Result<(), Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing: Vec<&str> = PROGRAMS
        .iter()
        .filter(|(program, _)| !std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!(
        "--peer ovn needs OVN, which is not here; on Debian: apt install {}\n\
         (its services need not run: systemctl disable --now ovn-central ovn-host)",
        missing.join(" ")
    )
    .into())
}

/// The version of OVN.
///
/// # Errors
/// It does not run.
pub fn version() -> Result<String, Failure> {
    let shown = Tool::new("ovn-controller").arg("--version").run()?;
    Ok(shown.lines().next().unwrap_or_default().to_owned())
}

/// Builds it.
///
/// # Errors
/// OVN or the lab fails.
pub fn build(interrupt: &Interrupt) -> Result<Site, Failure> {
    check()?;
    let mut lab = Site::lab("ovn", Manager::None, interrupt)?;
    let central = Central::start(&lab)?;
    for hypervisor in &lab.state().hypervisors {
        start_controller(hypervisor, interrupt)?;
    }
    for policy in Policy::ALL {
        central.project(policy)?;
        for seat in Seat::all() {
            lab.boot(&seat.vm_name(policy), seat.host, seat.guest(policy, MTU))?;
        }
    }
    central.nbctl(["--timeout=60", "--wait=hv", "sync"])?;
    Site::open("OVN", lab, |policy, course| Some((Seat::CLIENT.vm_name(policy), course.server().vm_name(policy))))
}

/// Puts a hypervisor under OVN's control.
fn start_controller(hypervisor: &Hypervisor, interrupt: &Interrupt) -> Result<(), Failure> {
    hypervisor.vsctl([
        "set",
        "Open_vSwitch",
        ".",
        &format!("external_ids:ovn-remote=\"tcp:{CONTROLLER}:{SOUTHBOUND}\""),
        "external_ids:ovn-encap-type=geneve",
        &format!("external_ids:ovn-encap-ip={}", hypervisor.tunnel_address()),
        // VXLAN tunnels have no checksum either, and the userspace datapath would have to compute it.
        "external_ids:ovn-encap-csum=false",
        "external_ids:ovn-bridge-datapath-type=netdev",
    ])?;
    daemon(hypervisor.namespace(), hypervisor.directory(), "ovn-controller", "ovn-controller")
        .arg(format!("unix:{}", hypervisor.socket().display()))
        .run()?;
    wait::until("ovn-controller's br-int", BRIDGE_LIMIT, interrupt, || {
        Ok(Look::when(hypervisor.bridge_socket("br-int").exists(), "no bridge"))
    })?;
    Ok(())
}

/// A daemon with its files in `directory`.
fn daemon(namespace: &Namespace, directory: &Path, program: &str, name: &str) -> Tool {
    let mut command = namespace.command(program);
    for variable in ["OVS_RUNDIR", "OVN_RUNDIR", "OVS_LOGDIR", "OVN_LOGDIR", "OVS_DBDIR", "OVN_DBDIR"] {
        command.env(variable, directory);
    }
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}")).display().to_string();
    Tool::of(command)
        .args(["--detach", "--no-chdir", "-vconsole:off", "-vsyslog:off"])
        .arg(format!("--pidfile={}", file("pid")))
        .arg(format!("--log-file={}", file("log")))
}

/// The databases and ovn-northd.
struct Central {
    directory: PathBuf,
}

impl Central {
    fn start(lab: &Lab) -> Result<Self, Failure> {
        // The lab's own name for the controller's namespace, so that it goes down with the lab.
        let namespace = Namespace::of(lab.name().as_str(), "ctl");
        namespace.create()?;
        lab.state().underlay.connect(MANAGEMENT, "ctl", &namespace)?;
        namespace.ip([format!("address add {CONTROLLER}/24 dev {MANAGEMENT}")])?;

        let central = Self { directory: lab.name().directory().join("ctl") };
        fs::create_dir_all(&central.directory)?;
        for (name, remote) in [("nb", None), ("sb", Some(format!("--remote=ptcp:{SOUTHBOUND}:{CONTROLLER}")))] {
            let schema = Path::new(SCHEMAS).join(format!("ovn-{name}.ovsschema"));
            let database = central.directory.join(format!("{name}.db"));
            Tool::new("ovsdb-tool").arg("create").args([&database, &schema]).run()?;
            daemon(&namespace, &central.directory, "ovsdb-server", name)
                .arg(format!("--remote=p{}", central.socket(name)))
                .args(remote)
                .arg(&database)
                .run()?;
        }
        daemon(&namespace, &central.directory, "ovn-northd", "northd")
            .arg(format!("--ovnnb-db={}", central.socket("nb")))
            .arg(format!("--ovnsb-db={}", central.socket("sb")))
            .run()?;
        central.nbctl(["init"])?;
        Ok(central)
    }

    /// Where a database is, for a client; a server puts a `p` before it.
    fn socket(&self, name: &str) -> String {
        format!("unix:{}", self.directory.join(format!("{name}.sock")).display())
    }

    fn nbctl<A: AsRef<std::ffi::OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Result<String, Failure> {
        Ok(Tool::new("ovn-nbctl").arg(format!("--db={}", self.socket("nb"))).args(args).run()?)
    }

    /// Makes the networks, the router, the ports and the port group of a policy.
    fn project(&self, policy: Policy) -> Result<(), Failure> {
        let project = policy.number();
        let router = format!("router{project}");
        let mut work = Transaction::default();
        work.add(["lr-add", &router]);
        for network in [0, 1] {
            let switch = switch(policy, network);
            let (inner, outer) = (format!("lrp-{switch}"), format!("rp-{switch}"));
            let mac = format!("02:00:00:{project:02x}:{network:02x}:01");
            work.add(["ls-add", &switch]);
            work.add(["lrp-add", &router, &inner, &mac, &format!("{}/24", address(policy, network, 1))]);
            work.add(["lsp-add", &switch, &outer]);
            work.add(["lsp-set-type", &outer, "router"]);
            work.add(["lsp-set-addresses", &outer, "router"]);
            work.add(["lsp-set-options", &outer, &format!("router-port={inner}")]);
        }
        let mut seats: Vec<Seat> = Seat::all().collect();
        if policy == Policy::DefaultGroup {
            seats.extend((0..ABSENT_MEMBERS).map(|number| Seat { last: FIRST_ABSENT + number, ..Seat::CLIENT }));
        }
        let mut ports = Vec::new();
        for seat in seats {
            let guest = seat.guest(policy, MTU);
            let addresses = format!("{} {}", guest.mac, seat.address(policy));
            work.add(["lsp-add", &switch(policy, seat.network), &guest.port]);
            work.add(["lsp-set-addresses", &guest.port, &addresses]);
            if policy != Policy::Open {
                work.add(["lsp-set-port-security", &guest.port, &addresses]);
            }
            ports.push(guest.port);
        }
        if policy != Policy::Open {
            Self::protect(&mut work, policy, &ports);
        }
        self.nbctl(work.0).map(drop)
    }

    /// A port group with the ACLs of a security group.
    fn protect(work: &mut Transaction, policy: Policy, ports: &[String]) {
        let group = format!("pg{}", policy.number());
        work.add(["pg-add", &group].into_iter().chain(ports.iter().map(String::as_str)));
        let mut acl = |direction: &str, priority: &str, condition: &str, verdict: &str| {
            work.add(["--type=port-group", "acl-add", &group, direction, priority, condition, verdict]);
        };
        acl("from-lport", DROP, &format!("inport == @{group} && ip"), "drop");
        acl("to-lport", DROP, &format!("outport == @{group} && ip"), "drop");
        for family in ["ip4", "ip6"] {
            acl("from-lport", ALLOW, &format!("inport == @{group} && {family}"), "allow-related");
        }
        if policy == Policy::Rules {
            for rule in &RULES {
                acl("to-lport", ALLOW, &rule.acl_match(&group), "allow-related");
            }
        } else {
            for family in ["ip4", "ip6"] {
                let members = format!("outport == @{group} && {family} && {family}.src == ${group}_{family}");
                acl("to-lport", ALLOW, &members, "allow-related");
            }
        }
    }
}

/// The name of a logical switch.
fn switch(policy: Policy, network: u8) -> String {
    format!("net{}-{network}", policy.number())
}

/// Commands of one `ovn-nbctl`.
#[derive(Default)]
struct Transaction(Vec<String>);

impl Transaction {
    fn add<'a>(&mut self, command: impl IntoIterator<Item = &'a str>) {
        if !self.0.is_empty() {
            self.0.push("--".to_owned());
        }
        self.0.extend(command.into_iter().map(str::to_owned));
    }
}
