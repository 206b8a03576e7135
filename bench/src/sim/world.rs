//! A controller and its hypervisors.

use super::book::Book;
use super::caller::Caller;
use super::cloud::Cloud;
use super::controller::Controller;
use super::counts::Counts;
use super::hypervisor::{Hypervisor, Site, host_name};
use super::load::Made;
use super::progress::Bar;
use serde_json::Value;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::Failure;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1200);

/// Everything that is measured.
#[derive(Debug)]
pub(crate) struct World {
    /// The cloud.
    pub(crate) cloud: Cloud,
    /// The ids of what it is made of.
    pub(crate) made: Made,
    /// The controller.
    pub(crate) controller: Controller,
    /// The hypervisors that run.
    pub(crate) hypervisors: Vec<Hypervisor>,
    /// A caller of the API.
    pub(crate) caller: Caller,
    /// What switches were told.
    pub(crate) counts: Arc<Counts>,
    site: Site,
    gate: watch::Sender<Option<SocketAddr>>,
    runtime: Runtime,
}

/// How far the switches are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Standing {
    /// Switches that hold what they should.
    settled: usize,
    /// Flows that they hold.
    flows: u64,
}

impl World {
    /// A controller without hypervisors.
    pub(crate) fn new(cloud: Cloud, controller: Controller) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (gate, opened) = watch::channel(None);
        let counts = Arc::new(Counts::new());
        let site = Site { book: Arc::new(Book::default()), counts: Arc::clone(&counts), controller: opened };
        let caller = Caller::new(controller.api);
        let (made, hypervisors) = (Made::default(), Vec::new());
        Ok(Self { cloud, made, controller, hypervisors, caller, counts, site, gate, runtime })
    }

    /// Starts one more hypervisor with these ports plugged in.
    pub(crate) fn add_hypervisor(&mut self, ports: &[String]) {
        let _inside = self.runtime.enter();
        let number = self.hypervisors.len();
        self.hypervisors.push(Hypervisor::start(number, ports, &self.site));
    }

    /// Lets hypervisors connect, as the controller is up.
    pub(crate) fn open(&self) {
        self.gate.send_replace(Some(self.controller.ovsdb));
    }

    /// Keeps hypervisors from connecting: what they would only find is that there is no controller.
    pub(crate) fn close(&self) {
        self.gate.send_replace(None);
    }

    /// How long to wait between two looks: a look at a thousand hypervisors costs the controller some milliseconds.
    fn pause(&self) -> Duration {
        Duration::from_millis(if self.hypervisors.len() > 200 { 100 } else { 10 })
    }

    /// Waits until every switch was read back so often since there were `reads`, holds what it should, and every port is
    /// ACTIVE.
    pub(crate) fn wait(&self, what: &str, reads: u64) -> Result<(), Failure> {
        let start = Instant::now();
        let wanted = self.hypervisors.len() * 2;
        let bar = Bar::new(what, wanted);
        loop {
            if start.elapsed() > PATIENCE {
                let Standing { settled, flows } = self.standing(&BTreeSet::new())?;
                return Err(
                    format!("{what}: {settled} of {wanted} switches hold what they should, {flows} flows").into()
                );
            }
            if self.counts.now().reads >= reads {
                let settled = self.standing(&BTreeSet::new())?.settled;
                bar.set(settled);
                if settled == wanted && self.is_active()? {
                    return Ok(());
                }
            }
            std::thread::sleep(self.pause());
        }
    }

    /// Waits until every switch holds what it should, but for those of the first `faulty` hypervisors.
    pub(crate) fn wait_for_others(&self, what: &str, faulty: usize) -> Result<(), Failure> {
        let start = Instant::now();
        let names: BTreeSet<String> = (0..faulty).map(host_name).collect();
        let wanted = (self.hypervisors.len() - faulty) * 2;
        while self.standing(&names)?.settled < wanted {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: the switches that are not faulty do not get on").into());
            }
            std::thread::sleep(self.pause());
        }
        Ok(())
    }

    /// How far the switches are but for those of some hypervisors.
    fn standing(&self, but_for: &BTreeSet<String>) -> Result<Standing, Failure> {
        let answer = self.caller.get("/weir/v1/hosts")?;
        let mut standing = Standing::default();
        let counts = |host: &&Value| host["name"].as_str().is_some_and(|name| !but_for.contains(name));
        for host in answer["hosts"].as_array().into_iter().flatten().filter(counts) {
            for switch in host["switches"].as_array().into_iter().flatten() {
                let revision = |key: &str| switch[key].as_u64();
                let settled = host["ovsdb"] == "up"
                    && switch["openflow"] == "up"
                    && revision("acknowledged_revision") >= revision("wanted_revision");
                standing.settled += usize::from(settled);
                standing.flows += switch["flows"].as_u64().unwrap_or(0);
            }
        }
        Ok(standing)
    }

    /// Whether no port is DOWN.
    fn is_active(&self) -> Result<bool, Failure> {
        let down = self.caller.get("/v2.0/ports?status=DOWN&fields=id&limit=1")?;
        Ok(down["ports"].as_array().is_some_and(Vec::is_empty))
    }

    /// Waits until no bundle was committed for this long.
    pub(crate) fn wait_for_quiet(&self, quiet: Duration) {
        let mut seen = (self.counts.now().commits, Instant::now());
        while seen.1.elapsed() < quiet {
            std::thread::sleep(Duration::from_millis(1));
            let commits = self.counts.now().commits;
            if commits != seen.0 {
                seen = (commits, Instant::now());
            }
        }
    }
}
