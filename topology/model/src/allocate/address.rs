//! Addresses of a subnet.

use crate::tree::Tree;
use crate::{AllocationPool, MacAddress, PortId};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// An address as a number.
pub(crate) fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// A number as an address of the family of `like`; `None` beyond the last IPv4 address.
pub(crate) fn address(like: &IpNet, number: u128) -> Option<IpAddr> {
    match like {
        IpNet::V4(_) => u32::try_from(number).ok().map(|number| IpAddr::V4(Ipv4Addr::from(number))),
        IpNet::V6(_) => Some(IpAddr::V6(Ipv6Addr::from(number))),
    }
}

/// The first and last address that pools may hold: without the network and broadcast addresses of
/// IPv4 prefixes up to /30, without the subnet-router anycast address of IPv6.
pub(crate) fn host_range(cidr: &IpNet) -> (u128, u128) {
    let (first, last) = (number(cidr.network()), number(cidr.broadcast()));
    match cidr {
        IpNet::V4(prefix) if prefix.prefix_len() <= 30 => (first + 1, last - 1),
        IpNet::V4(_) => (first, last),
        IpNet::V6(_) => (first.saturating_add(1), last),
    }
}

/// The address that stateless autoconfiguration makes in a /64 (RFC 4291, appendix A).
pub(crate) fn interface_address(cidr: &IpNet, mac: MacAddress) -> IpAddr {
    let [a, b, c, d, e, f] = mac.0;
    let interface = u64::from_be_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f]);
    IpAddr::V6(Ipv6Addr::from(number(cidr.network()) | u128::from(interface)))
}

/// Which addresses of a subnet are given and which may be given next. Clone is O(1), everything
/// else O(log n), however large the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddressSpace {
    cidr: IpNet,
    /// The pools, ascending and disjoint.
    pools: Arc<[AllocationPool]>,
    /// Who has an address, inside the pools or not.
    used: Tree<IpAddr, PortId>,
    /// First to last of each run of free addresses in the pools; runs never touch.
    free: Tree<u128, u128>,
}

impl AddressSpace {
    pub(crate) fn new(cidr: IpNet, pools: &[AllocationPool]) -> Self {
        let mut space = Self { cidr, pools: pools.into(), used: Tree::new(), free: Tree::new() };
        space.refill();
        space
    }

    /// Takes other pools; what is given stays given.
    pub(crate) fn set_pools(&mut self, pools: &[AllocationPool]) {
        if *self.pools != *pools {
            self.pools = pools.into();
            self.refill();
        }
    }

    fn refill(&mut self) {
        self.free = Tree::new();
        for pool in self.pools.clone().iter() {
            self.add(number(pool.start), number(pool.end));
        }
        let used: Vec<u128> = self.used.keys().map(|address| number(*address)).collect();
        for number in used {
            self.cut(number);
        }
    }

    /// Who has the address.
    pub(crate) fn holder(&self, address: IpAddr) -> Option<PortId> {
        self.used.get(&address).copied()
    }

