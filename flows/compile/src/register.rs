//! Registers, metadata and packet mark, bit by bit, each run of bits under one name and type.

use crate::Bridge;
use std::marker::PhantomData;
use std::net::{Ipv4Addr, Ipv6Addr};
use weir_model::{Direction, Generation, MacAddress, NetworkKey, PortKey, RouterKey, SetKey, Zone};
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

impl Number for SetKey {
    fn number(self) -> u128 {
        u128::from(self.0)
    }
}

/// The highest bit is always set, which tells a generation from none.
impl Number for Generation {
    fn number(self) -> u128 {
        u128::from(1 << 31 | self.0)
    }
}

impl Number for RouterKey {
    fn number(self) -> u128 {
        u128::from(self.0)
    }
}

impl Number for Zone {
    fn number(self) -> u128 {
        u128::from(self.0)
    }
}

impl Number for MacAddress {
    fn number(self) -> u128 {
        u128::from(self.to_u64())
    }
}

impl Number for Ipv4Addr {
    fn number(self) -> u128 {
        u128::from(u32::from(self))
    }
}

impl Number for Ipv6Addr {
    fn number(self) -> u128 {
        u128::from(self)
    }
}

impl Number for u8 {
    fn number(self) -> u128 {
        u128::from(self)
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

/// The port that is to get the packet, or that has the address that a question asks for.
pub const DESTINATION_PORT: Register<PortKey> = Register::new("destination_port", Field::Reg1, 0, 32);

/// The bits of the destination that a port key can have.
pub const DESTINATION_PORT_KEY: Register<PortKey> = Register::new("destination_port", Field::Reg1, 0, 30);

/// Set when the packet came from the tunnel: it must not go back there.
pub const FROM_TUNNEL: Register<bool> = Register::new("from_tunnel", Field::Reg2, 0, 1);

/// Set on the copies for further ports of one hypervisor, of which only the first needs the tunnel.
pub const LOCAL_ONLY: Register<bool> = Register::new("local_only", Field::Reg2, 1, 1);

/// Set on packets that a router of the sender's hypervisor has moved to another network.
pub const ROUTED: Register<bool> = Register::new("routed", Field::Reg2, 2, 1);

/// Set on packets to a group address.
pub const MULTICAST: Register<bool> = Register::new("multicast", Field::Reg2, 3, 1);

/// Set when the destination port is plugged here.
pub const HERE: Register<bool> = Register::new("here", Field::Reg2, 4, 1);

/// Set when the sender's groups let replies pass.
pub const SOURCE_STATEFUL: Register<bool> = Register::new("source_stateful", Field::Reg2, 5, 1);

/// Set when the receiver's groups let replies pass.
pub const DESTINATION_STATEFUL: Register<bool> = Register::new("destination_stateful", Field::Reg2, 6, 1);

/// Set when the packet is larger than its destination network allows.
pub const TOO_BIG: Register<bool> = Register::new("too_big", Field::Reg2, 7, 1);

/// How many routers beyond the first the packet has come through.
pub const HOPS: Register<u8> = Register::new("hops", Field::Reg2, 8, 3);

/// Set by a rule that allows the packet.
pub const PERMITTED: Register<bool> = Register::new("permitted", Field::Reg2, 12, 1);

/// Set on packets that no security group filters.
pub const EXEMPT: Register<bool> = Register::new("exempt", Field::Reg2, 13, 1);

/// Set on neighbour advertisements in the making that speak of a router.
pub const OF_ROUTER: Register<bool> = Register::new("of_router", Field::Reg2, 14, 1);

/// Set on the copies for several ports that have the destination address: any of them may answer.
pub const SHARED: Register<bool> = Register::new("shared", Field::Reg2, 15, 1);

/// The port that began the packet's connection, as the connection's label keeps it; 0 when its first packet came from the
/// tunnel.
pub const INITIATOR: Register<PortKey> = Register::new("initiator", Field::CtLabel, 0, 32);

/// The port that the packet's connection was begun to, as the connection's label keeps it; 0 when several share the
/// address.
pub const RESPONDER: Register<PortKey> = Register::new("responder", Field::CtLabel, 32, 32);

/// The generation of the rules that let the connection out, as the connection's label keeps it; 0 if none did here.
pub const EGRESS_GENERATION: Register<Generation> = Register::new("egress_generation", Field::CtLabel, 64, 32);

/// The generation of the rules that let the connection in, as the connection's label keeps it; 0 if none did here.
pub const INGRESS_GENERATION: Register<Generation> = Register::new("ingress_generation", Field::CtLabel, 96, 32);

/// The generation of the egress rules that allow the packet now; 0 if none were asked.
pub const LETS_OUT: Register<Generation> = Register::new("lets_out", Field::Reg6, 0, 32);

/// Whether egress rules allow the packet now: the bit that every generation has.
pub const IS_LET_OUT: Register<bool> = Register::new("lets_out", Field::Reg6, 31, 1);

/// The generation of the ingress rules that allow the packet now; 0 if none were asked.
pub const LETS_IN: Register<Generation> = Register::new("lets_in", Field::Reg12, 0, 32);

/// Whether ingress rules allow the packet now: the bit that every generation has.
pub const IS_LET_IN: Register<bool> = Register::new("lets_in", Field::Reg12, 31, 1);

/// No port.
pub const NO_PORT: PortKey = PortKey(0);

/// No security groups: port security is off, or the port is elsewhere.
pub const NO_SET: SetKey = SetKey(0);

/// The sender's set of security groups.
pub const SOURCE_SET: Register<SetKey> = Register::new("source_set", Field::Reg3, 0, 32);

/// The bits of the sender's set that its key can have.
pub const SOURCE_SET_KEY: Register<SetKey> = Register::new("source_set", Field::Reg3, 0, 24);

/// The receiver's set of security groups.
pub const DESTINATION_SET: Register<SetKey> = Register::new("destination_set", Field::Reg4, 0, 32);

/// The bits of the receiver's set that its key can have.
pub const DESTINATION_SET_KEY: Register<SetKey> = Register::new("destination_set", Field::Reg4, 0, 24);

/// Where the addresses and ports stand that rules are asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// In the packet.
    Packet,
    /// In what conntrack keeps of the first packet of the connection, whichever way this packet goes.
    Connection,
}

/// Which rules of a set are asked, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    /// The direction of the rules.
    pub direction: Direction,
    /// What the rules are asked about.
    pub view: View,
}

