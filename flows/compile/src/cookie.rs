//! Cookies: the 64 bits by which every flow names its purpose and its object.
//!
//! From the highest bit: 4 bits version, 8 bits [`Purpose`], 8 bits [`Reason`] (drops only), 12 bits zero, 32 bits key of
//! the object (port, network, router, rule and so on, as the purpose says; 0 for none).

use weir_model::{AddressGroupKey, GroupKey, HostKey, NetworkKey, PortKey, RouterKey, RuleKey};
use weir_openflow::Cookie;

const VERSION: u64 = 1;
const VERSION_SHIFT: u32 = 60;
const PURPOSE_SHIFT: u32 = 52;
const REASON_SHIFT: u32 = 44;
const ZERO: u64 = 0xfff << 32;

/// The object that a flow belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Object {
    /// None: the flow is on every hypervisor, whatever there is.
    Nothing,
    /// A port.
    Port(PortKey),
    /// A network.
    Network(NetworkKey),
    /// A hypervisor.
    Host(HostKey),
    /// A router.
    Router(RouterKey),
    /// A rule of a security group.
    Rule(RuleKey),
    /// A security group.
    Group(GroupKey),
    /// An address group.
    AddressGroup(AddressGroupKey),
}

impl Object {
    const fn key(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Port(PortKey(key))
            | Self::Network(NetworkKey(key))
            | Self::Host(HostKey(key))
            | Self::Router(RouterKey(key))
            | Self::Rule(RuleKey(key))
            | Self::Group(GroupKey(key))
            | Self::AddressGroup(AddressGroupKey(key)) => key,
        }
    }
}

/// What kind of object a purpose is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Nothing,
    Port,
    Network,
    Host,
    Router,
    Rule,
    Group,
    AddressGroup,
}

macro_rules! purposes {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $kind:ident, $phrase:literal;)*) => {
        /// What a flow is for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Purpose {
            $($(#[$doc])* $name = $number,)*
        }

        impl Purpose {
            /// Every purpose.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What the flow is for, in a few words.
            #[must_use]
            pub const fn phrase(self) -> &'static str {
                match self {
                    $(Self::$name => $phrase,)*
                }
            }

            const fn kind(self) -> Kind {
                match self {
                    $(Self::$name => Kind::$kind,)*
                }
            }
        }
    };
}