    /// Who has which address, ascending by address.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (IpAddr, PortId)> {
        self.used.iter().map(|(address, port)| (*address, *port))
    }

    /// The lowest free address of the pools.
    pub(crate) fn lowest_free(&self) -> Option<IpAddr> {
        let (first, _) = self.free.first()?;
        address(&self.cidr, *first)
    }

    pub(crate) fn take(&mut self, address: IpAddr, port: PortId) {
        self.used.insert(address, port);
        self.cut(number(address));
    }

    /// Gives the address back if the port has it.
    pub(crate) fn give_back(&mut self, address: IpAddr, port: PortId) {
        if self.holder(address) != Some(port) {
            return;
        }
        self.used.remove(&address);
        let pools = &self.pools;
        let at = pools.partition_point(|pool| pool.end < address);
        if pools.get(at).is_some_and(|pool| pool.start <= address) {
            self.add(number(address), number(address));
        }
    }

    /// Takes one address out of the run that holds it.
    fn cut(&mut self, number: u128) {
        let Some((&first, &last)) = self.free.at_or_below(&number) else {
            return;
        };
        if last < number {
            return;
        }
        self.free.remove(&first);
        if first < number {
            self.free.insert(first, number - 1);
        }
        if number < last {
            self.free.insert(number + 1, last);
        }
    }

    /// Adds a run that is not free yet, joined with the runs that it touches.
    fn add(&mut self, mut first: u128, mut last: u128) {
        if let Some((&before, &end)) = self.free.at_or_below(&first)
            && end.checked_add(1) == Some(first)
        {
            first = before;
        }
        if let Some(after) = last.checked_add(1)
            && let Some(&end) = self.free.get(&after)
        {
            self.free.remove(&after);
            last = end;
        }
        self.free.insert(first, last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};
    use uuid::Uuid;

    fn four(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn pool(first: u8, last: u8) -> AllocationPool {
        AllocationPool { start: four(first), end: four(last) }
    }

    fn port(id: u128) -> PortId {
        PortId(Uuid::from_u128(id))
    }

    #[derive(Clone, Debug)]
    enum Step {
        Take(u8),
        TakeLowest,
        GiveBack(u8),
        SetPools(Vec<AllocationPool>),
    }

    fn pools() -> impl Strategy<Value = Vec<AllocationPool>> {
        proptest::collection::btree_set(0_u8..40, 0..8).prop_map(|edges| {
            let edges: Vec<u8> = edges.into_iter().collect();
            edges.chunks_exact(2).map(|pair| pool(pair[0], pair[1])).collect()
        })
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            (0_u8..40).prop_map(Step::Take),
            Just(Step::TakeLowest),
            (0_u8..40).prop_map(Step::GiveBack),
            pools().prop_map(Step::SetPools),
        ]
    }

    proptest! {
        #[test]
        fn the_lowest_free_address_is_that_of_a_plain_search(
            first in pools(),
            steps in proptest::collection::vec(step(), 0..80),
        ) {
            let cidr = "10.0.0.0/24".parse().expect("a test's prefix");
            let mut space = AddressSpace::new(cidr, &first);
            let mut pools = first;
            let mut used = BTreeMap::new();
            for (at, step) in steps.into_iter().enumerate() {
                let id = port(at as u128);
                match step {
                    Step::Take(last) if !used.contains_key(&four(last)) => {
                        space.take(four(last), id);
                        used.insert(four(last), id);
                    }
                    Step::Take(_) => {}
                    Step::TakeLowest => {
                        if let Some(lowest) = space.lowest_free() {
                            space.take(lowest, id);
                            used.insert(lowest, id);
                        }
                    }
                    Step::GiveBack(last) => {
                        space.give_back(four(last), port(999));
                        if let Some(holder) = used.remove(&four(last)) {
                            space.give_back(four(last), holder);
                        }
                    }
                    Step::SetPools(new) => {
                        space.set_pools(&new);
                        pools = new;
                    }
                }
                let inside = pools.iter().flat_map(|pool| {
                    number(pool.start)..=number(pool.end)
                });
                let free: BTreeSet<u128> = inside
                    .filter(|candidate| !used.keys().any(|ip| number(*ip) == *candidate))
                    .collect();
                prop_assert_eq!(space.lowest_free().map(number), free.first().copied());
                let runs: BTreeSet<u128> =
                    space.free.iter().flat_map(|(first, last)| *first..=*last).collect();
                prop_assert_eq!(runs, free);
                let holders: BTreeMap<IpAddr, PortId> = space.holders().collect();
                prop_assert_eq!(&holders, &used);
            }
            let mut anew = AddressSpace::new(cidr, &pools);
            for (address, holder) in used {
                anew.take(address, holder);
            }
            prop_assert_eq!(anew, space);
        }
    }

    #[test]
    fn the_last_addresses_of_a_family_are_no_edge_case() {
        let cidr: IpNet = "ffff:ffff:ffff:ffff::/64".parse().expect("a test's prefix");
        let (_, last) = host_range(&cidr);
        assert_eq!(last, u128::MAX);
        let end = address(&cidr, last).expect("an address");
        let mut space = AddressSpace::new(cidr, &[AllocationPool { start: end, end }]);
        assert_eq!(space.lowest_free(), Some(end));
        space.take(end, port(1));
        assert_eq!(space.lowest_free(), None);
        space.give_back(end, port(1));
        assert_eq!(space.lowest_free(), Some(end));
    }

    #[test]
    fn an_interface_address_turns_the_universal_bit() {
        let cidr = "2001:db8::/64".parse().expect("a test's prefix");
        let mac = MacAddress([0x00, 0x21, 0x2f, 0xb5, 0x6e, 0x10]);
        let expected: IpAddr = "2001:db8::221:2fff:feb5:6e10".parse().expect("an address");
        assert_eq!(interface_address(&cidr, mac), expected);
    }
}
