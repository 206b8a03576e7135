//! What is measured, one after the other.

use super::caller::id;
use super::cloud::{prefixes, project};
use super::counts::Tally;
use super::hypervisor::{Hypervisor, host_name};
use super::load::{create_ports, load};
use super::measurement::{Measurement, Measurements};
use super::progress::Bar;
use super::world::World;
use serde_json::json;
use std::time::{Duration, Instant};

use crate::Failure;
use crate::report::{median, timed};

/// Ports of the large network.
const LARGE: usize = 1_000;

/// Hypervisors that the large network is on.
const LARGE_HOSTS: usize = 100;

/// Ports of the hypervisor that joins.
const JOINING: usize = 100;

/// How long nothing may be committed until a port is taken to be known everywhere.
const QUIET: Duration = Duration::from_millis(10);

/// How long nothing may be committed until a change of many flows is taken to be known everywhere.
const LULL: Duration = Duration::from_millis(100);

/// How long one port may take to become ACTIVE.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to pause while nothing happens.
const IDLE: Duration = Duration::from_millis(100);

/// How often a list of ports is read.
const LISTS: usize = 20;

/// The project of the large network.
const PROJECT: usize = 1 << 20;

/// The number of the large network, which tells its prefix.
const NUMBER: usize = 200;

/// A network of a thousand ports and what belongs to it.
#[derive(Debug)]
struct Large {
    network: String,
    subnet: String,
    group: String,
}

impl World {
    /// The store is filled by the API.
    pub(crate) fn load(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let measurement = Measurement::begin(self)?;
        let bar = Bar::new("ports created", self.cloud.ports());
        self.made = load(&self.cloud, self.controller.api, self.watch.interrupt(), &bar)?;
        measurements.end(self, "load", &measurement, measurement.elapsed(), None)
    }

    /// All hypervisors connect at once, their switches empty and their VIFs plugged in.
    pub(crate) fn cold_start(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let bar = Bar::new("hypervisors made", self.cloud.hosts);
        for ports in self.made.ports.clone() {
            self.add_hypervisor(&ports)?;
            bar.add(1);
        }
        drop(bar);
        let measurement = Measurement::begin(self)?;
        let before = self.counts.now();
        self.open()?;
        self.end_connected(measurements, "cold start", &measurement, &before, self.switches())
    }

    /// The controller is killed and started again; the switches have kept their flows.
    pub(crate) fn restart(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let changes = self.changes()?;
        let mut measurement = Measurement::begin(self)?;
        measurement.process_is_new();
        self.close();
        self.controller.kill()?;
        let before = self.counts.now();
        self.controller.restart()?;
        let loaded = measurement.elapsed();
        measurements.end(self, "restart: state loaded", &measurement, loaded, None)?;
        self.open()?;
        self.end_connected(measurements, "restart", &measurement, &before, self.switches())?;
        self.verify("restart", &before, &changes)
    }

    /// The OpenFlow connections of all switches are cut at once.
    pub(crate) fn reconnect(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let changes = self.changes()?;
        let measurement = Measurement::begin(self)?;
        let before = self.counts.now();
        self.cut();
        self.end_connected(measurements, "mass reconnect", &measurement, &before, self.switches())?;
        self.verify("mass reconnect", &before, &changes)
    }

    /// Ends a measurement in which so many switches connect, are inspected and hold what they should: when they had
    /// connected, how much longer the rest took, and all of it.
    fn end_connected(
        &self,
        measurements: &mut Measurements,
        what: &str,
        measurement: &Measurement,
        before: &Tally,
        switches: u64,
    ) -> Result<(), Failure> {
        self.wait_for_counts(what, |now| now.connections >= before.connections + switches)?;
        let connected = measurement.elapsed();
        measurements.end(self, &format!("{what}: connected"), measurement, connected, None)?;
        self.wait(what, before.inspections + switches)?;
        let verified = measurement.elapsed();
        measurements.end(self, &format!("{what}: and then"), measurement, verified - connected, None)?;
        measurements.end(self, what, measurement, verified, None)
    }

