//! What the tables see of a packet: its headers and the metadata that travels along.

use crate::switch::conntrack::{CT_ESTABLISHED, CT_NEW, CT_REPLY};
use weir_openflow::{Field, PortNo};

/// Bits of [`Fields::nw_frag`]: the packet is a fragment.
pub const FRAGMENT: u8 = 1;
/// Bits of [`Fields::nw_frag`]: it is not the first one.
pub const LATER_FRAGMENT: u8 = 2;

/// Ethernet type of IPv4.
pub const ETH_IPV4: u16 = 0x0800;
/// Ethernet type of ARP.
pub const ETH_ARP: u16 = 0x0806;
/// Ethernet type of RARP.
pub const ETH_RARP: u16 = 0x8035;
/// Ethernet type of IPv6.
pub const ETH_IPV6: u16 = 0x86dd;
/// Ethernet type of an 802.1Q tag.
pub const ETH_VLAN: u16 = 0x8100;
/// Ethernet type of an 802.1ad tag.
pub const ETH_QINQ: u16 = 0x88a8;

/// IP protocol numbers that the switch looks into.
pub mod protocol {
    /// ICMP.
    pub const ICMP: u8 = 1;
    /// IGMP.
    pub const IGMP: u8 = 2;
    /// TCP.
    pub const TCP: u8 = 6;
    /// UDP.
    pub const UDP: u8 = 17;
    /// ICMPv6.
    pub const ICMPV6: u8 = 58;
    /// SCTP.
    pub const SCTP: u8 = 132;
}

/// A VLAN tag; `tci` carries the bit `0x1000` when the tag is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vlan {
    /// Ethernet type of the tag.
    pub tpid: u16,
    /// Priority, presence and VLAN id.
    pub tci: u16,
}

/// Bit of a TCI that stands for presence.
pub const VLAN_PRESENT: u16 = 0x1000;

/// The outer header of a packet that came or goes through a tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tunnel {
    /// Tunnel key (VNI).
    pub id: u64,
    /// Outer IPv4 source, 0 for none.
    pub src: u32,
    /// Outer IPv4 destination, 0 for none.
    pub dst: u32,
    /// Outer IPv6 source, 0 for none.
    pub ipv6_src: u128,
    /// Outer IPv6 destination, 0 for none.
    pub ipv6_dst: u128,
    /// `tun_flags`.
    pub flags: u16,
    /// Group policy id.
    pub gbp_id: u16,
    /// Group policy flags.
    pub gbp_flags: u8,
}

impl Tunnel {
    /// Whether an outer destination is set: the packet is tunnelled.
    pub fn is_set(&self) -> bool {
        self.dst != 0 || self.ipv6_dst != 0
    }
}

/// What the connection tracker has said of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tracking {
    /// `ct_state` bits.
    pub state: u8,
    /// Zone.
    pub zone: u16,
    /// Mark.
    pub mark: u32,
    /// Label.
    pub label: u128,
    /// Protocol of the connection's original direction, 0 for none.
    pub nw_proto: u8,
    /// IPv4 source of the original direction.
    pub nw_src: u32,
    /// IPv4 destination of the original direction.
    pub nw_dst: u32,
    /// IPv6 source of the original direction.
    pub ipv6_src: u128,
    /// IPv6 destination of the original direction.
    pub ipv6_dst: u128,
    /// Source port, or ICMP type.
    pub tp_src: u16,
    /// Destination port, or ICMP code.
    pub tp_dst: u16,
}

