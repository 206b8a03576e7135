//! Switches that do not do as they should: the controller has to stay bounded and serve the others.

use super::caller::id;
use super::cloud::project;
use super::hypervisor::Hypervisor;
use super::load::create_ports;
use super::measurement::{Measurement, Measurements};
use super::progress::Bar;
use super::simulated::Simulated;
use super::world::World;
use serde_json::json;
use std::time::Duration;

use crate::Failure;

/// How often connections are cut, and how long they are left alone in between.
const CUTS: (u32, Duration) = (20, Duration::from_millis(200));

/// Ports of the slow hypervisor that joins.
const JOINING: usize = 100;

/// The project of the network that is made meanwhile.
const PROJECT: usize = (1 << 20) + 1;

impl World {
    /// The first so many hypervisors, as far as they are simulated.
    fn simulated(&self, count: usize) -> impl Iterator<Item = &Simulated> {
        self.hypervisors.iter().take(count).filter_map(Hypervisor::simulated)
    }

    /// What some hypervisors' switches say is lost until the controller gives them up and they connect again.
    pub(crate) fn mute(&mut self, faulty: usize, measurements: &mut Measurements) -> Result<(), Failure> {
        let measurement = Measurement::begin(self)?;
        let inspections = self.counts.now().inspections + faulty as u64 * 2;
        self.simulated(faulty).for_each(Simulated::mute);
        self.wait("answers lost", inspections)?;
        measurements.end(self, "answers lost: verified", &measurement, measurement.elapsed(), None)
    }

    /// All connections are cut again and again; the time counts from the last cut.
    pub(crate) fn storm(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let monitor = self.monitor();
        let measurement = Measurement::begin(self)?;
        let (mut last, mut inspections) = (Duration::ZERO, 0);
        for cut in 0..CUTS.0 {
            if cut > 0 {
                self.pause(CUTS.1)?;
            }
            (last, inspections) = (measurement.elapsed(), self.counts.now().inspections);
            self.cut();
        }
        // Every switch is inspected once more, whatever became of its connections before.
        let inspections = inspections + self.switches();
        self.wait("storm", inspections)?;
        measurements.end(self, "storm: verified", &measurement, measurement.elapsed() - last, None)?;
        measurements.tell(self, "storm", &monitor.end()?);
        Ok(())
    }

    /// Some hypervisors' switches read slowly while a network of a thousand ports is made on all; then a slow one joins.
    pub(crate) fn slow_down(&mut self, faulty: usize, measurements: &mut Measurements) -> Result<(), Failure> {
        let project = project(PROJECT);
        let network = id(&self.caller.create(&project, "network", &json!({"name": "meanwhile"}))?)?;
        let subnet = json!({"network_id": network, "ip_version": 4, "cidr": "10.201.0.0/16"});
        self.caller.create(&project, "subnet", &subnet)?;
        let hosts = self.large_hosts();
        let bar = Bar::new("ports while some are slow", hosts.len());
        let monitor = self.monitor();
        let measurement = Measurement::begin(self)?;
        self.simulated(faulty).for_each(Simulated::slow_down);
        let ports = create_ports(&self.caller, &project, &network, &hosts, &json!({}), &bar)?;
        self.plug(&hosts, &ports)?;
        drop(bar);
        self.wait_for_others("slow switches", faulty)?;
        let what = "1,000 ports, some slow: others told";
        measurements.end(self, what, &measurement, measurement.elapsed(), None)?;
        self.wait("slow switches", 0)?;
        let what = "1,000 ports, some slow: ACTIVE";
        measurements.end(self, what, &measurement, measurement.elapsed(), None)?;

        // One that knows nothing yet is told all in one piece.
        let bar = Bar::new("ports of a slow hypervisor that joins", JOINING);
        let host = self.hypervisors.len();
        let ports = create_ports(&self.caller, &project, &network, &[host; JOINING], &json!({}), &bar)?;
        drop(bar);
        let inspections = self.counts.now().inspections + 2;
        let measurement = Measurement::begin(self)?;
        self.add_hypervisor(&ports)?;
        self.simulated(host + 1).skip(host).for_each(Simulated::slow_down);
        self.wait("a slow hypervisor", inspections)?;
        measurements.end(self, "one slow hypervisor joins", &measurement, measurement.elapsed(), None)?;
        measurements.tell(self, "some slow", &monitor.end()?);
        Ok(())
    }
}
