//! What a flow matches.

use crate::field::ones;
use crate::{Field, PortNo};
use std::net::{Ipv4Addr, Ipv6Addr};

/// One field of a match: the bits of `value` under `mask`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MatchField {
    /// The field.
    pub field: Field,
    /// The value; no bit is set outside `mask`.
    pub value: u128,
    /// The bits that must agree; [`Field::ones`] for an exact match.
    pub mask: u128,
}

impl MatchField {
    /// Whether every bit of the field must agree.
    #[must_use]
    pub const fn exact(&self) -> bool {
        self.mask == self.field.ones()
    }
}

/// A match: fields in ascending order, each at most once.
///
/// Two matches that a switch takes as the same are equal:
/// - a field with an empty mask is left out, and bits outside the mask are cleared;
/// - a 64-bit or 128-bit register becomes the 32-bit registers it is made of;
/// - `InPort` becomes `InPortOxm`; `VlanTci` becomes `VlanVid` and `VlanPcp` unless it masks a part of the priority;
/// - `PacketType` 0 (Ethernet), which every flow has unless it says otherwise, is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match {
    fields: Vec<MatchField>,
}

/// The bit of `VlanVid` that says that there is a VLAN header.
pub(crate) const VLAN_PRESENT: u128 = 0x1000;

impl Match {
    /// The match that every packet meets.
    #[must_use]
    pub const fn new() -> Self {
        Self { fields: Vec::new() }
    }

    /// The match that every packet meets, with room for `fields` fields.
    pub(crate) fn with_capacity(fields: usize) -> Self {
        Self { fields: Vec::with_capacity(fields) }
    }

    /// Adds an exact match; bits of `value` beyond the field are cut off.
    #[must_use]
    pub fn with(self, field: Field, value: u128) -> Self {
        let mask = match field {
            Field::PacketType => u128::from(u32::MAX),
            _ => field.ones(),
        };
        self.with_masked(field, value, mask)
    }

    /// Adds a match of the bits under `mask`. Of a field that the match has already, the bits under both masks are
    /// replaced and the others stay.
    #[must_use]
    pub fn with_masked(mut self, field: Field, value: u128, mask: u128) -> Self {
        self.insert(field, value, mask);
        self
    }

    /// Adds a match of the bits under `mask`, as [`Self::with_masked`].
    pub fn insert(&mut self, field: Field, value: u128, mask: u128) {
        match field {
            Field::InPort => {
                if mask != 0 {
                    let port = PortNo::from_openflow10(value as u16);
                    self.put(Field::InPortOxm, u128::from(port.0), Field::InPortOxm.ones());
                }
            }
            Field::PacketType if value == 0 && mask == Field::PacketType.ones() => {
                self.fields.retain(|present| present.field != Field::PacketType);
            }
            Field::VlanTci => {
                let priority = mask >> 13 & 7;
                if priority == 0 || priority == 7 {
                    self.put(Field::VlanVid, value & 0x1fff, mask & 0x1fff);
                    self.put(Field::VlanPcp, value >> 13, priority);
                } else {
                    self.put(Field::VlanTci, value, mask);
                }
            }
            _ => match field.registers() {
                Some((first, count)) if count > 1 => {
                    for position in 0..count {
                        let shift = (count - 1 - position) * 32;
                        self.put(Field::reg(first + position), value >> shift, mask >> shift);
                    }
                }
                _ => self.put(field, value, mask),
            },
        }
    }

    fn put(&mut self, field: Field, value: u128, mask: u128) {
        let mask = mask & field.ones();
        let value = value & mask;
        if mask == 0 {
            return;
        }
        match self.fields.last() {
            Some(last) if last.field >= field => {}
            _ => {
                self.fields.push(MatchField { field, value, mask });
                return;
            }
        }
        match self.position(field) {
            Ok(at) => {
                let present = &mut self.fields[at];
                present.value = present.value & !mask | value;
                present.mask |= mask;
            }
            Err(at) => self.fields.insert(at, MatchField { field, value, mask }),
        }
    }

    fn position(&self, field: Field) -> Result<usize, usize> {
        self.fields.binary_search_by_key(&field, |present| present.field)
    }

    /// Whether any bit of the field, or of registers it is made of, is matched already.
    pub(crate) fn holds(&self, field: Field) -> bool {
        let composite = field.registers().is_some_and(|(_, count)| count > 1);
        match self.fields.last() {
            None => false,
            Some(last) if last.field < field && !composite => false,
            Some(_) => self.get(field).is_some(),
        }
    }

    /// The fields in ascending order.
    #[must_use]
    pub fn fields(&self) -> &[MatchField] {
        &self.fields
    }