    /// How often each hypervisor's flow tables changed, where it counts that.
    fn changes(&self) -> Result<Vec<Option<u64>>, Failure> {
        self.hypervisors.iter().map(Hypervisor::changes).collect()
    }

    /// If no flow-mod was sent since then, no hypervisor's flow tables may have changed.
    fn verify(&self, what: &str, before: &Tally, changes: &[Option<u64>]) -> Result<(), Failure> {
        if self.counts.now().since(*before).flow_mods > 0 {
            return Ok(());
        }
        let changed: Vec<String> = self
            .changes()?
            .iter()
            .zip(changes)
            .enumerate()
            .filter(|(_, (now, then))| now != then)
            .map(|(number, _)| host_name(number))
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        Err(format!("{what}: no flow-mod was sent, but flow tables have changed on {}", changed.join(", ")).into())
    }

    /// How many switches there are.
    pub(crate) fn switches(&self) -> u64 {
        self.hypervisors.len() as u64 * 2
    }

    /// One port after the other, each from the call of the API; what goes on meanwhile is said before what was measured.
    pub(crate) fn one_port(
        &mut self,
        meanwhile: &str,
        runs: usize,
        measurements: &mut Measurements,
    ) -> Result<(), Failure> {
        let Some(network) = self.made.networks.first().cloned() else { return Ok(()) };
        let members = self.cloud.ports_of_network.min(self.cloud.hosts);
        let bar = Bar::new("single ports", runs);
        let measurement = Measurement::begin(self)?;
        let [mut replied, mut told, mut active] = [const { Vec::<Duration>::new() }; 3];
        for run in 0..runs {
            let host = self.cloud.host_of(0, run % members);
            let start = Instant::now();
            let body = json!({"network_id": network, "binding:host_id": host_name(host)});
            let port = id(&self.caller.create(&project(0), "port", &body)?)?;
            replied.push(start.elapsed());
            self.hypervisors[host].plug(std::slice::from_ref(&port))?;
            self.wait_for_active(&port)?;
            active.push(start.elapsed());
            self.wait_for_quiet(QUIET)?;
            told.push(self.counts.acknowledged().saturating_duration_since(start));
            bar.add(1);
        }
        for (what, mut times) in
            [("one port: reply", replied), ("one port: all told", told), ("one port: ACTIVE", active)]
        {
            let middle = median(&mut times);
            let worst = times[times.len() * 99 / 100];
            measurements.end(self, &format!("{meanwhile}{what}"), &measurement, middle, Some(worst))?;
        }
        Ok(())
    }

    fn wait_for_active(&self, port: &str) -> Result<(), Failure> {
        let start = Instant::now();
        let path = format!("/v2.0/ports/{port}?fields=status");
        while self.caller.get(&path)?["port"]["status"] != "ACTIVE" {
            if start.elapsed() > PATIENCE {
                return Err(format!("port {port} does not become ACTIVE").into());
            }
            self.pause(Duration::from_micros(500))?;
        }
        Ok(())
    }

    /// A network of a thousand ports, then a rule for all of them, then a router for them, and lists of them.
    pub(crate) fn large_network(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let large = self.thousand_ports(measurements)?;
        let project = project(PROJECT);

        let measurement = Measurement::begin(self)?;
        let rule = json!({
            "security_group_id": large.group,
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": 80,
            "port_range_max": 80,
            "remote_group_id": large.group,
        });
        self.caller.create(&project, "security_group_rule", &rule)?;
        self.end_with_last(measurements, "rule of 1,000 members", &measurement)?;

        if let Some(router) = self.made.routers.first().cloned() {
            let measurement = Measurement::begin(self)?;
            self.caller.add_interface(&project, &router, &large.subnet)?;
            self.end_with_last(measurements, "router interface", &measurement)?;
        }
        for (what, path) in [
            ("GET 1,000 ports of a network", format!("/v2.0/ports?network_id={}", large.network)),
            ("GET ports?limit=1000", "/v2.0/ports?limit=1000".to_owned()),
        ] {
            let measurement = Measurement::begin(self)?;
            let mut times = Vec::new();
            for _ in 0..LISTS {
                let (read, time) = timed(|| self.caller.text(&path));
                read?;
                times.push(time);
            }
            let middle = median(&mut times);
            measurements.end(self, what, &measurement, middle, times.last().copied())?;
        }
        Ok(())
    }

