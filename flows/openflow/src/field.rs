//! Match fields: the one table of OXM and NXM fields.

/// How a field is written in the notation of `ovs-ofctl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldFormat {
    /// A decimal number.
    Decimal,
    /// A hexadecimal number.
    Hex,
    /// An Ethernet address.
    Mac,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A 16-bit port number of OpenFlow 1.0.
    Port16,
    /// A 32-bit port number.
    Port,
    /// Flags of connection tracking.
    CtState,
    /// TCP flags.
    TcpFlags,
    /// Tunnel flags.
    TunFlags,
    /// Fragment words (`no`, `first`, `later`...).
    Frag,
    /// Namespace and type in parentheses.
    PacketType,
}

/// What a packet must be for a field to exist; a match must say so itself, or the switch refuses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prerequisite {
    /// Every packet has the field.
    Free,
    /// An Ethernet packet.
    Ethernet,
    /// A VLAN header.
    Vlan,
    /// MPLS.
    Mpls,
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
    /// IPv4 or IPv6.
    Ip,
    /// ARP or RARP.
    Arp,
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
    /// ICMP for IPv4.
    Icmpv4,
    /// ICMP for IPv6.
    Icmpv6,
    /// Neighbour solicitation or advertisement.
    Nd,
    /// Neighbour solicitation.
    NdSolicit,
    /// Neighbour advertisement.
    NdAdvert,
    /// Network service header.
    Nsh,
    /// A tracked connection (`ct_state=+trk`).
    Ct,
}

/// The class of an OXM or NXM header, with the experimenter it implies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Of,
    Nx,
    Basic,
    Packet,
    Ericsson,
    Nicira,
    Onf,
    Nsh,
}

impl Class {
    /// How many classes there are.
    const COUNT: usize = Self::Nsh as usize + 1;

    /// The class of a header.
    const fn find(class: u16, experimenter: u32) -> Option<Self> {
        Some(match (class, experimenter) {
            (0, _) => Self::Of,
            (1, _) => Self::Nx,
            (0x8000, _) => Self::Basic,
            (0x8001, _) => Self::Packet,
            (0x1000, _) => Self::Ericsson,
            (EXPERIMENTER_CLASS, NICIRA) => Self::Nicira,
            (EXPERIMENTER_CLASS, ONF) => Self::Onf,
            (EXPERIMENTER_CLASS, NSH) => Self::Nsh,
            _ => return None,
        })
    }

    /// The 16 bits of the class on the wire.
    pub(crate) const fn number(self) -> u16 {
        match self {
            Self::Of => 0,
            Self::Nx => 1,
            Self::Basic => 0x8000,
            Self::Packet => 0x8001,
            Self::Ericsson => 0x1000,
            Self::Nicira | Self::Onf | Self::Nsh => EXPERIMENTER_CLASS,
        }
    }

    /// The experimenter that follows the header; 0 for none.
    pub(crate) const fn experimenter(self) -> u32 {
        match self {
            Self::Nicira => NICIRA,
            Self::Onf => ONF,
            Self::Nsh => NSH,
            _ => 0,
        }
    }
}

/// The experimenter number of Nicira, whose extensions Open vSwitch carries on.
pub(crate) const NICIRA: u32 = 0x2320;
/// The experimenter number of the Open Networking Foundation.
const ONF: u32 = 0x4f4e_4600;
/// The number under which Open vSwitch keeps the fields of the network service header.
const NSH: u32 = 0x005a_d650;

/// The class of headers that an experimenter's number follows.
pub(crate) const EXPERIMENTER_CLASS: u16 = 0xffff;

/// One way to write a field as OXM or NXM.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Header {
    pub(crate) class: Class,
    pub(crate) number: u8,
    /// The name of the header, as subfields are written.
    pub(crate) name: &'static str,
}

/// One field. Of its headers, actions of Nicira and the notation of subfields use the first, and OpenFlow 1.5 the last,
/// as Open vSwitch does; any of them is read.
struct Row {
    bytes: u8,
    width: u8,
    maskable: bool,
    prerequisite: Prerequisite,
    format: FieldFormat,
    names: &'static [&'static str],
    headers: &'static [Header],
}

macro_rules! maskable {
    (mask) => {
        true
    };
    (no) => {
        false
    };
}

