//! One hypervisor, simulated or real.

use super::real::Real;
use super::simulated::Simulated;
use super::site::Site;
use std::net::SocketAddr;
use std::time::Duration;

use crate::Failure;

/// The bridge that VIFs are plugged into.
pub(crate) const INTEGRATION: &str = "br-int";

/// The bridges of a hypervisor: that of its VIFs, and the one that leads to the other hypervisors.
pub(crate) const BRIDGES: [&str; 2] = [INTEGRATION, "br-tun"];

/// What hypervisors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Tasks of this process
    Simulated,
    /// An ovsdb-server and an ovs-vswitchd each, with a datapath that forwards nothing
    Real,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Simulated => "simulated",
            Self::Real => "real",
        })
    }
}

/// A hypervisor that runs.
#[derive(Debug)]
pub(crate) enum Hypervisor {
    /// A simulated one.
    Simulated(Simulated),
    /// A real one.
    Real(Real),
}

impl Hypervisor {
    /// Starts the hypervisor of this number, with VIFs for these ports plugged in before it connects. It connects when
    /// its site opens.
    pub(crate) fn start(number: usize, ports: &[String], site: &Site) -> Result<Self, Failure> {
        Ok(match site.kind {
            Kind::Simulated => Self::Simulated(Simulated::start(number, ports, site)),
            Kind::Real => Self::Real(Real::start(number, ports)?),
        })
    }

    /// Lets a real one connect; simulated ones see by themselves that their site opens.
    pub(crate) fn connect(&mut self, controller: SocketAddr) -> Result<(), Failure> {
        match self {
            Self::Simulated(_) => Ok(()),
            Self::Real(real) => real.connect(controller),
        }
    }

    /// Plugs VIFs in for ports.
    pub(crate) fn plug(&mut self, ports: &[String]) -> Result<(), Failure> {
        match self {
            Self::Simulated(simulated) => simulated.plug(ports),
            Self::Real(real) => real.plug(ports)?,
        }
        Ok(())
    }

    /// How many flows each of its bridges holds.
    pub(crate) fn flows(&self) -> Result<[u64; 2], Failure> {
        match self {
            Self::Simulated(simulated) => simulated.flows(),
            Self::Real(real) => real.flows(),
        }
    }

    /// How often its flow tables changed, as it counts itself; none if it does not count.
    pub(crate) fn changes(&self) -> Result<Option<u64>, Failure> {
        match self {
            Self::Simulated(_) => Ok(None),
            Self::Real(real) => real.changes().map(Some),
        }
    }

    /// Says so if it has died.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        match self {
            Self::Simulated(_) => Ok(()),
            Self::Real(real) => real.check(),
        }
    }

    /// The processor time that a real one has taken.
    pub(crate) fn processor(&self) -> Result<Duration, Failure> {
        match self {
            Self::Simulated(_) => Ok(Duration::ZERO),
            Self::Real(real) => real.processor(),
        }
    }

    /// It as a simulated one, which alone has some faults.
    pub(crate) const fn simulated(&self) -> Option<&Simulated> {
        match self {
            Self::Simulated(simulated) => Some(simulated),
            Self::Real(_) => None,
        }
    }
}

/// The name of the hypervisor of this number.
pub(crate) fn host_name(number: usize) -> String {
    format!("h{number}")
}

/// The address for tunnels of the hypervisor of this number.
pub(crate) fn encap_ip(number: usize) -> String {
    std::net::Ipv4Addr::from(0x0a64_0000 + u32::try_from(number).unwrap_or(0) + 1).to_string()
}

/// The name of the interface for a port, as Nova gives it.
pub(crate) fn interface_of(port: &str) -> String {
    format!("tap{}", &port[..port.len().min(11)])
}