/// All that a flow can match of a packet.
///
/// Several fields share one place, as they do in Open vSwitch: `arp_op` and `ip_proto`; the ARP and the IPv4 addresses;
/// `arp_sha` and `nd_sll`; ports and ICMP type and code; `tcp_flags` and `nd_options_type`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    /// Outer header.
    pub tunnel: Tunnel,
    /// OpenFlow metadata.
    pub metadata: u64,
    /// Registers; `xreg0` is `reg0` followed by `reg1`.
    pub regs: [u32; 16],
    /// Output queue.
    pub skb_priority: u32,
    /// Mark that crosses patch ports.
    pub pkt_mark: u32,
    /// Datapath hash.
    pub dp_hash: u32,
    /// Port that the packet came in on.
    pub in_port: PortNo,
    /// Output port in the action set.
    pub actset_output: PortNo,
    /// Conjunction that matched.
    pub conj_id: u32,
    /// Connection state.
    pub ct: Tracking,
    /// Ethernet source.
    pub eth_src: u64,
    /// Ethernet destination.
    pub eth_dst: u64,
    /// Ethernet type behind all tags.
    pub eth_type: u16,
    /// Outer and inner tag.
    pub vlans: [Vlan; 2],
    /// IPv4 source, or ARP sender.
    pub nw_src: u32,
    /// IPv4 destination, or ARP target.
    pub nw_dst: u32,
    /// IPv6 source.
    pub ipv6_src: u128,
    /// IPv6 destination.
    pub ipv6_dst: u128,
    /// IPv6 flow label.
    pub ipv6_label: u32,
    /// Fragment bits.
    pub nw_frag: u8,
    /// Type of service or traffic class.
    pub nw_tos: u8,
    /// Time to live or hop limit.
    pub nw_ttl: u8,
    /// IP protocol, or ARP operation.
    pub nw_proto: u8,
    /// Target of a neighbour solicitation or advertisement.
    pub nd_target: u128,
    /// ARP sender, or source link-layer address of ND.
    pub arp_sha: u64,
    /// ARP target, or target link-layer address of ND.
    pub arp_tha: u64,
    /// TCP flags, or the type of the first ND option.
    pub tcp_flags: u16,
    /// Source port, or ICMP type.
    pub tp_src: u16,
    /// Destination port, or ICMP code.
    pub tp_dst: u16,
    /// The reserved word of ND, or the IGMP group.
    pub nd_reserved: u32,
}

/// A port number that stands for no output in the action set.
const UNSET: PortNo = PortNo(0xffff_fff7);

impl Default for Fields {
    fn default() -> Self {
        Self {
            tunnel: Tunnel::default(),
            metadata: 0,
            regs: [0; 16],
            skb_priority: 0,
            pkt_mark: 0,
            dp_hash: 0,
            in_port: PortNo(0),
            actset_output: UNSET,
            conj_id: 0,
            ct: Tracking::default(),
            eth_src: 0,
            eth_dst: 0,
            eth_type: 0,
            vlans: [Vlan::default(); 2],
            nw_src: 0,
            nw_dst: 0,
            ipv6_src: 0,
            ipv6_dst: 0,
            ipv6_label: 0,
            nw_frag: 0,
            nw_tos: 0,
            nw_ttl: 0,
            nw_proto: 0,
            nd_target: 0,
            arp_sha: 0,
            arp_tha: 0,
            tcp_flags: 0,
            tp_src: 0,
            tp_dst: 0,
            nd_reserved: 0,
        }
    }
}

impl Fields {
    /// Whether this is IPv4 or IPv6.
    pub fn is_ip(&self) -> bool {
        matches!(self.eth_type, ETH_IPV4 | ETH_IPV6)
    }

    /// Whether this is IP with the given protocol.
    pub fn is_protocol(&self, protocol: u8) -> bool {
        self.is_ip() && self.nw_proto == protocol
    }

    /// Whether this is ICMPv6.
    pub fn is_icmpv6(&self) -> bool {
        self.eth_type == ETH_IPV6 && self.nw_proto == protocol::ICMPV6
    }

    /// Whether this is a neighbour solicitation or advertisement.
    pub fn is_nd(&self) -> bool {
        self.is_icmpv6() && self.tp_dst == 0 && matches!(self.tp_src, 135 | 136)
    }

    /// Whether the packet is the same, its mark and queue included, whatever the tables noted of it.
    pub fn same_packet(&self, other: &Self) -> bool {
        let outer = |fields: &Self| (fields.eth_src, fields.eth_dst, fields.eth_type, fields.vlans);
        let ipv4 = |fields: &Self| (fields.nw_src, fields.nw_dst, fields.nw_proto, fields.nw_ttl, fields.nw_tos);
        let ipv6 = |fields: &Self| (fields.ipv6_src, fields.ipv6_dst, fields.ipv6_label, fields.nd_target);
        let inner = |fields: &Self| (fields.tp_src, fields.tp_dst, fields.tcp_flags, fields.nd_reserved);
        let addresses = |fields: &Self| (fields.arp_sha, fields.arp_tha, fields.pkt_mark, fields.skb_priority);
        outer(self) == outer(other)
            && ipv4(self) == ipv4(other)
            && ipv6(self) == ipv6(other)
            && inner(self) == inner(other)
            && addresses(self) == addresses(other)
    }

    /// Whether an outer tag is there.
    pub fn is_tagged(&self) -> bool {
        self.vlans[0].tci & VLAN_PRESENT != 0
    }

    /// How many tags there are.
    pub fn tags(&self) -> usize {
        self.vlans.iter().take_while(|tag| tag.tci & VLAN_PRESENT != 0).count()
    }