macro_rules! fields {
    ($($variant:ident: $bytes:literal, $width:literal, $mask:ident, $prerequisite:ident, $format:ident,
        [$($name:literal),+], [$($class:ident $number:literal $header:ident),+];)*) => {
        /// A field of a packet or of its metadata, matched or set.
        ///
        /// Every value is held in a `u128`, right aligned. The variants stand in the order in which Open vSwitch
        /// writes them into a match, so that a match in ascending order has the very bytes that the switch dumps.
        ///
        /// Open vSwitch 3.1 keeps of a match on `TunErspan*` and `TunGtpu*` only the bits that are set in the value:
        /// such a flow matches more than it says, and does not read back as it was sent.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(
            missing_docs,
            reason = "each variant is the field of the same name in ovs-fields(7)"
        )]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            /// Every field, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            const fn row(self) -> &'static Row {
                const ROWS: &[Row] = &[$(Row {
                    bytes: $bytes,
                    width: $width,
                    maskable: maskable!($mask),
                    prerequisite: Prerequisite::$prerequisite,
                    format: FieldFormat::$format,
                    names: &[$($name),+],
                    headers: &[$(Header {
                        class: Class::$class,
                        number: $number,
                        name: stringify!($header),
                    }),+],
                },)*];
                &ROWS[self as usize]
            }

            /// The field that a header names, by class, number (7 bits) and experimenter (0 for none).
            #[must_use]
            pub(crate) fn from_header(class: u16, number: u8, experimenter: u32) -> Option<Self> {
                const INDEX: [[Option<Field>; 128]; Class::COUNT] = {
                    let mut index = [[None; 128]; Class::COUNT];
                    $($(index[Class::$class as usize][$number] = Some(Field::$variant);)+)*
                    index
                };
                let class = Class::find(class, experimenter)?;
                INDEX[class as usize].get(usize::from(number)).copied().flatten()
            }
        }
    };
}