purposes! {
    /// A step that every packet of a kind takes.
    Step = 1, Nothing, "step of the pipeline";
    /// Drops, on every hypervisor, for a reason.
    Refuse = 2, Nothing, "drop";
    /// Drops because of a port, for a reason.
    RefusePort = 3, Port, "drop";
    /// Drops because of a network, for a reason.
    RefuseNetwork = 4, Network, "drop";
    /// A digest of all other flows.
    Seal = 5, Nothing, "a digest of all other flows";
    /// From the VIF into the pipeline.
    FromVif = 10, Port, "packets from the VIF";
    /// Out to the VIF.
    ToVif = 11, Port, "delivery to the VIF";
    /// An allowed IPv4 source.
    Ipv4Source = 20, Port, "IPv4 source check";
    /// DHCP requests from a port that has no address yet.
    DhcpRequest = 21, Port, "DHCP requests";
    /// An allowed ARP sender.
    ArpSource = 22, Port, "ARP sender check";
    /// ARP probes (RFC 5227).
    ArpProbe = 23, Port, "ARP probes";
    /// RARP announcements after a live migration.
    RarpSource = 24, Port, "RARP sender check";
    /// An allowed IPv6 source.
    Ipv6Source = 25, Port, "IPv6 source check";
    /// IPv6 packets without a source.
    Ipv6Unspecified = 26, Port, "IPv6 packets without a source";
    /// Neighbour solicitations with the sender's own link-layer address or none.
    SolicitationSource = 27, Port, "neighbour solicitation check";
    /// Neighbour advertisements of the sender's own addresses.
    AdvertisementSource = 28, Port, "neighbour advertisement check";
    /// Everything, since port security is off.
    Unchecked = 29, Port, "sources not checked (port security is off)";
    /// Questions of a port for its own address.
    OwnAddress = 30, Port, "questions for its own address (duplicate detection)";
    /// A router's answer to ARP requests.
    ArpAnswer = 31, Port, "ARP answer";
    /// A router's answer to neighbour solicitations.
    NdAnswer = 32, Port, "neighbour advertisement answer";
    /// A router's answer to duplicate address detection.
    DadAnswer = 33, Port, "duplicate address answer";
    /// Who has an address.
    Neighbour = 34, Port, "its address, for ARP, neighbour discovery and routers";
    /// The port that has a link-layer address.
    Mac = 40, Port, "destination address";
    /// Broadcast and multicast of a network.
    Flood = 41, Network, "broadcast and multicast";
    /// The conntrack zone of packets into the network.
    Zone = 42, Network, "conntrack zone";
    /// The port is plugged here, with these security groups.
    Destination = 43, Port, "destination port is plugged here";
    /// Packets of the port that the controller answers, at a bounded rate.
    Punt = 44, Port, "questions to the controller";
    /// DHCP messages of clients.
    Dhcp = 45, Network, "DHCP";
    /// Router solicitations.
    RouterSolicitation = 46, Network, "router solicitations";
    /// The address of a gateway that is no router's, asked for by DHCP clients.
    DhcpServer = 47, Network, "ARP answer of the DHCP server";
    /// Connections that the port began or that were begun to it.
    Connection = 48, Port, "a connection of the port";
    /// A known tunnel endpoint.
    TunnelSource = 50, Host, "tunnel packets from its endpoint";
    /// From the tunnel into a network.
    TunnelNetwork = 51, Network, "packets from the tunnel";
    /// To a port on another hypervisor.
    TunnelPort = 52, Port, "way through the tunnel";
    /// Broadcast and multicast to other hypervisors.
    TunnelFlood = 53, Network, "broadcast and multicast through the tunnel";
    /// The link-layer address of a router.
    RouterMac = 60, Port, "packets to the router";
    /// An address of a router itself.
    RouterAddress = 61, Port, "the router's own address";
    /// The router itself gets a packet.
    ToRouter = 62, Port, "packets for the router itself";
    /// The subnet of a router's interface.
    ConnectedRoute = 63, Port, "route to the interface's subnet";
    /// A route of a router beyond its interfaces.
    ExtraRoute = 64, Router, "extra route";
    /// The largest packet of a network.
    Mtu = 65, Network, "largest packet";
    /// Another router has an address.
    NextRouter = 67, Port, "next hop is a router";
    /// A rule allows the packet.
    Rule = 70, Rule, "security group rule";
    /// One half of a rule with a remote group: protocol and ports.
    RemoteRule = 71, Rule, "security group rule, if the remote address is right";
    /// The other half: an address of a port of the remote group.
    RemoteGroup = 72, Group, "address of a remote group's port";
    /// The other half: an address of an address group.
    RemoteAddresses = 73, AddressGroup, "address of an address group";
    /// Both halves of a rule with a remote group are met.
    RemoteGroupMet = 74, Group, "rule with this remote group";
    /// Both halves of a rule with an address group are met.
    RemoteAddressesMet = 75, AddressGroup, "rule with this address group";
    /// What the rules of a set of groups allow.
    Permit = 76, Group, "what rules of this group, or of others that its ports have, allow";
    /// Connections that the rules of a set of groups allowed and would allow again.
    Permitted = 77, Group, "connections that rules of this group, or of others that its ports have, allowed";
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $phrase:literal;)*) => {
        /// Why a packet is dropped; each reason is counted by flows of its own.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Reason {
            $($(#[$doc])* $name = $number,)*
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The reason in a few words.
            #[must_use]
            pub const fn phrase(self) -> &'static str {
                match self {
                    $(Self::$name => $phrase,)*
                }
            }
        }
    };
}