    /// Forgets the connection state, as a packet not yet tracked.
    pub fn clear_tracking(&mut self) {
        self.ct = Tracking::default();
    }

    /// Forgets the output port of the action set.
    pub fn clear_action_set_output(&mut self) {
        self.actset_output = UNSET;
    }

    /// Puts a new outer tag with VLAN id 0 before the others.
    pub fn push_vlan(&mut self, tpid: u16) {
        self.vlans[1] = self.vlans[0];
        self.vlans[0] = Vlan { tpid, tci: VLAN_PRESENT };
    }

    /// Takes the outer tag away, if there is one.
    pub fn pop_vlan(&mut self) {
        if self.is_tagged() {
            self.vlans[0] = self.vlans[1];
            self.vlans[1] = Vlan::default();
        }
    }

    /// Whether the packet has the header that `field` is part of (the prerequisites of ovs-fields(7)).
    pub fn has(&self, field: Field) -> bool {
        use Field::{
            ArpOp, ArpSha, ArpSpa, ArpTha, ArpTpa, CtIpv6Dst, CtIpv6Src, CtNwDst, CtNwProto, CtNwSrc, CtTpDst, CtTpSrc,
            IcmpCode, IcmpType, Icmpv6Code, Icmpv6Type, IpDscp, IpEcn, IpFrag, IpProto, IpTtl, Ipv4Dst, Ipv4Src,
            Ipv6Dst, Ipv6Label, Ipv6Src, MplsBos, MplsLabel, MplsTc, MplsTtl, NdOptionsType, NdReserved, NdSll,
            NdTarget, NdTll, SctpDst, SctpSrc, TcpDst, TcpFlags, TcpSrc, UdpDst, UdpSrc, VlanPcp,
        };
        let ports = self.nw_frag & LATER_FRAGMENT == 0;
        match field {
            ArpOp | ArpSpa | ArpTpa | ArpSha | ArpTha => {
                matches!(self.eth_type, ETH_ARP | ETH_RARP)
            }
            Ipv4Src | Ipv4Dst => self.eth_type == ETH_IPV4,
            Ipv6Src | Ipv6Dst | Ipv6Label => self.eth_type == ETH_IPV6,
            IpProto | IpDscp | IpEcn | IpTtl | IpFrag => self.is_ip(),
            TcpSrc | TcpDst | TcpFlags => ports && self.is_protocol(protocol::TCP),
            UdpSrc | UdpDst => ports && self.is_protocol(protocol::UDP),
            SctpSrc | SctpDst => ports && self.is_protocol(protocol::SCTP),
            IcmpType | IcmpCode => self.eth_type == ETH_IPV4 && self.nw_proto == protocol::ICMP,
            Icmpv6Type | Icmpv6Code => self.is_icmpv6(),
            NdTarget | NdReserved | NdOptionsType => self.is_nd(),
            NdSll => self.is_nd() && self.tp_src == 135,
            NdTll => self.is_nd() && self.tp_src == 136,
            VlanPcp => self.is_tagged(),
            MplsLabel | MplsTc | MplsBos | MplsTtl => matches!(self.eth_type, 0x8847 | 0x8848),
            // An error in the original direction is none of these: there the tuple can be matched, not copied.
            CtNwProto | CtNwSrc | CtNwDst | CtIpv6Src | CtIpv6Dst | CtTpSrc | CtTpDst => {
                self.ct.state & (CT_NEW | CT_ESTABLISHED | CT_REPLY) != 0
            }
            _ => true,
        }
    }