    /// The fields in ascending order.
    pub fn iter(&self) -> std::slice::Iter<'_, MatchField> {
        self.fields.iter()
    }

    /// Whether every packet meets the match.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// `(value, mask)` of a field. Registers of any width, `InPort` and `VlanTci` are answered as well, from the
    /// fields that stand for them.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<(u128, u128)> {
        if let Ok(at) = self.position(field) {
            return Some((self.fields[at].value, self.fields[at].mask));
        }
        match field {
            Field::InPort => {
                let (port, _) = self.get(Field::InPortOxm)?;
                Some((port & 0xffff, 0xffff))
            }
            Field::VlanTci => {
                let (vid, vid_mask) = self.get(Field::VlanVid).unwrap_or_default();
                let (pcp, pcp_mask) = self.get(Field::VlanPcp).unwrap_or_default();
                let mask = pcp_mask << 13 | vid_mask;
                (mask != 0).then_some((pcp << 13 | vid, mask))
            }
            _ => {
                let (first, count) = field.registers().filter(|&(_, count)| count > 1)?;
                let (mut value, mut mask) = (0, 0);
                for position in 0..count {
                    let part = self.get(Field::reg(first + position)).unwrap_or_default();
                    value = value << 32 | part.0;
                    mask = mask << 32 | part.1;
                }
                (mask != 0).then_some((value, mask))
            }
        }
    }

    /// The value of a field that is matched exactly.
    #[must_use]
    pub fn exact(&self, field: Field) -> Option<u128> {
        self.get(field).and_then(|(value, mask)| (mask == field.ones()).then_some(value))
    }

    /// Whether a packet meets the match; `packet` tells the packet's value of a field.
    ///
    /// Only fields that a canonical match holds are asked for: 32-bit registers, `InPortOxm`, `VlanVid` with its
    /// presence bit.
    #[must_use]
    pub fn matches(&self, packet: impl Fn(Field) -> u128) -> bool {
        self.fields.iter().all(|present| packet(present.field) & present.mask == present.value)
    }

    /// Matches the port that the packet came in on.
    #[must_use]
    pub fn in_port(self, port: PortNo) -> Self {
        self.with(Field::InPortOxm, u128::from(port.0))
    }

    /// Matches the Ethernet type.
    #[must_use]
    pub fn eth_type(self, ethertype: u16) -> Self {
        self.with(Field::EthType, u128::from(ethertype))
    }

    /// Matches IPv4.
    #[must_use]
    pub fn ip(self) -> Self {
        self.eth_type(0x0800)
    }

    /// Matches IPv6.
    #[must_use]
    pub fn ipv6(self) -> Self {
        self.eth_type(0x86dd)
    }

    /// Matches ARP.
    #[must_use]
    pub fn arp(self) -> Self {
        self.eth_type(0x0806)
    }

    /// Matches the protocol carried by IPv4 or IPv6.
    #[must_use]
    pub fn ip_proto(self, protocol: u8) -> Self {
        self.with(Field::IpProto, u128::from(protocol))
    }

    /// Matches the Ethernet source.
    #[must_use]
    pub fn eth_src(self, address: [u8; 6]) -> Self {
        self.with(Field::EthSrc, mac(address))
    }

    /// Matches the Ethernet destination.
    #[must_use]
    pub fn eth_dst(self, address: [u8; 6]) -> Self {
        self.with(Field::EthDst, mac(address))
    }

    /// Matches broadcast and multicast.
    #[must_use]
    pub fn eth_multicast(self) -> Self {
        self.with_masked(Field::EthDst, 1 << 40, 1 << 40)
    }

    /// Matches a VLAN id, 0 to 4095, of a tagged packet.
    #[must_use]
    pub fn vlan(self, vid: u16) -> Self {
        self.with(Field::VlanVid, VLAN_PRESENT | u128::from(vid))
    }

    /// Matches packets without a VLAN header.
    #[must_use]
    pub fn untagged(self) -> Self {
        self.with(Field::VlanVid, 0)
    }

    /// Matches packets with any VLAN header.
    #[must_use]
    pub fn tagged(self) -> Self {
        self.with_masked(Field::VlanVid, VLAN_PRESENT, VLAN_PRESENT)
    }

    /// Matches the IPv4 source.
    #[must_use]
    pub fn ipv4_src(self, address: Ipv4Addr) -> Self {
        self.ipv4_net(Field::Ipv4Src, address, 32)
    }

    /// Matches the IPv4 destination.
    #[must_use]
    pub fn ipv4_dst(self, address: Ipv4Addr) -> Self {
        self.ipv4_net(Field::Ipv4Dst, address, 32)
    }

    /// Matches the IPv6 source.
    #[must_use]
    pub fn ipv6_src(self, address: Ipv6Addr) -> Self {
        self.ipv6_net(Field::Ipv6Src, address, 128)
    }

    /// Matches the IPv6 destination.
    #[must_use]
    pub fn ipv6_dst(self, address: Ipv6Addr) -> Self {
        self.ipv6_net(Field::Ipv6Dst, address, 128)
    }

    /// Matches the first `prefix` bits of an IPv4 address in `field`; a prefix of 0 matches anything.
    #[must_use]
    pub fn ipv4_net(self, field: Field, address: Ipv4Addr, prefix: u8) -> Self {
        let hosts = ones(32_u16.saturating_sub(u16::from(prefix)));
        self.with_masked(field, u128::from(u32::from(address)), ones(32) & !hosts)
    }

    /// Matches the first `prefix` bits of an IPv6 address in `field`; a prefix of 0 matches anything.
    #[must_use]
    pub fn ipv6_net(self, field: Field, address: Ipv6Addr, prefix: u8) -> Self {
        let hosts = ones(128_u16.saturating_sub(u16::from(prefix)));
        self.with_masked(field, u128::from(address), !hosts)
    }

    /// Matches the metadata.
    #[must_use]
    pub fn metadata(self, value: u64) -> Self {
        self.with(Field::Metadata, u128::from(value))
    }

    /// Matches register `n`, 0 to 15.
    ///
    /// # Panics
    /// When there is no such register.
    #[must_use]
    pub fn reg(self, n: usize, value: u32) -> Self {
        self.with(Field::reg(n), u128::from(value))
    }

    /// Matches the bits of `subfield`, in which `value` is right aligned.
    #[must_use]
    pub fn subfield(self, subfield: crate::Subfield, value: u128) -> Self {
        let mask = subfield.mask();
        self.with_masked(subfield.field, value << subfield.offset & mask, mask)
    }
}

