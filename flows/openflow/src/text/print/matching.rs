//! Printing matches, in the order and with the words of `ovs-ofctl dump-flows`.

use crate::text::names::{Named, Names};
use crate::text::value::{CT_STATE, TCP_FLAGS, TUN_FLAGS, put, put_flags, put_hex, put_ipv4, put_ipv6, put_mac};
use crate::{Field, FieldFormat, Match, MatchField};
use std::fmt::{self, Display, Formatter, Write};

const IPV4: u128 = 0x0800;
const IPV6: u128 = 0x86dd;
const ARP: u128 = 0x0806;
const RARP: u128 = 0x8035;
const NSH: u128 = 0x894f;

impl Display for Match {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_match(f, self, None, Names::NONE).map(drop)
    }
}

impl Display for Named<'_, Match> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write_match(f, self.value, None, self.names).map(drop)
    }
}

/// Prints the priority, unless it is the default, and the match. Tells whether anything was printed.
pub(super) fn write_match(
    f: &mut dyn Write,
    matching: &Match,
    priority: Option<u16>,
    names: &Names,
) -> Result<bool, fmt::Error> {
    let mut out = Words { out: f, matching, names, any: false };
    if let Some(priority) = priority.filter(|&priority| priority != 0x8000) {
        out.word(format_args!("priority={priority}"))?;
    }
    out.metadata()?;
    let (skip_type, skip_proto) = out.protocol()?;
    out.registers()?;
    out.tunnel()?;
    out.plain(Field::Metadata, "metadata")?;
    if let Some(port) = matching.exact(Field::InPortOxm) {
        out.start("in_port")?;
        put(out.out, Field::InPortOxm, port, Field::InPortOxm.ones(), names)?;
    }
    out.vlan()?;
    out.field(Field::EthSrc, "dl_src")?;
    out.field(Field::EthDst, "dl_dst")?;
    out.network(skip_type, skip_proto)?;
    out.transport()?;
    Ok(out.any)
}

struct Words<'a> {
    out: &'a mut dyn Write,
    matching: &'a Match,
    names: &'a Names,
    any: bool,
}

