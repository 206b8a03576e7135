//! Registers, metadata and packet mark, bit by bit, each run of bits under one name and type.

use crate::Bridge;
use std::marker::PhantomData;
use weir_model::{NetworkKey, PortKey};
use weir_openflow::{Action, Field, Match, Subfield};

/// What can stand in a register.
pub trait Number: Copy {
    /// The bits, right aligned.
    fn number(self) -> u128;
}

impl Number for NetworkKey {
    fn number(self) -> u128 {
        u128::from(self.0)
    }
}

impl Number for PortKey {
    fn number(self) -> u128 {
        u128::from(self.0)
    }
}

impl Number for bool {
    fn number(self) -> u128 {
        u128::from(self)
    }
}

/// A run of bits with a name, that holds a `T`.
#[derive(Clone, Copy, Debug)]
pub struct Register<T> {
    name: &'static str,
    bits: Subfield,
    holds: PhantomData<T>,
}

impl<T> Register<T> {
    const fn new(name: &'static str, field: Field, offset: u16, bits: u16) -> Self {
        Self { name, bits: Subfield::bits(field, offset, bits), holds: PhantomData }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(&self) -> Subfield {
        self.bits
    }

    /// Copies the bits into another register that is as wide and holds the same.
    #[must_use]
    pub const fn copy_to(&self, to: &Self) -> Action {
        assert!(self.bits.bits == to.bits.bits, "the registers are not equally wide");
        Action::Move { src: self.bits, dst: to.bits }
    }
}

impl<T: Number> Register<T> {
    /// Matches the register in addition to what `matching` has.
    #[must_use]
    pub fn on(&self, matching: Match, value: T) -> Match {
        matching.subfield(self.bits, value.number())
    }

    /// Loads the register.
    #[must_use]
    pub fn load(&self, value: T) -> Action {
        Action::set_bits(self.bits, value.number())
    }
}

/// The network that the packet is in. The whole metadata, so that flows match it without a mask.
pub const NETWORK: Register<NetworkKey> = Register::new("network", Field::Metadata, 0, 64);

/// The bits of the metadata that a network key can have.
pub const NETWORK_KEY: Register<NetworkKey> = Register::new("network", Field::Metadata, 0, 24);

/// The port that sent the packet; 0 when it came from the tunnel.
pub const SOURCE_PORT: Register<PortKey> = Register::new("source_port", Field::Reg0, 0, 32);

/// The port that is to get the packet.
pub const DESTINATION_PORT: Register<PortKey> = Register::new("destination_port", Field::Reg1, 0, 32);

/// The bits of the destination that a port key can have.
pub const DESTINATION_PORT_KEY: Register<PortKey> = Register::new("destination_port", Field::Reg1, 0, 30);

/// Set when the packet came from the tunnel: it must not go back there.
pub const FROM_TUNNEL: Register<bool> = Register::new("from_tunnel", Field::Reg2, 0, 1);

/// Set on the copies for further ports of one hypervisor, of which only the first needs the tunnel.
pub const LOCAL_ONLY: Register<bool> = Register::new("local_only", Field::Reg2, 1, 1);

/// What crosses the patch between the bridges, as the whole packet mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crossing {
    /// Nothing: the mark outside of the patch.
    Nothing,
    /// From br-int, to this port on another hypervisor.
    Unicast(PortKey),
    /// From br-int, to every other hypervisor of this network.
    Flood(NetworkKey),
    /// From br-tun, in this network.
    Arrived(NetworkKey),
}

const UNICAST_BIT: u32 = 30;
const FLOOD_BIT: u32 = 31;

impl Number for Crossing {
    fn number(self) -> u128 {
        let mark = match self {
            Self::Nothing => 0,
            Self::Unicast(PortKey(key)) => 1 << UNICAST_BIT | key,
            Self::Flood(NetworkKey(key)) => 1 << FLOOD_BIT | key,
            Self::Arrived(NetworkKey(key)) => key,
        };
        u128::from(mark)
    }
}

/// The packet mark, the one thing that a patch port does not clear.
pub const CROSSING: Register<Crossing> = Register::new("crossing", Field::PktMark, 0, 32);

/// The port key within the packet mark.
pub const CROSSING_PORT: Register<PortKey> = Register::new("crossing_port", Field::PktMark, 0, 30);

/// The network key within the packet mark.
pub const CROSSING_NETWORK: Register<NetworkKey> = Register::new("crossing_network", Field::PktMark, 0, 24);

/// One line of the register page.
#[derive(Clone, Copy, Debug)]
pub struct RegisterUse {
    /// The name.
    pub name: &'static str,
    /// The bits.
    pub bits: Subfield,
    /// Where it is used; none for both bridges.
    pub bridge: Option<Bridge>,
    /// What it says, as a sentence.
    pub meaning: &'static str,
}

/// Every run of bits in use, each bit once per meaning.
pub const REGISTERS: &[RegisterUse] = &[
    RegisterUse {
        name: NETWORK.name,
        bits: NETWORK_KEY.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the network that the packet is in.",
    },
    RegisterUse {
        name: SOURCE_PORT.name,
        bits: SOURCE_PORT.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the port that sent the packet; 0 when it came from the tunnel.",
    },
    RegisterUse {
        name: DESTINATION_PORT.name,
        bits: DESTINATION_PORT.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the port that is to get the packet.",
    },
    RegisterUse {
        name: FROM_TUNNEL.name,
        bits: FROM_TUNNEL.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The packet came from the tunnel and must not go back there.",
    },
    RegisterUse {
        name: LOCAL_ONLY.name,
        bits: LOCAL_ONLY.bits,
        bridge: Some(Bridge::Integration),
        meaning: "A copy for a further port of one hypervisor: another copy takes the tunnel already.",
    },
    RegisterUse {
        name: "crossing_key",
        bits: CROSSING_PORT.bits,
        bridge: None,
        meaning: "Towards br-tun the key of the destination port or of the network; towards br-int the key of the network.",
    },
    RegisterUse {
        name: "crossing_unicast",
        bits: Subfield { field: Field::PktMark, offset: UNICAST_BIT as u16, bits: 1 },
        bridge: None,
        meaning: "Towards br-tun: the key is a port.",
    },
    RegisterUse {
        name: "crossing_flood",
        bits: Subfield { field: Field::PktMark, offset: FLOOD_BIT as u16, bits: 1 },
        bridge: None,
        meaning: "Towards br-tun: the key is a network, and every other hypervisor of it gets a copy.",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_bit_has_two_meanings() {
        let mut taken = std::collections::BTreeMap::new();
        for one in REGISTERS {
            let mask = taken.entry(one.bits.field).or_insert(0);
            assert_eq!(*mask & one.bits.mask(), 0, "{} overlaps", one.name);
            *mask |= one.bits.mask();
        }
    }

    #[test]
    fn the_largest_keys_fit() {
        for (crossing, expected) in [
            (Crossing::Unicast(PortKey(PortKey::MAX)), 0x7fff_ffff),
            (Crossing::Flood(NetworkKey(NetworkKey::MAX)), 0x80ff_ffff),
            (Crossing::Arrived(NetworkKey(NetworkKey::MAX)), 0x00ff_ffff),
            (Crossing::Nothing, 0),
        ] {
            assert_eq!(crossing.number(), expected);
        }
    }
}