    /// The bits of a field, right aligned; 0 for what the packet does not have.
    pub fn get(&self, field: Field) -> u128 {
        use Field::*;
        match field {
            TunId => self.tunnel.id.into(),
            TunSrc => self.tunnel.src.into(),
            TunDst => self.tunnel.dst.into(),
            TunIpv6Src => self.tunnel.ipv6_src,
            TunIpv6Dst => self.tunnel.ipv6_dst,
            TunFlags => self.tunnel.flags.into(),
            TunGbpId => self.tunnel.gbp_id.into(),
            TunGbpFlags => self.tunnel.gbp_flags.into(),
            InPort => short_port(self.in_port).into(),
            InPortOxm => self.in_port.0.into(),
            ActsetOutput => self.actset_output.0.into(),
            PktMark => self.pkt_mark.into(),
            Metadata => self.metadata.into(),
            DpHash => self.dp_hash.into(),

            ConjId => self.conj_id.into(),
            CtState => self.ct.state.into(),
            CtZone => self.ct.zone.into(),
            CtMark => self.ct.mark.into(),
            CtLabel => self.ct.label,
            CtNwProto => self.ct.nw_proto.into(),
            CtNwSrc => self.ct.nw_src.into(),
            CtNwDst => self.ct.nw_dst.into(),
            CtIpv6Src => self.ct.ipv6_src,
            CtIpv6Dst => self.ct.ipv6_dst,
            CtTpSrc => self.ct.tp_src.into(),
            CtTpDst => self.ct.tp_dst.into(),
            Xreg0 | Xreg1 | Xreg2 | Xreg3 | Xreg4 | Xreg5 | Xreg6 | Xreg7 => {
                self.register_bits(index_from(field, Xreg0) * 2, 2)
            }
            Xxreg0 | Xxreg1 | Xxreg2 | Xxreg3 => self.register_bits(index_from(field, Xxreg0) * 4, 4),
            Reg0 | Reg1 | Reg2 | Reg3 | Reg4 | Reg5 | Reg6 | Reg7 | Reg8 | Reg9 | Reg10 | Reg11 | Reg12 | Reg13
            | Reg14 | Reg15 => self.regs[index_from(field, Reg0)].into(),
            EthSrc => self.eth_src.into(),
            EthDst => self.eth_dst.into(),
            EthType => self.eth_type.into(),
            VlanTci => self.vlans[0].tci.into(),
            VlanVid => (self.vlans[0].tci & 0x1fff).into(),
            VlanPcp => (self.vlans[0].tci >> 13).into(),
            Ipv4Src | ArpSpa => self.nw_src.into(),
            Ipv4Dst | ArpTpa => self.nw_dst.into(),
            Ipv6Src => self.ipv6_src,
            Ipv6Dst => self.ipv6_dst,
            Ipv6Label => self.ipv6_label.into(),
            IpProto | ArpOp => self.nw_proto.into(),
            IpDscp => (self.nw_tos >> 2).into(),
            IpEcn => (self.nw_tos & 3).into(),
            IpTtl => self.nw_ttl.into(),
            IpFrag => self.nw_frag.into(),
            ArpSha | NdSll => self.arp_sha.into(),
            ArpTha | NdTll => self.arp_tha.into(),
            TcpSrc | UdpSrc | SctpSrc | IcmpType | Icmpv6Type => self.tp_src.into(),
            TcpDst | UdpDst | SctpDst | IcmpCode | Icmpv6Code => self.tp_dst.into(),
            TcpFlags | NdOptionsType => self.tcp_flags.into(),
            NdTarget => self.nd_target,
            NdReserved => self.nd_reserved.into(),
            // MPLS, NSH and the options of other tunnels are not modelled.
            _ => 0,
        }
    }