impl Words<'_> {
    fn separate(&mut self) -> fmt::Result {
        if self.any {
            self.out.write_char(',')?;
        }
        self.any = true;
        Ok(())
    }

    fn word(&mut self, word: fmt::Arguments<'_>) -> fmt::Result {
        self.separate()?;
        self.out.write_fmt(word)
    }

    fn start(&mut self, name: &str) -> fmt::Result {
        self.word(format_args!("{name}="))
    }

    fn get(&self, field: Field) -> Option<MatchField> {
        let found = self.matching.fields().binary_search_by_key(&field, |part| part.field);
        found.ok().map(|at| self.matching.fields()[at])
    }

    /// A number in hexadecimal, a zero without prefix; and its mask unless it covers the field.
    fn plain(&mut self, field: Field, name: &str) -> fmt::Result {
        let Some(part) = self.get(field) else {
            return Ok(());
        };
        self.start(name)?;
        put_hex(self.out, part.value)?;
        if part.exact() {
            return Ok(());
        }
        self.out.write_char('/')?;
        put_hex(self.out, part.mask)
    }

    /// A number in decimal if it is exact; else number and mask in hexadecimal of at least `digits` digits.
    fn decimal(&mut self, field: Field, name: &str, digits: usize) -> fmt::Result {
        let Some(part) = self.get(field) else {
            return Ok(());
        };
        self.start(name)?;
        if part.exact() {
            return write!(self.out, "{}", part.value);
        }
        let width = digits + 2;
        write!(self.out, "{:#0width$x}/{:#0width$x}", part.value, part.mask)
    }

    /// A field as it is written in general.
    fn field(&mut self, field: Field, name: &str) -> fmt::Result {
        let Some(part) = self.get(field) else {
            return Ok(());
        };
        self.start(name)?;
        match field.format() {
            FieldFormat::Mac => {
                put_mac(self.out, part.value)?;
                if part.exact() {
                    return Ok(());
                }
                self.out.write_char('/')?;
                put_mac(self.out, part.mask)
            }
            FieldFormat::Ipv4 => put_ipv4(self.out, part.value, part.mask),
            FieldFormat::Ipv6 => put_ipv6(self.out, part.value, part.mask),
            _ => put(self.out, field, part.value, part.mask, self.names),
        }
    }

    /// The value alone, whatever the mask.
    fn value(&mut self, field: Field, name: &str, hex: bool) -> fmt::Result {
        match self.get(field) {
            None => Ok(()),
            Some(part) if hex => {
                self.start(name)?;
                put_hex(self.out, part.value)
            }
            Some(part) => self.word(format_args!("{name}={}", part.value)),
        }
    }

    fn metadata(&mut self) -> fmt::Result {
        self.plain(Field::PktMark, "pkt_mark")?;
        self.plain(Field::RecircId, "recirc_id")?;
        self.plain(Field::DpHash, "dp_hash")?;
        self.value(Field::ConjId, "conj_id", false)?;
        self.field(Field::ActsetOutput, "actset_output")?;
        if let Some(part) = self.get(Field::CtState) {
            self.start("ct_state")?;
            put_flags(self.out, CT_STATE, part.value, part.mask, part.exact())?;
        }
        self.decimal(Field::CtZone, "ct_zone", 1)?;
        self.plain(Field::CtMark, "ct_mark")?;
        self.field(Field::CtLabel, "ct_label")?;
        self.field(Field::CtNwSrc, "ct_nw_src")?;
        self.field(Field::CtIpv6Src, "ct_ipv6_src")?;
        self.field(Field::CtNwDst, "ct_nw_dst")?;
        self.field(Field::CtIpv6Dst, "ct_ipv6_dst")?;
        self.value(Field::CtNwProto, "ct_nw_proto", false)?;
        self.decimal(Field::CtTpSrc, "ct_tp_src", 1)?;
        self.decimal(Field::CtTpDst, "ct_tp_dst", 1)?;
        self.field(Field::PacketType, "packet_type")
    }

    /// The word for the packet's type, and whether it says all of the Ethernet type and of the IP protocol.
    fn protocol(&mut self) -> Result<(bool, bool), fmt::Error> {
        let ip_proto = self.matching.exact(Field::IpProto);
        let (word, all) = match (self.ethertype(), ip_proto) {
            (Some(IPV4), Some(1)) => ("icmp", true),
            (Some(IPV4), Some(6)) => ("tcp", true),
            (Some(IPV4), Some(17)) => ("udp", true),
            (Some(IPV4), Some(132)) => ("sctp", true),
            (Some(IPV4), _) => ("ip", false),
            (Some(IPV6), Some(58)) => ("icmp6", true),
            (Some(IPV6), Some(6)) => ("tcp6", true),
            (Some(IPV6), Some(17)) => ("udp6", true),
            (Some(IPV6), Some(132)) => ("sctp6", true),
            (Some(IPV6), _) => ("ipv6", false),
            (Some(ARP), _) => ("arp", false),
            (Some(RARP), _) => ("rarp", false),
            (Some(0x8847), _) => ("mpls", false),
            (Some(0x8848), _) => ("mplsm", false),
            _ => return Ok((false, false)),
        };
        self.word(format_args!("{word}"))?;
        Ok((true, all))
    }

    fn ethertype(&self) -> Option<u128> {
        self.matching.exact(Field::EthType)
    }

    fn registers(&mut self) -> fmt::Result {
        for number in 0..16 {
            let field = Field::reg(number);
            self.plain(field, field.name())?;
        }
        Ok(())
    }

    fn tunnel(&mut self) -> fmt::Result {
        self.plain(Field::TunId, "tun_id")?;
        self.field(Field::TunSrc, "tun_src")?;
        self.field(Field::TunDst, "tun_dst")?;
        self.field(Field::TunIpv6Src, "tun_ipv6_src")?;
        self.field(Field::TunIpv6Dst, "tun_ipv6_dst")?;
        self.decimal(Field::TunGbpId, "tun_gbp_id", 1)?;
        self.value(Field::TunGbpFlags, "tun_gbp_flags", true)?;
        self.value(Field::TunErspanVer, "tun_erspan_ver", false)?;
        self.value(Field::TunErspanIdx, "tun_erspan_idx", true)?;
        self.value(Field::TunErspanDir, "tun_erspan_dir", false)?;
        self.value(Field::TunErspanHwid, "tun_erspan_hwid", true)?;
        self.value(Field::TunGtpuFlags, "gtpu_flags", true)?;
        self.value(Field::TunGtpuMsgtype, "gtpu_msgtype", false)?;
        match self.get(Field::TunFlags) {
            None => Ok(()),
            Some(part) => {
                self.start("tun_flags")?;
                put_flags(self.out, TUN_FLAGS, part.value, part.mask, false)
            }
        }
    }

    fn vlan(&mut self) -> fmt::Result {
        let Some((tci, mask)) = self.matching.get(Field::VlanTci) else {
            return Ok(());
        };
        let (vid, pcp) = (mask & 0xfff, mask >> 13);
        let present = mask & tci & 0x1000 != 0;
        if present && [0, 0xfff].contains(&vid) && [0, 7].contains(&pcp) && (vid != 0 || pcp != 0) {
            if vid != 0 {
                self.word(format_args!("dl_vlan={}", tci & 0xfff))?;
            }
            if pcp != 0 {
                self.word(format_args!("dl_vlan_pcp={}", tci >> 13))?;
            }
            return Ok(());
        }
        if mask == 0xffff {
            return self.word(format_args!("vlan_tci={tci:#06x}"));
        }
        self.word(format_args!("vlan_tci={tci:#06x}/{mask:#06x}"))
    }

    fn network(&mut self, skip_type: bool, skip_proto: bool) -> fmt::Result {
        let ethertype = self.ethertype();
        if let Some(ethertype) = ethertype.filter(|_| !skip_type) {
            self.word(format_args!("dl_type={ethertype:#06x}"))?;
        }
        let arp = matches!(ethertype, Some(ARP | RARP));
        match ethertype {
            Some(IPV6) => {
                self.field(Field::Ipv6Src, "ipv6_src")?;
                self.field(Field::Ipv6Dst, "ipv6_dst")?;
                if let Some(part) = self.get(Field::Ipv6Label) {
                    self.word(format_args!("ipv6_label={:#07x}", part.value))?;
                    if !part.exact() {
                        write!(self.out, "/{:#07x}", part.mask)?;
                    }
                }
            }
            Some(NSH) => self.service()?,
            _ => {
                self.field(Field::ArpSpa, "arp_spa")?;
                self.field(Field::ArpTpa, "arp_tpa")?;
                self.field(Field::Ipv4Src, "nw_src")?;
                self.field(Field::Ipv4Dst, "nw_dst")?;
            }
        }
        if arp {
            self.value(Field::ArpOp, "arp_op", false)?;
            self.field(Field::ArpSha, "arp_sha")?;
            self.field(Field::ArpTha, "arp_tha")?;
        }
        if !skip_proto {
            self.value(Field::IpProto, "nw_proto", false)?;
        }
        if let Some(part) = self.get(Field::IpDscp) {
            self.word(format_args!("nw_tos={}", part.value << 2))?;
        }
        self.value(Field::IpEcn, "nw_ecn", false)?;
        self.value(Field::IpTtl, "nw_ttl", false)?;
        self.value(Field::MplsLabel, "mpls_label", false)?;
        self.value(Field::MplsTc, "mpls_tc", false)?;
        self.value(Field::MplsTtl, "mpls_ttl", false)?;
        self.value(Field::MplsBos, "mpls_bos", false)?;
        self.field(Field::IpFrag, "nw_frag")
    }

    fn service(&mut self) -> fmt::Result {
        self.decimal(Field::NshFlags, "nsh_flags", 2)?;
        self.decimal(Field::NshTtl, "nsh_ttl", 2)?;
        self.decimal(Field::NshMdtype, "nsh_mdtype", 2)?;
        self.decimal(Field::NshNp, "nsh_np", 2)?;
        self.field(Field::NshSpi, "nsh_spi")?;
        self.decimal(Field::NshSi, "nsh_si", 2)?;
        self.field(Field::NshC1, "nsh_c1")?;
        self.field(Field::NshC2, "nsh_c2")?;
        self.field(Field::NshC3, "nsh_c3")?;
        self.field(Field::NshC4, "nsh_c4")
    }

    fn transport(&mut self) -> fmt::Result {
        for (field, name) in [
            (Field::IcmpType, "icmp_type"),
            (Field::IcmpCode, "icmp_code"),
            (Field::Icmpv6Type, "icmp_type"),
            (Field::Icmpv6Code, "icmp_code"),
        ] {
            self.value(field, name, false)?;
        }
        self.field(Field::NdTarget, "nd_target")?;
        self.field(Field::NdSll, "nd_sll")?;
        self.field(Field::NdTll, "nd_tll")?;
        self.value(Field::NdReserved, "nd_reserved", false)?;
        self.value(Field::NdOptionsType, "nd_options_type", false)?;
        for (field, name) in [
            (Field::TcpSrc, "tp_src"),
            (Field::TcpDst, "tp_dst"),
            (Field::UdpSrc, "tp_src"),
            (Field::UdpDst, "tp_dst"),
            (Field::SctpSrc, "tp_src"),
            (Field::SctpDst, "tp_dst"),
        ] {
            self.decimal(field, name, 1)?;
        }
        match self.get(Field::TcpFlags) {
            None => Ok(()),
            Some(part) => {
                self.start("tcp_flags")?;
                put_flags(self.out, TCP_FLAGS, part.value, part.mask, part.exact())
            }
        }
    }
}