reasons! {
    /// The port of br-int is no VIF of a bound port.
    UnknownVif = 1, "no bound port is plugged there";
    /// A VIF sent a VLAN tag.
    Tagged = 2, "VLAN-tagged frame from a VIF";
    /// The port is administratively down.
    PortDown = 3, "the port is administratively down";
    /// The network is administratively down.
    NetworkDown = 4, "the network is administratively down";
    /// The Ethernet source is a group address.
    MulticastSource = 5, "multicast Ethernet source";
    /// The source is not one of the port's.
    Spoofed = 6, "source address not allowed for the port";
    /// A DHCP server's packet from a port that may not serve.
    DhcpServer = 7, "DHCP server messages from a port";
    /// A router advertisement from a port that may not route.
    RouterAdvertisement = 8, "router advertisement from a port";
    /// An IPv6 packet without source that is no DAD, RS or MLD.
    Unspecified = 9, "IPv6 packet without a source";
    /// Neighbour discovery that speaks of another's address.
    SpoofedNeighbour = 10, "neighbour discovery for an address not allowed for the port";
    /// A neighbour advertisement that could not be completed.
    NoAnswer = 11, "no neighbour advertisement to complete";
    /// No port of the network has the destination address.
    UnknownDestination = 12, "no port of the network has the destination address";
    /// The destination port is not plugged here and the packet may not enter the tunnel again.
    NotHere = 13, "the destination port is not plugged here";
    /// No group for the network.
    NoFlood = 14, "broadcast in a network that has no port here";
    /// A port of br-tun that is not Weir's.
    ForeignPort = 15, "packet from a foreign port of br-tun";
    /// The tunnel packet's sender is no known hypervisor.
    UnknownTunnelSource = 16, "tunnel packet from an unknown endpoint";
    /// No network with this VNI has a port here.
    UnknownVni = 17, "tunnel packet with a VNI that has no network here";
    /// No way to the destination.
    NoTunnel = 18, "no hypervisor to send to";
    /// Nobody answers for this port.
    NoAnswerer = 19, "question to the controller from no port of this hypervisor";
    /// The packet is neither IPv4 nor IPv6.
    NotIp = 20, "neither IPv4 nor IPv6 for a router";
    /// More routers than a packet may pass.
    TooManyRouters = 21, "more routers than a packet may pass";
    /// A router answers pings only.
    RouterOnlyPings = 22, "the router itself answers pings only";
    /// No rule of the sender's groups allows the packet.
    EgressRules = 23, "no security group rule lets the sender send it";
    /// No rule of the receiver's groups allows the packet.
    IngressRules = 24, "no security group rule lets the receiver get it";
    /// No connection, and nothing that could begin one.
    Invalid = 25, "invalid for connection tracking";
    /// An address that no router passes on.
    Unroutable = 27, "multicast, link-local or unspecified address for a router";
    /// No rule matches; the asking table decides.
    NoRule = 26, "no rule";
    /// A reply about a connection that another port began, or that was begun to another port.
    ForeignConnection = 28, "reply in a connection of other ports";
    /// Neighbour discovery, or what a DHCP server says, for a router.
    LinkOnly = 29, "a message about a link for a router";
    /// No port has the address; the asking table decides.
    NoPort = 30, "no port has the address";
}

/// A cookie, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// What the flow is for.
    pub purpose: Purpose,
    /// The object it belongs to.
    pub object: Object,
    /// Why it drops, if it does.
    pub reason: Option<Reason>,
}

impl Tag {
    /// A flow that does not drop.
    #[must_use]
    pub(crate) fn of(purpose: Purpose, object: Object) -> Self {
        let tag = Self { purpose, object, reason: None };
        debug_assert_eq!(Self::decode(tag.cookie()), Some(tag), "the purpose is about another kind of object");
        tag
    }