fields! {
    PacketType: 4, 32, no, Free, PacketType, ["packet_type"], [Basic 44 OXM_OF_PACKET_TYPE];
    DpHash: 4, 32, mask, Free, Hex, ["dp_hash"], [Nx 35 NXM_NX_DP_HASH, Nicira 0 NXOXM_ET_DP_HASH, Nx 35 NXM_NX_DP_HASH];
    RecircId: 4, 32, no, Free, Decimal, ["recirc_id"], [Nx 36 NXM_NX_RECIRC_ID];
    ConjId: 4, 32, no, Free, Decimal, ["conj_id"], [Nx 37 NXM_NX_CONJ_ID];
    InPort: 2, 16, no, Free, Port16, ["in_port"], [Of 0 NXM_OF_IN_PORT];
    InPortOxm: 4, 32, no, Free, Port, ["in_port_oxm"], [Basic 0 OXM_OF_IN_PORT];
    ActsetOutput: 4, 32, no, Free, Port, ["actset_output"], [Onf 43 ONFOXM_ET_ACTSET_OUTPUT, Basic 43 OXM_OF_ACTSET_OUTPUT];
    EthSrc: 6, 48, mask, Ethernet, Mac, ["eth_src", "dl_src"], [Of 2 NXM_OF_ETH_SRC, Basic 4 OXM_OF_ETH_SRC];
    EthDst: 6, 48, mask, Ethernet, Mac, ["eth_dst", "dl_dst"], [Of 1 NXM_OF_ETH_DST, Basic 3 OXM_OF_ETH_DST];
    EthType: 2, 16, no, Ethernet, Hex, ["eth_type", "dl_type"], [Of 3 NXM_OF_ETH_TYPE, Basic 5 OXM_OF_ETH_TYPE];
    VlanTci: 2, 16, mask, Ethernet, Hex, ["vlan_tci"], [Of 4 NXM_OF_VLAN_TCI];
    VlanVid: 2, 12, mask, Ethernet, Decimal, ["vlan_vid"], [Basic 6 OXM_OF_VLAN_VID];
    VlanPcp: 1, 3, no, Vlan, Decimal, ["vlan_pcp"], [Basic 7 OXM_OF_VLAN_PCP];
    MplsTc: 1, 3, no, Mpls, Decimal, ["mpls_tc"], [Basic 35 OXM_OF_MPLS_TC];
    MplsBos: 1, 1, no, Mpls, Decimal, ["mpls_bos"], [Basic 36 OXM_OF_MPLS_BOS];
    MplsTtl: 1, 8, no, Mpls, Decimal, ["mpls_ttl"], [Nx 30 NXM_NX_MPLS_TTL];
    MplsLabel: 4, 20, no, Mpls, Decimal, ["mpls_label"], [Basic 34 OXM_OF_MPLS_LABEL];
    Ipv4Src: 4, 32, mask, Ipv4, Ipv4, ["ip_src", "nw_src"], [Of 7 NXM_OF_IP_SRC, Basic 11 OXM_OF_IPV4_SRC];
    Ipv4Dst: 4, 32, mask, Ipv4, Ipv4, ["ip_dst", "nw_dst"], [Of 8 NXM_OF_IP_DST, Basic 12 OXM_OF_IPV4_DST];
    Ipv6Src: 16, 128, mask, Ipv6, Ipv6, ["ipv6_src"], [Nx 19 NXM_NX_IPV6_SRC, Basic 26 OXM_OF_IPV6_SRC];
    Ipv6Dst: 16, 128, mask, Ipv6, Ipv6, ["ipv6_dst"], [Nx 20 NXM_NX_IPV6_DST, Basic 27 OXM_OF_IPV6_DST];
    IpFrag: 1, 2, mask, Ip, Frag, ["ip_frag", "nw_frag"], [Nx 26 NXM_NX_IP_FRAG];
    IpDscp: 1, 6, no, Ip, Decimal, ["ip_dscp"], [Basic 8 OXM_OF_IP_DSCP];
    IpEcn: 1, 2, no, Ip, Decimal, ["nw_ecn", "ip_ecn"], [Nx 28 NXM_NX_IP_ECN, Basic 9 OXM_OF_IP_ECN];
    IpTtl: 1, 8, no, Ip, Decimal, ["nw_ttl"], [Nx 29 NXM_NX_IP_TTL];
    Ipv6Label: 4, 20, mask, Ipv6, Hex, ["ipv6_label"], [Nx 27 NXM_NX_IPV6_LABEL, Basic 28 OXM_OF_IPV6_FLABEL];
    IpProto: 1, 8, no, Ip, Decimal, ["nw_proto", "ip_proto"], [Of 6 NXM_OF_IP_PROTO, Basic 10 OXM_OF_IP_PROTO];
    TcpSrc: 2, 16, mask, Tcp, Decimal, ["tcp_src", "tp_src"], [Of 9 NXM_OF_TCP_SRC, Basic 13 OXM_OF_TCP_SRC];
    TcpDst: 2, 16, mask, Tcp, Decimal, ["tcp_dst", "tp_dst"], [Of 10 NXM_OF_TCP_DST, Basic 14 OXM_OF_TCP_DST];
    TcpFlags: 2, 12, mask, Tcp, TcpFlags, ["tcp_flags"], [Nx 34 NXM_NX_TCP_FLAGS, Onf 42 ONFOXM_ET_TCP_FLAGS, Basic 42 OXM_OF_TCP_FLAGS];
    UdpSrc: 2, 16, mask, Udp, Decimal, ["udp_src"], [Of 11 NXM_OF_UDP_SRC, Basic 15 OXM_OF_UDP_SRC];
    UdpDst: 2, 16, mask, Udp, Decimal, ["udp_dst"], [Of 12 NXM_OF_UDP_DST, Basic 16 OXM_OF_UDP_DST];
    SctpSrc: 2, 16, mask, Sctp, Decimal, ["sctp_src"], [Basic 17 OXM_OF_SCTP_SRC];
    SctpDst: 2, 16, mask, Sctp, Decimal, ["sctp_dst"], [Basic 18 OXM_OF_SCTP_DST];
    IcmpType: 1, 8, no, Icmpv4, Decimal, ["icmp_type"], [Of 13 NXM_OF_ICMP_TYPE, Basic 19 OXM_OF_ICMPV4_TYPE];
    IcmpCode: 1, 8, no, Icmpv4, Decimal, ["icmp_code"], [Of 14 NXM_OF_ICMP_CODE, Basic 20 OXM_OF_ICMPV4_CODE];
    Icmpv6Type: 1, 8, no, Icmpv6, Decimal, ["icmpv6_type"], [Nx 21 NXM_NX_ICMPV6_TYPE, Basic 29 OXM_OF_ICMPV6_TYPE];
    Icmpv6Code: 1, 8, no, Icmpv6, Decimal, ["icmpv6_code"], [Nx 22 NXM_NX_ICMPV6_CODE, Basic 30 OXM_OF_ICMPV6_CODE];
    NdReserved: 4, 32, no, Nd, Decimal, ["nd_reserved"], [Ericsson 1 ERICOXM_OF_ICMPV6_ND_RESERVED];
    NdTarget: 16, 128, mask, Nd, Ipv6, ["nd_target"], [Nx 23 NXM_NX_ND_TARGET, Basic 31 OXM_OF_IPV6_ND_TARGET];
    NdOptionsType: 1, 8, no, Nd, Decimal, ["nd_options_type"], [Ericsson 2 ERICOXM_OF_ICMPV6_ND_OPTIONS_TYPE];
    NdSll: 6, 48, mask, NdSolicit, Mac, ["nd_sll"], [Nx 24 NXM_NX_ND_SLL, Basic 32 OXM_OF_IPV6_ND_SLL];
    NdTll: 6, 48, mask, NdAdvert, Mac, ["nd_tll"], [Nx 25 NXM_NX_ND_TLL, Basic 33 OXM_OF_IPV6_ND_TLL];
    ArpOp: 2, 16, no, Arp, Decimal, ["arp_op"], [Of 15 NXM_OF_ARP_OP, Basic 21 OXM_OF_ARP_OP];
    ArpSpa: 4, 32, mask, Arp, Ipv4, ["arp_spa"], [Of 16 NXM_OF_ARP_SPA, Basic 22 OXM_OF_ARP_SPA];
    ArpTpa: 4, 32, mask, Arp, Ipv4, ["arp_tpa"], [Of 17 NXM_OF_ARP_TPA, Basic 23 OXM_OF_ARP_TPA];
    ArpSha: 6, 48, mask, Arp, Mac, ["arp_sha"], [Nx 17 NXM_NX_ARP_SHA, Basic 24 OXM_OF_ARP_SHA];
    ArpTha: 6, 48, mask, Arp, Mac, ["arp_tha"], [Nx 18 NXM_NX_ARP_THA, Basic 25 OXM_OF_ARP_THA];
    TunId: 8, 64, mask, Free, Hex, ["tun_id", "tunnel_id"], [Nx 16 NXM_NX_TUN_ID, Basic 38 OXM_OF_TUNNEL_ID];
    TunFlags: 2, 1, mask, Free, TunFlags, ["tun_flags"], [Nx 104 NXM_NX_TUN_FLAGS];
    TunSrc: 4, 32, mask, Free, Ipv4, ["tun_src"], [Nx 31 NXM_NX_TUN_IPV4_SRC];
    TunDst: 4, 32, mask, Free, Ipv4, ["tun_dst"], [Nx 32 NXM_NX_TUN_IPV4_DST];
    TunIpv6Src: 16, 128, mask, Free, Ipv6, ["tun_ipv6_src"], [Nx 109 NXM_NX_TUN_IPV6_SRC];
    TunIpv6Dst: 16, 128, mask, Free, Ipv6, ["tun_ipv6_dst"], [Nx 110 NXM_NX_TUN_IPV6_DST];
    TunGbpId: 2, 16, mask, Free, Decimal, ["tun_gbp_id"], [Nx 38 NXM_NX_TUN_GBP_ID];
    TunGbpFlags: 1, 8, mask, Free, Hex, ["tun_gbp_flags"], [Nx 39 NXM_NX_TUN_GBP_FLAGS];
    TunErspanIdx: 4, 20, mask, Free, Hex, ["tun_erspan_idx"], [Nicira 11 NXOXM_ET_ERSPAN_IDX];
    TunErspanVer: 1, 4, mask, Free, Decimal, ["tun_erspan_ver"], [Nicira 12 NXOXM_ET_ERSPAN_VER];
    TunErspanDir: 1, 1, mask, Free, Decimal, ["tun_erspan_dir"], [Nicira 13 NXOXM_ET_ERSPAN_DIR];
    TunErspanHwid: 1, 6, mask, Free, Hex, ["tun_erspan_hwid"], [Nicira 14 NXOXM_ET_ERSPAN_HWID];
    TunGtpuFlags: 1, 8, mask, Free, Hex, ["tun_gtpu_flags"], [Nicira 15 NXOXM_ET_GTPU_FLAGS];
    TunGtpuMsgtype: 1, 8, mask, Free, Decimal, ["tun_gtpu_msgtype"], [Nicira 16 NXOXM_ET_GTPU_MSGTYPE];
    NshFlags: 1, 8, mask, Nsh, Decimal, ["nsh_flags"], [Nsh 1 NXOXM_NSH_FLAGS];
    NshTtl: 1, 8, no, Nsh, Decimal, ["nsh_ttl"], [Nsh 10 NXOXM_NSH_TTL];
    NshMdtype: 1, 8, no, Nsh, Decimal, ["nsh_mdtype"], [Nsh 2 NXOXM_NSH_MDTYPE];
    NshNp: 1, 8, no, Nsh, Decimal, ["nsh_np"], [Nsh 3 NXOXM_NSH_NP];
    NshSpi: 4, 24, no, Nsh, Hex, ["nsh_spi", "nsp"], [Nsh 4 NXOXM_NSH_SPI];
    NshSi: 1, 8, no, Nsh, Decimal, ["nsh_si", "nsi"], [Nsh 5 NXOXM_NSH_SI];
    NshC1: 4, 32, mask, Nsh, Hex, ["nsh_c1", "nshc1"], [Nsh 6 NXOXM_NSH_C1];
    NshC2: 4, 32, mask, Nsh, Hex, ["nsh_c2", "nshc2"], [Nsh 7 NXOXM_NSH_C2];
    NshC3: 4, 32, mask, Nsh, Hex, ["nsh_c3", "nshc3"], [Nsh 8 NXOXM_NSH_C3];
    NshC4: 4, 32, mask, Nsh, Hex, ["nsh_c4", "nshc4"], [Nsh 9 NXOXM_NSH_C4];
    Reg0: 4, 32, mask, Free, Hex, ["reg0"], [Nx 0 NXM_NX_REG0];
    Reg1: 4, 32, mask, Free, Hex, ["reg1"], [Nx 1 NXM_NX_REG1];
    Reg2: 4, 32, mask, Free, Hex, ["reg2"], [Nx 2 NXM_NX_REG2];
    Reg3: 4, 32, mask, Free, Hex, ["reg3"], [Nx 3 NXM_NX_REG3];
    Reg4: 4, 32, mask, Free, Hex, ["reg4"], [Nx 4 NXM_NX_REG4];
    Reg5: 4, 32, mask, Free, Hex, ["reg5"], [Nx 5 NXM_NX_REG5];
    Reg6: 4, 32, mask, Free, Hex, ["reg6"], [Nx 6 NXM_NX_REG6];
    Reg7: 4, 32, mask, Free, Hex, ["reg7"], [Nx 7 NXM_NX_REG7];
    Reg8: 4, 32, mask, Free, Hex, ["reg8"], [Nx 8 NXM_NX_REG8];
    Reg9: 4, 32, mask, Free, Hex, ["reg9"], [Nx 9 NXM_NX_REG9];
    Reg10: 4, 32, mask, Free, Hex, ["reg10"], [Nx 10 NXM_NX_REG10];
    Reg11: 4, 32, mask, Free, Hex, ["reg11"], [Nx 11 NXM_NX_REG11];
    Reg12: 4, 32, mask, Free, Hex, ["reg12"], [Nx 12 NXM_NX_REG12];
    Reg13: 4, 32, mask, Free, Hex, ["reg13"], [Nx 13 NXM_NX_REG13];
    Reg14: 4, 32, mask, Free, Hex, ["reg14"], [Nx 14 NXM_NX_REG14];
    Reg15: 4, 32, mask, Free, Hex, ["reg15"], [Nx 15 NXM_NX_REG15];
    Xreg0: 8, 64, mask, Free, Hex, ["xreg0"], [Packet 0 OXM_OF_PKT_REG0];
    Xreg1: 8, 64, mask, Free, Hex, ["xreg1"], [Packet 1 OXM_OF_PKT_REG1];
    Xreg2: 8, 64, mask, Free, Hex, ["xreg2"], [Packet 2 OXM_OF_PKT_REG2];
    Xreg3: 8, 64, mask, Free, Hex, ["xreg3"], [Packet 3 OXM_OF_PKT_REG3];
    Xreg4: 8, 64, mask, Free, Hex, ["xreg4"], [Packet 4 OXM_OF_PKT_REG4];
    Xreg5: 8, 64, mask, Free, Hex, ["xreg5"], [Packet 5 OXM_OF_PKT_REG5];
    Xreg6: 8, 64, mask, Free, Hex, ["xreg6"], [Packet 6 OXM_OF_PKT_REG6];
    Xreg7: 8, 64, mask, Free, Hex, ["xreg7"], [Packet 7 OXM_OF_PKT_REG7];
    Xxreg0: 16, 128, mask, Free, Hex, ["xxreg0"], [Nx 111 NXM_NX_XXREG0];
    Xxreg1: 16, 128, mask, Free, Hex, ["xxreg1"], [Nx 112 NXM_NX_XXREG1];
    Xxreg2: 16, 128, mask, Free, Hex, ["xxreg2"], [Nx 113 NXM_NX_XXREG2];
    Xxreg3: 16, 128, mask, Free, Hex, ["xxreg3"], [Nx 114 NXM_NX_XXREG3];
    PktMark: 4, 32, mask, Free, Hex, ["pkt_mark"], [Nx 33 NXM_NX_PKT_MARK];
    CtState: 4, 32, mask, Free, CtState, ["ct_state"], [Nx 105 NXM_NX_CT_STATE];
    CtZone: 2, 16, no, Free, Hex, ["ct_zone"], [Nx 106 NXM_NX_CT_ZONE];
    CtMark: 4, 32, mask, Free, Hex, ["ct_mark"], [Nx 107 NXM_NX_CT_MARK];
    CtLabel: 16, 128, mask, Free, Hex, ["ct_label"], [Nx 108 NXM_NX_CT_LABEL];
    CtNwSrc: 4, 32, mask, Ct, Ipv4, ["ct_nw_src"], [Nx 120 NXM_NX_CT_NW_SRC];
    CtIpv6Src: 16, 128, mask, Ct, Ipv6, ["ct_ipv6_src"], [Nx 122 NXM_NX_CT_IPV6_SRC];
    CtNwDst: 4, 32, mask, Ct, Ipv4, ["ct_nw_dst"], [Nx 121 NXM_NX_CT_NW_DST];
    CtIpv6Dst: 16, 128, mask, Ct, Ipv6, ["ct_ipv6_dst"], [Nx 123 NXM_NX_CT_IPV6_DST];
    CtNwProto: 1, 8, no, Ct, Decimal, ["ct_nw_proto"], [Nx 119 NXM_NX_CT_NW_PROTO];
    CtTpSrc: 2, 16, mask, Ct, Decimal, ["ct_tp_src"], [Nx 124 NXM_NX_CT_TP_SRC];
    CtTpDst: 2, 16, mask, Ct, Decimal, ["ct_tp_dst"], [Nx 125 NXM_NX_CT_TP_DST];
    Metadata: 8, 64, mask, Free, Hex, ["metadata"], [Basic 2 OXM_OF_METADATA];
}

