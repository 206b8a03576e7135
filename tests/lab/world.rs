//! A lab with a controller, and what the tests ask of it.

use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::NamedTempFile;
use weir::cli::lab::wait::{self, Look};
use weir::cli::lab::{Api, Guest, Interrupt, Lab, LabError, LabName, Manager, Ping, Plan, Vm, echo_requests};

/// How long anything may take that the controller does on its own.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// Why a test failed, shown as text.
pub(crate) struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a test returns.
pub(crate) type Tested = Result<(), Failure>;

/// A name that no other lab on this machine has.
pub(crate) fn fresh_name() -> Result<LabName, LabError> {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    format!("t{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed)).parse()
}

/// A lab with its controller.
pub(crate) struct World {
    pub(crate) lab: Lab,
    pub(crate) api: Api,
    pub(crate) interrupt: Interrupt,
    /// Kept as long as the controller may be restarted.
    _config: NamedTempFile,
}

/// A tenant with one network and two subnets, the same for each tenant.
pub(crate) struct Tenant {
    pub(crate) api: Api,
    pub(crate) network: String,
    subnets: [String; 2],
}

impl World {
    /// A lab of `hosts` hypervisors. The controller notices what happens behind its back soon, so that tests need
    /// not wait for intervals meant for production.
    pub(crate) fn new(hosts: u8) -> Result<Self, Failure> {
        Lab::remove_abandoned()?;
        let mut config = NamedTempFile::new()?;
        config.write_all(b"host_grace_s = 1\naudit_interval_s = 1\n")?;
        let interrupt = Interrupt::never();
        let plan = Plan {
            name: fresh_name()?,
            hosts,
            manager: Manager::Own { program: program(), arguments: vec!["--config".into(), config.path().into()] },
        };
        let mut lab = Lab::up(plan, &interrupt)?;
        lab.connect()?;
        let api = lab.api()?;
        Ok(Self { lab, api, interrupt, _config: config })
    }

    /// Makes a tenant with its network.
    pub(crate) fn tenant(&self, number: u8) -> Result<Tenant, LabError> {
        let api = self.api.for_project(&format!("{number:032x}"));
        let network = id(&api.create("networks", json!({"name": format!("net{number}")}))?);
        let subnet = |version: u8, cidr: &str| -> Result<String, LabError> {
            let attributes = json!({"network_id": network, "ip_version": version, "cidr": cidr});
            Ok(id(&api.create("subnets", attributes)?))
        };
        let subnets = [subnet(4, "10.0.0.0/24")?, subnet(6, "fd00:10::/64")?];
        Ok(Tenant { api, network, subnets })
    }

    /// Boots a VM with a new port, whose addresses end in `last`, and waits until the port is ACTIVE.
    pub(crate) fn boot(&mut self, tenant: &Tenant, name: &str, host: &str, last: u8) -> Result<Vm, LabError> {
        self.boot_with(tenant, name, host, last, json!({}))
    }

    /// The same with more attributes of the port.
    pub(crate) fn boot_with(
        &mut self,
        tenant: &Tenant,
        name: &str,
        host: &str,
        last: u8,
        more: Value,
    ) -> Result<Vm, LabError> {
        let port = tenant.port_with(name, host, last, more)?;
        let vm = self.lab.boot(name, host, Guest::of_port(&self.api, &port)?)?;
        self.wait_status(&port, "ACTIVE")?;
        Ok(vm)
    }

    /// Waits until a port has a status.
    pub(crate) fn wait_status(&self, port: &str, status: &str) -> Result<(), LabError> {
        self.wait(&format!("port {port} {status}"), || {
            let shown = self.api.show("ports", port)?;
            Ok(Look::when(shown["status"] == status, shown))
        })
    }

    /// Waits for a condition, as long as anything may take.
    pub(crate) fn wait<T>(&self, what: &str, look: impl FnMut() -> Result<Look<T>, LabError>) -> Result<T, LabError> {
        wait::until(what, LIMIT, &self.interrupt, look)
    }

    /// Waits until `from` reaches `to` by both families.
    pub(crate) fn wait_reach(&self, from: &Vm, to: &Vm) -> Result<(), LabError> {
        for ipv6 in [false, true] {
            self.wait(&format!("{} reaches {}", from.name(), to.name()), || {
                Ok(Look::when(self.reaches(from, to, ipv6)?, ""))
            })?;
        }
        Ok(())
    }

    /// Whether one echo request of `from` is seen by `to` itself and answered.
    pub(crate) fn reaches(&self, from: &Vm, to: &Vm, ipv6: bool) -> Result<bool, LabError> {
        let before = echo_requests(to.namespace(), ipv6)?;
        let ping = Ping::send(from.namespace(), address(to, ipv6)?, 1, Duration::ZERO)?;
        Ok(ping.received == 1 && echo_requests(to.namespace(), ipv6)? > before)
    }
}

impl Tenant {
    /// Makes a port bound to a host, whose addresses end in `last`.
    pub(crate) fn port(&self, name: &str, host: &str, last: u8) -> Result<String, LabError> {
        self.port_with(name, host, last, json!({}))
    }

    /// The same with more attributes.
    pub(crate) fn port_with(&self, name: &str, host: &str, last: u8, more: Value) -> Result<String, LabError> {
        let [ipv4, ipv6] = &self.subnets;
        let mut attributes = json!({
            "name": name,
            "network_id": self.network,
            "binding:host_id": host,
            "device_owner": "compute:nova",
            "device_id": name,
            "fixed_ips": [
                {"subnet_id": ipv4, "ip_address": format!("10.0.0.{last}")},
                {"subnet_id": ipv6, "ip_address": format!("fd00:10::{last}")},
            ],
        });
        if let (Value::Object(attributes), Value::Object(more)) = (&mut attributes, more) {
            attributes.extend(more);
        }
        Ok(id(&self.api.create("ports", attributes)?))
    }
}

/// The executable under test.
pub(crate) fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_weir").into()
}

/// The id of a resource.
pub(crate) fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap_or_default().to_owned()
}

/// A VM's address of a family.
pub(crate) fn address(vm: &Vm, ipv6: bool) -> Result<IpAddr, LabError> {
    vm.guest()
        .address(ipv6)
        .ok_or_else(|| LabError::Unknown { name: format!("address of {}", vm.name()), known: Vec::new() })
}