    /// Sets the bits of `field` under `mask`; the caller has checked [`Fields::has`].
    pub fn set(&mut self, field: Field, value: u128, mask: u128) {
        use Field::*;
        let value = (self.get(field) & !mask) | (value & mask);
        match field {
            TunId => self.tunnel.id = value as u64,
            TunSrc => self.tunnel.src = value as u32,
            TunDst => self.tunnel.dst = value as u32,
            TunIpv6Src => self.tunnel.ipv6_src = value,
            TunIpv6Dst => self.tunnel.ipv6_dst = value,
            TunFlags => self.tunnel.flags = value as u16,
            TunGbpId => self.tunnel.gbp_id = value as u16,
            TunGbpFlags => self.tunnel.gbp_flags = value as u8,
            InPort => self.in_port = long_port(value as u16),
            InPortOxm => self.in_port = PortNo(value as u32),
            ActsetOutput => self.actset_output = PortNo(value as u32),
            PktMark => self.pkt_mark = value as u32,
            Metadata => self.metadata = value as u64,
            DpHash => self.dp_hash = value as u32,

            ConjId => self.conj_id = value as u32,
            CtState => self.ct.state = value as u8,
            CtZone => self.ct.zone = value as u16,
            CtMark => self.ct.mark = value as u32,
            CtLabel => self.ct.label = value,
            CtNwProto => self.ct.nw_proto = value as u8,
            CtNwSrc => self.ct.nw_src = value as u32,
            CtNwDst => self.ct.nw_dst = value as u32,
            CtIpv6Src => self.ct.ipv6_src = value,
            CtIpv6Dst => self.ct.ipv6_dst = value,
            CtTpSrc => self.ct.tp_src = value as u16,
            CtTpDst => self.ct.tp_dst = value as u16,
            Xreg0 | Xreg1 | Xreg2 | Xreg3 | Xreg4 | Xreg5 | Xreg6 | Xreg7 => {
                self.set_register_bits(index_from(field, Xreg0) * 2, 2, value);
            }
            Xxreg0 | Xxreg1 | Xxreg2 | Xxreg3 => {
                self.set_register_bits(index_from(field, Xxreg0) * 4, 4, value);
            }
            Reg0 | Reg1 | Reg2 | Reg3 | Reg4 | Reg5 | Reg6 | Reg7 | Reg8 | Reg9 | Reg10 | Reg11 | Reg12 | Reg13
            | Reg14 | Reg15 => {
                self.regs[index_from(field, Reg0)] = value as u32;
            }
            EthSrc => self.eth_src = value as u64,
            EthDst => self.eth_dst = value as u64,
            EthType => self.eth_type = value as u16,
            VlanTci => self.set_tci(value as u16),
            VlanVid => self.set_tci((self.vlans[0].tci & !0x1fff) | value as u16),
            VlanPcp => {
                let rest = self.vlans[0].tci & !0xe000;
                self.set_tci(rest | ((value as u16) << 13) | VLAN_PRESENT);
            }
            Ipv4Src | ArpSpa => self.nw_src = value as u32,
            Ipv4Dst | ArpTpa => self.nw_dst = value as u32,
            Ipv6Src => self.ipv6_src = value,
            Ipv6Dst => self.ipv6_dst = value,
            Ipv6Label => self.ipv6_label = value as u32,
            IpProto | ArpOp => self.nw_proto = value as u8,
            IpDscp => self.nw_tos = (self.nw_tos & 3) | (value as u8) << 2,
            IpEcn => self.nw_tos = (self.nw_tos & !3) | value as u8,
            IpTtl => self.nw_ttl = value as u8,
            IpFrag => self.nw_frag = value as u8,
            ArpSha | NdSll => self.arp_sha = value as u64,
            ArpTha | NdTll => self.arp_tha = value as u64,
            TcpSrc | UdpSrc | SctpSrc | IcmpType | Icmpv6Type => self.tp_src = value as u16,
            TcpDst | UdpDst | SctpDst | IcmpCode | Icmpv6Code => self.tp_dst = value as u16,
            TcpFlags | NdOptionsType => self.tcp_flags = value as u16,
            NdTarget => self.nd_target = value,
            NdReserved => self.nd_reserved = value as u32,
            _ => {}
        }
    }

    fn set_tci(&mut self, tci: u16) {
        self.vlans[0].tci = tci;
        if tci != 0 && self.vlans[0].tpid == 0 {
            self.vlans[0].tpid = ETH_VLAN;
        }
    }

    fn register_bits(&self, first: usize, count: usize) -> u128 {
        self.regs[first..first + count].iter().fold(0, |bits, reg| bits << 32 | u128::from(*reg))
    }

    fn set_register_bits(&mut self, first: usize, count: usize, value: u128) {
        for (place, reg) in self.regs[first..first + count].iter_mut().rev().enumerate() {
            *reg = (value >> (32 * place)) as u32;
        }
    }
}

fn index_from(field: Field, first: Field) -> usize {
    field as usize - first as usize
}

/// A 32-bit port number as OpenFlow 1.0 and `NXM_OF_IN_PORT` write it.
fn short_port(port: PortNo) -> u16 {
    (port.0 & 0xffff) as u16
}

fn long_port(port: u16) -> PortNo {
    if port >= 0xff00 { PortNo(0xffff_0000 | u32::from(port)) } else { PortNo(port.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_registers_overlay_narrow_ones_from_the_high_end() {
        let mut fields = Fields::default();
        fields.set(Field::Xreg1, 0x1111_2222_3333_4444, u128::MAX);
        assert_eq!(fields.regs[2..4], [0x1111_2222, 0x3333_4444]);
        fields.set(Field::Reg0, 7, u128::MAX);
        assert_eq!(fields.get(Field::Xxreg0), 7 << 96 | 0x1111_2222_3333_4444);
    }

    #[test]
    fn setting_a_vlan_id_tags_an_untagged_packet() {
        let mut fields = Fields::default();
        fields.set(Field::VlanVid, 0x1005, 0x1fff);
        assert_eq!(fields.vlans[0], Vlan { tpid: ETH_VLAN, tci: 0x1005 });
    }

    #[test]
    fn a_masked_set_leaves_the_other_bits() {
        let mut fields = Fields::default();
        fields.set(Field::PktMark, 0xffff_ffff, u128::MAX);
        fields.set(Field::PktMark, 0, 0x00ff_ff00);
        assert_eq!(fields.pkt_mark, 0xff00_00ff);
    }
}