impl Field {
    /// How many bits a [`Subfield`](crate::Subfield) of the field can name.
    ///
    /// `VlanVid` has 12, although a match on it has a 13th that says that there is a VLAN header: see [`Self::ones`].
    #[must_use]
    pub const fn width(self) -> u16 {
        self.row().width as u16
    }

    /// How many bytes a value takes on the wire.
    #[must_use]
    pub const fn bytes(self) -> usize {
        self.row().bytes as usize
    }

    /// The mask of an exact match.
    ///
    /// It covers [`Self::width`] bits, except that a match on `VlanVid` also has the bit 0x1000 (a VLAN header is
    /// present) and that `CtState` has only the 8 bits which Open vSwitch knows.
    #[must_use]
    pub const fn ones(self) -> u128 {
        match self {
            Self::VlanVid => 0x1fff,
            Self::CtState => 0xff,
            _ => ones(self.width()),
        }
    }

    /// Whether a match may look at some bits only.
    #[must_use]
    pub const fn maskable(self) -> bool {
        self.row().maskable
    }

    /// What a match must say besides.
    #[must_use]
    pub const fn prerequisite(self) -> Prerequisite {
        self.row().prerequisite
    }

    /// How the field is written as text.
    #[must_use]
    pub const fn format(self) -> FieldFormat {
        self.row().format
    }