impl<'a> IntoIterator for &'a Match {
    type Item = &'a MatchField;
    type IntoIter = std::slice::Iter<'a, MatchField>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<MatchField> for Match {
    fn from_iter<T: IntoIterator<Item = MatchField>>(fields: T) -> Self {
        let mut matching = Self::new();
        for part in fields {
            matching.insert(part.field, part.value, part.mask);
        }
        matching
    }
}

/// An Ethernet address as the value of a field.
#[must_use]
pub(crate) fn mac(address: [u8; 6]) -> u128 {
    address.iter().fold(0, |value, &byte| value << 8 | u128::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_for_the_switch_means_equal() {
        let wide = Match::new().with_masked(Field::Xreg1, 0xab_0000_0000, 0xff_0000_0000);
        assert_eq!(wide, Match::new().with_masked(Field::Reg2, 0xab, 0xff));
        assert_eq!(wide.get(Field::Xxreg0), Some((0xab << 32, 0xff << 32)));
        assert_eq!(Match::new().with(Field::InPort, 0xfffe), Match::new().in_port(PortNo::LOCAL));
        assert_eq!(Match::new().with_masked(Field::VlanTci, 0x1005, 0x1fff), Match::new().vlan(5));
        assert_eq!(Match::new().with(Field::PacketType, 0), Match::new());
        assert_eq!(Match::new().with_masked(Field::TunId, 7, 0), Match::new());
        assert_eq!(
            Match::new().with_masked(Field::CtMark, 0xff, 0x0f),
            Match::new().with_masked(Field::CtMark, 0x0f, 0x0f)
        );
    }

    #[test]
    fn order_of_building_does_not_show() {
        let one = Match::new().metadata(1).ip().reg(3, 4);
        let other = Match::new().reg(3, 4).ip().metadata(1);
        assert_eq!(one, other);
        assert!(one.fields().is_sorted_by_key(|part| part.field));
    }

    #[test]
    fn a_condition_added_to_a_field_narrows_it() {
        let matching = Match::new().with_masked(Field::Reg0, 0x1200, 0xff00).with_masked(Field::Reg0, 0x34, 0xff);
        assert_eq!(matching.get(Field::Reg0), Some((0x1234, 0xffff)));
        assert_eq!(matching.exact(Field::Reg0), None);
    }

    #[test]
    fn a_packet_meets_a_match_bit_by_bit() {
        let matching = Match::new().ip().ipv4_net(Field::Ipv4Dst, Ipv4Addr::new(10, 1, 2, 3), 8);
        let packet = |address: u128| {
            move |field| match field {
                Field::EthType => 0x0800,
                Field::Ipv4Dst => address,
                _ => 0,
            }
        };
        assert!(matching.matches(packet(0x0aff_0001)));
        assert!(!matching.matches(packet(0x0b01_0203)));
    }
}
