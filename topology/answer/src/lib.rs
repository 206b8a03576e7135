//! What the controller answers to VMs itself: DHCP, DHCPv6, router advertisements, and the ICMP errors of routers.
//!
//! Start from [`answer`]: the topology, who asks, what the switch says the question is, and the frame; the outcome is
//! whole Ethernet frames for the asker's interface, or why nothing is said. [`advertisements`] and [`announcements`] are
//! what is said unasked. All of it is a function of its arguments: there are no leases, for the addresses are the
//! topology's.
//!
//! Checksums of what VMs send are not verified: where a VM leaves them to its network card, as it does on a virtual
//! one, they are not there yet.

mod advertisement;
mod announcement;
mod answer;
mod asker;
mod dhcpv4;
mod dhcpv6;
mod domain;
mod extra;
mod frame;
mod icmp_error;
mod question;
mod settings;
mod silence;

#[cfg(test)]
mod test_support;

pub use advertisement::{Advertisement, advertisements};
pub use announcement::announcements;
pub use answer::{Answer, answer};

pub use extra::Omission;
pub use question::Question;
pub use settings::Settings;
pub use silence::Silence;