    /// The name by which `ovs-ofctl` calls the field.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().names[0]
    }

    /// The name of the field within a subfield, such as `NXM_NX_REG0`.
    #[must_use]
    pub const fn header_name(self) -> &'static str {
        self.row().headers[0].name
    }

    /// The field of a name: any of those of ovs-fields(7), or that of an OXM or NXM header.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|field| {
            let row = field.row();
            row.names.contains(&name) || row.headers.iter().any(|header| header.name == name)
        })
    }

    /// The header that Open vSwitch writes in OpenFlow 1.5.
    pub(crate) const fn header(self) -> Header {
        let headers = self.row().headers;
        headers[headers.len() - 1]
    }

    /// The header that Open vSwitch writes into actions of its own.
    pub(crate) const fn nicira_header(self) -> Header {
        self.row().headers[0]
    }

    /// Register `n` of 32 bits, 0 to 15.
    ///
    /// # Panics
    /// When there is no such register.
    #[must_use]
    pub const fn reg(n: usize) -> Self {
        assert!(n < 16, "registers are numbered 0 to 15");
        Self::ALL[Self::Reg0 as usize + n]
    }

    /// Register `n` of 64 bits, 0 to 7: registers `2n` (high) and `2n + 1`.
    ///
    /// # Panics
    /// When there is no such register.
    #[must_use]
    pub const fn xreg(n: usize) -> Self {
        assert!(n < 8, "64-bit registers are numbered 0 to 7");
        Self::ALL[Self::Xreg0 as usize + n]
    }

    /// Register `n` of 128 bits, 0 to 3: registers `4n` (highest) to `4n + 3`.
    ///
    /// # Panics
    /// When there is no such register.
    #[must_use]
    pub const fn xxreg(n: usize) -> Self {
        assert!(n < 4, "128-bit registers are numbered 0 to 3");
        Self::ALL[Self::Xxreg0 as usize + n]
    }

    /// The 32-bit registers that the field is made of: the first one and how many; none if it is no register.
    #[must_use]
    pub const fn registers(self) -> Option<(usize, usize)> {
        let position = self as usize;
        if position >= Self::Reg0 as usize && position <= Self::Reg15 as usize {
            Some((position - Self::Reg0 as usize, 1))
        } else if position >= Self::Xreg0 as usize && position <= Self::Xreg7 as usize {
            Some(((position - Self::Xreg0 as usize) * 2, 2))
        } else if position >= Self::Xxreg0 as usize && position <= Self::Xxreg3 as usize {
            Some(((position - Self::Xxreg0 as usize) * 4, 4))
        } else {
            None
        }
    }
}

/// The lowest `bits` bits, all set.
pub(crate) const fn ones(bits: u16) -> u128 {
    if bits >= 128 { u128::MAX } else { (1 << bits) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_and_name_leads_back_to_its_field() {
        for &field in Field::ALL {
            for header in field.row().headers {
                let found = Field::from_header(header.class.number(), header.number, header.class.experimenter());
                assert_eq!(found, Some(field), "{}", header.name);
                assert_eq!(Field::from_name(header.name), Some(field));
            }
            for name in field.row().names {
                assert_eq!(Field::from_name(name), Some(field), "{name}");
            }
            assert!(usize::from(field.width()) <= field.bytes() * 8);
        }
    }

    #[test]
    fn registers_are_found_by_number() {
        assert_eq!(Field::reg(15), Field::Reg15);
        assert_eq!(Field::xreg(7), Field::Xreg7);
        assert_eq!(Field::xxreg(3), Field::Xxreg3);
        assert_eq!(Field::Reg4.registers(), Some((4, 1)));
        assert_eq!(Field::Xreg3.registers(), Some((6, 2)));
        assert_eq!(Field::Xxreg2.registers(), Some((8, 4)));
        assert_eq!(Field::PktMark.registers(), None);
    }
}