    /// A flow that drops.
    #[must_use]
    pub(crate) fn drop(reason: Reason, object: Object) -> Self {
        let purpose = match object {
            Object::Port(_) => Purpose::RefusePort,
            Object::Network(_) => Purpose::RefuseNetwork,
            _ => Purpose::Refuse,
        };
        Self { purpose, object, reason: Some(reason) }
    }

    /// The 64 bits.
    #[must_use]
    pub fn cookie(self) -> Cookie {
        let reason = self.reason.map_or(0, |reason| reason as u64);
        Cookie(
            VERSION << VERSION_SHIFT
                | (self.purpose as u64) << PURPOSE_SHIFT
                | reason << REASON_SHIFT
                | u64::from(self.object.key()),
        )
    }

    /// Takes a cookie apart; none for one that is not Weir's.
    #[must_use]
    pub fn decode(Cookie(cookie): Cookie) -> Option<Self> {
        if cookie >> VERSION_SHIFT != VERSION || cookie & ZERO != 0 {
            return None;
        }
        let number = (cookie >> PURPOSE_SHIFT) as u8;
        let purpose = *Purpose::ALL.iter().find(|purpose| **purpose as u8 == number)?;
        let number = (cookie >> REASON_SHIFT) as u8;
        let reason = Reason::ALL.iter().find(|reason| **reason as u8 == number).copied();
        let drops = matches!(purpose, Purpose::Refuse | Purpose::RefusePort | Purpose::RefuseNetwork);
        if drops != reason.is_some() || (number != 0) != reason.is_some() {
            return None;
        }
        let key = cookie as u32;
        let object = match (purpose.kind(), key) {
            (Kind::Nothing, 0) => Object::Nothing,
            (_, 0) | (Kind::Nothing, _) => return None,
            (Kind::Port, key) => Object::Port(PortKey(key)),
            (Kind::Network, key) => Object::Network(NetworkKey(key)),
            (Kind::Host, key) => Object::Host(HostKey(key)),
            (Kind::Router, key) => Object::Router(RouterKey(key)),
            (Kind::Rule, key) => Object::Rule(RuleKey(key)),
            (Kind::Group, key) => Object::Group(GroupKey(key)),
            (Kind::AddressGroup, key) => Object::AddressGroup(AddressGroupKey(key)),
        };
        Some(Self { purpose, object, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_comes_back() {
        for &purpose in Purpose::ALL {
            let object = match purpose.kind() {
                Kind::Nothing => Object::Nothing,
                Kind::Port => Object::Port(PortKey(PortKey::MAX)),
                Kind::Network => Object::Network(NetworkKey(NetworkKey::MAX)),
                Kind::Host => Object::Host(HostKey(HostKey::MAX)),
                Kind::Router => Object::Router(RouterKey(RouterKey::MAX)),
                Kind::Rule => Object::Rule(RuleKey(RuleKey::MAX)),
                Kind::Group => Object::Group(GroupKey(GroupKey::MAX)),
                Kind::AddressGroup => Object::AddressGroup(AddressGroupKey(AddressGroupKey::MAX)),
            };
            match purpose {
                Purpose::Refuse | Purpose::RefusePort | Purpose::RefuseNetwork => {
                    for &reason in Reason::ALL {
                        let tag = Tag::drop(reason, object);
                        assert_eq!(tag.purpose, purpose);
                        assert_eq!(Tag::decode(tag.cookie()), Some(tag));
                    }
                }
                _ => {
                    let tag = Tag::of(purpose, object);
                    assert_eq!(Tag::decode(tag.cookie()), Some(tag));
                }
            }
        }
    }

    #[test]
    fn foreign_cookies_are_not_taken_for_ours() {
        let ours = Tag::of(Purpose::Mac, Object::Port(PortKey(7))).cookie().0;
        for foreign in [0, 1, 7, u64::MAX, ours | 1 << 32, ours & !(0xf << 60), ours & !0xffff_ffff, ours | 1 << 44] {
            assert_eq!(Tag::decode(Cookie(foreign)), None, "{foreign:#x}");
        }
    }
}
