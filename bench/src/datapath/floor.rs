//! The floor: learning switches without any policy, joined by a VXLAN tunnel. What they carry is the most that this
//! Open vSwitch can. They do not route; routed courses are held against the same course within one network.

use weir::cli::lab::{Interrupt, Manager};

use super::layout::{Course, Policy, Seat};
use super::site::Site;
use crate::Failure;

/// What a VXLAN tunnel leaves of the underlay's 1,500 bytes.
const MTU: u16 = 1_450;

/// Builds it.
///
/// # Errors
/// Open vSwitch or the lab fails.
pub fn build(interrupt: &Interrupt) -> Result<Site, Failure> {
    let mut lab = Site::lab("floor", Manager::None, interrupt)?;
    let [one, other] = lab.state().hypervisors.as_slice() else { return Err("a floor has two hypervisors".into()) };
    for (hypervisor, peer) in [(one, other), (other, one)] {
        let remote = format!("options:remote_ip={}", peer.tunnel_address());
        hypervisor.vsctl(["add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev"])?;
        hypervisor.vsctl(["set", "Bridge", "br-int", "fail_mode=standalone"])?;
        hypervisor.vsctl(["add-port", "br-int", "vxlan"])?;
        hypervisor.vsctl(["set", "Interface", "vxlan", "type=vxlan", &remote, "options:key=1"])?;
    }
    // The switches ask all their ports for packets, so there are as many here as elsewhere.
    for policy in Policy::ALL {
        for seat in Seat::all() {
            lab.boot(&seat.vm_name(policy), seat.host, seat.guest(policy, MTU))?;
        }
    }
    Site::open("NORMAL", lab, |policy, course| {
        let unrouted = match course {
            Course::SameHost | Course::RoutedSameHost => Course::SameHost,
            Course::TwoHosts | Course::RoutedTwoHosts => Course::TwoHosts,
        };
        Some((Seat::CLIENT.vm_name(policy), unrouted.server().vm_name(policy)))
    })
}