impl Number for Question {
    fn number(self) -> u128 {
        let ingress = u128::from(self.direction == Direction::Ingress);
        u128::from(self.view == View::Connection) << 1 | ingress
    }
}

/// Whose rules are asked, which of them, and about what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The set.
    pub set: SetKey,
    /// The question.
    pub question: Question,
}

/// Where the question stands in the subject.
const QUESTION_BIT: u16 = 24;

impl Number for Subject {
    fn number(self) -> u128 {
        self.question.number() << QUESTION_BIT | u128::from(self.set.0)
    }
}

/// What rules are asked. The whole register, so that flows match it without a mask.
pub const SUBJECT: Register<Subject> = Register::new("subject", Field::Reg5, 0, 32);

/// The set within the subject.
pub const SUBJECT_SET: Register<SetKey> = Register::new("subject_set", Field::Reg5, 0, 24);

/// The question within the subject.
pub const SUBJECT_QUESTION: Register<Question> = Register::new("subject_question", Field::Reg5, QUESTION_BIT, 2);

/// The direction within the subject: set for ingress rules.
pub const SUBJECT_INGRESS: Register<bool> = Register::new("subject_ingress", Field::Reg5, QUESTION_BIT, 1);

/// The view within the subject: set for that of the connection.
pub const SUBJECT_CONNECTION: Register<bool> = Register::new("subject_connection", Field::Reg5, QUESTION_BIT + 1, 1);

/// The conntrack zone that the packet's connection is in.
pub const ZONE: Register<Zone> = Register::new("zone", Field::Reg14, 16, 16);

/// The router that the packet is in.
pub const ROUTER: Register<RouterKey> = Register::new("router", Field::Reg7, 0, 32);

