//! A controller and its hypervisors.

use super::book::Book;
use super::caller::Caller;
use super::cloud::Cloud;
use super::controller::Controller;
use super::counts::Counts;
use super::hypervisor::{Hypervisor, Site, host_name};
use super::load::Made;
use super::monitor::Monitor;
use super::progress::Bar;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use crate::Failure;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(1800);

/// After this long the API tells what is wanted of switches since the last request.
const POSTED: Duration = Duration::from_millis(30);

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

    /// Begins to note what the controller tells of itself.
    pub(crate) fn monitor(&self) -> Monitor {
        Monitor::begin(self.controller.metrics)
    }

    /// How long to wait between two looks: a look at a thousand hypervisors costs the controller some milliseconds.
    fn pause(&self) -> Duration {
        Duration::from_millis(if self.hypervisors.len() > 200 { 100 } else { 10 })
    }

    /// Waits until there were so many `reads`, every switch was seen to hold what it should, and every port is ACTIVE.
    pub(crate) fn wait(&self, what: &str, reads: u64) -> Result<(), Failure> {
        self.wait_for(what, reads, 0)?;
        let start = Instant::now();
        while !self.is_active()? {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: some ports stay DOWN").into());
            }
            std::thread::sleep(self.pause());
        }
        Ok(())
    }

    /// Waits until every switch was seen to hold what it should, but for those of the first `faulty` hypervisors.
    pub(crate) fn wait_for_others(&self, what: &str, faulty: usize) -> Result<(), Failure> {
        self.wait_for(what, 0, faulty)
    }

    /// It counts that a switch was seen in step once: one that is compared at an interval is behind as long as that
    /// takes, and of a thousand hypervisors some always are.
    fn wait_for(&self, what: &str, reads: u64, faulty: usize) -> Result<(), Failure> {
        let start = Instant::now();
        let wanted = (self.hypervisors.len() - faulty) * 2;
        let faulty: BTreeSet<String> = (0..faulty).map(host_name).collect();
        let bar = Bar::new(what, wanted);
        let mut settled = BTreeSet::new();
        // What is wanted of switches is posted with some delay.
        std::thread::sleep(POSTED);
        loop {
            if self.counts.now().reads >= reads {
                self.look(&mut settled)?;
                settled.retain(|(host, _)| !faulty.contains(host));
                if settled.len() == wanted {
                    return Ok(());
                }
            }
            bar.set(settled.len());
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: {} of {wanted} switches hold what they should", settled.len()).into());
            }
            std::thread::sleep(self.pause());
        }
    }

    /// Notes the switches that are in step, each by its hypervisor and its place there.
    fn look(&self, settled: &mut BTreeSet<(String, usize)>) -> Result<(), Failure> {
        let answer = self.caller.get("/weir/v1/hosts")?;
        for host in answer["hosts"].as_array().into_iter().flatten().filter(|host| host["ovsdb"] == "up") {
            for (place, switch) in host["switches"].as_array().into_iter().flatten().enumerate() {
                let revision = |key: &str| switch[key].as_u64();
                if switch["openflow"] == "up" && revision("acknowledged_revision") >= revision("wanted_revision") {
                    settled.insert((host["name"].as_str().unwrap_or_default().to_owned(), place));
                }
            }
        }
        Ok(())
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
