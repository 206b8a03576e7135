//! A real hypervisor: its daemons, and the compute service that plugs VIFs in there.

use super::client::{Client, manager, plugging};
use super::hypervisor::{BRIDGES, INTEGRATION, encap_ip, host_name};
use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;
use crate::openvswitch::OpenVswitch;

/// What ovs-vswitchd counts when flows came, went, or were told anew. It may count several flows of a bundle at once.
const CHANGES: &str = "rev_flow_table";

/// A real hypervisor that runs.
#[derive(Debug)]
pub(crate) struct Real {
    name: String,
    daemons: OpenVswitch,
    compute: Client,
    managed: bool,
}

impl Real {
    /// Starts the hypervisor of this number, with an integration bridge as a compute service leaves it, where VIFs for
    /// these ports are plugged in. Nobody controls it yet.
    pub(crate) fn start(number: usize, ports: &[String]) -> Result<Self, Failure> {
        let name = host_name(number);
        let mut daemons = OpenVswitch::start_database()?;
        let [hostname, system, encap] =
            [("hostname", &name), ("system-id", &name), ("weir-encap-ip", &encap_ip(number))]
                .map(|(key, value)| format!("external_ids:{key}={value}"));
        daemons.vsctl(["--no-wait", "set", "Open_vSwitch", ".", &hostname, &system, &encap])?;
        daemons.vsctl(["--no-wait", "add-br", INTEGRATION])?;
        let mut compute = Client::connect(&daemons.socket())?;
        compute.transact(plugging(ports))?;
        daemons.start_switch()?;
        daemons.settle()?;
        Ok(Self { name, daemons, compute, managed: false })
    }

    /// Connects it to the controller, if it was not told of it before: it connects again by itself.
    pub(crate) fn connect(&mut self, controller: SocketAddr) -> Result<(), Failure> {
        if !self.managed {
            self.compute.transact(manager(&format!("tcp:{controller}")))?;
            // ovsdb-server sees to new managers when it is woken up by the next request, or else after some seconds.
            self.compute.transact(Vec::new())?;
            self.managed = true;
        }
        Ok(())
    }

    /// Plugs VIFs in for ports.
    pub(crate) fn plug(&mut self, ports: &[String]) -> Result<(), Failure> {
        self.compute.transact(plugging(ports))
    }

    /// How many flows each of its bridges holds.
    pub(crate) fn flows(&self) -> Result<[u64; 2], Failure> {
        let mut flows = [0; 2];
        for (count, bridge) in flows.iter_mut().zip(BRIDGES) {
            let told = self.daemons.ofctl(&[], "dump-aggregate", bridge, &[])?;
            *count = flow_count(&told).ok_or_else(|| format!("{}: no count of flows: {told}", self.name))?;
        }
        Ok(flows)
    }

    /// How often its flow tables changed.
    pub(crate) fn changes(&self) -> Result<u64, Failure> {
        let told = self.daemons.appctl(["coverage/read-counter", CHANGES])?;
        Ok(told.trim().parse().map_err(|error| format!("{}: {CHANGES} is {told:?}: {error}", self.name))?)
    }

    /// Says so if it has died.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        self.daemons.check().map_err(|error| format!("{}: {error}", self.name).into())
    }

    /// The processor time that it has taken.
    pub(crate) fn processor(&self) -> Result<Duration, Failure> {
        self.daemons.processor().map_err(|error| format!("{}: {error}", self.name).into())
    }
}

/// The count of flows in what `ovs-ofctl dump-aggregate` says.
pub(crate) fn flow_count(told: &str) -> Option<u64> {
    told.split_whitespace().find_map(|word| word.strip_prefix("flow_count=")?.parse().ok())
}