    /// The hypervisors of a large network's ports.
    pub(crate) fn large_hosts(&self) -> Vec<usize> {
        (0..LARGE).map(|port| port % LARGE_HOSTS.min(self.cloud.hosts)).collect()
    }

    fn thousand_ports(&mut self, measurements: &mut Measurements) -> Result<Large, Failure> {
        let project = project(PROJECT);
        let network = id(&self.caller.create(&project, "network", &json!({"name": "large"}))?)?;
        let prefix = prefixes(NUMBER, false).next().map(|(_, cidr)| cidr);
        let subnet = json!({"network_id": network, "ip_version": 4, "cidr": prefix});
        let subnet = id(&self.caller.create(&project, "subnet", &subnet)?)?;
        let group = id(&self.caller.create(&project, "security_group", &json!({"name": "large"}))?)?;
        let hosts = self.large_hosts();
        let bar = Bar::new("ports of one network", LARGE);
        let measurement = Measurement::begin(self)?;
        let with = json!({"security_groups": [&group]});
        let ports = create_ports(&self.caller, &project, &network, &hosts, &with, &bar)?;
        let replied = measurement.elapsed();
        self.plug(&hosts, &ports)?;
        drop(bar);
        self.wait("1,000 ports", 0)?;
        measurements.end(self, "1,000 ports: reply", &measurement, replied, None)?;
        measurements.end(self, "1,000 ports: ACTIVE", &measurement, measurement.elapsed(), None)?;
        Ok(Large { network, subnet, group })
    }

    /// Ends a measurement of a change at the moment at which the last bundle was acknowledged. Until the first was, the
    /// API may tell what was wanted before the change.
    fn end_with_last(
        &self,
        measurements: &mut Measurements,
        what: &str,
        measurement: &Measurement,
    ) -> Result<(), Failure> {
        self.wait_for_counts(what, |now| now.commits > measurement.before().commits)?;
        self.wait(what, 0)?;
        self.wait_for_quiet(LULL)?;
        let time = self.counts.acknowledged().saturating_duration_since(measurement.start());
        measurements.end(self, what, measurement, time, None)
    }

    /// One more hypervisor with a hundred ports on as many networks.
    pub(crate) fn join(&mut self, measurements: &mut Measurements) -> Result<(), Failure> {
        let host = self.hypervisors.len();
        let networks = self.made.networks.len();
        let mut ports = Vec::new();
        let bar = Bar::new("ports of the hypervisor that joins", JOINING);
        for (place, network) in self.made.networks.iter().enumerate().take(JOINING) {
            let project = project(place / self.cloud.networks_of_tenant);
            let share = JOINING / networks.min(JOINING);
            let hosts = vec![host; share];
            ports.extend(create_ports(&self.caller, &project, network, &hosts, &json!({}), &bar)?);
        }
        drop(bar);
        self.wait_for_quiet(Duration::from_millis(500))?;
        self.close();
        self.add_hypervisor(&ports)?;
        let measurement = Measurement::begin(self)?;
        let before = self.counts.now();
        self.open()?;
        self.end_connected(measurements, "one hypervisor joins", &measurement, &before, 2)
    }

    /// Nothing happens: what the comparisons at intervals cost.
    pub(crate) fn idle(&self, time: Duration, measurements: &mut Measurements) -> Result<(), Failure> {
        let measurement = Measurement::begin(self)?;
        while measurement.elapsed() < time {
            self.pause(IDLE.min(time))?;
        }
        measurements.end(self, "idle", &measurement, measurement.elapsed(), None)
    }
}
