//! What the operator has configured of the model.

use crate::{MacAddress, Vni};
use std::ops::RangeInclusive;

/// Bounds and defaults of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// VXLAN identifiers given to networks that name none, as inclusive ranges.
    /// They are cut to what the wire can carry, sorted and joined when a topology is made.
    pub vni_ranges: Vec<RangeInclusive<u32>>,
    /// Bytes of the largest IP packet inside the overlay: the underlay's less 50 for VXLAN over IPv4.
    pub overlay_mtu: u16,
    /// First bytes of the addresses made for ports: three of them count, or four if the fourth is not zero.
    pub base_mac: MacAddress,
    /// DNS servers of one subnet.
    pub max_dns_nameservers: usize,
    /// Host routes of one subnet.
    pub max_host_routes: usize,
    /// Addresses that one port may ask for, unless it is one of the network itself.
    pub max_fixed_ips: usize,
    /// Allowed address pairs of one port.
    pub max_address_pairs: usize,
    /// Routes of one router beyond its interfaces.
    pub max_routes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            vni_ranges: vec![1..=Vni::MAX],
            overlay_mtu: 1450,
            base_mac: MacAddress([0xfa, 0x16, 0x3e, 0, 0, 0]),
            max_dns_nameservers: 5,
            max_host_routes: 20,
            max_fixed_ips: 64,
            max_address_pairs: 10,
            max_routes: 30,
        }
    }
}

impl Limits {
    /// The same limits with the VXLAN ranges cut to 1..2^24-1, ascending and disjoint.
    pub(crate) fn normalised(mut self) -> Self {
        let mut ranges: Vec<(u32, u32)> = self
            .vni_ranges
            .iter()
            .map(|range| (*range.start().max(&1), *range.end().min(&Vni::MAX)))
            .filter(|(first, last)| first <= last)
            .collect();
        ranges.sort_unstable();
        let mut joined: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match joined.last_mut() {
                Some(previous) if first <= previous.1.saturating_add(1) => {
                    previous.1 = previous.1.max(last);
                }
                _ => joined.push((first, last)),
            }
        }
        self.vni_ranges = joined.into_iter().map(|(first, last)| first..=last).collect();
        self
    }
}