/// The IPv4 address that the packet goes to next, or that an ARP request asks for.
pub const NEXT_HOP_V4: Register<Ipv4Addr> = Register::new("next_hop", Field::Reg8, 0, 32);

/// The IPv6 address that the packet goes to next, or that a neighbour solicitation asks for.
pub const NEXT_HOP_V6: Register<Ipv6Addr> = Register::new("next_hop", Field::Xxreg2, 0, 128);

/// The network by which the packet came to the router that it is in. The whole register.
pub const ARRIVAL: Register<NetworkKey> = Register::new("arrival", Field::Reg13, 0, 32);

/// The bits of the arrival that a network key can have.
pub const ARRIVAL_KEY: Register<NetworkKey> = Register::new("arrival", Field::Reg13, 0, 24);

/// The link-layer address by which a router sends the packet on. The packet has it only when it is known to go to a
/// port: until then a router may still have to answer the sender.
pub const OUTGOING_MAC: Register<MacAddress> = Register::new("outgoing_mac", Field::Xreg7, 0, 48);

/// What the controller is asked about a packet. The numbers stand in packet-ins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Punt {
    /// A DHCP client's message.
    Dhcpv4 = 1,
    /// A DHCPv6 client's message.
    Dhcpv6 = 2,
    /// A router solicitation.
    RouterSolicitation = 3,
    /// The packet may not pass another router.
    TimeExceeded = 4,
    /// The router has no route to the destination.
    NoRoute = 5,
    /// Nobody has the address that is next on the way.
    HostUnreachable = 6,
    /// The packet is larger than the next network allows.
    TooBig = 7,
}

impl Punt {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Dhcpv4,
        Self::Dhcpv6,
        Self::RouterSolicitation,
        Self::TimeExceeded,
        Self::NoRoute,
        Self::HostUnreachable,
        Self::TooBig,
    ];

    /// The question in a few words.
    #[must_use]
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::Dhcpv4 => "A DHCP client's message",
            Self::Dhcpv6 => "A DHCPv6 client's message",
            Self::RouterSolicitation => "A router solicitation",
            Self::TimeExceeded => "The packet may not pass another router",
            Self::NoRoute => "The router has no route to the destination",
            Self::HostUnreachable => "Nobody has the address that is next on the way",
            Self::TooBig => "The packet is larger than the next network allows",
        }
    }

    /// The kind that has this number.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|punt| *punt as u8 == number)
    }
}

impl Number for Punt {
    fn number(self) -> u128 {
        u128::from(self as u8)
    }
}

