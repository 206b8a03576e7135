//! Parsing matches.

use crate::text::error::{Fault, ParseError, ParseErrorKind, fail, located};
use crate::text::names::Names;
use crate::text::scan::{Pair, Pairs, integer, number};
use crate::text::value;
use crate::{Field, Match};
use std::str::FromStr;

impl FromStr for Match {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text, Names::NONE)
    }
}

impl Match {
    /// Parses a match such as `tcp,nw_src=10.0.0.0/8,tp_dst=80`.
    ///
    /// # Errors
    /// When the text is no match.
    pub fn parse(text: &str, names: &Names) -> Result<Self, ParseError> {
        located(text, whole(text, names))
    }
}

fn whole<'a>(text: &'a str, names: &Names) -> Result<Match, Fault<'a>> {
    let mut builder = Builder::default();
    for pair in Pairs::new(text) {
        let pair = pair?;
        if !builder.add(&pair, names)? {
            return fail(pair.key, ParseErrorKind::UnknownField);
        }
    }
    Ok(builder.finish())
}

/// The words that stand for an Ethernet type and an IP protocol.
const PROTOCOLS: &[(&str, u16, u8)] = &[
    ("ip", 0x0800, 0),
    ("ipv4", 0x0800, 0),
    ("ip4", 0x0800, 0),
    ("arp", 0x0806, 0),
    ("icmp", 0x0800, 1),
    ("tcp", 0x0800, 6),
    ("udp", 0x0800, 17),
    ("sctp", 0x0800, 132),
    ("ipv6", 0x86dd, 0),
    ("ip6", 0x86dd, 0),
    ("icmp6", 0x86dd, 58),
    ("tcp6", 0x86dd, 6),
    ("udp6", 0x86dd, 17),
    ("sctp6", 0x86dd, 132),
    ("rarp", 0x8035, 0),
    ("mpls", 0x8847, 0),
    ("mplsm", 0x8848, 0),
];

/// Collects the fields as they are named; which fields some names mean shows only when the protocol is known.
#[derive(Debug, Default)]
pub(super) struct Builder {
    parts: Vec<(Field, u128, u128)>,
}

impl Builder {
    /// Takes a pair if it is of a match.
    pub(super) fn add<'a>(&mut self, pair: &Pair<'a>, names: &Names) -> Result<bool, Fault<'a>> {
        if let Some(&(_, ethertype, protocol)) = PROTOCOLS.iter().find(|(word, ..)| *word == pair.key) {
            self.exact(Field::EthType, ethertype.into());
            if protocol != 0 {
                self.exact(Field::IpProto, protocol.into());
            }
            return Ok(true);
        }
        match pair.key {
            "eth" => self.exact(Field::PacketType, 0),
            "dl_vlan" => match number(pair.value)? {
                0xffff => self.exact(Field::VlanVid, 0),
                vid @ 0..=0xfff => self.exact(Field::VlanVid, 0x1000 | vid),
                _ => return fail(pair.value, ParseErrorKind::TooLarge),
            },
            "dl_vlan_pcp" | "vlan_pcp" => match integer::<u8>(pair.value)? {
                pcp @ 0..=7 => self.parts.push((Field::VlanTci, 0x1000 | u128::from(pcp) << 13, 0xf000)),
                _ => return fail(pair.value, ParseErrorKind::TooLarge),
            },
            "nw_tos" => match integer::<u8>(pair.value)? {
                tos if tos & 3 == 0 => self.exact(Field::IpDscp, u128::from(tos >> 2)),
                _ => return fail(pair.value, ParseErrorKind::Range),
            },
            "gtpu_flags" => self.field(Field::TunGtpuFlags, pair, names)?,
            "gtpu_msgtype" => self.field(Field::TunGtpuMsgtype, pair, names)?,
            key if key.contains('[') => self.subfield(pair)?,
            key => match Field::from_name(key) {
                Some(field) => self.field(field, pair, names)?,
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    fn exact(&mut self, field: Field, value: u128) {
        self.parts.push((field, value, field.ones()));
    }

    fn field<'a>(&mut self, field: Field, pair: &Pair<'a>, names: &Names) -> Result<(), Fault<'a>> {
        if pair.value.is_empty() {
            return Ok(());
        }
        let (value, mask) = value::parse(field, pair.value, names)?;
        self.parts.push((field, value, mask));
        Ok(())
    }

    fn subfield<'a>(&mut self, pair: &Pair<'a>) -> Result<(), Fault<'a>> {
        let subfield = value::subfield(pair.key)?;
        let value = number(pair.value)?;
        if value & !(crate::field::ones(subfield.bits)) != 0 {
            return fail(pair.value, ParseErrorKind::TooLarge);
        }
        self.parts.push((subfield.field, value << subfield.offset, subfield.mask()));
        Ok(())
    }

    /// The match, in which names that stand for several fields are taken as the protocol says.
    pub(super) fn finish(self) -> Match {
        let exact = |wanted| {
            let found = self.parts.iter().rev().find(|&&(field, _, mask)| field == wanted && mask == wanted.ones());
            found.map(|&(_, value, _)| value)
        };
        let (ethertype, protocol) = (exact(Field::EthType), exact(Field::IpProto));
        let arp = matches!(ethertype, Some(0x0806 | 0x8035));
        let mut matching = Match::new();
        for &(field, value, mask) in &self.parts {
            let meant = meant(field, arp, protocol);
            let mask = if mask == field.ones() { meant.ones() } else { mask };
            matching.insert(meant, value, mask);
        }
        matching
    }
}

/// The field that a name means within a packet of this protocol.
fn meant(field: Field, arp: bool, protocol: Option<u128>) -> Field {
    match (field, protocol) {
        (Field::Ipv4Src, _) if arp => Field::ArpSpa,
        (Field::Ipv4Dst, _) if arp => Field::ArpTpa,
        (Field::IpProto, _) if arp => Field::ArpOp,
        (Field::TcpSrc, Some(17)) => Field::UdpSrc,
        (Field::TcpDst, Some(17)) => Field::UdpDst,
        (Field::TcpSrc, Some(132)) => Field::SctpSrc,
        (Field::TcpDst, Some(132)) => Field::SctpDst,
        (Field::IcmpType, Some(58)) => Field::Icmpv6Type,
        (Field::IcmpCode, Some(58)) => Field::Icmpv6Code,
        _ => field,
    }
}
