//! A controller and its hypervisors.

use super::book::Book;
use super::caller::Caller;
use super::cloud::Cloud;
use super::controller::Controller;
use super::counts::{Counts, Tally};
use super::held::Held;
use super::hypervisor::{Hypervisor, Kind, host_name};
use super::load::Made;
use super::monitor::Monitor;
use super::progress::Bar;
use super::simulated::Simulated;
use super::site::Site;
use super::tap::Tap;
use super::usage::Usage;
use super::watch::Watch;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use weir::cli::lab::Interrupt;

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
    tap: Option<Tap>,
    /// What can end it all.
    pub(crate) watch: Watch,
    runtime: Runtime,
}

impl World {
    /// A controller without hypervisors. Where it is `tapped`, switches are counted on their way to it.
    pub(crate) fn new(
        cloud: Cloud,
        controller: Controller,
        kind: Kind,
        tapped: bool,
        interrupt: Interrupt,
    ) -> Result<Self, Failure> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let counts = Arc::new(Counts::new());
        let tap = tapped.then(|| Tap::start(&runtime, controller.openflow, &counts)).transpose()?;
        let (gate, _) = watch::channel(None);
        // What simulated switches count themselves does not count where a tap counts it.
        let own = if tapped { Arc::new(Counts::new()) } else { Arc::clone(&counts) };
        let site = Site { kind, book: Arc::new(Book::default()), counts: own, gate: Arc::new(gate) };
        let (caller, watch) = (Caller::new(controller.api), Watch::new(interrupt));
        let (made, hypervisors) = (Made::default(), Vec::new());
        Ok(Self { cloud, made, controller, hypervisors, caller, counts, site, tap, watch, runtime })
    }

    /// What the hypervisors are.
    pub(crate) const fn kind(&self) -> Kind {
        self.site.kind
    }

    /// Makes one more hypervisor with these ports plugged in.
    pub(crate) fn add_hypervisor(&mut self, ports: &[String]) -> Result<(), Failure> {
        let _inside = self.runtime.enter();
        self.watch.interrupt().check()?;
        let number = self.hypervisors.len();
        self.hypervisors.push(Hypervisor::start(number, ports, &self.site)?);
        Ok(())
    }

    /// Lets hypervisors connect, as the controller is up.
    pub(crate) fn open(&mut self) -> Result<(), Failure> {
        let controller = self.controller.ovsdb;
        self.site.gate.send_replace(Some(controller));
        self.hypervisors.iter_mut().try_for_each(|hypervisor| hypervisor.connect(controller))
    }

    /// Keeps hypervisors that are not connected from connecting. Simulated ones would only find that there is no
    /// controller; real ones that were connected before do find that.
    pub(crate) fn close(&self) {
        self.site.gate.send_replace(None);
    }

    /// Plugs VIFs in for ports, each on the hypervisor at its place: those of a hypervisor together.
    pub(crate) fn plug(&mut self, hosts: &[usize], ports: &[String]) -> Result<(), Failure> {
        let mut shares: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for (host, port) in hosts.iter().zip(ports) {
            shares.entry(*host).or_default().push(port.clone());
        }
        shares.into_iter().try_for_each(|(host, ports)| self.hypervisors[host].plug(&ports))
    }

    /// Cuts the OpenFlow connections of all switches.
    pub(crate) fn cut(&self) {
        match &self.tap {
            Some(tap) => tap.cut(),
            None => self.hypervisors.iter().filter_map(Hypervisor::simulated).for_each(Simulated::cut),
        }
    }

    /// What all switches hold.
    pub(crate) fn held(&self) -> Result<Held, Failure> {
        let flows = self.hypervisors.iter().map(Hypervisor::flows).collect::<Result<_, _>>()?;
        Ok(Held { kind: self.kind(), flows })
    }

    /// The processor time that the hypervisors have taken. That of simulated ones cannot be told from the benchmark's own.
    pub(crate) fn hypervisors_cpu(&self) -> Result<Duration, Failure> {
        match self.kind() {
            Kind::Simulated => Ok(Usage::of(std::process::id())?.cpu),
            Kind::Real => self.hypervisors.iter().map(Hypervisor::processor).sum(),
        }
    }

    /// Pauses between two looks at something, unless the user asked to stop or a hypervisor has died.
    pub(crate) fn pause(&self, time: Duration) -> Result<(), Failure> {
        self.watch.check(&self.hypervisors)?;
        std::thread::sleep(time);
        Ok(())
    }

    /// Begins to note what the controller tells of itself.
    pub(crate) fn monitor(&self) -> Monitor {
        Monitor::begin(self.controller.metrics)
    }

    /// How long to wait until the next look: one at a thousand hypervisors costs the controller some milliseconds, and
    /// nobody wants to know a long time to less than a hundredth.
    fn glance(&self, since: Instant) -> Duration {
        let least = Duration::from_millis(if self.hypervisors.len() > 200 { 100 } else { 10 });
        least.max(since.elapsed() / 100)
    }

    /// Waits until there were so many `inspections`, every switch was seen to hold what it should, and every port is
    /// ACTIVE.
    pub(crate) fn wait(&self, what: &str, inspections: u64) -> Result<(), Failure> {
        self.wait_for(what, inspections, 0)?;
        let start = Instant::now();
        while !self.is_active()? {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: some ports stay DOWN").into());
            }
            self.pause(self.glance(start))?;
        }
        Ok(())
    }

    /// Waits until what switches were told and did is as `reached` says.
    pub(crate) fn wait_for_counts(&self, what: &str, reached: impl Fn(Tally) -> bool) -> Result<(), Failure> {
        let start = Instant::now();
        while !reached(self.counts.now()) {
            if start.elapsed() > PATIENCE {
                return Err(format!("{what}: switches do not do what was waited for: {:?}", self.counts.now()).into());
            }
            self.pause(Duration::from_millis(1))?;
        }
        Ok(())
    }

    /// Waits until every switch was seen to hold what it should, but for those of the first `faulty` hypervisors.
    pub(crate) fn wait_for_others(&self, what: &str, faulty: usize) -> Result<(), Failure> {
        self.wait_for(what, 0, faulty)
    }

    /// It counts that a switch was seen in step once: one that is compared at an interval is behind as long as that
    /// takes, and of a thousand hypervisors some always are.
    fn wait_for(&self, what: &str, inspections: u64, faulty: usize) -> Result<(), Failure> {
        let start = Instant::now();
        let wanted = (self.hypervisors.len() - faulty) * 2;
        let faulty: BTreeSet<String> = (0..faulty).map(host_name).collect();
        let bar = Bar::new(what, wanted);
        let mut settled = BTreeSet::new();
        // What is wanted of switches is posted with some delay.
        std::thread::sleep(POSTED);
        loop {
            if self.counts.now().inspections >= inspections {
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
            self.pause(self.glance(start))?;
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
    pub(crate) fn wait_for_quiet(&self, quiet: Duration) -> Result<(), Failure> {
        let mut seen = (self.counts.now().commits, Instant::now());
        while seen.1.elapsed() < quiet {
            self.pause(Duration::from_millis(1))?;
            let commits = self.counts.now().commits;
            if commits != seen.0 {
                seen = (commits, Instant::now());
            }
        }
        Ok(())
    }
}