/// What the controller is asked about the packet.
pub const PUNT: Register<Punt> = Register::new("punt", Field::Reg2, 24, 8);

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
        meaning: "Key of the port that is to get the packet, or that has the address that it asks for.",
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
        name: ROUTED.name,
        bits: ROUTED.bits,
        bridge: Some(Bridge::Integration),
        meaning: "A router of this hypervisor has moved the packet to another network.",
    },
    RegisterUse {
        name: MULTICAST.name,
        bits: MULTICAST.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The packet goes to a group address.",
    },
    RegisterUse {
        name: HERE.name,
        bits: HERE.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The destination port is plugged here.",
    },
    RegisterUse {
        name: SOURCE_STATEFUL.name,
        bits: SOURCE_STATEFUL.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The sender's security groups let replies pass.",
    },
    RegisterUse {
        name: DESTINATION_STATEFUL.name,
        bits: DESTINATION_STATEFUL.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The receiver's security groups let replies pass.",
    },
    RegisterUse {
        name: TOO_BIG.name,
        bits: TOO_BIG.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The packet is larger than its destination network allows.",
    },
    RegisterUse {
        name: HOPS.name,
        bits: HOPS.bits,
        bridge: Some(Bridge::Integration),
        meaning: "How many routers beyond the first the packet has come through.",
    },
    RegisterUse {
        name: PERMITTED.name,
        bits: PERMITTED.bits,
        bridge: Some(Bridge::Integration),
        meaning: "A rule allows the packet.",
    },
    RegisterUse {
        name: EXEMPT.name,
        bits: EXEMPT.bits,
        bridge: Some(Bridge::Integration),
        meaning: "No security group filters the packet.",
    },
    RegisterUse {
        name: OF_ROUTER.name,
        bits: OF_ROUTER.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The neighbour advertisement speaks of a router.",
    },
    RegisterUse {
        name: SHARED.name,
        bits: SHARED.bits,
        bridge: Some(Bridge::Integration),
        meaning: "A copy for one of several ports that have the destination address.",
    },
    RegisterUse {
        name: INITIATOR.name,
        bits: INITIATOR.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the port that began the connection; 0 when its first packet came from the tunnel.",
    },
    RegisterUse {
        name: RESPONDER.name,
        bits: RESPONDER.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the port that the connection was begun to; 0 when several ports share the address.",
    },
    RegisterUse {
        name: EGRESS_GENERATION.name,
        bits: EGRESS_GENERATION.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Generation of the rules that let the connection out; 0 if none did on this hypervisor.",
    },
    RegisterUse {
        name: INGRESS_GENERATION.name,
        bits: INGRESS_GENERATION.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Generation of the rules that let the connection in; 0 if none did on this hypervisor.",
    },
    RegisterUse {
        name: LETS_OUT.name,
        bits: LETS_OUT.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Generation of the egress rules that allow the packet; 0 if none were asked.",
    },
    RegisterUse {
        name: LETS_IN.name,
        bits: LETS_IN.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Generation of the ingress rules that allow the packet; 0 if none were asked.",
    },
    RegisterUse {
        name: SOURCE_SET_KEY.name,
        bits: SOURCE_SET_KEY.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the sender's set of security groups; 0 if nothing is filtered.",
    },
    RegisterUse {
        name: DESTINATION_SET_KEY.name,
        bits: DESTINATION_SET_KEY.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the receiver's set of security groups; 0 if nothing is filtered here.",
    },
    RegisterUse {
        name: SUBJECT_SET.name,
        bits: SUBJECT_SET.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the set whose rules are asked.",
    },
    RegisterUse {
        name: SUBJECT_INGRESS.name,
        bits: SUBJECT_INGRESS.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The ingress rules are asked, not the egress rules.",
    },
    RegisterUse {
        name: SUBJECT_CONNECTION.name,
        bits: SUBJECT_CONNECTION.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The rules are asked about the connection's first packet, not about this one.",
    },
    RegisterUse {
        name: ZONE.name,
        bits: ZONE.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The conntrack zone of the connection.",
    },
    RegisterUse {
        name: ROUTER.name,
        bits: ROUTER.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the router that the packet is in.",
    },
    RegisterUse {
        name: NEXT_HOP_V4.name,
        bits: NEXT_HOP_V4.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The IPv4 address that the packet goes to next, or that it asks for.",
    },
    RegisterUse {
        name: NEXT_HOP_V6.name,
        bits: NEXT_HOP_V6.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The IPv6 address that the packet goes to next, or that it asks for.",
    },
    RegisterUse {
        name: OUTGOING_MAC.name,
        bits: OUTGOING_MAC.bits,
        bridge: Some(Bridge::Integration),
        meaning: "The link-layer address by which the router sends the packet on.",
    },
    RegisterUse {
        name: PUNT.name,
        bits: PUNT.bits,
        bridge: Some(Bridge::Integration),
        meaning: "What the controller is asked about the packet.",
    },
    RegisterUse {
        name: ARRIVAL_KEY.name,
        bits: ARRIVAL_KEY.bits,
        bridge: Some(Bridge::Integration),
        meaning: "Key of the network by which the packet came to the router.",
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
            // The 64 bits of xreg7 are those of reg14 and reg15.
            let (field, mask) = match one.bits.field {
                Field::Reg14 => (Field::Xreg7, one.bits.mask() << 32),
                field => (field, one.bits.mask()),
            };
            let others = taken.entry(field).or_insert(0);
            assert_eq!(*others & mask, 0, "{} overlaps", one.name);
            *others |= mask;
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
